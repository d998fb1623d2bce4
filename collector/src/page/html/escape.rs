//! HTML under construction: what is ours goes in as it is, everything else escaped.

use std::fmt::{self, Display, Write};

/// HTML under construction.
#[derive(Debug, Default)]
pub(in crate::page) struct Html {
    text: String,
}

impl Html {
    /// Adds markup of our own.
    pub(in crate::page) fn raw(&mut self, markup: &str) -> &mut Self {
        self.text.push_str(markup);
        self
    }

    /// Adds a text, which is no markup whatever it holds, in an element or in a quoted attribute.
    pub(in crate::page) fn text(&mut self, text: impl Display) -> &mut Self {
        // A text has room for everything.
        let _written = write!(Escaping(&mut self.text), "{text}");
        self
    }

    /// The HTML.
    pub(in crate::page) fn into_text(self) -> String {
        self.text
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // A browser would replace it, and other control characters mean nothing to it.
                control if control.is_control() && control != '\n' && control != '\t' => {
                    self.0.push(char::REPLACEMENT_CHARACTER);
                }
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_ends_an_element_or_an_attribute(text in "\\PC*") {
            let mut html = Html::default();
            let escaped = html.text(&text).text.clone();
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']), "{escaped}");
            let named = ["amp", "lt", "gt", "quot", "#39"];
            for after in escaped.split('&').skip(1) {
                let name = after.split(';').next().unwrap();
                prop_assert!(named.contains(&name), "{escaped}");
            }
        }
    }

    #[test]
    fn nothing_that_is_said_becomes_markup() {
        let mut html = Html::default();
        html.raw("<b title=\"").text("\"><script>alert('1 & 2')</script>").raw("\">");
        html.text("ä\u{0}\u{1b}🎉\n").raw("</b>");
        assert_eq!(
            html.into_text(),
            "<b title=\"&quot;&gt;&lt;script&gt;alert(&#39;1 &amp; 2&#39;)&lt;/script&gt;\">ä\u{fffd}\u{fffd}🎉\n</b>"
        );
    }
}
