//! The bucket of InfluxDB 2.x, with its retention as a real expiry rule.
//!
//! <https://docs.influxdata.com/influxdb/v2/api/buckets/>: a bucket with no rule keeps everything.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::config::Retention;

use super::{hides, refused, shell_quoted};
use crate::destination::{Prepared, Trouble};
use crate::influxdb::{InfluxDb, Response};

/// Somebody else made the bucket in the meantime.
const EXISTS: &str = "already exists";

/// A bucket and what it is made with.
#[derive(Debug)]
pub(super) struct Bucket<'a> {
    pub(super) org: &'a str,
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) retention: &'a Retention,
}

#[derive(Debug, Deserialize)]
struct Buckets {
    #[serde(default)]
    buckets: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Orgs {
    #[serde(default)]
    orgs: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    id: String,
    name: String,
}

impl Bucket<'_> {
    /// Makes sure that the bucket exists; one that does keeps its rules.
    ///
    /// A token that may only write sees no bucket and no organisation, in one of several forms
    /// (401, 403, 404, an empty list): that says nothing about the bucket.
    pub(super) async fn create(&self, influxdb: &InfluxDb) -> Result<Prepared, Trouble> {
        let (request, client) = (influxdb.request(), influxdb.client());
        let search = [("org", self.org), ("name", self.name)];
        let known = influxdb.exchange(request.get(client, "api/v2/buckets", &search)).await?;
        match known.status {
            200 => {
                let found: Buckets = serde_json::from_slice(&known.body)
                    .map_err(|_| self.refused(influxdb, &known))?;
                if found.buckets.iter().any(|bucket| bucket.name == self.name) {
                    return Ok(Prepared::Ready);
                }
            }
            status if hides(status) => {}
            _ => return Err(self.refused(influxdb, &known)),
        }
        let orgs = request.get(client, "api/v2/orgs", &[("org", self.org)]);
        let orgs = influxdb.exchange(orgs).await?;
        if orgs.status != 200 && !hides(orgs.status) {
            return Err(self.refused(influxdb, &orgs));
        }
        let found: Option<Orgs> = serde_json::from_slice(&orgs.body).ok();
        let org = found.and_then(|found| found.orgs.into_iter().find(|org| org.name == self.org));
        let Some(org) = org else {
            return Ok(Prepared::Unseen(self.unseen(influxdb)));
        };
        let body = self.body(&org.id);
        let made = influxdb.exchange(request.post(client, "api/v2/buckets", &body)).await?;
        match made.status {
            201 => {
                tracing::info!("{}: made the bucket {:?}", influxdb.address(), self.name);
                Ok(Prepared::Ready)
            }
            422 if made.words().contains(EXISTS) => Ok(Prepared::Ready),
            status if hides(status) => Ok(Prepared::Unseen(self.refused(influxdb, &made))),
            _ => Err(self.refused(influxdb, &made)),
        }
    }

    fn body(&self, org_id: &str) -> Value {
        let rules: Vec<Value> = self
            .retention
            .duration
            .iter()
            .map(|duration| json!({"type": "expire", "everySeconds": duration.as_secs()}))
            .collect();
        json!({
            "orgID": org_id,
            "name": self.name,
            "description": self.description,
            "retentionRules": rules,
        })
    }

    fn refused(&self, influxdb: &InfluxDb, response: &Response) -> Trouble {
        refused(influxdb, response, &response.words(), "the bucket", &self.remedy())
    }

    fn unseen(&self, influxdb: &InfluxDb) -> Trouble {
        Trouble::misconfigured(format!(
            "the bucket {:?} is missing, or cannot be seen, and {} shows this token no organisation \
             {:?}; check `influxdbConfig.v2Config.org`, or {}",
            self.name,
            influxdb.address(),
            self.org,
            self.remedy()
        ))
    }

    fn remedy(&self) -> String {
        format!(
            "run this with a token that may, and give the writer's token the right to write: {}",
            self.command()
        )
    }

    /// <https://docs.influxdata.com/influxdb/v2/reference/cli/influx/bucket/create/>.
    fn command(&self) -> String {
        let retention = self.retention.duration.map_or(0, |duration| duration.as_secs());
        let description = match self.description {
            "" => String::new(),
            description => format!(" --description {}", shell_quoted(description)),
        };
        format!(
            "influx bucket create --org {} --name {} --retention {retention}s{description}",
            shell_quoted(self.org),
            shell_quoted(self.name)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bucket(retention: &Retention) -> Bucket<'_> {
        Bucket { org: "o'org", name: "sense ops", description: "Qlik", retention }
    }

    #[test]
    fn retention_is_an_expiry_rule() {
        let ten_days =
            Retention { text: "10d".to_owned(), duration: Some(Duration::from_hours(240)) };
        assert_eq!(
            bucket(&ten_days).body("0a"),
            json!({"orgID": "0a", "name": "sense ops", "description": "Qlik",
                   "retentionRules": [{"type": "expire", "everySeconds": 864_000}]})
        );
        assert_eq!(
            bucket(&ten_days).command(),
            r"influx bucket create --org 'o'\''org' --name 'sense ops' --retention 864000s --description 'Qlik'"
        );
        let for_ever = Retention { text: "0".to_owned(), duration: None };
        assert_eq!(bucket(&for_ever).body("0a")["retentionRules"], json!([]));
    }
}
