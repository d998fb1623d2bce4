//! Each fault as it reaches a client that was connected before, and its end.

use std::{error::Error, io, time::Duration};

use reqwest::{Client, Response};
use serde_json::Value;
use simulator::{Endpoint, Fault, HUGE_ANSWER_BYTES, Site, SiteError};

use crate::client::{self, eventually, health, health_again, repository, sessions};

const SHORT: Duration = Duration::from_millis(400);

/// The system's error under a client's error.
fn cause(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    let mut kind = None;
    while let Some(error) = source {
        // An error within a handshake is wrapped in one that `source` steps over.
        let mut cause = error.downcast_ref::<io::Error>();
        while let Some(error) = cause {
            kind = Some(error.kind());
            cause = error.get_ref().and_then(|inner| inner.downcast_ref());
        }
        source = error.source();
    }
    kind
}

/// A site, and a client that has an open connection to its engine.
async fn connected() -> (Site, Client) {
    let site = client::site().await;
    let client = client::client(&site);
    assert_eq!(health(&client, &site).await.unwrap().status(), 200);
    site.ledger().wait_for(1).await;
    (site, client)
}

async fn set(site: &Site, fault: impl Into<Option<Fault>>) {
    site.set_fault(0, Endpoint::Engine, fault.into()).await.unwrap();
}

async fn answered(client: &Client, site: &Site) -> Response {
    health_again(client, site).await.unwrap()
}

#[tokio::test]
async fn refused_closes_the_socket_and_the_open_connections() {
    let (site, client) = connected().await;
    set(&site, Fault::Refused).await;
    let error = health(&client, &site).await.unwrap_err();
    assert_eq!(cause(&error), Some(io::ErrorKind::ConnectionRefused));
    assert_eq!(sessions(&client, &site, "").await.status(), 200, "the proxy goes on");
    set(&site, None).await;
    assert_eq!(answered(&client, &site).await.status(), 200);
    set(&site, Fault::Refused).await;
    set(&site, Fault::Refused).await;
    site.clear_faults().await.unwrap();
    assert_eq!(answered(&client, &site).await.status(), 200);
}

#[tokio::test]
async fn reset_strikes_open_and_new_connections() {
    let (site, client) = connected().await;
    let reset = |error: reqwest::Error| {
        assert_eq!(cause(&error), Some(io::ErrorKind::ConnectionReset), "{error:?}");
    };
    set(&site, Fault::Reset).await;
    reset(health(&client, &site).await.unwrap_err());
    reset(health(&client::client(&site), &site).await.unwrap_err());
    set(&site, None).await;
    assert_eq!(answered(&client, &site).await.status(), 200);
    site.ledger().wait_for(2).await;
    assert_eq!(site.ledger().recorded(), 2);
}

#[tokio::test]
async fn hang_never_answers_an_open_connection_nor_a_new_one() {
    for fault in [Fault::Hang, Fault::HangInHandshake] {
        let (site, client) = connected().await;
        let hasty = client::builder(&site, true).timeout(SHORT).build().unwrap();
        assert_eq!(answered(&hasty, &site).await.status(), 200);
        set(&site, fault).await;
        assert!(health(&hasty, &site).await.unwrap_err().is_timeout(), "{fault} when connected");
        let fresh = client::builder(&site, true).timeout(SHORT).build().unwrap();
        assert!(health(&fresh, &site).await.unwrap_err().is_timeout(), "{fault}");
        set(&site, None).await;
        assert_eq!(answered(&client, &site).await.status(), 200);
        site.ledger().wait_for(3).await;
        assert_eq!(site.ledger().recorded(), 3);
    }
}

#[tokio::test]
async fn slow_drip_sends_byte_by_byte() {
    let (site, client) = connected().await;
    set(&site, Fault::SlowDrip).await;
    let mut response = answered(&client, &site).await;
    assert!(response.content_length().unwrap() > 100);
    assert_eq!(&response.chunk().await.unwrap().unwrap()[..], b"{");
    assert_eq!(&response.chunk().await.unwrap().unwrap()[..], b"\"");
    drop(response);
    eventually(|| site.ledger().unfinished() == 1).await;
    assert_eq!(site.ledger().recorded(), 1);
}

#[tokio::test]
async fn error_statuses_come_with_text_and_are_in_the_ledger() {
    let (site, client) = connected().await;
    for status in [401, 403, 404, 429, 500, 503] {
        set(&site, Fault::Status(status)).await;
        let response = answered(&client, &site).await;
        assert_eq!(response.status(), status);
        let asks_to_wait = response.headers().contains_key("retry-after");
        assert_eq!(asks_to_wait, status == 429 || status == 503);
        assert!(!response.text().await.unwrap().is_empty());
    }
    site.ledger().wait_for(7).await;
    let entries = site.ledger().entries();
    assert!(entries[1..].iter().all(|entry| entry.fault == Some(Fault::Status(entry.status))));
}

#[tokio::test]
async fn wrong_answers_with_status_200_are_wrong_in_their_own_way() {
    let (site, client) = connected().await;
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();

    set(&site, Fault::LoginPage).await;
    let response = answered(&client, &site).await;
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));

    set(&site, Fault::TruncatedJson).await;
    let text = answered(&client, &site).await.text().await.unwrap();
    assert!(text.starts_with("{\"version\"") && json(&text).is_none());

    set(&site, Fault::WrongJson).await;
    let text = answered(&client, &site).await.text().await.unwrap();
    assert!(json(&text).unwrap().is_array());

    set(&site, Fault::EmptyBody).await;
    assert_eq!(answered(&client, &site).await.text().await.unwrap(), "");

    set(&site, Fault::CutShort).await;
    assert!(answered(&client, &site).await.text().await.is_err());

    set(&site, Fault::Redirect).await;
    let response = answered(&client, &site).await;
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "/engine/healthcheck");

    // All but the one that was cut, and the first one.
    site.ledger().wait_for(6).await;
    assert_eq!((site.ledger().recorded(), site.ledger().unfinished()), (6, 1));
}

#[tokio::test]
async fn a_huge_answer_is_sound_and_eighty_megabytes_long() {
    let (site, client) = connected().await;
    set(&site, Fault::Huge).await;
    let text = answered(&client, &site).await.text().await.unwrap();
    assert_eq!(text.len(), HUGE_ANSWER_BYTES);
    assert!(text.starts_with("{\"version\"") && text.trim_end().ends_with('}'));
    site.ledger().wait_for(2).await;
    assert!(site.ledger().entries()[1].facts.health().is_some());
}

#[tokio::test]
async fn a_counted_fault_strikes_so_often_and_no_more() {
    let (site, client) = connected().await;
    site.set_fault_for(0, Endpoint::Engine, Fault::Status(503), 2).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(answered(&client, &site).await.status().as_u16());
    }
    assert_eq!(statuses, [503, 503, 200]);
    assert_eq!(site.fault(0, Endpoint::Engine).unwrap(), None);
    site.set_fault_for(0, Endpoint::Engine, Fault::OtherAuthority, 1).await.unwrap();
    assert!(health(&client, &site).await.is_err());
    assert_eq!(answered(&client, &site).await.status(), 200);
    let refused = site.set_fault_for(0, Endpoint::Engine, Fault::Refused, 1).await;
    assert!(matches!(refused, Err(SiteError::Uncountable)));
}

#[tokio::test]
async fn a_fault_stays_with_its_endpoint() {
    let (site, client) = connected().await;
    site.set_fault(0, Endpoint::Repository, Some(Fault::Status(500))).await.unwrap();
    assert_eq!(repository(&client, &site, "/qrs/app").await.status(), 500);
    assert_eq!(answered(&client, &site).await.status(), 200);
    assert_eq!(sessions(&client, &site, "").await.status(), 200);
    let none = site.set_fault(1, Endpoint::Engine, None).await;
    assert!(matches!(none, Err(SiteError::NoSuchServer { index: 1, servers: 1 })));
}

#[tokio::test]
async fn a_closed_connection_is_opened_again_by_the_client() {
    let (site, client) = connected().await;
    site.close_connections(0, Endpoint::Engine).await.unwrap();
    assert_eq!(answered(&client, &site).await.status(), 200);
    assert_eq!(site.traffic(0, Endpoint::Engine).unwrap().handshakes, 2);
}
