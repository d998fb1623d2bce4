//! 3.x: what is seen with its API.
//!
//! A write makes the database that it names, so nothing is written, not even nothing, unless the
//! database is known to be there.

use serde_json::Value;

use super::{Answered, Place, Sight, says};
use crate::influxdb::InfluxDb;
use crate::influxdb::answer::Response;

/// Where databases are listed:
/// <https://docs.influxdata.com/influxdb3/core/admin/databases/list/>.
const DATABASES: &str = "api/v3/configure/database";
const FORMAT: (&str, &str) = ("format", "json");
/// What a list names a database.
const NAME: &str = "iox::database";

pub(super) async fn look(
    influxdb: &InfluxDb,
    database: &str,
    sight: &mut Sight,
) -> Result<(), String> {
    let listed = influxdb.ask(DATABASES, &[FORMAT]).await?;
    sight.may_do_too_much = match listed.status {
        200 => Answered::Yes(
            "it may list databases, as admin tokens may; 3.x Core has no others, 3.x Enterprise has"
                .to_owned(),
        ),
        401 => Answered::Unknown("it is not let in".to_owned()),
        403 => Answered::No("it may not list databases".to_owned()),
        status => Answered::Unknown(format!("the list of databases is answered {status}")),
    };
    if listed.status == 401 {
        sight.may_write =
            Answered::No(format!("{} does not know this token (401)", influxdb.address()));
        return Ok(());
    }
    let Some(names) = names(&listed) else {
        sight.may_write = Answered::Unknown(
            "a write would make the database where it is missing, and it is not seen whether it is"
                .to_owned(),
        );
        return Ok(());
    };
    if !names.iter().any(|name| name == database) {
        sight.place = Place::Missing;
        sight.may_write =
            Answered::Unknown("the first write makes the database, so none was tried".to_owned());
        return Ok(());
    }
    sight.place = Place::There { retention: None };
    let nothing = influxdb.write_nothing().await?;
    sight.may_write = match nothing.status {
        204 => Answered::Yes("a write without a point was accepted".to_owned()),
        401 => Answered::No(format!("{} does not know this token (401)", influxdb.address())),
        403 => Answered::No(format!("this token may not write to {database:?} (403)")),
        _ => Answered::Unknown(says(influxdb, &nothing)),
    };
    Ok(())
}

fn names(response: &Response) -> Option<Vec<String>> {
    let rows: Value = serde_json::from_slice(&response.body).ok()?;
    let rows = rows.as_array().filter(|_| response.status == 200)?;
    Some(rows.iter().filter_map(|row| Some(row.get(NAME)?.as_str()?.to_owned())).collect())
}
