//! The streams: made by whoever comes first, looked at by everybody, changed by nobody.
//!
//! A task looks after every new connection, and when somebody misses a stream.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{
    CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, RequestError, RequestErrorKind,
};
use async_nats::jetstream::stream;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::difference::{self, Difference};
use super::layout::Layout;
use super::link::{Link, Unanswered, may_not_publish};
use super::settings::Timing;
use super::standing::{Part, Standing};
use crate::timestamp::Timestamp;

/// The least time between two looks: publishers that miss a stream say so with every event.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// What a server says that has no room for a stream, alone and in a cluster.
const NO_ROOM: [ErrorCode; 2] =
    [ErrorCode::STORAGE_RESOURCES_EXCEEDED, ErrorCode::INSUFFICIENT_RESOURCES];

/// How far the stream of events has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// When the stream was made. Another time is another stream.
    pub created: Timestamp,
    /// The sequence of the last event that it took.
    pub last_sequence: u64,
    /// How many servers keep it.
    pub replicas: usize,
}

/// Why it cannot be told how far the stream has come.
#[derive(Debug, Error)]
pub enum StreamStateError {
    /// The server has no such stream.
    #[error("the stream {stream} does not exist")]
    Missing {
        /// The stream's name.
        stream: String,
    },
    /// This user may not ask.
    #[error("{}", may_not_publish(subject))]
    Forbidden {
        /// On which the question is published.
        subject: String,
    },
    /// The server cannot be asked now.
    #[error("the stream cannot be asked for: {why}")]
    Unavailable {
        /// What is wrong.
        why: String,
    },
}

/// How a program comes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It publishes or consumes, and makes what it needs.
    Member,
    /// It looks at the dead letters and leaves; what is missing is left missing.
    Visitor,
    /// It hears what is published, and asks for no stream: it may have no right to.
    Listener,
}

/// What is known of the streams.
#[derive(Debug)]
pub(super) struct Streams {
    /// Whether they were there when they were last looked at on this connection.
    are_there: watch::Sender<bool>,
    missed: Notify,
    differences: Mutex<BTreeMap<String, Vec<Difference>>>,
}

impl Streams {
    /// Begins to look after them.
    pub(super) fn start(
        link: &Link,
        layout: &Layout,
        standing: &Arc<Standing>,
        timing: Timing,
        presence: Presence,
        ended: &CancellationToken,
    ) -> Arc<Self> {
        let streams = Arc::new(Self {
            are_there: watch::Sender::new(false),
            missed: Notify::new(),
            differences: Mutex::default(),
        });
        let keeper = Keeper {
            link: link.clone(),
            layout: layout.clone(),
            standing: Arc::clone(standing),
            streams: Arc::clone(&streams),
            retry_every: timing.retry_every,
            presence,
        };
        let ended = ended.clone();
        let running = Box::pin(keeper.run());
        tokio::spawn(async move { ended.run_until_cancelled(running).await });
        streams
    }

    /// Waits until the streams are there.
    pub(super) async fn are_there(&self) {
        let mut are_there = self.are_there.subscribe();
        if are_there.wait_for(|are_there| *are_there).await.is_err() {
            // The sender lives as long as this.
            std::future::pending::<()>().await;
        }
    }

    /// Somebody found a stream missing.
    pub(super) fn are_missed(&self) {
        self.are_there.send_replace(false);
        self.missed.notify_one();
    }

    /// Remembers the differences of a stream or consumer, and logs them when they are new.
    pub(super) fn report(&self, object: &str, found: Vec<Difference>) {
        let mut known = self.differences.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(object) == Some(&found) {
            return;
        }
        for difference in &found {
            tracing::warn!("{difference}. It is left as it is.");
        }
        known.insert(object.to_owned(), found);
    }

    pub(super) fn differences(&self) -> Vec<Difference> {
        let known = self.differences.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().flatten().cloned().collect()
    }
}

/// The task.
#[derive(Debug)]
struct Keeper {
    link: Link,
    layout: Layout,
    standing: Arc<Standing>,
    streams: Arc<Streams>,
    retry_every: Duration,
    presence: Presence,
}

impl Keeper {
    async fn run(self) {
        loop {
            self.link.connected().await;
            match self.look().await {
                Ok(()) => {
                    if self.standing.is_there(Part::Streams) {
                        tracing::info!("The streams at NATS are there again.");
                    }
                    self.streams.are_there.send_replace(true);
                    tokio::select! {
                        () = self.link.disconnected() => self.streams.are_there.send_replace(false),
                        () = self.streams.missed.notified() => {
                            tokio::time::sleep(BETWEEN_LOOKS).await;
                            false
                        }
                    };
                }
                // The connection tells about itself, and who came first needs a moment.
                Err(None) => tokio::time::sleep(BETWEEN_LOOKS).await,
                Err(Some(why)) => {
                    self.standing.is_missing(Part::Streams, &why);
                    tokio::time::sleep(self.retry_every).await;
                }
            }
        }
    }

    /// Looks at both streams; no words mean that the connection is gone.
    async fn look(&self) -> Result<(), Option<String>> {
        match self.presence {
            Presence::Member => {}
            Presence::Visitor => return self.visit().await,
            Presence::Listener => return Ok(()),
        }
        self.ensure(self.layout.events(), true).await?;
        // Only a writer with something to keep needs the second one.
        self.ensure(self.layout.dead_letters(), false).await
    }

    /// Looks for the dead letters, and makes nothing.
    async fn visit(&self) -> Result<(), Option<String>> {
        let name = &self.layout.dead_stream;
        match look_at(&self.link, name).await {
            // Whoever may not look at the stream may perhaps read it.
            Ok(_) | Err(Unseen::Denied) => Ok(()),
            Err(Unseen::Disconnected) => Err(None),
            Err(Unseen::Failed(why)) => Err(Some(why)),
            Err(Unseen::Missing) => Err(Some(format!(
                "the server has no stream {name}: no collector with this configuration has connected \
                 yet, or broker.nats.stream names another one"
            ))),
        }
    }

    async fn ensure(&self, wanted: stream::Config, is_needed: bool) -> Result<(), Option<String>> {
        let name = &wanted.name;
        match look_at(&self.link, name).await {
            Ok(info) => {
                self.compare(&info.config, &wanted);
                Ok(())
            }
            Err(Unseen::Disconnected) => Err(None),
            Err(Unseen::Failed(why)) => Err(Some(why)),
            Err(Unseen::Missing) => match self.create(wanted.clone()).await {
                Err(Uncreated::Denied) if is_needed => Err(Some(format!(
                    "the stream {name} does not exist, and the user of broker.nats.username (or \
                     credentialsFile) may not create it: start the collector first, or another \
                     program whose user may publish on $JS.API.STREAM.CREATE.{name}"
                ))),
                Err(Uncreated::Denied) => {
                    tracing::debug!(
                        "the stream {name} does not exist, and this user may not create it"
                    );
                    Ok(())
                }
                created => created.or_else(Uncreated::into_words),
            },
            // Whoever may not look may perhaps create, and whoever may do neither goes on.
            Err(Unseen::Denied) => match self.create(wanted.clone()).await {
                Err(Uncreated::Denied | Uncreated::Exists) => {
                    tracing::debug!("this user may not look at the stream {name}");
                    Ok(())
                }
                created => created.or_else(Uncreated::into_words),
            },
        }
    }

    async fn create(&self, wanted: stream::Config) -> Result<(), Uncreated> {
        let subject = format!("$JS.API.STREAM.CREATE.{}", wanted.name);
        let creation = self.link.jetstream().create_stream(wanted.clone());
        match self.link.ask(&subject, creation).await {
            Ok(created) => {
                tracing::info!("Created the stream {} at NATS.", wanted.name);
                self.compare(&created.cached_info().config, &wanted);
                Ok(())
            }
            Err(Unanswered::Disconnected) => Err(Uncreated::Disconnected),
            Err(Unanswered::Denied) => Err(Uncreated::Denied),
            Err(Unanswered::Deaf(words)) => Err(Uncreated::Failed(words)),
            Err(Unanswered::Failed(error)) => match error.kind() {
                CreateStreamErrorKind::JetStream(refusal)
                    if refusal.error_code() == ErrorCode::STREAM_NAME_EXIST =>
                {
                    Err(Uncreated::Exists)
                }
                CreateStreamErrorKind::JetStream(refusal)
                    if NO_ROOM.contains(&refusal.error_code()) =>
                {
                    Err(Uncreated::Failed(self.wants_too_much(&wanted)))
                }
                _ => {
                    let name = &wanted.name;
                    Err(Uncreated::Failed(format!("the stream {name} cannot be created: {error}")))
                }
            },
        }
    }

    /// The server keeps no more than its configuration or its disk allow, and takes the whole of a
    /// stream into account when it is made.
    fn wants_too_much(&self, wanted: &stream::Config) -> String {
        let (name, mebibytes) = (&wanted.name, wanted.max_bytes >> 20);
        let key = if *name == self.layout.stream {
            "broker.nats.maxBytes"
        } else {
            "broker.deadLetters.maxBytes"
        };
        format!(
            "the stream {name} cannot be created: the server has no room for {mebibytes} MiB. Lower \
             {key}, or raise the server's jetstream.max_file_store (three quarters of the free \
             disk unless it is set)"
        )
    }

    fn compare(&self, found: &stream::Config, wanted: &stream::Config) {
        self.streams.report(&wanted.name, difference::of_stream(found, wanted));
    }
}

/// Why a stream was not created.
#[derive(Debug)]
enum Uncreated {
    Disconnected,
    Denied,
    /// Somebody came first.
    Exists,
    Failed(String),
}

impl Uncreated {
    fn into_words(self) -> Result<(), Option<String>> {
        match self {
            // Another look will compare it.
            Self::Exists | Self::Disconnected => Err(None),
            Self::Denied => Ok(()),
            Self::Failed(why) => Err(Some(why)),
        }
    }
}

/// Why a stream cannot be looked at.
#[derive(Debug)]
pub(super) enum Unseen {
    Disconnected,
    Denied,
    Missing,
    Failed(String),
}

pub(super) async fn look_at(link: &Link, name: &str) -> Result<stream::Info, Unseen> {
    let subject = format!("$JS.API.STREAM.INFO.{name}");
    match link.ask(&subject, link.jetstream().get_stream(name)).await {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(Unanswered::Disconnected) => Err(Unseen::Disconnected),
        Err(Unanswered::Denied) => Err(Unseen::Denied),
        Err(Unanswered::Deaf(words)) => Err(Unseen::Failed(words)),
        Err(Unanswered::Failed(error)) => Err(match error.kind() {
            GetStreamErrorKind::JetStream(refusal)
                if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Unseen::Missing
            }
            _ if is_without_jetstream(&error) => Unseen::Failed(format!(
                "the server at {} has no JetStream: put `jetstream {{ store_dir: … }}` into its \
                 configuration",
                link.addresses()
            )),
            _ => Unseen::Failed(format!("the stream {name} cannot be looked at: {error}")),
        }),
    }
}

fn is_without_jetstream(error: &GetStreamError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<RequestError>());
    source.is_some_and(|source| source.kind() == RequestErrorKind::NoResponders)
}

/// Asks how far the stream of events has come.
pub(super) async fn state(link: &Link, layout: &Layout) -> Result<StreamState, StreamStateError> {
    let unavailable = |why: String| StreamStateError::Unavailable { why };
    match look_at(link, &layout.stream).await {
        Ok(info) => Ok(StreamState {
            created: timestamp_of(info.created.unix_timestamp_nanos()),
            last_sequence: info.state.last_sequence,
            replicas: info.config.num_replicas,
        }),
        Err(Unseen::Missing) => Err(StreamStateError::Missing { stream: layout.stream.clone() }),
        Err(Unseen::Disconnected) => Err(unavailable("there is no connection to NATS".to_owned())),
        Err(Unseen::Denied) => Err(StreamStateError::Forbidden {
            subject: format!("$JS.API.STREAM.INFO.{}", layout.stream),
        }),
        Err(Unseen::Failed(why)) => Err(unavailable(why)),
    }
}

/// Nanoseconds of the epoch, as far as a timestamp goes.
fn timestamp_of(nanos: i128) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}
