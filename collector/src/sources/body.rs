//! From bytes to JSON text, and what an answer is that is no JSON.

use std::borrow::Cow;

use serde_json::value::RawValue;
use shared::event::Category;

/// An answer that is not what its API gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// `unexpected_body` or `decode`.
    pub(crate) category: Category,
    /// What is wrong, in words for an admin; never a part of the body.
    pub(crate) message: String,
}

impl Unusable {
    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        Self { category: Category::UNEXPECTED_BODY, message: message.into() }
    }
}

/// The body as text; bytes that are no UTF-8 cost their character.
pub(crate) fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body))
}

/// Reads a body as one JSON value without looking into it. `port` is the API's usual port.
pub(crate) fn json<'a>(text: &'a str, port: &str) -> Result<&'a RawValue, Unusable> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Unusable::unexpected("the answer is empty"));
    }
    if text.starts_with('<') {
        return Err(Unusable::unexpected(format!(
            "the answer is a web page, perhaps the login page of the proxy: use port {port}"
        )));
    }
    serde_json::from_str(text).map_err(|error| {
        if text.starts_with(['{', '[']) {
            let message = format!(
                "the answer is no complete JSON (it ends being readable at line {}, column {})",
                error.line(),
                error.column()
            );
            Unusable { category: Category::DECODE, message }
        } else {
            Unusable::unexpected("the answer is text in place of JSON")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json() {
        let category = |text: &str| match json(text, "4747") {
            Ok(_) => None,
            Err(wrong) => Some(wrong.category),
        };
        assert_eq!(category("  [1, {}]\r\n"), None);
        assert_eq!(category(""), Some(Category::UNEXPECTED_BODY));
        assert_eq!(category("<html>"), Some(Category::UNEXPECTED_BODY));
        assert_eq!(category("XSRF prevention"), Some(Category::UNEXPECTED_BODY));
        assert_eq!(category("{\"a\": "), Some(Category::DECODE));
        assert_eq!(category("[1, 2"), Some(Category::DECODE));
        assert_eq!(text(b"\xef\xbb\xbf{}"), "{}");
        assert_eq!(text(b"\"\xff\""), "\"\u{fffd}\"");
    }
}
