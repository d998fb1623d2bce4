//! The texts of events: owned, or borrowed from the payload that they were read from.
//!
//! A writer reads each event once and keeps nothing of it. A health event has more than a hundred
//! texts, and a copy of each took a third of the time that decoding takes.

use std::borrow::{Borrow, Cow};
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// What the texts of an event may be.
pub trait Text: AsRef<str> + Borrow<str> + Default + Ord + Serialize {}

impl<T: AsRef<str> + Borrow<str> + Default + Ord + Serialize> Text for T {}

/// A text that borrows from the payload where that holds it as it is: without escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct BorrowedText<'a>(Cow<'a, str>);

impl AsRef<str> for BorrowedText<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for BorrowedText<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for BorrowedText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(AnyText).map(Self)
    }
}

/// serde's own way to a `Cow` always copies, unless it stands in a field by itself.
struct AnyText;

impl<'de> Visitor<'de> for AnyText {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_escapes_is_copied() {
        let texts: Vec<BorrowedText<'_>> =
            serde_json::from_str(r#"["plain", "esc\u0061ped", "Zürich", ""]"#).unwrap();
        let read: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        assert_eq!(read, ["plain", "escaped", "Zürich", ""]);
        let copied = texts.iter().map(|text| matches!(text.0, Cow::Owned(_)));
        assert_eq!(copied.collect::<Vec<_>>(), [false, true, false, false]);
        assert!(serde_json::from_str::<BorrowedText<'_>>("7").is_err());
    }
}
