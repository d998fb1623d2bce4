//! A real Prometheus scrapes a running collector: what it stores is what the site served.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::process::free_port;
use integration_tests::programs::{House, Running};
use integration_tests::prometheus::{Prometheus, Sample, promtool};
use simulator::{ButlerSosOptions, Endpoint, Fault, HealthFacts, Site, SiteConfig};

const INTERVAL: Duration = Duration::from_secs(1);
const BYTES_OF_MEGABYTE: f64 = 1_048_576.0;
const PROXIES: [&str; 2] = ["/", "/hdr"];
/// Of a server that answers, those of polls left out.
const ITS_OWN: usize = 1 + 1 + 21 + PROXIES.len() * 3;
/// Of an endpoint that answers.
const OF_POLLS: usize = 4;

/// What is shown of a health answer.
fn expected(facts: &HealthFacts) -> Vec<(&'static str, f64)> {
    let float = |count: i64| count as f64;
    let length = |length: usize| length as f64;
    vec![
        ("started_timestamp_seconds", float(facts.started_unix)),
        ("saturated", f64::from(u8::from(facts.saturated))),
        ("cpu_ratio", float(facts.cpu_total) / 100.0),
        ("memory_committed_bytes", facts.committed * BYTES_OF_MEGABYTE),
        ("memory_allocated_bytes", facts.allocated * BYTES_OF_MEGABYTE),
        ("memory_free_bytes", facts.free * BYTES_OF_MEGABYTE),
        ("memory_physical_bytes", facts.total_physical * BYTES_OF_MEGABYTE),
        ("sessions", float(facts.session_total)),
        ("sessions_active", float(facts.session_active)),
        ("users", float(facts.users_total)),
        ("users_active", float(facts.users_active)),
        ("apps_active", length(facts.active_docs)),
        ("apps_loaded", length(facts.loaded_docs)),
        ("apps_in_memory", length(facts.in_memory_docs)),
        ("calls_total", float(facts.calls)),
        ("selections_total", float(facts.selections)),
        ("cache_lookups_total", float(facts.cache_lookups)),
        ("cache_hits_total", float(facts.cache_hits)),
        ("cache_added_results_total", float(facts.cache_added)),
        ("cache_replaced_results_total", float(facts.cache_replaced)),
        ("cache_added_bytes_total", float(facts.cache_bytes_added)),
    ]
}

/// A collector whose broker is not there, which keeps it from nothing that is shown.
fn collector(site: &Site) -> Running {
    let nobody = free_port();
    House::new(|directory| {
        let outbox = directory.join("outbox");
        let more = format!(
            "  broker: {{type: nats, nats: {{servers: [\"nats://127.0.0.1:{nobody}\"]}}}}\n  \
             collector:\n    outbox: {{directory: \"{}\"}}\n",
            outbox.display()
        );
        site.butler_sos_config(&ButlerSosOptions {
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more,
            ..ButlerSosOptions::default()
        })
    })
    .collector("site")
}

/// Everything that is stored of the site, from one scrape.
async fn stored(prometheus: &Prometheus) -> Vec<Sample> {
    prometheus.query("{__name__=~\"qliksense_.*\"}").await
}

/// What is stored about a server: the metrics' names with what tells their series apart.
fn shown(samples: &[Sample], server: &str) -> BTreeSet<String> {
    let own = samples.iter().filter(|sample| sample.label("server") == server);
    own.map(|sample| format!("{} {}", sample.name, sample.label("virtual_proxy"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_stores_what_the_site_served() {
    let mut config = SiteConfig::for_test().unwrap();
    (config.servers, config.hurting_server_names) = (2, true);
    let site = Site::start(config).await.unwrap();
    let mut collector = collector(&site);
    collector.start().await;
    let prometheus = Prometheus::start("footman", &[collector.port()]).await;

    let all = 2 * (ITS_OWN + OF_POLLS * (1 + PROXIES.len())) + OF_POLLS;
    eventually_equal("all series", all, || async { stored(&prometheus).await.len() }).await;
    let samples = stored(&prometheus).await;
    for number in 0..2 {
        is_as_served(&site, number, &samples);
    }
    let up = prometheus.query("count by (source) (qliksense_poll_up == 1)").await;
    let up: BTreeMap<&str, f64> =
        up.iter().map(|sample| (sample.label("source"), sample.value)).collect();
    assert_eq!(up, [("app-names", 1.0), ("health", 2.0), ("sessions", 4.0)].into());

    // What the program lacks is seen as well.
    let missing = prometheus.query("footman_dependency_up == 0").await;
    let missing: Vec<&str> = missing.iter().map(|sample| sample.label("dependency")).collect();
    assert_eq!(missing, ["broker"], "{}", prometheus.errors().await);
    assert_eq!(prometheus.query("footman_ready == 0").await.len(), 1);

    // A server that answers no more is known as failing at once, and its values vanish.
    for endpoint in [Endpoint::Engine, Endpoint::Proxy] {
        site.set_fault(1, endpoint, Some(Fault::Status(503))).await.unwrap();
    }
    let [well, failing] = [0, 1].map(|number| site.servers()[number].name());
    eventually("the failing server to be told from the other", || async {
        let down = prometheus.query("qliksense_poll_up == 0").await;
        (down.len() == 1 + PROXIES.len()
            && down.iter().all(|sample| sample.label("server") == failing))
        .then_some(())
    })
    .await;
    let causes = prometheus.query("qliksense_poll_failing").await;
    assert!(causes.iter().all(|sample| sample.label("category") == "http_5xx"), "{causes:?}");
    let names = |of_polls: &[&str]| {
        let mut names: BTreeSet<String> = ["qliksense_server_info ".to_owned()].into();
        for name in of_polls {
            let of = |proxy: &str| format!("qliksense_poll_{name} {proxy}");
            names.extend([of(""), of(PROXIES[0]), of(PROXIES[1])]);
        }
        names
    };
    let of_polls = [
        "up",
        "failing",
        "failing_since_timestamp_seconds",
        "last_timestamp_seconds",
        "last_duration_seconds",
        "interval_seconds",
    ];
    eventually_equal("its values to vanish", names(&of_polls), || async {
        shown(&stored(&prometheus).await, failing)
    })
    .await;
    assert!(shown(&stored(&prometheus).await, well).len() > ITS_OWN);

    // When it answers again, everything is back.
    site.clear_faults().await.unwrap();
    eventually_equal("all series again", all, || async { stored(&prometheus).await.len() }).await;
    for what in ["sample_duplicate_timestamp", "sample_out_of_order", "sample_out_of_bounds"] {
        let counter = format!("prometheus_target_scrapes_{what}_total");
        assert_eq!(prometheus.own(&counter).await, Some(0.0), "{counter}");
    }
    for (accept, kind, end) in [
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8", ""),
        (
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# EOF\n",
        ),
    ] {
        let url = format!("http://127.0.0.1:{}/metrics", collector.port());
        let asked = reqwest::Client::new().get(url).header("accept", accept);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], kind);
        let page = answer.text().await.unwrap();
        assert!(page.contains("qliksense_poll_up{") && page.ends_with(end), "{page}");
        assert_eq!(page.contains("# EOF"), !end.is_empty());
    }
    let (_, page) = collector.page("/metrics").await.unwrap();
    promtool(Path::new("."), &["check", "metrics"], &page);
}

/// Compares what is stored about a server with the answers that it gave.
fn is_as_served(site: &Site, number: usize, samples: &[Sample]) {
    let (server, entries) = (&site.servers()[number], site.ledger().entries());
    let name = server.name();
    let found = |metric: &str, proxy: &str| {
        let is_it = |sample: &&Sample| {
            sample.name == format!("qliksense_{metric}")
                && sample.label("server") == name
                && sample.label("virtual_proxy") == proxy
        };
        samples.iter().find(is_it).unwrap_or_else(|| panic!("no {metric} of {name}"))
    };
    let info = found("server_info", "");
    assert_eq!(info.label("description"), server.description());
    assert_eq!(info.label("tag_site_part"), server.tag());
    assert_eq!(info.label("host"), server.address().to_string());
    // The count of calls tells which answer it is.
    let calls = found("engine_calls_total", "").value;
    let own = || entries.iter().filter(|entry| entry.server == number);
    let facts = own()
        .filter_map(|entry| entry.facts.health())
        .find(|facts| (facts.calls as f64 - calls).abs() < 0.5)
        .unwrap();
    for (metric, value) in expected(facts) {
        let stored = found(&format!("engine_{metric}"), "").value;
        assert!((stored - value).abs() < 1e-6, "{metric} of {name}: {value}, not {stored}");
    }
    assert_eq!(found("engine_info", "").label("version"), facts.version);
    for proxy in PROXIES {
        let sessions = own()
            .filter(|entry| entry.virtual_proxy.as_deref() == Some(proxy))
            .filter_map(|entry| entry.facts.sessions());
        let served: BTreeSet<(usize, usize)> = sessions
            .map(|sessions| {
                let user =
                    |one: &simulator::Session| (one.user_directory.clone(), one.user_id.clone());
                (sessions.len(), sessions.iter().map(user).collect::<BTreeSet<_>>().len())
            })
            .collect();
        let stored = [found("proxy_sessions", proxy), found("proxy_users", proxy)];
        let is_it = |&(sessions, users): &(usize, usize)| {
            let pairs = stored.iter().zip([sessions, users]);
            pairs.into_iter().all(|(stored, count)| (stored.value - count as f64).abs() < 0.5)
        };
        assert!(served.iter().any(is_it), "{name} {proxy}: {stored:?} is none of {served:?}");
    }
}
