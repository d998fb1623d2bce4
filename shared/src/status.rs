//! What a program says about itself over HTTP: `/healthz`, `/readyz`, `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::exposition::Form;
use crate::readiness::Readiness;

/// What the pages show.
#[derive(Clone, Debug)]
pub struct Status {
    /// The program's dependencies.
    pub readiness: Readiness,
    /// The program's metrics.
    pub metrics: Arc<Registry>,
}

/// Why the pages cannot be served.
#[derive(Debug, Error)]
#[error(
    "cannot listen on {address}: another program may have the port; see the `http.listen` keys"
)]
pub struct ListenError {
    /// The address wanted.
    pub address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// Takes the address, trying the next `spare` ports when it is in use.
pub async fn listen(address: SocketAddr, spare: u16) -> Result<TcpListener, ListenError> {
    let mut wanted = address;
    loop {
        match TcpListener::bind(wanted).await {
            Ok(listener) => return Ok(listener),
            Err(error)
                if error.kind() == std::io::ErrorKind::AddrInUse
                    && wanted.port().saturating_sub(address.port()) < spare
                    && wanted.port() < u16::MAX =>
            {
                wanted.set_port(wanted.port() + 1);
            }
            Err(source) => return Err(ListenError { address, source }),
        }
    }
}

/// The pages, to which a program may add its own.
pub fn router(status: Status) -> axum::Router {
    axum::Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(status)
}

/// Serves until the program shuts down.
pub async fn serve(
    listener: TcpListener,
    router: axum::Router,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn ready(State(status): State<Status>) -> impl IntoResponse {
    let report = status.readiness.report();
    let code = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(report))
}

async fn metrics(State(status): State<Status>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let form = Form::wanted(accept);
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &status.metrics) {
        Ok(()) => (StatusCode::OK, [(header::CONTENT_TYPE, form.content_type())], form.of(text)),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain")],
            format!("the metrics cannot be written: {error}\n"),
        ),
    }
}
