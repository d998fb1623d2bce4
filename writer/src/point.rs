//! A point: measurement, tags, fields and timestamp, borrowed from the event it is made of.
//!
//! Between the mapping and the encoder. A point's identity (measurement, tags, timestamp) comes
//! from the event alone, so a redelivery overwrites and never doubles.

use std::borrow::Cow;

use shared::timestamp::Timestamp;

use crate::line_protocol::{EncodedTags, clean_name};

/// InfluxDB keeps the timestamp under this name and refuses a tag of the same one.
const RESERVED_TAG: &str = "time";

/// The value of a field, with its type in InfluxDB.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// A 64-bit float; left out when it is not finite.
    Float(f64),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer, which InfluxDB 1.x does not know.
    UInt(u64),
    /// A boolean.
    Bool(bool),
    /// A text; cut where it exceeds what InfluxDB takes.
    Text(Cow<'a, str>),
}

impl<'a> FieldValue<'a> {
    /// A text field.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }
}

/// Tags sorted by name, each name once, none empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Tags<'a> {
    /// No tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a tag, or takes it away when the value is empty.
    ///
    /// A tag called `time` is left out, since InfluxDB would refuse each of its points.
    pub fn set(&mut self, name: &'a str, value: &'a str) {
        let name = clean_name(name);
        if name.is_empty() || name == RESERVED_TAG {
            return;
        }
        match self.0.binary_search_by(|(known, _)| known.as_ref().cmp(&name)) {
            Ok(at) if value.is_empty() => drop(self.0.remove(at)),
            Ok(at) => {
                if let Some(tag) = self.0.get_mut(at) {
                    tag.1 = value;
                }
            }
            Err(_) if value.is_empty() => {}
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// These tags and one more.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.set(name, value);
        self
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// The tags as they stand in a line.
    pub fn encode(&self) -> EncodedTags {
        let mut encoded = EncodedTags::default();
        self.encode_into(&mut encoded);
        encoded
    }

    /// The tags as they stand in a line, in place of others.
    pub fn encode_into(&self, encoded: &mut EncodedTags) {
        encoded.set(self.iter());
    }
}

/// A point. One without a field is nothing to InfluxDB and is not written.
#[derive(Clone, Debug)]
pub struct Point<'a> {
    /// The measurement.
    pub measurement: &'a str,
    /// The tags, encoded once for all points that share them.
    pub tags: &'a EncodedTags,
    /// The fields with their names.
    pub fields: Vec<(&'static str, FieldValue<'a>)>,
    /// When it was observed.
    pub timestamp: Timestamp,
}

impl<'a> Point<'a> {
    /// A point without fields.
    pub fn new(measurement: &'a str, tags: &'a EncodedTags, timestamp: Timestamp) -> Self {
        Self { measurement, tags, fields: Vec::new(), timestamp }
    }

    /// This point and a field, where there is a value for it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<FieldValue<'a>>) -> Self {
        if let Some(value) = value {
            self.fields.push((name, value));
        }
        self
    }

    /// This point and a text field, where there is a text.
    #[must_use]
    pub fn with_text(self, name: &'static str, text: Option<&'a str>) -> Self {
        self.with(name, text.map(FieldValue::text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_sorted_unique_and_not_empty() {
        let tags = Tags::new()
            .with("host", "a")
            .with("zone", "z")
            .with("env", "dev")
            .with("host", "b")
            .with("time", "never")
            .with("", "never")
            .with("void", "")
            .with("zone", "");
        let found: Vec<_> = tags.iter().collect();
        assert_eq!(found, [("env", "dev"), ("host", "b")]);
    }

    #[test]
    fn names_that_become_the_same_are_one() {
        let tags = Tags::new().with("a\n", "1").with("a\\n", "2");
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("a\\n", "2")]);
    }
}
