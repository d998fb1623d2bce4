//! Requests as they came, the checks that every one of them must pass, and replies.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde_json::Value;

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Its parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Its headers; names are in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides those of the version.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A status and a text.
    pub fn text(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), ..Self::default() }
    }

    /// A status and JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string()).with("content-type", "application/json")
    }

    /// This reply and a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Asked {
    /// The parameters by name, when they are exactly those of `names`, each once.
    pub fn parameters<const N: usize>(&self, names: [&str; N]) -> Result<[&str; N], String> {
        for (name, _) in &self.query {
            if !names.contains(&&**name) {
                return Err(format!("the parameter {name} is not documented here"));
            }
        }
        let mut values = [""; N];
        for (value, name) in values.iter_mut().zip(names) {
            let mut found = self.query.iter().filter(|(known, _)| known == name);
            match (found.next(), found.next()) {
                (Some((_, only)), None) => *value = only,
                (None, _) => return Err(format!("the parameter {name} is missing")),
                _ => return Err(format!("the parameter {name} comes twice")),
            }
        }
        Ok(values)
    }

    /// The credentials, when the `Authorization` header has this scheme.
    pub fn credentials(&self, scheme: &str) -> Result<&str, String> {
        let header = self.headers.get("authorization").ok_or("no Authorization header")?;
        let credentials = header.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(' '));
        credentials.ok_or_else(|| format!("Authorization has not the scheme {scheme}"))
    }

    /// The lines of a write, which must be compressed and say what they are.
    pub fn lines(&self) -> Result<String, String> {
        self.has_header("content-type", "text/plain; charset=utf-8")?;
        self.has_header("content-encoding", "gzip")?;
        let length = self.headers.get("content-length").ok_or("no Content-Length")?;
        if *length != self.body.len().to_string() {
            return Err(format!("Content-Length is {length}, not {}", self.body.len()));
        }
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(&self.body[..]);
        decoder.read_to_string(&mut text).map_err(|error| format!("no gzip of UTF-8: {error}"))?;
        // Nothing at all is what a look sends, to be told whether it might write.
        if !text.is_empty() && !text.ends_with('\n') {
            return Err("the last line has no line feed".to_owned());
        }
        Ok(text)
    }

    /// The JSON object of a request, with no other members than these.
    pub fn object(&self, members: &[&str]) -> Result<Value, String> {
        self.has_header("content-type", "application/json")?;
        let value: Value =
            serde_json::from_slice(&self.body).map_err(|error| format!("no JSON: {error}"))?;
        let object = value.as_object().ok_or("no JSON object")?;
        for name in object.keys() {
            if !members.contains(&&**name) {
                return Err(format!("the member {name} is not documented here"));
            }
        }
        Ok(value)
    }

    fn has_header(&self, name: &str, expected: &str) -> Result<(), String> {
        match self.headers.get(name) {
            Some(found) if found == expected => Ok(()),
            found => Err(format!("{name} is {found:?}, not {expected:?}")),
        }
    }
}
