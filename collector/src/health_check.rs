//! `GET /health` for containers, in the form of the predecessor's `dockerHealthCheck`.
//!
//! Unlike the predecessor's, the answer depends on whether the collector does its work.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::honesty::CollectorHonesty;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    status: String,
}

/// The page.
pub(crate) fn router(honesty: Arc<CollectorHonesty>) -> Router {
    Router::new().route("/health", get(health)).with_state(honesty)
}

async fn health(State(honesty): State<Arc<CollectorHonesty>>) -> impl IntoResponse {
    let (code, status) = match honesty.check() {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
    };
    (code, Json(Answer { status_code: code.as_u16(), status }))
}
