use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use prometheus_client::registry::Registry;
use shared::broker::DeadLetter;
use shared::broker::memory::MemoryBroker;
use shared::readiness::Readiness;
use shared::subject::Subject;
use shared::timestamp::Timestamp;

use super::*;
use crate::destination::Refusal;
use crate::line_protocol::EncodedTags;
use crate::point::{FieldValue, Point};

/// Answers from a script, then stores.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Answer>>,
    preparations: Mutex<VecDeque<Result<Prepared, Trouble>>>,
    writes: Mutex<Vec<(Instant, usize)>>,
    prepared: Mutex<usize>,
}

#[derive(Clone, Debug)]
struct Handle(Arc<Scripted>);

#[async_trait]
impl Destination for Handle {
    async fn write(&self, body: &[u8]) -> Answer {
        let lines = body.split(|byte| *byte == b'\n').count() - 1;
        self.0.writes.lock().unwrap().push((Instant::now(), lines));
        self.0.answers.lock().unwrap().pop_front().unwrap_or(Answer::Stored)
    }

    async fn prepare(&self) -> Result<Prepared, Trouble> {
        *self.0.prepared.lock().unwrap() += 1;
        self.0.preparations.lock().unwrap().pop_front().unwrap_or(Ok(Prepared::Ready))
    }
}

struct Bench {
    script: Arc<Scripted>,
    store: Arc<Store>,
    broker: MemoryBroker,
    readiness: Readiness,
}

fn bench(answers: Vec<Answer>) -> Bench {
    let script = Arc::new(Scripted { answers: Mutex::new(answers.into()), ..Scripted::default() });
    let (broker, readiness) = (MemoryBroker::default(), Readiness::default());
    let pace = Pace::default();
    let holds = |name: &str| {
        let dependency = readiness.dependency(name);
        dependency.up();
        Holds::new(dependency, name.to_owned(), pace.summary)
    };
    let store = Store {
        destination: Box::new(Handle(Arc::clone(&script))),
        dead_letters: Arc::new(broker.clone()),
        destination_holds: holds("influxdb"),
        letter_holds: holds("dead-letters"),
        metrics: Metrics::register(&mut Registry::default()),
        pace,
        said: Repeated::new(pace.summary),
        permits: Arc::new(Semaphore::new(1)),
        draining: CancellationToken::new(),
    };
    Bench { script, store: Arc::new(store), broker, readiness }
}

async fn flush(store: Arc<Store>, number: u64, batch: Batch) -> Flushed {
    let permit = Arc::clone(&store.permits).acquire_owned().await.unwrap();
    super::flush(store, number, batch, permit).await
}

/// A batch of events with so many lines each.
fn batch(counts: &[usize]) -> Batch {
    let mut batch = Batch::default();
    let tags = EncodedTags::default();
    for (tag, count) in (1..).zip(counts) {
        let start = batch.lines.len();
        for _ in 0..*count {
            let nanos = i64::try_from(batch.lines.len()).unwrap();
            let point = Point::new("m", &tags, Timestamp::from_nanos(nanos));
            batch.lines.push(&point.with("f", Some(FieldValue::Bool(true))));
        }
        batch.held.push(Held {
            tag: DeliveryTag(tag),
            subject: Subject::from_neutral("p/v1/health/a".to_owned()),
            payload: Bytes::from(format!(r#"{{"id":"event-{tag}"}}"#)),
            lines: start..batch.lines.len(),
            unreadable: None,
        });
    }
    batch
}

fn unavailable(retry_after: Option<u64>) -> Answer {
    Answer::Trouble(Trouble {
        kind: TroubleKind::Unavailable { retry_after: retry_after.map(Duration::from_secs) },
        why: "busy".to_owned(),
    })
}

fn refused(dropped: Option<usize>) -> Answer {
    Answer::Refused(Refusal {
        status: 400,
        reason: "partial write".to_owned(),
        dropped,
        ..Refusal::default()
    })
}

fn settled(flushed: Flushed) -> Vec<u64> {
    match flushed {
        Flushed::Settled(tags) => tags.into_iter().map(|DeliveryTag(tag)| tag).collect(),
        Flushed::GivenUp => panic!("given up"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_influxdb_is_waited_for() {
    let bench = bench(vec![unavailable(Some(7)), unavailable(None), unavailable(Some(4000))]);
    let tags = settled(flush(Arc::clone(&bench.store), 1, batch(&[2, 3])).await);
    assert_eq!(tags, [1, 2]);
    let times: Vec<Instant> =
        bench.script.writes.lock().unwrap().iter().map(|(time, _)| *time).collect();
    let waited = |failure: usize| times[failure].duration_since(times[failure - 1]);
    assert_eq!(waited(1), Duration::from_secs(7));
    let backoff = waited(2);
    // The second failure in a row.
    assert!((250..=502).contains(&backoff.as_millis()), "{backoff:?}");
    assert_eq!(waited(3).as_secs(), 300);
    let counters = bench.store.metrics.counters();
    assert_eq!((counters.stored, counters.failed_writes), (Some(2), Some(3)));
    assert_eq!(bench.store.metrics.points_stored(), 5);
}

#[tokio::test(start_paused = true)]
async fn readiness_follows() {
    let bench = bench(vec![Answer::Trouble(Trouble::misconfigured("who are you"))]);
    let flushing = tokio::spawn(flush(Arc::clone(&bench.store), 1, batch(&[1])));
    tokio::time::sleep(Duration::from_secs(29)).await;
    let report = bench.readiness.report();
    assert_eq!(report.dependencies["influxdb"].why.as_deref(), Some("who are you"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(bench.readiness.report().ready);
    settled(flushing.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_missing_database_is_made_and_the_write_repeated_at_once() {
    let missing = || Answer::Missing("no such database".to_owned());
    let started = Instant::now();
    let bench = bench(vec![missing(), Answer::Stored, missing(), missing()]);
    settled(flush(Arc::clone(&bench.store), 1, batch(&[1])).await);
    assert_eq!(started.elapsed(), Duration::ZERO);
    // Made, and missing still: no hammering.
    settled(flush(Arc::clone(&bench.store), 2, batch(&[1])).await);
    assert_eq!(started.elapsed().as_secs(), 30);
    assert_eq!(*bench.script.prepared.lock().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_partly_refused_event_becomes_one_dead_letter_with_its_refused_lines() {
    // Lines 0 1 | 2 3: the whole, then 0 1, then 2 3 refused, then 2 stored and 3 refused.
    let bench =
        bench(vec![refused(None), Answer::Stored, refused(None), Answer::Stored, refused(None)]);
    let tags = settled(flush(Arc::clone(&bench.store), 1, batch(&[2, 2])).await);
    assert_eq!(tags, [1, 2]);
    let letters = bench.broker.list().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].event_id, "event-2");
    assert_eq!(letters[0].lines, ["m f=true 3"]);
    assert_eq!(letters[0].reason, "partial write");
    assert_eq!(letters[0].http_status, Some(400));
    assert_eq!(letters[0].payload().unwrap(), br#"{"id":"event-2"}"#);
    let counters = bench.store.metrics.counters();
    assert_eq!((counters.stored, counters.dead_lettered), (Some(1), Some(1)));
    assert_eq!(bench.store.metrics.points_stored(), 3);
}

#[tokio::test(start_paused = true)]
async fn expired_points_are_settled_and_counted() {
    let answer = Answer::Refused(Refusal {
        status: 400,
        reason: "partial write: points beyond retention policy dropped=3".to_owned(),
        dropped: Some(3),
        expired: true,
        ..Refusal::default()
    });
    let bench = bench(vec![answer]);
    settled(flush(Arc::clone(&bench.store), 1, batch(&[2, 2])).await);
    let writes: Vec<usize> =
        bench.script.writes.lock().unwrap().iter().map(|(_, lines)| *lines).collect();
    assert_eq!(writes, [4, 1]);
    assert_eq!(bench.store.metrics.expired.get(), 3);
    assert!(bench.broker.list().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_bound_on_requests_gives_whole_events_to_the_dead_letters() {
    // Everything is refused without a word about which line.
    let bench = bench(vec![refused(None); 64]);
    settled(flush(Arc::clone(&bench.store), 1, batch(&[5; 100])).await);
    assert_eq!(bench.script.writes.lock().unwrap().len(), 64);
    let letters = bench.broker.list().await.unwrap();
    assert_eq!(letters.len(), 100);
    assert!(letters.iter().all(|letter| letter.lines.len() == 5));
    assert!(letters[50].reason.contains("shared their requests"), "{}", letters[50].reason);
}

/// Dead letters with room for so many.
#[derive(Debug)]
struct RoomFor(Mutex<usize>, MemoryBroker);

impl RoomFor {
    fn new(bench: &mut Bench, letters: usize) -> Arc<Self> {
        let room = Arc::new(Self(Mutex::new(letters), bench.broker.clone()));
        Arc::get_mut(&mut bench.store).unwrap().dead_letters = Arc::clone(&room) as _;
        room
    }

    fn give(&self, letters: usize) {
        *self.0.lock().unwrap() += letters;
    }
}

#[async_trait]
impl DeadLetters for RoomFor {
    async fn put(&self, letter: DeadLetter) -> Result<(), DeadLetterError> {
        let is_known = self.1.get(&letter.event_id).await?.is_some();
        {
            let mut room = self.0.lock().unwrap();
            *room = room
                .checked_sub(usize::from(!is_known))
                .ok_or(DeadLetterError::Full { limit_bytes: 9 })?;
        }
        self.1.put(letter).await
    }

    async fn each(&self, look: shared::broker::Look<'_>) -> Result<(), DeadLetterError> {
        self.1.each(look).await
    }

    async fn get(&self, event_id: &str) -> Result<Option<DeadLetter>, DeadLetterError> {
        self.1.get(event_id).await
    }

    async fn remove(&self, event_id: &str) -> Result<(), DeadLetterError> {
        if self.1.get(event_id).await?.is_some() {
            self.give(1);
        }
        self.1.remove(event_id).await
    }
}

/// The batch's deliveries, as they come when they are replayed.
fn as_replays(mut batch: Batch) -> Batch {
    for held in &mut batch.held {
        held.subject = held.subject.for_replay().unwrap();
    }
    batch
}

#[tokio::test(start_paused = true)]
async fn full_dead_letters_hold_until_there_is_room() {
    let mut bench = bench(vec![]);
    let room = RoomFor::new(&mut bench, 1);
    let mut unreadable = batch(&[0, 0, 1]);
    unreadable.held[0].unreadable = Some("no JSON".to_owned());
    unreadable.held[1].unreadable = Some("no JSON".to_owned());
    let started = Instant::now();
    let flushing = tokio::spawn(flush(Arc::clone(&bench.store), 1, unreadable));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let why = bench.readiness.report().dependencies["dead-letters"].why.clone().unwrap();
    assert!(why.contains("broker.deadLetters.maxBytes"), "{why}");
    assert_eq!(bench.store.permits.available_permits(), 1, "others may make requests");
    room.give(1);
    assert_eq!(settled(flushing.await.unwrap()), [1, 2, 3]);
    assert_eq!(started.elapsed().as_secs(), 30);
    assert!(bench.readiness.report().ready);
    let letters = bench.broker.list().await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.count).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(bench.script.writes.lock().unwrap().len(), 1, "what is settled is left alone");
    let counters = bench.store.metrics.counters();
    assert_eq!((counters.stored, counters.dead_lettered), (Some(1), Some(2)));
    assert_eq!(bench.store.metrics.points_stored(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_the_fault_is_mended_no_room_is_needed() {
    let mut bench = bench(vec![refused(Some(4)), refused(Some(2))]);
    let _room = RoomFor::new(&mut bench, 1);
    let started = Instant::now();
    let tags = settled(flush(Arc::clone(&bench.store), 1, batch(&[2, 1, 1])).await);
    assert_eq!((tags, started.elapsed().as_secs()), (vec![1, 2, 3], 60));
    // The first has its letter; the others were tried once more in vain, and then stored.
    let sizes: Vec<usize> = bench.script.writes.lock().unwrap().iter().map(|w| w.1).collect();
    assert_eq!(sizes, [4, 2, 2]);
    assert_eq!(bench.broker.list().await.unwrap()[0].lines, ["m f=true 0", "m f=true 1"]);
    assert_eq!(bench.store.metrics.points_stored(), 2);
    assert!(bench.readiness.report().ready);
}

#[tokio::test(start_paused = true)]
async fn a_replayed_event_that_is_stored_loses_its_letter() {
    let bench = bench(vec![refused(Some(2))]);
    settled(flush(Arc::clone(&bench.store), 1, batch(&[1, 1])).await);
    assert_eq!(bench.broker.list().await.unwrap().len(), 2);
    // The event itself, delivered once more, says nothing about its letter.
    settled(flush(Arc::clone(&bench.store), 2, batch(&[1])).await);
    assert_eq!(bench.broker.list().await.unwrap().len(), 2);
    settled(flush(Arc::clone(&bench.store), 3, as_replays(batch(&[1]))).await);
    let left = bench.broker.list().await.unwrap();
    assert_eq!(left.iter().map(|l| l.event_id.as_str()).collect::<Vec<_>>(), ["event-2"]);
    assert_eq!(bench.store.metrics.replayed.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replayed_event_that_is_refused_again_is_counted_under_its_first_subject() {
    let bench = bench(vec![refused(Some(1)), refused(Some(1))]);
    settled(flush(Arc::clone(&bench.store), 1, batch(&[1])).await);
    settled(flush(Arc::clone(&bench.store), 2, as_replays(batch(&[1]))).await);
    let letter = bench.broker.list().await.unwrap().remove(0);
    assert_eq!((letter.count, letter.subject.as_str()), (2, "p/v1/health/a"));
    assert_eq!(bench.store.metrics.replayed.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_replayed_event_that_is_too_old_keeps_its_letter() {
    let too_old = Answer::Refused(Refusal {
        status: 400,
        reason: "partial write: points beyond retention policy dropped=1".to_owned(),
        dropped: Some(1),
        expired: true,
        ..Refusal::default()
    });
    let bench = bench(vec![too_old.clone(), too_old]);
    settled(flush(Arc::clone(&bench.store), 1, batch(&[1])).await);
    assert!(bench.broker.list().await.unwrap().is_empty());
    settled(flush(Arc::clone(&bench.store), 2, as_replays(batch(&[1]))).await);
    let letter = bench.broker.list().await.unwrap().remove(0);
    assert!(letter.reason.contains("retention policy"), "{}", letter.reason);
    assert_eq!(letter.lines, ["m f=true 0"]);
}

#[tokio::test(start_paused = true)]
async fn stored_replays_make_room_for_the_letters_of_their_batch() {
    // Both refused; then the first is stored and a new event is refused in its place.
    let mut bench = bench(vec![refused(Some(1)), refused(None), Answer::Stored, refused(None)]);
    let _room = RoomFor::new(&mut bench, 1);
    settled(flush(Arc::clone(&bench.store), 1, batch(&[1])).await);
    let mut mixed = batch(&[1, 1]);
    mixed.held.swap(0, 1);
    mixed.held[1].subject = mixed.held[1].subject.for_replay().unwrap();
    let started = Instant::now();
    settled(flush(Arc::clone(&bench.store), 2, mixed).await);
    assert_eq!(started.elapsed(), Duration::ZERO);
    let letters = bench.broker.list().await.unwrap();
    assert_eq!(letters.iter().map(|l| l.event_id.as_str()).collect::<Vec<_>>(), ["event-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_nothing() {
    let bench = bench(vec![unavailable(None); 9]);
    let flushing = tokio::spawn(flush(Arc::clone(&bench.store), 1, batch(&[1])));
    tokio::task::yield_now().await;
    bench.store.draining.cancel();
    let started = Instant::now();
    assert!(matches!(flushing.await.unwrap(), Flushed::GivenUp));
    assert_eq!(started.elapsed(), Duration::ZERO);
    let again = flush(Arc::clone(&bench.store), 2, batch(&[1])).await;
    assert!(matches!(again, Flushed::GivenUp));
    assert_eq!(bench.script.writes.lock().unwrap().len(), 2, "each batch was tried once");
}

#[tokio::test(start_paused = true)]
async fn who_may_only_write_is_not_held_until_a_write_finds_nothing() {
    let missing = Answer::Missing("bucket not found".to_owned());
    let bench = bench(vec![Answer::Stored, missing, Answer::Stored]);
    let unseen = || Ok(Prepared::Unseen(Trouble::misconfigured("run this")));
    bench.script.preparations.lock().unwrap().extend([unseen(), unseen()]);
    prepare(Arc::clone(&bench.store)).await;
    assert!(bench.readiness.report().ready);
    let started = Instant::now();
    settled(flush(Arc::clone(&bench.store), 1, batch(&[1])).await);
    assert_eq!(started.elapsed(), Duration::ZERO);
    let flushing = tokio::spawn(flush(Arc::clone(&bench.store), 2, batch(&[1])));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = bench.readiness.report();
    assert_eq!(report.dependencies["influxdb"].why.as_deref(), Some("run this"));
    settled(flushing.await.unwrap());
    assert!(bench.readiness.report().ready);
}

#[tokio::test(start_paused = true)]
async fn the_preparation_goes_on_until_it_succeeds() {
    let bench = bench(vec![]);
    let troubles = [Err(Trouble::unavailable("down")), Err(Trouble::misconfigured("run this"))];
    bench.script.preparations.lock().unwrap().extend(troubles);
    let preparing = tokio::spawn(prepare(Arc::clone(&bench.store)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = bench.readiness.report();
    assert_eq!(report.dependencies["influxdb"].why.as_deref(), Some("run this"));
    preparing.await.unwrap();
    assert!(bench.readiness.report().ready);
    assert_eq!(*bench.script.prepared.lock().unwrap(), 3);
}
