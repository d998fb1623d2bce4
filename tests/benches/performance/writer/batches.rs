//! InfluxDB alone: the batches that writers made, as they came, over as many connections.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use integration_tests::influxd::Influxd;
use integration_tests::process::Process;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::config::DATABASE;
use super::figures::{Figures, Watched};

/// With more writes than it can take in 10 s, influxd ends some with 500: a writer waits this long
/// at first.
const BACKOFF: Duration = Duration::from_millis(250);
/// More than an influxd needs that is only busy.
const TRIES: u64 = 100;

/// Bodies of writes, compressed.
#[derive(Debug)]
pub(crate) struct Batches {
    bodies: Arc<Vec<Bytes>>,
    events: u64,
    points: u64,
}

impl Batches {
    /// Of so many events.
    pub(crate) fn new(bodies: Vec<Bytes>, events: u64) -> Self {
        let points = bodies.iter().map(|body| lines(body)).sum();
        Self { bodies: Arc::new(bodies), events, points }
    }

    /// Feeds a new InfluxDB with all of them.
    pub(crate) async fn feed(&self, connections: usize) -> Figures {
        let influxd = Influxd::start().await;
        let statement = format!("CREATE DATABASE {DATABASE} WITH DURATION 10d NAME \"10d\"");
        influxd.execute(DATABASE, &statement).await;
        let watched =
            Watched { influxdb: influxd.process().map(Process::id), ..Watched::default() };
        let url = format!("http://127.0.0.1:{}/write?db={DATABASE}&precision=ns", influxd.port());
        let (client, next) = (reqwest::Client::new(), Arc::new(AtomicUsize::new(0)));
        let (begun, before) = (Instant::now(), watched.used());
        let mut feeding = JoinSet::new();
        for _ in 0..connections {
            let (client, url) = (client.clone(), url.clone());
            let (bodies, next) = (Arc::clone(&self.bodies), Arc::clone(&next));
            feeding.spawn(async move {
                let mut again = 0;
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    again += write(&client, &url, body).await;
                }
                again
            });
        }
        let again = feeding.join_all().await.into_iter().sum();
        Figures {
            events: self.events,
            points: self.points,
            seconds: begun.elapsed().as_secs_f64(),
            used: watched.used().since(before),
            again,
            ..Figures::default()
        }
    }
}

/// Writes a body until it is stored, as a writer does; gives how often it had to begin again.
async fn write(client: &reqwest::Client, url: &str, body: &Bytes) -> u64 {
    for again in 0..TRIES {
        let request = client.post(url).header("content-encoding", "gzip");
        let answer = request.body(body.clone()).send().await.unwrap();
        let status = answer.status();
        if status == 204 {
            return again;
        }
        let why = answer.text().await.unwrap();
        assert!(status.is_server_error(), "influxd says {status}: {why}");
        tokio::time::sleep(BACKOFF).await;
    }
    panic!("influxd took a batch in none of {TRIES} tries");
}

/// No string of a made-up event has a line feed, so each ends a line.
fn lines(body: &[u8]) -> u64 {
    let mut text = String::new();
    flate2::read::GzDecoder::new(body).read_to_string(&mut text).unwrap();
    text.lines().count() as u64
}
