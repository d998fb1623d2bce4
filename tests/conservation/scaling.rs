//! Writers join, leave in good order and are killed, while polls flow.

use integration_tests::patience::eventually;

use crate::books::{Known, balance};
use crate::chance::rounds;
use crate::rig::{On, Rig};
use crate::table::conclude;

/// One writer, three, and one again: the second is killed, the third leaves in good order.
pub(crate) async fn up_and_down(on: On) {
    let mut rig = Rig::start(on).await;
    for round in 0..rounds() {
        rig.flows().await;
        for name in ["second", "third"] {
            let mut writer = rig.writer(name);
            writer.start().await;
            rig.writers.push(writer);
        }
        for writer in &rig.writers {
            has_work(writer, round).await;
        }
        rig.flows().await;
        rig.writers[1].kill();
        rig.flows().await;
        let ended = rig.writers[2].process().terminate().await;
        assert_eq!(ended.code(), Some(0), "{}", rig.writers[2].printed());
        rig.writers.truncate(1);
    }
    rig.settle().await;
    let books = balance(&rig, Known::default()).await;
    conclude(&rig, "writers 1, 3, 1: joined, killed, left", rounds(), &books).await;
}

async fn has_work(writer: &integration_tests::programs::Running, round: u64) {
    let what = format!("work for {} in round {round}", writer.instance());
    eventually(&what, || async {
        writer.metric("writer_events_stored_total").await.filter(|stored| *stored > 0.0)
    })
    .await;
}

crate::on! {
    nats: super::up_and_down => writers_come_and_go;
    mqtt: super::up_and_down => writers_come_and_go;
}
