//! Files of Butler SOS run unchanged.

use std::time::Duration;

use super::{Folder, config, loaded, mistakes, site_with, told, warnings};
use crate::config::{LogLevel, Transport, Verify, Version};

/// A small file that Butler SOS 15 accepts; see the fixture's neighbour for a large one.
const SMALL: &str = include_str!("butler-sos-small.yaml");
/// A file with every key that Butler SOS 15 knows, everything Footman does enabled.
const LARGE: &str = include_str!("butler-sos-large.yaml");

#[test]
fn a_small_file_runs_unchanged() {
    let loaded = loaded(SMALL, &[]);
    assert_eq!(told(&loaded.warnings), Vec::<String>::new());
    let config = loaded.config;
    assert_eq!(config.logging.level, LogLevel::Info);
    assert_eq!(config.logging.directory, None);
    let heartbeat = config.heartbeat.as_ref().unwrap();
    assert_eq!(heartbeat.url.expose(), "http://mon.example/b");
    assert_eq!(heartbeat.frequency.as_str(), "every 1 hour");
    assert!(config.needs_one_process());
    let collector = &config.collector;
    assert_eq!(collector.health_interval, Duration::from_secs(30));
    assert_eq!(collector.servers.len(), 1);
    let server = &collector.servers[0];
    assert_eq!((server.name.as_str(), server.host.as_str()), ("sense1", "sense1.example:4747"));
    assert_eq!(server.sessions.as_ref().unwrap().virtual_proxies, ["/", "/hdr"]);
    assert_eq!(server.verify, Verify::Full);
    let names = collector.app_names.as_ref().unwrap();
    assert_eq!((names.host.as_str(), names.port), ("10.0.0.5", 4242));
    let topics = collector.predecessor_topics.as_ref().unwrap();
    assert_eq!((topics.host.as_str(), topics.port), ("127.0.0.1", 1883));
    assert_eq!(topics.base_topic, "butler-sos/");
    let writer = &config.writer;
    assert_eq!(writer.failed_polls.as_deref(), Some("butler_sos_errors"));
    assert_eq!(writer.memory_usage_instance.as_deref(), Some("DEV"));
    assert!(writer.app_names_enabled && writer.include_fields.in_memory);
    let influxdb = writer.influxdb.as_ref().unwrap();
    assert_eq!(influxdb.url.as_str(), "http://127.0.0.1:8086/");
    let Version::V1 { database, retention_policy, credentials } = &influxdb.version else {
        panic!("{influxdb:?}")
    };
    assert_eq!(database, "senseops");
    assert_eq!(retention_policy.duration.duration, Some(Duration::from_hours(240)));
    assert!(credentials.is_none());
}

#[test]
fn a_large_file_says_what_stops_arriving_and_which_secrets_it_shows() {
    let loaded = loaded(LARGE, &[]);
    let told = told(&loaded.warnings);
    let keys: Vec<&str> = told.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "uptimeMonitor.storeNewRelic.enable",
            "userEvents.enable",
            "logEvents",
            "cert.clientCertPassphrase",
            "newRelic.enable",
            "auditEvents.enable",
            "prometheus.nodeMetricsPort",
            "influxdbConfig.v3Config.token"
        ]
    );
    assert!(told[2].contains("(engine, qixPerf)"), "{}", told[2]);
    assert!(told[1].contains("servers: []"), "{}", told[1]);
    let config = loaded.config;
    assert_eq!(config.logging.directory, Some("log".into()));
    assert_eq!(config.logging.level, LogLevel::Silly);
    let collector = &config.collector;
    assert_eq!(collector.health_interval, Duration::from_micros(20_000_500));
    assert_eq!(collector.docker_health_check, Some(12_398));
    assert_eq!(collector.prometheus.as_ref().unwrap().host, "0.0.0.0");
    assert_eq!(collector.uptime_monitor.as_ref().unwrap().log_level, LogLevel::Verbose);
    assert_eq!(collector.sessions.as_ref().unwrap().exclude.len(), 2);
    let tags: Vec<_> = collector.servers[0].tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(tags, ["server_group=DEV", "zone=7", "active=true", "brand=Dell"]);
    assert_eq!(collector.servers[0].headers[0].0, "X-My-Header-1");
    assert_eq!(collector.servers[0].headers[0].1.expose(), "0042");
    assert!(collector.servers[1].sessions.is_none());
    let influxdb = config.writer.influxdb.as_ref().unwrap();
    assert_eq!(influxdb.timeout, Duration::from_secs(12));
    let Version::V3 { database, token, .. } = &influxdb.version else { panic!("{influxdb:?}") };
    assert_eq!((database.as_str(), token.expose()), ("mydatabase", "00123"));
    assert!(matches!(config.broker.transport, Transport::Embedded(_)));
}

#[test]
fn disabled_sections_may_be_full_of_placeholders() {
    let text = site_with(
        "\
heartbeat: {enable: false, remoteURL: <url>, nonsense: 1}
dockerHealthCheck: {enable: false, port: <port>}
uptimeMonitor: {enable: false, storeInInfluxdb: {}}
errorTracking: {enable: false, influxdb: 5}
mqttConfig: {enable: false, brokerHost: <IP of broker>, brokerPort: x}
influxdbConfig: {enable: false, host: <host>, version: 7, v1Config: null}
appNames: {enableAppNameExtract: false, hostIP: <IP or FQDN>}
userSessions: {enableSessionExtract: false, pollingInterval: 0}
prometheus: {enable: false, host: <IP or FQDN>}
newRelic: {enable: false, event: <x>}
userEvents: {enable: false}
logEvents: {source: {engine: {enable: false}}}
",
    );
    let loaded = loaded(&text, &[]);
    assert_eq!(told(&loaded.warnings), Vec::<String>::new());
    assert!(loaded.config.heartbeat.is_none());
    assert!(loaded.config.writer.influxdb.is_none());
    assert!(loaded.config.writer.failed_polls.is_none());
}

#[test]
fn optional_sections_may_be_absent() {
    let config = config(super::SITE);
    assert!(config.heartbeat.is_none() && config.collector.uptime_monitor.is_none());
    assert_eq!(config.writer.failed_polls.as_deref(), Some("butler_sos_errors"));
    assert_eq!(config.collector.health_interval, Duration::from_secs(30));
    assert!(config.collector.reject_unauthorized);
}

#[test]
fn null_lists_are_empty() {
    let text = "\
Butler-SOS:
  userSessions: {enableSessionExtract: true, pollingInterval: 30000, excludeUser: null}
  serversToMonitor: {pollingInterval: 30000, serverTagsDefinition: null, servers: null}
";
    let config = config(text);
    assert!(config.collector.servers.is_empty());
    assert!(config.collector.sessions.unwrap().exclude.is_empty());
    assert!(config.collector.certificates.is_none(), "nothing is polled");
}

#[test]
fn placeholders_in_enabled_sections_are_mistakes() {
    let text = site_with(
        "\
mqttConfig: {enable: true, brokerHost: <IP of MQTT broker/server>, brokerPort: 1883}
appNames: {enableAppNameExtract: true, hostIP: <IP or FQDN>}
",
    );
    let told = mistakes(&text);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("mqttConfig.brokerHost: \"<IP"), "{told:?}");
    assert!(told[1].starts_with("appNames.hostIP: \"<IP"), "{told:?}");
}

#[test]
fn a_section_without_its_switch_is_a_mistake() {
    let text = site_with("heartbeat: {remoteURL: 'http://a.example', frequency: every 1 hour}\n");
    assert_eq!(mistakes(&text), ["heartbeat.enable: is missing"]);
}

#[test]
fn failed_polls_are_not_stored_when_either_switch_is_off() {
    for section in [
        "errorTracking: {enable: false}",
        "errorTracking: {enable: true, influxdb: {enable: false}}",
    ] {
        assert_eq!(config(&site_with(section)).writer.failed_polls, None, "{section}");
    }
    let named = "errorTracking: {enable: true, influxdb: {enable: true, measurementName: errs}}";
    assert_eq!(config(&site_with(named)).writer.failed_polls.as_deref(), Some("errs"));
}

#[test]
fn unknown_sections_are_oddities_and_unknown_keys_mistakes() {
    let odd = warnings(&site_with("heartbeats: {enable: true}\n"));
    assert_eq!(odd, ["heartbeats: unknown section, without effect"]);
    let text = site_with("heartbeat: {enable: true, remoteUrl: 'http://a', frequency: x}\n");
    let error = Folder::new().read(&text, &[]).unwrap_err();
    let unknown = error.problems.iter().find(|p| p.wrong == "unknown key").unwrap();
    assert_eq!(unknown.nearest.as_deref(), Some("heartbeat.remoteURL"));
}
