//! What InfluxDB's answers to writes mean.
//!
//! Pure. 204 alone means stored. What 1.x answers was observed on 1.6.7; the texts of its limits
//! are in its source, `tsdb/shard.go` and `coordinator/points_writer.go`.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use serde::Deserialize;
use serde_json::Value;
use shared::timestamp::Timestamp;

use crate::destination::{Answer, LineRefusal, Refusal, Trouble, TroubleKind};
use crate::letter::for_log;
use crate::schema::Version;

/// The limits on cardinality of 1.x: its words, and the setting in its configuration file.
const CARDINALITY_LIMITS: [(&str, &str); 2] = [
    ("max-series-per-database limit exceeded", "max-series-per-database"),
    ("max-values-per-tag limit exceeded", "max-values-per-tag"),
];
const EXPIRED: &str = "points beyond retention policy";
/// Longest part of an unknown answer that is shown.
const MAX_SHOWN: usize = 200;

/// An answer, read to its end.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `X-Influxdb-Error`.
    pub error: Option<String>,
    /// Whether a header shows that InfluxDB itself answers, not something before it.
    pub by_influxdb: bool,
    /// The body.
    pub body: Vec<u8>,
}

/// The body of an error in each version.
#[derive(Debug, Deserialize)]
struct ErrorBody {
    /// 1.x and 3.x.
    error: Option<String>,
    /// 2.x.
    message: Option<String>,
    /// 3.x: the lines refused.
    data: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct LineError {
    line_number: usize,
    #[serde(default)]
    error_message: String,
}

/// Says what became of the lines of a write to `address`.
pub fn answer(version: Version, address: &str, response: &Response, now: Timestamp) -> Answer {
    let status = response.status;
    let says = || format!("{address} answers {status}: {}", for_log(&response.words()));
    match status {
        204 => Answer::Stored,
        400 | 422 => refused(address, response),
        401 | 403 => {
            Answer::Trouble(Trouble::misconfigured(format!("{}; check {}", says(), keys(version))))
        }
        404 => Answer::Missing(says()),
        413 => Answer::TooLarge(response.words()),
        408 | 429 | 500.. => Answer::Trouble(Trouble {
            kind: TroubleKind::Unavailable { retry_after: response.retry_after(now) },
            why: says(),
        }),
        _ => Answer::Trouble(Trouble::misconfigured(format!(
            "{}; 204 is expected: is that address an InfluxDB of the version configured?",
            says()
        ))),
    }
}

fn refused(address: &str, response: &Response) -> Answer {
    let words = response.words();
    for (limit, setting) in CARDINALITY_LIMITS {
        if words.contains(limit) {
            return Answer::Trouble(Trouble {
                kind: TroubleKind::Cardinality,
                why: format!(
                    "{address} has reached a limit: {}; raise `{setting}` in section [data] of \
                     InfluxDB's configuration file and restart it, or delete series",
                    for_log(&words)
                ),
            });
        }
    }
    let Some(body) = response.error_body().or_else(|| response.by_influxdb.then(ErrorBody::empty))
    else {
        // A proxy that dislikes the request must not cost the data.
        return Answer::Trouble(Trouble::misconfigured(format!(
            "{address} answers {}, but not in InfluxDB's form: {}",
            response.status,
            for_log(&words)
        )));
    };
    Answer::Refused(Refusal {
        status: response.status,
        dropped: dropped(&words),
        expired: words.contains(EXPIRED),
        lines: body.line_refusals(),
        reason: words,
    })
}

/// The keys of the configuration that authenticate.
fn keys(version: Version) -> &'static str {
    match version {
        Version::V1 => "`influxdbConfig.v1Config.auth` and the user's rights",
        Version::V2 => "`influxdbConfig.v2Config.token` and its rights",
        Version::V3 => "`influxdbConfig.v3Config.token` and its rights",
    }
}

/// The N of `dropped=N`, which stands at the end.
fn dropped(words: &str) -> Option<usize> {
    words.rsplit_once("dropped=")?.1.trim().parse().ok()
}

impl ErrorBody {
    fn empty() -> Self {
        Self { error: None, message: None, data: None }
    }

    fn line_refusals(self) -> Vec<LineRefusal> {
        let entries = match self.data {
            Some(Value::Array(entries)) => entries,
            Some(entry @ Value::Object(_)) => vec![entry],
            _ => Vec::new(),
        };
        entries
            .into_iter()
            .filter_map(|entry| serde_json::from_value::<LineError>(entry).ok())
            .map(|line| LineRefusal { number: line.line_number, reason: line.error_message })
            .collect()
    }
}

impl Response {
    fn error_body(&self) -> Option<ErrorBody> {
        serde_json::from_slice(&self.body)
            .ok()
            .filter(|body: &ErrorBody| body.error.is_some() || body.message.is_some())
    }

    /// InfluxDB's words, or the beginning of whatever the body is.
    pub(super) fn words(&self) -> String {
        let body = self.error_body();
        if let Some(words) = body.and_then(|body| body.error.or(body.message)) {
            return words;
        }
        if let Some(words) = &self.error {
            return words.clone();
        }
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        if text.is_empty() {
            return "an empty answer".to_owned();
        }
        text.get(..text.floor_char_boundary(MAX_SHOWN)).unwrap_or_default().to_owned()
    }

    /// `Retry-After`: seconds, or a date.
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = DateTimeParser::new().parse_timestamp(text).ok()?;
        let date = Timestamp::from_nanos(i64::try_from(date.as_nanosecond()).ok()?);
        Some(date.since(now))
    }
}

#[cfg(test)]
mod tests;
