//! The three services of a Qlik Sense node that a monitor asks.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// One service of a node, on a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// The engine's health check, port 4747.
    Engine,
    /// The proxy's session list, port 4243.
    Proxy,
    /// The repository, port 4242, on the central node alone.
    Repository,
}

impl Endpoint {
    /// All of them, in the order of [`Endpoint::index`].
    pub const ALL: [Endpoint; 3] = [Endpoint::Engine, Endpoint::Proxy, Endpoint::Repository];

    /// The name used on the command line, in the ledger and by the control listener.
    pub fn name(self) -> &'static str {
        match self {
            Endpoint::Engine => "engine",
            Endpoint::Proxy => "proxy",
            Endpoint::Repository => "repository",
        }
    }

    /// The place of this endpoint in [`Endpoint::ALL`].
    pub fn index(self) -> usize {
        match self {
            Endpoint::Engine => 0,
            Endpoint::Proxy => 1,
            Endpoint::Repository => 2,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Endpoint {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Endpoint::ALL
            .into_iter()
            .find(|endpoint| endpoint.name() == text)
            .ok_or_else(|| UnknownName { text: text.to_owned(), kind: "endpoint" })
    }
}

/// A text that names no endpoint, fault or oddity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}")]
pub struct UnknownName {
    pub(crate) text: String,
    pub(crate) kind: &'static str,
}
