//! The configuration of the programs that are measured: as shipped, but for where things are.

use std::path::Path;

use integration_tests::backlog::Room;
use integration_tests::programs::House;

/// Requests that a writer has on their way, as shipped.
pub(crate) const REQUESTS_IN_FLIGHT: usize = 4;
/// Points in a batch, as shipped.
pub(crate) const BATCH_POINTS: usize = 5_000;
/// The database of the points.
pub(crate) const DATABASE: &str = "footman";
/// Stands for the house's folder in the section of a broker.
pub(crate) const FOLDER: &str = "FOLDER";

/// The whole file, with InfluxDB at a port and this section `broker`.
pub(crate) fn text(influxdb: u16, broker: &str) -> String {
    format!(
        "Butler-SOS:
  logLevel: info
  influxdbConfig:
    enable: true
    host: 127.0.0.1
    port: {influxdb}
    version: 1
    v1Config:
      auth: {{enable: false, username: \"\", password: \"\"}}
      dbName: {DATABASE}
      retentionPolicy: {{name: 10d, duration: 10d}}
    includeFields: {{activeDocs: true, loadedDocs: true, inMemoryDocs: true}}
  serversToMonitor:
    servers: []
  writer:
    batch: {{maxPoints: {BATCH_POINTS}}}
    maxRequestsInFlight: {REQUESTS_IN_FLIGHT}
  broker:
    {broker}
"
    )
}

/// Programs with that file.
pub(crate) fn house(influxdb: u16, broker: &str) -> House {
    House::new(|folder: &Path| {
        text(influxdb, &broker.replace(FOLDER, &folder.display().to_string()))
    })
}

/// Enough for a backlog: events have 5 KB on the average, and a nats-server refuses a stream for
/// which its disk has no room.
pub(crate) fn room(events: u64) -> Room {
    const LEAST: u64 = 512;
    Room(LEAST.max(events * 8 / 1024))
}
