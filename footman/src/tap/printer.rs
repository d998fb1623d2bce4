//! The thread that prints: a terminal that takes nothing, as after Ctrl-S, stops it and nobody else.

use std::io::{self, ErrorKind, Write as _};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Lines that wait for the thread, on top of the subscription's own room.
const WAITING: usize = 8;

/// The thread, and the way to it.
pub(super) struct Printer {
    lines: mpsc::Sender<String>,
    thread: JoinHandle<io::Result<()>>,
}

impl Printer {
    /// Starts the thread, which prints to standard output.
    pub(super) fn start() -> Self {
        let (lines, received) = mpsc::channel(WAITING);
        let thread = tokio::task::spawn_blocking(move || print(received));
        Self { lines, thread }
    }

    /// Waits for room for a line; none when nobody takes any.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn room(&self) -> Option<mpsc::Permit<'_, String>> {
        self.lines.reserve().await.ok()
    }

    /// Whether nobody reads any more, as behind `| head -1`.
    pub(super) fn is_read_by_nobody(&self) -> bool {
        self.lines.is_closed() || reader_is_gone()
    }

    /// Waits until everything is printed.
    ///
    /// # Errors
    /// What was heard cannot be written, for another reason than that nobody reads any more.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        drop(self.lines);
        match self.thread.await.context("the printing thread ended early")? {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(error).context("what is heard cannot be written to standard output")
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn print(mut lines: mpsc::Receiver<String>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    while let Some(line) = lines.blocking_recv() {
        output.write_all(line.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

/// Whether the reader of a pipe is gone, although nothing is written; of a file it cannot be told.
#[cfg(unix)]
fn reader_is_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let output = io::stdout();
    let mut asked = [PollFd::new(&output, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let is_gone = |asked: &PollFd<'_>| asked.revents().contains(PollFlags::ERR);
    poll(&mut asked, Some(&at_once)).is_ok() && asked.iter().any(is_gone)
}

/// Writing tells.
#[cfg(not(unix))]
fn reader_is_gone() -> bool {
    false
}
