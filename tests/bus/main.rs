//! Separate programs over a real broker: collector, NATS or MQTT, writers, a real InfluxDB.
//!
//! The same stories over each broker. The site's ledger says what was served, InfluxDB what is
//! stored; `apps.calls` tells the answers of an engine apart.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod brokers;
mod contract;
mod poison;
mod site;
mod stories;
mod subscribers;
mod taps;
mod twins;

macro_rules! stories_over {
    ($($name:ident => $broker:ident),* $(,)?) => {$(
        mod $name {
            use crate::stories;

            stories_over!(@tests $broker:
                every_answer_is_stored,
                everything_may_be_absent_at_first,
                the_broker_may_be_killed,
                programs_die_and_come_back_in_any_order,
                footman_run_uses_the_broker_too,
                every_program_beats,
                the_programs_answer_for_themselves,
                several_writers_share,
                writers_come_and_go,
                taps_disturb_nobody,
            );
        }
    )*};
    (@tests $broker:ident: $($story:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $story() {
            stories::$story::<crate::brokers::$broker>().await;
        }
    )*};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_of_a_nats_cluster_may_be_killed() {
    stories::the_broker_may_be_killed::<brokers::ClusterBroker>().await;
}

stories_over! {
    nats => NatsBroker,
    mqtt => MqttBroker,
}
