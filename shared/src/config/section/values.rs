//! The getters of single values: flags, texts, numbers, durations and sizes.

use std::ops::RangeInclusive;
use std::time::Duration;

use config::ValueKind;

use super::{Section, Shape};
use crate::config::nearest::nearest;
use crate::config::units::{DURATION_FORM, SIZE_FORM, duration, duration_text, size, size_text};

/// How the default of a key without a default is written.
const NOTHING: &str = "null";
/// The longest interval: Node.js, and so the predecessor, takes a longer one for one millisecond.
const LONGEST_INTERVAL_MS: f64 = 2_147_483_647.0;
/// The form of a text that is needed, for messages.
const TEXT_FORM: &str = "a text that is not empty";
/// How much of a wrong value is shown.
const SHOWN_LETTERS: usize = 60;

impl Section<'_> {
    /// A switch that must be written when its section is; `absent` holds when it is not.
    pub(in crate::config) fn switch(&self, key: &'static str, absent: bool) -> bool {
        let switch = self.optional_flag(key, &absent.to_string());
        match switch {
            Some(on) => on,
            None if self.is_present() => {
                if !self.is_given(key) {
                    self.problem(key, "is missing", Some("true or false"));
                }
                false
            }
            None => absent,
        }
    }

    /// A flag with a default.
    pub(in crate::config) fn flag(&self, key: &'static str, default: bool) -> bool {
        self.optional_flag(key, &default.to_string()).unwrap_or(default)
    }

    /// A text with a default.
    pub(in crate::config) fn text(&self, key: &'static str, default: &str) -> String {
        self.know(key, Shape::Scalar, Some(default.to_owned()));
        self.written_text(key).unwrap_or_else(|| default.to_owned())
    }

    /// A text with a default, of a certain form.
    pub(in crate::config) fn text_of(
        &self,
        key: &'static str,
        default: &str,
        is_right: impl Fn(&str) -> bool,
        allowed: &str,
    ) -> String {
        let text = self.text(key, default);
        if !is_right(&text) {
            self.problem(key, format!("{} is not allowed", shown(&text)), Some(allowed));
        }
        text
    }

    /// A text that must be written and not empty.
    pub(in crate::config) fn required_text(&self, key: &'static str) -> String {
        self.required_text_of(key, TEXT_FORM)
    }

    /// A text of some form that must be written and not empty; the form is not looked at here.
    pub(in crate::config) fn required_text_of(&self, key: &'static str, allowed: &str) -> String {
        self.know(key, Shape::Scalar, None);
        match self.written_text(key) {
            Some(text) if text.trim().is_empty() => {
                self.problem(key, "is empty", Some(allowed));
                text
            }
            Some(text) => text,
            // What is given but no text is recorded already.
            None if self.is_given(key) => String::new(),
            None => self.missing(key, allowed),
        }
    }

    /// A text that may be left out; an empty one is left out too.
    pub(in crate::config) fn optional_text(&self, key: &'static str) -> Option<String> {
        self.know(key, Shape::Scalar, Some(NOTHING.to_owned()));
        self.written_text(key).filter(|text| !text.is_empty())
    }

    /// One of several words.
    pub(in crate::config) fn one_of<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
        default: T,
        default_word: &str,
    ) -> T {
        let text = self.text(key, default_word);
        if let Some((_, chosen)) = words.iter().find(|(word, _)| *word == text.trim()) {
            return *chosen;
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let near = nearest(&text, names.iter().copied());
        let wrong = format!("{} is not allowed", shown(&text));
        self.problem_near(key, wrong, Some(&names.join(", ")), near);
        default
    }

    /// A whole number with a default.
    pub(in crate::config) fn number(
        &self,
        key: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> u32 {
        self.know(key, Shape::Scalar, Some(default.to_string()));
        self.whole_number(key, &range).unwrap_or(default)
    }

    /// A whole number that must be written.
    pub(in crate::config) fn required_number(
        &self,
        key: &'static str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        self.know(key, Shape::Scalar, None);
        if !self.is_given(key) {
            self.missing(key, &whole_number_form(&range));
        }
        self.whole_number(key, &range)
    }

    /// A port with a default.
    pub(in crate::config) fn port(&self, key: &'static str, default: u16) -> u16 {
        let port = self.number(key, u32::from(default), 1..=u32::from(u16::MAX));
        u16::try_from(port).unwrap_or(default)
    }

    /// An interval of the predecessor, in milliseconds.
    pub(in crate::config) fn milliseconds(&self, key: &'static str, default: u32) -> Duration {
        self.know(key, Shape::Scalar, Some(default.to_string()));
        self.written_milliseconds(key).unwrap_or_else(|| Duration::from_millis(u64::from(default)))
    }

    /// A duration of the predecessor that may be left out, in milliseconds.
    pub(in crate::config) fn optional_milliseconds(&self, key: &'static str) -> Option<Duration> {
        self.know(key, Shape::Scalar, None);
        self.written_milliseconds(key)
    }

    /// A duration with a default.
    pub(in crate::config) fn duration(
        &self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        self.optional_duration(key, default, range).unwrap_or(default)
    }

    /// A duration that is none when it is left out, so that something else can decide.
    pub(in crate::config) fn optional_duration(
        &self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.know(key, Shape::Scalar, Some(duration_text(default)));
        let text = self.united_text(key, DURATION_FORM)?;
        let found = duration(&text);
        if found.is_none() {
            self.problem(key, format!("{} is no duration", shown(&text)), Some(DURATION_FORM));
        } else if !found.is_some_and(|found| range.contains(&found)) {
            let (least, most) = (duration_text(*range.start()), duration_text(*range.end()));
            let allowed = format!("from {least} to {most}");
            self.problem(key, format!("{} is out of range", shown(&text)), Some(&allowed));
        }
        found
    }

    /// A size with a default.
    pub(in crate::config) fn size(&self, key: &'static str, default: u64, least: u64) -> u64 {
        self.know(key, Shape::Scalar, Some(size_text(default)));
        let Some(text) = self.united_text(key, SIZE_FORM) else {
            return default;
        };
        match size(&text) {
            None => self.problem(key, format!("{} is no size", shown(&text)), Some(SIZE_FORM)),
            Some(found) if found < least || i64::try_from(found).is_err() => {
                let allowed = format!("at least {}", size_text(least));
                self.problem(key, format!("{} is out of range", shown(&text)), Some(&allowed));
            }
            Some(found) => return found,
        }
        default
    }

    /// Records that a key is missing, and gives an empty text in its place.
    pub(in crate::config) fn missing(&self, key: &str, allowed: &str) -> String {
        self.problem(key, "is missing", Some(allowed));
        String::new()
    }

    /// The text of a key, when one is written. A number counts as the text it is written as.
    pub(super) fn written_text(&self, key: &str) -> Option<String> {
        match &self.value(key)?.kind {
            ValueKind::String(text) => Some(text.clone()),
            ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::Float(_) => self.number_text(key),
            kind => {
                self.problem(key, format!("is {}", kind_name(kind)), Some("a text"));
                None
            }
        }
    }

    /// A number as the text it is written as, with its zeros.
    pub(super) fn number_text(&self, key: &str) -> Option<String> {
        let raw = self.reader.places.raw(&self.path_of(key)).map(str::to_owned);
        raw.or_else(|| scalar_text(&self.value(key)?.kind))
    }

    fn optional_flag(&self, key: &'static str, default: &str) -> Option<bool> {
        self.know(key, Shape::Scalar, Some(default.to_owned()));
        let kind = &self.value(key)?.kind;
        let flag = match kind {
            ValueKind::Boolean(flag) => Some(*flag),
            ValueKind::String(text) if self.is_variable(key) => {
                text.trim().to_lowercase().parse().ok()
            }
            _ => None,
        };
        if flag.is_none() {
            self.problem(key, wrong_kind(kind), Some("true or false"));
        }
        flag
    }

    fn whole_number(&self, key: &str, range: &RangeInclusive<u32>) -> Option<u32> {
        let kind = &self.value(key)?.kind;
        let number = self.numeric(key, kind);
        let whole = number.filter(|number| number.fract() == 0.0);
        let (least, most) = (f64::from(*range.start()), f64::from(*range.end()));
        match whole {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a whole number within the range of u32"
            )]
            Some(whole) if (least..=most).contains(&whole) => Some(whole as u32),
            _ => {
                self.problem(key, wrong_kind(kind), Some(&whole_number_form(range)));
                None
            }
        }
    }

    fn written_milliseconds(&self, key: &str) -> Option<Duration> {
        let kind = &self.value(key)?.kind;
        match self.numeric(key, kind) {
            Some(millis) if millis > 0.0 && millis <= LONGEST_INTERVAL_MS => {
                Some(Duration::from_secs_f64(millis / 1_000.0)).filter(|found| !found.is_zero())
            }
            _ => None,
        }
        .or_else(|| {
            let allowed = format!("milliseconds above 0 and up to {LONGEST_INTERVAL_MS}");
            self.problem(key, wrong_kind(kind), Some(&allowed));
            None
        })
    }

    /// A number, read from text when it comes from a variable.
    fn numeric(&self, key: &str, kind: &ValueKind) -> Option<f64> {
        match kind {
            #[expect(clippy::cast_precision_loss, reason = "no number here is that large")]
            ValueKind::I64(number) => Some(*number as f64),
            ValueKind::Float(number) => Some(*number),
            ValueKind::String(text) if self.is_variable(key) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The text of a duration or a size, which needs its unit.
    fn united_text(&self, key: &str, form: &str) -> Option<String> {
        match &self.value(key)?.kind {
            ValueKind::String(text) => Some(text.clone()),
            kind => {
                self.problem(key, wrong_kind(kind), Some(form));
                None
            }
        }
    }
}

/// The form of a whole number, for messages.
fn whole_number_form(range: &RangeInclusive<u32>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

/// A number or a flag as text.
pub(super) fn scalar_text(kind: &ValueKind) -> Option<String> {
    match kind {
        ValueKind::String(text) => Some(text.clone()),
        ValueKind::Boolean(flag) => Some(flag.to_string()),
        ValueKind::I64(number) => Some(number.to_string()),
        ValueKind::U64(number) => Some(number.to_string()),
        ValueKind::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What is wrong with a value of another kind.
fn wrong_kind(kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(text) => format!("{} is not allowed", shown(text)),
        kind => match scalar_text(kind) {
            Some(text) => format!("{text} is not allowed"),
            None => format!("is {}", kind_name(kind)),
        },
    }
}

/// The kind of a value, in words.
pub(super) fn kind_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "empty",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::String(_) => "a text",
        ValueKind::Table(_) => "a section",
        ValueKind::Array(_) => "a list",
        _ => "a number",
    }
}

/// A wrong value in quotes, cut when it is long.
pub(super) fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(SHOWN_LETTERS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}
