//! `footman dead-letters` over every broker, against a real InfluxDB that refuses for a real reason.
//!
//! Somebody wrote a text where a number belongs, so that InfluxDB refuses a measurement until it is
//! dropped. `apps.calls` tells the answers of an engine apart.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod refused_by_broker;
mod setup;
mod stories;

macro_rules! stories_over {
    ($($name:ident => $broker:ident),* $(,)?) => {$(
        mod $name {
            use crate::setup::{Kind, Setup};
            use crate::stories;

            stories_over!(@tests $broker:
                a_mended_conflict_is_replayed,
                nobody_need_be_there,
                killed_in_the_middle_of_a_replay,
                full_letters_hold_until_there_is_room,
                only_those_asked_for_are_touched,
            );
        }
    )*};
    (@tests $broker:ident: $($story:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $story() {
            stories::$story(Setup::new(Kind::$broker).await).await;
        }
    )*};
}

stories_over! {
    embedded => Embedded,
    nats => Nats,
    mqtt => Mqtt,
}
