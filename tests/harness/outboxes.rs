//! A collector without its polls: an outbox whose events are forwarded to a broker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shared::broker::forward::{Forwarded, Forwarder};
use shared::broker::memory::MemoryBroker;
use shared::broker::{Delivery, Life, Publisher};
use shared::envelope::{Envelope, Origin, Unnumbered};
use shared::event::{AppNames, Event, Poll};
use shared::outbox::{Entry, OpenError, Outbox, OutboxSettings};
use shared::subject::{Subject, Token};
use shared::timestamp::Timestamp;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::patience::{eventually, eventually_equal};

const PREFIX: &str = "qliksense";
const ROOM: u64 = 256 << 20;
/// Longer than any test.
const REPLAY_WINDOW: Duration = Duration::from_mins(5);

/// An outbox that is being forwarded.
#[derive(Debug)]
pub struct Forwarding {
    directory: TempDir,
    /// The outbox.
    pub outbox: Outbox,
    /// What became of its events.
    pub forwarded: Arc<Forwarded>,
    /// The life of the broker, as its publisher tells it.
    pub lives: watch::Receiver<Life>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Forwarding {
    /// Begins with an empty outbox.
    pub async fn start(publisher: impl FnOnce(&Outbox) -> Arc<dyn Publisher>) -> Self {
        Self::over(tempfile::tempdir().unwrap(), publisher).await
    }

    /// Begins over the outbox that another one left.
    pub async fn over(
        directory: TempDir,
        publisher: impl FnOnce(&Outbox) -> Arc<dyn Publisher>,
    ) -> Self {
        let outbox = open(&directory).await;
        let refused = Arc::new(MemoryBroker::default());
        let publisher = publisher(&outbox);
        let lives = publisher.life();
        let forwarder = Forwarder::new(&outbox, publisher, refused).unwrap();
        let (forwarded, stop) = (forwarder.forwarded(), CancellationToken::new());
        let forwarding = forwarder.run(stop.clone());
        let running = tokio::spawn(async move { forwarding.await.unwrap() });
        Self { directory, outbox, forwarded, lives, stop, running }
    }

    /// Ends as a program does, and leaves its directory.
    pub async fn stopped(self) -> TempDir {
        self.stop.cancel();
        self.running.await.unwrap();
        self.directory
    }

    /// Appends events and gives their ids.
    pub async fn append(&self, count: usize) -> BTreeSet<String> {
        let each = (0..count).map(|_| append(&self.outbox));
        futures::future::join_all(each).await.into_iter().collect()
    }

    /// Appends so many at once, time and again, until it is told to end; gives the ids.
    pub fn keep_appending(
        &self,
        at_once: usize,
        ended: CancellationToken,
    ) -> JoinHandle<BTreeSet<String>> {
        let outbox = self.outbox.clone();
        tokio::spawn(async move {
            let mut ids = BTreeSet::new();
            while !ended.is_cancelled() {
                let several = (0..at_once).map(|_| append(&outbox));
                ids.extend(futures::future::join_all(several).await);
            }
            ids
        })
    }

    /// Waits until everything is confirmed.
    pub async fn everything_is_confirmed(&self) {
        eventually_equal("an empty outbox", 0, || async { self.outbox.depth() }).await;
    }

    /// Waits until the broker's life has begun: what is on its way at that moment is published twice.
    pub async fn is_connected(&self) {
        eventually("a life of the broker", || async {
            (self.lives.borrow().number > 0).then_some(())
        })
        .await;
    }

    /// Waits until this many more events are confirmed.
    pub async fn confirms(&self, more: u64) {
        let enough = self.forwarded.confirmed() + more;
        eventually("more to be confirmed", || async {
            (self.forwarded.confirmed() >= enough).then_some(())
        })
        .await;
    }
}

/// The id of the event in a delivery.
pub fn id_of(delivery: &Delivery) -> String {
    Envelope::decode(&delivery.payload).unwrap().id
}

async fn open(directory: &TempDir) -> Outbox {
    let settings = OutboxSettings {
        directory: directory.path().to_owned(),
        max_bytes: ROOM,
        max_age: None,
        keep_settled: REPLAY_WINDOW,
    };
    eventually("the outbox to be free", || async {
        match Outbox::open(&settings) {
            Ok(outbox) => Some(outbox),
            Err(OpenError::InUse { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await
}

/// Appends an event and gives its id.
async fn append(outbox: &Outbox) -> String {
    let now = Timestamp::now();
    let event = Event::AppNames(AppNames {
        repository: "r".to_owned(),
        poll: Poll { scheduled: now, duration_ms: 1, interval_ms: 1, bytes: None },
        part: 1,
        parts: 1,
        full: true,
        apps: vec![],
    });
    let event = Unnumbered::encode(&Origin::new("collector", "test"), "r", now, &event).unwrap();
    let id = event.id().to_string();
    let subject = Subject::app_names(PREFIX, &Token::new("r"));
    outbox.append(vec![Entry { subject, event }], None).await.unwrap();
    id
}
