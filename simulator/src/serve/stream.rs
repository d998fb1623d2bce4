//! The stream under a connection: it knows when the bytes of an answer have left.
//!
//! The body hands its ledger entry over with its last byte; the entry is recorded when those bytes were flushed.

use std::{
    io, mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use socket2::SockRef;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::ledger::{Ledger, LedgerEntry};

/// What a connection shares with the answers on it.
#[derive(Debug)]
pub(super) struct Outbound {
    ledger: Ledger,
    /// Answers whose last byte was handed over and not yet flushed; as many as requests are pipelined.
    leaving: Mutex<Vec<LedgerEntry>>,
    reset: AtomicBool,
}

impl Outbound {
    pub(super) fn new(ledger: Ledger) -> Arc<Self> {
        Arc::new(Self { ledger, leaving: Mutex::default(), reset: AtomicBool::new(false) })
    }

    /// Takes the entry of an answer whose last byte was just handed over.
    pub(super) fn last_byte(&self, entry: LedgerEntry) {
        self.leaving().push(entry);
    }

    /// Counts an answer that will never be whole.
    pub(super) fn unfinished(&self) {
        self.ledger.note_unfinished(1);
    }

    /// Lets the connection end with a reset instead of a farewell.
    pub(super) fn reset_at_end(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }

    fn flushed(&self) {
        let entries = mem::take(&mut *self.leaving());
        if !entries.is_empty() {
            self.ledger.record(entries);
        }
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<LedgerEntry>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A TLS stream that records what it flushed.
#[derive(Debug)]
pub(super) struct RecordedStream {
    stream: TlsStream<TcpStream>,
    outbound: Arc<Outbound>,
}

impl RecordedStream {
    pub(super) fn new(stream: TlsStream<TcpStream>, outbound: Arc<Outbound>) -> Self {
        Self { stream, outbound }
    }
}

impl AsyncRead for RecordedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for RecordedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.outbound.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for RecordedStream {
    fn drop(&mut self) {
        let unfinished = self.outbound.leaving().len() as u64;
        self.outbound.ledger.note_unfinished(unfinished);
        if self.outbound.reset.load(Ordering::SeqCst) {
            reset_on_close(self.stream.get_ref().0);
        }
    }
}

/// Makes the system answer with a reset when the stream is dropped.
pub(super) fn reset_on_close(stream: &TcpStream) {
    if let Err(error) = SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "Cannot reset a connection.");
    }
}
