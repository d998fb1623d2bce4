//! What is legal but unwise, and where one key meets another.

use super::{Folder, config, mistakes, readable_by, site_with, told, warnings};

const INFLUXDB: &str = "\
influxdbConfig:
  enable: true
  host: a
  version: 2
  v2Config: {org: o, bucket: b, token: t, retentionDuration: 1d}
";

/// All warnings of a section beside files of one mode.
fn warnings_beside(section: &str, mode: u32) -> Vec<String> {
    let folder = Folder::new();
    for name in ["client_key.pem", "secret"] {
        folder.write(name, "s");
        readable_by(&folder.path(name), mode);
    }
    let loaded = folder.read(&site_with(section), &[]).unwrap_or_else(|error| panic!("{error}"));
    told(&loaded.warnings)
}

#[test]
fn secrets_in_the_file_are_warned_of() {
    let token = "stands here as plain text: put it into a file, named by writer.influxdb.tokenFile";
    assert_eq!(
        warnings_beside(INFLUXDB, 0o600),
        [format!("influxdbConfig.v2Config.token: {token}")]
    );
    let nats = "broker: {type: nats, nats: {username: u, password: p}}";
    let told = warnings_beside(nats, 0o600);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("broker.nats.password: stands here as plain text"), "{told:?}");
    assert!(told[0].ends_with("broker.nats.passwordFile"), "{told:?}");
}

#[test]
fn secrets_that_are_elsewhere_or_without_effect_are_not() {
    for section in [
        format!("{INFLUXDB}writer: {{influxdb: {{tokenFile: secret}}}}\n"),
        "broker: {type: nats, nats: {username: u, passwordFile: secret}}\n".to_owned(),
        "heartbeat: {enable: false, remoteURL: 'http://a/b'}\n".to_owned(),
        "influxdbConfig: {enable: false, v2Config: {token: t}}\n".to_owned(),
    ] {
        assert_eq!(warnings_beside(&section, 0o600), Vec::<String>::new(), "{section}");
    }
    let variable = [("FOOTMAN__INFLUXDB_CONFIG__V2_CONFIG__TOKEN", "v")];
    let read = Folder::new().read(&site_with(INFLUXDB), &variable).unwrap();
    assert_eq!(told(&read.warnings), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn files_that_everybody_can_read_are_warned_of() {
    let section = "broker: {type: nats, nats: {username: u, passwordFile: secret}}";
    let told = warnings_beside(section, 0o644);
    assert_eq!(told.len(), 2, "{told:?}");
    for (line, key) in told.iter().zip(["cert.clientCertKey", "broker.nats.passwordFile"]) {
        assert!(line.starts_with(&format!("{key}: names ")), "{line}");
        assert!(line.contains("everybody on this host can read (mode 0644): chmod 600"), "{line}");
    }
    assert_eq!(warnings_beside(section, 0o640), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn a_configuration_with_secrets_is_for_few_eyes_too() {
    let folder = Folder::new();
    let text = site_with(INFLUXDB);
    folder.write("footman.yaml", &text);
    let count = |mode| {
        readable_by(&folder.path("footman.yaml"), mode);
        let told = told(&folder.read(&text, &[]).unwrap().warnings);
        told.iter().filter(|line| line.contains("holds secrets, and everybody")).count()
    };
    assert_eq!((count(0o644), count(0o600)), (1, 0));
}

#[test]
fn short_intervals_are_warned_of() {
    let text = site_with("collector: {pollTimeout: 1s}")
        .replace("  serversToMonitor:\n", "  serversToMonitor:\n    pollingInterval: 4999\n");
    let told = warnings(&text);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("serversToMonitor.pollingInterval: 4999 ms loads"), "{told:?}");
    assert_eq!(warnings(&text.replace("4999", "5000")), Vec::<String>::new());
}

#[test]
fn values_without_effect_are_warned_of_unless_they_are_defaults() {
    for (section, said) in [
        ("broker: {nats: {stream: OTHER}}", "broker.nats: has no effect"),
        ("broker: {type: mqtt, embedded: {maxAge: 1d}}", "broker.embedded: has no effect"),
        ("collector: {outbox: {maxBytes: 2GiB}}", "collector.outbox: has no effect"),
        ("collector: {predecessorTopics: {username: u}}", "collector.predecessorTopics: has no"),
        ("collector: {userIdKeyFile: nowhere}", "collector.userIdKeyFile: has no effect"),
        ("writer: {influxdb: {timeout: 5s}}", "writer.influxdb: has no effect"),
    ] {
        let told = warnings(&site_with(section));
        assert!(told.len() == 1 && told[0].starts_with(said), "{section}: {told:?}");
    }
    for section in [
        "broker: {nats: {servers: ['nats://127.0.0.1:4222'], replicas: 1, tls: {ca: null}}}",
        "broker: {type: mqtt, nats: null}",
        "collector: {outbox: {maxBytes: 1GiB}}",
        "broker: {type: nats}\ncollector: {outbox: {maxBytes: 2GiB}}",
    ] {
        assert_eq!(warnings(&site_with(section)), Vec::<String>::new(), "{section}");
    }
}

#[test]
fn what_cannot_be_verified_twice_is_warned_of() {
    let none = warnings(&site_with("collector: {servers: {sense1: {verify: none}}}"));
    assert!(none[0].starts_with("collector.servers.sense1.verify: its certificate"), "{none:?}");
    let text = site_with("collector: {servers: {sense1: {verify: chain}}}")
        .replace("  serversToMonitor:\n", "  serversToMonitor:\n    rejectUnauthorized: false\n");
    let told = warnings(&text);
    assert!(told.iter().any(|line| line.starts_with("collector.servers: has no effect")));
}

#[test]
fn one_port_is_for_one_page() {
    let hash = "'$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA'";
    let http = |listen: &str| format!("http: {{listen: '{listen}', passwordHash: {hash}}}");
    let prometheus = |host: &str| {
        format!("prometheus: {{enable: true, host: {host}, port: 9701}}\ncollector: {{")
    };
    for (host, listen) in [("0.0.0.0", "127.0.0.1:9701"), ("localhost", "0.0.0.0:9701")] {
        let text = site_with(&format!("{}{}}}\n", prometheus(host), http(listen)));
        let wrong = "prometheus.port: port 9701 is taken by collector.http.listen already";
        assert_eq!(mistakes(&text), [wrong]);
    }
    config(&site_with(&format!("{}{}}}\n", prometheus("10.0.0.1"), http("127.0.0.1:9701"))));
    let check = "dockerHealthCheck: {enable: true, port: 1883}\n\
                 broker: {embedded: {mqttListener: '127.0.0.1:1883'}}\n";
    assert_eq!(
        mistakes(&site_with(check)),
        ["broker.embedded.mqttListener: port 1883 is taken by dockerHealthCheck.port already"]
    );
}

#[test]
fn a_key_in_the_wrong_section_is_looked_for_in_the_others() {
    for (section, nearest) in [
        ("collector: {consumerGroup: a}", Some("writer.consumerGroup")),
        ("writer: {consumerSlots: 4}", Some("broker.mqtt.consumerSlots")),
        ("writer: {maxBytes: 1GiB}", None),
        ("writer: {sesionDetails: true}", Some("writer.sessionDetails")),
    ] {
        let error = Folder::new().read(&site_with(section), &[]).unwrap_err();
        assert_eq!(error.problems[0].nearest.as_deref(), nearest, "{error}");
    }
}

#[test]
fn clusters_need_an_odd_number_and_lists_no_repetition() {
    let nats = "broker: {type: nats, nats: {replicas: 2, servers: ['nats://a', 'nats://a']}}";
    let told = warnings(&site_with(nats));
    assert!(told.iter().any(|line| line.starts_with("broker.nats.servers[1]: is listed twice")));
    assert!(told.iter().any(|line| line.starts_with("broker.nats.replicas: 2 copies")));
    let mqtt = "broker: {type: mqtt}\ncollector: {outbox: {replayWindow: 60s}}";
    assert!(warnings(&site_with(mqtt))[0].starts_with("collector.outbox.replayWindow: is not"));
}

#[test]
fn two_ways_to_log_in_are_one_too_many() {
    let folder = Folder::new();
    folder.write("creds", "c");
    let text = site_with("broker: {type: nats, nats: {username: u, credentialsFile: creds}}");
    let error = folder.read(&text, &[]).unwrap_err();
    assert_eq!(
        told(&error.problems),
        ["broker.nats.credentialsFile: is given, and so is username; only one may be"]
    );
}

#[test]
fn one_host_under_two_names_is_polled_twice() {
    let text = site_with("").replace(
        "        serverName: sense1\n",
        "        serverName: sense1\n      - host: SENSE1.example:4747\n        serverName: two\n",
    );
    let told = warnings(&text);
    assert_eq!(
        told,
        ["serversToMonitor.servers[1]: SENSE1.example:4747 is the host of \"sense1\" too: it is \
          polled twice"]
    );
}

#[test]
fn addresses_beyond_loopback_are_warned_of() {
    let hash = "'$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA'";
    let http = format!("collector: {{http: {{listen: '0.0.0.0:9701', passwordHash: {hash}}}}}");
    for (section, key) in [
        (http.as_str(), "collector.http.listen"),
        ("writer: {http: {listen: '0.0.0.0:9702'}}", "writer.http.listen"),
        ("broker: {embedded: {mqttListener: '0.0.0.0:1883'}}", "broker.embedded.mqttListener"),
    ] {
        let told = warnings(&site_with(section));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("{key}: 0.0.0.0:")), "{told:?}");
        assert!(told[0].contains("can be reached from elsewhere"), "{told:?}");
    }
}
