//! The environment over the file.

use super::{Folder, SITE, loaded, mistakes_with, site_with};
use crate::config::environment::variable_name;
use crate::config::load::known_keys;
use crate::config::{Place, Transport, Verify, Version};

#[test]
fn scalars_are_matched_ignoring_case_and_underscores() {
    let config = loaded(
        SITE,
        &[
            ("FOOTMAN__BROKER__TYPE", "nats"),
            ("FOOTMAN__APP_NAMES__HOST_IP", "10.0.0.9:4343"),
            ("FOOTMAN__APPNAMES__ENABLEAPPNAMEEXTRACT", "TRUE"),
            ("footman__appNames__extract_interval", "15000"),
            ("FOOTMAN__COLLECTOR__POLL_TIMEOUT", "3s"),
            ("FOOTMAN__BROKER__NATS__MAX_BYTES", "5GiB"),
            ("FOOTMAN__SHUTDOWN_GRACE", "1m"),
            ("PATH", "/bin"),
            ("FOOTMAN_CONFIG", "not ours"),
        ],
    )
    .config;
    let names = config.collector.app_names.unwrap();
    assert_eq!((names.host.as_str(), names.port), ("10.0.0.9", 4343));
    assert_eq!(names.interval.as_secs(), 15);
    assert_eq!(config.collector.poll_timeout.as_secs(), 3);
    assert_eq!(config.shutdown_grace.as_secs(), 60);
    let Transport::Nats(nats) = config.broker.transport else { panic!("no NATS") };
    assert_eq!(nats.max_bytes, 5 << 30);
}

#[test]
fn a_token_stays_text() {
    let text = site_with(
        "\
influxdbConfig:
  enable: true
  host: a.example
  version: 2
  v2Config: {org: 7, bucket: b, retentionDuration: 10d, token: placeholder}
",
    );
    let environment = [("FOOTMAN__INFLUXDB_CONFIG__V2_CONFIG__TOKEN", "00123")];
    let influxdb = loaded(&text, &environment).config.writer.influxdb.unwrap();
    let Version::V2 { token, org, .. } = influxdb.version else { panic!("not 2") };
    assert_eq!((token.expose(), org.as_str()), ("00123", "7"));
}

#[test]
fn lists_maps_and_sections_take_json() {
    let config = loaded(
        "Butler-SOS:\n  cert: {clientCert: client.pem, clientCertKey: client_key.pem}\n",
        &[
            ("FOOTMAN__CERT", r#"{"clientCertCA": "root.pem"}"#),
            (
                "FOOTMAN__SERVERS_TO_MONITOR__SERVERS",
                r#"[{"host":"10.0.0.1:4747","serverName":"one","serverTags":{"b":1,"a":true}}]"#,
            ),
            ("FOOTMAN__COLLECTOR__SERVERS", r#"{"one":{"verify":"none"}}"#),
            ("FOOTMAN__BROKER__NATS__SERVERS", r#"["nats://a:4222"]"#),
            ("FOOTMAN__SERVERS_TO_MONITOR__SERVER_TAGS_DEFINITION", r#"["a","b"]"#),
        ],
    )
    .config;
    let server = &config.collector.servers[0];
    assert_eq!((server.name.as_str(), server.verify), ("one", Verify::None));
    assert_eq!(server.tags.len(), 2);
}

#[test]
fn the_environment_has_precedence_over_the_file() {
    let text = site_with("logLevel: debug\nbroker: {topicPrefix: file}\n");
    let config = loaded(&text, &[("FOOTMAN__BROKER__TOPIC_PREFIX", "variable")]).config;
    assert_eq!(config.broker.topic_prefix, "variable");
}

#[test]
fn sections_can_be_enabled_by_the_environment_alone() {
    let config = loaded(
        SITE,
        &[
            ("FOOTMAN__HEARTBEAT__ENABLE", "true"),
            ("FOOTMAN__HEARTBEAT__REMOTE_URL", "http://mon.example/b"),
            ("FOOTMAN__HEARTBEAT__FREQUENCY", "every 1 hour"),
            ("FOOTMAN__WRITER__HEARTBEAT__ENABLE", "false"),
        ],
    )
    .config;
    assert_eq!(config.heartbeat.unwrap().url.expose(), "http://mon.example/b");
}

#[test]
fn secrets_of_every_section_can_come_from_files() {
    let folder = Folder::new();
    folder.write("url", "http://mon.example/b\n");
    folder.write("phrase", " open sesame \r\n");
    folder.write("nats", "from a file\n");
    let text = site_with(
        "\
heartbeat: {enable: true, remoteURL: 'http://placeholder', frequency: every 1 hour}
broker: {type: nats, nats: {username: me, passwordFile: nats}}
",
    );
    let environment = [
        ("FOOTMAN__HEARTBEAT__REMOTE_URL_FILE", "url"),
        ("FOOTMAN__CERT__CLIENT_CERT_PASSPHRASE_FILE", "phrase"),
    ];
    let config = folder.read(&text, &environment).unwrap().config;
    assert_eq!(config.heartbeat.unwrap().url.expose(), "http://mon.example/b");
    let certificates = config.collector.certificates.unwrap();
    assert_eq!(certificates.passphrase.unwrap().expose(), "open sesame");
    let Transport::Nats(nats) = config.broker.transport else { panic!("no NATS") };
    assert_eq!(nats.password.unwrap().expose(), "from a file");
}

#[test]
fn credentials_of_the_service_are_taken_for_secrets_and_certificates() {
    let folder = Folder::new();
    folder.write("password", "beside the file\n");
    folder.write("credentials/password", "of the service\n");
    folder.write("credentials/root.pem", "no certificate");
    let credentials = folder.path("credentials");
    let environment = [("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())];
    let text = site_with("broker: {type: nats, nats: {username: me, passwordFile: password}}\n");
    let config = folder.read(&text, &environment).unwrap().config;
    let Transport::Nats(nats) = config.broker.transport else { panic!("no NATS") };
    assert_eq!(nats.password.unwrap().expose(), "of the service");
    let certificates = config.collector.certificates.unwrap();
    assert_eq!(certificates.ca, credentials.join("root.pem"));
    assert_eq!(certificates.cert, folder.path("client.pem"));
}

#[test]
fn a_variable_that_matches_nothing_is_a_mistake() {
    let environment = [("FOOTMAN__APP_NAMES__HOSTS_IP", "a")];
    let error = Folder::new().read(SITE, &environment).unwrap_err();
    let problem = &error.problems[0];
    assert_eq!(problem.place, Place::Variable("FOOTMAN__APP_NAMES__HOSTS_IP".to_owned()));
    assert_eq!(problem.nearest.as_deref(), Some("FOOTMAN__APP_NAMES__HOST_IP"));
    assert_eq!(
        error.to_string(),
        "the configuration holds a mistake\n  environment variable FOOTMAN__APP_NAMES__HOSTS_IP: \
         sets no key that is known; did you mean FOOTMAN__APP_NAMES__HOST_IP?"
    );
}

#[test]
fn wrong_values_of_variables_are_mistakes() {
    for (name, value, told) in [
        ("LOG_LEVEL", "loud", "logLevel: \"loud\" is not allowed"),
        ("FILE_LOGGING", "yes", "fileLogging: \"yes\" is not allowed"),
        (
            "COLLECTOR__MAX_CONCURRENT_POLLS",
            "1e9",
            "collector.maxConcurrentPolls: \"1e9\" is not allowed",
        ),
        (
            "SERVERS_TO_MONITOR__POLLING_INTERVAL",
            "0",
            "serversToMonitor.pollingInterval: \"0\" is not allowed",
        ),
        (
            "SERVERS_TO_MONITOR__POLLING_INTERVAL",
            "NaN",
            "serversToMonitor.pollingInterval: \"NaN\" is not allowed",
        ),
        (
            "BROKER__NATS__SERVERS",
            "nats://a",
            "broker.nats.servers: must hold a JSON list, such as [\"a\"]",
        ),
        ("COLLECTOR__SERVERS", "[]", "collector.servers: must hold a JSON object"),
        ("", "x", ": sets no key that is known"),
    ] {
        let name = format!("FOOTMAN__{name}");
        assert_eq!(mistakes_with(SITE, &[(&name, value)]), [told], "{name}={value}");
    }
}

#[test]
fn two_variables_for_one_key_are_a_mistake() {
    let environment = [("FOOTMAN__LOG_LEVEL", "info"), ("FOOTMAN__LOGLEVEL", "debug")];
    assert_eq!(
        mistakes_with(SITE, &environment),
        ["logLevel: sets logLevel, which FOOTMAN__LOGLEVEL sets already"]
    );
}

#[test]
fn no_two_keys_are_set_by_the_same_variable() {
    let known = known_keys();
    let mut names: Vec<String> =
        known.keys().map(|key| variable_name(key).replace('_', "").to_lowercase()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), known.len());
}
