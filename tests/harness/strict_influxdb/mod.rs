//! InfluxDB 2.x and 3.x as their documentation describes them, and as strict as it allows.
//!
//! Neither server can be started by the tests, so these stand in: they check path, parameters,
//! headers, compression and every line, keep the points with their types, and answer as
//! documented. Whatever a writer must not send fails the test, when the server is dropped.
//! Nothing here knows Footman's own encoder or client.

pub mod line_protocol;
mod listen;
pub mod request;
pub mod store;
pub mod table;
pub mod version2;
pub mod version3;

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use self::listen::Authority;
use self::request::{Asked, Reply};
pub use self::version2::Version2;
pub use self::version3::Version3;

/// A version of InfluxDB.
pub trait Serves: Send + 'static {
    /// Answers a request; what a writer must not send is the error.
    fn answer(&mut self, asked: &Asked) -> Result<Reply, String>;
}

struct State<V> {
    version: V,
    violations: Vec<String>,
}

/// A strict InfluxDB that listens on the loopback interface.
pub struct Strict<V> {
    state: Arc<Mutex<State<V>>>,
    port: u16,
    authority: Option<Authority>,
    server: JoinHandle<()>,
}

impl<V> std::fmt::Debug for Strict<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Strict").field("port", &self.port).finish_non_exhaustive()
    }
}

impl<V: Serves> Strict<V> {
    /// Listens on a free port.
    pub async fn start(version: V) -> Self {
        Self::listen(version, None).await
    }

    /// Listens on a free port, with a certificate of an authority of its own.
    pub async fn start_with_tls(version: V) -> Self {
        Self::listen(version, Some(Authority::new())).await
    }

    async fn listen(version: V, authority: Option<Authority>) -> Self {
        shared::lifecycle::install_crypto();
        let state = Arc::new(Mutex::new(State { version, violations: Vec::new() }));
        let asked = Arc::clone(&state);
        let answer = move |request: &Asked| {
            let mut state = asked.lock().unwrap();
            state.version.answer(request).unwrap_or_else(|why| {
                let why = format!("{} {}: {why}", request.method, request.path);
                state.violations.push(why);
                Reply::text(500, "the test has failed")
            })
        };
        let (port, server) = listen::serve(authority.as_ref(), Arc::new(answer)).await;
        Self { state, port, authority, server }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The file with the authority that signed its certificate.
    pub fn authority(&self) -> Option<&Path> {
        self.authority.as_ref().map(Authority::file)
    }

    /// Takes what was wrong with the requests, so that it does not fail the test.
    pub fn violations(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().violations)
    }

    /// Looks at it, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut V) -> T) -> T {
        look(&mut self.state.lock().unwrap().version)
    }
}

impl<V> Drop for Strict<V> {
    fn drop(&mut self) {
        self.server.abort();
        if std::thread::panicking() {
            return;
        }
        let violations = self.state.lock().unwrap().violations.join("\n");
        assert!(violations.is_empty(), "the writer sent what it must not send:\n{violations}");
    }
}
