//! All mistakes at once, each with its place, what is allowed and what it may have meant.

use std::path::Path;

use super::{Folder, SITE, mistakes, site_with};
use crate::config::{Place, from_text, load};

/// A file in which nearly everything is wrong.
const WRONG: &str = "\
Butler-SOS:
  logLevel: loud
  heartbeat:
    enable: true
    remoteUrl: http://mon.example
    frequency: ''
  cert: {clientCert: nowhere.pem, clientCertKey: client_key.pem}
  serversToMonitor:
    pollingInterval: 0
    servers:
      - host: <server1>:4747
        serverNam: one
  writer: {batch: {maxPoints: many}}
";

/// What is said about it; `@` stands for the file.
const SAID: [&str; 13] = [
    "the configuration holds 12 mistakes",
    "@:2: logLevel: \"loud\" is not allowed; allowed: error, warn, info, verbose, debug, silly",
    "@:3: heartbeat.remoteURL: is missing; allowed: a text, or in the environment variable \
     FOOTMAN__HEARTBEAT__REMOTE_URL_FILE the file that holds it",
    "@:5: heartbeat.remoteUrl: unknown key; did you mean heartbeat.remoteURL?",
    "@:6: heartbeat.frequency: is empty; allowed: a schedule such as \"every 5 minutes\"",
    "@:7: cert.clientCert: names nowhere.pem, which cannot be read: \
     No such file or directory (os error 2); allowed: a file that can be read; \
     a relative path starts at the working directory, or at this file's",
    "@:7: cert.clientCertCA: is missing; allowed: a file that can be read; \
     a relative path starts at the working directory, or at this file's",
    "@:9: serversToMonitor.pollingInterval: 0 is not allowed; \
     allowed: milliseconds above 0 and up to 2147483647",
    "@:11: serversToMonitor.servers[0].host: \"<server1>:4747\" is no host; \
     allowed: a host name or an IP address, with or without :port",
    "@:11: serversToMonitor.servers[0].serverName: is missing; \
     allowed: a text that is not empty",
    "@:12: serversToMonitor.servers[0].serverNam: unknown key; \
     did you mean serversToMonitor.servers[0].serverName?",
    "@:13: writer.batch.maxPoints: \"many\" is not allowed; \
     allowed: a whole number from 1 to 100000",
    "environment variable FOOTMAN__BROKER__TIPE: sets no key that is known; \
     did you mean FOOTMAN__BROKER__TYPE?",
];

#[test]
fn every_mistake_is_told_at_once() {
    let folder = Folder::new();
    let error = folder.read(WRONG, &[("FOOTMAN__BROKER__TIPE", "nats")]).unwrap_err();
    let shown = error.to_string().replace(folder.path("footman.yaml").to_str().unwrap(), "@");
    let lines: Vec<&str> = shown.lines().map(str::trim_start).collect();
    assert_eq!(lines, SAID);
}

#[test]
fn another_root_is_refused() {
    for (text, said) in [
        (
            "Butler:\n  logLevel: info\n",
            "f.yaml:1: Butler: this is a Butler file; Footman reads those of Butler SOS; \
             allowed: Butler-SOS",
        ),
        (
            "Butler-SOS: {}\nButlerSOS: {}\n",
            "f.yaml:2: ButlerSOS: unknown root; allowed: Butler-SOS",
        ),
        ("a[99999999999]: 1\n", "f.yaml:1: a[99999999999]: unknown root; allowed: Butler-SOS"),
        ("", "f.yaml: has no section Butler-SOS"),
        ("- a\n- b\n", "f.yaml: has no section Butler-SOS"),
        ("Butler-SOS:\n", "f.yaml: holds nothing in its section Butler-SOS"),
        ("Butler-SOS: [a]\n", "f.yaml: holds nothing in its section Butler-SOS"),
    ] {
        let error = from_text(text, Path::new("f.yaml"), []).unwrap_err();
        assert_eq!(error.problems[0].to_string(), said, "{text}");
    }
}

#[test]
fn another_root_hides_no_mistake() {
    let told = mistakes(&format!("{SITE}  logLevel: loud\nx[99999999999]: {{a: 1}}\n"));
    assert_eq!(told, ["logLevel: \"loud\" is not allowed", "x[99999999999]: unknown root"]);
}

#[test]
fn files_that_cannot_be_read_are_told_apart() {
    let folder = Folder::new();
    let said = |name: &str| load(&folder.path(name), []).unwrap_err().to_string();
    assert!(said("absent.yaml").contains("absent.yaml: cannot be opened: No such file"));
    folder.write("footman.toml", SITE);
    assert!(said("footman.toml").contains("ends neither in .yaml nor in .yml"));
    folder.write("folder.yaml/x", "");
    assert!(said("folder.yaml").contains("cannot be read"));
    folder.write("big.yaml", &"#".repeat(5 << 20));
    assert!(said("big.yaml").contains("is larger than"));
    std::fs::write(folder.path("latin.yaml"), b"Butler-SOS: {a: \xff}").unwrap();
    assert!(said("latin.yaml").contains("cannot be read"));
    for name in ["right.yaml", "right.yml", "right.YAML"] {
        folder.write(name, SITE);
        load(&folder.path(name), []).unwrap();
    }
}

#[test]
fn broken_yaml_has_its_line_and_column() {
    let error = from_text("Butler-SOS:\n  a: [1,\n  b: {\n", Path::new("f.yaml"), []).unwrap_err();
    assert!(matches!(&error.problems[0].place, Place::Line { line, .. } if *line >= 2));
    assert!(error.to_string().contains("broken YAML at column"), "{error}");
}

#[test]
fn what_the_tree_cannot_hold_is_refused_without_showing_it() {
    for value in [".inf", ".nan", "{~: 1}", "!!int abc"] {
        let text = format!("Butler-SOS:\n  logDirectory: {value}\n");
        let _read = from_text(&text, Path::new("f.yaml"), []);
    }
    let error = from_text("Butler-SOS:\n  a: .inf\n", Path::new("f.yaml"), []).unwrap_err();
    assert!(error.to_string().contains("holds a key or a value that cannot be read"), "{error}");
}

#[test]
fn keys_given_twice_are_mistakes() {
    let text = format!("{SITE}  logLevel: info\n  logLevel: debug\n");
    assert_eq!(mistakes(&text), ["logLevel: is given twice, first on line 7"]);
}

#[test]
fn values_of_the_wrong_kind_are_mistakes() {
    for (section, said) in [
        ("fileLogging: 'true'", "fileLogging: \"true\" is not allowed"),
        ("logLevel: [info]", "logLevel: is a list"),
        ("heartbeat: true", "heartbeat: must be a section of keys and values"),
        ("mqttConfig: {enable: 1}", "mqttConfig.enable: 1 is not allowed"),
        ("shutdownGrace: 20", "shutdownGrace: 20 is not allowed"),
        ("writer: {sessionDetails: x}", "writer.sessionDetails: \"x\" is not allowed"),
        (
            "collector: {discovery: {exclude: [{}], enable: true}}\nappNames: {enableAppNameExtract: false, hostIP: a}",
            "collector.discovery.exclude[0]: is a section",
        ),
        (
            "collector: {servers: {sense1: 5}}",
            "collector.servers.sense1: must be a section of keys and values",
        ),
        ("collector: {servers: [a]}", "collector.servers: is a list"),
        (
            "userSessions: {enableSessionExtract: true, excludeUser: [LAB]}",
            "userSessions.excludeUser[0]: is a text",
        ),
        (
            "userSessions: {enableSessionExtract: true, excludeUser: {}}",
            "userSessions.excludeUser: is a section",
        ),
    ] {
        assert_eq!(mistakes(&site_with(section)), [said], "{section}");
    }
}
