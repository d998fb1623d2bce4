//! 2.x: what is seen with its API.

use serde::Deserialize;

use super::{Answered, Place, Sight, says, seconds};
use crate::influxdb::InfluxDb;
use crate::influxdb::answer::Response;

/// What it says to a write without a line once everything else is right.
const EMPTY: &str = "writing requires points";
/// Buckets that it makes for itself and shows to everybody who may see any.
const OWN: char = '_';

#[derive(Debug, Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    name: String,
    #[serde(default, rename = "retentionRules")]
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    #[serde(default, rename = "everySeconds")]
    every_seconds: u64,
}

pub(super) async fn look(
    influxdb: &InfluxDb,
    org: &str,
    bucket: &str,
    sight: &mut Sight,
) -> Result<(), String> {
    if sight.version.is_none() {
        let health = influxdb.ask("health", &[]).await?;
        sight.version = super::version_of(&health);
    }
    let found = influxdb.ask("api/v2/buckets", &[("org", org), ("name", bucket)]).await?;
    let found = buckets(&found).and_then(|all| all.into_iter().find(|one| one.name == bucket));
    let nothing = influxdb.write_nothing().await?;
    sight.place = match (&found, nothing.status) {
        (Some(bucket), _) => Place::There {
            retention: Some(seconds(bucket.rules.first().map_or(0, |rule| rule.every_seconds))),
        },
        // It looks for the bucket before it looks at rights.
        (None, 204 | 400) => Place::There { retention: None },
        (None, 404) => Place::Missing,
        _ => Place::Unseen,
    };
    sight.may_write = match nothing.status {
        204 => Answered::Yes("a write without a point was accepted".to_owned()),
        400 if nothing.words().contains(EMPTY) => {
            Answered::Yes("a write without a point was refused for that alone".to_owned())
        }
        401 => Answered::No(format!("{} does not know this token (401)", influxdb.address())),
        403 => Answered::No(format!("this token may not write to the bucket {bucket:?} (403)")),
        404 => Answered::Unknown(format!(
            "{}; either it is not there, or this token may not see it",
            says(influxdb, &nothing)
        )),
        _ => Answered::Unknown(says(influxdb, &nothing)),
    };
    sight.may_do_too_much = too_much(influxdb, org, bucket).await?;
    Ok(())
}

/// A token for one bucket sees that one; one for everything sees all.
async fn too_much(influxdb: &InfluxDb, org: &str, bucket: &str) -> Result<Answered, String> {
    let tokens = influxdb.ask("api/v2/authorizations", &[("org", org)]).await?;
    if tokens.status == 200 && shows_tokens(&tokens) {
        return Ok(Answered::Yes("it may read other tokens".to_owned()));
    }
    let all = influxdb.ask("api/v2/buckets", &[("org", org)]).await?;
    let Some(all) = buckets(&all) else {
        return Ok(Answered::Unknown("it may not ask what it sees".to_owned()));
    };
    let others = all.iter().filter(|one| one.name != bucket && !one.name.starts_with(OWN)).count();
    Ok(match others {
        0 => Answered::No("it sees no other bucket and no tokens".to_owned()),
        others => Answered::Yes(format!("it sees {others} other buckets")),
    })
}

fn shows_tokens(response: &Response) -> bool {
    let body = serde_json::from_slice::<serde_json::Value>(&response.body).unwrap_or_default();
    let all = body.get("authorizations").and_then(serde_json::Value::as_array);
    all.is_some_and(|all| !all.is_empty())
}

fn buckets(response: &Response) -> Option<Vec<Bucket>> {
    let found = serde_json::from_slice::<Buckets>(&response.body).ok();
    found.filter(|_| response.status == 200).map(|found| found.buckets)
}
