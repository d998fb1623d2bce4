use proptest::prelude::*;
use shared::timestamp::Timestamp;

use super::*;
use crate::line_protocol::EncodedTags;
use crate::point::{FieldValue, Point};

fn limits() -> BatchLimits {
    BatchLimits { points: 10, bytes: 200, age: Duration::from_secs(1) }
}

fn delivery(tag: u64) -> Delivery {
    Delivery {
        tag: DeliveryTag(tag),
        subject: Subject::from_neutral("p/v1/health/a".to_owned()),
        payload: Bytes::from_static(b"{}"),
        redelivered: false,
        lane: 0,
    }
}

fn lines(tag: u64, count: usize) -> Lines {
    let mut lines = Lines::default();
    let tags = EncodedTags::default();
    for _ in 0..count {
        let time = Timestamp::from_nanos(i64::try_from(tag).unwrap());
        let point = Point::new("m", &tags, time);
        lines.push(&point.with("f", Some(FieldValue::Bool(true))));
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn a_batch_comes_of_age_with_its_first_delivery() {
    let mut batcher = Batcher::new(limits());
    assert_eq!(batcher.due(), None);
    let first = Instant::now();
    batcher.add(delivery(1), &lines(1, 1), first);
    tokio::time::advance(Duration::from_millis(700)).await;
    batcher.add_unreadable(delivery(2), "why".to_owned(), Instant::now());
    assert_eq!(batcher.due(), Some(first + limits().age));
    assert!(batcher.take().is_none());
    batcher.close();
    assert_eq!(batcher.take().unwrap().held.len(), 2);
    assert_eq!(batcher.due(), None);
    batcher.close();
    assert!(batcher.take().is_none(), "an empty batch");
}

#[test]
fn an_event_beyond_the_limits_has_a_batch_of_its_own() {
    let mut batcher = Batcher::new(limits());
    let now = Instant::now();
    batcher.add(delivery(1), &lines(1, 3), now);
    batcher.add(delivery(2), &lines(2, 25), now);
    batcher.add(delivery(3), &lines(3, 1), now);
    let sizes: Vec<_> =
        std::iter::from_fn(|| batcher.take()).map(|batch| batch.lines.len()).collect();
    assert_eq!(sizes, [3, 25]);
}

proptest! {
    #[test]
    fn nothing_is_lost_and_no_limit_is_exceeded(counts in prop::collection::vec(0_usize..14, 0..60)) {
        let mut batcher = Batcher::new(limits());
        for (tag, &count) in (1..).zip(&counts) {
            batcher.add(delivery(tag), &lines(tag, count), Instant::now());
        }
        batcher.close();
        let mut tags = Vec::new();
        while let Some(batch) = batcher.take() {
            // Deliveries without lines may ride with an event beyond the limits.
            let alone = batch.held.iter().filter(|held| !held.lines.is_empty()).count() == 1;
            prop_assert!(batch.lines.len() <= limits().points || alone);
            prop_assert!(batch.lines.body().len() <= limits().bytes || alone);
            let mut next = 0;
            for held in &batch.held {
                prop_assert_eq!(held.lines.start, next);
                next = held.lines.end;
                let DeliveryTag(tag) = held.tag;
                prop_assert_eq!(held.lines.len(), counts[usize::try_from(tag).unwrap() - 1]);
                for index in held.lines.clone() {
                    let end = format!(" {tag}\n");
                    prop_assert!(batch.lines.line(index).ends_with(end.as_bytes()));
                }
                tags.push(tag);
            }
            prop_assert_eq!(next, batch.lines.len());
        }
        prop_assert_eq!(tags, (1..=counts.len() as u64).collect::<Vec<_>>());
    }
}
