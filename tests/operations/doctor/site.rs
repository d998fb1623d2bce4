//! A site that is sound, one where everything is wrong, and a program that runs meanwhile.

use integration_tests::patience::eventually;
use integration_tests::process::{Process, free_port};
use integration_tests::programs::program;
use simulator::{ButlerSosOptions, Endpoint, Fault, Site, SiteConfig};

use super::{doctor, house, run};

const DATABASE: &str = "senseops";

async fn site(servers: usize) -> Site {
    Site::start(SiteConfig { servers, ..SiteConfig::for_test().unwrap() }).await.unwrap()
}

/// A Butler SOS file of the site, without InfluxDB unless its port is given.
fn config(site: &Site, influxdb: Option<u16>, more: &str) -> String {
    let listen = free_port();
    // The section `collector` is the last one, so that more keys of it can follow.
    let more = format!("    http: {{listen: \"127.0.0.1:{listen}\"}}\n{more}");
    site.butler_sos_config(&ButlerSosOptions {
        influxdb_enable: influxdb.is_some(),
        influxdb_port: influxdb.unwrap_or(1),
        database: DATABASE.to_owned(),
        tls_server_names: true,
        more,
        ..ButlerSosOptions::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_site_has_no_fault() {
    let site = site(2).await;
    let directory = house(&config(&site, None, ""));
    let looked = run(directory.path(), &["--json"]).await;
    assert_eq!(looked.code, Some(0), "{}", looked.printed);
    for server in site.servers() {
        let engine = server.host(Endpoint::Engine).unwrap();
        looked.has(
            ["qlik", engine, "certificate", "ok"],
            &[server.host_name(), "-CA`", "TLS 1.", "valid until"],
        );
        looked.has(["qlik", engine, "tls", "ok"], &["chain", server.host_name()]);
        looked.has(["qlik", engine, "answer", "ok"], &["/engine/healthcheck", "JSON", "sessions"]);
        looked.has(["qlik", engine, "clock", "ok"], &["agree"]);
        let proxy = server.host(Endpoint::Proxy).unwrap();
        assert_eq!(looked.findings("qlik", proxy, "answer").len(), 2, "{}", looked.printed);
    }
    let repository = site.servers()[0].host(Endpoint::Repository).unwrap();
    looked.has(["qlik", repository, "answer", "ok"], &["/qrs/app", "apps"]);
    looked.has(["certificates", "client.pem", "key", "ok"], &["client_key.pem"]);
    looked.has(["certificates", "client.pem", "authority", "ok"], &["-CA`"]);
    looked.has(["broker", "embedded", "lock", "note"], &["does not exist yet"]);
    looked.has(["files", "broker.embedded.directory", "directory", "note"], &["will be made"]);
    assert!(!directory.path().join("footman-data").exists(), "something was made");
    let (survives, text) = looked.promise("influxdbAway");
    assert_eq!((survives.as_str(), text.as_str()), ("yes", "no InfluxDB is configured"));

    let people = run(directory.path(), &[]).await;
    assert_eq!(people.code, Some(0), "{}", people.printed);
    assert!(people.printed.ends_with("notes\n") || people.printed.ends_with("note\n"));
    assert!(!people.printed.contains('\u{1b}'), "colours without a terminal");
    let longest = people.printed.lines().map(|line| line.chars().count()).max();
    // Paths and subjects stay whole.
    assert!(longest.unwrap() < 200, "{}", people.printed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_wrong_at_once_is_told_at_once() {
    let site = site(7).await;
    let (engine, proxy) = (Endpoint::Engine, Endpoint::Proxy);
    for (server, endpoint, fault) in [
        (0, engine, Fault::OtherName),
        (1, engine, Fault::LoginPage),
        (2, engine, Fault::OtherAuthority),
        (3, engine, Fault::ExpiredCertificate),
        (4, engine, Fault::Refused),
        (5, engine, Fault::CommonNameOnly),
        (6, engine, Fault::HangInHandshake),
        (0, proxy, Fault::Status(403)),
        (1, proxy, Fault::Status(404)),
        (2, proxy, Fault::Redirect),
        (3, proxy, Fault::TruncatedJson),
        (4, proxy, Fault::ShortName),
    ] {
        site.set_fault(server, endpoint, Some(fault)).await.unwrap();
    }
    let (influxdb, nats) = (free_port(), free_port());
    let broker = format!(
        "  broker: {{type: nats, nats: {{servers: [\"nats://127.0.0.1:{nats}\"], username: USER-MARKER, \
         password: PASSWORD-MARKER}}}}\n  heartbeat: {{enable: true, remoteURL: \
         \"http://monitor.example/ping/URL-MARKER\", frequency: every 5 minutes}}\n"
    );
    let text = config(&site, Some(influxdb), &broker);
    // The predecessor's head has the section already.
    let text = text.replace("  heartbeat: {enable: false}\n", "");
    let looked = doctor(&text).await;
    assert_eq!(looked.code, Some(1), "{}", looked.printed);
    looked.hides(&["USER-MARKER", "PASSWORD-MARKER", "URL-MARKER"]);
    let host = |server: usize, endpoint| site.servers()[server].host(endpoint).unwrap();
    let fault = |server, endpoint, what, parts: &[&str]| {
        looked.has(["qlik", host(server, endpoint), what, "fault"], parts);
    };
    let in_servers =
        |server: usize| format!("collector: {{ servers: {{ {}", site.servers()[server].name());
    fault(0, engine, "tls", &["it holds", &in_servers(0), "tlsServerName: "]);
    fault(1, engine, "answer", &["web page", "4747"]);
    fault(2, engine, "tls", &["`othersite-CA`", "cert.clientCertCA", "root.pem"]);
    fault(3, engine, "tls", &["expired"]);
    fault(3, engine, "certificate", &["expired on"]);
    fault(4, engine, "port", &["nothing listens"]);
    fault(5, engine, "tls", &["no name", &in_servers(5), "verify: chain"]);
    fault(6, engine, "tls", &["no answer in time"]);
    fault(0, proxy, "answer", &["403"]);
    fault(1, proxy, "answer", &["404", "virtual proxy"]);
    fault(2, proxy, "answer", &["4243"]);
    fault(3, proxy, "answer", &["no complete JSON"]);
    fault(4, proxy, "tls", &["tlsServerName: sense5"]);
    looked.has(["qlik", host(5, proxy), "answer", "ok"], &["sessions"]);
    looked.has(["broker", "NATS", "port", "fault"], &["nothing listens"]);
    looked.has(["influxdb", "1.x", "port", "fault"], &["nothing listens"]);
    looked.has(["heartbeats", "monitor.example", "schedule", "ok"], &["next at 20"]);
    looked.has(["heartbeats", "monitor.example", "url", "warning"], &["%7Bprocess%7D"]);
    looked.has(["configuration", "check", "setting", "warning"], &["heartbeat"]);
    assert_eq!(looked.promise("brokerKilled").0, "unseen");
    assert!(looked.promise("influxdbAway").1.starts_with("as configured, "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_program_is_asked_how_it_is() {
    let (page, held) = (free_port(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let text = format!(
        "Butler-SOS:\n  collector: {{http: {{listen: \"127.0.0.1:{page}\"}}}}\n  writer: \
         {{lineProtocolFile: points.lp}}\n  dockerHealthCheck: {{enable: true, port: {}}}\n",
        held.local_addr().unwrap().port()
    );
    let directory = house(&text);
    let looked = run(directory.path(), &["--json"]).await;
    assert_eq!(looked.code, Some(1), "{}", looked.printed);
    looked.has(["listeners", "dockerHealthCheck", "address", "fault"], &["not Footman's"]);
    looked.has(["listeners", "collector.http", "address", "ok"], &["free"]);
    drop(held);

    let mut command = std::process::Command::new(program("footman"));
    command.current_dir(directory.path()).args(["run", "--config", "footman.yaml"]);
    let mut running = Process::start(&mut command, &directory.path().join("log"));
    running.listens(page).await;
    eventually("a program that is ready", || async {
        let looked = run(directory.path(), &["--json"]).await;
        let ready = looked.findings("listeners", "collector.http", "address");
        (looked.code == Some(0) && ready[0][1].contains("is ready")).then_some(looked)
    })
    .await
    .has(["broker", "embedded", "lock", "ok"], &["a program is running on it"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_cannot_be_read_is_its_own_exit_code() {
    let directory = house("Butler-SOS:\n  brokr: {}\n  broker: {type: natz}\n");
    let looked = run(directory.path(), &["--json"]).await;
    assert_eq!(looked.code, Some(78), "{}", looked.printed);
    assert!(looked.printed.contains("natz"), "{}", looked.printed);
}
