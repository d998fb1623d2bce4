use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;
use crate::endpoint::tests::{health_endpoints, sessions_endpoint};

fn refused() -> Failure {
    Failure::new(Category::CONNECTION_REFUSED, "nothing listens at sense1:4747")
}

#[test]
fn a_failing_server_is_said_once_then_summed_up_until_it_recovers() {
    let failing = Failing::default();
    let endpoint = &health_endpoints(1)[0];
    failing.failed(endpoint, &refused(), 1);
    assert_eq!(failing.summary(), Vec::<String>::new());
    failing.failed(endpoint, &refused(), 1);
    failing.failed(endpoint, &Failure::new(Category::SKIPPED, "skipped"), 2);
    let expected = "Server sense1: 3 more polls of https://sense1:4747/engine/healthcheck \
                    failed, 4 in 0 s: nothing listens at sense1:4747.";
    assert_eq!(failing.summary(), [expected]);
    assert_eq!(failing.summary(), Vec::<String>::new());
    failing.succeeded(endpoint);
    assert!(failing.state.lock().unwrap().troubles.is_empty());
}

#[test]
fn the_number_of_lines_is_bounded() {
    let failing = Failing::default();
    let endpoints = health_endpoints(50);
    for endpoint in &endpoints {
        failing.failed(endpoint, &refused(), 1);
        failing.failed(endpoint, &refused(), 1);
    }
    let lines = failing.summary();
    assert_eq!(lines.len(), LINES + 2);
    assert_eq!(lines[LINES], "30 more polls of 30 more endpoints failed.");
    assert_eq!(lines[LINES + 1], "30 more endpoints began to fail, and 0 recovered.");
}

/// Keeps what is logged, one line for each event.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[test]
fn lines_name_server_url_and_cause_and_no_query() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let failing = Failing::default();
        let endpoint = &sessions_endpoint();
        for _tick in 0..3 {
            failing.failed(endpoint, &refused(), 1);
        }
        failing.succeeded(endpoint);
        failing.succeeded(endpoint);
    });
    let lines = lines.0.lock().unwrap().clone();
    assert_eq!(
        lines,
        [
            "WARN message=Poll of https://sense1:4243/qps/session failed: nothing listens at \
             sense1:4747. server=\"sense1\" source=\"sessions\" category=\"connection_refused\"",
            "INFO message=https://sense1:4243/qps/session answers again after 3 failed polls in \
             0 s. server=\"sense1\" source=\"sessions\"",
        ]
    );
}
