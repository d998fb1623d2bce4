//! Who may ask what: the key against forgery, and the user of the repository.

use reqwest::{Client, StatusCode};
use simulator::{Endpoint, Site};

use crate::client::{self, KEY, url};

/// Asks with a key in the query and another in the header.
async fn ask(
    site: &Site,
    client: &Client,
    (endpoint, path): (Endpoint, &str),
    header: Option<&str>,
    user: Option<&str>,
) -> (StatusCode, String) {
    let mut request = client.get(url(site, 0, endpoint, path));
    if let Some(header) = header {
        request = request.header("X-Qlik-Xrfkey", header);
    }
    if let Some(user) = user {
        request = request.header("X-Qlik-User", user);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn the_key_must_be_the_same_in_query_and_header() {
    let site = client::site().await;
    let client = client::client(&site);
    let user = Some("UserDirectory=INTERNAL; UserId=sa_api");
    for (endpoint, base) in [(Endpoint::Proxy, "/qps/session"), (Endpoint::Repository, "/qrs/app")]
    {
        for (query, header, good) in [
            ("?xrfkey=abcdefghij987654", Some(KEY), true),
            ("?XRFKEY=abcdefghij987654", Some(KEY), true),
            ("", Some(KEY), false),
            ("", None, false),
            ("?xrfkey=abcdefghij987654", None, false),
            ("?xrfkey=abcdefghij987654", Some("abcdefghij987655"), false),
            ("?xrfkey=short", Some("short"), false),
            ("?xrfkey=abcdefghij98765-", Some("abcdefghij98765-"), false),
        ] {
            let path = format!("{base}{query}");
            let (status, text) = ask(&site, &client, (endpoint, &path), header, user).await;
            if good {
                assert_eq!(status, 200, "{path}");
            } else {
                assert_eq!(status, 403, "{path} {header:?}");
                assert_eq!(text, "XSRF prevention check failed. Possible XSRF discovered.");
            }
        }
    }
}

#[tokio::test]
async fn the_repository_wants_to_know_on_whose_behalf() {
    let site = client::site().await;
    let client = client::client(&site);
    let asked = (Endpoint::Repository, "/qrs/app/count?xrfkey=abcdefghij987654");
    let ask = async |user| ask(&site, &client, asked, Some(KEY), user).await;
    assert_eq!(ask(None).await.0, 403);
    assert_eq!(ask(Some("sa_api")).await.0, 400);
    let (status, all) = ask(Some("userid=sa_repository;userdirectory=internal")).await;
    assert_eq!(status, 200);
    let (status, some) = ask(Some("UserDirectory=CORP; UserId=anna.andersson")).await;
    assert_eq!(status, 200);
    let count = |text: &str| -> u64 {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        value["value"].as_u64().unwrap()
    };
    assert!(count(&some) < count(&all), "{some} of {all}");
}

#[tokio::test]
async fn the_engine_wants_no_key_and_only_get() {
    let site = client::site().await;
    let client = client::client(&site);
    let engine = url(&site, 0, Endpoint::Engine, "/healthcheck?xrfkey=anything");
    let response = client.get(&engine).header("X-Qlik-User", "nobody").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(client.post(&engine).send().await.unwrap().status(), 405);
}
