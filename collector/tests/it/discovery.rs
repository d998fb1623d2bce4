//! Servers that the repository tells of: found, named, left out; and a repository that is away.

use std::collections::BTreeSet;
use std::path::Path;

use collector::discovery::{NotFound, WhyLeftOut, discover};
use shared::config::from_text;
use shared::envelope::Envelope;
use shared::event::{Category, Event};
use shared::timestamp::Timestamp;
use simulator::{Endpoint, Fault, ListedHosts, Site, SiteConfig};

use crate::house::{Running, SECOND, discovering, eventually, failed, is_health, open};

/// A site whose nodes can be reached under the names that the repository gives them.
pub(crate) async fn reachable(servers: usize) -> Site {
    let mut config = SiteConfig::for_test().unwrap();
    config.servers = servers;
    config.listed_hosts = ListedHosts::Addresses;
    config.virtual_proxies = ["/", "/hdr", "/sales/emea"].map(str::to_owned).to_vec();
    config.ports.engine = 14_747;
    Site::start(config).await.unwrap()
}

/// What an event is of: kind, server, virtual proxy.
fn what(envelope: &Envelope) -> String {
    match &envelope.event {
        Event::Health(health) => format!("health {}", health.server.name),
        Event::Sessions(one) => format!("sessions {} {}", one.server.name, one.virtual_proxy),
        other => other.kind().name().to_owned(),
    }
}

/// Reads events until all of these have come; others are a fault.
async fn exactly(running: &mut Running, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|what| (*what).to_owned()).collect();
    let mut seen = BTreeSet::new();
    while seen != expected {
        let envelope = running.next(|_| true).await;
        let what = what(&envelope);
        assert!(expected.contains(&what), "{what}: {envelope:?}");
        seen.insert(what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_name_and_the_certificates_poll_a_whole_site() {
    let site = reachable(4).await;
    site.change_listed(1, |node| node.engine_enabled = false).unwrap();
    site.change_listed(2, |node| node.proxy_enabled = false).unwrap();
    let own = "{sense1: {tlsServerName: sense1.corp.example}, \
               sense3: {name: Sales, tags: {env: test}}}";
    let config = discovering(&site, SECOND, own, "['SENSE4*']");
    let mut running = Running::start(config.clone()).await;
    let polled = [
        "app-names",
        "health sense1",
        "health Sales",
        "sessions sense1 /",
        "sessions sense1 /hdr",
        "sessions sense1 /sales/emea",
        "sessions sense2 /",
        "sessions sense2 /hdr",
        "sessions sense2 /sales/emea",
    ];
    exactly(&mut running, &polled).await;
    let health = running.next(|envelope| what(envelope) == "health Sales").await;
    let Event::Health(health) = health.event else { panic!("{health:?}") };
    assert_eq!(health.server.tags["env"], "test");
    assert_eq!(health.server.host, format!("{}:14747", site.servers()[2].address()));
    assert_eq!(running.metrics.discovery().servers(), 3);
    assert!(running.metrics.discovery().last_success_s() > 1.7e9);
    assert!(running.readiness.report().dependencies["repository"].up);
    running.stop().await;

    // What a person is shown makes the same as what was polled.
    let found = discover(&config).await.unwrap();
    assert_eq!(found.notes, Vec::<String>::new());
    let engines: Vec<&str> =
        found.servers.iter().filter_map(|server| server.engine.as_deref()).collect();
    assert_eq!(engines.len(), 2);
    let [left] = &found.left_out[..] else { panic!("{found:?}") };
    assert_eq!((left.node.as_str(), left.why), ("sense4", WhyLeftOut::Excluded));
    let cert = format!(
        "  cert: {{clientCert: {0}, clientCertKey: {0}, clientCertCA: {0}}}\n",
        site.certificate_files().root.display()
    );
    let pasted = from_text(&(found.as_yaml() + &cert), Path::new("pasted.yaml"), []).unwrap();
    let hosts: Vec<&str> =
        pasted.config.collector.servers.iter().map(|server| server.host.as_str()).collect();
    assert_eq!(hosts, engines);

    site.set_fault(0, Endpoint::Repository, Some(Fault::Status(403))).await.unwrap();
    let error = discover(&config).await.unwrap_err();
    assert!(
        error.to_string().contains(":4242/qrs/servernodeconfiguration/full: HTTP 403"),
        "{error}"
    );
    let mut nowhere = config;
    (nowhere.collector.discovery, nowhere.collector.app_names) = (None, None);
    assert_eq!(discover(&nowhere).await.unwrap_err(), NotFound::NoRepository);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_down_at_the_start_is_waited_for() {
    let site = reachable(1).await;
    site.set_fault(0, Endpoint::Repository, Some(Fault::Refused)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(directory.path(), 1 << 30).await;
    // A poll was open when an earlier process was killed, and so was one of a server that is gone.
    let sent = Timestamp::from_nanos(1_763_712_930_123_456_789);
    for endpoint in ["health/sense1", "health/removed"] {
        outbox.tick_started(endpoint, sent).await;
    }
    drop(outbox);
    let outbox = open(directory.path(), 1 << 30).await;
    let config = discovering(&site, SECOND, "{}", "[]");
    let mut running = Running::over(config, outbox, directory);
    let (metrics, readiness) = (std::sync::Arc::clone(&running.metrics), running.readiness.clone());
    eventually(|| metrics.discovery().failures() >= 2).await;
    let report = readiness.report();
    let why = report.dependencies["repository"].why.clone().unwrap();
    assert!(!report.ready && why.contains("the servers of the site are not known"), "{why}");
    assert!(why.contains("nothing listens at"), "{why}");
    assert_eq!(metrics.longest_interval(), Some(SECOND), "app names are polled");

    site.set_fault(0, Endpoint::Repository, None).await.unwrap();
    let interrupted = running.next_failed(|one| one.category == Category::INTERRUPTED).await;
    assert_eq!((interrupted.server.name.as_str(), interrupted.ticks), ("sense1", 1));
    running.next(is_health).await;
    eventually(|| readiness.report().ready).await;
    running.stop().await;
    let directory = running.kill();
    assert_eq!(open(directory.path(), 1 << 30).await.open_ticks(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_changes_nothing() {
    let site = reachable(2).await;
    let mut running = Running::start(discovering(&site, SECOND, "{}", "[]")).await;
    let metrics = std::sync::Arc::clone(&running.metrics);
    running.next(is_health).await;
    let more_failures = async || {
        let before = metrics.discovery().failures();
        eventually(|| metrics.discovery().failures() > before).await;
    };
    for fault in [
        Fault::WrongJson,
        Fault::LoginPage,
        Fault::Status(503),
        Fault::TruncatedJson,
        Fault::EmptyBody,
        Fault::Huge,
        Fault::OtherAuthority,
    ] {
        site.set_fault(0, Endpoint::Repository, Some(fault)).await.unwrap();
        more_failures().await;
    }
    site.clear_faults().await.unwrap();
    // A repository that hides every node is no reason to poll none.
    for server in 0..2 {
        site.change_listed(server, |node| node.listed = false).unwrap();
    }
    more_failures().await;
    more_failures().await;
    assert_eq!(metrics.discovery().servers(), 2);
    assert!(running.readiness.report().ready, "{:?}", running.readiness.report());
    for server in ["sense1", "sense2"] {
        let last = running.all().await.len();
        let still = |envelope: &Envelope| is_health(envelope) && envelope.subject == server;
        running.next(|envelope| still(envelope) && envelope.sequence > Some(last as u64)).await;
    }
    running.stop().await;
    let of_servers = |envelope: &Envelope| {
        failed(envelope).is_some_and(|one| one.server.name.starts_with("sense"))
    };
    assert!(!running.all().await.iter().any(of_servers));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_repository_polls_what_was_known() {
    let site = reachable(2).await;
    let mut running = Running::start(discovering(&site, SECOND, "{}", "[]")).await;
    for server in ["sense1", "sense2"] {
        running.next(|envelope| is_health(envelope) && envelope.subject == server).await;
    }
    running.stop().await;
    let directory = running.kill();
    let kept = std::fs::read_to_string(directory.path().join("discovered.json")).unwrap();
    assert!(kept.contains("\"version\": 1") && kept.contains("/sales/emea"), "{kept}");

    site.set_fault(0, Endpoint::Repository, Some(Fault::Refused)).await.unwrap();
    let outbox = open(directory.path(), 1 << 30).await;
    // What the file says is obeyed at once.
    let config = discovering(&site, SECOND, "{sense2: {name: Sales}}", "[sense1]");
    let mut running = Running::over(config, outbox, directory);
    let last = running.next(|envelope| envelope.subject == "Sales" && is_health(envelope)).await;
    assert!(failed(&last).is_none());
    let metrics = std::sync::Arc::clone(&running.metrics);
    eventually(|| metrics.discovery().failures() > 0).await;
    assert!(running.readiness.report().dependencies["repository"].up);
    assert_eq!(metrics.discovery().servers(), 1);
    running.stop().await;
    let directory = running.kill();

    // A file that is damaged is told, and waits for the repository.
    std::fs::write(directory.path().join("discovered.json"), "{").unwrap();
    let outbox = open(directory.path(), 1 << 30).await;
    let mut running = Running::over(discovering(&site, SECOND, "{}", "[]"), outbox, directory);
    let readiness = running.readiness.clone();
    let why = || readiness.report().dependencies.get("repository")?.why.clone();
    eventually(|| why().is_some_and(|why| why.contains("nothing listens at"))).await;
    site.clear_faults().await.unwrap();
    running.next(|envelope| is_health(envelope) && envelope.subject == "sense1").await;
    running.stop().await;
}
