//! An InfluxDB 1.x that takes everything and keeps nothing: as fast as a writer can be served.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::process::free_port;

/// What it does with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes it, after this time.
    Takes(Duration),
    /// Reads it and never answers.
    Hangs,
    /// Answers 503.
    Busy,
}

/// A sink that can be away.
#[derive(Debug)]
pub struct InfluxDbSink {
    port: u16,
    task: Option<AbortHandle>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    manner: Mutex<Manner>,
    writes: AtomicU64,
    /// Bodies of writes, as they came, when they are kept.
    kept: Mutex<Option<Vec<Bytes>>>,
}

impl Default for InfluxDbSink {
    /// One that is away.
    fn default() -> Self {
        shared::lifecycle::install_crypto();
        let (manner, writes) = (Mutex::new(Manner::Busy), AtomicU64::new(0));
        let shared = Arc::new(Shared { manner, writes, kept: Mutex::default() });
        Self { port: free_port(), task: None, shared }
    }
}

impl InfluxDbSink {
    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Is there, from the next write on with this manner.
    pub async fn open(&mut self, manner: Manner) {
        *lock(&self.shared.manner) = manner;
        if self.task.is_none() {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
            let serving = serve(listener, Arc::clone(&self.shared));
            self.task = Some(tokio::spawn(serving).abort_handle());
        }
    }

    /// Keeps the bodies of writes from now on, compressed as they come.
    pub fn keep_bodies(&self) {
        *lock(&self.shared.kept) = Some(Vec::new());
    }

    /// The bodies that were kept; keeps none any more.
    pub fn take_bodies(&self) -> Vec<Bytes> {
        lock(&self.shared.kept).take().unwrap_or_default()
    }

    /// Writes that came, whatever became of them.
    pub fn writes(&self) -> u64 {
        self.shared.writes.load(Ordering::Relaxed)
    }
}

impl Drop for InfluxDbSink {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(request, &shared).await) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            // A client may hang up.
            let _ended = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let (head, mut body) = request.into_parts();
    let is_kept = head.uri.path() == "/write" && lock(&shared.kept).is_some();
    if is_kept {
        let whole = body.collect().await.map(http_body_util::Collected::to_bytes);
        if let (Ok(whole), Some(kept)) = (whole, lock(&shared.kept).as_mut()) {
            kept.push(whole);
        }
    } else {
        while let Some(Ok(_frame)) = body.frame().await {}
    }
    let response = Response::builder().header("x-influxdb-version", "1.6.7");
    if head.uri.path() != "/write" {
        let nothing = Full::from("{\"results\":[{\"statement_id\":0}]}");
        return response.header("content-type", "application/json").body(nothing).unwrap();
    }
    shared.writes.fetch_add(1, Ordering::Relaxed);
    let manner = *lock(&shared.manner);
    match manner {
        Manner::Hangs => std::future::pending().await,
        Manner::Busy => response.status(503).body(Full::default()).unwrap(),
        Manner::Takes(after) => {
            tokio::time::sleep(after).await;
            response.status(204).body(Full::default()).unwrap()
        }
    }
}
