//! What differs between the versions of InfluxDB in what is stored, and what the operator chose.
//!
//! The types are those of the predecessor, version by version: a database that it filled refuses
//! a field of another type. A field that is new has the same type everywhere.

use shared::config::{self, IncludeFields};

use crate::point::FieldValue;

/// The versions of InfluxDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// InfluxDB 1.x.
    V1,
    /// InfluxDB 2.x.
    V2,
    /// InfluxDB 3.x.
    V3,
}

impl From<&config::Version> for Version {
    fn from(version: &config::Version) -> Self {
        match version {
            config::Version::V1 { .. } => Self::V1,
            config::Version::V2 { .. } => Self::V2,
            config::Version::V3 { .. } => Self::V3,
        }
    }
}

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberType {
    /// As a float.
    Float,
    /// As a signed integer, rounded down.
    Int,
    /// As a signed integer, left out when negative.
    Natural,
    /// As an unsigned integer, left out when negative.
    UInt,
}

use NumberType::{Float, Int, Natural, UInt};

/// The type of a number in InfluxDB 1.x, 2.x and 3.x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberTypes(NumberType, NumberType, NumberType);

/// `mem`: every field.
pub const MEMORY: NumberTypes = NumberTypes(Int, Float, Float);
/// `cpu`: `total`.
pub const CPU: NumberTypes = NumberTypes(Int, Float, Int);
/// `apps`: `calls`, `selections`; `cache`: `hits`, `lookups`; `session`, `users`: every field;
/// `session_count`.
pub const COUNT: NumberTypes = NumberTypes(Int, UInt, Natural);
/// The numbers of failed polls: the predecessor has no schema for them in 1.x.
pub const ERROR_NUMBER: NumberTypes = NumberTypes(Float, Int, Int);
/// Integers that are alike in every version: `*_docs_count`, `cache`: `added`, `replaced`,
/// `bytes_added`, `excluded_session_count`, everything in `footman_*`.
pub const INTEGER: NumberTypes = NumberTypes(Int, Int, Int);
/// Floats that are alike in every version: `butlersos_memory_usage`, `footman_heartbeat`.
pub const FLOAT: NumberTypes = NumberTypes(Float, Float, Float);

/// The largest magnitude up to which a float is surely within the integers: 2^63.
const INTEGERS_END: f64 = 9_223_372_036_854_775_808.0;

/// What is stored, and how.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The version that stores it.
    pub version: Version,
    /// Which lists of apps are stored.
    pub include_fields: IncludeFields,
    /// Whether the names of apps are stored beside their ids.
    pub app_names_enabled: bool,
    /// The measurement of failed polls; none when they are not stored.
    pub failed_polls: Option<String>,
    /// The `butler_sos_instance` of memory points; none when they are not stored.
    pub memory_usage_instance: Option<String>,
    /// Whether each session is a point of its own.
    pub session_details: bool,
}

impl Schema {
    /// The schema that the configuration asks for.
    ///
    /// Lines for a file have the types of 1.x, which every version can read.
    pub fn new(config: &config::Writer) -> Self {
        Self {
            version: config
                .influxdb
                .as_ref()
                .map_or(Version::V1, |influxdb| Version::from(&influxdb.version)),
            include_fields: config.include_fields,
            app_names_enabled: config.app_names_enabled,
            failed_polls: config.failed_polls.clone(),
            memory_usage_instance: config.memory_usage_instance.clone(),
            session_details: config.session_details,
        }
    }

    fn number_type(&self, types: NumberTypes) -> NumberType {
        match self.version {
            Version::V1 => types.0,
            Version::V2 => types.1,
            Version::V3 => types.2,
        }
    }

    /// An integer as this version stores it; none when there is none or it does not fit.
    pub fn integer(&self, types: NumberTypes, value: Option<i64>) -> Option<FieldValue<'static>> {
        let value = value?;
        match self.number_type(types) {
            Float => Some(FieldValue::Float(value as f64)),
            Natural if value < 0 => None,
            Int | Natural => Some(FieldValue::Int(value)),
            UInt => u64::try_from(value).ok().map(FieldValue::UInt),
        }
    }

    /// A natural number as this version stores it; none when there is none or it does not fit.
    pub fn natural(&self, types: NumberTypes, value: Option<u64>) -> Option<FieldValue<'static>> {
        self.integer(types, i64::try_from(value?).ok())
    }

    /// A float as this version stores it; none when there is none or it does not fit.
    pub fn float(&self, types: NumberTypes, value: Option<f64>) -> Option<FieldValue<'static>> {
        let value = value.filter(|value| value.is_finite())?;
        if self.number_type(types) == Float {
            return Some(FieldValue::Float(value));
        }
        let floor = value.floor();
        if !(-INTEGERS_END..INTEGERS_END).contains(&floor) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and within the integers")]
        let whole = floor as i64;
        self.integer(types, Some(whole))
    }
}
