//! Numbers as engines write them: mostly whole, sometimes not, and in old or bad data anything.

use serde::{Serialize, Serializer};

use crate::{Oddities, Oddity};

/// A number of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Fraction(f64),
    Text(String),
    Null,
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Number::Whole(value) => serializer.serialize_i64(*value),
            Number::Fraction(value) => serializer.serialize_f64(*value),
            Number::Text(value) => serializer.serialize_str(value),
            Number::Null => serializer.serialize_unit(),
        }
    }
}

/// Members that the oddities of negative numbers and of null strike; the others stay readable.
const STRUCK: [&str; 4] = ["mem.free", "cpu.total", "session.active", "cache.replaced"];

/// How a server writes its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form(pub(super) Oddities);

impl Form {
    pub(super) fn whole(self, member: &str, value: i64) -> Number {
        if self.0.has(Oddity::FloatNumbers) {
            return self.odd(member, Number::Fraction(value as f64));
        }
        self.odd(member, Number::Whole(value))
    }

    /// A fractional number; engines print whole ones without `.0`.
    pub(super) fn fraction(self, member: &str, value: f64) -> Number {
        let whole = value.fract() == 0.0 && !self.0.has(Oddity::FloatNumbers);
        if whole || self.0.has(Oddity::IntegerNumbers) {
            #[expect(clippy::cast_possible_truncation, reason = "megabytes of one machine")]
            return self.odd(member, Number::Whole(value as i64));
        }
        self.odd(member, Number::Fraction(value))
    }

    fn odd(self, member: &str, number: Number) -> Number {
        let struck = STRUCK.contains(&member);
        if struck && self.0.has(Oddity::NullNumbers) {
            return Number::Null;
        }
        let number = match number {
            Number::Whole(value) if struck && self.0.has(Oddity::NegativeNumbers) => {
                Number::Whole(-1 - value.abs())
            }
            Number::Fraction(value) if struck && self.0.has(Oddity::NegativeNumbers) => {
                Number::Fraction(-1.0 - value.abs())
            }
            number => number,
        };
        match number {
            Number::Whole(value) if self.0.has(Oddity::TextNumbers) => {
                Number::Text(value.to_string())
            }
            Number::Fraction(value) if self.0.has(Oddity::TextNumbers) => {
                Number::Text(value.to_string())
            }
            number => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(oddities: &[Oddity], number: impl Fn(Form) -> Number) -> String {
        let oddities = oddities.iter().fold(Oddities::default(), |all, oddity| all.with(*oddity));
        serde_json::to_string(&number(Form(oddities))).unwrap()
    }

    #[test]
    fn numbers_take_every_form() {
        let whole = |form: Form| form.whole("cpu.total", 7);
        let fraction = |form: Form| form.fraction("mem.free", 7.5);
        assert_eq!(written(&[], whole), "7");
        assert_eq!(written(&[], fraction), "7.5");
        assert_eq!(written(&[], |form| form.fraction("mem.free", 7.0)), "7");
        assert_eq!(written(&[Oddity::FloatNumbers], whole), "7.0");
        assert_eq!(written(&[Oddity::IntegerNumbers], fraction), "7");
        assert_eq!(written(&[Oddity::TextNumbers], fraction), "\"7.5\"");
        assert_eq!(written(&[Oddity::NegativeNumbers], whole), "-8");
        assert_eq!(written(&[Oddity::NullNumbers], fraction), "null");
        assert_eq!(written(&[Oddity::NullNumbers], |form| form.whole("apps.calls", 7)), "7");
        assert_eq!(written(&[Oddity::NegativeNumbers, Oddity::TextNumbers], whole), "\"-8\"");
    }
}
