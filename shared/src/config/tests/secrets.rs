//! No secret is ever shown: not by Debug, not by an error, not by a warning.

use super::{Folder, site_with};

/// What stands in the place of every secret.
const MARKER: &str = "MARKER";

/// Every secret that a file can hold, for one kind of broker and one version of InfluxDB.
fn with_secrets(kind: &str, version: u8) -> String {
    let heartbeat = "{enable: true, remoteURL: 'http://a/MARKER', frequency: every 1 hour}";
    site_with(&format!(
        "\
heartbeat: {heartbeat}
mqttConfig: {{enable: true, brokerHost: a}}
influxdbConfig:
  enable: true
  host: a
  version: {version}
  v1Config:
    auth: {{enable: true, username: u, password: MARKER}}
    dbName: d
    retentionPolicy: {{name: p, duration: 1d}}
  v2Config: {{org: o, bucket: b, token: MARKER, retentionDuration: 1d}}
  v3Config: {{database: d, token: MARKER, retentionDuration: 1d}}
broker:
  type: {kind}
  nats: {{username: u, password: MARKER}}
  mqtt: {{username: u, password: MARKER}}
collector:
  cert: {{passphraseFile: secret}}
  predecessorTopics: {{username: u, password: MARKER}}
  userIds: hmac
  userIdKeyFile: key
  http: {{passwordHash: $argon2id$MARKER}}
  heartbeat: {heartbeat}
writer:
  influxdb: {{token: MARKER, passwordFile: secret}}
  heartbeat: {heartbeat}
"
    ))
    .replace(
        "serverName: sense1\n",
        "serverName: sense1\n        headers: {X-Key: MARKER, X-Number: 1}\n",
    )
    .replace("root.pem}", "root.pem, clientCertPassphrase: MARKER}")
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("secret", MARKER);
    folder.write("key", &MARKER.repeat(3));
    folder
}

#[test]
fn debug_output_shows_no_secret() {
    for (kind, version) in [("embedded", 1), ("nats", 2), ("mqtt", 3)] {
        let loaded = folder().read(&with_secrets(kind, version), &[]).unwrap();
        let shown = format!("{loaded:?} {loaded:#?}");
        assert!(!shown.contains(MARKER), "{shown}");
    }
}

#[test]
fn errors_show_no_secret() {
    for (kind, version) in [("embedded", 1), ("nats", 2), ("mqtt", 3)] {
        let text = with_secrets(kind, version)
            .replace("$argon2id$MARKER", "MARKER")
            .replace("'http://a/MARKER'", "'MARKER'")
            .replace("X-Key: MARKER", "X-Key: \"MARKER\\n\"")
            .replace("clientCertPassphrase: MARKER", "clientCertPassphrase: [MARKER]")
            .replace("token: MARKER, r", "token: {MARKER: MARKER}, r");
        let environment = [
            ("FOOTMAN__BROKER__NATS__PASSWORD", MARKER),
            ("FOOTMAN__BROKER__NATS__PASSWORD_FILE", "secret"),
            ("FOOTMAN__BROKER__NATS__SERVERS", MARKER),
            ("FOOTMAN__NOTHING_KNOWN", MARKER),
        ];
        let error = folder().read(&text, &environment).unwrap_err();
        assert!(error.problems.len() >= 7, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(MARKER), "{shown}");
    }
}

#[test]
fn secrets_in_odd_places_are_not_shown_either() {
    for section in [
        "broker: {type: mqtt, mqtt: {url: 'mqtt://u:MARKER@a'}}",
        "broker: {type: mqtt, mqtt: {url: 'u:MARKER@a'}}",
        "heartbeat: {enable: true, remoteURL: [MARKER], frequency: x}",
        "writer: {influxdb: {token: MARKER, token: MARKER}}",
        "writer: {influxdb: {token: MARKER}, influxdb: {tokn: MARKER}}",
        "broker: {nats: {pasword: MARKER}, type: nats}",
        // A comma that should be in quotes.
        "broker: {nats: {username: u, password: abc,MARKER}, type: nats}",
        "collector: {http: {passwordHash: $argon2id$v=19$m=1,t=2,p=1$MARKER$MARKER}}",
    ] {
        let error = folder().read(&site_with(section), &[]).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(MARKER), "{shown}");
    }
}
