//! `docs/moving-from-butler-sos.md`, followed with a file of the predecessor.

use std::process::{Command, Stdio};

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually;
use integration_tests::programs::{House, program};
use simulator::{ButlerSosOptions, Site, SiteConfig};

const DOCUMENT: &str = include_str!("../../docs/moving-from-butler-sos.md");
/// The predecessor's database, which is not to be touched.
const THEIRS: &str = "senseops";
const OURS: &str = "senseops_footman";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_run_side_by_side() {
    let influxd = Influxd::start().await;
    influxd.execute("", &format!("CREATE DATABASE {THEIRS}")).await;
    let site = Site::start(SiteConfig::for_test().unwrap()).await.unwrap();
    let house = House::new(|_| {
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: influxd.port(),
            database: THEIRS.to_owned(),
            ..ButlerSosOptions::default()
        })
    });
    let variables = variables();
    assert_eq!(variables.len(), 8, "{variables:?}");

    let check = Command::new(program("footman"))
        .args(["check", "--config", "footman.yaml"])
        .envs(variables.iter().copied())
        .current_dir(house.directory())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert_eq!(check.status.code(), Some(0), "{said}");

    let mut footman = house.footman();
    for (name, value) in &variables {
        footman = footman.with((name, (*value).to_owned()));
    }
    footman.start().await;
    for query in queries().into_iter().filter(|query| query.contains(OURS)) {
        eventually("polls in the second database", || async {
            (!influxd.rows(OURS, query).await.is_empty()).then_some(())
        })
        .await;
    }
    for query in queries().into_iter().filter(|query| !query.contains(OURS)) {
        assert!(influxd.rows(THEIRS, query).await.is_empty(), "wrote into {THEIRS}");
    }
}

/// What the document has exported.
fn variables() -> Vec<(&'static str, &'static str)> {
    let exports = DOCUMENT.lines().filter_map(|line| line.strip_prefix("export "));
    exports.map(|export| export.split_once('=').unwrap()).collect()
}

/// The queries that compare.
fn queries() -> Vec<&'static str> {
    let queries: Vec<_> = DOCUMENT.lines().filter(|line| line.starts_with("SELECT ")).collect();
    assert_eq!(queries.len(), 2);
    queries
}
