//! Announcements over mosquitto: what it is to retain is there through everything, and nothing is
//! published twice without a reason.

use bytes::Bytes;
use integration_tests::mosquitto::{Mosquitto, password_file};
use integration_tests::patience::{PATIENCE, eventually};
use shared::announce::{Address, Announcer, AnnouncerSettings, Standing, Will};
use shared::config::Tls;
use shared::secret::Secret;
use tokio::time::timeout;

use crate::security::certificates;

const USER: &str = "footman";
const PASSWORD: &str = "MARKER-right";

fn settings(mosquitto: &Mosquitto) -> AnnouncerSettings {
    AnnouncerSettings {
        name: "test's topics",
        section: "collector.example",
        address: Address { host: "127.0.0.1".to_owned(), port: mosquitto.port(), is_tls: false },
        username: None,
        password: None,
        tls: Tls::default(),
        client_id: "announcer".to_owned(),
        will: None,
        listens_to: Vec::new(),
    }
}

async fn is_true(announcer: &Announcer) {
    timeout(PATIENCE, announcer.is_true()).await.unwrap();
}

/// Waits until the broker is missing for a reason that holds `words`.
async fn away(announcer: &Announcer, words: &str) -> String {
    eventually(&format!("the broker to be missing: {words}"), || async {
        match &*announcer.standing().borrow() {
            Standing::Away { why } if why.contains(words) => Some(why.clone()),
            _ => None,
        }
    })
    .await
}

/// What a subscriber that comes now finds retained.
async fn retains(mosquitto: &Mosquitto, topic: &str, wanted: &str) {
    mosquitto.subscriber("#").await.receives(topic, wanted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_is_retained_once_and_again_after_a_broker_that_forgot() {
    let mut mosquitto = Mosquitto::start().await;
    let subscriber = mosquitto.subscriber("#").await;
    let announcer = Announcer::start(AnnouncerSettings {
        will: Some(Will {
            topic: "status".to_owned(),
            online: Bytes::from_static(b"online"),
            offline: Bytes::from_static(b"offline"),
        }),
        ..settings(&mosquitto)
    });
    announcer.keep("a".to_owned(), "1");
    announcer.keep("b".to_owned(), "large".repeat(10_000));
    announcer.keep("a".to_owned(), "1");
    is_true(&announcer).await;
    announcer.keep("a".to_owned(), "2");
    announcer.keep("gone".to_owned(), "1");
    is_true(&announcer).await;
    announcer.clear("gone");
    announcer.tell("fence".to_owned(), "1", false);
    subscriber.receives("fence", "1").await;
    assert_eq!(subscriber.received("status"), ["online"]);
    assert_eq!(subscriber.received("a").last().unwrap(), "2");
    assert!(subscriber.received("a").len() <= 2, "unchanged values are not published");
    assert_eq!(subscriber.received("b"), ["large".repeat(10_000)]);
    announcer.again();
    eventually("everything again", || async {
        (subscriber.received("b").len() == 2).then_some(())
    })
    .await;
    retains(&mosquitto, "a", "2").await;

    mosquitto.kill();
    mosquitto.lose_everything();
    away(&announcer, "127.0.0.1").await;
    announcer.keep("a".to_owned(), "3");
    announcer.tell("told".to_owned(), "old", false);
    announcer.tell("told".to_owned(), "new", false);
    mosquitto.restart().await;
    is_true(&announcer).await;
    eventually("the connection", || async {
        (*announcer.standing().borrow() == Standing::Connected).then_some(())
    })
    .await;
    for (topic, wanted) in [("status", "online"), ("a", "3")] {
        retains(&mosquitto, topic, wanted).await;
    }
    let later = mosquitto.subscriber("#").await;
    later.receives("b", &"large".repeat(10_000)).await;
    assert!(later.received("gone").is_empty(), "what was cleared stays so");

    timeout(PATIENCE, announcer.close()).await.unwrap();
    later.receives("status", "offline").await;
    assert_eq!(announcer.heard().await, None);
    assert!(announcer.counts().published >= 10, "{:?}", announcer.counts());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_says_offline_for_a_program_that_is_gone() {
    let mosquitto = Mosquitto::start().await;
    let subscriber = mosquitto.subscriber("#").await;
    let announcer = Announcer::start(AnnouncerSettings {
        will: Some(Will {
            topic: "status".to_owned(),
            online: Bytes::from_static(b"online"),
            offline: Bytes::from_static(b"offline"),
        }),
        listens_to: vec!["birth".to_owned(), "state/+".to_owned()],
        ..settings(&mosquitto)
    });
    subscriber.receives("status", "online").await;
    // What was retained there before, and what is said from now on.
    mosquitto.publish_retained("state/old", "1");
    assert!(mosquitto.publish("birth", b"online", &[]));
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let message = timeout(PATIENCE, announcer.heard()).await.unwrap().unwrap();
        heard.push(format!("{}={}", message.0, String::from_utf8_lossy(&message.1)));
    }
    heard.sort();
    assert_eq!(heard, ["birth=online", "state/old=1"]);
    drop(announcer);
    subscriber.receives("status", "offline").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_a_password_are_used_and_their_faults_said() {
    let mut ca = None;
    let mosquitto = Mosquitto::start_with(|directory| {
        ca = Some(directory.join("ca.pem"));
        let file = directory.join("passwords");
        password_file(&file, USER, &Secret::new(PASSWORD));
        let tls = certificates(directory);
        format!("{tls}allow_anonymous false\npassword_file {}\n", file.display())
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "MARKER-wrong").unwrap();
    let with = |ca: &std::path::Path| AnnouncerSettings {
        address: Address { host: "localhost".to_owned(), port: mosquitto.port(), is_tls: true },
        username: Some(USER.to_owned()),
        password: Some(Secret::from_file(&file).unwrap()),
        tls: Tls { ca: Some(ca.to_owned()), client: None },
        listens_to: vec!["kept".to_owned()],
        ..settings(&mosquitto)
    };
    let elsewhere = tempfile::tempdir().unwrap();
    certificates(elsewhere.path());
    let stranger = Announcer::start(with(&elsewhere.path().join("ca.pem")));
    away(&stranger, "collector.example.tls").await;
    drop(stranger);

    let announcer = Announcer::start(with(&ca.unwrap()));
    announcer.keep("kept".to_owned(), "value");
    let why = away(&announcer, "collector.example.password").await;
    assert!(!why.contains("MARKER") && !why.contains(USER), "{why}");
    assert!(!format!("{announcer:?}").contains("MARKER"));
    // Renewed while it runs.
    std::fs::write(&file, PASSWORD).unwrap();
    let heard = timeout(PATIENCE, announcer.heard()).await.unwrap().unwrap();
    assert_eq!(heard, ("kept".to_owned(), Bytes::from_static(b"value")));
}
