//! The forwarder over publishers of every mood.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::*;
use crate::broker::Remembers;
use crate::broker::memory::MemoryBroker;
use crate::envelope::{MAX_EVENT_BYTES, Origin, Unnumbered};
use crate::event::{AppChange, AppNames, Event, Poll};
use crate::outbox::{Entry, OutboxSettings};
use crate::subject::{Subject, Token};
use crate::timestamp::Timestamp;

const PATIENCE: Duration = Duration::from_secs(20);

/// More than any test publishes.
const PLENTY: usize = 1_000;

/// Takes nothing while it is away, and never anything about `poison`; may be told to take a number
/// of events only, and begins a new life when it is told to.
struct Moody {
    away: AtomicBool,
    turned_down: AtomicU32,
    takes: Semaphore,
    taken: Mutex<Vec<String>>,
    changed: tokio::sync::Notify,
    lives: watch::Sender<Life>,
    told: Mutex<Vec<Confirmed>>,
}

impl Default for Moody {
    fn default() -> Self {
        Self {
            away: AtomicBool::default(),
            turned_down: AtomicU32::default(),
            takes: Semaphore::new(PLENTY),
            taken: Mutex::default(),
            changed: tokio::sync::Notify::new(),
            lives: watch::Sender::new(Life::default()),
            told: Mutex::default(),
        }
    }
}

impl Moody {
    /// Takes this many from now on.
    fn takes(&self, count: usize) {
        self.takes.forget_permits(usize::MAX >> 4);
        self.takes.add_permits(count);
    }

    fn lives_again(&self, number: u64, remembers: Remembers) {
        self.lives.send_replace(Life { number, remembers });
    }

    /// Up to where it was told that everything is confirmed in a life.
    fn told_in(&self, life: u64) -> Vec<i64> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|told| told.life == life).map(|told| told.position).collect()
    }
}

#[async_trait]
impl Publisher for Moody {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        if outgoing.subject.as_topic().ends_with("poison") {
            return Err(PublishError::Refused { why: "poison".to_owned() });
        }
        if self.away.load(Ordering::Relaxed) {
            self.turned_down.fetch_add(1, Ordering::Relaxed);
            self.changed.notify_one();
            return Err(PublishError::Unavailable { why: "away".to_owned() });
        }
        self.takes.acquire().await.unwrap().forget();
        self.taken.lock().unwrap().push(outgoing.id);
        self.changed.notify_one();
        Ok(())
    }

    fn life(&self) -> watch::Receiver<Life> {
        self.lives.subscribe()
    }

    fn confirmed_through(&self, confirmed: Confirmed) -> Option<String> {
        self.told.lock().unwrap().push(confirmed);
        Some(format!("as in life {}", confirmed.life))
    }
}

struct House {
    settings: OutboxSettings,
    directory: tempfile::TempDir,
    outbox: Outbox,
    moody: Arc<Moody>,
    refused: MemoryBroker,
}

impl House {
    fn new() -> Self {
        Self::keeping(Duration::ZERO)
    }

    fn keeping(keep_settled: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = OutboxSettings {
            directory: directory.path().to_owned(),
            max_bytes: 1 << 26,
            max_age: None,
            keep_settled,
        };
        let outbox = Outbox::open(&settings).unwrap();
        let (moody, refused) = (Arc::default(), MemoryBroker::default());
        Self { settings, directory, outbox, moody, refused }
    }

    /// With this many events in the outbox, whose ids it gives.
    async fn with_events(count: usize) -> (Self, Vec<String>) {
        let house = Self::keeping(Duration::from_mins(5));
        let mut ids = Vec::new();
        for number in 0..count {
            ids.push(house.append(&number.to_string()).await);
        }
        (house, ids)
    }

    fn run(&self) -> Running {
        let (forwarder, stop) = (self.forwarder(), CancellationToken::new());
        let done = forwarder.forwarded();
        Running { done, task: tokio::spawn(forwarder.run(stop.clone())), stop }
    }

    /// The program ends, and another one begins with another publisher.
    async fn restarted(self) -> Self {
        let Self { settings, directory, outbox, refused, .. } = self;
        drop(outbox);
        let outbox = tokio::time::timeout(PATIENCE, async {
            loop {
                match Outbox::open(&settings) {
                    Ok(outbox) => return outbox,
                    Err(_in_use) => tokio::task::yield_now().await,
                }
            }
        });
        let outbox = outbox.await.unwrap();
        Self { settings, directory, outbox, moody: Arc::default(), refused }
    }

    /// Waits until everything up to `position` is settled.
    async fn settles(&self, position: i64) {
        tokio::time::timeout(PATIENCE, async {
            while self.outbox.settled() < position {
                self.outbox.flush().await;
            }
        })
        .await
        .unwrap();
    }

    fn taken_so_far(&self) -> Vec<String> {
        self.moody.taken.lock().unwrap().clone()
    }

    fn forwarder(&self) -> Forwarder {
        let publisher: Arc<dyn Publisher> = Arc::clone(&self.moody) as _;
        Forwarder::new(&self.outbox, publisher, Arc::new(self.refused.clone())).unwrap()
    }

    async fn append(&self, name: &str) -> String {
        self.append_with(name, vec![]).await
    }

    /// An event that is nearly as large as one may be.
    async fn append_large(&self, name: &str) -> String {
        let long = "x".repeat(MAX_EVENT_BYTES - 2_048);
        self.append_with(name, vec![AppChange { id: String::new(), name: long, change: None }])
            .await
    }

    async fn append_with(&self, name: &str, apps: Vec<AppChange>) -> String {
        let now = Timestamp::now();
        let event = Event::AppNames(AppNames {
            repository: name.to_owned(),
            poll: Poll { scheduled: now, duration_ms: 1, interval_ms: 1, bytes: None },
            part: 1,
            parts: 1,
            full: true,
            apps,
        });
        let origin = Origin::new("collector", "test");
        let event = Unnumbered::encode(&origin, name, now, &event).unwrap();
        let id = event.id().to_string();
        let subject = Subject::app_names("qliksense", &Token::new(name));
        self.outbox.append(vec![Entry { subject, event }], None).await.unwrap();
        id
    }

    async fn taken(&self, count: usize) {
        tokio::time::timeout(PATIENCE, async {
            while self.moody.taken.lock().unwrap().len() < count {
                self.moody.changed.notified().await;
            }
        })
        .await
        .unwrap();
    }
}

struct Running {
    done: Arc<Forwarded>,
    task: tokio::task::JoinHandle<Result<(), ForwardError>>,
    stop: CancellationToken,
}

impl Running {
    async fn ended(self) -> Arc<Forwarded> {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.done
    }
}

#[tokio::test]
async fn everything_is_forwarded_and_then_settled() {
    let house = House::new();
    let mut ids = BTreeSet::from([house.append("a").await, house.append("b").await]);
    let stop = CancellationToken::new();
    let forwarder = house.forwarder();
    let done = forwarder.forwarded();
    let running = tokio::spawn(forwarder.run(stop.clone()));
    house.taken(2).await;
    ids.insert(house.append("c").await);
    house.taken(3).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(BTreeSet::from_iter(house.moody.taken.lock().unwrap().clone()), ids);
    assert_eq!((done.published(), done.confirmed()), (3, 3));
    assert!(done.since_last_confirmed().is_some());
    house.outbox.flush().await;
    assert_eq!(house.outbox.depth(), 0);
}

#[tokio::test]
async fn what_the_broker_does_not_take_waits_and_survives_the_end() {
    let house = House::new();
    house.moody.away.store(true, Ordering::Relaxed);
    let id = house.append("a").await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(house.forwarder().run(stop.clone()));
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(house.outbox.depth(), 1);

    house.moody.away.store(false, Ordering::Relaxed);
    let stop = CancellationToken::new();
    let running = tokio::spawn(house.forwarder().run(stop.clone()));
    house.taken(1).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(*house.moody.taken.lock().unwrap(), [id]);
}

#[tokio::test]
async fn what_the_broker_never_takes_becomes_a_dead_letter_and_blocks_nothing() {
    let house = House::new();
    let poison = house.append("poison").await;
    let id = house.append("a").await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(house.forwarder().run(stop.clone()));
    house.taken(1).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(*house.moody.taken.lock().unwrap(), [id]);
    let letters = house.refused.list().await.unwrap();
    assert_eq!(letters.iter().map(|letter| &letter.event_id).collect::<Vec<_>>(), [&poison]);
    house.outbox.flush().await;
    assert_eq!(house.outbox.depth(), 0);
}

#[tokio::test]
async fn what_the_broker_may_have_forgotten_is_published_again_before_what_is_new() {
    let (house, ids) = House::with_events(10).await;
    house.moody.takes(6);
    let running = house.run();
    house.settles(6).await;
    // The rest waits for its confirmation when the broker turns out to have gone back.
    house.moody.lives_again(1, Remembers::Through(2));
    house.moody.takes(PLENTY);
    house.settles(10).await;
    let done = running.ended().await;
    let taken = house.taken_so_far();
    assert_eq!(taken[..6], ids[..6]);
    assert_eq!(taken[6..], ids[2..]);
    assert_eq!((done.published(), done.confirmed(), done.republished()), (10, 10, 4));
    assert_eq!(house.outbox.depth(), 0);
    let told = house.moody.told_in(1);
    assert!(told.is_sorted() && told.first() > Some(&2) && told.last() == Some(&10), "{told:?}");
}

#[tokio::test]
async fn a_broker_that_goes_back_during_a_replay_gets_all_of_it_again() {
    let (house, ids) = House::with_events(10).await;
    let running = house.run();
    house.settles(10).await;
    house.moody.takes(2);
    house.moody.lives_again(1, Remembers::Nothing { why: "it is another one".to_owned() });
    house.taken(12).await;
    house.moody.lives_again(2, Remembers::Through(1));
    house.moody.takes(PLENTY);
    house.taken(12 + 9).await;
    let done = running.ended().await;
    let taken = house.taken_so_far();
    assert_eq!(taken[10..12], ids[..2]);
    assert_eq!(taken[12..], ids[1..]);
    assert_eq!((done.published(), done.confirmed()), (10, 10));
    // What was confirmed in the life between says nothing about the last one.
    assert!(house.moody.told_in(1).iter().all(|position| *position <= 2));
    assert_eq!(house.moody.told_in(2).last(), Some(&10));
}

#[tokio::test]
async fn a_replay_that_is_cut_short_is_begun_again_by_the_next_start() {
    let (house, ids) = House::with_events(10).await;
    let running = house.run();
    house.settles(10).await;
    house.moody.takes(3);
    house.moody.lives_again(1, Remembers::Through(2));
    house.taken(13).await;
    // The others wait, and nobody takes them any more.
    house.moody.away.store(true, Ordering::Relaxed);
    house.moody.lives_again(2, Remembers::Through(5));
    running.ended().await;
    assert_eq!(house.moody.told_in(2), [] as [i64; 0]);

    let house = house.restarted().await;
    // Anything else would hide from a driver that compares that the broker is another one now.
    assert_eq!(house.outbox.remembered_broker(), Some("as in life 0"));
    house.moody.lives_again(1, Remembers::Through(5));
    let running = house.run();
    house.taken(5).await;
    let done = running.ended().await;
    assert_eq!(house.taken_so_far(), ids[5..]);
    assert_eq!((done.published(), done.confirmed(), done.republished()), (0, 0, 5));
    let house = house.restarted().await;
    assert_eq!(house.outbox.remembered_broker(), Some("as in life 1"));
}

#[tokio::test]
async fn a_broker_that_remembers_everything_gets_nothing_twice() {
    let (house, ids) = House::with_events(10).await;
    let running = house.run();
    house.settles(10).await;
    house.moody.lives_again(1, Remembers::Through(10));
    let more = house.append("more").await;
    house.settles(11).await;
    let done = running.ended().await;
    assert_eq!(house.taken_so_far(), [ids, vec![more]].concat());
    assert_eq!(done.republished(), 0);
}

#[tokio::test]
async fn what_is_not_kept_cannot_be_published_again_and_stops_nothing() {
    let house = House::new();
    for name in ["a", "b", "c"] {
        house.append(name).await;
    }
    let running = house.run();
    house.settles(3).await;
    house.moody.lives_again(1, Remembers::Through(1));
    let more = house.append("more").await;
    house.settles(4).await;
    let done = running.ended().await;
    assert_eq!(house.taken_so_far()[3..], [more]);
    assert_eq!(done.republished(), 0);
}

#[tokio::test]
async fn what_waits_in_a_backoff_is_tried_once_more_at_the_end() {
    let house = House::new();
    house.moody.away.store(true, Ordering::Relaxed);
    let id = house.append("a").await;
    let running = house.run();
    // By now the backoff is far longer than what follows.
    tokio::time::timeout(PATIENCE, async {
        while house.moody.turned_down.load(Ordering::Relaxed) < 5 {
            house.moody.changed.notified().await;
        }
    })
    .await
    .unwrap();
    house.moody.away.store(false, Ordering::Relaxed);
    running.ended().await;
    assert_eq!(house.taken_so_far(), [id]);
    assert_eq!(house.outbox.depth(), 0);
}

#[tokio::test]
async fn few_of_the_largest_events_are_on_their_way_at_once() {
    const EVENTS: u64 = 24;
    const MOST: u64 = (2 * MAX_BYTES / MAX_EVENT_BYTES) as u64;
    let house = House::new();
    for number in 0..EVENTS {
        house.append_large(&number.to_string()).await;
    }
    house.moody.takes(0);
    let running = house.run();
    for taken in 0..EVENTS {
        // The reader has every chance to read too much.
        for _ in 0..10 {
            house.outbox.flush().await;
        }
        let on_their_way = running.done.published() - taken;
        assert!(on_their_way <= MOST, "{on_their_way}");
        house.moody.takes.add_permits(1);
        house.taken(usize::try_from(taken).unwrap() + 1).await;
    }
    running.ended().await;
    assert_eq!(house.outbox.depth(), 0);
}
