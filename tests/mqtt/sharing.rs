//! Several consumers of a group share its slots: nothing is lost, nothing stays behind, everybody
//! has work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_tests::mosquitto::Mosquitto;
use integration_tests::patience::{PATIENCE, eventually, eventually_equal};
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use shared::broker::Consumer as _;
use shared::broker::mqtt::MqttConsumer;
use shared::config::Mqtt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::site::{
    Records, ids, ids_of, member, publish_all, publisher, ready, receive, receive_all, tags_of,
};

const SLOTS: u16 = 4;
/// Long enough for anything that is going to happen wrongly, most of the time.
const A_WHILE: Duration = Duration::from_secs(3);

fn broker(mosquitto: &Mosquitto) -> Mqtt {
    Mqtt { consumer_slots: SLOTS, ..mosquitto.settings() }
}

fn connections(mosquitto: &Mosquitto) -> usize {
    let slots = 0..SLOTS;
    slots.map(|slot| mosquitto.connections_of(&format!("qliksense-influxdb-slot-{slot}"))).sum()
}

/// What each consumer has received.
type Received = Arc<Mutex<BTreeMap<&'static str, BTreeSet<String>>>>;

/// A consumer that acks what it receives, until it is told to leave or killed.
struct Worker {
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Worker {
    fn start(name: &'static str, mut consumer: Box<MqttConsumer>, received: &Received) -> Self {
        let (leave, mut told) = oneshot::channel();
        let received = Arc::clone(received);
        let task = tokio::spawn(async move {
            loop {
                let some = tokio::select! {
                    some = consumer.receive(50) => some.unwrap(),
                    _ = &mut told => return consumer.close().await.unwrap(),
                };
                consumer.ack(&tags_of(&some)).await.unwrap();
                received.lock().unwrap().entry(name).or_default().extend(ids_of(&some));
            }
        });
        Self { leave, task }
    }

    async fn leave(self) {
        self.leave.send(()).unwrap();
        self.task.await.unwrap();
    }

    async fn kill(self) {
        self.task.abort();
        self.task.await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_three_and_one_again_under_load() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let received = Received::default();
    let count = |name| received.lock().unwrap().get(name).map_or(0, BTreeSet::len);
    let works = async |name| {
        let before = count(name);
        eventually(&format!("work for {name}"), || async { (count(name) > before).then_some(()) })
            .await;
    };
    let (a, joined) = member("a", broker(&mosquitto));
    ready(&joined).await;
    let a = Worker::start("a", a, &received);

    let (publisher, may_publish) = publisher(broker(&mosquitto));
    ready(&may_publish).await;
    let (stop, mut stopped) = oneshot::channel::<()>();
    let publishing = tokio::spawn(async move {
        let mut published = 0;
        while stopped.try_recv().is_err() {
            publish_all(&publisher, &ids(published..published + 50)).await;
            published += 50;
        }
        published
    });

    records.shared_so(&[("a", 4)]).await;
    works("a").await;
    let b = Worker::start("b", member("b", broker(&mosquitto)).0, &received);
    let c = Worker::start("c", member("c", broker(&mosquitto)).0, &received);
    records.shared_so(&[("a", 2), ("b", 1), ("c", 1)]).await;
    for name in ["a", "b", "c"] {
        works(name).await;
    }
    assert_eq!(connections(&mosquitto), 4 + 2, "each slot that moved was connected once more");
    a.leave().await;
    records.shared_so(&[("b", 2), ("c", 2)]).await;
    assert_eq!(connections(&mosquitto), 4 + 2 + 2);
    c.kill().await;
    records.shared_so(&[("b", 4)]).await;
    assert_eq!(connections(&mosquitto), 4 + 2 + 2 + 2);
    works("b").await;

    stop.send(()).unwrap();
    let published = ids(0..publishing.await.unwrap());
    eventually_equal("what did not come", BTreeSet::new(), || async {
        let received = received.lock().unwrap();
        let all: BTreeSet<String> = received.values().flatten().cloned().collect();
        published.difference(&all).cloned().collect()
    })
    .await;
    b.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_member_held_comes_to_another() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (mut dying, _) = member("dying", broker(&mosquitto));
    let (mut living, joined) = member("living", broker(&mosquitto));
    records.shared_so(&[("dying", 2), ("living", 2)]).await;
    ready(&joined).await;
    let (publisher, may_publish) = publisher(broker(&mosquitto));
    ready(&may_publish).await;
    let all = ids(0..400);
    publish_all(&publisher, &all).await;
    assert_eq!(receive(&mut dying, 200).await.len(), 200);
    drop(dying);
    assert_eq!(receive_all(&mut living, &all).await, all.len());
    records.shared_so(&[("living", 4)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_is_handed_over_once_what_came_through_it_is_acked() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (mut elder, joined) = member("elder", broker(&mosquitto));
    ready(&joined).await;
    let (publisher, may_publish) = publisher(broker(&mosquitto));
    ready(&may_publish).await;
    let first = ids(0..100);
    publish_all(&publisher, &first).await;
    let held = receive(&mut elder, first.len()).await;

    let (mut joining, joined) = member("joining", broker(&mosquitto));
    ready(&joined).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(records.shares(SLOTS), BTreeMap::from([("elder".to_owned(), 4)]));
    elder.ack(&tags_of(&held)).await.unwrap();
    records.shared_so(&[("elder", 2), ("joining", 2)]).await;

    // Nothing that was acked comes again, to nobody.
    let more = ids(100..300);
    publish_all(&publisher, &more).await;
    let mut came = ids_of(&receive(&mut elder, 100).await);
    came.extend(ids_of(&receive(&mut joining, 100).await));
    assert_eq!(came.len(), more.len());
    assert_eq!(came.into_iter().collect::<BTreeSet<_>>(), more);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_never_acks_gives_its_slots_away_all_the_same() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (mut stuck, joined) = member("stuck", broker(&mosquitto));
    ready(&joined).await;
    let (publisher, may_publish) = publisher(broker(&mosquitto));
    ready(&may_publish).await;
    let all = ids(0..100);
    publish_all(&publisher, &all).await;
    let held = receive(&mut stuck, all.len()).await;
    let (mut other, _) = member("other", broker(&mosquitto));
    records.shared_so(&[("stuck", 2), ("other", 2)]).await;
    // Its late acks ack nothing of what now belongs to the other.
    let theirs = held.iter().filter(|delivery| delivery.lane >= 2).count();
    let again = receive(&mut other, theirs).await;
    assert!(again.iter().all(|delivery| delivery.redelivered && delivery.lane >= 2));
    stuck.ack(&tags_of(&held)).await.unwrap();
    drop(other);
    records.shared_so(&[("stuck", 4)]).await;
    let once_more = receive(&mut stuck, theirs).await;
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(ids_of(&once_more)), sorted(ids_of(&again)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_lost_its_connection_takes_the_slot_back() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (mut one, joined) = member("one", broker(&mosquitto));
    let (_other, _) = member("other", broker(&mosquitto));
    ready(&joined).await;
    records.shared_so(&[("one", 2), ("other", 2)]).await;
    let slot = (0..SLOTS).find(|&slot| {
        records.of_slot(slot).unwrap().owner.is_some_and(|owner| owner.instance == "one")
    });
    let slot = slot.unwrap();
    let before = records.of_slot(slot).unwrap();
    // A stranger pushes it off, and goes away.
    assert!(session_is_present(&mosquitto, slot).await);
    let id = format!("qliksense-influxdb-slot-{slot}");
    let taken_back = mosquitto.connections_of(&id) + 1;
    eventually_equal("the slot to be taken back", taken_back, || async {
        mosquitto.connections_of(&id)
    })
    .await;
    let again = records.when("it is owned", slot, |record| record.owner.is_some()).await;
    assert_eq!((again.owner, again.takeover), (before.owner, before.takeover));
    let (publisher, may_publish) = publisher(broker(&mosquitto));
    ready(&may_publish).await;
    publish_all(&publisher, &ids(0..100)).await;
    let lanes = receive(&mut one, 50).await.into_iter().map(|delivery| delivery.lane);
    assert!(lanes.collect::<BTreeSet<u16>>().contains(&slot));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_succeeded_yields() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (mut consumer, joined) = member("one", mosquitto.settings());
    ready(&joined).await;
    let before = records.when("it is owned", 0, |record| record.owner.is_some()).await;
    let successor = r#"{"owner":{"process":"writer","instance":"ghost"},"since":"2026-01-01T00:00:00Z","takeover":40}"#;
    mosquitto.publish_retained("qliksense/v1/slots/influxdb/0", successor);
    // The successor is nobody, so the slot comes back, as that of a new owner.
    let after = records.when("it is owned again", 0, |record| record.takeover == 41).await;
    assert_eq!(after.owner, before.owner);
    assert_eq!(mosquitto.connections_of("qliksense-influxdb-slot-0"), 2);
    let (publisher, may_publish) = publisher(mosquitto.settings());
    ready(&may_publish).await;
    publish_all(&publisher, &ids(0..10)).await;
    assert_eq!(receive_all(&mut consumer, &ids(0..10)).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_record_that_comes_late_is_set_right() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (_consumer, joined) = member("one", mosquitto.settings());
    ready(&joined).await;
    let ours = records.when("it is owned", 0, |record| record.owner.is_some()).await;
    let older = r#"{"owner":{"process":"writer","instance":"ghost"},"since":"2026-01-01T00:00:00Z","takeover":0}"#;
    mosquitto.publish_retained("qliksense/v1/slots/influxdb/0", older);
    records.when("the older record", 0, |record| record.takeover == 0).await;
    records.when("it is ours", 0, |record| *record == ours).await;
    assert_eq!(mosquitto.connections_of("qliksense-influxdb-slot-0"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_ghost_owns_is_adopted() {
    let mosquitto = Mosquitto::start().await;
    // As after a broker that was killed and came back with old records, whose writers are gone.
    let member_record =
        r#"{"process":"writer","instance":"ghost","start":"01JC","slots":2,"beat":5}"#;
    mosquitto.publish_retained("qliksense/v1/slots/influxdb/members/writer-ghost", member_record);
    let owned = r#"{"owner":{"process":"writer","instance":"ghost"},"since":"2026-01-01T00:00:00Z","takeover":3}"#;
    mosquitto.publish_retained("qliksense/v1/slots/influxdb/0", owned);
    let records = Records::of(&mosquitto).await;
    let broker = Mqtt { consumer_slots: 2, ..mosquitto.settings() };
    let (_consumer, _) = member("one", broker);
    records.shared_so(&[("one", 2)]).await;
    assert_eq!(records.of_slot(0).unwrap().takeover, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_share_as_before_after_a_restart_of_the_broker() {
    let mut mosquitto = Mosquitto::start().await;
    let members = ["a", "b"].map(|name| member(name, broker(&mosquitto)));
    let records = Records::of(&mosquitto).await;
    records.shared_so(&[("a", 2), ("b", 2)]).await;
    let (publisher, _) = publisher(broker(&mosquitto));
    let all = ids(0..200);
    publish_all(&publisher, &all).await;
    drop(records);
    mosquitto.stop().await;
    mosquitto.restart().await;
    let records = Records::of(&mosquitto).await;
    records.shared_so(&[("a", 2), ("b", 2)]).await;
    let received = Received::default();
    let members = ["a", "b"].into_iter().zip(members);
    let _working: Vec<Worker> =
        members.map(|(name, (consumer, _))| Worker::start(name, consumer, &received)).collect();
    eventually_equal("everything", all, || async {
        received.lock().unwrap().values().flatten().cloned().collect()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_nobody_wants_are_emptied_and_deleted() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (consumer, joined) = member("one", broker(&mosquitto));
    ready(&joined).await;
    let (publisher, may_publish) = publisher(broker(&mosquitto));
    ready(&may_publish).await;
    let all = ids(0..400);
    publish_all(&publisher, &all).await;
    consumer.close().await.unwrap();

    let fewer = Mqtt { consumer_slots: 2, ..mosquitto.settings() };
    let (mut consumer, _) = member("one", fewer);
    assert_eq!(receive_all(&mut consumer, &all).await, all.len());
    // Meanwhile events go on; none is put into what is about to be deleted.
    let received = Received::default();
    let worker = Worker::start("one", consumer, &received);
    let deadline = Instant::now() + PATIENCE;
    let mut published = 400;
    while [2, 3].into_iter().any(|slot| records.of_slot(slot).is_some()) {
        assert!(Instant::now() < deadline, "they are still there");
        publish_all(&publisher, &ids(published..published + 20)).await;
        published += 20;
    }
    eventually_equal("everything", ids(400..published), || async {
        received.lock().unwrap().values().flatten().cloned().collect()
    })
    .await;
    worker.leave().await;
    for slot in 0..SLOTS {
        assert_eq!(session_is_present(&mosquitto, slot).await, slot < 2, "{slot}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_is_deleted_before_its_last_event_is_acked() {
    const LAST: &str = "qliksense-influxdb-slot-3";
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (consumer, joined) = member("one", broker(&mosquitto));
    ready(&joined).await;
    let (publisher, may_publish) = publisher(broker(&mosquitto));
    ready(&may_publish).await;
    let all = ids(0..200);
    publish_all(&publisher, &all).await;
    consumer.close().await.unwrap();

    let fewer = Mqtt { consumer_slots: 2, ..mosquitto.settings() };
    let (mut consumer, _) = member("one", fewer.clone());
    assert_eq!(receive(&mut consumer, all.len()).await.len(), all.len());
    // A stranger pushes it off while it waits for the acks.
    assert!(session_is_present(&mosquitto, 3).await);
    let back = mosquitto.connections_of(LAST) + 1;
    eventually_equal("the slot to be connected again", back, || async {
        mosquitto.connections_of(LAST)
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    assert!(records.of_slot(3).is_some());
    drop(consumer);
    let (mut consumer, _) = member("two", fewer);
    assert_eq!(receive_all(&mut consumer, &all).await, all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_slots_are_made_by_whoever_they_belong_to() {
    let mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let two = Mqtt { consumer_slots: 2, ..mosquitto.settings() };
    let (_a, _) = member("a", two.clone());
    records.shared_so(&[("a", 2)]).await;
    let (_b, _) = member("b", Mqtt { consumer_slots: 6, ..two });
    records.shared_so(&[("a", 3), ("b", 3)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_keeps_its_name_as_long_as_it_lives() {
    let mut mosquitto = Mosquitto::start().await;
    let records = Records::of(&mosquitto).await;
    let (first, _) = member("first", mosquitto.settings());
    let made = records.when("it is owned", 0, |record| record.owner.is_some()).await;
    let name = made.session.clone().unwrap();
    drop(first);
    let left = records.when("its owner died", 0, |record| record.owner.is_none()).await;
    assert_eq!((left.session.as_ref(), left.released), (Some(&name), false));
    let (second, _) = member("second", mosquitto.settings());
    let adopted = records.when("it is owned again", 0, |record| record.owner.is_some()).await;
    assert_eq!((adopted.session.as_ref(), adopted.takeover), (Some(&name), made.takeover + 1));

    // The broker is killed: what it has not saved is gone, sessions too.
    drop(records);
    mosquitto.kill();
    mosquitto.restart().await;
    let records = Records::of(&mosquitto).await;
    let anew = records.when("it is made anew", 0, |record| record.owner.is_some()).await;
    let new_name = anew.session.clone().unwrap();
    assert_ne!(new_name, name);
    // Its last will knows the new name.
    eventually_equal("a connection with the right last will", 2, || async {
        mosquitto.connections_of("qliksense-influxdb-slot-0") - 2
    })
    .await;
    drop(second);
    let left = records.when("its owner died", 0, |record| record.owner.is_none()).await;
    assert_eq!(left.session, Some(new_name));
}

/// Whether the broker has a session for a slot. Whoever is connected as it is pushed off.
async fn session_is_present(mosquitto: &Mosquitto, slot: u16) -> bool {
    let id = format!("qliksense-influxdb-slot-{slot}");
    let mut options = MqttOptions::new(id, "127.0.0.1", mosquitto.port());
    options.set_clean_start(false).set_session_expiry_interval(Some(3_600)).set_manual_acks(true);
    let (_client, mut event_loop) = AsyncClient::new(options, 10);
    let first = timeout(A_WHILE, event_loop.poll()).await.unwrap().unwrap();
    let Event::Incoming(Packet::ConnAck(connack)) = first else { panic!("{first:?}") };
    connack.session_present
}
