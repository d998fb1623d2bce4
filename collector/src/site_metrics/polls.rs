//! How polls fare: what alerts are made of.
//!
//! Every endpoint that was polled has these series, the failing ones above all.

use super::engine::seconds_since_1970;
use super::family::{Family, Labels, Unit, label};
use crate::latest::{EndpointState, FailingSince, ServerState};

/// All metrics of polls; those without series, too.
pub(super) fn families(
    servers: &[(&str, &ServerState)],
    repository: Option<&EndpointState>,
) -> [Family; 6] {
    let mut endpoints: Vec<(Labels, &EndpointState)> = Vec::new();
    for (name, state) in servers {
        let own = state.health.iter().chain(&state.sessions);
        endpoints.extend(own.map(|endpoint| (labels(name, endpoint), endpoint)));
    }
    endpoints
        .extend(repository.map(|endpoint| (labels(&endpoint.server.name, endpoint), endpoint)));
    let of = |value: fn(&EndpointState) -> Option<f64>| {
        let series = endpoints
            .iter()
            .filter_map(|(labels, endpoint)| Some((labels.clone(), value(endpoint)?)));
        series.collect()
    };
    let failing = endpoints.iter().filter_map(|(labels, endpoint)| {
        let FailingSince { category, .. } = endpoint.failing.as_ref()?;
        Some(([&labels[..], &[label("category", category.name())]].concat(), 1.0))
    });
    [
        Family::gauge(
            "poll_up",
            Unit::None,
            "1 when the last poll brought an answer, 0 when it failed",
            of(up),
        ),
        Family::gauge(
            "poll_failing",
            Unit::None,
            "1 for each endpoint whose last poll failed, with the category of the cause",
            failing.collect(),
        ),
        Family::gauge(
            "poll_failing_since_timestamp",
            Unit::Seconds,
            "When the first of the failed polls was sent since the last answer, in seconds since 1970",
            of(|endpoint| Some(seconds_since_1970(endpoint.failing.as_ref()?.since))),
        ),
        Family::gauge(
            "poll_last_timestamp",
            Unit::Seconds,
            "When the last poll was sent, in seconds since 1970",
            of(|endpoint| Some(seconds_since_1970(endpoint.last?.time))),
        ),
        Family::gauge(
            "poll_last_duration",
            Unit::Seconds,
            "From sending the last poll to the end of its answer, or to its failure",
            of(|endpoint| Some(endpoint.last?.duration.as_secs_f64())),
        ),
        Family::gauge(
            "poll_interval",
            Unit::Seconds,
            "Time between two polls, as configured",
            of(|endpoint| Some(endpoint.interval.as_secs_f64())),
        ),
    ]
}

/// Nothing before the first poll.
fn up(endpoint: &EndpointState) -> Option<f64> {
    match (&endpoint.failing, endpoint.last) {
        (Some(_), _) => Some(0.0),
        (None, Some(_)) => Some(1.0),
        (None, None) => None,
    }
}

fn labels(server: &str, endpoint: &EndpointState) -> Labels {
    let mut labels = vec![label("server", server), label("source", endpoint.source.name())];
    labels.extend(endpoint.virtual_proxy.as_deref().map(|prefix| label("virtual_proxy", prefix)));
    labels
}
