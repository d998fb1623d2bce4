//! The place for the points: created where it is missing, left alone where it is there.

mod bucket;
mod database;

use shared::config::Version;
use shared::timestamp::Timestamp;

use super::InfluxDb;
use super::answer::Response;
use crate::destination::{Trouble, TroubleKind};
use crate::letter::for_log;

/// Makes sure that the place exists.
pub(super) async fn create(influxdb: &InfluxDb) -> Result<(), Trouble> {
    match &influxdb.place {
        Version::V1 { database, retention_policy, .. } => {
            database::create(influxdb, database, retention_policy).await
        }
        Version::V2 { org, bucket, description, retention, .. } => {
            let bucket = bucket::Bucket { org, name: bucket, description, retention };
            bucket.create(influxdb).await
        }
        // 3.x creates its databases with the first write.
        Version::V3 { .. } => Ok(()),
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
    if matches!(response.status, 408 | 429 | 500..) {
        let retry_after = response.retry_after(Timestamp::now());
        return Trouble { kind: TroubleKind::Unavailable { retry_after }, why: said };
    }
    Trouble::misconfigured(format!(
        "{place} is missing, or cannot be seen, and cannot be made ({said}); {remedy}"
    ))
}
