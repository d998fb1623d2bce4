//! Dead letters of several writers and groups, and what does not fit.

use integration_tests::nats::NatsServer;
use shared::broker::{DeadLetter, DeadLetterError};
use tokio::task::JoinSet;

use crate::house::{DEAD_LETTER_BYTES, GROUP, Program, Sizes};

fn letter(id: &str, payload: &[u8]) -> DeadLetter {
    let subject = "qliksense/v1/health/a".to_owned();
    DeadLetter::new(id.to_owned(), subject, payload, "refused".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_count_the_same_event_together() {
    let server = NatsServer::start().await;
    let programs = [Program::ready(&server).await, Program::ready(&server).await];
    let mut puts = JoinSet::new();
    for program in &programs {
        for _ in 0..5 {
            let dead = program.nats.dead_letters(GROUP);
            puts.spawn(async move { dead.put(letter("an id with spaces. and dots", b"{}")).await });
        }
    }
    while let Some(put) = puts.join_next().await {
        put.unwrap().unwrap();
    }
    let letters = programs[0].nats.dead_letters(GROUP).list().await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.count).collect::<Vec<_>>(), [10]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_the_oldest_first_and_those_of_its_group() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let (dead, others) = (program.nats.dead_letters(GROUP), program.nats.dead_letters("archive"));
    assert!(dead.list().await.unwrap().is_empty());
    for id in ["3", "1", "2"] {
        dead.put(letter(id, b"\xff no JSON")).await.unwrap();
    }
    dead.put(letter("3", b"\xff no JSON")).await.unwrap();
    others.put(letter("1", b"{}")).await.unwrap();
    let letters = dead.list().await.unwrap();
    let ids: Vec<&str> = letters.iter().map(|letter| letter.event_id.as_str()).collect();
    assert_eq!(ids, ["3", "1", "2"]);
    assert_eq!(letters[1].payload().unwrap(), b"\xff no JSON");
    dead.remove("1").await.unwrap();
    assert_eq!(dead.list().await.unwrap().len(), 2);
    assert_eq!(others.list().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_is_said_and_nothing_is_dropped() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let dead = program.nats.dead_letters(GROUP);
    let mut sizes = Sizes(500 << 10);
    let payload = |size: usize| format!("\"{}\"", "x".repeat(size));
    let mut kept = 0;
    let error = loop {
        match dead.put(letter(&kept.to_string(), payload(sizes.0).as_bytes())).await {
            Ok(()) => kept += 1,
            Err(DeadLetterError::Full { .. }) if sizes.was_not_taken() => (),
            Err(error) => break error,
        }
        assert!(kept < 1_000, "it is never full");
    };
    let full = matches!(error, DeadLetterError::Full { limit_bytes: DEAD_LETTER_BYTES });
    assert!(full, "{error}");
    assert_eq!(dead.list().await.unwrap().len(), kept);
    dead.remove("0").await.unwrap();
    dead.put(letter("again", payload(400 << 10).as_bytes())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_larger_than_the_server_takes_is_made_smaller() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let dead = program.nats.dead_letters(GROUP);
    let lines = vec!["x".repeat(300 << 10)];
    let event = format!("\"{}\"", "x".repeat(900 << 10));
    dead.put(DeadLetter { lines, ..letter("ours", event.as_bytes()) }).await.unwrap();
    dead.put(letter("foreign", &vec![0xFF; 1 << 20])).await.unwrap();
    let letters = dead.list().await.unwrap();
    assert_eq!(letters[0].payload().unwrap(), event.as_bytes());
    assert!(letters[0].lines.is_empty());
    assert!(letters[1].reason.contains("only the first"), "{}", letters[1].reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_they_cannot_be_used() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let dead = program.nats.dead_letters(GROUP);
    server.kill();
    let error = dead.put(letter("1", b"{}")).await.unwrap_err();
    assert!(matches!(error, DeadLetterError::Unavailable { .. }), "{error}");
    let error = dead.list().await.unwrap_err();
    assert!(matches!(error, DeadLetterError::Unavailable { .. }), "{error}");
    server.restart().await;
    program.is_ready().await;
    dead.put(letter("1", b"{}")).await.unwrap();
}
