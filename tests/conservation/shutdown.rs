//! Programs asked to end, at any moment: they end in time with exit code 0, say what is left, and
//! the next start loses none of it.

use std::time::Duration;

use integration_tests::fault_proxy::Flow;
use integration_tests::influxdb_door::Mischief;
use integration_tests::patience::eventually;
use integration_tests::programs::Running;
use rusqlite::Connection;
use simulator::{Endpoint, Fault};

use crate::books::{Known, balance};
use crate::chance::rounds;
use crate::rig::{On, Rig, outbox_of};
use crate::table::conclude;

/// How long a drain may take.
const GRACE: &str = "  shutdownGrace: 2s\n";
/// How long the whole end may take here: the grace, and what a loaded machine adds.
const IN_TIME: Duration = Duration::from_secs(20);
const A_WHILE: Duration = Duration::from_millis(1_500);
/// More than a drain can meet.
const EVERY_WRITE: usize = 1_000;
/// Polls that hang for longer than the grace.
const PATIENT_POLLS: [(&str, &str); 1] =
    [("FOOTMAN__SERVERS_TO_MONITOR__POLLING_INTERVAL", "30000")];

/// Ends a program in good order.
async fn ends(program: &mut Running) {
    let name = program.name();
    let ended = tokio::time::timeout(IN_TIME, program.process().terminate()).await;
    let printed = program.printed();
    let ended = ended.unwrap_or_else(|_| panic!("{name} does not end:\n{printed}"));
    assert_eq!(ended.code(), Some(0), "{name}:\n{printed}");
}

/// What a program said in its last life.
fn last_words(program: &Running) -> String {
    let printed = program.printed();
    let begins = printed.rfind("Shutting down").unwrap_or_default();
    printed.get(begins..).unwrap().to_owned()
}

async fn settled(mut rig: Rig, fault: &str, rounds: u64) {
    rig.settle().await;
    let books = balance(&rig, Known::default()).await;
    conclude(&rig, fault, rounds, &books).await;
}

pub(crate) async fn at_random(on: On) {
    let mut rig = Rig::start_with(on, GRACE).await;
    for round in 0..rounds() {
        let moment = rig.chance.within(A_WHILE);
        tokio::time::sleep(moment).await;
        let program = if round % 2 == 0 { &mut rig.collector } else { rig.storing() };
        ends(program).await;
        program.start().await;
    }
    settled(rig, "asked to end at random", rounds()).await;
}

/// Before anything that a program depends on was ever there.
pub(crate) async fn right_after_the_start(on: On) {
    let mut rig = Rig::prepare(on, GRACE).await;
    let joints = [&rig.collector_side, &rig.writer_side, &rig.influxdb_side];
    for joint in joints {
        joint.refuse(true);
    }
    for _ in 0..rounds() {
        for writer in &mut rig.writers {
            writer.start().await;
            ends(writer).await;
        }
        rig.collector.start().await;
        ends(&mut rig.collector).await;
    }
    let joints = [&rig.collector_side, &rig.writer_side, &rig.influxdb_side];
    for joint in joints {
        joint.refuse(false);
    }
    for writer in &mut rig.writers {
        writer.start().await;
    }
    rig.collector.start().await;
    settled(rig, "asked to end right after the start", rounds()).await;
}

/// A poll that outlives the grace is told of by the next start.
pub(crate) async fn while_polls_hang(on: On) {
    let mut rig = Rig::prepare(on, GRACE).await;
    for writer in &mut rig.writers {
        writer.start().await;
    }
    for server in 0..rig.site.servers().len() {
        rig.site.set_fault(server, Endpoint::Engine, Some(Fault::Hang)).await.unwrap();
    }
    rig.collector.start_with(&PATIENT_POLLS).await;
    eventually("a request that hangs", || async {
        rig.site.traffic(0, Endpoint::Engine).ok().filter(|traffic| traffic.requests > 0)
    })
    .await;
    ends(&mut rig.collector).await;
    let words = last_words(&rig.collector);
    assert!(words.contains("Polls are still open after half of shutdownGrace"), "{words}");
    rig.site.clear_faults().await.unwrap();
    rig.collector.start().await;
    settled(rig, "asked to end while polls hang", 1).await;
}

pub(crate) async fn in_the_middle_of_a_backlog(on: On) {
    let mut rig = Rig::start_with(on, GRACE).await;
    for _ in 0..rounds() {
        rig.influxdb_side.refuse(true);
        rig.influxdb_side.cut();
        rig.flows().await;
        let taken = rig.door.takes(1);
        rig.influxdb_side.refuse(false);
        taken.await;
        ends(rig.storing()).await;
        rig.storing().start().await;
    }
    settled(rig, "asked to end as a backlog drains", rounds()).await;
}

/// InfluxDB holds every request, and takes what it was given some time later or never.
pub(crate) async fn while_influxdb_hangs(on: On) {
    let mut rig = Rig::start_with(on, GRACE).await;
    for _ in 0..rounds() {
        let caught = rig.door.played(1);
        rig.door.plays(&Mischief::HangAfter, EVERY_WRITE);
        caught.await;
        rig.flows().await;
        ends(rig.storing()).await;
        let words = last_words(rig.storing());
        let left = match on {
            On::embedded => "Events wait in the queue for the next start",
            On::nats | On::mqtt => "what is not stored stays with the broker",
        };
        assert!(words.contains(left), "{words}");
        rig.door.behaves();
        rig.storing().start().await;
    }
    settled(rig, "asked to end while InfluxDB hangs", rounds()).await;
}

/// The broker is away, and nobody may wait for it.
pub(crate) async fn while_the_broker_is_away(on: On) {
    let mut rig = Rig::start_with(on, GRACE).await;
    for _ in 0..rounds() {
        for joint in [&rig.collector_side, &rig.writer_side] {
            joint.refuse(true);
            joint.cut();
        }
        rig.flows().await;
        ends(&mut rig.collector).await;
        let words = last_words(&rig.collector);
        assert!(words.contains("Events wait in the outbox for the next start"), "{words}");
        ends(rig.storing()).await;
        for joint in [&rig.collector_side, &rig.writer_side] {
            joint.refuse(false);
        }
        rig.storing().start().await;
        rig.collector.start().await;
    }
    settled(rig, "asked to end while the broker is away", rounds()).await;
}

/// The broker is there and says nothing: worse than one that is away.
pub(crate) async fn while_the_broker_hangs(on: On) {
    let mut rig = Rig::start_with(on, GRACE).await;
    for _ in 0..rounds() {
        for joint in [&rig.collector_side, &rig.writer_side] {
            joint.set_both(Flow::Hold);
        }
        rig.flows().await;
        ends(&mut rig.collector).await;
        ends(rig.storing()).await;
        for joint in [&rig.collector_side, &rig.writer_side] {
            joint.cut();
            joint.set_both(Flow::Pass);
        }
        rig.storing().start().await;
        rig.collector.start().await;
    }
    settled(rig, "asked to end while the broker hangs", rounds()).await;
}

/// Whoever cannot wait for the drain asks again.
pub(crate) async fn twice(on: On) {
    // The drain outlives this test.
    let mut rig = Rig::start_with(on, "  shutdownGrace: 5m\n").await;
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let caught = rig.door.played(1);
        rig.door.plays(&Mischief::Hang, EVERY_WRITE);
        caught.await;
        let said = rig.storing().printed().matches("Shutting down").count();
        rig.storing().process().signal(signal);
        eventually("the drain", || async {
            (rig.writers.first().unwrap_or(&rig.collector).printed().matches("Shutting down"))
                .nth(said)
                .map(|_| ())
        })
        .await;
        rig.storing().process().signal(signal);
        let ended = tokio::time::timeout(IN_TIME, rig.storing().process().ended()).await;
        assert_eq!(ended.unwrap().code(), Some(code), "{}", rig.storing().printed());
        rig.door.behaves();
        rig.storing().start().await;
    }
    settled(rig, "asked to end twice", 2).await;
}

/// A writer that soon holds all that it may.
const SMALL_WINDOW: [(&str, &str); 2] = [
    ("FOOTMAN__WRITER__BATCH__MAX_POINTS", "100"),
    ("FOOTMAN__WRITER__MAX_REQUESTS_IN_FLIGHT", "1"),
];

/// A part that cannot go on ends the program, and its supervisor starts it again.
pub(crate) async fn a_part_dies(on: On) {
    let mut rig = Rig::prepare(on, GRACE).await;
    rig.influxdb_side.refuse(true);
    rig.collector.start_with(&SMALL_WINDOW).await;
    rig.serves(100).await;
    let outbox = Connection::open(outbox_of(&rig)).unwrap();
    outbox.busy_timeout(IN_TIME).unwrap();
    // The consumer has more to read, and then cannot.
    outbox.execute_batch("ALTER TABLE events RENAME TO others").unwrap();
    rig.influxdb_side.refuse(false);
    let ended = tokio::time::timeout(IN_TIME, rig.collector.process().ended()).await;
    let printed = rig.collector.printed();
    assert_eq!(ended.expect(&printed).code(), Some(1), "{printed}");
    assert!(printed.contains("no such table"), "{printed}");
    outbox.execute_batch("ALTER TABLE others RENAME TO events").unwrap();
    drop(outbox);
    rig.collector.start().await;
    rig.is_ready().await;
}

crate::on! {
    embedded:
        super::at_random => at_random,
        super::right_after_the_start => right_after_the_start,
        super::while_polls_hang => while_polls_hang,
        super::in_the_middle_of_a_backlog => in_the_middle_of_a_backlog,
        super::while_influxdb_hangs => while_influxdb_hangs,
        super::twice => twice_ends_at_once,
        super::a_part_dies => a_part_that_dies_ends_the_program;
    nats:
        super::at_random => at_random,
        super::right_after_the_start => right_after_the_start,
        super::while_polls_hang => while_polls_hang,
        super::in_the_middle_of_a_backlog => in_the_middle_of_a_backlog,
        super::while_influxdb_hangs => while_influxdb_hangs,
        super::while_the_broker_is_away => while_the_broker_is_away,
        super::while_the_broker_hangs => while_the_broker_hangs,
        super::twice => twice_ends_at_once;
    mqtt:
        super::at_random => at_random,
        super::right_after_the_start => right_after_the_start,
        super::in_the_middle_of_a_backlog => in_the_middle_of_a_backlog,
        super::while_influxdb_hangs => while_influxdb_hangs,
        super::while_the_broker_is_away => while_the_broker_is_away,
        super::while_the_broker_hangs => while_the_broker_hangs;
}
