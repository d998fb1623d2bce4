use std::path::PathBuf;

use shared::config::{
    AppNames, Collector, CollectorHttp, Outbox, Server, ServerSessions, ServerTls, Sessions,
    UserIds,
};

use super::*;

/// The endpoints of the file's servers.
pub(crate) fn endpoints(
    collector: &Collector,
    prefix: &str,
    xrfkey: &str,
) -> Result<Vec<Endpoint>, BadHost> {
    super::endpoints(collector, &Polled::of_file(collector), prefix, xrfkey)
}

pub(crate) fn server(name: &str, host: &str) -> Server {
    Server {
        name: name.to_owned(),
        description: "Central node".to_owned(),
        host: format!("{host}:4747"),
        tags: vec![("env".to_owned(), "prod".to_owned())],
        headers: Vec::new(),
        sessions: Some(ServerSessions {
            host: format!("{host}:4243"),
            virtual_proxies: vec!["/".to_owned(), "/hdr".to_owned()],
        }),
        tls_server_name: None,
        verify: if is_address(host) { Verify::Chain } else { Verify::Full },
    }
}

pub(crate) fn collector(servers: Vec<Server>) -> Collector {
    Collector {
        instance: None,
        poll_timeout: Duration::from_secs(5),
        max_concurrent_polls: 64,
        outbox: Outbox { directory: PathBuf::new(), max_bytes: 0, replay_window: Duration::ZERO },
        certificates: None,
        reject_unauthorized: true,
        health_interval: Duration::from_secs(30),
        sessions: Some(Sessions { interval: Duration::from_secs(4), exclude: Vec::new() }),
        app_names: None,
        servers,
        server_tls: BTreeMap::new(),
        discovery: None,
        predecessor_topics: None,
        home_assistant: None,
        user_ids: UserIds::Clear,
        http: CollectorHttp {
            listen: ([127, 0, 0, 1], 0).into(),
            password_hash: None,
            show_users: false,
        },
        uptime_monitor: None,
        docker_health_check: None,
        prometheus: None,
        heartbeat: None,
    }
}

/// The health endpoints of servers `sense1`, `sense2`, …
pub(crate) fn health_endpoints(number: usize) -> Vec<Endpoint> {
    let servers = (1..=number).map(|n| server(&format!("sense{n}"), &format!("sense{n}")));
    let mut collector = collector(servers.collect());
    collector.sessions = None;
    endpoints(&collector, "qliksense", "k").unwrap()
}

/// The endpoint of the first virtual proxy of a server.
pub(crate) fn sessions_endpoint() -> Endpoint {
    let collector = collector(vec![server("sense1", "sense1")]);
    let mut all = endpoints(&collector, "qliksense", "k").unwrap();
    all.remove(1)
}

fn keys(collector: &Collector) -> Vec<String> {
    let all = endpoints(collector, "qliksense", "k").unwrap();
    all.into_iter().map(|endpoint| endpoint.key).collect()
}

#[test]
fn what_is_polled_and_in_which_order() {
    let mut one = server("sense1", "sense1.corp.com");
    one.sessions.as_mut().unwrap().virtual_proxies.push("/".to_owned());
    let mut collector = collector(vec![one, server("sense1", "sense2.corp.com")]);
    collector.app_names = Some(AppNames {
        interval: Duration::from_mins(1),
        host: "sense1.corp.com".to_owned(),
        port: 4242,
    });
    assert_eq!(
        keys(&collector),
        [
            "app-names/sense1%2Ecorp%2Ecom",
            "health/sense1",
            "health/sense1~2",
            "sessions/sense1/default",
            "sessions/sense1~2/default",
            "sessions/sense1/hdr",
            "sessions/sense1~2/hdr",
        ]
    );
    let all = endpoints(&collector, "qliksense", "k").unwrap();
    assert_eq!(all[0].url.as_str(), "https://sense1.corp.com:4242/qrs/app?xrfkey=k");
    assert_eq!(all[0].host, "sense1.corp.com");
    assert_eq!(all[0].verification, Verification::Full);
    assert_eq!(all[1].url.as_str(), "https://sense1.corp.com:4747/engine/healthcheck");
    assert_eq!(all[2].subject.as_topic(), "qliksense/v1/health/sense1~2");
    assert_eq!(all[2].server.name, "sense1");
    assert_eq!(all[5].url.as_str(), "https://sense1.corp.com:4243/qps/hdr/session?xrfkey=k");
    assert_eq!(all[5].shown_url(), "https://sense1.corp.com:4243/qps/hdr/session");
    assert_eq!(all[5].subject.as_topic(), "qliksense/v1/sessions/sense1/hdr");
    assert_eq!(all[5].failed_subject.as_topic(), "qliksense/v1/failed-polls/sense1/sessions");
    assert_eq!(all[5].timeout, Duration::from_millis(3_600));
    assert_eq!(all[1].timeout, Duration::from_secs(5));
}

#[test]
fn sources_that_are_off_are_not_polled() {
    let mut one = server("sense1", "sense1");
    one.sessions = None;
    let mut collector = collector(vec![one, server("sense2", "sense2")]);
    assert_eq!(
        keys(&collector),
        ["health/sense1", "health/sense2", "sessions/sense2/default", "sessions/sense2/hdr"]
    );
    collector.sessions = None;
    assert_eq!(keys(&collector), ["health/sense1", "health/sense2"]);
}

#[test]
fn verification_by_what_is_said_and_by_the_host() {
    let mut mixed = server("mixed", "10.0.0.7");
    mixed.sessions.as_mut().unwrap().host = "sense2.corp.com:4243".to_owned();
    let mut named = server("named", "10.0.0.8");
    named.tls_server_name = Some("sense3".to_owned());
    named.verify = Verify::Full;
    let mut collector = collector(vec![mixed, named, server("off", "sense4")]);
    let tls =
        |name: Option<&str>, verify| ServerTls { tls_server_name: name.map(str::to_owned), verify };
    collector.server_tls.insert("named".to_owned(), tls(Some("sense3"), None));
    collector.server_tls.insert("off".to_owned(), tls(None, Some(Verify::None)));
    let verification = |collector: &Collector| -> Vec<Verification> {
        let all = endpoints(collector, "qliksense", "k").unwrap();
        all.into_iter().take(6).map(|endpoint| endpoint.verification).collect()
    };
    let sense3 = || Verification::As("sense3".to_owned());
    assert_eq!(
        verification(&collector),
        [
            Verification::Chain,
            sense3(),
            Verification::None,
            Verification::Full,
            sense3(),
            Verification::None,
        ]
    );
    collector.reject_unauthorized = false;
    assert!(verification(&collector).iter().all(|said| *said == Verification::None));
}

#[test]
fn the_repository_is_verified_like_the_server_it_runs_on() {
    let mut collector = collector(vec![server("central", "10.0.0.7")]);
    let said = ServerTls { tls_server_name: Some("sense1".to_owned()), verify: None };
    collector.server_tls.insert("central".to_owned(), said);
    let app_names = |host: &str, port| {
        Some(AppNames { interval: Duration::from_mins(1), host: host.to_owned(), port })
    };
    collector.app_names = app_names("10.0.0.7", 4242);
    let first = |collector: &Collector| endpoints(collector, "q", "k").unwrap().remove(0);
    assert_eq!(first(&collector).verification, Verification::As("sense1".to_owned()));
    assert_eq!(first(&collector).verified_as.as_deref(), Some("central"));
    collector.app_names = app_names("10.0.0.9", 14_242);
    assert_eq!(first(&collector).verification, Verification::Chain);
    assert_eq!(first(&collector).host, "10.0.0.9:14242");
    collector.app_names = app_names("::1", 4242);
    assert_eq!(first(&collector).url.as_str(), "https://[::1]:4242/qrs/app?xrfkey=k");
}

#[test]
fn hosts_that_make_no_url() {
    for host in ["a b", "", "sense1/hub", "user@sense1", "sense1:99999"] {
        let mut one = server("sense1", "sense1");
        one.host = host.to_owned();
        let error = endpoints(&collector(vec![one]), "q", "k").unwrap_err();
        assert_eq!(error, BadHost { server: "sense1".to_owned(), host: host.to_owned() });
    }
}

#[test]
fn addresses() {
    for host in ["10.0.0.7", "10.0.0.7:4747", "[::1]:4747", "::1"] {
        assert!(is_address(host), "{host}");
    }
    for host in ["sense1", "sense1:4747", "10.0.0.7.example:1"] {
        assert!(!is_address(host), "{host}");
    }
}
