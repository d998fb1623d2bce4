//! The network between the programs and their servers: slow, cut, half-open, deaf on one side.

use std::time::Duration;

use integration_tests::fault_proxy::{Direction, FaultProxy, Flow};

use crate::books::{Known, balance};
use crate::chance::rounds;
use crate::rig::{On, Rig};
use crate::table::conclude;

/// Each way, for each piece.
const LATENCY: Duration = Duration::from_millis(60);
const BETWEEN_CUTS: Duration = Duration::from_millis(400);
/// Connections that are cut in one round.
const CUTS: u32 = 6;
/// Half-open for longer than this is noticed by the programs themselves; a shorter time is not,
/// and then the connection breaks.
const HALF_OPEN: Duration = Duration::from_secs(3);

impl Rig {
    fn joints(&self) -> [&FaultProxy; 3] {
        [&self.collector_side, &self.writer_side, &self.influxdb_side]
    }
}

async fn settled(mut rig: Rig, fault: &str) {
    rig.settle().await;
    let books = balance(&rig, Known::default()).await;
    conclude(&rig, fault, rounds(), &books).await;
}

pub(crate) async fn latency(on: On) {
    let mut rig = Rig::start(on).await;
    for joint in rig.joints() {
        joint.set_both(Flow::Delay(LATENCY));
    }
    for _ in 0..rounds() {
        rig.flows().await;
    }
    for joint in rig.joints() {
        joint.set_both(Flow::Pass);
    }
    settled(rig, "latency of 60 ms at every joint").await;
}

pub(crate) async fn cuts(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        for _ in 0..CUTS {
            let joint = usize::try_from(rig.chance.number(0, 2)).unwrap();
            rig.joints()[joint].cut();
            let moment = rig.chance.within(BETWEEN_CUTS);
            tokio::time::sleep(moment).await;
        }
        rig.flows().await;
    }
    settled(rig, "connections cut at random").await;
}

/// Everything vanishes on one joint after the other, and nobody is told.
pub(crate) async fn half_open(on: On) {
    vanishes(on, &[Direction::ToServer, Direction::ToClient], "half-open connections").await;
}

pub(crate) async fn only_to_the_server(on: On) {
    vanishes(on, &[Direction::ToClient], "answers vanish").await;
}

pub(crate) async fn only_to_the_client(on: On) {
    vanishes(on, &[Direction::ToServer], "questions vanish").await;
}

async fn vanishes(on: On, directions: &[Direction], fault: &str) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        let joint = usize::try_from(rig.chance.number(0, 2)).unwrap();
        for direction in directions {
            rig.joints()[joint].set(*direction, Flow::Swallow);
        }
        let moment = rig.chance.within(HALF_OPEN);
        tokio::time::sleep(moment).await;
        // A connection that has lost bytes never goes on: TCP ends it some time.
        rig.joints()[joint].cut();
        rig.joints()[joint].set_both(Flow::Pass);
        rig.flows().await;
    }
    settled(rig, fault).await;
}

crate::on! {
    embedded:
        super::cuts => connections_are_cut,
        super::only_to_the_server => answers_vanish;
    nats:
        super::latency => everything_is_slow,
        super::cuts => connections_are_cut,
        super::half_open => connections_are_half_open,
        super::only_to_the_server => answers_vanish,
        super::only_to_the_client => questions_vanish;
    mqtt:
        super::latency => everything_is_slow,
        super::cuts => connections_are_cut,
        super::half_open => connections_are_half_open,
        super::only_to_the_server => answers_vanish,
        super::only_to_the_client => questions_vanish;
}
