//! The stream that keeps open pages true: server-sent events with the parts that changed.
//!
//! One task looks at the site for all listeners; who lags behind is told everything anew. Listeners
//! are bounded, and all streams end as soon as the program's pages are to, so that no browser holds
//! up a drain.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde::Serialize;
use shared::timestamp::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::html::{self, Part};
use super::look::Site;
use super::state::PageState;

/// Pages that may be open: a wall, the desks of a team, and some that were forgotten.
pub(super) const LISTENERS: usize = 64;
/// Updates that a listener may lag behind.
const UPDATES: usize = 8;
/// Time between two updates at least: a page that changes faster cannot be read.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// Time between two updates at most; the page takes three times as long without one for a loss.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// Proxies that collect an answer before they pass it on are told not to.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// The stream, for those who listen.
#[derive(Debug)]
pub(super) struct Live {
    updates: broadcast::Sender<Arc<str>>,
    places: Arc<Semaphore>,
    ended: CancellationToken,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            updates: broadcast::Sender::new(UPDATES),
            places: Arc::new(Semaphore::new(LISTENERS)),
            ended: CancellationToken::new(),
        }
    }
}

/// What an open page is told.
#[derive(Debug, Serialize)]
struct Update<'a> {
    time: Timestamp,
    version: &'a str,
    level: &'a str,
    title: String,
    /// The ids of all rows, in order.
    order: Vec<String>,
    /// The parts that changed, by their ids.
    parts: BTreeMap<&'a str, &'a str>,
}

/// Looks at the site until `stop`, and tells those who listen.
pub(super) async fn follow(
    site: Arc<Site>,
    live: Arc<Live>,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let _ended = live.ended.clone().drop_guard();
    let (mut answers, mut beats) = (site.latest.changes(), site.heard.changes());
    let mut told = HashMap::new();
    loop {
        let looked = Instant::now();
        site.remember();
        if live.updates.receiver_count() > 0 {
            let state = site.look();
            let parts = html::parts(&state);
            let changed = parts.iter().filter(|part| told.get(&part.id) != Some(&part.html));
            // Who is gone meanwhile is nobody's fault.
            let _nobody = live.updates.send(update(&state, changed).into());
            told = parts.into_iter().map(|part| (part.id, part.html)).collect();
        }
        let next = async {
            tokio::select! {
                _ = answers.changed() => {}
                _ = beats.changed() => {}
                () = tokio::time::sleep(AT_LEAST_EVERY) => {}
            }
            tokio::time::sleep_until(looked + AT_MOST_EVERY).await;
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = next => {}
        }
    }
}

/// `GET /events`.
pub(super) async fn events(State((site, live)): State<(Arc<Site>, Arc<Live>)>) -> Response {
    let Ok(place) = Arc::clone(&live.places).try_acquire_owned() else {
        let text = format!("{LISTENERS} pages are open already; close some.\n");
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")], text)
            .into_response();
    };
    // Before the site is looked at, so that nothing falls between.
    let updates = live.updates.subscribe();
    let listener =
        Listener { site, updates, ended: live.ended.clone(), is_new: true, _place: place };
    let events = stream::unfold(listener, |mut listener| async move {
        let text = listener.next().await?;
        Some((Ok::<_, Infallible>(Event::default().event("update").data(text)), listener))
    });
    let answer = Sse::new(events).keep_alive(KeepAlive::new().interval(2 * AT_LEAST_EVERY));
    ([UNBUFFERED], answer).into_response()
}

/// One open page.
struct Listener {
    site: Arc<Site>,
    updates: broadcast::Receiver<Arc<str>>,
    ended: CancellationToken,
    is_new: bool,
    /// Given back when the page is closed.
    _place: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(&mut self) -> Option<Arc<str>> {
        if self.ended.is_cancelled() {
            return None;
        }
        if std::mem::take(&mut self.is_new) {
            return Some(self.everything());
        }
        let update = tokio::select! {
            () = self.ended.cancelled() => return None,
            update = self.updates.recv() => update,
        };
        match update {
            Ok(update) => Some(update),
            Err(RecvError::Lagged(_)) => Some(self.everything()),
            Err(RecvError::Closed) => None,
        }
    }

    fn everything(&self) -> Arc<str> {
        let state = self.site.look();
        update(&state, &html::parts(&state)).into()
    }
}

fn update<'a>(state: &'a PageState, changed: impl IntoIterator<Item = &'a Part>) -> String {
    let update = Update {
        time: state.time,
        version: &state.program.version,
        level: state.summary.level.name(),
        title: html::title(state),
        order: state.servers.iter().map(|server| html::row_id(&server.id)).collect(),
        parts: changed.into_iter().map(|part| (part.id.as_str(), part.html.as_str())).collect(),
    };
    // Texts and numbers always make JSON.
    serde_json::to_string(&update).unwrap_or_default()
}
