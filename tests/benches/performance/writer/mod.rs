//! The writer, end to end: a backlog through real writers into a real InfluxDB, beside the limits
//! that the machine sets, all in one run.
//!
//! In each round, one after the other, so that the machine's mood is shared:
//! a) the bare client consumes and acks the same messages and does nothing else;
//! b) writers store in something that says 204 at once;
//! c) InfluxDB is fed with the batches that came out of b, over as many connections;
//! d) writers store in InfluxDB, and what is there is compared with what was made.

mod arguments;
mod bare;
mod batches;
mod bus;
pub(crate) mod config;
mod drain;
mod figures;
mod keep;
mod report;
mod scrape;
mod stored;

use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::influxdb_sink::{InfluxDbSink, Manner};

pub(crate) use self::arguments::Arguments;
use self::arguments::On;
use self::batches::Batches;
use self::drain::{Database, Drain};
use self::figures::{Figures, Phase};
use self::report::Report;
use crate::{pin, programs};
use integration_tests::measure::target::Target;

/// Measures, prints a table for each broker, and gives the targets.
pub(crate) fn measure(arguments: &Arguments) -> Vec<Target> {
    programs::look(&["writer", "footman"]);
    if arguments.pin {
        pin::say_when_not(&arguments.writers);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut targets = Vec::new();
    for &on in &arguments.broker {
        let report = runtime.block_on(measure_over(on, arguments));
        println!("{report}");
        targets.extend(report.targets());
    }
    targets
}

async fn measure_over(on: On, arguments: &Arguments) -> Report {
    let mut report = Report::new(on, arguments.clone());
    let mut batches = None;
    for round in 1..=arguments.rounds {
        for &mix in &arguments.mix {
            for &connections in on.bare_connections() {
                let figures = bare::measure(on, mix.made_up(), arguments.events, connections).await;
                report.add(round, mix, Phase::Bare { connections }, figures);
            }
            for &writers in on.writers(&arguments.writers) {
                let drain = Drain { on, mix: mix.made_up(), writers, arguments };
                let figures = into_sink(&drain, &mut batches, mix.is_stored()).await;
                report.add(round, mix, Phase::Sink { writers }, figures);
                let Some(batches) = batches.as_ref().filter(|_| mix.is_stored()) else { continue };
                let connections = writers * config::REQUESTS_IN_FLIGHT;
                let figures = batches.feed(connections).await;
                report.add(round, mix, Phase::Batches { writers }, figures);
                let influxd = Influxd::start().await;
                let figures = drain.run(Database::Influxd(&influxd)).await;
                report.add(round, mix, Phase::Stored { writers }, figures);
            }
        }
    }
    report
}

/// Keeps the batches of the first time, when they are wanted: all others are like them.
async fn into_sink(drain: &Drain<'_>, batches: &mut Option<Batches>, are_wanted: bool) -> Figures {
    let mut sink = InfluxDbSink::default();
    sink.open(Manner::Takes(Duration::ZERO)).await;
    let are_wanted = are_wanted && batches.is_none();
    if are_wanted {
        sink.keep_bodies();
    }
    let figures = drain.run(Database::Sink(&sink)).await;
    if are_wanted {
        *batches = Some(Batches::new(sink.take_bodies(), drain.arguments.events));
    }
    figures
}
