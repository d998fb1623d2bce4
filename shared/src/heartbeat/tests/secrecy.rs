//! What is logged about monitors, and what never is.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

use super::Part;
use super::fake::{Answer, Fake};
use crate::config::Heartbeat;
use crate::heartbeat::Monitored;
use crate::heartbeat::client::Client;
use crate::heartbeat::monitor::Monitor;
use crate::readiness::Readiness;
use crate::secret::Secret;

/// What no log line may hold.
const MARKER: &str = "MARKER";

/// Log lines, as they would be printed.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    async fn until(&self, part: &str) {
        let patience = Duration::from_mins(1);
        let seen = tokio::time::timeout(patience, async {
            while !self.text().contains(part) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        seen.await.unwrap_or_else(|_elapsed| panic!("{part}: {}", self.text()));
    }
}

/// Beats `url` until `task` is done, and gives what was logged in the meantime.
async fn logged<F: Future<Output = ()>>(url: String, task: impl FnOnce(Lines) -> F) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    // The tests of this file run on one thread each, and so do the tasks they start.
    let _logs = tracing::subscriber::set_default(subscriber);
    let monitored = Monitored {
        process: "footman",
        heartbeat: Heartbeat {
            url: Secret::new(url),
            frequency: "every 1 second".parse().unwrap(),
        },
        readiness: Readiness::default(),
        needs: |_any| true,
        vital: Part::new(),
        failures: true,
    };
    tracing::info!(?monitored, "Debug output shows no secret either.");
    let stop = CancellationToken::new();
    let mut monitor = Monitor::new(monitored, "host1", Client::new()).unwrap();
    monitor.apart = Duration::from_millis(10);
    let running = tokio::spawn(monitor.run(stop.clone()));
    task(lines.clone()).await;
    stop.cancel();
    running.await.unwrap();
    lines.text()
}

#[tokio::test]
async fn one_line_for_the_first_failure_and_one_for_the_recovery() {
    let fake = Fake::start(Answer::Text(r#"{"ok":true}"#)).await;
    fake.answers([Answer::Text(r#"{"ok":false,"msg":"MARKER"}"#), Answer::Status(404)]);
    let url = fake.url("/api/push/MARKER?MARKER=MARKER").replace("://", "://MARKER:MARKER@");
    let text = logged(url, async |lines: Lines| lines.until("arrive again").await).await;
    assert!(!text.contains(MARKER), "{text}");
    assert_eq!(fake.asked().len(), 3, "{text}");
    let lines = |part: &str| text.lines().filter(|line| line.contains(part)).count();
    assert_eq!((lines("do not arrive"), lines("arrive again")), (1, 1), "{text}");
    let place = format!("monitor=\"http://{}\"", fake.address);
    assert_eq!(lines(&place), 3, "{text}");
    assert!(text.contains("the answer says ok: false"), "{text}");
}

#[tokio::test]
async fn a_monitor_that_is_away_is_named_without_its_secret() {
    let fake = Fake::start(Answer::Redirect("http://MARKER.invalid/MARKER".to_owned())).await;
    for url in [
        "http://127.0.0.1:9/MARKER?MARKER".to_owned(),
        "http://nobody.invalid/MARKER".to_owned(),
        fake.url("/MARKER"),
        // No TLS is spoken there.
        fake.url("/MARKER").replace("http:", "https:"),
    ] {
        let text = logged(url, async |lines: Lines| lines.until("do not arrive").await).await;
        assert!(!text.contains(MARKER), "{text}");
    }
}
