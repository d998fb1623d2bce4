//! What no writer has ever seen: events that the broker refuses, and replays that nobody takes.

use integration_tests::influxd::Influxd;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use shared::broker::DeadLetter;
use simulator::{Endpoint, Site, SiteConfig};

use crate::setup::{Kind, Setup, house};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_refuses_is_listed_and_published_once_it_is_taken() {
    // Smaller than an event about health, larger than a heartbeat.
    let mut server = NatsServer::start_with("max_payload: 1200").await;
    let config = SiteConfig { servers: 1, ..SiteConfig::for_test().unwrap() };
    let (site, influxd) = (Site::start(config).await.unwrap(), Influxd::start().await);
    let port = server.port();
    let house = house(&site, &influxd, |_directory| {
        format!(
            "  broker:\n    type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{port}\"], maxBytes: 64MiB}}\n"
        )
    });
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    writer.start().await;
    collector.start().await;
    site.ledger().wait_for_count(0, Endpoint::Engine, 2).await;
    let listed = eventually("letters beside the outbox", || async {
        let (_, listed) = house.dead_letters(&["list"]).await;
        listed.contains("more that the broker refused").then_some(listed)
    })
    .await;
    assert!(listed.contains("refused by the broker: "), "{listed}");
    assert!(listed.contains("0 dead letters"), "{listed}");
    let ended = collector.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", collector.printed());

    // Refused once more, they stay.
    let (code, replayed) = house.dead_letters(&["replay", "--all"]).await;
    assert_eq!(code, Some(1), "{replayed}");
    assert!(replayed.contains("not replayed: the broker refuses the event"), "{replayed}");

    server.stop().await;
    server.configure("");
    server.restart().await;
    let (code, replayed) = house.dead_letters(&["replay", "--all"]).await;
    assert_eq!(code, Some(0), "{replayed}");
    assert!(replayed.contains("published: the broker takes it now"), "{replayed}");
    let (_, listed) = house.dead_letters(&["list"]).await;
    assert_eq!(listed, "There are no dead letters.\n");
    let served = site.ledger().count(0, Endpoint::Engine);
    eventually("every answer in InfluxDB", || async {
        let query = "SELECT count(calls) FROM apps";
        let count = influxd.value("senseops", query, "count").await?.as_u64()?;
        (count == served).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_nobody_takes_keeps_its_letter() {
    let setup = Setup::new(Kind::Mqtt).await;
    let (_connection, letters) = setup.driver().await;
    let subject = "qliksense/v1/health/sense1".to_owned();
    for id in ["01JA", "01JB"] {
        let event = format!(r#"{{"id":"{id}"}}"#);
        let letter =
            DeadLetter::new(id.to_owned(), subject.clone(), event.as_bytes(), "why".to_owned());
        letters.put(letter).await.unwrap();
    }
    let (code, replayed) = setup.run(&["replay", "--all"]).await;
    assert_eq!(code, Some(1), "{replayed}");
    assert!(replayed.contains("no consumer of the group `influxdb` has subscribed"), "{replayed}");
    assert!(replayed.contains("1 not replayed, 1 not tried."), "{replayed}");
    assert_eq!(setup.ids().await, ["01JA", "01JB"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_makes_nothing() {
    let setup = Setup::new(Kind::Nats).await;
    let (code, listed) = setup.run(&["list"]).await;
    assert_eq!(code, Some(1), "{listed}");
    assert!(listed.contains("the server has no stream QLIKSENSE_DEAD"), "{listed}");

    let setup = Setup::new(Kind::Embedded).await;
    let (code, listed) = setup.run(&["list"]).await;
    assert_eq!(code, Some(0), "{listed}");
    assert!(listed.contains("dead-letters.sqlite does not exist"), "{listed}");
    assert!(!setup.source.directory().join("queue").exists());
    let (code, replayed) = setup.run(&["replay", "--all"]).await;
    assert_eq!(code, Some(0), "{replayed}");
}
