//! Dashboards over what the pipeline wrote: a site with everything that can be wrong with it.

use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::programs::FootmanRun;
use simulator::{ButlerSosOptions, Endpoint, Fault, Oddity, Site, SiteConfig};

use super::answers::Answers;
use super::files::{Dashboard, dashboards};
use super::grafana::{Choices, asked, opened};
use super::peer;

const DATABASE: &str = "senseops";
const INTERVAL: Duration = Duration::from_secs(1);
/// The faults of the engines from the third server on: a cause of each family.
const FAULTS: [(Fault, &str); 5] = [
    (Fault::Hang, "timeout"),
    (Fault::Refused, "connection_refused"),
    (Fault::Status(503), "http_5xx"),
    (Fault::ExpiredCertificate, "certificate_error"),
    (Fault::LoginPage, "unexpected_body"),
];
const HEALTHY: usize = 2;

/// A site whose engines fail in different ways, and whose proxies do.
async fn site() -> Site {
    let config = SiteConfig {
        servers: HEALTHY + FAULTS.len(),
        // So short that every counter moves from poll to poll.
        day: Duration::from_mins(1),
        ..SiteConfig::for_test().unwrap()
    };
    let site = Site::start(config).await.unwrap();
    for (server, (fault, _)) in FAULTS.into_iter().enumerate() {
        site.set_fault(HEALTHY + server, Endpoint::Engine, Some(fault)).await.unwrap();
    }
    site.set_fault(HEALTHY, Endpoint::Proxy, Some(Fault::Status(404))).await.unwrap();
    for server in HEALTHY + 1..HEALTHY + FAULTS.len() {
        site.set_fault(server, Endpoint::Proxy, Some(Fault::Hang)).await.unwrap();
    }
    site.set_oddity(0, Oddity::SessionApps, true).unwrap();
    site
}

/// `footman run` on that site; it beats each second.
fn footman(site: &Site, influxd: &Influxd) -> FootmanRun {
    FootmanRun::prepare(|sections| {
        let options = ButlerSosOptions {
            influxdb_port: influxd.port(),
            database: DATABASE.to_owned(),
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more: sections,
            ..ButlerSosOptions::default()
        };
        site.butler_sos_config(&options).replace("every 15 minutes", "every 1 second")
    })
}

/// Fills a database with a cause of every family, a restart of an engine and of the program, and
/// dead letters.
async fn fill(site: &Site, influxd: &Influxd, footman: &mut FootmanRun) {
    influxd.execute("", &format!("CREATE DATABASE {DATABASE}")).await;
    // No dashboard reads this measurement, and every event about sessions becomes a dead letter.
    influxd.write(DATABASE, "user_session_list,host=other session_user_id_list=1i").await;
    // A cause of a version to come.
    let unforeseen = "butler_sos_errors,error_type=HEALTH_API,server_name=sense9 \
                      error_category=\"eclipse\",error_count=1";
    influxd.write(DATABASE, unforeseen).await;
    footman.start().await;
    for (_, category) in FAULTS {
        failed_with(influxd, category).await;
    }
    site.restart_engine(0).await.unwrap();
    // With so much that hangs, some request is open at any time.
    footman.kill();
    footman.start().await;
    failed_with(influxd, "interrupted").await;
}

async fn failed_with(influxd: &Influxd, category: &str) {
    let query = format!("SELECT * FROM butler_sos_errors WHERE error_category = '{category}'");
    eventually(&query, || async { influxd.rows(DATABASE, &query).await.pop() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_has_an_answer() {
    let (site, influxd) = (site().await, Influxd::start().await);
    let mut footman = footman(&site, &influxd);
    fill(&site, &influxd, &mut footman).await;
    let answers = Answers { influxd: &influxd, database: DATABASE, interval: "1s" };

    for dashboard in &dashboards("influxql") {
        let opened = opened(dashboard.variables());
        answered(&answers, dashboard, &opened).await;
        let chosen = answers.one_by_one(dashboard, &opened).await;
        answered(&answers, dashboard, &chosen).await;
    }

    // The predecessor's own panels find what they look for.
    for (title, query) in peer::PANELS.into_iter().chain(peer::FAILED_POLLS) {
        let query = asked(query, &Choices::new(), Duration::from_hours(6), "1s");
        eventually(title, || async { answers.rows(&query).await.unwrap().pop() }).await;
    }
}

/// Waits until no query of a dashboard is without an answer. No panel is left out.
async fn answered(answers: &Answers<'_>, dashboard: &Dashboard, choices: &Choices) {
    let name = dashboard.name;
    eventually_equal(name, Vec::new(), || answers.silent(dashboard, choices, |_| false)).await;
}
