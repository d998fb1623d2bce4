//! The connection as the rest of the driver uses it.
//!
//! The client takes commands while it has no connection and sends them when it has one again, by
//! then perhaps to a server that means something else by them; and what a server forbids it says
//! beside the answer, which never comes. So here nothing is sent without a connection, every wait
//! ends with the connection, and a refusal ends the wait that it belongs to.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ClientError, Event, Server, ServerError};
use bytes::Bytes;
use tokio::sync::watch;

use super::hints::with_hint;
use super::standing::{Part, Standing};

/// Refused subjects that are remembered until somebody asks: more than are ever asked for at once.
const MOST_DENIED: usize = 256;
/// Publishes that wait for their confirmation. More than any window of a publisher.
const MOST_IN_FLIGHT: usize = 4_096;

/// The connection; clones are handles to the same one.
#[derive(Clone, Debug)]
pub(super) struct Link {
    client: Client,
    jetstream: jetstream::Context,
    state: Arc<LinkState>,
}

/// What the client's callbacks tell.
#[derive(Debug)]
pub(super) struct LinkState {
    /// The servers' addresses, for messages.
    addresses: String,
    /// What the subjects of answers begin with.
    inbox: String,
    standing: Arc<Standing>,
    /// The number of the connection, from 1; none without one.
    connection: watch::Sender<Option<u64>>,
    connections: Mutex<u64>,
    /// Subjects that the server refused to let us publish on, and a sign when there are more.
    denied: Mutex<BTreeSet<String>>,
    denials: watch::Sender<u64>,
    /// Subscriptions that the server refused on this connection.
    unheard: Mutex<BTreeSet<String>>,
    /// Whether one of them is that to its answers.
    is_deaf: AtomicBool,
    /// What the client said last about an attempt, in few words.
    last_failure: Mutex<Option<String>>,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Unanswered<E> {
    /// The connection is gone, or there was none.
    Disconnected,
    /// The server does not allow it.
    Denied,
    /// The server does not let us hear its answers, in words.
    Deaf(String),
    /// The answer was an error, or did not come in time.
    Failed(E),
}

impl<E: Display> Unanswered<E> {
    /// In words, for `subject`.
    pub(super) fn words(&self, subject: &str) -> String {
        match self {
            Self::Disconnected => "the connection to NATS is lost".to_owned(),
            Self::Denied => may_not_publish(subject),
            Self::Deaf(words) => words.clone(),
            Self::Failed(error) => error.to_string(),
        }
    }
}

/// That a right is missing, and whose: names of users are not told, so the key is.
pub(super) fn may_not_publish(subject: &str) -> String {
    format!("the user of broker.nats.username (or credentialsFile) may not publish on {subject}")
}

fn may_not_subscribe(subject: &str) -> String {
    format!("the user of broker.nats.username (or credentialsFile) may not subscribe to {subject}")
}

impl Link {
    pub(super) fn new(client: Client, state: Arc<LinkState>, answer_wait: Duration) -> Self {
        let jetstream = ContextBuilder::new()
            .timeout(answer_wait)
            .ack_timeout(answer_wait)
            .max_ack_inflight(MOST_IN_FLIGHT)
            .build(client.clone());
        Self { client, jetstream, state }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// Changes with every connection that is made or lost.
    pub(super) fn connection(&self) -> watch::Receiver<Option<u64>> {
        self.state.connection.subscribe()
    }

    pub(super) fn is_connected(&self) -> bool {
        // The client knows of a loss before it tells.
        let knows_of_none = self.client.connection_state() == State::Connected;
        knows_of_none && self.state.connection.borrow().is_some()
    }

    /// The servers' addresses, for messages.
    pub(super) fn addresses(&self) -> &str {
        &self.state.addresses
    }

    /// The largest message that the server takes, headers included.
    pub(super) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// The server's identity, which is another one after each of its starts.
    pub(super) fn server_id(&self) -> Option<String> {
        self.client.try_server_info().map(|info| info.server_id)
    }

    /// Asks by publishing on `subject`, unless there is no connection, until it is lost or the
    /// server says that it is not allowed.
    pub(super) async fn ask<T, E>(
        &self,
        subject: &str,
        question: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Unanswered<E>> {
        // Permissions may have changed since.
        self.state.forgive(subject);
        if !self.is_connected() {
            return Err(Unanswered::Disconnected);
        }
        tokio::select! {
            answer = question => answer.map_err(Unanswered::Failed),
            () = self.disconnected() => Err(Unanswered::Disconnected),
            () = self.denied(subject) => Err(Unanswered::Denied),
            words = self.deaf() => Err(Unanswered::Deaf(words)),
        }
    }

    /// Waits until the server has refused to let us publish on a subject.
    pub(super) async fn denied(&self, subject: &str) {
        self.refused(|state| state.is_denied(subject)).await;
    }

    /// Whether it has, on this connection.
    pub(super) fn is_denied(&self, subject: &str) -> bool {
        self.state.is_denied(subject)
    }

    /// Whether the server has refused a subscription, on this connection.
    pub(super) fn is_unheard(&self, subject: &str) -> bool {
        lock(&self.state.unheard).contains(subject)
    }

    /// Changes with every refusal.
    pub(super) fn refusals(&self) -> watch::Receiver<u64> {
        self.state.denials.subscribe()
    }

    /// Waits until the server has refused to let us hear its answers, and says so.
    async fn deaf(&self) -> String {
        self.refused(|state| state.is_deaf.load(Ordering::Relaxed)).await;
        self.state.deaf_words()
    }

    async fn refused(&self, is_so: impl Fn(&LinkState) -> bool) {
        let mut denials = self.state.denials.subscribe();
        while !is_so(&self.state) {
            if denials.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Publishes without an answer. False when there is no connection to do it on.
    pub(super) async fn post(&self, subject: async_nats::Subject, payload: Bytes) -> bool {
        if !self.is_connected() {
            return false;
        }
        tokio::select! {
            sent = self.client.publish(subject, payload) => sent.is_ok(),
            () = self.disconnected() => false,
        }
    }

    /// Waits until the connection is lost.
    pub(super) async fn disconnected(&self) {
        let mut connection = self.connection();
        if connection.wait_for(Option::is_none).await.is_err() {
            // The sender lives as long as this link.
            std::future::pending::<()>().await;
        }
    }

    /// Waits for a connection.
    pub(super) async fn connected(&self) {
        let mut connection = self.connection();
        if connection.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl LinkState {
    pub(super) fn new(addresses: String, inbox: String, standing: Arc<Standing>) -> Self {
        Self {
            addresses,
            inbox,
            standing,
            connection: watch::Sender::new(None),
            connections: Mutex::new(0),
            denied: Mutex::default(),
            denials: watch::Sender::new(0),
            unheard: Mutex::default(),
            is_deaf: AtomicBool::new(false),
            last_failure: Mutex::new(None),
        }
    }

    pub(super) fn on_event(&self, event: &Event) {
        match event {
            Event::Connected => self.on_connected(),
            Event::Disconnected => {
                self.connection.send_replace(None);
                let why = format!("the connection to {} is lost", self.addresses);
                self.standing.is_missing(Part::Connection, &why);
            }
            Event::Closed => {
                self.connection.send_replace(None);
                self.standing.is_awaited(Part::Connection, "the connection to NATS is closed");
            }
            Event::ClientError(ClientError::Other(words)) => {
                // The client tells the whole only at its next attempt.
                *lock(&self.last_failure) = Some(words.clone());
            }
            Event::ServerError(ServerError::Other(words)) => {
                if let Some(subject) = denied_subject(words, "publish") {
                    self.deny(subject);
                } else if let Some(subject) = denied_subject(words, "subscription") {
                    self.deafen(subject);
                } else {
                    tracing::warn!("NATS says: {words}");
                }
            }
            Event::SlowConsumer(_) => {
                tracing::warn!(
                    "NATS delivers faster than deliveries are taken; it will repeat them"
                );
            }
            other => tracing::debug!("NATS: {other}"),
        }
    }

    fn on_connected(&self) {
        lock(&self.denied).clear();
        lock(&self.unheard).clear();
        self.is_deaf.store(false, Ordering::Relaxed);
        *lock(&self.last_failure) = None;
        let mut connections = lock(&self.connections);
        *connections += 1;
        // Until the streams have been looked at, nobody knows whether events can flow.
        self.standing.is_awaited(Part::Streams, "the streams are being looked at");
        let was_told = self.standing.is_there(Part::Connection);
        let again = if was_told { " again" } else { "" };
        tracing::info!("Connected{again} to NATS at {}.", self.addresses);
        self.connection.send_replace(Some(*connections));
    }

    /// Called before each attempt with what is known of the servers: why the last one failed.
    pub(super) fn before_attempt(&self, servers: &[Server]) {
        let failures = servers.iter().filter_map(|server| {
            let error = server.last_error.as_ref()?;
            let failure = with_hint(error);
            Some(format!("{}:{}: {failure}", server.addr.host(), server.addr.port()))
        });
        let detailed: Vec<String> = failures.collect();
        let coarse = lock(&self.last_failure).clone();
        let why = match (detailed.is_empty(), coarse) {
            (false, _) => detailed.join("; "),
            (true, Some(words)) => format!("{}: {}", self.addresses, with_hint(&words)),
            (true, None) => return,
        };
        self.standing.is_missing(Part::Connection, &format!("no connection to {why}"));
    }

    fn deny(&self, subject: &str) {
        let mut denied = lock(&self.denied);
        if denied.len() < MOST_DENIED {
            denied.insert(subject.to_owned());
        }
        drop(denied);
        tracing::debug!("NATS: {}", may_not_publish(subject));
        if let Some(acks) = acks_of(subject) {
            // Nobody waits for an answer to an ack.
            let why = format!("{}: all is delivered again and again", may_not_publish(&acks));
            self.standing.is_missing(Part::Consumer, &why);
        }
        self.denials.send_modify(|count| *count += 1);
    }

    fn deafen(&self, subject: &str) {
        if subject.starts_with(&self.inbox) {
            self.is_deaf.store(true, Ordering::Relaxed);
        } else {
            tracing::warn!("NATS: {}", may_not_subscribe(subject));
            let mut unheard = lock(&self.unheard);
            if unheard.len() < MOST_DENIED {
                unheard.insert(subject.to_owned());
            }
        }
        self.denials.send_modify(|count| *count += 1);
    }

    fn deaf_words(&self) -> String {
        format!(
            "{}, where the server's answers come",
            may_not_subscribe(&format!("{}.>", self.inbox))
        )
    }

    fn forgive(&self, subject: &str) {
        lock(&self.denied).remove(subject);
    }

    fn is_denied(&self, subject: &str) -> bool {
        lock(&self.denied).contains(subject)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The subject in `Permissions Violation for Publish to "subject"`, or `Subscription`.
fn denied_subject<'a>(words: &'a str, what: &str) -> Option<&'a str> {
    let (kind, rest) = words.split_once('"')?;
    let (subject, _) = rest.split_once('"')?;
    let wanted = format!("permissions violation for {what}");
    kind.to_ascii_lowercase().contains(&wanted).then_some(subject)
}

/// All acks of the consumer whose ack this is the subject of.
fn acks_of(subject: &str) -> Option<String> {
    let mut tokens = subject.strip_prefix("$JS.ACK.")?.split('.');
    Some(format!("$JS.ACK.{}.{}.>", tokens.next()?, tokens.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_of_refusals() {
        let words = r#"Permissions Violation for Publish to "$JS.API.STREAM.CREATE.QLIKSENSE""#;
        assert_eq!(denied_subject(words, "publish"), Some("$JS.API.STREAM.CREATE.QLIKSENSE"));
        let words = r#"Permissions Violation for Subscription to "a""#;
        assert_eq!(denied_subject(words, "publish"), None);
        assert_eq!(denied_subject(words, "subscription"), Some("a"));
        assert_eq!(denied_subject("maximum connections exceeded", "publish"), None);
        assert_eq!(acks_of("$JS.ACK.S.g.1.2.3.4.5").as_deref(), Some("$JS.ACK.S.g.>"));
        assert_eq!(acks_of("$JS.API.INFO"), None);
    }
}
