//! Numbers as the engine writes them: whole ones without a decimal point.

use serde::{Deserialize, Deserializer, Serializer};

/// Below this, every whole `f64` is an exact integer.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::ref_option, reason = "serde's `serialize_with` passes a reference to the field")]
pub(super) fn serialize<S: Serializer>(
    value: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match *value {
        None => serializer.serialize_none(),
        Some(number) if number.fract() == 0.0 && number.abs() < EXACT_INTEGERS => {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            let whole = number as i64;
            serializer.serialize_i64(whole)
        }
        Some(number) => serializer.serialize_f64(number),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    Option::deserialize(deserializer)
}
