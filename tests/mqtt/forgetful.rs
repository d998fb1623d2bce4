//! A broker that forgets what it confirmed: killed after its last snapshot, or before the first one,
//! or one that lost a session. Every event of the outbox arrives all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use integration_tests::mosquitto::Mosquitto;
use integration_tests::outboxes::{Forwarding, id_of};
use integration_tests::patience::eventually_equal;
use shared::broker::mqtt::MqttPublisher;
use shared::broker::{Consumer as _, Publisher};
use shared::outbox::Outbox;
use shared::readiness::Readiness;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::site::{both, consumer, ready, settings, tags_of};

/// The publisher of a collector.
fn publisher(mosquitto: &Mosquitto) -> impl FnOnce(&Outbox) -> Arc<dyn Publisher> {
    let settings = settings(mosquitto.settings(), "collector");
    move |outbox| {
        let dependency = Readiness::default().dependency("broker");
        Arc::new(MqttPublisher::start_for(&settings, outbox.identity(), dependency))
    }
}

/// A writer without its InfluxDB, which notes the ids that it has acked.
struct Writer {
    ids: watch::Receiver<BTreeSet<String>>,
    _consuming: JoinSet<()>,
}

impl Writer {
    fn start(mosquitto: &Mosquitto) -> Self {
        let (mut consumer, _) = consumer(mosquitto.settings());
        let (noted, ids) = watch::channel(BTreeSet::new());
        let mut consuming = JoinSet::new();
        consuming.spawn(async move {
            loop {
                let some = consumer.receive(500).await.unwrap();
                consumer.ack(&tags_of(&some)).await.unwrap();
                noted.send_modify(|ids: &mut BTreeSet<String>| ids.extend(some.iter().map(id_of)));
            }
        });
        Self { ids, _consuming: consuming }
    }

    async fn has(&self, wanted: &BTreeSet<String>) {
        eventually_equal("every event", 0, || async {
            wanted.difference(&self.ids.borrow()).count()
        })
        .await;
    }
}

/// A broker with a session of the group, to which nobody is connected.
async fn with_a_session() -> Mosquitto {
    let mosquitto = Mosquitto::start().await;
    let (publisher, consumer) = both(&mosquitto).await;
    consumer.close().await.unwrap();
    publisher.close().await;
    mosquitto
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_after_the_last_snapshot_is_published_again() {
    let mut mosquitto = with_a_session().await;
    let collector = Forwarding::start(publisher(&mosquitto)).await;
    let mut ids = collector.append(300).await;
    collector.everything_is_confirmed().await;
    mosquitto.save().await;
    ids.extend(collector.append(300).await);
    collector.everything_is_confirmed().await;
    mosquitto.kill();
    mosquitto.restart().await;
    ids.extend(collector.append(100).await);
    // mosquitto keeps sessions and what they hold, but shares with them again only once their
    // clients have come back.
    let writer = Writer::start(&mosquitto);
    collector.everything_is_confirmed().await;
    // From the mark on; and then all of it, since the writer finds that its subscriptions were
    // forgotten, and that a confirmation may have come from somebody else's.
    writer.has(&ids).await;
    let again = collector.forwarded.republished();
    assert!((300..=1_300).contains(&again), "{again}");
    assert_eq!((collector.forwarded.published(), collector.forwarded.confirmed()), (700, 700));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_restarts_meanwhile_finds_out_as_well() {
    let mut mosquitto = with_a_session().await;
    let collector = Forwarding::start(publisher(&mosquitto)).await;
    let mut ids = collector.append(200).await;
    collector.everything_is_confirmed().await;
    mosquitto.save().await;
    ids.extend(collector.append(200).await);
    collector.everything_is_confirmed().await;
    mosquitto.kill();
    let directory = collector.stopped().await;
    mosquitto.restart().await;
    let collector = Forwarding::over(directory, publisher(&mosquitto)).await;
    let writer = Writer::start(&mosquitto);
    writer.has(&ids).await;
    assert!(collector.forwarded.republished() >= 200);

    // After a clean end the mark says all of it.
    let directory = collector.stopped().await;
    let collector = Forwarding::over(directory, publisher(&mosquitto)).await;
    writer.has(&collector.append(1).await).await;
    assert_eq!(collector.forwarded.republished(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_however_often_the_broker_is_killed_under_load() {
    let mut mosquitto = Mosquitto::start().await;
    let collector = Forwarding::start(publisher(&mosquitto)).await;
    let ended = CancellationToken::new();
    let appending = collector.keep_appending(3, ended.clone());
    let mut stored = BTreeSet::new();
    // The first kill finds a broker that never saved anything, others one that saved just now.
    for round in 0..6 {
        // The group comes, and leaves its session to what is published next.
        let writer = Writer::start(&mosquitto);
        collector.confirms(20).await;
        stored.extend(writer.ids.borrow().clone());
        drop(writer);
        collector.confirms(50).await;
        if round % 3 == 1 {
            mosquitto.save().await;
        }
        collector.confirms(50).await;
        mosquitto.kill();
        mosquitto.restart().await;
    }
    ended.cancel();
    let ids = appending.await.unwrap();
    println!("{} events, {} stored before the last kill", ids.len(), stored.len());
    let writer = Writer::start(&mosquitto);
    writer.has(&ids.difference(&stored).cloned().collect()).await;
    collector.everything_is_confirmed().await;
    println!("{} published again", collector.forwarded.republished());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_of_another_outbox_says_nothing() {
    let mosquitto = with_a_session().await;
    let writer = Writer::start(&mosquitto);
    let other = Forwarding::start(publisher(&mosquitto)).await;
    writer.has(&other.append(100).await).await;
    other.stopped().await;
    let ours = Forwarding::start(publisher(&mosquitto)).await;
    writer.has(&ours.append(30).await).await;
    let identity = ours.outbox.identity().to_owned();
    let directory = ours.stopped().await;
    // The broker loses our mark; that of the other one covers more than we have.
    mosquitto.publish_retained(&format!("qliksense/v1/marks/test/{identity}"), "");
    let ours = Forwarding::over(directory, publisher(&mosquitto)).await;
    eventually_equal("everything again", 30, || async { ours.forwarded.republished() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_session_held_is_published_again_once() {
    const TOPIC: &str = "qliksense/v1/app-names/r";
    let mosquitto = Mosquitto::start().await;
    let subscriber = mosquitto.subscriber(TOPIC).await;
    let session = |name: &str| {
        let record = format!(
            r#"{{"since":"2026-11-21T00:00:00.000000000Z","takeover":0,"session":"{name}"}}"#
        );
        mosquitto.publish_retained("qliksense/v1/slots/influxdb/0", &record);
    };
    let received = || async { subscriber.received(TOPIC).len() };
    session("first");
    let collector = Forwarding::start(publisher(&mosquitto)).await;
    collector.is_connected().await;
    collector.append(20).await;
    eventually_equal("the events", 20, received).await;
    collector.everything_is_confirmed().await;
    session("second");
    eventually_equal("the events again", 40, received).await;
    session("second");
    let directory = collector.stopped().await;
    // Lost while nobody looked.
    session("third");
    let collector = Forwarding::over(directory, publisher(&mosquitto)).await;
    eventually_equal("the events once more", 60, received).await;
    let directory = collector.stopped().await;
    let collector = Forwarding::over(directory, publisher(&mosquitto)).await;
    collector.is_connected().await;
    collector.append(1).await;
    eventually_equal("the new one alone", 61, received).await;
    assert_eq!(collector.forwarded.republished(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_use_marks_is_told_so() {
    for (access, words) in [
        (
            "topic readwrite qliksense/v1/slots/#\ntopic write qliksense/v1/#\n",
            "does not give back",
        ),
        ("topic read qliksense/v1/#\ntopic write qliksense/v1/app-names/#\n", "access list"),
    ] {
        let mosquitto = Mosquitto::start_with(|directory| {
            let file = directory.join("access");
            std::fs::write(&file, access).unwrap();
            format!("acl_file {}\n", file.display())
        })
        .await;
        let readiness = Readiness::default();
        let settings = settings(mosquitto.settings(), "collector");
        let dependency = readiness.dependency("broker");
        let _publisher = MqttPublisher::start_for(&settings, "01OUTBOX", dependency);
        let why = crate::site::missing(&readiness, words).await;
        assert!(why.contains("qliksense/v1/marks/test/01OUTBOX"), "{why}");
    }
    // Without a user's list everybody may.
    let mosquitto = Mosquitto::start().await;
    let (_consumer, joined) = consumer(mosquitto.settings());
    ready(&joined).await;
}
