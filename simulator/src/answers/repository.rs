//! The repository: apps, its own version, and what discovery asks for.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Asked, PLAIN, discovery, errors, filter::Filter, xsrf};
use crate::{ledger::Facts, site::ServerState, world::App};

/// Users of directory INTERNAL with this prefix see everything.
const SERVICE_ACCOUNT: &str = "sa_";

/// The date that means never.
const NEVER: &str = "1753-01-01T00:00:00.000Z";

pub(super) fn answer(server: &ServerState, asked: &Asked<'_>, now: Duration) -> Answer {
    if let Err(refusal) = xsrf::check(asked) {
        return *refusal;
    }
    let user = match user(asked) {
        Ok(user) => user,
        Err(refusal) => return *refusal,
    };
    match asked.path.trim_end_matches('/') {
        "/qrs/app" => apps(server, asked, &user, now, condensed),
        "/qrs/app/full" => apps(server, asked, &user, now, full),
        "/qrs/app/count" => match listed(server, asked, &user, now) {
            Some(apps) => {
                Answer::json(&json!({"value": apps.len()}), Facts::Apps { count: apps.len() })
            }
            None => errors::status(400),
        },
        "/qrs/about" => about(),
        "/qrs/ssl/ping" => Answer::json(&"Ping successful", Facts::None),
        path => discovery::answer(server, path).unwrap_or_else(|| errors::status(404)),
    }
}

/// On whose behalf a request comes, in `X-Qlik-User`.
#[derive(Debug, PartialEq)]
struct User {
    directory: String,
    id: String,
}

impl User {
    /// Others are shown what is published to everyone: a list that is shorter, without a word.
    fn sees_everything(&self) -> bool {
        self.directory.eq_ignore_ascii_case("INTERNAL")
            && self.id.to_ascii_lowercase().starts_with(SERVICE_ACCOUNT)
    }
}

fn user(asked: &Asked<'_>) -> Result<User, Box<Answer>> {
    let refusal = |status, text| Err(Box::new(Answer::text(status, PLAIN, text)));
    let Some(header) = asked.header("x-qlik-user") else {
        return refusal(StatusCode::FORBIDDEN, "Forbidden");
    };
    let member = |name: &str| {
        header.split(';').find_map(|part| {
            let (known, value) = part.split_once('=')?;
            known.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    match (member("UserDirectory"), member("UserId")) {
        (Some(directory), Some(id)) => Ok(User { directory, id }),
        _ => refusal(StatusCode::BAD_REQUEST, "The http request header is incorrect"),
    }
}

fn apps(
    server: &ServerState,
    asked: &Asked<'_>,
    user: &User,
    now: Duration,
    shape: fn(&App) -> Value,
) -> Answer {
    let Some(apps) = listed(server, asked, user, now) else {
        return errors::status(400);
    };
    let list: Vec<Value> = apps.iter().map(shape).collect();
    Answer::json(&list, Facts::Apps { count: list.len() })
}

/// The apps that a user may see and the filter lets through; `None` for a filter that is not understood.
fn listed(server: &ServerState, asked: &Asked<'_>, user: &User, now: Duration) -> Option<Vec<App>> {
    let filter = asked.query("filter").map(Filter::parse);
    if filter == Some(None) {
        return None;
    }
    let filter = filter.flatten();
    let all = user.sees_everything();
    let world = server.world();
    let mut apps = world.apps(world.moment(now));
    apps.retain(|app| all || app.stream.as_ref().is_some_and(|(_, name)| *name == "Everyone"));
    apps.retain(|app| filter.as_ref().is_none_or(|filter| filter.matches(app)));
    Some(apps)
}

fn condensed(app: &App) -> Value {
    let published = app.stream.is_some();
    json!({
        "id": &*app.id,
        "name": app.name,
        "appId": "",
        "publishTime": if published { date(app.modified) } else { NEVER.to_owned() },
        "published": published,
        "stream": app.stream.as_ref()
            .map(|(id, name)| json!({"id": id, "name": name, "privileges": null})),
        "savedInProductVersion": "12.2054.4",
        "migrationHash": "cd8f0e2c6b6f8ab6a7b2c3a56e8a6c2b0f6d9a11",
        "availabilityStatus": 0,
        "privileges": null,
    })
}

fn full(app: &App) -> Value {
    let mut value = condensed(app);
    if let Some(members) = value.as_object_mut() {
        let modified = date(app.modified);
        for (name, value) in [
            ("createdDate", json!("2023-11-02T09:14:55.120Z")),
            ("modifiedDate", json!(modified)),
            ("modifiedByUserName", json!("CORP\\anna.andersson")),
            ("customProperties", json!([])),
            (
                "owner",
                json!({"id": "9d4a3f0e-1c2b-4f5a-8a7e-3b1c0d9e8f7a", "userId": "anna.andersson",
                       "userDirectory": "CORP", "name": "Anna Andersson", "privileges": null}),
            ),
            ("tags", json!([])),
            ("description", json!("")),
            ("fileSize", json!(app.file_size)),
            ("lastReloadTime", json!(modified)),
            ("thumbnail", json!("")),
            ("dynamicColor", json!("")),
            ("sourceAppId", json!("")),
            ("targetAppId", json!("")),
            ("schemaPath", json!("App")),
        ] {
            members.insert(name.to_owned(), value);
        }
    }
    value
}

fn about() -> Answer {
    let about = json!({
        "buildVersion": "25.15.2.0",
        "buildDate": "6/7/2019 09:04:33 AM",
        "databaseProvider": "Devart.Data.PostgreSql",
        "nodeType": 1,
        "sharedPersistence": true,
        "requiresBootstrap": false,
        "singleNodeOnly": false,
        "schemaPath": "About",
    });
    Answer::json(&about, Facts::None)
}

fn date(time: Duration) -> String {
    let millisecond = i64::try_from(time.as_millis()).unwrap_or_default();
    let time = Timestamp::from_millisecond(millisecond).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
