//! The site as it is polled now: each server with its endpoints, and how each of them fares.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared::event::{Category, Server, Source};
use shared::timestamp::Timestamp;

use super::LastAnswer;
use crate::endpoint::Endpoint;
use crate::outcome::Outcome;

/// A server that is polled.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// The server, with its true names.
    pub server: Arc<Server>,
    /// Its token in subjects, unlike that of any other server.
    pub token: String,
    /// Its engine; none for a server that is polled for its sessions alone.
    pub health: Option<EndpointState>,
    /// Its virtual proxies.
    pub sessions: Vec<EndpointState>,
}

/// How an endpoint fares.
#[derive(Clone, Debug)]
pub struct EndpointState {
    /// The server; for app names, the repository.
    pub server: Arc<Server>,
    /// The API polled.
    pub source: Source,
    /// The virtual proxy's prefix with a leading slash, for sessions.
    pub virtual_proxy: Option<String>,
    /// Time between two ticks.
    pub interval: Duration,
    /// The last poll; none before the first.
    pub last: Option<LastPoll>,
    /// The last good answer, however old; it says itself whether it is fresh.
    pub answer: Option<LastAnswer>,
    /// Since when no poll has succeeded; none while all is well.
    pub failing: Option<FailingSince>,
}

/// The last poll of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPoll {
    /// When the request was sent.
    pub time: Timestamp,
    /// From sending the request to the end of the answer, or to the failure.
    pub duration: Duration,
}

/// A failure that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingSince {
    /// The time of the first failed poll.
    pub since: Timestamp,
    /// The cause of the last one that was sent.
    pub category: Category,
    /// The cause in words.
    pub message: String,
    /// Ticks that failed since then.
    pub ticks: u64,
}

/// The endpoints that are polled now, in the site's order.
#[derive(Debug, Default)]
pub(super) struct Roll {
    endpoints: Vec<Entry>,
    /// Places in the list, by the endpoint's key.
    places: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Entry {
    key: String,
    token: String,
    state: EndpointState,
}

impl Entry {
    fn new(endpoint: &Endpoint) -> Self {
        Self {
            key: endpoint.key.clone(),
            token: endpoint.token().to_owned(),
            state: EndpointState {
                server: Arc::clone(&endpoint.server),
                source: endpoint.source,
                virtual_proxy: endpoint.virtual_proxy.clone(),
                interval: endpoint.interval,
                last: None,
                answer: None,
                failing: None,
            },
        }
    }

    fn is(&self, endpoint: &Endpoint) -> bool {
        self.state.server == endpoint.server && self.state.interval == endpoint.interval
    }
}

impl Roll {
    /// These endpoints are polled from now on, and no others; what is known of those that stay the
    /// same is kept.
    pub(super) fn call(&mut self, endpoints: &[Endpoint]) {
        let mut known: BTreeMap<String, Entry> =
            self.endpoints.drain(..).map(|entry| (entry.key.clone(), entry)).collect();
        let entry = |endpoint: &Endpoint| match known.remove(&endpoint.key) {
            Some(entry) if entry.is(endpoint) => entry,
            Some(_) | None => Entry::new(endpoint),
        };
        self.endpoints = endpoints.iter().map(entry).collect();
        let places = self.endpoints.iter().enumerate();
        self.places = places.map(|(place, entry)| (entry.key.clone(), place)).collect();
    }

    /// Notes an outcome of an endpoint; nothing of one that is polled no longer.
    pub(super) fn note(&mut self, key: &str, outcome: &Outcome) {
        let place = self.places.get(key);
        let Some(entry) = place.and_then(|place| self.endpoints.get_mut(*place)) else { return };
        entry.state.note(outcome);
    }

    /// Everything, each endpoint with its last answer.
    pub(super) fn states(
        &self,
        answers: &BTreeMap<String, LastAnswer>,
    ) -> Vec<(String, EndpointState)> {
        let with_answer = |entry: &Entry| {
            let answer = answers.get(&entry.key).cloned();
            (entry.token.clone(), EndpointState { answer, ..entry.state.clone() })
        };
        self.endpoints.iter().map(with_answer).collect()
    }
}

impl EndpointState {
    fn note(&mut self, outcome: &Outcome) {
        let failed = match &outcome.result {
            Ok(_) => {
                self.failing = None;
                self.last = Some(LastPoll { time: outcome.time, duration: outcome.duration });
                return;
            }
            // What happened to the collector says nothing about the server.
            Err(failed) if failed.category == Category::INTERRUPTED => return,
            Err(failed) => failed,
        };
        // A tick that was skipped sent no request, and is no cause of its own.
        let is_skipped = failed.category == Category::SKIPPED;
        if !is_skipped {
            self.last = Some(LastPoll { time: outcome.time, duration: outcome.duration });
        }
        match &mut self.failing {
            Some(failing) => {
                failing.ticks += failed.ticks;
                if !is_skipped {
                    failing.category = failed.category.clone();
                    failing.message.clone_from(&failed.message);
                }
            }
            None => {
                self.failing = Some(FailingSince {
                    since: outcome.time,
                    category: failed.category.clone(),
                    message: failed.message.clone(),
                    ticks: failed.ticks,
                });
            }
        }
    }
}

/// Puts the endpoints of each server together, in the order in which they come.
pub(super) fn servers(states: Vec<(String, EndpointState)>) -> Vec<ServerState> {
    let mut servers: Vec<ServerState> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (token, state) in states {
        if state.source == Source::AppNames {
            continue;
        }
        let place = *places.entry(token.clone()).or_insert(servers.len());
        if place == servers.len() {
            let server = Arc::clone(&state.server);
            servers.push(ServerState { server, token, health: None, sessions: Vec::new() });
        }
        let Some(server) = servers.get_mut(place) else { continue };
        match state.source {
            Source::Health => server.health = Some(state),
            Source::Sessions => server.sessions.push(state),
            Source::AppNames => {}
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::super::Latest;
    use super::super::tests::{endpoint, failed, sessions};
    use super::*;
    use crate::outcome::Facts;

    fn outcome(endpoint: &Endpoint, time: i64, result: Result<Facts, Category>) -> Outcome {
        Outcome {
            server: Arc::clone(&endpoint.server),
            source: endpoint.source,
            virtual_proxy: endpoint.virtual_proxy.clone(),
            time: Timestamp::from_nanos(time),
            duration: Duration::from_millis(7),
            interval: endpoint.interval,
            recorded: true,
            result: result.map_err(failed),
        }
    }

    fn only(latest: &Latest) -> EndpointState {
        let [server] = &latest.servers()[..] else { panic!("one server is polled") };
        server.health.clone().unwrap()
    }

    #[test]
    fn servers_have_their_endpoints_also_before_the_first_poll() {
        let latest = Latest::default();
        let a = [endpoint("health/a"), endpoint("sessions/a/hdr"), endpoint("sessions/a/default")];
        let b = [endpoint("app-names/repository"), endpoint("sessions/b/default")];
        let endpoints: Vec<_> = [&b[..1], &a[..1], &b[1..], &a[1..]].concat();
        latest.polls(&endpoints);
        let servers = latest.servers();
        let [first, second] = &servers[..] else { panic!("two servers: {servers:?}") };
        assert_eq!((first.token.as_str(), second.token.as_str()), ("a", "b"));
        assert!(first.health.as_ref().is_some_and(|health| health.last.is_none()));
        let proxies: Vec<_> = first.sessions.iter().map(|one| one.virtual_proxy.clone()).collect();
        assert_eq!(proxies, [Some("/hdr".to_owned()), Some("/".to_owned())]);
        assert!(second.health.is_none());
        assert_eq!(latest.repository().unwrap().source, Source::AppNames);
        // Whoever is gone is not shown any more, and an outcome that was on its way says nothing.
        latest.polls(&a);
        latest.show("sessions/b/default", outcome(&b[1], 1, Err(Category::DECODE)));
        assert_eq!(latest.servers().len(), 1);
        assert!(latest.repository().is_none());
    }

    #[test]
    fn a_failure_lasts_until_an_answer_and_is_named_by_its_own_cause() {
        let latest = Latest::default();
        let endpoint = endpoint("health/a");
        latest.polls(std::slice::from_ref(&endpoint));
        let show = |time, result| latest.show("health/a", outcome(&endpoint, time, result));
        show(1, Err(Category::INTERRUPTED));
        assert!(only(&latest).failing.is_none() && only(&latest).last.is_none());
        show(2, Err(Category::DECODE));
        show(3, Err(Category::CONNECTION_REFUSED));
        show(4, Err(Category::SKIPPED));
        let failing = only(&latest).failing.unwrap();
        let since = (failing.since.nanos(), failing.ticks, failing.category);
        assert_eq!(since, (2, 3, Category::CONNECTION_REFUSED));
        assert_eq!(only(&latest).last.unwrap().time, Timestamp::from_nanos(3));
        let said =
            LastAnswer::now(sessions("a", "/", 4), Timestamp::from_nanos(5), endpoint.interval);
        latest.answered("health/a", said);
        show(5, Ok(Facts::Sessions { sessions: 0, users: 0 }));
        assert!(only(&latest).failing.is_none());
        assert_eq!(only(&latest).answer.unwrap().time.nanos(), 5);
    }

    #[test]
    fn what_is_known_stays_with_an_endpoint_that_stays_the_same() {
        let latest = Latest::default();
        let mut endpoint = endpoint("health/a");
        latest.polls(std::slice::from_ref(&endpoint));
        let mut changes = latest.changes();
        changes.mark_unchanged();
        latest.show("health/a", outcome(&endpoint, 2, Err(Category::DECODE)));
        assert!(changes.has_changed().unwrap());
        latest.polls(std::slice::from_ref(&endpoint));
        assert!(only(&latest).failing.is_some());
        endpoint.interval *= 2;
        latest.polls(std::slice::from_ref(&endpoint));
        assert!(only(&latest).failing.is_none());
    }
}
