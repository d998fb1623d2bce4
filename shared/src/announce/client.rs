//! One task that keeps one client connected, with a fresh event loop for each connection.
//!
//! A poll of the event loop is never cancelled, because that could lose a packet half way; what is
//! to be published goes through the client's queue.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, NetworkOptions, Outgoing, Packet, QoS,
    SubAck, SubscribeFilter, SubscribeReasonCode,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::failure::{Failure, Names};
use super::line::{Line, Progress, WINDOW};
use super::{AnnouncerSettings, Shared, State, Will};
use crate::backoff::Backoff;
use crate::broker::mqtt::transport::TlsOfBroker;
use crate::secret::Secret;

/// A broker that restarts is back within seconds; one that is away is asked a few times a minute.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(15) };
/// A connection that lived this long was a good one: the backoff begins anew after it.
const STABLE: Duration = Duration::from_secs(10);
/// Connections that the broker closed before they were stable, one after the other, from which on
/// it is no accident.
const FLAPPING: u32 = 3;
/// How long the broker may take to answer: name, TCP, TLS and CONNECT together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that is gone is noticed after at most twice this.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The largest packet in either direction: the largest of MQTT, because the library takes 10 KiB
/// without it, and loops over anything larger. What we publish is bounded before.
const MAX_PACKET_BYTES: usize = 268_435_455;
/// Packet ids. More than the window, so that an answer out of order does no harm.
const PACKET_IDS: u16 = 1_024;
/// Room in the client's queue for the window, a subscription and the goodbye.
const REQUESTS: usize = WINDOW + 8;

/// What the task owns.
pub(super) struct Client {
    settings: AnnouncerSettings,
    names: Names,
    tls: Option<Arc<TlsOfBroker>>,
    shared: Arc<Shared>,
    closing: CancellationToken,
    failures: u32,
    short_lived: u32,
    /// A refused subscription is said once, not with each connection.
    has_told_of_silence: bool,
}

impl Client {
    pub(super) fn new(
        settings: AnnouncerSettings,
        shared: Arc<Shared>,
        closing: CancellationToken,
    ) -> Self {
        let address = format!("{}:{}", settings.address.host, settings.address.port);
        Self {
            names: Names { address, section: settings.section },
            tls: settings.address.is_tls.then(|| TlsOfBroker::new(&settings.tls)),
            settings,
            shared,
            closing,
            failures: 0,
            short_lived: 0,
            has_told_of_silence: false,
        }
    }

    pub(super) async fn run(mut self) {
        while !self.closing.is_cancelled() {
            let failure = self.connect().await;
            self.shared.disconnected();
            if self.closing.is_cancelled() {
                return;
            }
            self.failures = self.failures.saturating_add(1);
            let failure = if failure.is_closed && self.short_lived >= FLAPPING {
                failure.flapping(&self.settings.client_id, self.settings.section)
            } else {
                failure
            };
            self.shared.teller.away(&failure.why);
            tokio::select! {
                () = tokio::time::sleep(BACKOFF.wait(self.failures)) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    /// Makes a connection and serves it to its end.
    async fn connect(&mut self) -> Failure {
        let closing = self.closing.clone();
        let opened = tokio::select! {
            opened = Box::pin(self.open()) => opened,
            () = closing.cancelled() => Err(Failure::new("the client is closed")),
        };
        let (client, mut event_loop) = match opened {
            Ok(opened) => opened,
            Err(failure) => return failure,
        };
        let since = Instant::now();
        let filters = self.settings.listens_to.iter();
        let filters = filters.map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtMostOnce));
        if !self.settings.listens_to.is_empty()
            && let Err(error) = client.try_subscribe_many(filters)
        {
            return Failure::new(error.to_string());
        }
        self.shared.teller.connected();
        self.shared.connected(Line::new(client));
        let failure = Box::pin(self.serve(&mut event_loop)).await;
        if since.elapsed() >= STABLE {
            (self.failures, self.short_lived) = (0, 0);
        } else if failure.is_closed {
            self.short_lived = self.short_lived.saturating_add(1);
        }
        failure
    }

    /// Connects; the first event of a fresh event loop is the broker's answer.
    async fn open(&self) -> Result<(AsyncClient, EventLoop), Failure> {
        let (client, mut event_loop) = AsyncClient::new(self.options().await?, REQUESTS);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT_TIMEOUT.as_secs());
        event_loop.set_network_options(network);
        match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Ok((client, event_loop)),
            Ok(_) => Err(Failure::new(format!("{} did not answer", self.names.address))),
            Err(error) => Err(Failure::of(&self.names, &error)),
        }
    }

    /// The options of the next connection, with the password and the certificates of now.
    async fn options(&self) -> Result<MqttOptions, Failure> {
        let AnnouncerSettings { address, username, password, client_id, will, .. } = &self.settings;
        let mut options = MqttOptions::new(client_id, &address.host, address.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(true)
            .set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES)
            .set_inflight(PACKET_IDS);
        if let Some(username) = username {
            let password = password.as_ref().map(Secret::current);
            options.set_credentials(username, password.as_ref().map_or("", Secret::expose));
        }
        if let Some(Will { topic, offline, .. }) = will {
            let will = LastWill::new(topic, offline.to_vec(), QoS::AtLeastOnce, true);
            options.set_last_will(will);
        }
        if let Some(tls) = &self.tls {
            options.set_transport(tls.transport().await.map_err(Failure::new)?);
        }
        Ok(options)
    }

    async fn serve(&mut self, event_loop: &mut EventLoop) -> Failure {
        loop {
            match event_loop.poll().await {
                Ok(event) => {
                    if let Err(failure) = self.handle(event) {
                        return failure;
                    }
                }
                Err(error) => return Failure::of(&self.names, &error),
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Incoming(Packet::Publish(publish)) => {
                self.shared.inbox.push(publish.topic, publish.payload);
            }
            Event::Incoming(Packet::SubAck(suback)) => self.check(&suback),
            Event::Incoming(Packet::PubAck(puback)) => {
                self.follow(|state| {
                    let State { book, line } = state;
                    line.as_mut().map(|line| line.confirmed(puback.pkid, book))
                });
            }
            Event::Outgoing(Outgoing::Publish(packet_id)) => {
                self.follow(|state| state.line.as_mut().map(|line| line.left(packet_id)));
            }
            // The event loop would never recover from it.
            Event::Outgoing(Outgoing::AwaitAck(_)) => {
                return Err(Failure::new("a packet id was about to be used twice"));
            }
            // Comes with each keep alive, so that there is always somebody to notice.
            Event::Outgoing(Outgoing::PingReq)
                if self.shared.lock().line.as_ref().is_some_and(Line::is_stuck) =>
            {
                let address = &self.names.address;
                let why = format!("the broker at {address} does not confirm what is published");
                return Err(Failure::new(why));
            }
            _ => {}
        }
        Ok(())
    }

    fn follow(&self, step: impl FnOnce(&mut State) -> Option<Progress>) {
        let mut state = self.shared.lock();
        if step(&mut state) == Some(Progress::Published) {
            self.shared.teller.published();
            self.shared.push(&mut state);
        }
    }

    fn check(&mut self, suback: &SubAck) {
        let is_refused = suback.return_codes.contains(&SubscribeReasonCode::Failure);
        if is_refused && !std::mem::replace(&mut self.has_told_of_silence, true) {
            self.shared.teller.not_heard(self.settings.section);
        }
    }
}
