//! The consumer's place at the server: found, or made; and whether the stream is still the one that
//! the deliveries in hand came from.

use std::sync::Arc;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{self, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::ConsumerErrorKind;

use super::arrival::Place;
use crate::broker::nats::difference;
use crate::broker::nats::link::{Link, Unanswered, may_not_publish};
use crate::broker::nats::streams::Streams;

/// Where the consumer is, and what it should be.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) link: Link,
    pub(super) streams: Arc<Streams>,
    pub(super) stream: String,
    pub(super) group: String,
    pub(super) wanted: pull::Config,
}

/// Why there is no consumer.
#[derive(Debug)]
pub(super) enum NoSeat {
    /// The connection is gone.
    Disconnected,
    /// The stream is.
    StreamMissing,
    /// The server refuses.
    Refused(String),
}

impl Seat {
    /// Finds the consumer at the server, or makes it.
    pub(super) async fn take(&self) -> Result<(), NoSeat> {
        match self.info().await {
            Ok(info) => {
                self.compare(&info.config);
                Ok(())
            }
            Err(Unanswered::Disconnected) => Err(NoSeat::Disconnected),
            Err(Unanswered::Deaf(words)) => Err(NoSeat::Refused(words)),
            // Whoever may not look may perhaps create, and whoever may do neither goes on.
            Err(Unanswered::Denied) => match self.create().await {
                Err(Unanswered::Denied) => Ok(()),
                created => created.map_err(|unanswered| self.refusal(&unanswered)),
            },
            Err(Unanswered::Failed(error)) => match error.kind() {
                ConsumerInfoErrorKind::NotFound => {
                    self.create().await.map_err(|unanswered| self.refusal(&unanswered))
                }
                ConsumerInfoErrorKind::StreamNotFound => Err(NoSeat::StreamMissing),
                _ => Err(NoSeat::Refused(format!(
                    "the consumer {} cannot be looked at: {error}",
                    self.group
                ))),
            },
        }
    }

    /// On which deliveries are asked for.
    pub(super) fn next(&self) -> String {
        format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream, self.group)
    }

    /// How the consumer stands.
    pub(super) async fn info(
        &self,
    ) -> Result<consumer::Info, Unanswered<async_nats::jetstream::context::ConsumerInfoError>> {
        let subject = format!("$JS.API.CONSUMER.INFO.{}.{}", self.stream, self.group);
        let question = async {
            let stream = self.link.jetstream().get_stream_no_info(&self.stream).await;
            match stream {
                Ok(stream) => stream.consumer_info(&self.group).await,
                Err(_invalid_name) => Err(ConsumerInfoErrorKind::InvalidName.into()),
            }
        };
        self.link.ask(&subject, question).await
    }

    async fn create(&self) -> Result<(), Unanswered<async_nats::jetstream::stream::ConsumerError>> {
        let subject = format!("$JS.API.CONSUMER.CREATE.{}.{}", self.stream, self.group);
        let creation =
            self.link.jetstream().create_consumer_on_stream(self.wanted.clone(), &self.stream);
        let created = self.link.ask(&subject, creation).await?;
        tracing::info!("Created the consumer {} of the stream {}.", self.group, self.stream);
        self.compare(&created.cached_info().config);
        Ok(())
    }

    fn refusal(
        &self,
        unanswered: &Unanswered<async_nats::jetstream::stream::ConsumerError>,
    ) -> NoSeat {
        let Self { group, stream, .. } = self;
        let words = match unanswered {
            Unanswered::Disconnected => return NoSeat::Disconnected,
            Unanswered::Denied => {
                may_not_publish(&format!("$JS.API.CONSUMER.CREATE.{stream}.{group}"))
            }
            Unanswered::Deaf(words) => words.clone(),
            Unanswered::Failed(error) => match error.kind() {
                ConsumerErrorKind::JetStream(refusal) => match refusal.error_code() {
                    ErrorCode::STREAM_NOT_FOUND => return NoSeat::StreamMissing,
                    ErrorCode::CONSUMER_WQ_MULTIPLE_UNFILTERED
                    | ErrorCode::CONSUMER_WQ_CONSUMER_NOT_UNIQUE => format!(
                        "the stream {stream} serves another consumer group already, and a second \
                         one needs a stream of its own under a prefix of its own \
                         (broker.nats.stream, broker.topicPrefix)"
                    ),
                    _ => refusal.to_string(),
                },
                _ => error.to_string(),
            },
        };
        NoSeat::Refused(format!("the consumer {group} cannot be created: {words}"))
    }

    fn compare(&self, found: &consumer::Config) {
        let differences = difference::of_consumer(&self.group, found, &self.wanted);
        self.streams.report(&format!("{} {}", self.stream, self.group), differences);
    }

    /// Whether the stream still has what was delivered from a place: if so, no place before it
    /// means anything else either, since streams only grow at their end. None without a connection.
    pub(super) async fn still_has(&self, place: &Place) -> Option<bool> {
        let subject = format!("$JS.API.STREAM.MSG.GET.{}", self.stream);
        let question = async {
            let stream = self.link.jetstream().get_stream_no_info(&self.stream).await.ok()?;
            stream.get_raw_message(place.sequence).await.ok()
        };
        match self.link.ask(&subject, async { question.await.ok_or(()) }).await {
            Ok(event) => Some(event.time.unix_timestamp_nanos() == place.published),
            Err(Unanswered::Disconnected) => None,
            Err(Unanswered::Denied | Unanswered::Deaf(_) | Unanswered::Failed(())) => Some(false),
        }
    }
}
