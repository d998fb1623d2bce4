//! A proxy for TCP that holds, delays, swallows and cuts what passes, each direction on its own.
//!
//! Faults apply to connections that are open as well as to new ones. What has come from one side is
//! counted whether it was passed on or not, so that a test can wait until something was said and
//! never heard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::patience::in_time;
use crate::ports::free_port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// What is read at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Between tries to listen again at a port that was given up.
const REBIND: Duration = Duration::from_millis(10);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They are passed on.
    #[default]
    Pass,
    /// They wait here until the flow changes.
    Hold,
    /// They vanish, and nobody is told: a half-open connection.
    Swallow,
    /// They are passed on after this time, one piece after the other.
    Delay(Duration),
}

/// The proxy; it ends with its handle, and its connections with it.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    to_server: Lane,
    to_client: Lane,
    /// Changes when all connections are cut.
    cuts: watch::Sender<u64>,
    refuses: watch::Sender<bool>,
}

/// One direction of all connections.
#[derive(Debug, Default)]
struct Lane {
    flow: watch::Sender<Flow>,
    /// Bytes that have come, passed on or not.
    seen: watch::Sender<u64>,
}

impl FaultProxy {
    /// Before a server on a port of the loopback interface, which need not listen yet.
    pub async fn before(server: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let shared = Arc::new(Shared {
            server: SocketAddr::from(([127, 0, 0, 1], server)),
            to_server: Lane::default(),
            to_client: Lane::default(),
            cuts: watch::Sender::new(0),
            refuses: watch::Sender::new(false),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { port, shared, task }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what becomes of bytes in one direction.
    pub fn set(&self, direction: Direction, flow: Flow) {
        self.shared.lane(direction).flow.send_replace(flow);
    }

    /// Changes what becomes of bytes in both directions.
    pub fn set_both(&self, flow: Flow) {
        self.set(Direction::ToServer, flow);
        self.set(Direction::ToClient, flow);
    }

    /// Resets all connections; what waited here is gone.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Whether nobody listens any more: new connections are refused.
    pub fn refuse(&self, refuses: bool) {
        self.shared.refuses.send_replace(refuses);
    }

    /// Bytes that have come from one side since the start.
    pub fn seen(&self, direction: Direction) -> u64 {
        *self.shared.lane(direction).seen.borrow()
    }

    /// Waits until `more` further bytes have come from one side.
    pub async fn sees(&self, direction: Direction, more: u64) {
        let mut seen = self.shared.lane(direction).seen.subscribe();
        let wanted = *seen.borrow_and_update() + more;
        in_time("bytes at the proxy", seen.wait_for(|seen| *seen >= wanted)).await.unwrap();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    let mut refuses = shared.refuses.subscribe();
    let mut connections = JoinSet::new();
    loop {
        if *refuses.borrow_and_update() {
            drop(listener.take());
            refuses.wait_for(|refuses| !refuses).await.unwrap();
        }
        let current = match listener.take() {
            Some(listener) => listener,
            None => rebind(address).await,
        };
        tokio::select! {
            accepted = current.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(carry(client, Arc::clone(&shared)));
                }
            }
            _ = refuses.changed() => {}
            Some(_ended) = connections.join_next() => {}
        }
        listener = Some(current);
    }
}

/// A port that was just given up may still be busy for a moment.
async fn rebind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_busy) => tokio::time::sleep(REBIND).await,
        }
    }
}

/// One connection to its end.
async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    cuts.mark_unchanged();
    let Ok(server) = TcpStream::connect(shared.server).await else { return reset(&client) };
    for stream in [&client, &server] {
        // Small packets are not to wait for others.
        let _kept = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pump(from_client, to_server, &shared.to_server);
    let down = pump(from_server, to_client, &shared.to_client);
    // With the pumps go their halves, which closes both sides.
    tokio::select! {
        _halves = async { tokio::join!(up, down) } => {}
        _ = cuts.changed() => {}
    }
}

/// Passes bytes on until their source ends, then says so.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lane: &Lane) -> OwnedWriteHalf {
    let mut flow = lane.flow.subscribe();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        lane.seen.send_modify(|seen| *seen += count as u64);
        let passed = loop {
            let now = *flow.borrow_and_update();
            match now {
                Flow::Pass => break true,
                Flow::Swallow => break false,
                Flow::Delay(time) => {
                    tokio::time::sleep(time).await;
                    break true;
                }
                Flow::Hold => {
                    if flow.changed().await.is_err() {
                        break false;
                    }
                }
            }
        };
        if passed && to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    // Even the end is not told while the connection is held or half-open.
    drop(flow.wait_for(|flow| !matches!(flow, Flow::Hold | Flow::Swallow)).await);
    let _closed = to.shutdown().await;
    to
}

fn reset(stream: &TcpStream) {
    // Without the server there is nothing to say but goodbye.
    let _gone = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patience::PATIENCE;

    async fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ended = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        port
    }

    async fn said(stream: &mut TcpStream, text: &[u8]) {
        let mut answer = vec![0; text.len()];
        let heard = stream.read_exact(&mut answer);
        tokio::time::timeout(PATIENCE, heard).await.unwrap().unwrap();
        assert_eq!(answer, text);
    }

    #[tokio::test]
    async fn bytes_pass_wait_vanish_and_are_cut() {
        let proxy = FaultProxy::before(echo().await).await;
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        stream.write_all(b"one").await.unwrap();
        said(&mut stream, b"one").await;
        assert_eq!(proxy.seen(Direction::ToServer), 3);

        proxy.set(Direction::ToClient, Flow::Hold);
        let held = proxy.sees(Direction::ToClient, 3);
        stream.write_all(b"two").await.unwrap();
        held.await;
        proxy.set(Direction::ToClient, Flow::Pass);
        said(&mut stream, b"two").await;

        proxy.set(Direction::ToServer, Flow::Swallow);
        let swallowed = proxy.sees(Direction::ToServer, 4);
        stream.write_all(b"gone").await.unwrap();
        swallowed.await;
        proxy.set_both(Flow::Delay(Duration::from_millis(1)));
        stream.write_all(b"late").await.unwrap();
        said(&mut stream, b"late").await;

        proxy.refuse(true);
        proxy.cut();
        let ended = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await.unwrap();
        assert!(!matches!(ended, Ok(count) if count > 0));
        let refused = async {
            while TcpStream::connect(("127.0.0.1", proxy.port())).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, refused).await.unwrap();
        proxy.refuse(false);
        proxy.set_both(Flow::Pass);
        let again = async {
            loop {
                if let Ok(stream) = TcpStream::connect(("127.0.0.1", proxy.port())).await {
                    return stream;
                }
                tokio::task::yield_now().await;
            }
        };
        let mut stream = tokio::time::timeout(PATIENCE, again).await.unwrap();
        stream.write_all(b"back").await.unwrap();
        said(&mut stream, b"back").await;
    }
}
