//! The live page at `/`: the site at a glance, and the pipeline that carries what it says.
//!
//! Served by whatever polls: `collector`, `footman run`, `footman demo`. `state` is what there is to
//! show, as `/api/state` writes it; `html` draws it; `live` keeps open pages true; `door` asks for
//! the password. User names are shown where `collector.http.showUsers` allows it, and nowhere else.

mod assets;
mod door;
mod headers;
mod history;
mod html;
mod live;
mod look;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use axum::{Json, Router, middleware};
use shared::heartbeat::Vital;
use shared::program::Frame;

use crate::program::Collecting;
use door::Door;
use history::History;
use live::Live;
use look::Site;
use state::ProgramName;

/// Adds the page to a program's pages, and the part that keeps it true; `vital` counts for the
/// program. Like the pages themselves it is added last, so that it shows a drain.
pub fn add(frame: &mut Frame, process: &str, collecting: &Collecting, vital: Arc<dyn Vital>) {
    let http = &frame.config.collector.http;
    let site = Arc::new(Site {
        latest: Arc::clone(&collecting.latest),
        heard: Arc::clone(&collecting.heard),
        metrics: Arc::clone(&collecting.metrics),
        readiness: frame.readiness.clone(),
        vital,
        program: ProgramName {
            process: process.to_owned(),
            instance: frame.instance.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        show_users: http.show_users,
        history: History::default(),
    });
    let live = Arc::new(Live::default());
    let page = router(Arc::clone(&site), Arc::clone(&live), Door::new(http));
    frame.pages = std::mem::take(&mut frame.pages).merge(page);
    frame.stages.spawn("live page", |stop| live::follow(site, live, stop));
}

/// Everything behind the door.
fn router(site: Arc<Site>, live: Arc<Live>, door: Door) -> Router {
    Router::new()
        .route("/events", get(live::events))
        .with_state((Arc::clone(&site), live))
        .route("/", get(document))
        .route("/api/state", get(state))
        .with_state(site)
        .merge(assets::router())
        .layer(middleware::from_fn_with_state(Arc::new(door), door::guard))
        .layer(middleware::from_fn(headers::add))
}

async fn document(State(site): State<Arc<Site>>) -> impl IntoResponse {
    Html(html::document(&site.look()))
}

async fn state(State(site): State<Arc<Site>>) -> impl IntoResponse {
    Json(site.look())
}
