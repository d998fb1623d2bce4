//! Looks at the stream for an outbox: on every connection, and now and then while one lasts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Mutex as TurnMutex, watch};
use tokio::time::Instant;

use super::Shared;
use super::link::{Unanswered, may_not_publish};
use super::past::{Finding, Past, Receipt};
use super::publisher::{send, unavailable};
use super::streams::{self, StreamState, StreamStateError};
use crate::broker::{Confirmed, Life, Outgoing, PublishError};

/// How often the stream is looked at while a connection lasts: it may be made anew by hand, or the
/// server that has it be started anew behind the one we speak to.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long a question is waited for before it is asked once more beside it.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// How long the new leader of a replicated stream may take to apply what it was given. It has all of
/// it, so longer than that means that it was lost.
const CATCH_UP: Duration = Duration::from_secs(10);

/// How the stream is watched for an outbox.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    past: Past,
    /// One look at a time, on which many may wait.
    turn: TurnMutex<()>,
    looks: AtomicU64,
    last_failure: Mutex<String>,
    /// It was said that nobody may look.
    is_blind: AtomicBool,
}

impl Watch {
    /// With what the outbox remembers.
    pub(super) fn new(shared: Arc<Shared>, remembered: Option<&str>) -> Self {
        Self {
            past: Past::new(&shared.layout.stream, remembered),
            shared,
            turn: TurnMutex::default(),
            looks: AtomicU64::default(),
            last_failure: Mutex::default(),
            is_blind: AtomicBool::default(),
        }
    }

    pub(super) fn lives(&self) -> watch::Receiver<Life> {
        self.past.lives()
    }

    pub(super) fn memory(&self, confirmed: Confirmed) -> Option<String> {
        self.past.memory(confirmed)
    }

    /// Looks, also when nothing is published.
    pub(super) async fn run(self: Arc<Self>) {
        let Shared { link, timing, .. } = &*self.shared;
        loop {
            link.connected().await;
            let next = match self.settled().await {
                Ok(_) => LOOK_EVERY,
                Err(error) => {
                    tracing::debug!("The stream could not be looked at: {error}");
                    timing.retry_every
                }
            };
            tokio::select! {
                () = tokio::time::sleep(next) => self.past.doubt(),
                () = link.disconnected() => {}
            }
        }
    }

    /// The stream may be another one, or nobody may lead it now.
    pub(super) fn doubt(&self) {
        self.past.doubt();
    }

    /// Takes note of a confirmation for an event that was sent when `before` was the highest
    /// sequence.
    pub(super) fn confirm(
        &self,
        outgoing: Outgoing,
        before: u64,
        receipt: Receipt,
    ) -> Result<(), PublishError> {
        if self.past.confirm(outgoing, before, receipt) {
            return Ok(());
        }
        let stream = &self.shared.layout.stream;
        Err(unavailable(format!("the stream {stream} gave a sequence that it had given before")))
    }

    /// Waits until the stream was compared with what is remembered, on the present connection.
    /// Gives the highest sequence that was confirmed so far.
    pub(super) async fn settled(&self) -> Result<u64, PublishError> {
        let connection = *self.shared.link.connection().borrow();
        let disconnected = || unavailable(Unanswered::<PublishError>::Disconnected.words(""));
        let connection = connection.ok_or_else(disconnected)?;
        if let Some(sequence) = self.past.is_settled_on(connection) {
            return Ok(sequence);
        }
        let looks = self.looks.load(Ordering::Relaxed);
        let _turn = self.turn.lock().await;
        if let Some(sequence) = self.past.is_settled_on(connection) {
            return Ok(sequence);
        }
        if self.looks.load(Ordering::Relaxed) != looks {
            // What failed for somebody else while this waited would fail here.
            return Err(unavailable(self.failure()));
        }
        let looked = self.look(connection).await;
        self.looks.fetch_add(1, Ordering::Relaxed);
        looked.inspect_err(|error| self.fails(error))?;
        let settled = self.past.is_settled_on(connection);
        settled.ok_or_else(|| unavailable("the stream is being looked at"))
    }

    async fn look(&self, connection: u64) -> Result<(), PublishError> {
        let Shared { link, streams, .. } = &*self.shared;
        let server = link.server_id();
        let found = match self.caught_up().await {
            Ok(found) => found,
            Err(StreamStateError::Forbidden { subject }) => {
                if !self.is_blind.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "{}: should NATS forget events that it confirmed, nobody would notice.",
                        may_not_publish(&subject)
                    );
                }
                self.past.unseen(connection);
                return Ok(());
            }
            Err(error) => {
                if matches!(error, StreamStateError::Missing { .. }) {
                    streams.are_missed();
                }
                return Err(unavailable(error.to_string()));
            }
        };
        if let Finding::Ask(last) = self.past.compare(connection, server.clone(), found) {
            let receipt = send(&self.shared, &last).await?;
            self.past.answered(connection, server, found, receipt);
        }
        Ok(())
    }

    /// The stream's state, once a leader that is new has caught up with what others confirmed.
    async fn caught_up(&self) -> Result<StreamState, StreamStateError> {
        let deadline = Instant::now() + CATCH_UP;
        loop {
            let found = self.ask().await?;
            let may_catch_up = found.replicas > 1 && self.past.is_ahead_of(found);
            if !may_catch_up || Instant::now() >= deadline {
                return Ok(found);
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Asks for the stream's state, again and again until the first answer: what is asked while the
    /// servers of a cluster agree on a leader is never answered.
    async fn ask(&self) -> Result<StreamState, StreamStateError> {
        let mut asked = FuturesUnordered::new();
        loop {
            asked.push(streams::state(&self.shared.link, &self.shared.layout));
            tokio::select! {
                Some(answer) = asked.next() => return answer,
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }

    fn failure(&self) -> String {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fails(&self, error: &PublishError) {
        let (PublishError::Unavailable { why } | PublishError::Refused { why }) = error;
        why.clone_into(&mut self.last_failure.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
