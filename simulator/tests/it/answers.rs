//! What the services say when nothing is wrong.

use std::collections::HashSet;

use serde_json::Value;
use simulator::Endpoint;

use crate::client::{self, health, repository, sessions, url};

#[tokio::test]
async fn each_form_of_the_health_check_answers() {
    let site = client::site().await;
    let client = client::client(&site);
    let mut calls = HashSet::new();
    for path in [
        "/engine/healthcheck",
        "/engine/healthcheck/",
        "/healthcheck",
        "/healthcheck/",
    ] {
        let response = client
            .get(url(&site, 0, Endpoint::Engine, path))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().contains_key("date"));
        let body: Value = response.json().await.unwrap();
        calls.insert(body["apps"]["calls"].as_i64().unwrap());
    }
    assert_eq!(calls.len(), 4, "the calls tell the answers apart");
    let wrong = client
        .get(url(&site, 0, Endpoint::Engine, "/healthcheckk"))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 404);
    site.ledger().wait_for(5).await;
    assert_eq!(site.ledger().count(0, Endpoint::Engine), 5);
}

#[tokio::test]
async fn three_endpoints_answer() {
    let site = client::site().await;
    let client = client::client(&site);
    let body = health(&client, &site).await.unwrap().text().await.unwrap();
    assert!(body.starts_with("{\"version\":\""), "{body}");
    let body: Value = sessions(&client, &site, "/hdr").await.json().await.unwrap();
    assert!(body.is_array());
    let body: Value = repository(&client, &site, "/qrs/app")
        .await
        .json()
        .await
        .unwrap();
    assert!(body.as_array().unwrap().len() > 100);
    site.stop().await;
}
