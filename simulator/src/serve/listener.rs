//! One service of one server: its listening socket, the fault in force, and all its connections.

use std::{
    io, mem,
    net::{SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Counters, Traffic, connection, count, faults::FaultSwitch};
use crate::{Endpoint, Fault, SiteError, site::ServerState};

/// The most connections an endpoint holds; beyond, they wait unaccepted.
pub const MAX_CONNECTIONS: usize = 8_192;

/// How many connections the system keeps unaccepted.
const BACKLOG: u32 = 1_024;

/// How long accepting rests when the system has no more descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(20);

/// One endpoint of one server.
#[derive(Debug)]
pub(crate) struct Service {
    pub(super) server: Arc<ServerState>,
    pub(super) endpoint: Endpoint,
    pub(super) host: Arc<str>,
    pub(super) faults: FaultSwitch,
    pub(super) counters: Counters,
    address: SocketAddr,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// The open connections; replaced by an empty set when they are closed.
    connections: Mutex<Connections>,
    /// The task that accepts, while the socket is open.
    accepting: AsyncMutex<Option<Accepting>>,
}

/// Connections that are closed together.
#[derive(Clone, Debug)]
struct Connections {
    close: CancellationToken,
    open: TaskTracker,
}

#[derive(Debug)]
struct Accepting {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Service {
    /// Opens the socket and begins to answer; ends with `stop`.
    pub(crate) async fn start(
        server: Arc<ServerState>,
        endpoint: Endpoint,
        address: SocketAddrV4,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, SiteError> {
        let service = Arc::new(Self {
            server,
            endpoint,
            host: address.to_string().into(),
            faults: FaultSwitch::default(),
            counters: Counters::default(),
            address: address.into(),
            permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            tasks,
            connections: Mutex::new(Connections::none(&stop)),
            stop,
            accepting: AsyncMutex::default(),
        });
        service.open(&mut *service.accepting.lock().await)?;
        Ok(service)
    }

    /// Sets or clears the fault; when this returns, the socket and the open connections know.
    pub(crate) async fn set_fault(
        self: &Arc<Self>,
        fault: Option<Fault>,
        remaining: Option<u64>,
    ) -> Result<(), SiteError> {
        if fault == Some(Fault::Refused) && remaining.is_some() {
            return Err(SiteError::Uncountable);
        }
        // Held to the end, so that switches follow one another.
        let mut accepting = self.accepting.lock().await;
        if fault == Some(Fault::Refused) {
            self.faults.set(fault, None);
            close(&mut accepting).await;
            self.close_connections().await;
            return Ok(());
        }
        let closing = self.switch(fault, remaining);
        if let Some(closing) = closing {
            closing.end().await;
        }
        self.open(&mut accepting)
    }

    /// Exchanges the fault, and with it the set of open connections where these would hide it.
    ///
    /// Both at once: a connection has the old fault and is closed, or it has the new one and stays.
    fn switch(&self, fault: Option<Fault>, remaining: Option<u64>) -> Option<Connections> {
        let mut connections = self.connections();
        let before = self.faults.now();
        self.faults.set(fault, remaining);
        let hidden = |fault: Option<Fault>| fault.is_some_and(is_of_handshake);
        (before != fault && (hidden(before) || hidden(fault)))
            .then(|| mem::replace(&mut *connections, Connections::none(&self.stop)))
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.faults.now()
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.counters.now()
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Ends every open connection, as a restart of the service does; returns when they have ended.
    pub(crate) async fn close_connections(&self) {
        let none = Connections::none(&self.stop);
        let closing = mem::replace(&mut *self.connections(), none);
        closing.end().await;
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Self>, accepting: &mut Option<Accepting>) -> Result<(), SiteError> {
        if accepting.is_some() || self.stop.is_cancelled() {
            return Ok(());
        }
        let address = self.address;
        let listener = listen(address).map_err(|source| SiteError::Bind { address, source })?;
        let stop = self.stop.child_token();
        let task = self.clone().accept(listener, stop.clone());
        let task = self.tasks.spawn(task);
        *accepting = Some(Accepting { stop, task });
        Ok(())
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let accepting = async {
            loop {
                let Ok(permit) = self.permits.clone().acquire_owned().await else {
                    return;
                };
                match listener.accept().await {
                    Ok((stream, _)) => self.serve(stream, permit),
                    Err(error) => {
                        tracing::warn!(host = %self.host, %error, "Cannot accept a connection.");
                        sleep(ACCEPT_REST).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(accepting).await;
    }

    fn serve(self: &Arc<Self>, stream: TcpStream, permit: OwnedSemaphorePermit) {
        count(&self.counters.connections);
        // Taken together, see `switch`.
        let (Connections { close, open }, fault) = {
            let connections = self.connections();
            (connections.clone(), self.faults.strike_connection())
        };
        let service = self.clone();
        let connection = open.track_future(async move {
            let _permit = permit;
            let serving = connection::serve(service, stream, fault);
            close.run_until_cancelled(serving).await;
        });
        self.tasks.spawn(connection);
    }
}

impl Connections {
    fn none(stop: &CancellationToken) -> Self {
        Self { close: stop.child_token(), open: TaskTracker::new() }
    }

    async fn end(self) {
        self.close.cancel();
        self.open.close();
        self.open.wait().await;
    }
}

/// Whether only a new connection shows the fault.
fn is_of_handshake(fault: Fault) -> bool {
    fault.is_of_certificate() || fault == Fault::HangInHandshake
}

async fn close(accepting: &mut Option<Accepting>) {
    if let Some(accepting) = accepting.take() {
        accepting.stop.cancel();
        // The socket is closed when the task has ended, however it ended.
        let _ = accepting.task.await;
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A fault closes and opens the socket while old connections linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Counters {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::SeqCst);
    }
}
