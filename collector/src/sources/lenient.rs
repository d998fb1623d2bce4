//! Reading JSON member by member, so that a bad one costs itself and nothing else.
//!
//! Members stay text until they are read: a number beyond every float or a broken escape is an
//! error of its member, not of the answer. What is dropped is counted.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Members dropped because they could not be read, or because an API that always sends them did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rejected(pub(crate) u64);

/// The members of an object, by name; the last one of a name counts.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Members<'a> {
    #[serde(borrow)]
    by_name: HashMap<Cow<'a, str>, &'a RawValue>,
}

impl<'a> Members<'a> {
    /// Reads an object.
    pub(crate) fn parse(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.by_name.get(name).copied()
    }

    /// Whether any of the names is there.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.by_name.contains_key(*name))
    }

    /// The name among two that is there, the first one when neither is.
    pub(crate) fn either<'n>(&self, name: &'n str, other: &'n str) -> &'n str {
        if !self.by_name.contains_key(name) && self.by_name.contains_key(other) {
            other
        } else {
            name
        }
    }

    /// An object within this one; empty when missing or something else.
    pub(crate) fn object(&self, name: &str, rejected: &mut Rejected) -> Self {
        let Some(raw) = self.get(name) else { return Self::default() };
        Self::parse(raw).unwrap_or_else(|| {
            rejected.0 += 1;
            Self::default()
        })
    }

    /// A text.
    pub(crate) fn text(&self, name: &str, rejected: &mut Rejected) -> Option<String> {
        let text = self.get(name).and_then(as_text);
        rejected.0 += u64::from(text.is_none());
        text
    }

    /// A number from 0 to `largest`, whatever its JSON form.
    pub(crate) fn number(&self, name: &str, largest: f64, rejected: &mut Rejected) -> Option<f64> {
        let number = self.optional_number(name, largest, rejected);
        rejected.0 += u64::from(number.is_none() && !self.by_name.contains_key(name));
        number
    }

    /// The same, for a member that not every release sends.
    pub(crate) fn optional_number(
        &self,
        name: &str,
        largest: f64,
        rejected: &mut Rejected,
    ) -> Option<f64> {
        let raw = self.get(name)?;
        let number = as_number(raw).filter(|number| (0.0..=largest).contains(number));
        rejected.0 += u64::from(number.is_none());
        number
    }

    /// A counter: whole, not negative.
    pub(crate) fn counter(&self, name: &str, rejected: &mut Rejected) -> Option<i64> {
        let counter = self.get(name).and_then(as_whole).filter(|counter| *counter >= 0);
        rejected.0 += u64::from(counter.is_none());
        counter
    }

    /// True or false, for a member that not every release sends.
    pub(crate) fn optional_flag(&self, name: &str, rejected: &mut Rejected) -> Option<bool> {
        let flag = match trimmed(self.get(name)?) {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            text => text.parse().ok(),
        };
        rejected.0 += u64::from(flag.is_none());
        flag
    }

    /// The elements of a list; missing and null ones are empty.
    pub(crate) fn elements(&self, name: &str, rejected: &mut Rejected) -> Vec<&'a RawValue> {
        let Some(raw) = self.get(name).filter(|raw| raw.get() != "null") else { return Vec::new() };
        serde_json::from_str(raw.get()).unwrap_or_else(|_no_list| {
            rejected.0 += 1;
            Vec::new()
        })
    }

    /// A list of texts; missing and null ones are empty.
    pub(crate) fn texts(&self, name: &str, rejected: &mut Rejected) -> Vec<String> {
        let elements = self.elements(name, rejected);
        let texts: Vec<String> = elements.iter().copied().filter_map(as_text).collect();
        rejected.0 += (elements.len() - texts.len()) as u64;
        texts
    }
}

/// A text, or a number as text.
pub(crate) fn as_text(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        b'-' | b'0'..=b'9' => Some(text.to_owned()),
        _ => None,
    }
}

/// A number's text, without the quotes that some put around it.
fn trimmed(raw: &RawValue) -> &str {
    raw.get().trim_matches('"').trim()
}

fn as_number(raw: &RawValue) -> Option<f64> {
    trimmed(raw).parse().ok()
}

fn as_whole(raw: &RawValue) -> Option<i64> {
    /// Below this, every whole `f64` is an exact integer.
    const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;
    if let Ok(whole) = trimmed(raw).parse() {
        return Some(whole);
    }
    let number = as_number(raw).filter(|number| number.abs() < EXACT_INTEGERS)?;
    #[expect(clippy::cast_possible_truncation, reason = "below 2^53; a fraction is cut")]
    let whole = number as i64;
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(json: &str, read: impl Fn(&Members<'_>, &mut Rejected) -> T) -> (T, u64) {
        let mut rejected = Rejected::default();
        let value = read(&serde_json::from_str(json).unwrap(), &mut rejected);
        (value, rejected.0)
    }

    #[test]
    fn numbers_in_every_form() {
        for (json, expected) in [
            ("7", Some(7.0)),
            ("7.5", Some(7.5)),
            ("\"7.5\"", Some(7.5)),
            ("\" 7 \"", Some(7.0)),
            ("1e2", Some(100.0)),
            ("-1", None),
            ("null", None),
            ("true", None),
            ("\"NaN\"", None),
            ("1e999", None),
            ("101", None),
            ("[]", None),
        ] {
            let json = format!(r#"{{"x": {json}}}"#);
            let (value, rejected) = read(&json, |members, count| members.number("x", 100.0, count));
            assert_eq!((value, rejected), (expected, u64::from(expected.is_none())), "{json}");
        }
        assert_eq!(read("{}", |members, count| members.number("x", 1.0, count)), (None, 1));
        assert_eq!(
            read("{}", |members, count| members.optional_number("x", 1.0, count)),
            (None, 0)
        );
    }

    #[test]
    fn counters_in_every_form() {
        for (json, expected) in [
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("\"7\"", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("9223372036854775808", None),
            ("-1", None),
            ("\"x\"", None),
            ("{}", None),
        ] {
            let json = format!(r#"{{"x": {json}}}"#);
            let (value, _) = read(&json, |members, count| members.counter("x", count));
            assert_eq!(value, expected, "{json}");
        }
    }

    #[test]
    fn texts_lists_and_flags() {
        let texts = |json: &str| read(json, |members, count| members.texts("x", count));
        assert_eq!(texts(r#"{"x": ["a", 1, null, "\ud800"]}"#), (vec!["a".into(), "1".into()], 2));
        assert_eq!(texts(r#"{"x": "a"}"#), (vec![], 1));
        assert_eq!(texts(r#"{"x": null}"#), (vec![], 0));
        let flag = |json: &str| read(json, |members, count| members.optional_flag("x", count));
        assert_eq!(flag(r#"{"x": 0}"#), (Some(false), 0));
        assert_eq!(flag(r#"{"x": "true"}"#), (Some(true), 0));
        assert_eq!(flag(r#"{"x": 2}"#), (None, 1));
        assert_eq!(flag("{}"), (None, 0));
    }
}
