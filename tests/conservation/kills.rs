//! Programs killed with SIGKILL, at every point between a poll and its ack.

use std::time::Duration;

use integration_tests::fault_proxy::{Direction, Flow};
use integration_tests::influxdb_door::Mischief;

use crate::books::{Known, balance};
use crate::chance::rounds;
use crate::rig::{On, Rig};
use crate::table::conclude;

/// Longer than a group of the outbox waits for its commit.
const GROUP: Duration = Duration::from_millis(25);
/// The smallest event is larger than this, and everything else that is said to a broker smaller.
const EVENT_BYTES: u64 = 600;
const A_WHILE: Duration = Duration::from_millis(1_500);

/// The books after the last round.
async fn settled(mut rig: Rig, fault: &str, rounds: u64) {
    rig.settle().await;
    let books = balance(&rig, Known::default()).await;
    conclude(&rig, fault, rounds, &books).await;
}

/// Kills the collector some time after an answer has left the site.
async fn collector_within(on: On, longest: Duration, fault: &str) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        let moment = rig.chance.within(longest);
        tokio::time::sleep(moment).await;
        rig.collector.kill();
        rig.collector.start().await;
    }
    settled(rig, fault, rounds()).await;
}

/// An answer has left the site, and the outbox has not committed it.
pub(crate) async fn before_the_commit(on: On) {
    collector_within(on, Duration::ZERO, "collector killed as an answer arrives").await;
}

/// Around the commit, before and after it.
pub(crate) async fn around_the_commit(on: On) {
    collector_within(on, GROUP, "collector killed around the commit").await;
}

/// At any moment.
pub(crate) async fn collector_at_random(on: On) {
    collector_within(on, A_WHILE, "collector killed at random").await;
}

/// The broker has the event, and its confirmation has not come back.
pub(crate) async fn after_the_publish(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        let published = rig.collector_side.sees(Direction::ToServer, EVENT_BYTES);
        rig.collector_side.set(Direction::ToClient, Flow::Hold);
        published.await;
        rig.collector.kill();
        rig.collector_side.cut();
        rig.collector_side.set_both(Flow::Pass);
        rig.collector.start().await;
    }
    settled(rig, "collector killed before the confirmation", rounds()).await;
}

/// The request has left the writer, and InfluxDB has not seen it.
pub(crate) async fn before_the_write(on: On) {
    at_a_write(on, &Mischief::Hang, "writer killed before the write").await;
}

/// InfluxDB has the points, and the writer does not know.
pub(crate) async fn after_the_write(on: On) {
    at_a_write(on, &Mischief::HangAfter, "writer killed after the write").await;
}

async fn at_a_write(on: On, mischief: &Mischief, fault: &str) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        let caught = rig.door.played(1);
        rig.door.plays(mischief, 1);
        caught.await;
        rig.storing().kill();
        rig.storing().start().await;
    }
    settled(rig, fault, rounds()).await;
}

/// The writer knows that the points are stored, and the broker has not heard the ack.
pub(crate) async fn before_the_ack(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        rig.writer_side.set(Direction::ToServer, Flow::Hold);
        rig.door.takes(1).await;
        let moment = rig.chance.within(GROUP);
        tokio::time::sleep(moment).await;
        rig.storing().kill();
        rig.writer_side.cut();
        rig.writer_side.set_both(Flow::Pass);
        rig.storing().start().await;
        // What holds its acks back must not hold its connections back.
        rig.storing().ready().await;
    }
    settled(rig, "writer killed before the ack", rounds()).await;
}

/// At any moment.
pub(crate) async fn writer_at_random(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        let moment = rig.chance.within(A_WHILE);
        tokio::time::sleep(moment).await;
        rig.storing().kill();
        rig.storing().start().await;
    }
    settled(rig, "writer killed at random", rounds()).await;
}

crate::on! {
    embedded:
        super::before_the_commit => killed_before_the_commit,
        super::around_the_commit => killed_around_the_commit,
        super::before_the_write => killed_before_the_write,
        super::after_the_write => killed_after_the_write,
        super::before_the_ack => killed_before_the_ack,
        super::collector_at_random => killed_at_random;
    nats:
        super::before_the_commit => collector_killed_before_the_commit,
        super::around_the_commit => collector_killed_around_the_commit,
        super::after_the_publish => collector_killed_after_the_publish,
        super::collector_at_random => collector_killed_at_random,
        super::before_the_write => writer_killed_before_the_write,
        super::after_the_write => writer_killed_after_the_write,
        super::before_the_ack => writer_killed_before_the_ack,
        super::writer_at_random => writer_killed_at_random;
    mqtt:
        super::before_the_commit => collector_killed_before_the_commit,
        super::around_the_commit => collector_killed_around_the_commit,
        super::after_the_publish => collector_killed_after_the_publish,
        super::collector_at_random => collector_killed_at_random,
        super::before_the_write => writer_killed_before_the_write,
        super::after_the_write => writer_killed_after_the_write,
        super::before_the_ack => writer_killed_before_the_ack,
        super::writer_at_random => writer_killed_at_random;
}
