#![doc = include_str!("../README.md")]

mod batch;
mod consume;
pub mod destination;
mod flush;
mod frontier;
#[doc(hidden)]
pub mod fuzzing;
mod holds;
pub mod influxdb;
mod letter;
pub mod line_file;
pub mod line_protocol;
pub mod mapping;
mod metrics;
mod pace;
pub mod point;
pub mod program;
pub mod reason;
mod repeated;
pub mod schema;
mod split;
#[doc(hidden)]
pub mod stages;
mod vital;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use shared::backlog::{Queue, Watch};
use shared::broker::{ConsumeError, Consumer, DeadLetters};
use shared::config;
use shared::readiness::Readiness;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

pub use metrics::Metrics;
pub use pace::Pace;

use crate::batch::{BatchLimits, Batcher, MAX_BATCH_BYTES};
use crate::consume::{Arrived, Loop};
use crate::destination::Destination;
use crate::flush::Store;
use crate::frontier::Frontier;
use crate::holds::Holds;
use crate::influxdb::{ConnectError, InfluxDb};
use crate::line_file::LineFile;
use crate::line_protocol::Lines;
use crate::repeated::Repeated;
use crate::schema::Schema;
use crate::window::Window;

/// What a writer works with.
pub struct WriterContext {
    /// `Config.writer`.
    pub config: config::Writer,
    /// `Config.shutdown_grace`: how long the drain may take.
    pub shutdown_grace: Duration,
    /// Where the events come from.
    pub consumer: Box<dyn Consumer>,
    /// Where events go of which something cannot be stored.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Told about `influxdb` (or `lineProtocolFile`) and `dead-letters`.
    pub readiness: Readiness,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// How long to wait before trying again.
    pub pace: Pace,
}

impl fmt::Debug for WriterContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterContext").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why a writer ends by itself.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration names no place for the points.
    #[error(
        "points have nowhere to go: set `influxdbConfig.enable` to true, or name a file in \
         `writer.lineProtocolFile`"
    )]
    NoDestination,
    /// The client of InfluxDB cannot be made.
    #[error("cannot set up the connection to InfluxDB")]
    Connect(#[from] ConnectError),
    /// The consumer is lost.
    #[error("cannot consume any more")]
    Consume(#[from] ConsumeError),
    /// A flush died.
    #[error("a flush ended unexpectedly")]
    Flush(#[source] JoinError),
}

/// How many deliveries a writer holds unacked at most.
pub fn window(config: &config::Writer) -> usize {
    Window::new(config.batch.max_points, config.max_requests_in_flight).deliveries
}

/// Consumes events and stores them until `shutdown`, then drains.
///
/// The process must have installed its default TLS provider.
pub async fn run(context: WriterContext, shutdown: CancellationToken) -> Result<(), RunError> {
    let WriterContext { config, shutdown_grace, consumer, dead_letters, readiness, metrics, pace } =
        context;
    let (destination, name, dependency): (Box<dyn Destination>, String, &str) =
        match (&config.influxdb, &config.line_protocol_file) {
            (Some(influxdb), _) => {
                let client = InfluxDb::new(influxdb)?;
                let name = format!("InfluxDB at {}", client.address());
                (Box::new(client), name, "influxdb")
            }
            (None, Some(path)) => {
                let name = format!("the file {}", path.display());
                (Box::new(LineFile::new(path.clone())), name, "lineProtocolFile")
            }
            (None, None) => return Err(RunError::NoDestination),
        };
    let dependency = readiness.dependency(dependency);
    let letters = readiness.dependency("dead-letters");
    letters.up();
    let max_points = config.batch.max_points.max(1);
    let max_requests_in_flight = config.max_requests_in_flight.max(1);
    let store = Store {
        destination,
        dead_letters,
        destination_holds: Holds::new(dependency, name, pace.summary),
        letter_holds: Holds::new(letters, "the dead letters".to_owned(), pace.summary),
        metrics,
        pace,
        said: Repeated::new(pace.summary),
        permits: Arc::new(Semaphore::new(max_requests_in_flight)),
        draining: CancellationToken::new(),
    };
    let owner = Loop {
        consumer,
        group: config.consumer_group.clone(),
        arrived: Arrived::default(),
        store: Arc::new(store),
        schema: Schema::new(&config),
        batcher: Batcher::new(BatchLimits {
            points: max_points,
            bytes: MAX_BATCH_BYTES,
            age: config.batch.max_age,
        }),
        frontier: Frontier::default(),
        window: Window::new(max_points, max_requests_in_flight),
        flushes: JoinSet::new(),
        batches: flush::PREPARATION,
        lines: Lines::default(),
        watch: Watch::new(Queue::Broker),
        readiness,
    };
    owner.run(shutdown, shutdown_grace).await
}

/// An error with its causes, in one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
