//! InfluxDB 3.x: databases, and one token with the rights that a test gives it.
//!
//! <https://docs.influxdata.com/influxdb3/core/write-data/http-api/v3-write-lp/>,
//! <https://docs.influxdata.com/influxdb3/core/write-data/http-api/compatibility-apis/>,
//! <https://docs.influxdata.com/influxdb3/core/write-data/troubleshoot/>,
//! <https://docs.influxdata.com/influxdb3/core/api/database/>.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Serves;
use super::line_protocol::Line;
use super::request::{Asked, Reply};
use super::store::Store;

/// An answer names this many refused lines at most.
const MOST_NAMED: usize = 100;

/// A database.
#[derive(Clone, Debug, Default)]
pub struct Database {
    /// How long it keeps points, as it was said; none for ever.
    pub retention: Option<String>,
    /// Its points.
    pub store: Store,
}

/// InfluxDB 3.x.
#[derive(Clone, Debug)]
pub struct Version3 {
    /// The token.
    pub token: String,
    /// Whether the token may make databases.
    pub is_admin: bool,
    /// What is answered to `/api/v3/…` by a server that does not know it.
    pub unknown_path: Option<u16>,
    /// The databases by name; a write makes one that is missing.
    pub databases: BTreeMap<String, Database>,
    /// Every request, as method and path.
    pub asked: Vec<String>,
}

impl Version3 {
    /// No database, and a token that may do everything.
    pub fn new(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            is_admin: true,
            unknown_path: None,
            databases: BTreeMap::new(),
            asked: Vec::new(),
        }
    }

    /// What a database stores; it is made when it is missing.
    pub fn store(&mut self, database: &str) -> &mut Store {
        &mut self.databases.entry(database.to_owned()).or_default().store
    }

    /// The path of its own.
    fn write(&mut self, asked: &Asked) -> Result<Reply, String> {
        let [database, precision, partial, no_sync] =
            asked.parameters(["db", "precision", "accept_partial", "no_sync"])?;
        // Others are documented, but would cost data: guessed times, lost good lines, an answer
        // before the lines are on disk.
        if (precision, partial, no_sync) != ("nanosecond", "true", "false") {
            return Err(format!("{:?}", asked.query));
        }
        self.write_to(database, asked, "Bearer")
    }

    /// The path of 2.x.
    fn write_as_2(&mut self, asked: &Asked) -> Result<Reply, String> {
        let [bucket, precision] = asked.parameters(["bucket", "precision"])?;
        if precision != "ns" {
            return Err(format!("the precision is {precision}"));
        }
        self.write_to(bucket, asked, "Token")
    }

    fn write_to(&mut self, database: &str, asked: &Asked, scheme: &str) -> Result<Reply, String> {
        let body = asked.lines()?;
        if asked.credentials(scheme)? != self.token {
            return Ok(unauthenticated());
        }
        if !database.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            let words = "db name did not start with a number or letter";
            return Ok(Reply::json(400, &json!({"error": words, "data": null})));
        }
        self.store(database).write(&body)
    }

    /// <https://docs.influxdata.com/influxdb3/core/admin/databases/list/>.
    fn list(&self, asked: &Asked) -> Result<Reply, String> {
        let [format] = asked.parameters(["format"])?;
        if format != "json" {
            return Err(format!("the format is {format}"));
        }
        let all = self.databases.keys().map(|name| json!({"iox::database": name}));
        Ok(Reply::json(200, &all.collect()))
    }

    fn create(&mut self, asked: &Asked) -> Result<Reply, String> {
        let body = asked.object(&["db", "retention_period"])?;
        let name = body["db"].as_str().ok_or("no db")?;
        let retention = match &body["retention_period"] {
            Value::Null => None,
            Value::String(period) if is_period(period) => Some(period.clone()),
            other => return Err(format!("{other} is no retention period")),
        };
        if asked.credentials("Bearer")? != self.token {
            return Ok(unauthenticated());
        }
        if !self.is_admin {
            let words = "requestor is forbidden from requested resource";
            return Ok(Reply::json(403, &json!({"error": words, "data": null})));
        }
        if self.databases.contains_key(name) {
            return Ok(Reply::text(409, "attempted to create a resource that already exists"));
        }
        let database = Database { retention, store: Store::default() };
        self.databases.insert(name.to_owned(), database);
        Ok(Reply::text(200, ""))
    }
}

impl Serves for Version3 {
    fn answer(&mut self, asked: &Asked) -> Result<Reply, String> {
        self.asked.push(format!("{} {}", asked.method, asked.path));
        if let (Some(status), true) = (self.unknown_path, asked.path.starts_with("/api/v3/")) {
            return Ok(Reply::text(status, "not found"));
        }
        let reply = match (&*asked.method, &*asked.path) {
            ("POST", "/api/v3/write_lp") => self.write(asked),
            ("POST", "/api/v2/write") => self.write_as_2(asked),
            ("POST", "/api/v3/configure/database") => self.create(asked),
            ("GET", "/ping" | "/api/v3/configure/database")
                if asked.credentials("Bearer")? != self.token =>
            {
                Ok(unauthenticated())
            }
            ("GET", "/ping") => {
                Ok(Reply::json(200, &json!({"version": "3.4.0", "revision": "0123abcd"})))
            }
            ("GET", "/api/v3/configure/database") => self.list(asked),
            _ => Err("a writer has no business there".to_owned()),
        };
        Ok(reply?.with("cluster-uuid", "01234567-89ab-cdef-0123-456789abcdef"))
    }
}

impl Store {
    fn write(&mut self, body: &str) -> Result<Reply, String> {
        let lines = self.read(body)?;
        if let Some(reply) = self.scripted(&lines) {
            return Ok(reply);
        }
        if body.len() > self.max_bytes {
            let words = format!("max request size ({} bytes) exceeded", self.max_bytes);
            return Ok(Reply::text(500, &words));
        }
        let mut refused = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            match self.refusal(line) {
                None => self.table.insert(line),
                Some(why) => refused.push(json!({
                    "original_line": line.text, "line_number": index + 1, "error_message": why,
                })),
            }
        }
        if refused.is_empty() {
            return Ok(Reply { status: 204, ..Reply::default() });
        }
        refused.truncate(MOST_NAMED);
        let body = json!({"error": "partial write of line protocol occurred", "data": refused});
        Ok(Reply::json(400, &body))
    }

    fn refusal(&self, line: &Line) -> Option<String> {
        if self.is_malformed(line) {
            return Some("Could not parse entire line. Found trailing content".to_owned());
        }
        if let Some(name) = self.table.ambiguous(line) {
            return Some(format!("'{name}' is a tag and a field"));
        }
        let conflict = self.table.conflict(line)?;
        Some(format!(
            "invalid column type for column '{}', expected iox::column_type::field::{}, got \
             iox::column_type::field::{}",
            conflict.field, conflict.was, conflict.is
        ))
    }
}

/// A number and a unit: <https://docs.influxdata.com/influxdb3/core/reference/internals/data-retention/>.
fn is_period(text: &str) -> bool {
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit());
    unit.len() < text.len() && matches!(unit, "h" | "d" | "w" | "mo" | "y")
}

fn unauthenticated() -> Reply {
    let words = "the request was not authenticated";
    Reply::json(401, &json!({"error": words, "data": null}))
}
