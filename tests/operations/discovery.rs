//! `footman run` on a configuration that names the repository and no server.

use std::collections::BTreeSet;

use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::process::free_port;
use integration_tests::programs::FootmanRun;
use simulator::{Endpoint, Fault, ListedHosts, Site, SiteConfig};

/// A site whose nodes are listed under their addresses.
async fn site(servers: usize) -> Site {
    let config = SiteConfig {
        servers,
        listed_hosts: ListedHosts::Addresses,
        ..SiteConfig::for_test().unwrap()
    };
    Site::start(config).await.unwrap()
}

/// `footman run` that asks each second; the predecessor's metrics are at the port.
fn footman(site: &Site, metrics: u16) -> FootmanRun {
    let files = site.certificate_files();
    let [client, key, root] =
        [&files.client, &files.client_key, &files.root].map(|path| path.display());
    let central = site.server(0).unwrap().address();
    FootmanRun::prepare(|broker| {
        format!(
            "Butler-SOS:
  cert: {{ clientCert: {client}, clientCertKey: {key}, clientCertCA: {root} }}
  appNames: {{ enableAppNameExtract: false, hostIP: {central} }}
  userSessions: {{ enableSessionExtract: true, pollingInterval: 1000 }}
  serversToMonitor: {{ pollingInterval: 1000 }}
  collector: {{ discovery: {{ enable: true, interval: 1s }} }}
  writer: {{ lineProtocolFile: points.txt }}
  prometheus: {{ enable: true, host: 127.0.0.1, port: {metrics} }}
{broker}"
        )
    })
}

async fn get(port: u16, path: &str) -> Option<String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.ok()?;
    answer.text().await.ok()
}

/// The servers whose load is shown.
async fn shown(metrics: u16) -> BTreeSet<String> {
    let page = get(metrics, "/metrics").await.unwrap_or_default();
    let name = |line: &str| {
        let labels = line.strip_prefix("butlersos_cpu_total{")?;
        let (_, rest) = labels.split_once("server_name=\"")?;
        rest.split_once('"').map(|(name, _)| name.to_owned())
    };
    page.lines().filter_map(name).collect()
}

fn servers(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_is_followed_and_known_again_after_a_kill() {
    let site = site(3).await;
    site.change_listed(2, |node| node.listed = false).unwrap();
    site.set_fault(0, Endpoint::Repository, Some(Fault::Status(503))).await.unwrap();
    let metrics = free_port();
    let mut footman = footman(&site, metrics);
    footman.start().await;
    eventually("why it is not ready", || async {
        let why = footman.missing("repository").await?;
        (why.contains("the servers of the site are not known") && why.contains("503")).then_some(())
    })
    .await;
    assert_eq!(shown(metrics).await, servers(&[]));

    site.clear_faults().await.unwrap();
    eventually_equal("two servers", servers(&["sense1", "sense2"]), || shown(metrics)).await;
    footman.ready().await;
    // One comes, one goes.
    site.change_listed(2, |node| node.listed = true).unwrap();
    site.change_listed(1, |node| node.listed = false).unwrap();
    eventually_equal("others", servers(&["sense1", "sense3"]), || shown(metrics)).await;
    let metric = async |name: &str| footman.metric(name).await.unwrap();
    assert!((metric("collector_discovered_servers").await - 2.0).abs() < 0.1);
    assert!(metric("collector_discovery_failures_total").await > 0.9);
    assert!(metric("collector_discovery_last_success_timestamp_seconds").await > 1.7e9);

    footman.kill();
    site.set_fault(0, Endpoint::Repository, Some(Fault::Refused)).await.unwrap();
    assert!(footman.directory().join("queue/discovered.json").exists());
    footman.start().await;
    eventually_equal("the same", servers(&["sense1", "sense3"]), || shown(metrics)).await;
    let file = footman.directory().join("points.txt");
    eventually("points of the server that came", || async {
        std::fs::read_to_string(&file).ok()?.contains("server_name=sense3").then_some(())
    })
    .await;
}
