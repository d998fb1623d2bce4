//! Each oddity, alone, as it is read by a client.

use serde_json::Value;
use simulator::{Oddity, Site, SiteConfig};

use crate::client::{self, health, sessions};

type Check = fn(&Value) -> bool;

fn docs<'a>(body: &'a Value, list: &str) -> Vec<&'a str> {
    body["apps"][list].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
}

fn in_health(oddity: Oddity) -> Option<Check> {
    let check: Check = match oddity {
        Oddity::MissingSaturated => |body| body.get("saturated").is_none(),
        Oddity::MissingInMemoryDocs => |body| body["apps"].get("in_memory_docs").is_none(),
        Oddity::MissingTotalPhysical => |body| body["mem"].get("totalPhysical").is_none(),
        Oddity::MisspeltCommitted => {
            |body| body["mem"]["comitted"].is_number() && body["mem"].get("committed").is_none()
        }
        Oddity::FloatNumbers => |body| body["session"]["total"].is_f64(),
        Oddity::IntegerNumbers => |body| body["mem"]["committed"].is_i64(),
        Oddity::TextNumbers => |body| body["cpu"]["total"].is_string(),
        Oddity::NegativeNumbers => |body| body["mem"]["free"].as_f64().unwrap() < 0.0,
        Oddity::NullNumbers => |body| body["cpu"]["total"].is_null() && body["cpu"].is_object(),
        Oddity::HugeNumbers => |body| body["cache"]["bytes_added"].as_i64() == Some((1 << 53) + 1),
        Oddity::EmptyLists => |body| docs(body, "in_memory_docs").is_empty(),
        Oddity::RepeatedLoadedDocs => |body| docs(body, "loaded_docs").len() > 300,
        Oddity::SessionApps => |body| {
            let ids = docs(body, "active_docs");
            ids.iter().filter(|id| id.starts_with("SessionApp_")).count() >= 40
        },
        Oddity::SessionAppsWithoutUnderscore => |body| {
            let ids = docs(body, "active_docs");
            let bare = |id: &&&str| id.starts_with("SessionApp") && !id.contains('_');
            ids.iter().filter(bare).count() >= 40
        },
        Oddity::DesktopPaths => {
            |body| docs(body, "in_memory_docs").iter().all(|id| id.starts_with("C:/Users/"))
        }
        Oddity::HundredsOfDocs => |body| docs(body, "in_memory_docs").len() > 400,
        Oddity::UnknownApps => |body| docs(body, "active_docs").len() >= 10,
        Oddity::SessionsWithoutUsers => {
            |body| body["session"]["total"] == 175 && body["users"]["total"] == 0
        }
        Oddity::FreeAboveTotal => {
            |body| body["mem"]["free"].as_f64() > body["mem"]["totalPhysical"].as_f64()
        }
        Oddity::AllZero => |body| {
            let empty = docs(body, "in_memory_docs").is_empty();
            empty && body["session"]["total"] == 0 && body["cache"]["lookups"] == 0
        },
        Oddity::UnknownMembers => |body| body["future"].is_object(),
        Oddity::StartedInUtc => |body| body["started"].as_str().unwrap().ends_with('Z'),
        Oddity::StartedInTheWest => |body| body["started"].as_str().unwrap().ends_with("-0330"),
        _ => return None,
    };
    Some(check)
}

fn in_sessions(oddity: Oddity) -> Option<Check> {
    fn list(body: &Value) -> &[Value] {
        body.as_array().unwrap()
    }
    let check: Check = match oddity {
        Oddity::MissingAttributes => |body| {
            let attributes = |session: &Value| session.get("Attributes").cloned();
            let mut all = list(body).iter().map(attributes);
            all.all(|value| value.is_none_or(|value| value.is_null()))
        },
        Oddity::LargeAttributes => {
            |body| list(body)[0]["Attributes"].as_array().unwrap().len() == 80
        }
        Oddity::MixedCaseUsers => |body| {
            let upper = list(body)[0]["UserId"].as_str().unwrap().to_uppercase();
            list(body).iter().any(|session| session["UserId"] == upper.as_str())
        },
        Oddity::OddSessionIds => {
            |body| list(body)[0]["SessionId"].as_str().unwrap().starts_with("my \"session\", 0=")
        }
        Oddity::NewUser => |body| list(body)[0]["NewUser"] == false,
        Oddity::HurtingUsers => |body| {
            let long = |session: &Value| session["UserId"].as_str().unwrap().chars().count() == 300;
            list(body).iter().any(long)
        },
        _ => return None,
    };
    Some(check)
}

async fn site() -> Site {
    let mut config = SiteConfig::for_test().unwrap();
    config.sessions = 100;
    client::start(config).await
}

#[tokio::test]
async fn each_oddity_shows_when_it_is_on_and_only_then() {
    let site = site().await;
    let client = client::client(&site);
    for oddity in Oddity::ALL.iter().copied() {
        let mut shown = Vec::new();
        for on in [false, true, false] {
            site.set_oddity(0, oddity, on).unwrap();
            assert_eq!(site.oddities(0).unwrap().has(oddity), on);
            if let Some(check) = in_health(oddity) {
                let body = health(&client, &site).await.unwrap().json().await.unwrap();
                shown.push(check(&body));
            } else if let Some(check) = in_sessions(oddity) {
                let body = sessions(&client, &site, "/hdr").await.json().await.unwrap();
                shown.push(check(&body));
            } else {
                assert_eq!(oddity, Oddity::ChunkedBody, "an oddity without a test");
                let response = health(&client, &site).await.unwrap();
                shown.push(!response.headers().contains_key("content-length"));
                let _: Value = response.json().await.unwrap();
            }
        }
        // Unknown apps show among so many others that their absence is not seen.
        if oddity == Oddity::UnknownApps {
            shown[0] = false;
            shown[2] = false;
        }
        assert_eq!(shown, [false, true, false], "{oddity}");
    }
}

#[tokio::test]
async fn oddities_combine() {
    let site = site().await;
    let client = client::client(&site);
    for oddity in [Oddity::MissingSaturated, Oddity::FloatNumbers, Oddity::ChunkedBody] {
        site.set_oddity(0, oddity, true).unwrap();
    }
    let body: Value = health(&client, &site).await.unwrap().json().await.unwrap();
    assert!(body.get("saturated").is_none() && body["users"]["total"].is_f64());
}
