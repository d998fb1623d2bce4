//! Dead letters: retained at the broker, seen by everybody, bounded.

use integration_tests::mosquitto::Mosquitto;
use integration_tests::patience::eventually_equal;
use shared::broker::{DeadLetter, DeadLetterError, DeadLetters as _};

use crate::site::dead_letters;

const ROOM: u64 = 1 << 30;

fn letter(id: &str, bytes: usize) -> DeadLetter {
    let payload = vec![b'x'; bytes];
    let subject = "qliksense/v1/health/a".to_owned();
    DeadLetter::new(id.to_owned(), subject, &payload, "refused".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_letters_are_listed_to_the_last() {
    const LETTERS: usize = 300;
    let mut mosquitto = Mosquitto::start().await;
    let letters = dead_letters(mosquitto.settings(), ROOM);
    assert!(letters.list().await.unwrap().is_empty());
    for number in 0..LETTERS {
        // Ids need not fit into a topic.
        letters.put(letter(&format!("{number:03}/#+"), 10_000)).await.unwrap();
    }
    letters.remove("007/#+").await.unwrap();
    mosquitto.stop().await;
    mosquitto.restart().await;
    let listed = letters.list().await.unwrap();
    assert_eq!(listed.len(), LETTERS - 1);
    assert!(listed.is_sorted_by_key(|letter| letter.first_time));
    assert_eq!(listed[7].event_id, "008/#+");
    assert_eq!(listed[7].payload().unwrap(), vec![b'x'; 10_000]);
    letters.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_see_each_other_s_letters() {
    let mosquitto = Mosquitto::start().await;
    let one = dead_letters(mosquitto.settings(), ROOM);
    one.put(letter("1", 10)).await.unwrap();
    let first = one.list().await.unwrap().remove(0);
    let other = dead_letters(mosquitto.settings(), ROOM);
    for _ in 0..3 {
        other.put(letter("1", 10)).await.unwrap();
    }
    let listed = other.list().await.unwrap();
    assert_eq!((listed.len(), listed[0].count), (1, 4));
    assert_eq!(listed[0].first_time, first.first_time);
    assert!(listed[0].last_time > first.last_time);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_is_said_until_somebody_makes_room() {
    let mosquitto = Mosquitto::start().await;
    let writer = dead_letters(mosquitto.settings(), 3_000);
    writer.put(letter("1", 1_000)).await.unwrap();
    let full = writer.put(letter("2", 1_000)).await;
    assert!(matches!(full, Err(DeadLetterError::Full { limit_bytes: 3_000 })), "{full:?}");
    // The same one again takes no more room.
    writer.put(letter("1", 1_000)).await.unwrap();

    let operator = dead_letters(mosquitto.settings(), 3_000);
    operator.remove("1").await.unwrap();
    eventually_equal("the room to be seen", true, || async {
        writer.put(letter("2", 1_000)).await.is_ok()
    })
    .await;
    let ids: Vec<_> = writer.list().await.unwrap().into_iter().map(|l| l.event_id).collect();
    assert_eq!(ids, ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_broker_a_letter_is_not_kept_and_that_is_said() {
    let mosquitto = Mosquitto::prepare(|_| String::new());
    let letters = dead_letters(mosquitto.settings(), ROOM);
    let put = letters.put(letter("1", 10)).await;
    let address = format!("127.0.0.1:{}", mosquitto.port());
    assert!(
        matches!(&put, Err(DeadLetterError::Unavailable { why }) if why.contains(&address)),
        "{put:?}"
    );
    assert!(letters.list().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_is_too_large_for_the_broker_is_made_smaller() {
    for limit in ["max_packet_size 100000\n", "message_size_limit 100000\n"] {
        let mosquitto = Mosquitto::start_with(|_| limit.to_owned()).await;
        let writer = dead_letters(mosquitto.settings(), ROOM);
        // What comes through such a broker becomes larger as a letter.
        let payload = vec![0xFF; 90_000];
        let subject = "qliksense/v1/health/a".to_owned();
        let why = "no event".to_owned();
        writer.put(DeadLetter::new("1".to_owned(), subject, &payload, why)).await.unwrap();
        let letter = writer.list().await.unwrap().remove(0);
        let kept = letter.payload().unwrap();
        assert!(kept.len() > 30_000 && payload.starts_with(&kept), "{limit}: {}", kept.len());
        assert!(letter.reason.contains("of 90000 bytes"), "{limit}: {}", letter.reason);
    }
}
