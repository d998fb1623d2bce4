//! Beats on the bus, by a clock that tests may move.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Part;
use crate::config::{LogLevel, UptimeMonitor};
use crate::envelope::{Envelope, Origin, Unnumbered};
use crate::event::Event;
use crate::heartbeat::{Bus, BusError, Heart, HeartParts, OutboxBus};
use crate::outbox::{Outbox, OutboxSettings};
use crate::subject::Subject;

/// A bus that remembers what it carried, and when.
#[derive(Clone)]
struct Recorded {
    begun: Instant,
    beats: Arc<Mutex<Vec<(u64, Envelope)>>>,
}

#[async_trait]
impl Bus for Recorded {
    async fn put(&mut self, subject: Subject, event: Unnumbered) -> Result<(), BusError> {
        assert_eq!(subject.as_topic(), "qliksense/v1/heartbeats/footman/host%2E1");
        let mut beats = self.beats.lock().unwrap();
        let sequence = u64::try_from(beats.len()).unwrap();
        let event = Envelope::decode(&event.numbered(sequence)).unwrap();
        beats.push((self.begun.elapsed().as_secs(), event));
        Ok(())
    }
}

fn parts(bus: Box<dyn Bus>, part: &Arc<Part>, uptime_monitor: Option<UptimeMonitor>) -> HeartParts {
    HeartParts {
        process: "footman",
        instance: "host.1".to_owned(),
        version: "1.2.3",
        topic_prefix: "qliksense".to_owned(),
        origin: Origin::new("footman", "host.1"),
        bus,
        vital: Arc::clone(part) as Arc<dyn crate::heartbeat::Vital>,
        uptime_monitor,
        monitored: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_beat_each_30_s_good_or_bad() {
    let bus = Recorded { begun: Instant::now(), beats: Arc::default() };
    let (part, stop) = (Part::new(), CancellationToken::new());
    let heart = Heart::new(parts(Box::new(bus.clone()), &part, None));
    let running = tokio::spawn(heart.run(stop.clone()));
    tokio::time::sleep(Duration::from_secs(40)).await;
    part.set(Some("no write"));
    tokio::time::sleep(Duration::from_mins(1)).await;
    stop.cancel();
    running.await.unwrap().unwrap();

    let beats = bus.beats.lock().unwrap();
    assert_eq!(beats.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [2, 32, 62, 92]);
    let whys: Vec<Option<String>> = beats
        .iter()
        .map(|(_, envelope)| {
            assert_eq!(envelope.subject, "footman/host.1");
            let Event::Heartbeat(beat) = &envelope.event else { panic!("{envelope:?}") };
            assert_eq!((beat.process.as_str(), beat.version.as_str()), ("footman", "1.2.3"));
            assert_eq!((beat.honest, beat.uptime_monitor), (beat.why.is_none(), false));
            assert_eq!(beat.counters.stored, Some(7));
            beat.why.clone()
        })
        .collect();
    let bad = Some("no write".to_owned());
    assert_eq!(whys, [None, None, bad.clone(), bad]);
}

#[tokio::test]
async fn the_uptime_monitor_has_beats_of_its_own() {
    let bus = Recorded { begun: Instant::now(), beats: Arc::default() };
    let monitor = UptimeMonitor {
        frequency: "every 1 second".parse().unwrap(),
        log_level: LogLevel::Verbose,
    };
    let (part, stop) = (Part::new(), CancellationToken::new());
    let heart = Heart::new(parts(Box::new(bus.clone()), &part, Some(monitor)));
    let running = tokio::spawn(heart.run(stop.clone()));
    let deadline = Instant::now() + Duration::from_mins(1);
    let kinds = || {
        let beats = bus.beats.lock().unwrap();
        let of = |envelope: &Envelope| match &envelope.event {
            Event::Heartbeat(beat) => beat.uptime_monitor,
            _ => panic!("{envelope:?}"),
        };
        beats.iter().map(|(_, envelope)| of(envelope)).collect::<Vec<bool>>()
    };
    while !(kinds().contains(&true) && kinds().contains(&false)) {
        assert!(Instant::now() < deadline, "{:?}", kinds());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    // No two points of one program share a time.
    let beats = bus.beats.lock().unwrap();
    let mut times: Vec<_> = beats.iter().map(|(_, envelope)| envelope.time).collect();
    times.dedup();
    assert_eq!(times.len(), beats.len());
}

#[tokio::test]
async fn beats_wait_in_the_outbox_with_all_other_events() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&OutboxSettings {
        directory: directory.path().to_owned(),
        max_bytes: 1 << 20,
        max_age: None,
        keep_settled: Duration::ZERO,
    })
    .unwrap();
    let mut tap = outbox.tap();
    let (part, stop) = (Part::new(), CancellationToken::new());
    let bus = Box::new(OutboxBus::new(outbox.clone()));
    let running = tokio::spawn(Heart::new(parts(bus, &part, None)).run(stop.clone()));
    let stored = tap.recv().await.unwrap();
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(stored.subject.to_nats(), "qliksense.v1.heartbeats.footman.host%2E1");
    assert_eq!(Envelope::decode(&stored.payload).unwrap().sequence, Some(1));
    assert_eq!(outbox.appended(), 1);
}
