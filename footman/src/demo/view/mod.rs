//! What the demo shows: a live table in a terminal, a calm line every few seconds elsewhere.

mod board;

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use crossterm::cursor::MoveToPreviousLine;
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, DisableLineWrap, EnableLineWrap};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::pipeline::View;
use board::Board;

/// How often the table is drawn again.
const REDRAW: Duration = Duration::from_secs(1);
/// How often a line is printed where there is no terminal.
const LINE: Duration = Duration::from_secs(5);

/// Prints text for the person at the terminal.
#[expect(clippy::print_stdout, reason = "the view is what the demo is for")]
pub(super) fn say(text: &str) {
    println!("{text}");
}

/// Shows the pipeline until it is stopped, and gives a last word about it.
pub(super) async fn show(mut view: View, servers: Vec<String>, stop: CancellationToken) -> String {
    let mut board = Board::new(servers);
    let mut screen = Screen::new();
    let mut redraw = interval(screen.every());
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, before there is anything to show.
    redraw.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = redraw.tick() => screen.draw(&board, &view),
            outcome = view.outcomes.recv() => match outcome {
                Ok(outcome) => board.note(&outcome),
                // Only numbers are shown, and the next outcome brings new ones.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
    }
    // The pipeline still drains; its last numbers are those after that.
    wait_for_drain(&view).await;
    screen.draw(&board, &view);
    last_words(&view)
}

/// Waits until nothing waits in the queue, for at most the time that the drain has.
async fn wait_for_drain(view: &View) {
    let deadline = Instant::now() + LINE;
    while view.outbox.depth() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn last_words(view: &View) -> String {
    let counters = view.writer.counters();
    format!(
        "\nPolled {} times, {} of them failed. Stored {} events as {} points; {} wait in the queue.",
        view.collector.ticks_ended(),
        view.collector.ticks_failed(),
        counters.stored.unwrap_or(0),
        view.writer.points_stored(),
        view.outbox.depth()
    )
}

/// Where the view is drawn.
struct Screen {
    terminal: bool,
    /// Lines of the table on the terminal, above the cursor.
    drawn: u16,
}

impl Screen {
    fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal(), drawn: 0 }
    }

    fn every(&self) -> Duration {
        if self.terminal { REDRAW } else { LINE }
    }

    fn draw(&mut self, board: &Board, view: &View) {
        if !self.terminal {
            say(&board.line(&Flow::of(view)));
            return;
        }
        let table = board.table(&Flow::of(view));
        // A terminal that is gone shows nothing more.
        let _gone = self.redraw(&table);
        self.drawn = u16::try_from(table.len()).unwrap_or(u16::MAX);
    }

    fn redraw(&self, table: &[String]) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.drawn > 0 {
            queue!(out, MoveToPreviousLine(self.drawn))?;
        }
        queue!(out, Clear(ClearType::FromCursorDown), DisableLineWrap)?;
        for line in table {
            writeln!(out, "{line}")?;
        }
        queue!(out, EnableLineWrap)?;
        out.flush()
    }
}

/// What flows through the pipeline, in numbers.
struct Flow {
    polls: u64,
    failed: u64,
    events: u64,
    waiting: u64,
    stored: u64,
    points: u64,
    dead_letters: u64,
}

impl Flow {
    fn of(view: &View) -> Self {
        let counters = view.writer.counters();
        Self {
            polls: view.collector.ticks_ended(),
            failed: view.collector.ticks_failed(),
            events: view.outbox.appended(),
            waiting: view.outbox.depth(),
            stored: counters.stored.unwrap_or(0),
            points: view.writer.points_stored(),
            dead_letters: counters.dead_lettered.unwrap_or(0),
        }
    }
}
