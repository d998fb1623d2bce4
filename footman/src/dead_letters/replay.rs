//! `footman dead-letters replay`: events go to the writers once more, unchanged.
//!
//! The letter stays where it is. A writer that has stored the event removes it, one that is refused
//! again counts it, and by that this command sees how each ended. Only so many are on their way at
//! once, so that without a writer few wait at the broker.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use shared::broker::{DeadLetter, Outgoing, PublishError, Publisher};
use shared::lifecycle::EXIT_FAILED;
use shared::subject::Subject;
use tokio::time::Instant;
use ulid::Ulid;

use super::outcome::{Outcome, Standstill, Tally};
use super::places::{Found, Place, Places, Way};
use super::text::short_reason;
use super::{Which, print, remark, select};

/// Events on their way at once over a broker.
const ON_THEIR_WAY: usize = 64;
/// Letters that are looked at in one round; those behind them end later.
const LOOKED_AT: usize = 64;
/// Time between two rounds.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(200);
/// A running process looks for marked letters each second. When it has taken none after this time,
/// there is none.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// Replays letters and says how each ended.
pub(super) async fn replay(
    places: &Places,
    which: &Which,
    wait: Duration,
) -> anyhow::Result<ExitCode> {
    let chosen = select::chosen(places.headers().await?, which)?;
    if chosen.is_empty() {
        print("There is nothing to replay.");
        if let Some(text) = &places.remark {
            remark(text);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let replay = Replay {
        places,
        way: places.way()?,
        wait,
        waiting: VecDeque::new(),
        tally: Tally::default(),
        last_progress: Instant::now(),
        trouble: None,
    };
    let tally = replay.run(chosen.into()).await?;
    print(&tally.summary());
    Ok(if tally.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

struct Replay<'p> {
    places: &'p Places,
    way: &'p Way,
    wait: Duration,
    /// On their way, in the order in which they were sent.
    waiting: VecDeque<Waiting>,
    tally: Tally,
    /// When something last ended or was sent.
    last_progress: Instant,
    /// Why the letters could not be looked at, the last time.
    trouble: Option<String>,
}

/// A letter whose event is on its way.
struct Waiting {
    found: Found,
    /// How often it had come here when its event was sent.
    count: u64,
}

/// What became of sending.
enum Sent {
    /// The writers have it, or will.
    OnItsWay(u64),
    Ended(Outcome),
    /// Neither this one nor another can be sent.
    Impossible(String),
}

impl Replay<'_> {
    async fn run(mut self, mut queue: VecDeque<Found>) -> anyhow::Result<Tally> {
        let at_once = match self.way {
            Way::Publish(_) => ON_THEIR_WAY,
            // A mark costs nothing, and without a process all are to be marked for the next one.
            Way::Mark(_) => usize::MAX,
        };
        loop {
            while self.waiting.len() < at_once
                && let Some(found) = queue.pop_front()
            {
                match self.send(&found).await? {
                    Sent::OnItsWay(count) => self.waiting.push_back(Waiting { found, count }),
                    Sent::Ended(outcome) => self.end(&found, &outcome),
                    Sent::Impossible(why) => {
                        self.end(&found, &Outcome::Kept { why });
                        self.tally.not_tried += std::mem::take(&mut queue).len();
                    }
                }
                self.last_progress = Instant::now();
            }
            self.look().await;
            if self.waiting.is_empty() && queue.is_empty() {
                return Ok(self.tally);
            }
            if let Some(standstill) = self.standstill().await {
                self.tally.standstill = Some(standstill);
                self.tally.not_tried += queue.len();
                for waiting in std::mem::take(&mut self.waiting) {
                    self.end(&waiting.found, &Outcome::NotYet);
                }
                return Ok(self.tally);
            }
            tokio::time::sleep(BETWEEN_ROUNDS.min(self.wait)).await;
        }
    }

    /// Says how it ended for a letter.
    fn end(&mut self, found: &Found, outcome: &Outcome) {
        print(&format!("{}  {}", found.header.event_id, outcome.words()));
        self.tally.add(outcome);
    }

    /// Holds one letter at a time: it may be large.
    async fn send(&self, found: &Found) -> anyhow::Result<Sent> {
        let Some(letter) = self.places.get(found).await? else {
            return Ok(Sent::Ended(Outcome::Gone));
        };
        let count = letter.count;
        let outgoing = match outgoing(letter, found.place) {
            Ok(outgoing) => outgoing,
            Err(why) => return Ok(Sent::Ended(Outcome::Kept { why })),
        };
        match self.way {
            Way::Mark(letters) => Ok(if letters.want(&found.header.event_id).await? {
                Sent::OnItsWay(count)
            } else {
                Sent::Ended(Outcome::Gone)
            }),
            Way::Publish(publisher) => match (publish(&**publisher, outgoing).await, found.place) {
                (Some(refused), _) => Ok(refused),
                (None, Place::Group) => Ok(Sent::OnItsWay(count)),
                // The broker has it, so nobody else will remove the letter.
                (None, Place::Outbox) => {
                    self.places.remove(found).await?;
                    Ok(Sent::Ended(Outcome::Published))
                }
            },
        }
    }

    /// Looks which of the first letters have ended.
    async fn look(&mut self) {
        let mut still_waiting = VecDeque::new();
        self.trouble = None;
        for _ in 0..LOOKED_AT {
            let Some(waiting) = self.waiting.pop_front() else { break };
            match self.outcome(&waiting).await {
                Ok(Some(outcome)) => {
                    self.end(&waiting.found, &outcome);
                    self.last_progress = Instant::now();
                }
                Ok(None) => still_waiting.push_back(waiting),
                Err(error) => {
                    self.trouble = Some(format!("{error:#}"));
                    still_waiting.push_back(waiting);
                    break;
                }
            }
        }
        still_waiting.append(&mut self.waiting);
        self.waiting = still_waiting;
    }

    async fn outcome(&self, waiting: &Waiting) -> anyhow::Result<Option<Outcome>> {
        let found = &waiting.found;
        match self.places.count(&found.header.event_id).await? {
            None => return Ok(Some(Outcome::Stored)),
            Some(count) if count <= waiting.count => return Ok(None),
            Some(_) => {}
        }
        let Some(letter) = self.places.get(found).await? else {
            return Ok(Some(Outcome::Stored));
        };
        let count = letter.count;
        let found = Found { place: found.place, header: letter.header(0) };
        Ok(Some(Outcome::RefusedAgain { count, reason: short_reason(&found) }))
    }

    /// Whether nothing can be expected any more.
    async fn standstill(&self) -> Option<Standstill> {
        let stood = self.last_progress.elapsed();
        if let (Way::Mark(letters), Some(first)) = (self.way, self.waiting.front())
            && stood >= self.wait.min(TAKEN_WITHIN)
            && letters.is_wanted(&first.found.header.event_id).await.is_ok_and(|wanted| wanted)
        {
            return Some(Standstill::NoProcess);
        }
        (stood >= self.wait).then(|| Standstill::Writers {
            waited: format!("{:?}", self.wait),
            trouble: self.trouble.clone(),
        })
    }
}

/// What is published of a letter; or why it cannot be replayed.
fn outgoing(letter: DeadLetter, place: Place) -> Result<Outgoing, String> {
    let payload = letter.whole_payload().ok_or(
        "only a part of the event is kept, since it was too large for the broker; `show` has what \
         there is",
    )?;
    let first = Subject::from_neutral(letter.subject);
    let (subject, id) = match place {
        // Another id, or NATS takes it for a repetition of what it had two minutes ago.
        Place::Group => {
            (first.for_replay(), format!("{}-replay-{}", letter.event_id, Ulid::generate()))
        }
        Place::Outbox => (Some(first), letter.event_id),
    };
    let subject = subject.ok_or("its subject is none of Footman's")?;
    Ok(Outgoing { subject, id, payload: Bytes::from(payload) })
}

/// Publishes, unless the broker does not take it.
async fn publish(publisher: &dyn Publisher, outgoing: Outgoing) -> Option<Sent> {
    match publisher.publish(outgoing).await {
        Ok(()) => None,
        Err(refused @ PublishError::Refused { .. }) => {
            Some(Sent::Ended(Outcome::Kept { why: refused.to_string() }))
        }
        Err(unavailable @ PublishError::Unavailable { .. }) => {
            Some(Sent::Impossible(unavailable.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(payload: &[u8]) -> DeadLetter {
        let subject = "qliksense/v1/health/a".to_owned();
        DeadLetter::new("01JA".to_owned(), subject, payload, "why".to_owned())
    }

    #[test]
    fn the_event_is_unchanged_and_no_repetition() {
        let event = br#"{"id":"01JA",  "sequence":"000000000000000007"}"#;
        let first = outgoing(letter(event), Place::Group).unwrap();
        let second = outgoing(letter(event), Place::Group).unwrap();
        assert_eq!((&first.payload[..], &second.payload[..]), (&event[..], &event[..]));
        assert_eq!(first.subject.as_topic(), "qliksense/v1/replay/health/a");
        assert!(first.id.starts_with("01JA-replay-") && first.id != second.id);
        let refused = outgoing(letter(event), Place::Outbox).unwrap();
        assert_eq!((refused.subject.as_topic(), &*refused.id), ("qliksense/v1/health/a", "01JA"));
    }

    #[test]
    fn a_part_of_an_event_is_not_replayed() {
        let why = outgoing(letter(br#"{"id":"01J"#), Place::Group).unwrap_err();
        assert!(why.contains("only a part"), "{why}");
    }
}
