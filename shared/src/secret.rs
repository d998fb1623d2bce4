//! A text that must not be seen: a password, a token, a heartbeat URL, the value of a header.
//!
//! It has no way into logs, errors, metrics or Debug output: both formatters print `***`, and the
//! text comes out through [`Secret::expose`] alone, which is easy to find in a review.

use std::fmt;

/// What every formatter shows in place of the text.
const HIDDEN: &str = "***";

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the text to the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Says whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_formatter_shows_the_text() {
        let secret = Secret::new("MARKER");
        let shown = format!("{secret} {secret:?} {:#?} {:?}", Some(&secret), vec![&secret]);
        assert!(!shown.contains("MARKER"), "{shown}");
        assert_eq!(secret.to_string(), "***");
    }

    #[test]
    fn the_text_comes_out_where_it_is_asked_for() {
        assert_eq!(Secret::from("MARKER").expose(), "MARKER");
        assert!(Secret::from(String::new()).is_empty());
    }
}
