//! The body of an answer as it leaves: whole, in drops, or cut.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::stream::Outbound;
use crate::ledger::LedgerEntry;

/// The pause between two bytes of a slow drip.
pub const SLOW_DRIP_PAUSE: Duration = Duration::from_millis(100);

/// The length of a huge answer: more than the largest list that anybody has, 100,000 apps.
pub const HUGE_ANSWER_BYTES: usize = 80 * 1024 * 1024;

/// White space is handed over in pieces of this size.
const FILLER_BYTES: usize = 64 * 1024;
static FILLER: [u8; FILLER_BYTES] = [b' '; FILLER_BYTES];

/// How long the part before a cut has to reach the client.
const PAUSE_BEFORE_CUT: Duration = Duration::from_millis(20);

/// How the body leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Whole,
    SlowDrip,
    CutShort,
    Huge,
}

/// A body that knows its ledger entry.
#[derive(Debug)]
pub(super) struct AnswerBody {
    pieces: VecDeque<Bytes>,
    /// How many bytes are announced and not handed over yet; `None` when nothing is announced.
    announced: Option<u64>,
    /// Pauses before the next byte or the cut.
    pause: Option<Pin<Box<Sleep>>>,
    cut: bool,
    entry: Option<LedgerEntry>,
    outbound: Arc<Outbound>,
}

impl AnswerBody {
    pub(super) fn new(
        bytes: Bytes,
        pace: Pace,
        chunked: bool,
        entry: LedgerEntry,
        outbound: Arc<Outbound>,
    ) -> Self {
        let mut pieces = VecDeque::from([bytes]);
        let mut length: usize = pieces.iter().map(Bytes::len).sum();
        match pace {
            Pace::Huge => {
                while length < HUGE_ANSWER_BYTES {
                    let filler = FILLER.len().min(HUGE_ANSWER_BYTES - length);
                    pieces.push_back(Bytes::from_static(&FILLER).slice(..filler));
                    length += filler;
                }
            }
            Pace::CutShort => {
                if let Some(piece) = pieces.front_mut() {
                    piece.truncate(piece.len() / 2);
                }
            }
            Pace::Whole | Pace::SlowDrip => {}
        }
        pieces.retain(|piece| !piece.is_empty());
        let pause = match pace {
            Pace::SlowDrip => Some(Box::pin(sleep(SLOW_DRIP_PAUSE))),
            Pace::CutShort => Some(Box::pin(sleep(PAUSE_BEFORE_CUT))),
            Pace::Whole | Pace::Huge => None,
        };
        let cut = pace == Pace::CutShort;
        let announced = (!chunked).then_some(length as u64);
        let mut body = Self { pieces, announced, pause, cut, entry: Some(entry), outbound };
        // Nobody polls a body that is empty from the start.
        if body.announced == Some(0) {
            body.finish();
        }
        body
    }

    fn next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match &mut self.pause {
            Some(pause) if !self.cut => {
                ready!(pause.as_mut().poll(cx));
                pause.as_mut().reset(Instant::now() + SLOW_DRIP_PAUSE);
                let Some(piece) = self.pieces.front_mut() else {
                    return Poll::Ready(None);
                };
                let byte = piece.split_to(piece.len().min(1));
                if piece.is_empty() {
                    self.pieces.pop_front();
                }
                Poll::Ready(Some(byte))
            }
            _ => Poll::Ready(self.pieces.pop_front()),
        }
    }

    /// The last byte is handed over.
    fn finish(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.outbound.last_byte(entry);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match ready!(self.next_piece(cx)) {
            Some(piece) => {
                if let Some(announced) = &mut self.announced {
                    *announced = announced.saturating_sub(piece.len() as u64);
                }
                // With an announced length nobody asks again after the last byte.
                if self.announced == Some(0) {
                    self.finish();
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None if self.cut => {
                if let Some(pause) = &mut self.pause {
                    ready!(pause.as_mut().poll(cx));
                }
                let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "cut short by order");
                Poll::Ready(Some(Err(cut)))
            }
            None => {
                self.finish();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.announced == Some(0) && self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if self.entry.is_some() {
            self.outbound.unfinished();
        }
    }
}
