//! Tests of heartbeats as a whole; each file asks one question.

mod bus;
mod fake;
mod monitors;
mod secrecy;

use std::sync::{Arc, Mutex};

use super::{Vital, memory};
use crate::event::{Counters, Event, Heartbeat};
use crate::timestamp::Timestamp;

/// A beat as an event.
pub(super) fn beat(honest: bool) -> Event {
    Event::Heartbeat(Box::new(Heartbeat {
        process: "writer".to_owned(),
        instance: "w1".to_owned(),
        version: "1.0.0".to_owned(),
        started: Timestamp::now(),
        uptime_s: 1,
        honest,
        why: None,
        memory: memory::now(),
        counters: Counters::default(),
        uptime_monitor: false,
        settlements: None,
        publications: None,
    }))
}

/// A part that is honest until it is told not to be.
#[derive(Default)]
struct Part {
    why: Mutex<Option<String>>,
}

impl Part {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn set(&self, why: Option<&str>) {
        *self.why.lock().unwrap() = why.map(str::to_owned);
    }
}

impl Vital for Part {
    fn honest(&self) -> Result<(), String> {
        self.why.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn counters(&self) -> Counters {
        Counters { stored: Some(7), ..Counters::default() }
    }
}
