//! Points as InfluxDB keeps them: one for each measurement, tag set and timestamp, with field types.

use std::collections::{BTreeMap, BTreeSet};

use super::line_protocol::{Line, Value};

/// What makes a point itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The measurement.
    pub measurement: String,
    /// When it was observed, in nanoseconds.
    pub timestamp: i64,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// A field that is there with another type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The measurement.
    pub measurement: String,
    /// The field.
    pub field: String,
    /// The type in the line.
    pub is: &'static str,
    /// The type of the field in the table.
    pub was: &'static str,
}

/// A database or bucket.
#[derive(Clone, Debug, Default)]
pub struct Table {
    points: BTreeMap<Identity, BTreeMap<String, Value>>,
    types: BTreeMap<(String, String), &'static str>,
    tags: BTreeSet<(String, String)>,
}

impl Table {
    /// What about a line contradicts the types that are there.
    pub fn conflict(&self, line: &Line) -> Option<Conflict> {
        line.fields.iter().find_map(|(field, value)| {
            let was = *self.types.get(&(line.measurement.clone(), field.clone()))?;
            let is = value.kind();
            let conflict = || Conflict {
                measurement: line.measurement.clone(),
                field: field.clone(),
                is,
                was,
            };
            (is != was).then(conflict)
        })
    }

    /// A name that a line would make both a tag and a field, which 3.x does not take.
    pub fn ambiguous(&self, line: &Line) -> Option<String> {
        let key = |name: &String| (line.measurement.clone(), name.clone());
        let is_tag =
            |name: &&String| line.tags.contains_key(*name) || self.tags.contains(&key(name));
        let is_field =
            |name: &&String| line.fields.contains_key(*name) || self.types.contains_key(&key(name));
        line.fields.keys().find(is_tag).or_else(|| line.tags.keys().find(is_field)).cloned()
    }

    /// Stores a line; it must contradict nothing.
    pub fn insert(&mut self, line: &Line) {
        let (measurement, tags) = (line.measurement.clone(), line.tags.clone());
        self.tags.extend(tags.keys().map(|tag| (measurement.clone(), tag.clone())));
        for (field, value) in &line.fields {
            self.types.insert((measurement.clone(), field.clone()), value.kind());
        }
        let timestamp = line.timestamp.expect("a write has timestamps");
        let identity = Identity { measurement, timestamp, tags };
        self.points.entry(identity).or_default().extend(line.fields.clone());
    }

    /// The points of a measurement.
    pub fn points<'t>(
        &'t self,
        measurement: &'t str,
    ) -> impl Iterator<Item = (&'t Identity, &'t BTreeMap<String, Value>)> {
        self.points.iter().filter(move |(identity, _)| identity.measurement == measurement)
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The type of each field, as `measurement.field type`.
    pub fn types(&self) -> Vec<String> {
        let line = |((measurement, field), kind): (&(String, String), &&str)| {
            format!("{measurement}.{field} {kind}")
        };
        self.types.iter().map(line).collect()
    }
}
