//! The limit of consuming: the same messages, taken and acked by the client library alone.

mod mqtt;
mod nats;
mod queue;

use std::time::Duration;

use integration_tests::influxdb_sink::{InfluxDbSink, Manner};
use integration_tests::made_up::Mix;

use super::arguments::On;
use super::bus::Bus;
use super::config;
use super::figures::{Figures, Used, Watched};

/// What consuming took.
struct Consumed {
    took: Duration,
    used: Used,
}

/// Consumes a new backlog over so many connections.
pub(crate) async fn measure(on: On, mix: Mix, events: u64, connections: usize) -> Figures {
    let bus = Bus::start(on).await;
    let watched = Watched { broker: bus.id(), ..Watched::default() };
    let mut sink = InfluxDbSink::default();
    sink.open(Manner::Takes(Duration::ZERO)).await;
    let house = config::house(sink.port(), &bus.section(events));
    let consumed = match &bus {
        Bus::Nats(server) => {
            bus.prepare(&house).await;
            bus.fill(&house, mix, events).await;
            nats::consume(server, events, &watched).await
        }
        Bus::Mqtt(server) => mqtt::consume(server, mix, events, connections, &watched).await,
        Bus::Embedded => {
            bus.fill(&house, mix, events).await;
            queue::consume(&house.directory().join("queue"), events, &watched).await
        }
    };
    let Consumed { took, used } = consumed;
    Figures { events, seconds: took.as_secs_f64(), used, ..Figures::default() }
}
