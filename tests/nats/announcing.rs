//! Announcements over nats-server's MQTT listener, the only place where NATS retains anything.

use bytes::Bytes;
use integration_tests::nats::NatsServer;
use integration_tests::patience::PATIENCE;
use integration_tests::process::free_port;
use shared::announce::{Address, Announcer, AnnouncerSettings, Will};
use shared::config::Tls;
use tokio::time::timeout;

fn announcer(port: u16, client_id: &str) -> Announcer {
    Announcer::start(AnnouncerSettings {
        name: "test's topics",
        section: "collector.homeAssistant",
        address: Address { host: "127.0.0.1".to_owned(), port, is_tls: false },
        username: None,
        password: None,
        tls: Tls::default(),
        client_id: client_id.to_owned(),
        will: Some(Will {
            topic: format!("qliksense/v1/status/{client_id}"),
            online: Bytes::from_static(b"online"),
            offline: Bytes::from_static(b"offline"),
        }),
        listens_to: vec!["qliksense/v1/#".to_owned()],
    })
}

/// Waits until the announcer has heard all of this, in any order.
async fn hears<const N: usize>(announcer: &Announcer, wanted: [(&str, &str); N]) {
    let mut missing = wanted.to_vec();
    while !missing.is_empty() {
        let heard = timeout(PATIENCE, announcer.heard()).await;
        let (topic, payload) =
            heard.unwrap_or_else(|_| panic!("{missing:?} did not come")).unwrap();
        missing.retain(|wanted| *wanted != (&topic, &String::from_utf8_lossy(&payload)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mqtt_listener_retains_what_is_kept() {
    let port = free_port();
    let mut server = NatsServer::start_with(&format!(
        "server_name: footman-test\nmqtt {{ host: \"127.0.0.1\", port: {port} }}"
    ))
    .await;
    let first = announcer(port, "first");
    first.keep("qliksense/v1/state/host%2Ea".to_owned(), "1");
    timeout(PATIENCE, first.is_true()).await.unwrap();
    // Somebody who comes later finds it.
    let second = announcer(port, "second");
    let state = ("qliksense/v1/state/host%2Ea", "1");
    hears(&second, [state, ("qliksense/v1/status/first", "online")]).await;

    server.kill();
    server.lose_everything();
    first.keep("qliksense/v1/state/host%2Ea".to_owned(), "2");
    first.keep("qliksense/v1/state/b".to_owned(), "1");
    server.restart().await;
    hears(&second, [("qliksense/v1/state/host%2Ea", "2")]).await;
    timeout(PATIENCE, first.is_true()).await.unwrap();
    let third = announcer(port, "third");
    hears(&third, [("qliksense/v1/state/b", "1")]).await;
    first.clear("qliksense/v1/state/b");
    hears(&third, [("qliksense/v1/state/b", "")]).await;
    drop(first);
    hears(&third, [("qliksense/v1/status/first", "offline")]).await;
    timeout(PATIENCE, third.close()).await.unwrap();
}
