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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared::config;
    use shared::event::{Category, Source};
    use shared::outbox::{Outbox, OutboxSettings};

    use super::*;
    use crate::endpoint::tests::{collector, server};
    use crate::metrics::Metrics;

    async fn answer(honesty: &Arc<CollectorHonesty>) -> (u16, String) {
        let answer = health(State(Arc::clone(honesty))).await.into_response();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn good_until_polls_stand_still() {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&OutboxSettings {
            directory: directory.path().to_owned(),
            max_bytes: 1 << 20,
            max_age: None,
            keep_settled: Duration::ZERO,
        });
        let config = config::Collector {
            health_interval: Duration::from_mins(1),
            ..collector(vec![server("sense1", "sense1")])
        };
        let metrics = Arc::new(Metrics::default());
        let honesty = CollectorHonesty::new(&config, Arc::clone(&metrics), outbox.unwrap(), None);
        let honesty = Arc::new(honesty);
        let ok = (200, r#"{"statusCode":200,"status":"ok"}"#.to_owned());
        assert_eq!(answer(&honesty).await, ok);
        // A failed poll is work too; three intervals of a minute are allowed.
        metrics.ended(Source::Health, Some(&Category::TIMEOUT), 1);
        metrics.recorded();
        tokio::time::advance(Duration::from_mins(3)).await;
        assert_eq!(answer(&honesty).await, ok);
        tokio::time::advance(Duration::from_secs(1)).await;
        let stalled = r#"{"statusCode":503,"status":"no poll has ended for 181 s"}"#;
        assert_eq!(answer(&honesty).await, (503, stalled.to_owned()));
        metrics.ended(Source::Health, None, 1);
        let lost = r#"{"statusCode":503,"status":"the outbox has taken no event for 181 s"}"#;
        assert_eq!(answer(&honesty).await, (503, lost.to_owned()));
        metrics.recorded();
        assert_eq!(answer(&honesty).await, ok);
    }
}
