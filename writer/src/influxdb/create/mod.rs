//! The place for the points: created where it is missing, left alone where it is there.

mod bucket;
mod database;
mod retained;

pub(super) use database::quoted;
use shared::config::Version;
use shared::timestamp::Timestamp;

use super::InfluxDb;
use super::answer::Response;
use crate::destination::{Prepared, Trouble, TroubleKind};
use crate::reason::for_log;

/// Makes sure that the place exists.
pub(super) async fn create(influxdb: &InfluxDb) -> Result<Prepared, Trouble> {
    match &influxdb.place {
        Version::V1 { database, retention_policy, .. } => {
            database::create(influxdb, database, retention_policy).await?;
            Ok(Prepared::Ready)
        }
        Version::V2 { org, bucket, description, retention, .. } => {
            let bucket = bucket::Bucket { org, name: bucket, description, retention };
            bucket.create(influxdb).await
        }
        // The first write makes the database; this one with its retention.
        Version::V3 { database, retention, .. } => {
            if let Some(retention) = retention.duration {
                retained::create(influxdb, database, retention).await?;
            }
            Ok(Prepared::Ready)
        }
    }
}

/// What it means that InfluxDB did not do what creates the place.
fn refused(
    influxdb: &InfluxDb,
    response: &Response,
    words: &str,
    place: &str,
    remedy: &str,
) -> Trouble {
    let said = format!("{} answers {}: {}", influxdb.address(), response.status, for_log(words));
    if passes(response.status) {
        let retry_after = response.retry_after(Timestamp::now());
        return Trouble { kind: TroubleKind::Unavailable { retry_after }, why: said };
    }
    Trouble::misconfigured(format!(
        "{place} is missing, or cannot be seen, and cannot be made ({said}); {remedy}"
    ))
}

/// Whether an answer may be another one a little later.
fn passes(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

/// Whether an answer says that one may not do this, or not see what is there.
fn hides(status: u16) -> bool {
    matches!(status, 401 | 403 | 404)
}

/// A text as one word of a shell.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
