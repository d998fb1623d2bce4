//! Points as InfluxDB's line protocol, written so that every line is accepted.
//!
//! Pure. What line protocol cannot hold is changed in a defined way: in names and tag values line
//! breaks and tabs become the texts `\n`, `\r`, `\t`, backslashes at the end are trimmed, and one
//! is added where an odd number of them stands before a comma, an equals sign or a space; a tag or
//! field without a value is left out. Field texts keep everything, line breaks included.
//! Rules: <https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/>.

use std::borrow::Cow;
use std::io::Write as _;

use crate::point::{FieldValue, Point};

/// The longest text that a field may hold, in bytes.
///
/// InfluxDB documents 64 KB: <https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/#data-types>.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Room for most tag sets.
const TAGS_BYTES: usize = 192;

/// Of each byte, whether it needs attention: separators, backslashes, line breaks and tabs.
type Special = [bool; 256];
/// In names of tags and fields, and in values of tags.
const IN_KEYS: Special = special(b",= ");
const IN_MEASUREMENTS: Special = special(b", ");

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would refuse")]
const fn special(separators: &[u8]) -> Special {
    let mut special = [false; 256];
    let mut place = 0;
    while place < separators.len() {
        special[separators[place] as usize] = true;
        place += 1;
    }
    special[b'\\' as usize] = true;
    special[b'\n' as usize] = true;
    special[b'\r' as usize] = true;
    special[b'\t' as usize] = true;
    special
}

/// A tag set as it stands in a line, with a comma before each tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedTags(Vec<u8>);

impl EncodedTags {
    /// Encodes names and values, in place of others.
    pub fn set<'t>(&mut self, tags: impl Iterator<Item = (&'t str, &'t str)>) {
        let encoded = &mut self.0;
        encoded.clear();
        encoded.reserve(TAGS_BYTES);
        for (name, value) in tags {
            let value = value.trim_end_matches('\\');
            if value.is_empty() {
                continue;
            }
            encoded.push(b',');
            push_escaped(encoded, name, &IN_KEYS);
            encoded.push(b'=');
            push_escaped(encoded, value, &IN_KEYS);
        }
    }
}

/// Lines, one after the other, ready to be the body of a request.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    body: Vec<u8>,
    /// Where each line ends, its line feed included.
    ends: Vec<usize>,
}

impl Lines {
    /// Adds a point, unless it has no field that can be written.
    pub fn push(&mut self, point: &Point<'_>) {
        let start = self.body.len();
        push_measurement(&mut self.body, point.measurement);
        self.body.extend_from_slice(&point.tags.0);
        let mut separator = b' ';
        for (name, value) in &point.fields {
            if matches!(value, FieldValue::Float(number) if !number.is_finite()) {
                continue;
            }
            self.body.push(separator);
            separator = b',';
            push_escaped(&mut self.body, name, &IN_KEYS);
            self.body.push(b'=');
            push_value(&mut self.body, value);
        }
        if separator == b' ' {
            self.body.truncate(start);
            return;
        }
        self.body.push(b' ');
        push_integer(&mut self.body, point.timestamp.nanos());
        self.body.push(b'\n');
        self.ends.push(self.body.len());
    }

    /// Adds lines after these.
    pub fn append(&mut self, others: &Self) {
        let offset = self.body.len();
        self.body.extend_from_slice(&others.body);
        self.ends.extend(others.ends.iter().map(|end| offset + end));
    }

    /// Adds one of other lines after these.
    pub fn copy(&mut self, others: &Self, index: usize) {
        self.body.extend_from_slice(others.line(index));
        self.ends.push(self.body.len());
    }

    /// Takes all lines away and keeps their space.
    pub fn clear(&mut self) {
        self.body.clear();
        self.ends.clear();
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All lines, each with its line feed.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// One line with its line feed.
    pub fn line(&self, index: usize) -> &[u8] {
        let start =
            index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.body.get(start..end).unwrap_or_default()
    }

    /// The lines as text, without the line feed at the end.
    pub fn text(&self) -> Cow<'_, str> {
        let body = self.body.strip_suffix(b"\n").unwrap_or(&self.body);
        String::from_utf8_lossy(body)
    }
}

/// The measurement of a line, as it stands there.
pub fn measurement_of(line: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = line
        .iter()
        .position(|byte| match byte {
            b',' | b' ' if !escaped => true,
            byte => {
                escaped = *byte == b'\\';
                false
            }
        })
        .unwrap_or(line.len());
    line.get(..end).unwrap_or(line)
}

/// The timestamp of a line, in nanoseconds.
pub fn timestamp_of(line: &[u8]) -> Option<i64> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let digits = line.rsplit(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A name as InfluxDB will know it: no line breaks, no tabs, no backslash at the end.
pub fn clean_name(name: &str) -> Cow<'_, str> {
    let name = name.trim_end_matches('\\');
    if !name.contains(['\n', '\r', '\t']) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"))
}

/// The longest beginning of a text that a field may hold.
pub fn fitting(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or(text)
}

fn push_measurement(body: &mut Vec<u8>, measurement: &str) {
    let measurement = measurement.trim_end_matches('\\');
    // A line that begins with `#` is a comment: answered with 204 and not stored.
    let measurement = match measurement.strip_prefix('#') {
        Some(rest) => {
            body.push(b'_');
            rest
        }
        None => measurement,
    };
    push_escaped(body, measurement, &IN_MEASUREMENTS);
}

/// Escapes with backslashes.
///
/// InfluxDB finds the parts of a line by the byte before a separator, but the ends of lines by
/// skipping pairs of a backslash and any byte. The two agree where the backslashes before a
/// separator are odd in number, so one is added to those that would not be.
fn push_escaped(body: &mut Vec<u8>, text: &str, special: &Special) {
    let mut rest = text.as_bytes();
    let mut backslashes = 0_usize;
    while let Some((plain, byte, after)) = split_at_special(rest, special) {
        if !plain.is_empty() {
            body.extend_from_slice(plain);
            backslashes = 0;
        }
        match byte {
            b'\\' => {
                body.push(byte);
                backslashes += 1;
            }
            b'\n' => body.extend_from_slice(b"\\n"),
            b'\r' => body.extend_from_slice(b"\\r"),
            b'\t' => body.extend_from_slice(b"\\t"),
            separator => {
                if backslashes % 2 == 1 {
                    body.push(b'\\');
                }
                body.extend_from_slice(&[b'\\', separator]);
            }
        }
        if byte != b'\\' {
            backslashes = 0;
        }
        rest = after;
    }
    body.extend_from_slice(rest);
}

/// What comes before the first special byte, that byte, and what comes after it.
fn split_at_special<'t>(text: &'t [u8], special: &Special) -> Option<(&'t [u8], u8, &'t [u8])> {
    let at = text
        .iter()
        .position(|byte| special.get(usize::from(*byte)).is_some_and(|special| *special))?;
    let (plain, rest) = text.split_at_checked(at)?;
    let (byte, after) = rest.split_first()?;
    Some((plain, *byte, after))
}

fn push_value(body: &mut Vec<u8>, value: &FieldValue<'_>) {
    match value {
        FieldValue::Float(number) => push_float(body, *number),
        FieldValue::Int(number) => {
            push_integer(body, *number);
            body.push(b'i');
        }
        FieldValue::UInt(number) => {
            push_integer(body, *number);
            body.push(b'u');
        }
        FieldValue::Bool(true) => body.extend_from_slice(b"true"),
        FieldValue::Bool(false) => body.extend_from_slice(b"false"),
        FieldValue::Text(text) => push_quoted(body, fitting(text)),
    }
}

fn push_quoted(body: &mut Vec<u8>, text: &str) {
    body.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((plain, after)) =
        memchr::memchr2(b'"', b'\\', rest).and_then(|at| rest.split_at_checked(at))
    {
        body.extend_from_slice(plain);
        body.push(b'\\');
        let Some((byte, after)) = after.split_first() else { break };
        body.push(*byte);
        rest = after;
    }
    body.extend_from_slice(rest);
    body.push(b'"');
}

/// Beyond everyday magnitudes a float is written with an exponent: its digits would be hundreds.
fn push_float(body: &mut Vec<u8>, number: f64) {
    // Writing to a Vec cannot fail.
    let _written = if number == 0.0 || (1e-5..1e16).contains(&number.abs()) {
        write!(body, "{number}")
    } else {
        write!(body, "{number:e}")
    };
}

fn push_integer(body: &mut Vec<u8>, number: impl itoa::Integer) {
    body.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests;
