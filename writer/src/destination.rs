//! The seam to what stores lines, and every answer that it may give.

use std::time::Duration;

use async_trait::async_trait;

/// Stores lines.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Hands in lines and says what became of them. Never waits to try again: see `flush`.
    async fn write(&self, body: &[u8]) -> Answer;

    /// Makes sure that there is a place for the lines, and makes one where there is none.
    async fn prepare(&self) -> Result<Prepared, Trouble>;

    /// Waits until what proves who we are is another than when this was called; for ever where that
    /// cannot be.
    async fn credentials_changed(&self) {
        std::future::pending::<()>().await;
    }
}

/// What is known of the place for the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It is there.
    Ready,
    /// Who may only write may neither look for it nor make it: a write shows whether it is there.
    /// The trouble is for the case that it is not.
    Unseen(Trouble),
}

/// What became of the lines of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of them are stored.
    Stored,
    /// Some of them, or all, will never be stored.
    Refused(Refusal),
    /// There are too many of them for one request.
    TooLarge(String),
    /// There is no such database: make it and try again.
    Missing(String),
    /// None may be counted as stored; try again.
    Trouble(Trouble),
}

/// Lines that will never be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The answer's HTTP status.
    pub status: u16,
    /// InfluxDB's words.
    pub reason: String,
    /// How many lines were dropped, where InfluxDB says so; malformed lines are not among them.
    pub dropped: Option<usize>,
    /// Whether what was dropped is older than the retention policy keeps.
    pub expired: bool,
    /// The lines refused, where InfluxDB names them.
    pub lines: Vec<LineRefusal>,
    /// Whether the lines that are not named are stored.
    pub rest_stored: bool,
}

/// One line that will never be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRefusal {
    /// Its number in the request, from 1.
    pub number: usize,
    /// InfluxDB's words.
    pub reason: String,
}

/// Why nothing can be stored now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it takes to end it.
    pub kind: TroubleKind,
    /// What is wrong in words an admin understands, without secrets and without data.
    pub why: String,
}

/// What it takes to end a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// Time: no connection, overload, half an answer. Try again after a backoff, or when told to.
    Unavailable {
        /// When InfluxDB wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Somebody who changes the configuration, on either side. Try again slowly.
    Misconfigured,
    /// Somebody who raises a cardinality limit. Try again slowly.
    Cardinality,
}

impl Trouble {
    /// A trouble that may pass by itself.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self { kind: TroubleKind::Unavailable { retry_after: None }, why: why.into() }
    }

    /// A trouble that somebody must end.
    pub fn misconfigured(why: impl Into<String>) -> Self {
        Self { kind: TroubleKind::Misconfigured, why: why.into() }
    }
}
