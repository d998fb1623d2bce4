//! Rules across keys.

use std::time::Duration;

use super::{Folder, SITE, config, mistakes, mistakes_with, site_with, warnings};
use crate::config::UserIds;

#[test]
fn the_poll_timeout_is_lowered_for_short_intervals() {
    let text = site_with("userSessions: {enableSessionExtract: true, pollingInterval: 5000}\n");
    let collector = config(&text).collector;
    assert_eq!(collector.poll_timeout_at(Duration::from_secs(30)), Duration::from_secs(5));
    assert_eq!(collector.poll_timeout_at(Duration::from_secs(5)), Duration::from_millis(4_500));
    assert_eq!(collector.poll_timeout_at(Duration::from_secs(1)), Duration::from_millis(900));
    assert_eq!(
        warnings(&text),
        ["collector.pollTimeout: 5000 ms is not shorter than the 5000 ms of \
             userSessions.pollingInterval: polls on that rhythm may take 4500 ms"]
    );
}

#[test]
fn pages_beyond_loopback_need_a_password() {
    let http = |listen: &str, hash: &str| {
        site_with(&format!("collector: {{http: {{listen: '{listen}', passwordHash: {hash}}}}}\n"))
    };
    let told = mistakes(&http("0.0.0.0:9701", "null"));
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("collector.http.listen: 0.0.0.0:9701 can be reached"), "{told:?}");
    let hash = "'$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA'";
    assert!(config(&http("0.0.0.0:9701", hash)).collector.http.password_hash.is_some());
    assert!(config(&http("[::1]:0", "null")).collector.http.password_hash.is_none());
    assert_eq!(
        mistakes(&http("127.0.0.1:9701", "plain")),
        ["collector.http.passwordHash: is no such hash"]
    );
}

#[test]
fn the_writer_moves_from_its_default_address_alone() {
    assert!(config(SITE).writer.http.may_move);
    let text = site_with("writer: {http: {listen: '0.0.0.0:9702'}}\n");
    assert!(!config(&text).writer.http.may_move);
}

#[test]
fn hashed_user_ids_need_a_key() {
    assert_eq!(
        mistakes(&site_with("collector: {userIds: hmac}\n")),
        ["collector.userIdKeyFile: is missing: userIds is hmac, which needs a key"]
    );
    let folder = Folder::new();
    folder.write("key", "0123456789abcde\n");
    let text = site_with("collector: {userIds: hmac, userIdKeyFile: key}\n");
    let error = folder.read(&text, &[]).unwrap_err();
    assert_eq!(error.problems[0].wrong, "names a file whose key has 15 bytes");
    assert!(error.to_string().contains("footman secrets --out"), "{error}");
    folder.write("key", "0123456789abcdef\n");
    let text = site_with("collector: {userIds: hmac, userIdKeyFile: key}\n");
    let read = folder.read(&text, &[]).unwrap().config.collector.user_ids;
    assert_eq!(read, UserIds::Hmac { key: "0123456789abcdef".into() });
    let text = site_with("collector: {userIds: drop, userIdKeyFile: nowhere}\n");
    assert_eq!(config(&text).collector.user_ids, UserIds::Drop);
}

#[test]
fn named_files_must_be_readable() {
    for (section, key) in [
        ("collector: {cert: {passphraseFile: nowhere}}", "collector.cert.passphraseFile"),
        ("collector: {http: {passwordHashFile: nowhere}}", "collector.http.passwordHashFile"),
        ("broker: {type: nats, nats: {credentialsFile: nowhere}}", "broker.nats.credentialsFile"),
        (
            "broker: {type: mqtt, mqtt: {url: 'mqtts://a', tls: {ca: nowhere}}}",
            "broker.mqtt.tls.ca",
        ),
    ] {
        let told = mistakes(&site_with(section));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("{key}: names nowhere")), "{told:?}");
    }
    let folder = Folder::new();
    folder.write("empty", " \n");
    let text = site_with("collector: {cert: {passphraseFile: empty}}\n");
    let error = folder.read(&text, &[]).unwrap_err();
    assert_eq!(error.problems[0].wrong, "names empty, which is empty");
}

#[test]
fn a_secret_and_its_file_exclude_each_other() {
    let text =
        site_with("broker: {type: nats, nats: {username: u, password: p, passwordFile: f}}\n");
    assert_eq!(
        mistakes(&text),
        ["broker.nats.password: is given, and so is passwordFile; only one may be"]
    );
    let both = [
        ("FOOTMAN__CERT__CLIENT_CERT_PASSPHRASE", "p"),
        ("FOOTMAN__CERT__CLIENT_CERT_PASSPHRASE_FILE", "f"),
    ];
    let told = mistakes_with(SITE, &both);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("only one may be"), "{told:?}");
}

#[test]
fn butler_sos_refuses_file_keys_in_its_sections() {
    let text = site_with("heartbeat: {enable: true, remoteURLFile: f, frequency: every 1 hour}\n");
    let error = Folder::new().read(&text, &[]).unwrap_err();
    let problem = error.problems.iter().find(|p| p.key == "heartbeat.remoteURLFile").unwrap();
    assert_eq!(
        problem.allowed.as_deref(),
        Some("the environment variable FOOTMAN__HEARTBEAT__REMOTE_URL_FILE")
    );
}

#[test]
fn heartbeats_need_a_url_and_a_frequency() {
    let beat = |url: &str, frequency: &str| {
        site_with(&format!(
            "heartbeat: {{enable: true, remoteURL: '{url}', frequency: '{frequency}'}}\n"
        ))
    };
    assert_eq!(
        mistakes(&beat("mon.example/b", "every 1 hour")),
        ["heartbeat.remoteURL: is no URL that can be called"]
    );
    assert_eq!(mistakes(&beat("http://a/b", "")), ["heartbeat.frequency: is empty"]);
    assert_eq!(mistakes(&beat("", "every 1 hour")), ["heartbeat.remoteURL: is missing"]);
    let text = site_with(
        "collector: {heartbeat: {enable: true, remoteURL: 'http://a', frequency: every 1 hour}}\n\
         writer: {heartbeat: null}\n",
    );
    let config = config(&text);
    assert!(config.collector.heartbeat.is_some() && config.writer.heartbeat.is_none());
}

#[test]
fn schedule_texts_are_read_where_they_have_effect() {
    let sections = |enable: bool| {
        let beat = format!("{{enable: {enable}, remoteURL: 'http://a', frequency: every hour}}");
        site_with(&format!(
            "heartbeat: {beat}\nuptimeMonitor: {{enable: {enable}, frequency: '  '}}\ncollector: \
             {{heartbeat: {beat}}}\nwriter: {{heartbeat: {beat}}}\n"
        ))
    };
    let wrong = |key: &str| {
        format!(
            "{key}.frequency: is no schedule: expected a number like 5 or 3rd, as in `every 1 \
             hour`, found `hour` at column 7\n      every hour\n            ^"
        )
    };
    let mut told = mistakes(&sections(true));
    told.sort();
    let mut expected = ["heartbeat", "collector.heartbeat", "writer.heartbeat"].map(wrong).to_vec();
    expected.push("uptimeMonitor.frequency: is empty".to_owned());
    expected.sort();
    assert_eq!(told, expected);
    assert!(config(&sections(false)).heartbeat.is_none());
}

#[test]
fn a_schedule_that_never_fires_is_a_mistake() {
    let text = site_with("uptimeMonitor: {enable: true, frequency: in 2001}\n");
    let error = Folder::new().read(&text, &[]).unwrap_err();
    let [problem] = &error.problems[..] else { panic!("{error}") };
    assert_eq!(problem.wrong, "is no schedule: `in 2001` does not fire within ten years");
    assert_eq!(problem.allowed.as_deref(), Some("a schedule such as \"every 5 minutes\""));
}

#[test]
fn intervals_are_above_zero() {
    for interval in ["0", "-1", "0.0", "3e9", "30s", "'30000'", "1e-12"] {
        let text = format!(
            "appNames: {{enableAppNameExtract: true, hostIP: a, extractInterval: {interval}}}\n"
        );
        let told = mistakes(&site_with(&text));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("appNames.extractInterval: "), "{told:?}");
    }
}

#[test]
fn relative_files_are_found_beside_the_configuration() {
    let folder = Folder::new();
    let certificates = folder.read(SITE, &[]).unwrap().config.collector.certificates.unwrap();
    assert_eq!(certificates.cert, folder.path("client.pem"));
}
