//! InfluxDB: three versions, and what `writer.influxdb` overrides.

use std::time::Duration;

use super::{Folder, config, mistakes, site_with, warnings};
use crate::config::{InfluxDb, Version};

const V2: &str = "\
influxdbConfig:
  enable: true
  host: a.example
  port: 8087
  version: 2
  v2Config: {org: o, bucket: b, token: t, retentionDuration: 90d}
";

fn influxdb(section: &str) -> InfluxDb {
    config(&site_with(section)).writer.influxdb.unwrap()
}

/// A section for version 1 with the given credentials.
fn v1(auth: &str) -> String {
    format!(
        "\
influxdbConfig:
  enable: true
  host: a
  version: 1
  v1Config:
    auth: {auth}
    dbName: 2024
    retentionPolicy: {{name: p, duration: 2w}}
"
    )
}

#[test]
fn host_and_port_make_the_url() {
    assert_eq!(influxdb(V2).url.as_str(), "http://a.example:8087/");
    let six = influxdb(&V2.replace("a.example", "'::1'"));
    assert_eq!(six.url.as_str(), "http://[::1]:8087/");
    assert_eq!(six.timeout, Duration::from_secs(30));
}

#[test]
fn the_writer_overrides() {
    let folder = Folder::new();
    folder.write("token", "from a file\n");
    let section = "\
influxdbConfig:
  enable: true
  host: <host>
  version: 2
  v2Config: {org: o, bucket: b, retentionDuration: INF}
writer:
  influxdb: {url: \"https://b.example/influx\", tokenFile: token, timeout: 5s, tls: {ca: root.pem}}
";
    let loaded = folder.read(&site_with(section), &[]).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let influxdb = loaded.config.writer.influxdb.unwrap();
    assert_eq!(influxdb.url.as_str(), "https://b.example/influx");
    assert_eq!(influxdb.timeout, Duration::from_secs(5));
    assert_eq!(influxdb.ca, Some(folder.path("root.pem")));
    let Version::V2 { token, retention, .. } = influxdb.version else { panic!("not 2") };
    assert_eq!(token.expose(), "from a file");
    assert_eq!((retention.text.as_str(), retention.duration), ("INF", None));
}

#[test]
fn version_1_has_credentials_when_they_are_enabled() {
    let without = influxdb(&v1("{enable: false, username: <username>, password: <x>}"));
    let Version::V1 { credentials, database, .. } = without.version else { panic!("not 1") };
    assert_eq!((credentials, database.as_str()), (None, "2024"));
    let with = influxdb(&v1("{enable: true, username: me, password: 007}"));
    let Version::V1 { credentials, .. } = with.version else { panic!("not 1") };
    let (username, password) = credentials.unwrap();
    assert_eq!((username.as_str(), password.expose()), ("me", "007"));
    let overridden = v1("{enable: true, username: me}") + "writer: {influxdb: {password: p}}\n";
    let Version::V1 { credentials, .. } = influxdb(&overridden).version else { panic!("not 1") };
    assert_eq!(credentials.unwrap().1.expose(), "p");
    assert_eq!(
        mistakes(&site_with(&v1("{enable: true}"))),
        [
            "influxdbConfig.v1Config.auth.username: is missing",
            "influxdbConfig.v1Config.auth.password: is missing"
        ]
    );
}

#[test]
fn writes_to_3_take_as_long_as_its_section_says() {
    let section = "\
influxdbConfig:
  enable: true
  host: a
  version: 3
  v3Config: {database: d, token: t, retentionDuration: INF, writeTimeout: 12000}
";
    let version3 = influxdb(section);
    assert_eq!(version3.timeout, Duration::from_secs(12));
    assert!(
        matches!(version3.version, Version::V3 { retention, .. } if retention.duration.is_none())
    );
    let overridden = format!("{section}writer: {{influxdb: {{timeout: 5s}}}}\n");
    assert_eq!(influxdb(&overridden).timeout, Duration::from_secs(5));
}

#[test]
fn only_the_section_of_the_version_has_effect() {
    let others = format!("{V2}  v1Config: {{nonsense: 1}}\n  v3Config: {{writeTimeout: 5}}\n");
    assert_eq!(influxdb(&others).timeout, Duration::from_secs(30));
    let missing = V2.replace("version: 2", "version: 3");
    assert_eq!(
        mistakes(&site_with(&missing)),
        ["influxdbConfig.v3Config: is missing: influxdbConfig.version asks for it"]
    );
}

#[test]
fn wrong_values_are_mistakes() {
    for (from, to, told) in [
        ("version: 2", "version: 4", "version: 4 is not allowed"),
        ("version: 2", "version: '2'", "version: \"2\" is not allowed"),
        ("  version: 2\n", "", "version: is missing"),
        ("8087", "0", "port: 0 is not allowed"),
        ("8087", "65536", "port: 65536 is not allowed"),
        ("8087", "80.5", "port: 80.5 is not allowed"),
        ("a.example", "http://a", "host: \"http://a\" is no host"),
        ("a.example", "a:8086", "host: \"a:8086\" is no host"),
        ("90d", "10y", "v2Config.retentionDuration: \"10y\" is no duration"),
        ("token: t", "token: ''", "v2Config.token: is missing"),
        ("org: o", "org: ' '", "v2Config.org: is empty"),
        ("bucket: b", "bucket: true", "v2Config.bucket: is true or false"),
        ("port: 8087", "maxBatchSize: 0", "maxBatchSize: 0 is not allowed"),
    ] {
        let all = mistakes(&site_with(&V2.replace(from, to)));
        assert_eq!(all, [format!("influxdbConfig.{told}")], "{to}");
    }
}

#[test]
fn overrides_without_effect_are_warned_of() {
    for (section, told) in [
        ("influxdb: {tls: {ca: root.pem}}", "writer.influxdb.tls.ca: has no effect"),
        ("influxdb: {password: p}", "writer.influxdb.password has no effect"),
        ("lineProtocolFile: points.txt", "writer.lineProtocolFile: has no effect"),
    ] {
        let odd = warnings(&site_with(&format!("{V2}writer: {{{section}}}\n")));
        assert!(odd.len() == 1 && odd[0].contains(told), "{odd:?}");
    }
    let odd = warnings(&site_with(&(v1("{enable: false}") + "writer: {influxdb: {token: t}}\n")));
    assert!(odd[0].contains("1.x has no tokens"), "{odd:?}");
}

#[test]
fn points_can_go_to_a_file() {
    let config = config(&site_with("writer: {lineProtocolFile: points.txt}\n"));
    assert!(config.writer.influxdb.is_none());
    assert_eq!(config.writer.line_protocol_file, Some("points.txt".into()));
}

#[test]
fn a_password_in_the_url_is_refused() {
    let text = site_with(&format!("{V2}writer: {{influxdb: {{url: 'http://me:MARKER@a'}}}}\n"));
    let error = Folder::new().read(&text, &[]).unwrap_err().to_string();
    assert!(error.contains("writer.influxdb.url") && !error.contains("MARKER"), "{error}");
}
