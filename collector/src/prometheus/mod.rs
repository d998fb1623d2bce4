//! `GET /metrics` with the predecessor's gauges: the values of the last answers, in its names.
//!
//! Other than the predecessor's, a server's series vanish when it stops answering, and a value
//! that the engine did not send has no series.

mod gauges;
mod labels;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::latest::Latest;

/// The content type without which newer Prometheus servers refuse an answer.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page.
pub(crate) fn router(latest: Arc<Latest>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(latest)
}

async fn metrics(State(latest): State<Arc<Latest>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text::write(&gauges::families(&latest.fresh())))
}

#[cfg(test)]
mod tests;
