//! What must go well over every broker.

use integration_tests::patience::{eventually, eventually_equal};
use serde_json::Value;
use shared::broker::{DeadLetter, DeadLetterError};
use shared::timestamp::Timestamp;

use crate::setup::Setup;

/// Bytes of an event that somebody else wrote.
const FOREIGN: usize = 150_000;

pub(crate) async fn a_mended_conflict_is_replayed(mut setup: Setup) {
    setup.conflict().await;
    setup.start().await;
    setup.some_letters().await;
    let letters = setup.letters().await;
    for letter in &letters {
        assert!(letter["reason"].as_str().unwrap().contains("field type conflict"), "{letter}");
        assert_eq!((&letter["count"], &letter["httpStatus"]), (&1.into(), &400.into()));
        assert_eq!(letter["refusedBy"], "writer");
    }
    let (code, listed) = setup.run(&["list"]).await;
    assert_eq!(code, Some(0), "{listed}");
    let summary = format!("{} dead letters, ", letters.len());
    for part in ["health  sense1", "  1      400     partial write: field type", &summary, "1 MiB"]
    {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    let times = times_of(&setup).await;

    // Nothing is mended yet.
    let (code, replayed) = setup.run(&["replay", "--all"]).await;
    assert_eq!(code, Some(1), "{replayed}");
    let told = format!("\n{} refused again.\n", letters.len());
    for part in ["refused again (2 times now): partial write: field type conflict", &told] {
        assert!(replayed.contains(part), "{part}: {replayed}");
    }
    assert!(setup.letters().await.iter().all(|letter| letter["count"] == 2));

    // Within the time in which NATS takes a repeated id for a repetition.
    setup.mend().await;
    let (code, replayed) = setup.run(&["replay", "--all"]).await;
    assert_eq!(code, Some(0), "{replayed}");
    assert!(replayed.ends_with(&format!("\n{} stored.\n", letters.len())), "{replayed}");
    let (code, listed) = setup.run(&["list"]).await;
    assert_eq!((code, listed.as_str()), (Some(0), "There are no dead letters.\n"));
    setup.everything_is_stored().await;
    let stored: Vec<i64> = setup.stored().await.into_values().flatten().collect();
    assert_eq!(sorted(stored), sorted(times), "an event has its own time");
    let (code, replayed) = setup.run(&["replay", "--all"]).await;
    assert_eq!((code, replayed.as_str()), (Some(0), "There is nothing to replay.\n"));
}

/// The times of the events in the dead letters, as `show` has them.
async fn times_of(setup: &Setup) -> Vec<i64> {
    let mut times = Vec::new();
    for id in setup.ids().await {
        let (code, shown) = setup.run(&["show", &id.to_lowercase(), "--json"]).await;
        assert_eq!(code, Some(0), "{shown}");
        let letter: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(letter["event"]["id"], id);
        assert_eq!(letter["lines"].as_array().unwrap().len(), 1);
        let time = letter["event"]["time"].as_str().unwrap();
        times.push(Timestamp::parse(time).unwrap().nanos());
        let (_, shown) = setup.run(&["show", &id]).await;
        for part in ["Kind         health\n", "Refused lines\n  apps,", "\"specversion\": \"1.0\""]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    times
}

fn sorted(mut times: Vec<i64>) -> Vec<i64> {
    times.sort_unstable();
    times
}

pub(crate) async fn nobody_need_be_there(mut setup: Setup) {
    setup.conflict().await;
    setup.start().await;
    setup.some_letters().await;
    setup.mend().await;
    setup.storer().kill();
    let before = setup.letters().await;
    let (code, replayed) = setup.run(&["replay", "--all", "--wait", "1s"]).await;
    assert_eq!(code, Some(1), "{replayed}");
    let said = ["No writer has dealt with", "No `footman run` with this configuration"];
    assert!(said.iter().any(|said| replayed.contains(said)), "{replayed}");
    assert_eq!(setup.letters().await, before, "the letters are as they were");
    setup.storer().start().await;
    setup.no_letters().await;
    setup.everything_is_stored().await;
}

pub(crate) async fn killed_in_the_middle_of_a_replay(mut setup: Setup) {
    setup.conflict().await;
    setup.start().await;
    setup.some_letters().await;
    let letters = setup.ids().await.len();
    setup.influxd.stop();
    let (code, replayed) = setup.run(&["replay", "--all", "--wait", "1s"]).await;
    assert_eq!(code, Some(1), "{replayed}");
    assert!(replayed.contains("not stored yet"), "{replayed}");
    // The writer has them in hand when it dies.
    eventually("the replayed events in the writer's hands", || async {
        let unacked = setup.writer_metric("writer_unacked").await?;
        (unacked >= letters as f64).then_some(())
    })
    .await;
    setup.storer().kill();
    setup.influxd.restart().await;
    setup.mend().await;
    assert_eq!(setup.ids().await.len(), letters);
    setup.storer().start().await;
    setup.no_letters().await;
    setup.everything_is_stored().await;
}

pub(crate) async fn full_letters_hold_until_there_is_room(mut setup: Setup) {
    setup.conflict().await;
    let (_connection, letters) = setup.driver().await;
    let payload = vec![b'x'; FOREIGN];
    for number in 0_u32.. {
        let (id, subject) = (format!("foreign-{number}"), "qliksense/v1/health/a".to_owned());
        let letter = DeadLetter::new(id, subject, &payload, "no event".to_owned());
        match letters.put(letter).await {
            Ok(()) => assert!(number < 99, "they are never full"),
            Err(DeadLetterError::Full { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    // What is left takes letters of real events, until it does not.
    setup.start().await;
    let why = eventually("the writer to hold", || async {
        setup.writer_misses("dead-letters").await.filter(|why| why.contains("are full"))
    })
    .await;
    setup.no_more_health().await;
    for part in ["1048576 bytes", "`footman dead-letters replay`", "broker.deadLetters.maxBytes"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let (code, printed) = setup.run(&["delete", "foreign-0"]).await;
    assert_eq!(code, Some(64), "nobody can be asked: {printed}");
    let (code, printed) = setup.run(&["delete", "foreign-1", "foreign-0", "--yes"]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "2 dead letters deleted.\n"));
    eventually_equal("the writer to go on", None, || setup.writer_misses("dead-letters")).await;
    setup.mend().await;
    let (code, printed) = setup.run(&["replay", "--all", "--reason", "CONFLICT"]).await;
    assert_eq!(code, Some(0), "{printed}");
    setup.everything_is_stored().await;
    let left = setup.ids().await;
    assert!(!left.is_empty() && left.iter().all(|id| id.starts_with("foreign")), "{left:?}");
}

pub(crate) async fn only_those_asked_for_are_touched(mut setup: Setup) {
    setup.conflict().await;
    setup.start().await;
    setup.some_letters().await;
    setup.mend().await;
    let ids = setup.ids().await;
    let (code, printed) = setup.run(&["replay", &ids[1]]).await;
    assert_eq!((code, printed), (Some(0), format!("{}  stored\n1 stored.\n", ids[1])));
    let (code, printed) = setup.run(&["delete", &ids[0], "--yes"]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "1 dead letter deleted.\n"));
    assert_eq!(setup.ids().await, ids[2..]);
    for wrong in [&["replay", "nothing"][..], &["show", &ids[0]], &["delete", "0", "--yes"]] {
        let (code, printed) = setup.run(wrong).await;
        assert_eq!(code, Some(1), "{wrong:?}: {printed}");
    }
    let (code, printed) = setup.run(&["replay", "--all", "--reason", "something else"]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "There is nothing to replay.\n"));
    assert_eq!(setup.ids().await, ids[2..]);
    assert_eq!(setup.stored().await.len(), 1);
}
