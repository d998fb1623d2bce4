//! One task that keeps one client connected, with a fresh event loop for each connection.
//!
//! The task never waits for anything but the event loop while a connection lives: a role handles
//! events without waiting, and what it wants to say goes through the client's queue. A poll of the
//! event loop is never cancelled, because that could lose a packet half way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::endpoint::Endpoint;
use super::failure::{Cause, Failure};
use crate::backoff::Backoff;

/// A broker that restarts is back within seconds; one that is away is asked a few times a minute.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(15) };
/// A connection that lived this long was a good one: the backoff begins anew after it.
const STABLE: Duration = Duration::from_secs(10);
/// Connections that the broker closed before they were stable, one after the other, from which on
/// another client with the same id is the likely cause.
const FLAPPING: u32 = 3;
/// Requests that can wait for the event loop. Acks never fill it: packet ids have 16 bits.
pub(super) const REQUESTS: usize = 70_000;
/// How long the broker may take to close a connection that we ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a client makes of its connection. Nothing in it waits, except
/// [`Role::turn`] and [`Role::room`].
pub(super) trait Role: Send + Sync + 'static {
    /// The id of the next connection.
    fn client_id(&mut self) -> String;

    /// Completes the options of the next connection.
    fn prepare(&self, options: &mut MqttOptions);

    /// A connection begins.
    fn connected(&mut self, client: &AsyncClient, connack: &ConnAck) -> Result<(), Failure>;

    /// Something happened on it. An error ends the connection.
    fn handle(&mut self, event: Event) -> Result<(), Failure>;

    /// A connection, or the attempt at one, has ended.
    fn lost(&mut self, failure: &Failure);

    /// Waits until a connection may be made.
    fn turn(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Waits until more may be read from the broker.
    fn room(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// A handle to the task; dropping it drops the connection without a goodbye.
#[derive(Debug)]
pub(super) struct Link {
    closing: CancellationToken,
    client: CurrentClient,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

type CurrentClient = Arc<Mutex<Option<AsyncClient>>>;

impl Link {
    /// Starts the task.
    pub(super) fn start(endpoint: Endpoint, role: impl Role) -> Self {
        let closing = CancellationToken::new();
        let client = CurrentClient::default();
        let keeper = Keeper {
            endpoint,
            role,
            closing: closing.clone(),
            client: Arc::clone(&client),
            failures: 0,
            short_lived: 0,
            is_refused: false,
        };
        let task = AbortOnDropHandle::new(tokio::spawn(keeper.run()));
        Self { closing, client, task: Mutex::new(Some(task)) }
    }

    /// Says goodbye after everything that was handed in, and waits until the broker has closed the
    /// connection, which proves that it has read all of it. Says whether it did.
    pub(super) async fn close(&self) -> bool {
        self.closing.cancel();
        say_goodbye(&self.client);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        match task {
            Some(task) => tokio::time::timeout(CLOSE_TIMEOUT, task).await.is_ok(),
            None => true,
        }
    }
}

fn say_goodbye(client: &CurrentClient) {
    if let Some(client) = &*client.lock().unwrap_or_else(PoisonError::into_inner) {
        // A queue that is full belongs to a connection that is stuck; the timeout ends it.
        let _queued = client.try_disconnect();
    }
}

/// What the task owns.
struct Keeper<R> {
    endpoint: Endpoint,
    role: R,
    closing: CancellationToken,
    client: CurrentClient,
    failures: u32,
    short_lived: u32,
    /// The broker did not allow something that was published on this connection. mosquitto 2.0 ends
    /// it after that, without a word.
    is_refused: bool,
}

impl<R: Role> Keeper<R> {
    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return,
                () = self.role.turn() => {}
            }
            let client_id = self.role.client_id();
            let mut failure = self.connect(&client_id).await;
            if self.short_lived >= FLAPPING {
                failure = failure.flapping(&client_id);
            }
            self.failures = self.failures.saturating_add(1);
            self.role.lost(&failure);
            tokio::select! {
                () = tokio::time::sleep(BACKOFF.wait(self.failures)) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    /// Makes a connection and serves it to its end.
    async fn connect(&mut self, client_id: &str) -> Failure {
        let address = self.endpoint.address();
        let closing = self.closing.clone();
        let opened = tokio::select! {
            opened = Box::pin(open(&self.endpoint, &self.role, client_id)) => opened,
            () = closing.cancelled() => Err(Failure::new("the client is closed")),
        };
        let (client, mut event_loop, connack) = match opened {
            Ok(opened) => opened,
            Err(failure) => return failure,
        };
        let since = Instant::now();
        self.is_refused = false;
        let mut served = match self.role.connected(&client, &connack) {
            Ok(()) => {
                self.share(Some(client));
                // Whoever closed in the meantime found no client to say goodbye with.
                if self.closing.is_cancelled() {
                    say_goodbye(&self.client);
                }
                Box::pin(self.serve(&mut event_loop, &address)).await
            }
            Err(failure) => failure,
        };
        self.share(None);
        // What was read before the connection broke has happened all the same.
        for event in event_loop.state.events.drain(..) {
            self.is_refused |= is_refusal(&event);
            if let Err(failure) = self.role.handle(event) {
                if served.cause == Cause::Closed {
                    served = failure;
                }
                break;
            }
        }
        if served.cause == Cause::Closed && self.is_refused {
            served = Failure::forbidden(&address);
        }
        if since.elapsed() >= STABLE {
            (self.failures, self.short_lived) = (0, 0);
        } else if served.cause == Cause::Closed {
            self.short_lived = self.short_lived.saturating_add(1);
        }
        served
    }

    fn share(&self, client: Option<AsyncClient>) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    async fn serve(&mut self, event_loop: &mut EventLoop, address: &str) -> Failure {
        loop {
            tokio::select! {
                biased;
                () = self.role.room() => {}
                () = self.closing.cancelled() => {}
            }
            match event_loop.poll().await {
                Ok(event) => {
                    self.is_refused |= is_refusal(&event);
                    if let Err(failure) = self.role.handle(event) {
                        return failure;
                    }
                }
                Err(error) => return Failure::of(address, &error),
            }
        }
    }
}

/// Whether the broker does not allow something that was published.
fn is_refusal(event: &Event) -> bool {
    matches!(event, Event::Incoming(Packet::PubAck(puback)) if puback.reason == PubAckReason::NotAuthorized)
}

/// Connects; the first event of a fresh event loop is the broker's answer.
async fn open(
    endpoint: &Endpoint,
    role: &impl Role,
    client_id: &str,
) -> Result<(AsyncClient, EventLoop, ConnAck), Failure> {
    let mut options = endpoint.options(client_id).await?;
    role.prepare(&mut options);
    let (client, mut event_loop) = AsyncClient::new(options, REQUESTS);
    match event_loop.poll().await {
        Ok(Event::Incoming(Packet::ConnAck(connack))) => Ok((client, event_loop, connack)),
        Ok(_) => Err(Failure::new(format!("{} did not answer", endpoint.address()))),
        Err(error) => Err(Failure::of(&endpoint.address(), &error)),
    }
}
