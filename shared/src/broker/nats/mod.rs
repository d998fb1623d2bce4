//! NATS with JetStream: one stream of events that are deleted as they are acked, one of dead letters.
//!
//! Works on nats-server 2.9 and newer. A 2.9 server ignores what it does not know and answers as if
//! it had obeyed, so what it echoes is compared with what was asked for, and nothing here needs more
//! than 2.9 has. Streams and consumers that exist are compared and reported, never changed.
//!
//! One connection per program. It is made in the background and made again for as long as the
//! [`Nats`] or something made by it lives, and readiness says how it stands.

mod connect;
mod consumer;
mod dead_letters;
mod difference;
mod headroom;
mod hints;
mod layout;
mod link;
mod login;
pub mod look;
mod past;
mod publisher;
mod settings;
mod standing;
mod streams;
mod subscription;
mod watch;

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Consumer, DeadLetters, Publisher, Room, Subscription};
use crate::config;
use crate::event::Kind;
use crate::readiness::Dependency;
use crate::subject::Token;

pub use connect::ConnectError;
pub use difference::Difference;
pub use settings::{NatsSettings, Timing};
pub use streams::{StreamState, StreamStateError};

use consumer::NatsConsumer;
use dead_letters::NatsDeadLetters;
use headroom::Headroom;
use layout::Layout;
use link::Link;
use publisher::NatsPublisher;
use standing::Standing;
use streams::{Presence, Streams};

/// A program's connection to NATS; clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Nats {
    shared: Arc<Shared>,
}

/// What the publisher, the consumers and the dead letters have in common.
#[derive(Debug)]
struct Shared {
    link: Link,
    layout: Layout,
    streams: Arc<Streams>,
    standing: Arc<Standing>,
    timing: Timing,
    /// Of the stream of events.
    room: Headroom,
    /// Of the stream of dead letters.
    dead_room: Headroom,
    /// Ends the background tasks with the last handle.
    _ends_tasks: DropGuard,
}

impl Nats {
    /// Begins to connect and returns at once, whether a server is there or not.
    ///
    /// # Errors
    /// Files or addresses that no server can make up for.
    pub async fn connect(
        config: &config::Nats,
        settings: &NatsSettings,
        dependency: Dependency,
    ) -> Result<Self, ConnectError> {
        Self::come(config, settings, dependency, Presence::Member).await
    }

    /// The same for a command that looks at the dead letters and leaves: it makes no stream.
    pub async fn visit(
        config: &config::Nats,
        settings: &NatsSettings,
        dependency: Dependency,
    ) -> Result<Self, ConnectError> {
        Self::come(config, settings, dependency, Presence::Visitor).await
    }

    /// The same for a command that only listens: it asks the server for nothing.
    pub async fn listen(
        config: &config::Nats,
        settings: &NatsSettings,
        dependency: Dependency,
    ) -> Result<Self, ConnectError> {
        Self::come(config, settings, dependency, Presence::Listener).await
    }

    async fn come(
        config: &config::Nats,
        settings: &NatsSettings,
        dependency: Dependency,
        presence: Presence,
    ) -> Result<Self, ConnectError> {
        let ended = CancellationToken::new();
        let standing = Arc::new(Standing::new(dependency));
        let timing = settings.timing;
        let link = connect::link(config, settings, &standing, &ended).await?;
        let layout = Layout::new(config, settings);
        let streams = Streams::start(&link, &layout, &standing, timing, presence, &ended);
        let (room, dead_room) = (Headroom::new(&layout.stream), Headroom::new(&layout.dead_stream));
        let shared = Shared {
            link,
            layout,
            streams,
            standing,
            timing,
            room,
            dead_room,
            _ends_tasks: ended.drop_guard(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Publishes into the stream of events.
    pub fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(NatsPublisher::new(Arc::clone(&self.shared)))
    }

    /// Publishes what an outbox holds, which remembers this of the stream, and finds out what was
    /// forgotten of it.
    pub fn publisher_for(&self, remembered: Option<&str>) -> Arc<dyn Publisher> {
        Arc::new(NatsPublisher::for_outbox(Arc::clone(&self.shared), remembered))
    }

    /// Joins a consumer group. Nothing is fetched that was not asked for with `receive`, so what a
    /// member holds is bounded by its own limits.
    ///
    /// The stream serves one group; a second one needs a stream of its own.
    pub fn consumer(&self, group: &str) -> Box<dyn Consumer> {
        Box::new(NatsConsumer::join(Arc::clone(&self.shared), group))
    }

    /// The dead letters of a consumer group.
    pub fn dead_letters(&self, group: &str) -> Arc<dyn DeadLetters> {
        Arc::new(NatsDeadLetters::new(Arc::clone(&self.shared), &Token::new(group)))
    }

    /// Hears the heartbeats of all programs.
    pub fn heartbeats(&self) -> Subscription {
        self.subscribe(&[Kind::Heartbeats], Room::HEARTBEATS)
    }

    /// Hears the events of these kinds while they are published; what finds no room is not heard.
    pub fn subscribe(&self, kinds: &[Kind], room: Room) -> Subscription {
        subscription::subscribe(Arc::clone(&self.shared), kinds, room)
    }

    /// Settings of the streams and consumers at the server that are not those asked for.
    pub fn differences(&self) -> Vec<Difference> {
        self.shared.streams.differences()
    }

    /// How far the stream of events has come, by which a server that went back in time is found.
    ///
    /// # Errors
    /// No connection, no stream, or no right to ask.
    pub async fn stream_state(&self) -> Result<StreamState, StreamStateError> {
        streams::state(&self.shared.link, &self.shared.layout).await
    }
}
