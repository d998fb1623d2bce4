//! What the server confirmed and then dropped without a word is seen, published again, or named.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use shared::broker::forward::Forwarder;
use shared::broker::memory::MemoryBroker;
use shared::broker::{Consumer, Outgoing};
use shared::envelope::{Envelope, Origin, Unnumbered};
use shared::event::{
    AppNames, Counters, Event, Heartbeat, Poll, ProcessMemory, Publications, Settlements,
};
use shared::outbox::{Entry, Outbox, OutboxSettings};
use shared::settlement::{Auditor, SettlementLedger};
use shared::subject::{Subject, Token};
use shared::timestamp::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::house::{GROUP, Program, receive, tags_of};

const GRACE: Duration = Duration::from_secs(2);
const EVENTS: usize = 20;

/// A collector without polls, and the side of a writer that the test plays.
struct House {
    server: NatsServer,
    program: Program,
    outbox: Outbox,
    origin: Origin,
    auditor: Arc<Auditor>,
    ledger: SettlementLedger,
    consumer: Box<dyn Consumer>,
    settled: BTreeSet<String>,
    _directory: TempDir,
    _stop: tokio_util::sync::DropGuard,
}

impl House {
    async fn new(keep_settled: Duration) -> Self {
        let server = NatsServer::start().await;
        let program = Program::ready(&server).await;
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&OutboxSettings {
            directory: directory.path().to_owned(),
            max_bytes: 1 << 26,
            max_age: None,
            keep_settled,
        })
        .unwrap();
        let (auditor, resends) = Auditor::new(&[GROUP.to_owned()], 1, GRACE);
        let refused = Arc::new(MemoryBroker::default());
        let forwarder = Forwarder::new(&outbox, program.nats.publisher(), refused).unwrap();
        let forwarder = forwarder.audited(Arc::clone(&auditor), resends);
        let stop = CancellationToken::new();
        tokio::spawn(forwarder.run(stop.clone()));
        let heartbeats = program.nats.heartbeats();
        tokio::spawn(Arc::clone(&auditor).run(heartbeats, Arc::default(), stop.clone()));
        let consumer = program.consumer();
        Self {
            server,
            program,
            outbox,
            origin: Origin::new("collector", "test"),
            auditor,
            ledger: SettlementLedger::new(GROUP),
            consumer,
            settled: BTreeSet::new(),
            _directory: directory,
            _stop: stop.drop_guard(),
        }
    }

    /// Appends events and waits until the server holds them.
    async fn publish(&self, count: usize) {
        let now = Timestamp::now();
        let mut entries = Vec::new();
        for number in 0..count {
            let event = Event::AppNames(AppNames {
                repository: format!("repository-{number}"),
                poll: Poll { scheduled: now, duration_ms: 1, interval_ms: 1, bytes: None },
                part: 1,
                parts: 1,
                full: true,
                apps: vec![],
            });
            let event = Unnumbered::encode(&self.origin, "test", now, &event).unwrap();
            let subject = Subject::app_names("qliksense", &Token::new("test"));
            entries.push(Entry { subject, event });
        }
        self.outbox.append(entries, None).await.unwrap();
        eventually("everything confirmed", || async { (self.outbox.depth() == 0).then_some(()) })
            .await;
    }

    /// Deletes messages of the stream by their numbers.
    async fn forgets(&self, numbers: std::ops::RangeInclusive<u64>) {
        let jetstream = async_nats::jetstream::new(self.server.client().await);
        let stream = jetstream.get_stream("QLIKSENSE").await.unwrap();
        for number in numbers {
            stream.delete_message(number).await.unwrap();
        }
    }

    /// Consumes as a writer does, and beats.
    async fn consume(&mut self, count: usize) {
        let deliveries = receive(&mut *self.consumer, count).await;
        for delivery in &deliveries {
            let envelope = Envelope::decode(&delivery.payload).unwrap();
            let (epoch, sequence) = (envelope.epoch.unwrap(), envelope.sequence.unwrap());
            let event = self.ledger.delivered(&epoch, sequence, delivery.lane).unwrap();
            self.ledger.settled(event);
            self.settled.insert(envelope.id);
        }
        self.consumer.ack(&tags_of(&deliveries)).await.unwrap();
        let told = self.ledger.take();
        self.beat(told).await;
    }

    /// Beats beside the stream, which the test's own consumer reads.
    async fn beat(&self, told: Settlements) {
        let now = Timestamp::now();
        let beat = Event::Heartbeat(Box::new(Heartbeat {
            process: "writer".to_owned(),
            instance: "test".to_owned(),
            version: "1".to_owned(),
            started: now,
            uptime_s: 1,
            honest: true,
            why: None,
            memory: ProcessMemory::default(),
            counters: Counters::default(),
            uptime_monitor: false,
            settlements: Some(told),
            publications: None,
        }));
        let origin = Origin::new("writer", "test");
        let event = Unnumbered::encode(&origin, "writer/test", now, &beat).unwrap();
        let subject = Subject::heartbeats("qliksense", "writer", "test");
        let (id, payload) = (event.id().to_string(), event.numbered(1));
        let publisher = self.program.nats.publisher();
        publisher.publish(Outgoing { subject, id, payload }).await.unwrap();
        let beat = receive_one(&self.program).await;
        assert!(beat.contains("heartbeat"), "{beat}");
    }
}

/// Takes the beat out of the stream again, as another member of the group would.
async fn receive_one(program: &Program) -> String {
    let mut member = program.consumer();
    let deliveries = receive(&mut *member, 1).await;
    member.ack(&tags_of(&deliveries)).await.unwrap();
    member.close().await.unwrap();
    String::from_utf8_lossy(&deliveries[0].payload).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_dropped_is_published_again() {
    let mut house = House::new(Duration::from_mins(5)).await;
    house.publish(EVENTS).await;
    house.forgets(4..=8).await;
    house.consume(EVENTS - 5).await;
    assert_eq!(house.settled.len(), EVENTS - 5);
    house.consume(5).await;
    assert_eq!(house.settled.len(), EVENTS, "the same events, each once");
    assert_eq!((house.auditor.missing(), house.auditor.lost()), (5, 0));
    assert_eq!(house.auditor.publications(1).lost, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_outbox_has_no_more_is_named() {
    let mut house = House::new(Duration::ZERO).await;
    house.publish(EVENTS).await;
    house.forgets(4..=8).await;
    house.consume(EVENTS - 5).await;
    eventually("the loss", || async { (house.auditor.lost() == 5).then_some(()) }).await;
    let Publications { lost, .. } = house.auditor.publications(1);
    let named: Vec<_> = lost.iter().map(|lost| (lost.sequence, lost.kind.as_str())).collect();
    assert_eq!(named, [4, 5, 6, 7, 8].map(|sequence| (sequence, "app-names")));
    assert!(lost.iter().all(|lost| lost.epoch == house.origin.epoch().to_string()));
    assert_eq!(house.auditor.publications(1).lost, [], "each is named once");
}
