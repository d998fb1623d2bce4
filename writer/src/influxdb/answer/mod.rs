//! What InfluxDB's answers to writes mean.
//!
//! Pure. 204 alone means stored. What 1.x answers was observed on 1.6.7; the texts of its limits
//! are in its source, `tsdb/shard.go` and `coordinator/points_writer.go`. What the others answer:
//! <https://docs.influxdata.com/influxdb/v2/write-data/troubleshoot/>,
//! <https://docs.influxdata.com/influxdb3/core/write-data/http-api/v3-write-lp/#partial-writes>,
//! <https://docs.influxdata.com/influxdb3/core/write-data/troubleshoot/>; the texts of 3.x that no
//! page has are in its source, `influxdb3_server/src/http.rs`.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use serde::Deserialize;
use serde_json::Value;
use shared::timestamp::Timestamp;

use crate::destination::{Answer, LineRefusal, Refusal, Trouble, TroubleKind};
use crate::reason::for_log;
use crate::schema::Version;

/// The limits on cardinality of 1.x: its words, and the setting in its configuration file.
const CARDINALITY_LIMITS: [(&str, &str); 2] = [
    ("max-series-per-database limit exceeded", "max-series-per-database"),
    ("max-values-per-tag limit exceeded", "max-values-per-tag"),
];
/// The limits of 3.x on databases, tables and columns, for which no line is to blame.
const CATALOG_LIMITS: [&str; 2] =
    ["Update to schema would exceed number of", "Adding a new database would exceed limit of"];
/// How 1.x, and newer 1.x and 2.x, say that points are too old.
const EXPIRED: [&str; 2] = ["points beyond retention policy", "outside retention policy"];
/// Points too far in the future are refused with almost the same words.
const TOO_NEW: &str = "Upper Bound";
/// How 3.x says that the lines it does not name are stored.
const PARTIAL: &str = "partial write";
/// 3.x names this many refused lines at most.
const MOST_NAMED: usize = 100;
/// How 3.x says that the database cannot be called so.
const BAD_NAMES: [&str; 3] = ["db name", "database name", "namespace name"];
/// 3.x says with a 500 that a request is too large.
const TOO_LARGE: &str = "max request size";
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
    /// `X-Influxdb-Version`.
    pub version: Option<String>,
    /// `Date`.
    pub date: Option<String>,
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
        400 | 422 => refused(version, address, response),
        401 | 403 => {
            Answer::Trouble(Trouble::misconfigured(format!("{}; check {}", says(), keys(version))))
        }
        404 => Answer::Missing(says()),
        413 => Answer::TooLarge(response.words()),
        500 if response.words().starts_with(TOO_LARGE) => Answer::TooLarge(response.words()),
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

fn refused(version: Version, address: &str, response: &Response) -> Answer {
    let words = response.words();
    if let Some(trouble) = limit(address, response) {
        return Answer::Trouble(trouble);
    }
    if version == Version::V3 && BAD_NAMES.iter().any(|name| words.contains(name)) {
        return Answer::Trouble(Trouble::misconfigured(format!(
            "{address} answers {}: {}; check `influxdbConfig.v3Config.database`",
            response.status,
            for_log(&words)
        )));
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
    let lines = body.line_refusals();
    Answer::Refused(Refusal {
        status: response.status,
        dropped: dropped(&words),
        expired: EXPIRED.iter().any(|text| words.contains(text)) && !words.contains(TOO_NEW),
        rest_stored: words.starts_with(PARTIAL) && lines.len() < MOST_NAMED,
        lines,
        reason: words,
    })
}

/// A limit that somebody must raise, or make room below, before anything is stored.
fn limit(address: &str, response: &Response) -> Option<Trouble> {
    let words = response.words();
    let (limit, remedy) = match CARDINALITY_LIMITS.iter().find(|(text, _)| words.contains(text)) {
        Some((_, setting)) => (
            words,
            format!(
                "raise `{setting}` in section [data] of InfluxDB's configuration file and restart \
                 it, or delete series"
            ),
        ),
        None => (
            response.catalog_limit()?,
            "delete databases or tables that nobody needs; InfluxDB 3 Enterprise can raise \
             `--num-database-limit`, `--num-table-limit` and \
             `--num-total-columns-per-table-limit`"
                .to_owned(),
        ),
    };
    Some(Trouble {
        kind: TroubleKind::Cardinality,
        why: format!("{address} has reached a limit: {}; {remedy}", for_log(&limit)),
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

/// The N of `dropped=N`: at the end in 1.x, before `for database: …` in 2.x.
fn dropped(words: &str) -> Option<usize> {
    let (_, after) = words.rsplit_once("dropped=")?;
    after.split_whitespace().next()?.parse().ok()
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
    /// The words of a limit of 3.x, which are the error itself or that of a line.
    fn catalog_limit(&self) -> Option<String> {
        let is_limit = |text: &String| CATALOG_LIMITS.iter().any(|limit| text.contains(limit));
        let lines = self.error_body()?.line_refusals();
        std::iter::once(self.words())
            .chain(lines.into_iter().map(|line| line.reason))
            .find(is_limit)
    }

    fn error_body(&self) -> Option<ErrorBody> {
        serde_json::from_slice(&self.body)
            .ok()
            .filter(|body: &ErrorBody| body.error.is_some() || body.message.is_some())
    }

    /// Whether the server may not know the path: 404 may also mean that there is no such database.
    pub(super) fn is_unknown_path(&self) -> bool {
        matches!(self.status, 404 | 405)
    }

    /// Whether it is refused who we are: perhaps somebody else since the last look.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self.status, 401 | 403)
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
