//! The task of a member: attaches to the consumer, fetches what is wanted, tells of acks and of
//! what is still in hand, and begins anew when the connection, the consumer or the stream went away.
//!
//! Acks of deliveries from before a server's restart are told only when the stream is still the one
//! they came from: at a server that lost its disk the same places hold other events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::ReadyChunks;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::arrival::{Place, arrival_of};
use super::fetch::{Ended, Fetch};
use super::hand::Hand;
use super::seat::{NoSeat, Seat};
use crate::broker::nats::Shared;
use crate::broker::nats::link::{Link, Unanswered, may_not_publish};
use crate::broker::nats::settings::Timing;
use crate::broker::nats::standing::{Part, Standing};

const ACK: Bytes = Bytes::from_static(b"+ACK");
const PROGRESS: Bytes = Bytes::from_static(b"+WPI");
const NOT_ACKED: Bytes = Bytes::from_static(b"-NAK");
/// Deliveries that are put in hand at once.
const CHUNK: usize = 256;
/// The rest after an end that another fetch at once would only repeat.
const REST: Duration = Duration::from_millis(250);

/// What waits at the server, as it said last.
#[derive(Debug)]
pub(super) struct Backlog(AtomicU64);

/// Stands for a number that nobody told yet.
const UNKNOWN: u64 = u64::MAX;

impl Default for Backlog {
    fn default() -> Self {
        Self(AtomicU64::new(UNKNOWN))
    }
}

impl Backlog {
    pub(super) fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|waiting| *waiting != UNKNOWN)
    }
}

/// The task.
#[derive(Debug)]
pub(super) struct Member {
    link: Link,
    seat: Seat,
    standing: Arc<Standing>,
    timing: Timing,
    hand: Arc<Hand>,
    backlog: Arc<Backlog>,
    closing: CancellationToken,
}

/// An attachment to the consumer, which lives at most as long as its connection.
struct Attachment {
    messages: ReadyChunks<Subscriber>,
    inbox: String,
    fetches: u64,
    fetch: Option<Fetch>,
    /// The next fetch takes one event, whatever its size.
    alone: bool,
    progress: Interval,
    connection: watch::Receiver<Option<u64>>,
}

/// Why an attachment ended.
enum Left {
    Closed,
    Lost,
}

impl Member {
    pub(super) fn new(
        shared: &Shared,
        group: &str,
        hand: Arc<Hand>,
        backlog: Arc<Backlog>,
        closing: CancellationToken,
    ) -> Self {
        let seat = Seat {
            link: shared.link.clone(),
            streams: Arc::clone(&shared.streams),
            stream: shared.layout.stream.clone(),
            group: group.to_owned(),
            wanted: shared.layout.consumer(group),
        };
        Self {
            link: shared.link.clone(),
            seat,
            standing: Arc::clone(&shared.standing),
            timing: shared.timing,
            hand,
            backlog,
            closing,
        }
    }

    /// Runs until it is closed.
    pub(super) async fn run(self) {
        tokio::select! {
            () = self.consume() => {}
            () = self.watch_backlog() => {}
        }
    }

    async fn consume(&self) {
        let mut server = None;
        loop {
            let attaching = Box::pin(self.attach(&mut server));
            let Some(mut attachment) = self.closing.run_until_cancelled(attaching).await else {
                return;
            };
            if let Left::Closed = self.serve(&mut attachment).await {
                self.leave(attachment).await;
                return;
            }
        }
    }

    async fn watch_backlog(&self) {
        loop {
            match self.seat.info().await {
                Ok(info) => {
                    let in_hand = u64::try_from(info.num_ack_pending).unwrap_or_default();
                    let waiting = info.num_pending.saturating_add(in_hand);
                    self.backlog.0.store(waiting, Ordering::Relaxed);
                }
                // The server logs every such question.
                Err(Unanswered::Denied) => self.link.disconnected().await,
                Err(_unanswered) => {}
            }
            tokio::time::sleep(self.timing.backlog_every).await;
        }
    }

    /// Attaches as soon as the server lets it. `server` is the one attached to last.
    async fn attach(&self, server: &mut Option<String>) -> Attachment {
        loop {
            self.link.connected().await;
            self.seat.streams.are_there().await;
            match self.seat.take().await {
                Ok(()) if self.link.is_denied(&self.seat.next()) => {
                    let why = may_not_publish(&self.seat.next());
                    self.standing.is_missing(Part::Consumer, &why);
                    tokio::time::sleep(self.timing.retry_every).await;
                }
                Ok(()) => {
                    let connection = self.link.connection();
                    if self.recognise(server).await
                        && let Some(attachment) = self.subscribe(connection).await
                    {
                        if self.standing.is_there(Part::Consumer) {
                            tracing::info!("The consumer {} is there again.", self.seat.group);
                        }
                        return attachment;
                    }
                }
                Err(NoSeat::Disconnected) => {}
                Err(NoSeat::StreamMissing) => self.seat.streams.are_missed(),
                Err(NoSeat::Refused(why)) => {
                    self.standing.is_missing(Part::Consumer, &why);
                    tokio::time::sleep(self.timing.retry_every).await;
                }
            }
        }
    }

    /// Makes sure that what is in hand means the same at this server. False without a connection.
    async fn recognise(&self, server: &mut Option<String>) -> bool {
        let now = self.link.server_id();
        if server.is_some()
            && *server != now
            && let Some(latest) = self.hand.latest()
        {
            match self.seat.still_has(&latest).await {
                Some(true) => {}
                Some(false) => {
                    tracing::info!(
                        "What is in hand is acked no more: NATS was restarted without it."
                    );
                    self.hand.forget();
                }
                None => return false,
            }
        }
        *server = now;
        true
    }

    async fn subscribe(&self, connection: watch::Receiver<Option<u64>>) -> Option<Attachment> {
        let inbox = self.link.client().new_inbox();
        let messages = self.link.client().subscribe(format!("{inbox}.*")).await.ok()?;
        let mut progress = tokio::time::interval(self.timing.progress_every);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(Attachment {
            messages: messages.ready_chunks(CHUNK),
            inbox,
            fetches: 0,
            fetch: None,
            alone: false,
            progress,
            connection,
        })
    }

    async fn serve(&self, attachment: &mut Attachment) -> Left {
        let next = self.seat.next();
        loop {
            if !self.tell_acks(attachment).await || !self.open_fetch(attachment).await {
                return Left::Lost;
            }
            let deadline = attachment.fetch.as_ref().map(|fetch| fetch.deadline);
            tokio::select! {
                () = self.closing.cancelled() => return Left::Closed,
                // Another connection, or none: fetches do not outlive theirs.
                _changed = attachment.connection.changed() => return Left::Lost,
                messages = attachment.messages.next() => {
                    let Some(messages) = messages else { return Left::Lost };
                    if let Err(why) = self.take_in(attachment, messages).await {
                        tracing::info!("The consumer {} is gone ({why}).", self.seat.group);
                        tokio::time::sleep(REST).await;
                        return Left::Lost;
                    }
                }
                // A refused fetch has no other answer.
                () = self.link.denied(&next) => return Left::Lost,
                () = self.hand.work() => {}
                _now = attachment.progress.tick() => self.tell_progress().await,
                () = until(deadline) => {
                    tracing::debug!("a fetch is forgotten by the server");
                    return Left::Lost;
                }
            }
        }
    }

    /// Tells the server of the acks given since. False when the connection is another one: whether
    /// they mean the same there has to be found out first.
    async fn tell_acks(&self, attachment: &Attachment) -> bool {
        let mut acks = self.hand.take_acks();
        while let Some(place) = acks.pop_front() {
            let is_same = !attachment.connection.has_changed().unwrap_or(true);
            if !is_same || !self.link.post(place.reply.clone(), ACK).await {
                acks.push_front(place);
                self.hand.give_back(acks);
                return false;
            }
        }
        true
    }

    /// Tells the server that everything in hand is still being worked on.
    async fn tell_progress(&self) {
        for reply in self.hand.held() {
            if !self.link.post(reply, PROGRESS).await {
                return;
            }
        }
    }

    /// Opens a fetch when something is wanted and none is open. False when it cannot be asked for.
    async fn open_fetch(&self, attachment: &mut Attachment) -> bool {
        let wanted = self.hand.wanted();
        if attachment.fetch.is_some() || wanted == 0 {
            return true;
        }
        if !self.link.is_connected() {
            return false;
        }
        attachment.fetches += 1;
        let inbox =
            async_nats::Subject::from(format!("{}.{}", attachment.inbox, attachment.fetches));
        let alone = std::mem::take(&mut attachment.alone);
        let Timing { fetch_expiry, fetch_grace, .. } = self.timing;
        let (fetch, request) = Fetch::new(inbox.clone(), wanted, alone, fetch_expiry, fetch_grace);
        let Ok(request) = serde_json::to_vec(&request) else { return false };
        attachment.fetch = Some(fetch);
        let asking = self.link.client().publish_with_reply(self.seat.next(), inbox, request.into());
        asking.await.is_ok()
    }

    /// Takes in what came. An error says why the consumer has to be looked at.
    async fn take_in(
        &self,
        attachment: &mut Attachment,
        messages: Vec<Message>,
    ) -> Result<(), String> {
        let (mut arrivals, mut ends) = (Vec::with_capacity(messages.len()), Vec::new());
        for message in messages {
            match arrival_of(&message) {
                Some(arrival) => arrivals.push(arrival),
                None => ends.push(message),
            }
        }
        if let Some(fetch) = &mut attachment.fetch
            && fetch.count(arrivals.len())
        {
            attachment.fetch = None;
        }
        if !arrivals.is_empty() {
            self.hand.put(arrivals);
        }
        for message in ends {
            let Some(ended) = attachment.fetch.as_ref().and_then(|fetch| fetch.ended_by(&message))
            else {
                continue;
            };
            attachment.fetch = None;
            match ended {
                Ended::Over => {}
                Ended::TooLarge => attachment.alone = true,
                Ended::Gone(why) => return Err(why),
                Ended::Refused(why) => {
                    tracing::debug!("the server ended a fetch: {why}");
                    tokio::time::sleep(REST).await;
                }
            }
        }
        Ok(())
    }

    /// Hands in the acks, gives back what is not acked, so that others get it at once, and waits
    /// until the server has taken note of it.
    async fn leave(&self, attachment: Attachment) {
        let mut attachment = attachment;
        let draining = attachment.messages.get_mut().drain().await;
        while draining.is_ok()
            && let Ok(Some(messages)) = tokio::time::timeout(REST, attachment.messages.next()).await
        {
            let _ends_anyway = self.take_in(&mut attachment, messages).await;
        }
        let acks = self.hand.take_acks().into_iter().map(|Place { reply, .. }| (reply, ACK));
        let given_back = self.hand.held().into_iter().map(|reply| (reply, NOT_ACKED));
        let mut words: VecDeque<_> = acks.chain(given_back).collect();
        let Some((last, word)) = words.pop_back() else { return };
        for (reply, word) in words {
            if !self.link.post(reply, word).await {
                return;
            }
        }
        // The server goes through them in order, and answers when it is asked to.
        let subject = last.to_string();
        let _noted = self.link.ask(&subject, self.link.client().request(last, word)).await;
    }
}

/// Waits until a moment, or forever.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
