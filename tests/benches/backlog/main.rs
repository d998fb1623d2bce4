//! What a backlog costs in memory and how fast it drains: a table from the real programs.
//!
//! ```sh
//! cargo build --release -p collector -p writer -p footman
//! cargo bench -p integration-tests --bench backlog_size -- nats --events 1000000
//! ```
//!
//! The backlog is `nats` or `mqtt` (events at the broker, and a writer), `embedded` (events in the
//! queue of `footman run`) or `outbox` (events in a collector's outbox, and NATS away).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a tool of the tests, whose output is its purpose"
)]

mod arguments;
mod phase;

use std::time::Duration;

use integration_tests::backlog::{self, Made, Room};
use integration_tests::influxdb_sink::{InfluxDbSink, Manner};
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::programs::{House, Running};
use simulator::{ButlerSosOptions, Site, SiteConfig};

use crate::arguments::{Arguments, Away, Where};
use crate::phase::Phase;

/// For a million events of a site.
const ROOM: Room = Room(8 << 10);
/// How long the programs are watched while they can do nothing.
const WATCHED: Duration = Duration::from_secs(15);
/// How long they are watched when all is done.
const AFTERWARDS: Duration = Duration::from_secs(5);
const INTERVAL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() {
    let arguments = Arguments::read();
    let site = SiteConfig { servers: 3, ..SiteConfig::for_test().unwrap() };
    let site = Site::start(site).await.unwrap();
    let mut sink = InfluxDbSink::default();
    match arguments.at {
        Where::Nats => {
            let server = NatsServer::start().await;
            let house = house(&arguments, &site, sink.port(), server.port());
            let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
            writer.start().await;
            tell(backlog::publish_to_nats(&server, ROOM, arguments.mix, arguments.events).await);
            collector.start().await;
            run(&arguments, &mut sink, [collector, writer]).await;
        }
        Where::Mqtt => {
            let server = Mosquitto::start().await;
            let house = house(&arguments, &site, sink.port(), server.port());
            let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
            writer.start().await;
            tell(backlog::publish_to_mqtt(&server, arguments.mix, arguments.events).await);
            collector.start().await;
            run(&arguments, &mut sink, [collector, writer]).await;
        }
        Where::Embedded => {
            let house = house(&arguments, &site, sink.port(), 0);
            let queue = house.directory().join("queue");
            tell(backlog::append(&queue, ROOM, arguments.mix, arguments.events).await);
            let mut footman = house.footman();
            footman.start().await;
            run(&arguments, &mut sink, [footman]).await;
        }
        Where::Outbox => {
            let mut server = NatsServer::prepare("");
            let house = house(&arguments, &site, sink.port(), server.port());
            let outbox = house.directory().join("outbox");
            tell(backlog::append(&outbox, ROOM, arguments.mix, arguments.events).await);
            let mut collector = house.collector("c");
            collector.start().await;
            let mut programs = [collector];
            Phase::over("broker away", &programs).last(WATCHED).await;
            let drain = Phase::over("draining", &programs);
            server.restart().await;
            drain.until_forwarded(&mut programs, arguments.events).await;
            Phase::over("afterwards", &programs).last(AFTERWARDS).await;
        }
    }
}

/// Watches programs that store what waits for them.
async fn run<const N: usize>(
    arguments: &Arguments,
    sink: &mut InfluxDbSink,
    mut programs: [Running; N],
) {
    match arguments.away {
        Away::Refuses => {}
        Away::Hangs => sink.open(Manner::Hangs).await,
        Away::Busy => sink.open(Manner::Busy).await,
    }
    Phase::since_start("InfluxDB away", &programs).last(WATCHED).await;
    let drain = Phase::over("draining", &programs);
    sink.open(Manner::Takes(arguments.latency)).await;
    drain.until_stored(&mut programs, arguments.events).await;
    println!("{} requests", sink.writes());
    Phase::over("afterwards", &programs).last(AFTERWARDS).await;
    if arguments.verbose {
        for program in &programs {
            println!("{}", program.printed());
        }
    }
}

fn house(arguments: &Arguments, site: &Site, influxdb: u16, broker: u16) -> House {
    let house = House::new(|directory| {
        let directory = directory.display();
        let broker = match arguments.at {
            Where::Embedded => {
                format!("embedded: {{directory: \"{directory}/queue\", maxBytes: {ROOM}}}")
            }
            Where::Nats | Where::Outbox => format!(
                "type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{broker}\"], maxBytes: \
                 {ROOM}}}"
            ),
            Where::Mqtt => format!("type: mqtt\n    mqtt: {{url: \"mqtt://127.0.0.1:{broker}\"}}"),
        };
        let more = format!(
            "  broker:\n    {broker}\n  \
             collector:\n    outbox: {{directory: \"{directory}/outbox\", maxBytes: {ROOM}}}\n"
        );
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: influxdb,
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more,
            ..ButlerSosOptions::default()
        })
    });
    match &arguments.programs {
        Some(directory) => house.with_programs(directory.clone()),
        None => house,
    }
}

fn tell(made: Made) {
    let Made { events, bytes, took, .. } = made;
    let each = bytes as u64 / events.max(1);
    println!("backlog of {events} events, {each} bytes each, made in {:.1} s", took.as_secs_f64());
}
