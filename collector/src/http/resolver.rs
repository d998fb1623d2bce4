//! From host names to addresses, a few at a time.
//!
//! The system's resolver blocks a thread for each question, and a name server that is away keeps
//! it for long; the bound keeps a site of dead names from making hundreds of threads. The last
//! address of each name is kept for what failed polls tell.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use tokio::sync::Semaphore;

/// Questions at once, each with a thread of its own.
const LOOKUPS: usize = 16;

/// A name without an address.
#[derive(Debug, Error)]
#[error("the name does not resolve")]
pub(super) struct LookupFailed(#[source] pub(super) io::Error);

/// Asks the system; clones share the bound.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    lookups: Arc<Semaphore>,
    last: Arc<Mutex<HashMap<String, IpAddr>>>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS)), last: Arc::default() }
    }
}

impl Resolver {
    /// The address that a name had when it was last resolved.
    pub(super) fn last(&self, name: &str) -> Option<IpAddr> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    async fn look_up(self, name: String) -> Result<Addrs, io::Error> {
        let permit = self.lookups.acquire().await;
        // The port is that of the URL, whatever is said here.
        let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
        drop(permit);
        if let Some(first) = addresses.first() {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.insert(name, first.ip());
        }
        Ok(Box::new(addresses.into_iter()))
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.clone().look_up(name.as_str().to_owned());
        Box::pin(async move { lookup.await.map_err(|error| LookupFailed(error).into()) })
    }
}
