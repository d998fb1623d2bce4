//! The addresses that the predecessor's keys ask for: `prometheus` and `dockerHealthCheck`.
//!
//! The addresses are taken before anything is polled, so that a port in use is said at once.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use shared::config::{Config, Prometheus};
use shared::status;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::health_check;
use crate::honesty::CollectorHonesty;
use crate::latest::Latest;
use crate::prometheus;

/// Why a page cannot be served.
#[derive(Debug, Error)]
#[error("cannot listen on {host}, port {port}, as {key} says: another program may have the port")]
pub struct PageError {
    /// The key that asks for it.
    key: &'static str,
    host: String,
    port: u16,
    #[source]
    source: io::Error,
}

/// The pages, whose addresses are taken.
#[derive(Debug)]
pub struct Pages {
    prometheus: Option<TcpListener>,
    health_check: Option<TcpListener>,
}

impl Pages {
    /// Takes the addresses that the configuration asks for, if it does.
    pub async fn bind(config: &Config) -> Result<Self, PageError> {
        let prometheus = config.collector.prometheus.as_ref().map(|page| {
            let Prometheus { host, port } = page;
            ("prometheus.port", host.clone(), *port)
        });
        let health_check = config.collector.docker_health_check.map(|port| {
            // Whoever checks a container asks from inside it.
            ("dockerHealthCheck.port", Ipv4Addr::LOCALHOST.to_string(), port)
        });
        Ok(Self {
            prometheus: listen(prometheus).await?,
            health_check: listen(health_check).await?,
        })
    }

    /// Serves until the program shuts down.
    pub async fn serve(
        self,
        latest: Arc<Latest>,
        honesty: Arc<CollectorHonesty>,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let mut serving = JoinSet::new();
        if let Some(listener) = self.prometheus {
            let address = listener.local_addr()?;
            info!("The site's metrics are at http://{address}/metrics, for Prometheus.");
            serving.spawn(status::serve(listener, prometheus::router(latest), shutdown.clone()));
        }
        if let Some(listener) = self.health_check {
            let address = listener.local_addr()?;
            info!("The health check for containers is at http://{address}/health.");
            serving.spawn(status::serve(listener, health_check::router(honesty), shutdown.clone()));
        }
        while let Some(ended) = serving.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        // Without a page there is nothing to do but wait for the others.
        shutdown.cancelled().await;
        Ok(())
    }
}

async fn listen(
    wanted: Option<(&'static str, String, u16)>,
) -> Result<Option<TcpListener>, PageError> {
    let Some((key, host, port)) = wanted else { return Ok(None) };
    match TcpListener::bind((host.as_str(), port)).await {
        Ok(listener) => Ok(Some(listener)),
        Err(source) => Err(PageError { key, host, port, source }),
    }
}
