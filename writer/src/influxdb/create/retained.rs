//! The database of InfluxDB 3.x, made before its first write where it has a retention.
//!
//! A write would make it as well, but keep everything for ever, which 3.x Core cannot change later:
//! <https://docs.influxdata.com/influxdb3/core/admin/databases/create/>. Who may not make it writes
//! all the same, and is told the command.

use std::time::Duration;

use serde_json::json;

use super::{passes, refused, shell_quoted};
use crate::destination::Trouble;
use crate::influxdb::InfluxDb;
use crate::reason::for_log;

/// <https://docs.influxdata.com/influxdb3/core/api/database/>.
const PATH: &str = "api/v3/configure/database";
const HOUR: u64 = 3600;
const HOURS_PER_DAY: u64 = 24;

/// Makes the database with its retention, unless it is there or one may not.
pub(super) async fn create(
    influxdb: &InfluxDb,
    database: &str,
    retention: Duration,
) -> Result<(), Trouble> {
    let retention = period(retention);
    let body = json!({"db": database, "retention_period": retention});
    let request = influxdb.request().post(influxdb.client(), PATH, &body);
    let made = influxdb.exchange(request).await?;
    match made.status {
        200 | 201 => {
            tracing::info!("{}: made the database {database:?}", influxdb.address());
        }
        // It is there, and keeps its retention.
        409 => {}
        status if passes(status) => {
            return Err(refused(influxdb, &made, &made.words(), "the database", ""));
        }
        status => tracing::warn!(
            "{} answers {status}: {}; unless the database is there, the first write makes it without \
             the retention, which cannot be set later; to have it, run this with an admin token: {}",
            influxdb.address(),
            for_log(&made.words()),
            command(database, &retention)
        ),
    }
    Ok(())
}

/// A retention in units that 3.x takes: hours are the smallest.
///
/// <https://docs.influxdata.com/influxdb3/core/reference/internals/data-retention/>.
fn period(retention: Duration) -> String {
    let hours = retention.as_secs().div_ceil(HOUR);
    if hours.is_multiple_of(HOURS_PER_DAY) {
        format!("{}d", hours / HOURS_PER_DAY)
    } else {
        format!("{hours}h")
    }
}

fn command(database: &str, retention: &str) -> String {
    format!("influxdb3 create database --retention-period {retention} {}", shell_quoted(database))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_days_or_hours_and_never_shorter() {
        for (seconds, expected) in
            [(864_000, "10d"), (3600, "1h"), (5400, "2h"), (90_000, "25h"), (1, "1h")]
        {
            assert_eq!(period(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(
            command("sense ops", "10d"),
            "influxdb3 create database --retention-period 10d 'sense ops'"
        );
    }
}
