//! Line protocol, read as its documentation describes it.
//!
//! <https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/> and, in the same words,
//! <https://docs.influxdata.com/influxdb3/core/reference/line-protocol/>. Two backslashes in a row
//! are one, a backslash before any other ordinary character is itself. One thing is read more
//! generously than described, as the servers do: a line feed within quotes belongs to the text.

use std::collections::BTreeMap;

/// Longest text of a field.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `1.5`
    Float(f64),
    /// `1i`
    Integer(i64),
    /// `1u`
    Unsigned(u64),
    /// `true`
    Boolean(bool),
    /// `"text"`
    Text(String),
}

impl Value {
    /// The type's name, as error messages have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Integer(_) => "integer",
            Self::Unsigned(_) => "unsigned",
            Self::Boolean(_) => "boolean",
            Self::Text(_) => "string",
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The measurement.
    pub measurement: String,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The fields.
    pub fields: BTreeMap<String, Value>,
    /// The timestamp, where there is one.
    pub timestamp: Option<i64>,
    /// The line as it stood there.
    pub text: String,
}

/// Splits a body into its lines and reads each.
pub fn parse(body: &str) -> Vec<Result<Line, String>> {
    split_lines(body).into_iter().filter(|line| !line.is_empty()).map(parse_line).collect()
}

/// Splits at line feeds; those within the quotes of a field's text belong to the line.
fn split_lines(body: &str) -> Vec<&str> {
    let (mut lines, mut start) = (Vec::new(), 0);
    let (mut in_fields, mut quoted, mut escaped) = (false, false, false);
    for (at, character) in body.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ' ' if !quoted => in_fields = true,
            '"' if in_fields => quoted = !quoted,
            '\n' if !quoted => {
                lines.push(body.get(start..at).unwrap_or_default());
                (start, in_fields) = (at + 1, false);
            }
            _ => {}
        }
    }
    lines.push(body.get(start..).unwrap_or_default());
    lines
}

/// Reads a line without its line feed.
pub fn parse_line(text: &str) -> Result<Line, String> {
    let fail = |why: &str| Err(format!("unable to parse '{text}': {why}"));
    let mut rest = Rest(text);
    let (measurement, mut end) = rest.name(&[',', ' ']);
    if measurement.is_empty() || measurement.starts_with(['_', '#']) {
        return fail("missing measurement, or one with a reserved name");
    }
    let mut tags = BTreeMap::new();
    let mut last = String::new();
    while end == Some(',') {
        let (name, equals) = rest.name(&[',', '=', ' ']);
        let (value, next) = rest.name(&[',', '=', ' ']);
        if equals != Some('=') || name.is_empty() || value.is_empty() || next == Some('=') {
            return fail("missing tag key or value");
        }
        if name.starts_with('_') || name == "time" {
            return fail("reserved tag key");
        }
        // Documented as the order that is fastest to write, and it shows a tag that comes twice.
        if name <= last {
            return fail("tags out of order, or a tag that comes twice");
        }
        last.clone_from(&name);
        tags.insert(name, value);
        end = next;
    }
    if end != Some(' ') {
        return fail("missing fields");
    }
    let mut fields = BTreeMap::new();
    loop {
        let (name, equals) = rest.name(&[',', '=', ' ']);
        if equals != Some('=') || name.is_empty() || name.starts_with('_') || name == "time" {
            return fail("missing field key, or a reserved one");
        }
        let (value, next) = match rest.value() {
            Ok(read) => read,
            Err(why) => return fail(why),
        };
        if fields.insert(name, value).is_some() {
            return fail("a field that comes twice");
        }
        end = next;
        if end != Some(',') {
            break;
        }
    }
    let timestamp = match (end, rest.0) {
        (None, _) => None,
        (_, digits) => match digits.parse() {
            Ok(timestamp) => Some(timestamp),
            Err(_) => return fail("bad timestamp"),
        },
    };
    Ok(Line { measurement, tags, fields, timestamp, text: text.to_owned() })
}

/// What is not read yet.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    /// Reads a name or tag value up to a separator, and gives that too.
    fn name(&mut self, separators: &[char]) -> (String, Option<char>) {
        let mut name = String::new();
        let mut characters = self.0.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => match characters.clone().next() {
                    Some(next) if next == '\\' || separators.contains(&next) => {
                        characters.next();
                        name.push(next);
                    }
                    _ => name.push('\\'),
                },
                // White space that is not escaped ends nothing that is documented.
                '\t' | '\r' | '\n' => return (name, Some(character)),
                character if separators.contains(&character) => {
                    self.0 = characters.as_str();
                    return (name, Some(character));
                }
                character => name.push(character),
            }
        }
        self.0 = "";
        (name, None)
    }

    /// Reads a field's value up to a separator, and gives that too.
    fn value(&mut self) -> Result<(Value, Option<char>), &'static str> {
        if let Some(quoted) = self.0.strip_prefix('"') {
            let (text, rest) = unquote(quoted).ok_or("unbalanced quotes")?;
            if text.len() > MAX_TEXT_BYTES {
                return Err("a text of more than 64 KB");
            }
            let end = rest.chars().next();
            if !matches!(end, None | Some(',' | ' ')) {
                return Err("text after the closing quote");
            }
            self.0 = rest.get(1..).unwrap_or_default();
            return Ok((Value::Text(text), end));
        }
        let length = self.0.find([',', ' ']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(length);
        let end = rest.chars().next();
        self.0 = rest.get(1..).unwrap_or_default();
        Ok((unquoted(word)?, end))
    }
}

/// The text up to the closing quote, and what follows it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some((text, characters.as_str())),
            '\\' => match characters.clone().next()? {
                next @ ('"' | '\\') => {
                    characters.next();
                    text.push(next);
                }
                _ => text.push('\\'),
            },
            character => text.push(character),
        }
    }
}

fn unquoted(word: &str) -> Result<Value, &'static str> {
    match word {
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(Value::Boolean(true)),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(Value::Boolean(false)),
        _ => {}
    }
    if let Some(digits) = word.strip_suffix('i') {
        return digits.parse().map(Value::Integer).map_err(|_| "invalid number");
    }
    if let Some(digits) = word.strip_suffix('u') {
        return digits.parse().map(Value::Unsigned).map_err(|_| "invalid number");
    }
    // Rust would read `NaN` and `inf` as well.
    if !word.chars().all(|character| matches!(character, '0'..='9' | '.' | '-' | '+' | 'e' | 'E')) {
        return Err("invalid number");
    }
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Float(number)),
        _ => Err("invalid number"),
    }
}
