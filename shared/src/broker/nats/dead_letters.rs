//! Dead letters in a stream of their own, one message on a subject of its own for each event.
//!
//! The server keeps the last message of a subject; an update names the one it replaces, so that two
//! writers that fail at the same event both count.

use std::sync::Arc;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RawMessageError, Stream};
use async_trait::async_trait;

use super::Shared;
use super::headroom;
use super::link::Unanswered;
use super::publisher::{is_at_limit, server_error};
use crate::broker::{DeadLetter, DeadLetterError, DeadLetters, Look};
use crate::subject::Token;

/// Updates of one event that may get in each other's way. Each failed attempt is another writer's
/// success.
const MOST_ATTEMPTS: usize = 20;
/// Room for the headers of a message, which count as part of it.
const ROOM_FOR_HEADERS: usize = 1_024;

/// The dead letters of a consumer group.
#[derive(Debug)]
pub(super) struct NatsDeadLetters {
    shared: Arc<Shared>,
    /// The subjects' common beginning.
    subject: String,
}

/// Whether an update was the first to replace what it replaces.
enum Kept {
    Yes,
    SomebodyElseWas,
}

impl NatsDeadLetters {
    pub(super) fn new(shared: Arc<Shared>, group: &Token) -> Self {
        let subject = shared.layout.dead_letters_of(group);
        Self { shared, subject }
    }

    fn subject_of(&self, event_id: &str) -> String {
        format!("{}.{}", self.subject, Token::new(event_id))
    }

    /// The first message from `sequence` on whose subject matches.
    async fn next(
        &self,
        subject: &str,
        sequence: u64,
    ) -> Result<Option<StreamMessage>, DeadLetterError> {
        let question = async {
            let stream = self.stream().await.map_err(|_invalid| invalid_name())?;
            let builder = stream.raw_message_builder();
            builder.sequence(sequence).next_by_subject(subject).send().await
        };
        let asked = format!("$JS.API.STREAM.MSG.GET.{}", self.shared.layout.dead_stream);
        match self.shared.link.ask(&asked, question).await {
            Ok(message) => Ok(Some(message)),
            Err(Unanswered::Failed(error))
                if error.kind() == LastRawMessageErrorKind::NoMessageFound =>
            {
                Ok(None)
            }
            Err(unanswered) => Err(self.unreadable(&asked, &unanswered)),
        }
    }

    async fn stream(&self) -> Result<Stream<()>, async_nats::jetstream::context::GetStreamError> {
        let layout = &self.shared.layout;
        self.shared.link.jetstream().get_stream_no_info(&layout.dead_stream).await
    }

    fn unreadable(&self, asked: &str, error: &Unanswered<RawMessageError>) -> DeadLetterError {
        if let Unanswered::Failed(error) = error
            && let LastRawMessageErrorKind::JetStream(refusal) = error.kind()
            && refusal.error_code() == ErrorCode::STREAM_NOT_FOUND
        {
            return self.stream_missing();
        }
        DeadLetterError::Unavailable { why: error.words(asked) }
    }

    fn stream_missing(&self) -> DeadLetterError {
        self.shared.streams.are_missed();
        let why = format!("the stream {} is missing", self.shared.layout.dead_stream);
        DeadLetterError::Unavailable { why }
    }

    async fn try_put(&self, letter: &DeadLetter) -> Result<Kept, DeadLetterError> {
        let subject = self.subject_of(&letter.event_id);
        let known = self.next(&subject, 1).await?;
        let sequence = known.as_ref().map_or(0, |message| message.sequence);
        let known = known.and_then(|message| serde_json::from_slice(&message.payload).ok());
        let letter = match known {
            Some(DeadLetter { first_time, count, .. }) => {
                DeadLetter { first_time, count: count.saturating_add(1), ..letter.clone() }
            }
            None => letter.clone(),
        };
        // Larger than all the letters may be together it could never be kept.
        let all = headroom::largest(self.shared.layout.dead_letters_max_bytes);
        let all = usize::try_from(all).unwrap_or(usize::MAX);
        let limit = self.shared.link.max_payload().min(all).saturating_sub(ROOM_FOR_HEADERS);
        let payload = letter
            .to_json_within(limit)
            .map_err(|error| DeadLetterError::Unavailable { why: error.to_string() })?;
        let room = &self.shared.dead_room;
        let room = room.take(&self.shared.link, &subject, "", payload.len()).await;
        let _room = room.map_err(|_full| self.full())?;
        let message = PublishMessage::build()
            .payload(payload.into())
            .expected_last_subject_sequence(sequence);
        let publishing = async {
            let link = &self.shared.link;
            link.jetstream().send_publish(subject.clone(), message).await?.await
        };
        match self.shared.link.ask(&subject, publishing).await {
            Ok(_confirmation) => Ok(Kept::Yes),
            Err(Unanswered::Failed(refusal)) => self.refused(&refusal),
            Err(unanswered) => {
                Err(DeadLetterError::Unavailable { why: unanswered.words(&subject) })
            }
        }
    }

    fn full(&self) -> DeadLetterError {
        DeadLetterError::Full { limit_bytes: self.shared.layout.dead_letters_max_bytes }
    }

    fn refused(&self, refusal: &PublishError) -> Result<Kept, DeadLetterError> {
        match (refusal.kind(), server_error(refusal)) {
            (PublishErrorKind::WrongLastSequence, _) => Ok(Kept::SomebodyElseWas),
            (PublishErrorKind::StreamNotFound, _) => Err(self.stream_missing()),
            (_, Some(error)) if is_at_limit(error) => Err(self.full()),
            _ => Err(DeadLetterError::Unavailable { why: refusal.to_string() }),
        }
    }
}

/// A letter, or something else that somebody published there.
fn parse(message: &StreamMessage) -> Option<DeadLetter> {
    serde_json::from_slice(&message.payload)
        .inspect_err(|error| tracing::warn!("{} is no dead letter: {error}", message.subject))
        .ok()
}

fn invalid_name() -> RawMessageError {
    LastRawMessageErrorKind::InvalidSubject.into()
}

#[async_trait]
impl DeadLetters for NatsDeadLetters {
    async fn put(&self, letter: DeadLetter) -> Result<(), DeadLetterError> {
        for _attempt in 0..MOST_ATTEMPTS {
            if let Kept::Yes = self.try_put(&letter).await? {
                return Ok(());
            }
        }
        let why = format!("others update {} all the time", letter.event_id);
        Err(DeadLetterError::Unavailable { why })
    }

    async fn each(&self, look: Look<'_>) -> Result<(), DeadLetterError> {
        let all = format!("{}.>", self.subject);
        let mut from = 1;
        while let Some(message) = self.next(&all, from).await? {
            from = message.sequence.saturating_add(1);
            if let Some(letter) = parse(&message) {
                look(letter, message.payload.len() as u64);
            }
        }
        Ok(())
    }

    async fn get(&self, event_id: &str) -> Result<Option<DeadLetter>, DeadLetterError> {
        let message = self.next(&self.subject_of(event_id), 1).await?;
        Ok(message.as_ref().and_then(parse))
    }

    async fn remove(&self, event_id: &str) -> Result<(), DeadLetterError> {
        let subject = self.subject_of(event_id);
        let removal = async {
            let stream = self.stream().await.map_err(|error| error.to_string())?;
            stream.purge().filter(subject).await.map_err(|error| error.to_string())
        };
        let asked = format!("$JS.API.STREAM.PURGE.{}", self.shared.layout.dead_stream);
        match self.shared.link.ask(&asked, removal).await {
            Ok(_purged) => Ok(()),
            Err(unanswered) => Err(DeadLetterError::Unavailable { why: unanswered.words(&asked) }),
        }
    }
}
