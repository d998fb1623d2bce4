//! The addresses of the predecessor's keys `prometheus` and `dockerHealthCheck`.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually;
use integration_tests::process::free_port;
use integration_tests::programs::{FootmanRun, program};
use simulator::{Endpoint, Fault, HealthFacts, Site};

use crate::site;

const INTERVAL: Duration = Duration::from_secs(1);
const BYTES_OF_MEGABYTE: f64 = 1_048_576.0;
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `footman run` with both pages at these ports; `directory\id` is excluded.
fn footman(site: &Site, influxd: &Influxd, ports: [u16; 2], excluded: &[String]) -> FootmanRun {
    let [prometheus, health_check] = ports;
    FootmanRun::prepare(|sections| {
        let options = simulator::ButlerSosOptions {
            influxdb_port: influxd.port(),
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more: sections,
            ..simulator::ButlerSosOptions::default()
        };
        let users: Vec<String> = excluded
            .iter()
            .filter_map(|user| user.split_once('\\'))
            .map(|(directory, id)| format!("{{directory: '{directory}', userId: '{id}'}}"))
            .collect();
        let prometheus = format!("prometheus: {{enable: true, host: 127.0.0.1, port: {prometheus}");
        let health_check = format!("dockerHealthCheck: {{enable: true, port: {health_check}");
        site.butler_sos_config(&options)
            .replace("prometheus: {enable: false", &prometheus)
            .replace("dockerHealthCheck: {enable: false", &health_check)
            .replace("excludeUser: null", &format!("excludeUser: [{}]", users.join(", ")))
    })
}

async fn get(port: u16, path: &str) -> Option<(u16, String, String)> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.ok()?;
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    Some((answer.status().as_u16(), kind, answer.text().await.ok()?))
}

/// The values of a page by metric and labels.
fn values(text: &str) -> BTreeMap<&str, f64> {
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series, value.parse().unwrap())
        })
        .collect()
}

/// What the page says of a health answer.
fn expected(facts: &HealthFacts) -> Vec<(&'static str, f64)> {
    let float = |count: i64| count as f64;
    let length = |length: usize| length as f64;
    vec![
        ("apps_calls", float(facts.calls)),
        ("apps_selections", float(facts.selections)),
        ("apps_activedocs_total", length(facts.active_docs)),
        ("apps_inmemorydocs_total", length(facts.in_memory_docs)),
        ("apps_loadeddocs_total", length(facts.loaded_docs)),
        ("cache_added", float(facts.cache_added)),
        ("cache_bytes_added", float(facts.cache_bytes_added)),
        ("cache_hits", float(facts.cache_hits)),
        ("cache_lookups", float(facts.cache_lookups)),
        ("cache_replaced", float(facts.cache_replaced)),
        ("cache_saturated", f64::from(u8::from(facts.saturated))),
        ("cpu_total", float(facts.cpu_total)),
        ("mem_committed", facts.committed * BYTES_OF_MEGABYTE),
        ("mem_allocated", facts.allocated * BYTES_OF_MEGABYTE),
        ("mem_free", facts.free * BYTES_OF_MEGABYTE),
        ("session_active", float(facts.session_active)),
        ("session_total", float(facts.session_total)),
        ("users_active", float(facts.users_active)),
        ("users_total", float(facts.users_total)),
    ]
}

/// Every user whom a proxy has named so far.
fn users(site: &Site) -> Vec<String> {
    let entries = site.ledger().entries();
    let sessions = entries.iter().filter_map(|entry| entry.facts.sessions()).flatten();
    sessions.map(|session| format!("{}\\{}", session.user_directory, session.user_id)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_gets_what_the_site_said_last() {
    let (site, influxd) = (site::start(2).await, Influxd::start().await);
    let [page, health] = [free_port(), free_port()];
    let names: Vec<String> = site.servers().iter().map(|server| server.name().to_owned()).collect();
    let mut footman = footman(&site, &influxd, [page, health], &[]);
    footman.start().await;
    site.ledger().wait_for_count(1, Endpoint::Proxy, 2).await;
    let excluded = users(&site);
    assert!(!excluded.is_empty());
    // Again, with everybody excluded: nobody is named, everybody is counted.
    footman.kill();
    let mut footman = self::footman(&site, &influxd, [page, health], &excluded);
    footman.start().await;

    let text = eventually("all series", || async {
        let (status, kind, text) = get(page, "/metrics").await?;
        assert_eq!((status, kind.as_str()), (200, CONTENT_TYPE));
        let series = values(&text).len();
        (series == 2 * (19 + 1 + 2)).then_some(text)
    })
    .await;
    let values = values(&text);
    for (number, name) in names.iter().enumerate() {
        let of = |metric: &str, more: &str| {
            let found = values.iter().find(|(series, _)| {
                series.starts_with(&format!("butlersos_{metric}{{"))
                    && series.contains(&format!("server_name=\"{name}\""))
                    && series.contains(more)
            });
            *found.unwrap_or_else(|| panic!("no {metric} of {name} in {text}")).1
        };
        // The count of calls tells which answer the page shows.
        let entries = site.ledger().entries();
        let facts = entries
            .iter()
            .filter(|entry| entry.server == number)
            .filter_map(|entry| entry.facts.health())
            .find(|facts| (facts.calls as f64 - of("apps_calls", "")).abs() < 0.5)
            .unwrap();
        for (metric, value) in expected(facts) {
            assert!((of(metric, "") - value).abs() < 1e-6, "{metric}: {value} in {text}");
        }
        let engine = format!("engine_version=\"{}\"", facts.version);
        assert!((of("engine_metadata", &engine) - 1.0).abs() < 0.1);
        for proxy in ["/", "/hdr"] {
            let counts: Vec<usize> = entries
                .iter()
                .filter(|entry| entry.server == number)
                .filter(|entry| entry.virtual_proxy.as_deref() == Some(proxy))
                .filter_map(|entry| Some(entry.facts.sessions()?.len()))
                .collect();
            let shown =
                of("user_session_total", &format!("user_session_virtual_proxy=\"{proxy}\""));
            assert!(counts.iter().any(|count| (*count as f64 - shown).abs() < 0.5), "{counts:?}");
        }
    }
    for user in excluded.iter().flat_map(|user| user.split('\\')) {
        assert!(!text.contains(&format!("\"{user}\"")), "{user}");
    }

    // A server that stops answering vanishes, the others stay; the collector does its work.
    for endpoint in [Endpoint::Engine, Endpoint::Proxy] {
        site.set_fault(1, endpoint, Some(Fault::Status(503))).await.unwrap();
    }
    let left = eventually("the silent server to vanish", || async {
        let (_, _, text) = get(page, "/metrics").await?;
        (!text.contains(&format!("server_name=\"{}\"", names[1]))).then_some(text)
    })
    .await;
    assert!(left.contains(&format!("server_name=\"{}\"", names[0])), "{left}");
    let (status, _, text) = get(health, "/health").await.unwrap();
    assert_eq!((status, text.as_str()), (200, r#"{"statusCode":200,"status":"ok"}"#));
    let ended = footman.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", footman.printed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_said_with_its_key_before_anything_is_polled() {
    let (site, influxd) = (site::start(1).await, Influxd::start().await);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    for (ports, key) in [
        ([taken, free_port()], "prometheus.port"),
        ([free_port(), taken], "dockerHealthCheck.port"),
    ] {
        let house = footman(&site, &influxd, ports, &[]);
        let mut command = Command::new(program("footman"));
        command
            .args(["run", "--config", "footman.yaml"])
            .current_dir(house.directory())
            .env("FOOTMAN__COLLECTOR__HTTP__LISTEN", format!("127.0.0.1:{}", free_port()));
        let output = command.output().unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains(&format!("port {taken}, as {key} says")), "{printed}");
    }
    assert_eq!(site.ledger().recorded(), 0);
}
