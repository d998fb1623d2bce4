//! What can keep a site from starting, or a fault from being switched.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why a site could not be started or steered.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The configuration cannot be served.
    #[error("the site cannot be built: {0}")]
    Configuration(String),
    /// No network of loopback addresses was free.
    #[error("found no free network of loopback addresses in {tries} tries")]
    NoFreeNetwork {
        /// How many networks were tried.
        tries: usize,
    },
    /// An address could not be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A key or certificate could not be made.
    #[error("cannot make the certificates: {0}")]
    Certificates(String),
    /// There is no such server.
    #[error("there is no server {index}: the site has {servers}")]
    NoSuchServer {
        /// The index asked for, from 0.
        index: usize,
        /// How many servers there are.
        servers: usize,
    },
    /// The server does not serve that endpoint: the repository runs on the central one alone.
    #[error("server {index} does not serve the {endpoint}")]
    NotServed {
        /// The index asked for, from 0.
        index: usize,
        /// The endpoint asked for.
        endpoint: crate::Endpoint,
    },
    /// A closed socket sees no connection, so it cannot count them.
    #[error("the fault `refused` cannot be limited to a number of answers")]
    Uncountable,
}
