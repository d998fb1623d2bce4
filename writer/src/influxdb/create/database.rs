//! The database of InfluxDB 1.x, with its default retention policy.
//!
//! Both in one statement, so that a crash cannot leave a database that keeps everything for ever.

use serde::Deserialize;
use shared::config::RetentionPolicy;

use super::refused;
use crate::destination::Trouble;
use crate::influxdb::InfluxDb;
use crate::influxdb::answer::Response;

/// 1.x says so when the database was made in the meantime, with a policy of its own.
const CONFLICT: &str = "retention policy conflicts with an existing policy";

/// Makes sure that the database exists; one that does keeps its policies.
pub(super) async fn create(
    influxdb: &InfluxDb,
    database: &str,
    policy: &RetentionPolicy,
) -> Result<(), Trouble> {
    let statement = create_statement(database, policy);
    let known = run(influxdb, "SHOW DATABASES", &statement).await?;
    if known.iter().any(|name| name == database) {
        return Ok(());
    }
    run(influxdb, &statement, &statement).await?;
    tracing::info!("{}: ran {statement}", influxdb.address());
    Ok(())
}

fn create_statement(database: &str, policy: &RetentionPolicy) -> String {
    let duration = match policy.duration.duration {
        None => "INF".to_owned(),
        Some(_) if is_duration(&policy.duration.text) => policy.duration.text.clone(),
        Some(duration) => format!("{}s", duration.as_secs()),
    };
    format!(
        "CREATE DATABASE {} WITH DURATION {duration} REPLICATION 1 NAME {}",
        quoted(database),
        quoted(&policy.name),
    )
}

/// Whether a text is safe to stand as a duration: digits and units.
fn is_duration(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// An identifier of InfluxQL.
pub(in crate::influxdb) fn quoted(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[derive(Debug, Deserialize)]
struct Answered {
    results: Vec<ResultSet>,
}

#[derive(Debug, Deserialize)]
struct ResultSet {
    error: Option<String>,
    #[serde(default)]
    series: Vec<Series>,
}

#[derive(Debug, Deserialize)]
struct Series {
    #[serde(default)]
    values: Vec<Vec<serde_json::Value>>,
}

/// Runs a statement and gives the first column of what it answers.
///
/// `create` is what an admin can run instead.
async fn run(influxdb: &InfluxDb, statement: &str, create: &str) -> Result<Vec<String>, Trouble> {
    let request = influxdb.request().query(influxdb.client(), statement);
    let response = influxdb.exchange(request).await?;
    understood(&response).map_err(|words| {
        let remedy = format!(
            "run this as an InfluxDB admin, and give the writer's user the right to write: {create}"
        );
        refused(influxdb, &response, &words, "the database", &remedy)
    })
}

fn understood(response: &Response) -> Result<Vec<String>, String> {
    let answered = match serde_json::from_slice::<Answered>(&response.body) {
        Ok(answered) if response.status == 200 => answered,
        _ => return Err(response.words()),
    };
    let mut names = Vec::new();
    for result in answered.results {
        match result.error {
            Some(error) if error != CONFLICT => return Err(error),
            _ => {}
        }
        let columns = result.series.into_iter().flat_map(|series| series.values);
        names.extend(columns.filter_map(|row| Some(row.first()?.as_str()?.to_owned())));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared::config::Retention;

    use super::*;

    fn policy(name: &str, text: &str, seconds: Option<u64>) -> RetentionPolicy {
        RetentionPolicy {
            name: name.to_owned(),
            duration: Retention {
                text: text.to_owned(),
                duration: seconds.map(Duration::from_secs),
            },
        }
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(
            create_statement("a\"; DROP DATABASE \"b\\", &policy("10d", "10d", Some(864_000))),
            r#"CREATE DATABASE "a\"; DROP DATABASE \"b\\" WITH DURATION 10d REPLICATION 1 NAME "10d""#
        );
        assert_eq!(
            create_statement("a", &policy("p\n", "1h; DROP", Some(3600))),
            r#"CREATE DATABASE "a" WITH DURATION 3600s REPLICATION 1 NAME "p\n""#
        );
        assert!(create_statement("a", &policy("p", "0", None)).contains("DURATION INF"));
    }

    #[test]
    fn a_conflicting_policy_means_that_the_database_is_there() {
        let answer = |body: &str| Response {
            status: 200,
            body: body.as_bytes().to_vec(),
            ..Response::default()
        };
        let conflict = format!(r#"{{"results":[{{"statement_id":0,"error":"{CONFLICT}"}}]}}"#);
        assert_eq!(understood(&answer(&conflict)), Ok(vec![]));
        let other =
            r#"{"results":[{"error":"retention policy duration must be at least 1h0m0s"}]}"#;
        assert!(understood(&answer(other)).unwrap_err().contains("1h0m0s"));
        let names = r#"{"results":[{"series":[{"values":[["a"],["b"]]}]}]}"#;
        assert_eq!(understood(&answer(names)).unwrap(), ["a", "b"]);
        assert!(understood(&answer("<html>")).is_err());
    }
}
