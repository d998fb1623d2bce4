use shared::event::Category;

use super::*;
use crate::endpoint::tests::health_endpoints;
use crate::outcome::FailedOutcome;

/// An endpoint of a key such as `sessions/sense1/default`.
pub(crate) fn endpoint(key: &str) -> Endpoint {
    let parts: Vec<&str> = key.split('/').collect();
    let (source, virtual_proxy) = match &parts[..] {
        ["health", _] => (Source::Health, None),
        ["app-names", _] => (Source::AppNames, None),
        ["sessions", _, "default"] => (Source::Sessions, Some("/".to_owned())),
        ["sessions", _, proxy] => (Source::Sessions, Some(format!("/{proxy}"))),
        _ => panic!("{key} is no key"),
    };
    let server = Server { name: parts[1].to_owned(), ..Server::default() };
    let health = health_endpoints(1).remove(0);
    Endpoint { key: key.to_owned(), source, virtual_proxy, server: Arc::new(server), ..health }
}

pub(crate) fn failed(category: Category) -> FailedOutcome {
    FailedOutcome { category, message: "it failed".to_owned(), ticks: 1 }
}

pub(crate) fn sessions(server: &str, virtual_proxy: &str, session_count: u64) -> Said {
    let server = Server {
        name: server.to_owned(),
        host: format!("{server}.corp.com:4747"),
        ..Server::default()
    };
    Said::Sessions(Arc::new(SessionTotals {
        host: server.host.replace("4747", "4243"),
        server: Arc::new(server),
        virtual_proxy: virtual_proxy.to_owned(),
        session_count,
        excluded_session_count: 1,
        user_count: 1,
        users: Vec::new(),
    }))
}

fn count(answer: &LastAnswer) -> u64 {
    let Said::Sessions(totals) = &answer.said else { panic!("no sessions: {answer:?}") };
    totals.session_count
}

const SECOND: Duration = Duration::from_secs(1);

fn answer(sessions_now: u64, interval: Duration) -> LastAnswer {
    LastAnswer::now(sessions("a", "/", sessions_now), Timestamp::from_nanos(1), interval)
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_fresh_for_three_of_its_own_intervals() {
    let latest = Latest::default();
    latest.answered("fast", answer(1, SECOND));
    latest.answered("slow", answer(2, 10 * SECOND));
    tokio::time::advance(3 * SECOND).await;
    assert_eq!(latest.fresh().iter().map(count).collect::<Vec<_>>(), [1, 2]);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(latest.fresh().iter().map(count).collect::<Vec<_>>(), [2]);
    // What is stale can still be shown as what was last known.
    let [fast, _] = &latest.answers()[..] else { panic!("two endpoints answered") };
    assert_eq!((count(fast), fast.is_fresh(), fast.age().as_millis()), (1, false, 3_001));
    // The next answer is fresh again.
    latest.answered("fast", answer(3, SECOND));
    assert_eq!(latest.fresh().iter().map(count).collect::<Vec<_>>(), [3, 2]);
    tokio::time::advance(31 * SECOND).await;
    assert!(latest.fresh().is_empty());
}

#[tokio::test]
async fn an_endpoint_has_one_answer() {
    let latest = Latest::default();
    for number in 0..1_000 {
        latest.answered("sessions/a/default", answer(number, SECOND));
    }
    assert_eq!(latest.answers().iter().map(count).collect::<Vec<_>>(), [999]);
}

#[tokio::test]
async fn an_endpoint_that_is_polled_no_longer_is_forgotten() {
    let latest = Latest::default();
    latest.answered("sessions/a/default", answer(1, SECOND));
    latest.answered("sessions/b/default", answer(2, SECOND));
    latest.forget("sessions/a/default");
    latest.forget("sessions/a/default");
    assert_eq!(latest.answers().iter().map(count).collect::<Vec<_>>(), [2]);
}
