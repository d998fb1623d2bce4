//! What every broker must do, whichever driver carries it.
//!
//! One suite, run over each driver; a new driver implements [`Broker`] and adds a line to
//! [`contract_for!`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod drivers;
mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use shared::broker::{Consumer, DeadLetters, Delivery};

/// A broker under test.
#[async_trait]
trait Broker: Send + Sync + Sized {
    /// Begins with an empty broker.
    async fn start() -> Self;

    /// Publishes an event about `name` and returns once the broker has confirmed it.
    async fn publish(&self, name: &str);

    /// Joins the consumer group.
    async fn consumer(&self) -> Box<dyn Consumer>;

    /// The group's dead letters.
    async fn dead_letters(&self) -> Arc<dyn DeadLetters>;

    /// Publishes the event of a delivery once more, as a replay does.
    async fn put_back(&self, delivery: &Delivery);

    /// Ends the broker and its clients and begins anew over what it kept, if it keeps anything.
    async fn restarted(self) -> Option<Self>;
}

macro_rules! contract_for {
    ($($driver:ident => $broker:ty),* $(,)?) => {$(
        mod $driver {
            use crate::{drivers, suite};

            contract_for!(@tests $broker:
                delivers_in_order_and_unchanged,
                keeps_what_is_published_before_anybody_consumes,
                waits_for_events_and_may_be_cancelled,
                gives_no_more_than_asked_for,
                delivers_again_what_was_not_acked,
                never_delivers_again_what_was_acked,
                survives_a_restart,
                carries_the_largest_event,
                keeps_dead_letters,
                tells_of_one_dead_letter_and_of_all,
                delivers_what_is_put_back,
            );
        }
    )*};
    (@tests $broker:ty: $($test:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            suite::$test(<$broker as crate::Broker>::start().await).await;
        }
    )*};
}

contract_for! {
    memory => drivers::Memory,
    embedded => drivers::Embedded,
    mqtt => drivers::Mqtt,
    nats => drivers::Nats,
}
