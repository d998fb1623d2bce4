//! 1.x: what is seen with InfluxQL. All of it was observed on 1.6.7.

use serde_json::Value;

use super::{Answered, Place, Sight};
use crate::influxdb::InfluxDb;
use crate::influxdb::answer::Response;
use crate::influxdb::create::quoted;

/// What is left of a duration of InfluxQL that ends so: nothing below the unit.
const WHOLE: [&str; 2] = ["0s", "0m"];
const FOR_EVER: &str = "0s";

pub(super) async fn look(
    influxdb: &InfluxDb,
    database: &str,
    has_credentials: bool,
    sight: &mut Sight,
) -> Result<(), String> {
    let nothing = influxdb.write_nothing().await?;
    sight.may_write = may_write(influxdb, &nothing, database, has_credentials);
    sight.place = match nothing.status {
        // Said before anything else is looked at.
        404 => Place::Missing,
        204 | 403 => Place::There { retention: retention(influxdb, database).await? },
        _ => Place::Unseen,
    };
    if nothing.status == 401 {
        sight.may_do_too_much = Answered::Unknown("nobody is let in".to_owned());
        return Ok(());
    }
    sight.may_do_too_much = too_much(influxdb, has_credentials).await?;
    if nothing.status == 404 && !databases(influxdb).await? {
        sight.place = Place::Unseen;
    }
    Ok(())
}

fn may_write(
    influxdb: &InfluxDb,
    nothing: &Response,
    database: &str,
    has_credentials: bool,
) -> Answered {
    let address = influxdb.address();
    match nothing.status {
        204 => Answered::Yes("a write without a point was accepted".to_owned()),
        404 => Answered::Unknown(format!(
            "there is no database {database:?} yet; what may be written shows only when it is there"
        )),
        401 if has_credentials => Answered::No(format!(
            "{address} does not know this user, or the password is wrong (401)"
        )),
        401 => Answered::No(format!("{address} wants credentials (401), and none are configured")),
        403 => Answered::No(format!("this user may not write to {database:?} (403)")),
        // The words of 1.x name the user.
        status => {
            Answered::Unknown(format!("{address} answers {status} to a write without a point"))
        }
    }
}

/// Users are shown to admins alone, or to everybody where nobody is asked for a name.
async fn too_much(influxdb: &InfluxDb, has_credentials: bool) -> Result<Answered, String> {
    let users = influxdb.ask("query", &[("q", "SHOW USERS")]).await?;
    if users.status == 401 || users.status == 403 {
        return Ok(Answered::No("it is no admin".to_owned()));
    }
    if users.status != 200 {
        return Ok(Answered::Unknown(format!("SHOW USERS is answered {}", users.status)));
    }
    let open = influxdb.ask_as_nobody("query", &[("q", "SHOW DATABASES")]).await?;
    Ok(match (open.status, has_credentials) {
        (200, _) => Answered::Yes(
            "the server asks nobody for a password (auth-enabled is false): whoever reaches it may \
             read, change and delete everything"
                .to_owned(),
        ),
        (_, true) => Answered::Yes("the user is an admin of the whole server".to_owned()),
        (_, false) => Answered::Unknown("users are shown to somebody without a name".to_owned()),
    })
}

/// Whether databases are shown at all.
async fn databases(influxdb: &InfluxDb) -> Result<bool, String> {
    let all = influxdb.ask("query", &[("q", "SHOW DATABASES")]).await?;
    Ok(all.status == 200)
}

/// How long the default policy keeps points; who may only write does not see it.
async fn retention(influxdb: &InfluxDb, database: &str) -> Result<Option<String>, String> {
    let statement = format!("SHOW RETENTION POLICIES ON {}", quoted(database));
    let answer = influxdb.ask("query", &[("q", &statement)]).await?;
    Ok(serde_json::from_slice::<Value>(&answer.body).ok().and_then(|body| default_policy(&body)))
}

fn default_policy(body: &Value) -> Option<String> {
    let series = body.pointer("/results/0/series/0")?;
    let columns = series.get("columns")?.as_array()?;
    let place = |name: &str| columns.iter().position(|column| column == name);
    let (name, duration, default) = (place("name")?, place("duration")?, place("default")?);
    let rows = series.get("values")?.as_array()?;
    let row = rows.iter().find(|row| row.get(default) == Some(&Value::Bool(true)))?;
    let (name, duration) = (row.get(name)?.as_str()?, row.get(duration)?.as_str()?);
    let kept = if duration == FOR_EVER { "for ever" } else { short(duration) };
    Some(format!("{kept} (policy {name:?})"))
}

/// `240h` of `240h0m0s`.
fn short(duration: &str) -> &str {
    WHOLE.iter().fold(duration, |text, end| match text.strip_suffix(end) {
        Some(rest) if rest.ends_with(|last: char| last.is_ascii_alphabetic()) => rest,
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_policy_is_told() {
        let body = |duration: &str| {
            json!({"results": [{"series": [{
                "columns": ["name", "duration", "shardGroupDuration", "replicaN", "default"],
                "values": [["other", "1h0m0s", "1h0m0s", 1, false],
                           ["10d", duration, "24h0m0s", 1, true]]}]}]})
        };
        assert_eq!(default_policy(&body("240h0m0s")).unwrap(), "240h (policy \"10d\")");
        assert_eq!(default_policy(&body("0s")).unwrap(), "for ever (policy \"10d\")");
        assert_eq!(default_policy(&json!({"error": "no"})), None);
        assert_eq!((short("1h30m0s"), short("30s"), short("10m0s")), ("1h30m", "30s", "10m"));
    }
}
