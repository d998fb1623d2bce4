//! Publishes into the stream, each event confirmed by the server that stored it.
//!
//! The event's id is the message id, by which the server recognises what is published again because
//! a confirmation got lost.

use std::sync::Arc;

use async_nats::jetstream::context::{PublishError as Refusal, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use async_trait::async_trait;

use super::Shared;
use super::link::Unanswered;
use crate::broker::{Outgoing, PublishError, Publisher};

/// Publishes into the stream of events.
#[derive(Debug)]
pub(super) struct NatsPublisher {
    shared: Arc<Shared>,
}

impl NatsPublisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

#[async_trait]
impl Publisher for NatsPublisher {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let link = &self.shared.link;
        let subject = outgoing.subject.to_nats();
        let message = PublishMessage::build().payload(outgoing.payload).message_id(&outgoing.id);
        let publishing =
            async { link.jetstream().send_publish(subject.clone(), message).await?.await };
        match link.ask(&subject, publishing).await {
            Ok(_confirmation) => Ok(()),
            Err(Unanswered::Failed(refusal)) => Err(self.error_of(&refusal, &subject)),
            Err(unanswered) => Err(PublishError::Unavailable { why: unanswered.words(&subject) }),
        }
    }
}

impl NatsPublisher {
    fn error_of(&self, refusal: &Refusal, subject: &str) -> PublishError {
        let stream = &self.shared.layout.stream;
        let why = match refusal.kind() {
            PublishErrorKind::StreamNotFound => {
                self.shared.streams.are_missed();
                format!("no stream takes {subject}: {stream} is missing or has other subjects")
            }
            PublishErrorKind::MaxPayloadExceeded => {
                return PublishError::Refused { why: refusal.to_string() };
            }
            PublishErrorKind::TimedOut => "the server did not confirm in time".to_owned(),
            _ => match server_error(refusal) {
                Some(error) if is_too_large(error.error_code()) => {
                    return PublishError::Refused { why: error.to_string() };
                }
                Some(error) if is_full(error) => format!("the stream {stream} is full ({error})"),
                Some(error) => error.to_string(),
                None => refusal.to_string(),
            },
        };
        PublishError::Unavailable { why }
    }
}

/// What the server said, when it was the server.
pub(super) fn server_error(refusal: &Refusal) -> Option<&jetstream::Error> {
    std::error::Error::source(refusal)?.downcast_ref()
}

/// Whether a stream is at one of its limits. The server's error code says only that it could not
/// store.
pub(super) fn is_full(error: &jetstream::Error) -> bool {
    let words = error.to_string();
    words.contains("maximum bytes exceeded") || words.contains("maximum messages exceeded")
}

fn is_too_large(code: ErrorCode) -> bool {
    [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM]
        .contains(&code)
}
