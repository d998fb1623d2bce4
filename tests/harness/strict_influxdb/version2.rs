//! InfluxDB 2.x: one organisation, its buckets, and one token with the rights that a test gives it.
//!
//! Requests: <https://docs.influxdata.com/influxdb/v2/api/write-data/>,
//! <https://docs.influxdata.com/influxdb/v2/api/buckets/>. Answers:
//! <https://docs.influxdata.com/influxdb/v2/write-data/troubleshoot/>.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::Serves;
use super::line_protocol::Line;
use super::request::{Asked, Reply};
use super::store::Store;

const ORG_ID: &str = "0a1b2c3d4e5f6a7b";
/// The shortest retention of a bucket.
const SHORTEST_RETENTION: u64 = 3600;

/// What is shown to somebody who looks for buckets and organisations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What there is.
    All,
    /// Nothing, in an answer that is no error.
    Nothing,
    /// An error with this status.
    Refused(u16),
}

/// A bucket.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Its description.
    pub description: String,
    /// How long it keeps points; none for ever.
    pub retention: Option<Duration>,
    /// Its points.
    pub store: Store,
}

/// InfluxDB 2.x.
#[derive(Clone, Debug)]
pub struct Version2 {
    /// The organisation.
    pub org: String,
    /// The token.
    pub token: String,
    /// Whether the token may write.
    pub may_write: bool,
    /// What the token may see.
    pub look: Look,
    /// Whether the token may make buckets.
    pub may_create: bool,
    /// The buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// The requests that were no writes.
    pub others: Vec<String>,
}

impl Version2 {
    /// An organisation without a bucket, and a token that may do everything.
    pub fn new(org: &str, token: &str) -> Self {
        Self {
            org: org.to_owned(),
            token: token.to_owned(),
            may_write: true,
            look: Look::All,
            may_create: true,
            buckets: BTreeMap::new(),
            others: Vec::new(),
        }
    }

    /// This and a bucket.
    #[must_use]
    pub fn with_bucket(mut self, name: &str, bucket: Bucket) -> Self {
        self.buckets.insert(name.to_owned(), bucket);
        self
    }

    /// What a bucket stores.
    pub fn store(&mut self, bucket: &str) -> &mut Store {
        &mut self.buckets.get_mut(bucket).expect("the bucket is there").store
    }

    fn write(&mut self, asked: &Asked) -> Result<Reply, String> {
        let [org, bucket, precision] = asked.parameters(["org", "bucket", "precision"])?;
        if precision != "ns" {
            return Err(format!("the precision is {precision}"));
        }
        let body = asked.lines()?;
        if let Some(refusal) = self.unauthorized(asked)? {
            return Ok(refusal);
        }
        if org != self.org {
            return Ok(error("not found", &format!("organization name \"{org}\" not found")));
        }
        let Some(found) = self.buckets.get_mut(bucket) else {
            return Ok(error("not found", &format!("bucket \"{bucket}\" not found")));
        };
        if !self.may_write {
            return Ok(error("forbidden", "insufficient permissions for write"));
        }
        if body.is_empty() {
            return Ok(error("invalid", "writing requires points"));
        }
        found.write(&body)
    }

    fn buckets(&self, asked: &Asked) -> Result<Reply, String> {
        if let Ok([_org]) = asked.parameters(["org"]) {
            let all: Vec<Value> = self.buckets.iter().map(|(name, one)| one.json(name)).collect();
            return Ok(self.look(&json!({"buckets": all}), &json!({"buckets": []})));
        }
        let [org, name] = asked.parameters(["org", "name"])?;
        if org != self.org {
            return Ok(error("not found", &format!("organization name \"{org}\" not found")));
        }
        let found = self.buckets.get_key_value(name).map(|(name, bucket)| bucket.json(name));
        Ok(self.look(&json!({"buckets": found.as_slice()}), &json!({"buckets": []})))
    }

    fn orgs(&self, asked: &Asked) -> Result<Reply, String> {
        let [org] = asked.parameters(["org"])?;
        if org != self.org && self.look == Look::All {
            return Ok(error("not found", &format!("organization name \"{org}\" not found")));
        }
        let all = json!({"orgs": [{"id": ORG_ID, "name": self.org}]});
        Ok(self.look(&all, &json!({"orgs": []})))
    }

    fn look(&self, all: &Value, nothing: &Value) -> Reply {
        match self.look {
            Look::All => Reply::json(200, all),
            Look::Nothing => Reply::json(200, nothing),
            Look::Refused(401) => error("unauthorized", "unauthorized access"),
            Look::Refused(403) => error("forbidden", "insufficient permissions"),
            Look::Refused(404) => error("not found", "not found"),
            Look::Refused(status) => Reply::text(status, "no"),
        }
    }

    fn create(&mut self, asked: &Asked) -> Result<Reply, String> {
        let body = asked.object(&["orgID", "name", "description", "retentionRules"])?;
        let name = body["name"].as_str().ok_or("no name")?;
        let rules = body["retentionRules"].as_array().ok_or("no retentionRules")?;
        let retention = match &rules[..] {
            [] => None,
            [rule] if rule["type"] == "expire" => {
                Some(rule["everySeconds"].as_u64().ok_or("no everySeconds")?)
            }
            other => return Err(format!("these are no rules: {other:?}")),
        };
        if body["orgID"] != ORG_ID {
            return Err(format!("no id of an organisation: {}", body["orgID"]));
        }
        if !self.may_create {
            return Ok(error("forbidden", "insufficient permissions"));
        }
        if retention.is_some_and(|seconds| seconds < SHORTEST_RETENTION) {
            return Ok(error("invalid", "expiration seconds must be at least one hour"));
        }
        if self.buckets.contains_key(name) {
            return Ok(Reply::json(
                422,
                &json!({"code": "conflict", "message": format!("bucket with name {name} already exists")}),
            ));
        }
        let bucket = Bucket {
            description: body["description"].as_str().unwrap_or_default().to_owned(),
            retention: retention.map(Duration::from_secs),
            store: Store::default(),
        };
        let made = bucket.json(name);
        self.buckets.insert(name.to_owned(), bucket);
        Ok(Reply::json(201, &made))
    }

    fn unauthorized(&self, asked: &Asked) -> Result<Option<Reply>, String> {
        let known = asked.credentials("Token")? == self.token;
        Ok((!known).then(|| error("unauthorized", "unauthorized access")))
    }
}

impl Serves for Version2 {
    fn answer(&mut self, asked: &Asked) -> Result<Reply, String> {
        if (&*asked.method, &*asked.path) == ("POST", "/api/v2/write") {
            return self.write(asked);
        }
        self.others.push(format!("{} {}", asked.method, asked.path));
        if (&*asked.method, &*asked.path) == ("GET", "/ping") {
            let version = Reply { status: 204, ..Reply::default() };
            return Ok(version.with("x-influxdb-version", "v2.7.1"));
        }
        if let Some(refusal) = self.unauthorized(asked)? {
            return Ok(refusal);
        }
        match (&*asked.method, &*asked.path) {
            ("GET", "/api/v2/buckets") => self.buckets(asked),
            ("POST", "/api/v2/buckets") => self.create(asked),
            ("GET", "/api/v2/orgs") => self.orgs(asked),
            // Only tokens that may read tokens are shown any.
            ("GET", "/api/v2/authorizations") => {
                Ok(Reply::json(200, &json!({"authorizations": []})))
            }
            _ => Err("a writer has no business there".to_owned()),
        }
    }
}

impl Bucket {
    fn json(&self, name: &str) -> Value {
        let rules: Vec<Value> = self
            .retention
            .iter()
            .map(|every| json!({"type": "expire", "everySeconds": every.as_secs()}))
            .collect();
        json!({"id": "1b2c3d4e5f6a7b8c", "orgID": ORG_ID, "type": "user", "name": name,
               "description": self.description, "retentionRules": rules})
    }

    fn write(&mut self, body: &str) -> Result<Reply, String> {
        let lines = self.store.read(body)?;
        if let Some(reply) = self.store.scripted(&lines) {
            return Ok(reply);
        }
        if body.len() > self.store.max_bytes {
            return Ok(Reply::json(
                413,
                &json!({"code": "request too large", "message": "cannot read data: points in batch is too large"}),
            ));
        }
        // The first malformed line is said, and nothing is stored.
        if let Some(line) = lines.iter().find(|line| self.store.is_malformed(line)) {
            let why = format!("unable to parse '{}': invalid field format", line.text);
            return Ok(error("invalid", &why));
        }
        let (kept, expired): (Vec<&Line>, Vec<&Line>) =
            lines.iter().partition(|line| !self.is_expired(line));
        let mut conflicts = Vec::new();
        for line in kept {
            match self.store.table.conflict(line) {
                None => self.store.table.insert(line),
                Some(conflict) => conflicts.push(conflict),
            }
        }
        let dropped = conflicts.len();
        if let Some(first) = conflicts.first() {
            return Ok(partial(&format!(
                "field type conflict: input field \"{}\" on measurement \"{}\" is type {}, already \
                 exists as type {} dropped={dropped}",
                first.field, first.measurement, first.is, first.was
            )));
        }
        let Some(oldest) = expired.first() else {
            return Ok(Reply { status: 204, ..Reply::default() });
        };
        let dropped = expired.len();
        let hours = self.retention.unwrap_or_default().as_secs() / SHORTEST_RETENTION;
        let violates = "dropped because it violates a Retention Policy Lower Bound at \
                        2026-11-21T08:15:30Z";
        Ok(partial(&format!(
            "dropped {dropped} points outside retention policy of duration {hours}h0m0s - oldest \
             point {0} at 1970-01-01T00:00:01Z {violates}, newest point {0} at \
             1970-01-01T00:00:02Z {violates} dropped={dropped} for database: 9f282d63c7d3a5c0 for \
             retention policy: autogen",
            oldest.measurement
        )))
    }

    fn is_expired(&self, line: &Line) -> bool {
        let Some(retention) = self.retention else {
            return false;
        };
        let bound = SystemTime::now() - retention;
        let bound = bound.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        line.timestamp.is_some_and(|time| u128::try_from(time).is_ok_and(|time| time < bound))
    }
}

fn partial(what: &str) -> Reply {
    let message = format!("failure writing points to database: partial write: {what}");
    error("unprocessable entity", &message)
}

/// An error of 2.x, with the status that its code has.
fn error(code: &'static str, message: &str) -> Reply {
    let status = match code {
        "invalid" => 400,
        "unauthorized" => 401,
        "forbidden" => 403,
        "not found" => 404,
        _ => 422,
    };
    Reply::json(status, &json!({"code": code, "message": message}))
        .with("x-platform-error-code", code)
        .with("x-influxdb-build", "OSS")
}
