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

/// Reads the number that was written, to its last bit: `float_roundtrip` of `serde_json` sees to it.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    Option::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::event::Cpu;

    fn read_back(total: f64) -> Option<f64> {
        let text = serde_json::to_string(&Cpu { total: Some(total) }).unwrap();
        serde_json::from_str::<Cpu>(&text).unwrap().total
    }

    #[test]
    fn a_number_comes_back_to_its_last_bit() {
        for number in [7.874_555_555_555_556e71, 0.1 + 0.2, 5e-324, f64::MAX] {
            assert_eq!(read_back(number), Some(number));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let read = |text: &str| serde_json::from_str::<Cpu>(&format!("{{\"total\":{text}}}"));
        for text in ["1e400", "-1e400", "\"7\"", "true", "[]", "{}"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("null").unwrap().total, None);
        assert_eq!(read(" 7 ").unwrap().total, Some(7.0));
        assert_eq!(serde_json::from_value::<Cpu>(json!({"total": 0.5})).unwrap().total, Some(0.5));
    }

    proptest! {
        #[test]
        fn any_number_comes_back(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            // Zero has no sign on the wire.
            prop_assert_eq!(read_back(number), Some(number));
        }
    }
}
