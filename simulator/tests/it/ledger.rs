//! The ledger has what the clients have.

use std::collections::HashSet;

use serde_json::Value;
use simulator::{BodyRecord, Endpoint, Facts, RecordedBody, SiteConfig};

use crate::client::{self, KEY, health, repository, sessions, url};

const CLIENTS: usize = 4;
const ROUNDS: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_that_arrived_is_in_the_ledger_once() {
    let mut config = SiteConfig::for_test().unwrap();
    config.servers = 2;
    let site = client::start(config).await;
    let mut asking = Vec::new();
    for _ in 0..CLIENTS {
        let client = client::client(&site);
        let engines = [0, 1].map(|server| url(&site, server, Endpoint::Engine, "/healthcheck"));
        let proxy = url(&site, 1, Endpoint::Proxy, &format!("/qps/hdr/session?xrfkey={KEY}"));
        asking.push(tokio::spawn(async move {
            let mut arrived = Vec::new();
            for _ in 0..ROUNDS {
                for (server, engine) in engines.iter().enumerate() {
                    let body: Value =
                        client.get(engine).send().await.unwrap().json().await.unwrap();
                    arrived.push((server, body["apps"]["calls"].as_i64().unwrap()));
                }
                let list = client.get(&proxy).header("X-Qlik-Xrfkey", KEY);
                assert_eq!(list.send().await.unwrap().status(), 200);
            }
            arrived
        }));
    }
    let mut arrived = Vec::new();
    for asking in asking {
        arrived.extend(asking.await.unwrap());
    }

    let all = (CLIENTS * ROUNDS * 3) as u64;
    site.ledger().wait_for(all).await;
    assert_eq!((site.ledger().recorded(), site.ledger().unfinished()), (all, 0));
    let each = (CLIENTS * ROUNDS) as u64;
    for (server, endpoint, count) in [
        (0, Endpoint::Engine, each),
        (1, Endpoint::Engine, each),
        (0, Endpoint::Proxy, 0),
        (1, Endpoint::Proxy, each),
    ] {
        assert_eq!(site.ledger().count(server, endpoint), count);
    }

    let entries = site.ledger().drain();
    assert!(entries.iter().map(|entry| entry.number).eq(1..=all));
    let served: HashSet<(usize, i64)> = entries
        .iter()
        .filter_map(|entry| Some((entry.server, entry.facts.health()?.calls)))
        .collect();
    assert_eq!(served, arrived.iter().copied().collect());
    assert_eq!(served.len(), arrived.len(), "server and calls name an answer");
}

#[tokio::test]
async fn entries_tell_what_was_said() {
    let mut config = SiteConfig::for_test().unwrap();
    config.ledger_bodies = BodyRecord::Whole;
    let site = client::start(config).await;
    let client = client::client(&site);
    let health = health(&client, &site).await.unwrap().bytes().await.unwrap();
    let sessions = sessions(&client, &site, "/hdr").await.bytes().await.unwrap();
    let apps = repository(&client, &site, "/qrs/app").await.bytes().await.unwrap();
    site.ledger().wait_for(3).await;
    let entries = site.ledger().entries();
    for (entry, body) in entries.iter().zip([&health, &sessions, &apps]) {
        assert_eq!(entry.body, RecordedBody::Whole(body.clone()));
        assert_eq!((entry.status, entry.fault), (200, None));
    }
    let [health, sessions, apps] =
        [health, sessions, apps].map(|body| serde_json::from_slice::<Value>(&body).unwrap());

    let facts = entries[0].facts.health().unwrap();
    assert_eq!(health["started"], facts.started);
    assert_eq!(health["session"]["total"], facts.session_total);
    assert_eq!(health["mem"]["committed"].as_f64(), Some(facts.committed));
    assert_eq!(health["cache"]["bytes_added"], facts.cache_bytes_added);
    let in_memory = health["apps"]["in_memory_docs"].as_array().unwrap();
    assert_eq!(in_memory.len(), facts.in_memory_docs);
    assert_eq!(entries[0].path, "/engine/healthcheck");
    assert_eq!(Some(&*entries[0].host), site.servers()[0].host(Endpoint::Engine));

    let facts = entries[1].facts.sessions().unwrap();
    assert_eq!(entries[1].virtual_proxy.as_deref(), Some("/hdr"));
    let list = sessions.as_array().unwrap();
    assert_eq!(list.len(), facts.len());
    for (session, fact) in list.iter().zip(facts) {
        assert_eq!(session["UserDirectory"], *fact.user_directory);
        assert_eq!(session["UserId"], *fact.user_id);
        assert_eq!(session["SessionId"], *fact.session_id);
    }
    assert_eq!(entries[2].facts, Facts::Apps { count: apps.as_array().unwrap().len() });
}

#[tokio::test]
async fn a_site_that_is_dropped_closes_its_sockets() {
    let site = client::site().await;
    let engine = site.servers()[0].host(Endpoint::Engine).unwrap().to_owned();
    drop(site);
    client::eventually(|| std::net::TcpStream::connect(&engine).is_err()).await;
}

#[tokio::test]
async fn the_folder_of_a_test_goes_with_its_site() {
    let site = client::site().await;
    let directory = site.config().directory.clone();
    assert!(directory.join("client_key.pem").exists());
    let engine = site.servers()[0].host(Endpoint::Engine).unwrap().to_owned();
    site.stop().await;
    assert!(!directory.exists());
    assert!(std::net::TcpStream::connect(engine).is_err());
}
