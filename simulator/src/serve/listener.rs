//! One service of one server: its listening socket, the fault in force, and all its connections.

use std::{
    io,
    net::{SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
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
    /// Cancelled to close the open connections; replaced for those that come after.
    connections: Mutex<CancellationToken>,
    /// The task that accepts, while the socket is open.
    accepting: AsyncMutex<Option<Accepting>>,
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
            connections: Mutex::new(stop.child_token()),
            stop,
            accepting: AsyncMutex::default(),
        });
        service.open().await?;
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
        let before = self.faults.now();
        self.faults.set(fault, remaining);
        if fault == Some(Fault::Refused) {
            self.close().await;
        } else {
            self.open().await?;
        }
        let shows_in_connections = |fault: Option<Fault>| {
            fault.is_some_and(|fault| {
                fault.is_of_certificate()
                    || matches!(fault, Fault::Refused | Fault::HangInHandshake)
            })
        };
        if before != fault && (shows_in_connections(before) || shows_in_connections(fault)) {
            self.close_connections();
        }
        Ok(())
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

    /// Ends every open connection, as a restart of the service does.
    pub(crate) fn close_connections(&self) {
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *connections, self.stop.child_token()).cancel();
    }

    async fn open(self: &Arc<Self>) -> Result<(), SiteError> {
        let mut accepting = self.accepting.lock().await;
        if accepting.is_some() || self.stop.is_cancelled() {
            return Ok(());
        }
        let listener = listen(self.address).map_err(|source| SiteError::Bind {
            address: self.address,
            source,
        })?;
        let stop = self.stop.child_token();
        let task = self
            .tasks
            .spawn(self.clone().accept(listener, stop.clone()));
        *accepting = Some(Accepting { stop, task });
        Ok(())
    }

    async fn close(&self) {
        if let Some(accepting) = self.accepting.lock().await.take() {
            accepting.stop.cancel();
            // The socket is closed when the task has ended, however it ended.
            let _ = accepting.task.await;
        }
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
        let closed = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let service = self.clone();
        self.tasks.spawn(async move {
            let _permit = permit;
            closed
                .run_until_cancelled(connection::serve(service, stream))
                .await;
        });
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
