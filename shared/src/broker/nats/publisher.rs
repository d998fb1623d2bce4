//! Publishes into the stream, each event confirmed by the server that stored it.
//!
//! The event's id is the message id, by which the server recognises what is published again because
//! a confirmation got lost. For an outbox nothing is published on a connection before it is known
//! whether the stream is still the one that confirmed the outbox's events.

use std::fmt::Display;
use std::sync::Arc;

use async_nats::jetstream::context::{PublishError as Refusal, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use super::link::Unanswered;
use super::past::Receipt;
use super::watch::Watch;
use crate::broker::{Confirmed, Life, Outgoing, PublishError, Publisher};

/// Publishes into the stream of events.
#[derive(Debug)]
pub(super) struct NatsPublisher {
    shared: Arc<Shared>,
    /// None when nobody would publish again.
    watch: Option<Arc<Watch>>,
    _watching: Option<AbortOnDropHandle<()>>,
}

impl NatsPublisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, watch: None, _watching: None }
    }

    /// For an outbox that remembers this of the stream.
    pub(super) fn for_outbox(shared: Arc<Shared>, remembered: Option<&str>) -> Self {
        let watch = Arc::new(Watch::new(Arc::clone(&shared), remembered));
        let watching = Box::pin(Arc::clone(&watch).run());
        let watching = Some(AbortOnDropHandle::new(tokio::spawn(watching)));
        Self { shared, watch: Some(watch), _watching: watching }
    }
}

#[async_trait]
impl Publisher for NatsPublisher {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let Some(watch) = &self.watch else {
            send(&self.shared, &outgoing).await?;
            return Ok(());
        };
        let before = watch.settled().await?;
        match send(&self.shared, &outgoing).await {
            Ok(receipt) => watch.confirm(outgoing, before, receipt),
            Err(unconfirmed) => {
                if unconfirmed.is_stream_in_doubt {
                    watch.doubt();
                }
                Err(unconfirmed.into())
            }
        }
    }

    fn life(&self) -> watch::Receiver<Life> {
        match &self.watch {
            Some(watch) => watch.lives(),
            None => watch::channel(Life::default()).1,
        }
    }

    fn confirmed_through(&self, confirmed: Confirmed) -> Option<String> {
        self.watch.as_ref()?.memory(confirmed)
    }
}

/// An event was not confirmed.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    error: PublishError,
    /// The stream may be gone, or nobody lead it: look before anything else is published.
    is_stream_in_doubt: bool,
}

impl From<Unconfirmed> for PublishError {
    fn from(unconfirmed: Unconfirmed) -> Self {
        unconfirmed.error
    }
}

/// Publishes an event and waits for what the server says to it.
pub(super) async fn send(shared: &Shared, outgoing: &Outgoing) -> Result<Receipt, Unconfirmed> {
    let link = &shared.link;
    let subject = outgoing.subject.to_nats();
    let room = shared.room.take(link, &subject, &outgoing.id, outgoing.payload.len()).await;
    let _room = room.map_err(|full| Unconfirmed {
        error: unavailable(is_full(shared, &full)),
        is_stream_in_doubt: false,
    })?;
    let message =
        PublishMessage::build().payload(outgoing.payload.clone()).message_id(&outgoing.id);
    let publishing = async { link.jetstream().send_publish(subject.clone(), message).await?.await };
    match link.ask(&subject, publishing).await {
        Ok(ack) => {
            shared.standing.has_room(Ok(()));
            Ok(Receipt { sequence: ack.sequence, duplicate: ack.duplicate })
        }
        Err(Unanswered::Failed(refusal)) => Err(Unconfirmed {
            error: error_of(shared, &refusal, &subject),
            is_stream_in_doubt: matches!(
                refusal.kind(),
                PublishErrorKind::StreamNotFound | PublishErrorKind::TimedOut
            ),
        }),
        Err(unanswered) => {
            let error = unavailable(unanswered.words(&subject));
            Err(Unconfirmed { error, is_stream_in_doubt: false })
        }
    }
}

fn error_of(shared: &Shared, refusal: &Refusal, subject: &str) -> PublishError {
    let stream = &shared.layout.stream;
    let why = match refusal.kind() {
        PublishErrorKind::StreamNotFound => {
            shared.streams.are_missed();
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
            Some(error) if is_at_limit(error) => is_full(shared, error),
            Some(error) => error.to_string(),
            None => refusal.to_string(),
        },
    };
    PublishError::Unavailable { why }
}

/// Says that the stream of events is full, and gives the words.
fn is_full(shared: &Shared, details: &dyn Display) -> String {
    let why = format!(
        "the stream {} is full ({details}): start a writer, or raise broker.nats.maxBytes and the \
         stream's limit; events wait in the outbox",
        shared.layout.stream
    );
    shared.standing.has_room(Err(&why));
    why
}

pub(super) fn unavailable(why: impl Into<String>) -> PublishError {
    PublishError::Unavailable { why: why.into() }
}

/// What the server said, when it was the server.
pub(super) fn server_error(refusal: &Refusal) -> Option<&jetstream::Error> {
    std::error::Error::source(refusal)?.downcast_ref()
}

/// Whether a stream is at one of its limits. The server's error code says only that it could not
/// store.
pub(super) fn is_at_limit(error: &jetstream::Error) -> bool {
    let words = error.to_string();
    words.contains("maximum bytes exceeded") || words.contains("maximum messages exceeded")
}

fn is_too_large(code: ErrorCode) -> bool {
    [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM]
        .contains(&code)
}
