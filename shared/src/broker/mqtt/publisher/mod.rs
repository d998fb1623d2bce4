//! Publishes events, as soon as every consumer group has a session that keeps them.
//!
//! For an outbox it also keeps a mark at the broker, by which it is seen what the broker forgot.
//! Nothing is repeated here: what is not confirmed is an error, and the caller publishes it again
//! from the outbox. The broker says `online` for us, and `offline` when we are gone without a word.

mod mark;
mod marks;
mod role;

#[cfg(test)]
pub(crate) use mark::Mark;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use self::marks::Marks;
use self::role::PublisherRole;
use super::endpoint::Endpoint;
use super::flight::{Flight, Publication};
use super::link::Link;
use super::registry::Registry;
use super::report::Report;
use super::topics::Topics;
use super::{MqttSettings, confirm};
use crate::broker::{Confirmed, Life, Outgoing, PublishError, Publisher};
use crate::readiness::Dependency;
use crate::subject::Token;

const ONLINE: &str = "online";
const OFFLINE: &str = "offline";
/// How long the broker may take to confirm that we are offline; the last will says it otherwise.
const OFFLINE_TIMEOUT: Duration = Duration::from_secs(2);
/// How far a mark may be behind: what was confirmed since is published again on a new connection.
const MARK_EVERY: Duration = Duration::from_secs(1);

/// Publishes to an MQTT broker, with a confirmation for each event.
#[derive(Debug)]
pub struct MqttPublisher {
    shared: Arc<Shared>,
    link: Link,
    _marking: Option<AbortOnDropHandle<()>>,
}

/// What the event loop's task and the callers have in common.
#[derive(Debug)]
struct Shared {
    topics: Topics,
    status_topic: String,
    /// The connection, once its subscription stands.
    flight: Mutex<Option<Arc<Flight>>>,
    registry: Mutex<Registry>,
    /// None when nobody would publish again.
    marks: Option<Marks>,
    report: Report,
    /// The broker took an event from us, and would not confirm it.
    unheard: AtomicBool,
    /// The broker takes no marks, which was said.
    unmarked: AtomicBool,
}

impl MqttPublisher {
    /// Starts to connect, and goes on for as long as it lives; `dependency` says how that goes.
    pub fn start(settings: &MqttSettings, dependency: Dependency) -> Self {
        Self::start_with(settings, dependency, None)
    }

    /// The same for an outbox, by its name, which can publish again what the broker has forgotten.
    pub fn start_for(settings: &MqttSettings, outbox: &str, dependency: Dependency) -> Self {
        Self::start_with(settings, dependency, Some(outbox))
    }

    fn start_with(settings: &MqttSettings, dependency: Dependency, outbox: Option<&str>) -> Self {
        let MqttSettings { topic_prefix, broker, process, instance } = settings;
        let topics = Topics::new(topic_prefix);
        let shared = Arc::new(Shared {
            status_topic: topics.status(process, instance),
            flight: Mutex::default(),
            registry: Mutex::new(Registry::new(&broker.groups)),
            marks: outbox.map(|outbox| Marks::new(&topics, instance, outbox, &broker.groups)),
            topics,
            report: Report::new(dependency, 1),
            unheard: AtomicBool::default(),
            unmarked: AtomicBool::default(),
        });
        let client_id = format!("{topic_prefix}-{process}-{}", Token::new(instance));
        let role = PublisherRole::new(client_id, Arc::clone(&shared));
        let link = Link::start(Endpoint::new(broker), role);
        let marking =
            outbox.map(|_| AbortOnDropHandle::new(tokio::spawn(keep_marks(Arc::clone(&shared)))));
        Self { shared, link, _marking: marking }
    }

    /// Says offline and leaves. Publishes on their way are confirmed first, or fail.
    pub async fn close(&self) {
        let said = async {
            self.shared.publish_mark().await;
            let flight = self.shared.flight().take();
            if let Some(flight) = flight {
                // The last will says it otherwise.
                let _unsaid = flight.publish(self.shared.status(OFFLINE)).await;
            }
        };
        if tokio::time::timeout(OFFLINE_TIMEOUT, said).await.is_err() {
            tracing::warn!("The broker did not take the status in time; the last will says it.");
        }
        self.link.close().await;
    }
}

#[async_trait]
impl Publisher for MqttPublisher {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let flight = self.shared.ready()?;
        let topic = outgoing.subject.as_topic().to_owned();
        let payload = outgoing.payload;
        let answer = flight.publish(Publication::new(topic, payload)).await?;
        let confirmed = confirm::event(answer, outgoing.subject.as_topic());
        self.shared.heard(&confirmed);
        confirmed
    }

    fn life(&self) -> watch::Receiver<Life> {
        match &self.shared.marks {
            Some(marks) => marks.lives(),
            None => watch::channel(Life::default()).1,
        }
    }

    /// The mark at the broker is all the memory that is needed.
    fn confirmed_through(&self, confirmed: Confirmed) -> Option<String> {
        if let Some(marks) = &self.shared.marks {
            marks.confirm(confirmed);
        }
        None
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

/// Keeps the mark at most [`MARK_EVERY`] behind what is confirmed.
async fn keep_marks(shared: Arc<Shared>) {
    let Some(marks) = &shared.marks else { return };
    loop {
        marks.wanted().await;
        shared.publish_mark().await;
        tokio::time::sleep(MARK_EVERY).await;
    }
}

impl Shared {
    fn flight(&self) -> MutexGuard<'_, Option<Arc<Flight>>> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self, status: &'static str) -> Publication {
        let topic = self.status_topic.clone();
        let payload = Bytes::from_static(status.as_bytes());
        Publication { retain: true, ..Publication::new(topic, payload) }
    }

    /// Publishes the mark, when there is something new to mark and a connection.
    async fn publish_mark(&self) {
        // The connection first: a mark must not reach one that may have forgotten what it covers.
        let Some(flight) = self.flight().clone() else { return };
        let Some(due) = self.marks.as_ref().and_then(Marks::due) else { return };
        let topic = due.topic.clone();
        // A connection that breaks is followed by one that finds out what was marked.
        let Ok(reason) = flight.publish(due).await else { return };
        match confirm::retained(reason, &topic) {
            Ok(()) => self.unmarked.store(false, Ordering::Relaxed),
            Err(error) if self.unmarked.swap(true, Ordering::Relaxed) => {
                tracing::debug!("The mark was not taken: {error}");
            }
            Err(error) => tracing::warn!(
                "The mark was not taken, so more than needed is published again on the next \
                 connection: {error}"
            ),
        }
    }

    /// The connection, when events can be published on it.
    fn ready(&self) -> Result<Arc<Flight>, PublishError> {
        let unavailable = |why| PublishError::Unavailable { why };
        let flight = self.flight().clone().ok_or_else(|| {
            unavailable(self.report.why().unwrap_or_else(|| "not connected".to_owned()))
        })?;
        if let Some(why) = self.missing() {
            self.report.down(0, &why);
            return Err(unavailable(why));
        }
        Ok(flight)
    }

    fn missing(&self) -> Option<String> {
        self.registry().missing().map(|group| {
            format!(
                "no consumer of the group `{group}` has subscribed at the broker yet: start a \
                 writer; until then events wait in the outbox"
            )
        })
    }

    /// Reports what holds now, from a connection that stands.
    fn review(&self) {
        if self.flight().is_none() {
            return;
        }
        match self.missing() {
            Some(why) => self.report.down(0, &why),
            None => self.report.up(0),
        }
    }

    fn heard(&self, confirmed: &Result<(), PublishError>) {
        match confirmed {
            Err(PublishError::Unavailable { why }) => {
                // Once, however many topics it concerns.
                if !self.unheard.swap(true, Ordering::Relaxed) {
                    self.report.down(0, why);
                }
            }
            Err(PublishError::Refused { .. }) => {}
            Ok(()) => {
                if self.unheard.swap(false, Ordering::Relaxed) {
                    self.review();
                }
            }
        }
    }
}
