use std::time::Duration;

use super::*;
use crate::envelope::{Envelope, Origin};
use crate::event::{AppNames, Event, Poll};
use crate::subject::Token;

const PATIENCE: Duration = Duration::from_secs(20);

fn settings(directory: &tempfile::TempDir) -> OutboxSettings {
    OutboxSettings {
        directory: directory.path().join("outbox"),
        max_bytes: 64 << 20,
        max_age: None,
        keep_settled: Duration::ZERO,
    }
}

fn entry(repository: &str) -> Entry {
    let now = Timestamp::now();
    let event = Event::AppNames(AppNames {
        repository: repository.to_owned(),
        poll: Poll { scheduled: now, duration_ms: 1, interval_ms: 1, bytes: None },
        part: 1,
        parts: 1,
        full: true,
        apps: vec![],
    });
    let origin = Origin::new("collector", "test");
    Entry {
        subject: Subject::app_names("qliksense", &Token::new(repository)),
        event: Unnumbered::encode(&origin, repository, now, &event).unwrap(),
    }
}

async fn read(outbox: &Outbox, after: i64) -> Vec<Stored> {
    let mut reader = outbox.reader().unwrap();
    tokio::time::timeout(PATIENCE, reader.read_after(after, 1_000)).await.unwrap().unwrap()
}

async fn reopened(outbox: Outbox, settings: &OutboxSettings) -> Outbox {
    drop(outbox);
    // The committer lets go of the directory once it has seen that every handle is gone.
    tokio::time::timeout(PATIENCE, async {
        loop {
            match Outbox::open(settings) {
                Ok(outbox) => return outbox,
                Err(OpenError::InUse { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn appended_events_are_read_in_order_and_survive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory);
    let outbox = Outbox::open(&settings).unwrap();
    let names = ["a", "b", "c"];
    for name in names {
        outbox.append(vec![entry(name)], None).await.unwrap();
    }
    assert_eq!((outbox.depth(), outbox.appended()), (3, 3));
    let outbox = reopened(outbox, &settings).await;
    assert_eq!((outbox.depth(), outbox.appended()), (3, 0));
    let stored = read(&outbox, 0).await;
    let envelopes: Vec<_> =
        stored.iter().map(|stored| Envelope::decode(&stored.payload).unwrap()).collect();
    assert_eq!(envelopes.iter().map(|e| e.subject.as_str()).collect::<Vec<_>>(), names);
    assert_eq!(
        envelopes.iter().map(|e| e.sequence).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!(stored[0].id, envelopes[0].id);
    assert_eq!(stored[0].subject.as_topic(), "qliksense/v1/app-names/a");

    outbox.settle_through(stored[1].position).await;
    outbox.flush().await;
    assert_eq!(outbox.depth(), 1);
    let outbox = reopened(outbox, &settings).await;
    let left = read(&outbox, 0).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, stored[2].id);
    // Positions are never given twice, or a late ack would let go of something else.
    outbox.settle_through(left[0].position).await;
    outbox.flush().await;
    let outbox = reopened(outbox, &settings).await;
    assert_eq!(outbox.depth(), 0);
    outbox.append(vec![entry("d")], None).await.unwrap();
    assert!(read(&outbox, 0).await[0].position > left[0].position);
}

#[tokio::test]
async fn a_settlement_goes_along_with_what_comes_next_and_waits_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&settings(&directory)).unwrap();
    outbox.append(vec![entry("a")], None).await.unwrap();
    let first = read(&outbox, 0).await[0].position;
    outbox.settle_through(first).await;
    outbox.tick_started("a", Timestamp::now()).await;
    assert_eq!(outbox.settled(), first);

    outbox.append(vec![entry("b")], None).await.unwrap();
    let second = read(&outbox, first).await[0].position;
    outbox.settle_through(second).await;
    let alone = async {
        while outbox.settled() < second {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, alone).await.expect("nothing comes that it could wait for");
    assert_eq!(outbox.depth(), 0);
}

#[tokio::test]
async fn entries_of_one_append_come_together_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let settings = OutboxSettings { max_bytes: 200_000, ..settings(&directory) };
    let outbox = Outbox::open(&settings).unwrap();
    let mut taken = 0;
    let refused = loop {
        match outbox.append(vec![entry("a"), entry(&"b".repeat(20_000))], None).await {
            Ok(()) => taken += 2,
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, AppendError::Full { why } if why.contains("200000")), "{refused}");
    assert!(taken >= 4);
    assert_eq!(outbox.depth(), taken);
    let stored = read(&outbox, 0).await;
    assert_eq!(u64::try_from(stored.len()).unwrap(), taken);

    // What leaves makes room, and the sequence has no gap where something was refused.
    outbox.settle_through(stored.last().unwrap().position).await;
    outbox.flush().await;
    outbox.append(vec![entry("c")], None).await.unwrap();
    let after = read(&outbox, stored.last().unwrap().position).await;
    assert_eq!(Envelope::decode(&after[0].payload).unwrap().sequence, Some(taken + 1));
}

#[tokio::test]
async fn events_put_back_are_unchanged_and_take_no_sequence() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&settings(&directory)).unwrap();
    outbox.append(vec![entry("a")], None).await.unwrap();
    let old = read(&outbox, 0).await.remove(0);
    let subject = old.subject.for_replay().unwrap();
    let (id, payload) = (old.id.clone(), old.payload.clone());
    outbox.put_back(vec![Outgoing { subject, id, payload }]).await.unwrap();
    outbox.append(vec![entry("b")], None).await.unwrap();
    let stored = read(&outbox, 0).await;
    assert_eq!((stored.len(), outbox.depth(), outbox.appended()), (3, 3, 2));
    assert_eq!((&stored[1].id, &stored[1].payload), (&old.id, &old.payload));
    assert_eq!(stored[1].subject.as_topic(), "qliksense/v1/replay/app-names/a");
    assert_eq!(Envelope::decode(&stored[2].payload).unwrap().sequence, Some(2));
}

#[tokio::test]
async fn ticks_without_an_outcome_are_found_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory);
    let outbox = Outbox::open(&settings).unwrap();
    let (first, second) = (Timestamp::from_nanos(1_000), Timestamp::from_nanos(2_000));
    outbox.tick_started("health/a", first).await;
    outbox.tick_started("health/b", first).await;
    outbox.append(vec![entry("a")], Some("health/a")).await.unwrap();
    outbox.tick_started("health/b", second).await;
    outbox.flush().await;
    let outbox = reopened(outbox, &settings).await;
    let open = OpenTick { endpoint: "health/b".to_owned(), sent: second, ticks: 2 };
    assert_eq!(outbox.open_ticks(), [open]);
    outbox.append(vec![], Some("health/b")).await.unwrap();
    assert_eq!(reopened(outbox, &settings).await.open_ticks(), []);
}

#[tokio::test]
async fn one_process_per_directory() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory);
    let _outbox = Outbox::open(&settings).unwrap();
    let error = Outbox::open(&settings).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }));
    assert!(error.to_string().contains(&settings.directory.display().to_string()));
}

#[tokio::test]
async fn a_file_that_is_no_outbox_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory);
    std::fs::create_dir_all(&settings.directory).unwrap();
    std::fs::write(
        settings.directory.join("outbox.sqlite"),
        "no database, but long enough".repeat(99),
    )
    .unwrap();
    let error = Outbox::open(&settings).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { .. }));
    assert!(error.to_string().contains("outbox.sqlite"), "{error}");
}

#[tokio::test]
async fn events_beyond_their_age_are_given_up_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory);
    let outbox = Outbox::open(&settings).unwrap();
    outbox.append(vec![entry("a"), entry("b")], None).await.unwrap();
    let settings = OutboxSettings { max_age: Some(Duration::ZERO), ..settings };
    let outbox = reopened(outbox, &settings).await;
    outbox.append(vec![entry("c")], None).await.unwrap();
    assert!(outbox.expired() >= 2, "{}", outbox.expired());
    assert_eq!(outbox.depth(), 3 - outbox.expired());
}

#[tokio::test]
async fn a_tap_sees_what_is_committed() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&settings(&directory)).unwrap();
    let mut tap = outbox.tap();
    outbox.append(vec![entry("a")], None).await.unwrap();
    let tapped = tap.recv().await.unwrap();
    assert_eq!(tapped.id, read(&outbox, 0).await[0].id);
}

#[tokio::test]
async fn settled_events_stay_as_long_as_asked_and_are_not_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let keeping = OutboxSettings { keep_settled: Duration::from_mins(5), ..settings(&directory) };
    let outbox = Outbox::open(&keeping).unwrap();
    outbox.append(vec![entry("a"), entry("b"), entry("c")], None).await.unwrap();
    let stored = read(&outbox, 0).await;
    outbox.settle_through(stored[1].position).await;
    outbox.flush().await;
    assert_eq!((outbox.depth(), outbox.settled()), (1, stored[1].position));
    assert_eq!(read(&outbox, 0).await.len(), 3);

    let outbox = reopened(outbox, &keeping).await;
    assert_eq!((outbox.depth(), outbox.settled()), (1, stored[1].position));
    assert_eq!(read(&outbox, outbox.settled()).await[0].id, stored[2].id);

    // A shorter time lets go of what is settled, and of nothing else.
    let outbox = reopened(outbox, &settings(&directory)).await;
    outbox.append(vec![entry("d")], None).await.unwrap();
    let left: Vec<String> = read(&outbox, 0).await.into_iter().map(|stored| stored.id).collect();
    assert_eq!(left.len(), 2);
    assert_eq!(left[0], stored[2].id);
}

#[tokio::test]
async fn what_somebody_may_still_ask_for_stays_beyond_its_time() {
    const SOON: Duration = Duration::from_millis(1);
    let directory = tempfile::tempdir().unwrap();
    let keeping = OutboxSettings { keep_settled: SOON, ..settings(&directory) };
    let outbox = Outbox::open(&keeping).unwrap();
    let entries = ["a", "b", "c", "d", "e"].map(entry).to_vec();
    outbox.append(entries, None).await.unwrap();
    let mut first = 1;
    for (needed_from, settled, left_from) in [(Some(2), 2, 2), (Some(2), 3, 2), (None, 4, 4)] {
        outbox.keep_from(needed_from);
        outbox.settle_through(settled).await;
        outbox.flush().await;
        // What it settles last begins its time.
        tokio::time::sleep(2 * SOON).await;
        outbox.settle_through(settled + 1).await;
        outbox.flush().await;
        first = read(&outbox, 0).await[0].position.max(first);
        assert!(first >= left_from, "{needed_from:?}: {first}");
        assert!(needed_from.is_none_or(|needed| first <= needed), "{needed_from:?}: {first}");
    }
}

#[tokio::test]
async fn a_crowded_outbox_keeps_of_what_is_settled_what_fits_into_its_half() {
    let directory = tempfile::tempdir().unwrap();
    let keeping = OutboxSettings {
        max_bytes: 400_000,
        keep_settled: Duration::from_mins(5),
        ..settings(&directory)
    };
    let outbox = Outbox::open(&keeping).unwrap();
    let taken = loop {
        if outbox.append(vec![entry(&"a".repeat(9_000))], None).await.is_err() {
            break outbox.appended();
        }
    };
    outbox.settle_through(i64::try_from(taken).unwrap()).await;
    outbox.flush().await;
    outbox.append(vec![entry("b")], None).await.unwrap();
    assert_eq!((outbox.depth(), read(&outbox, 0).await.len()), (1, 1), "{taken} were taken");
}

#[tokio::test]
async fn an_outbox_has_a_name_and_remembers_the_broker() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let keeping = OutboxSettings { keep_settled: Duration::from_mins(5), ..settings(&directory) };
    let outbox = Outbox::open(&keeping).unwrap();
    let identity = outbox.identity().to_owned();
    assert_ne!(identity, Outbox::open(&settings(&other)).unwrap().identity());
    assert_eq!(outbox.remembered_broker(), None);
    outbox.append(vec![entry("a"), entry("b")], None).await.unwrap();
    outbox.settle_and_remember(1, "one".to_owned()).await;
    outbox.settle_and_remember(2, "two".to_owned()).await;
    outbox.settle_through(2).await;
    outbox.flush().await;
    let outbox = reopened(outbox, &keeping).await;
    assert_eq!(outbox.identity(), identity);
    assert_eq!(outbox.remembered_broker(), Some("two"));
}

/// A file as the first version made it.
#[tokio::test]
async fn an_older_file_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let keeping = OutboxSettings { keep_settled: Duration::from_mins(5), ..settings(&directory) };
    let outbox = Outbox::open(&keeping).unwrap();
    outbox.append(vec![entry("a"), entry("b"), entry("c")], None).await.unwrap();
    outbox.settle_through(1).await;
    outbox.flush().await;
    let outbox = {
        drop(reopened(outbox, &keeping).await);
        let file = rusqlite::Connection::open(keeping.directory.join("outbox.sqlite")).unwrap();
        file.execute_batch(
            "ALTER TABLE progress DROP COLUMN identity; ALTER TABLE progress DROP COLUMN broker;
             PRAGMA user_version = 1;",
        )
        .unwrap();
        drop(file);
        tokio::time::timeout(PATIENCE, async {
            loop {
                match Outbox::open(&keeping) {
                    Ok(outbox) => return outbox,
                    Err(OpenError::InUse { .. }) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        })
        .await
        .unwrap()
    };
    assert_eq!((outbox.depth(), outbox.settled()), (2, 1));
    assert_eq!(outbox.identity().len(), 26);
    let identity = outbox.identity().to_owned();
    assert_eq!(reopened(outbox, &keeping).await.identity(), identity);
}
