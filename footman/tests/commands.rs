//! The commands as a person at a terminal meets them.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::{Command, Stdio};

fn footman(arguments: &[&str], directory: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_footman"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).unwrap())
}

#[test]
fn the_demo_shows_what_flows_and_ends_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (code, printed) = footman(&["demo", "--for", "18s", "--data", "here"], directory.path());
    assert_eq!(code, Some(0), "{printed}");
    for part in ["sense1", "sense3", "mosquitto_sub -h 127.0.0.1", "here/points.lp", "0 wait"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(!printed.contains(", 0 of them failed"), "sense3 did not misbehave: {printed}");
    let points = std::fs::read_to_string(directory.path().join("here/points.lp")).unwrap();
    for measurement in [
        "sense_server,",
        "mem,",
        "user_session_details,",
        "app_names,",
        "footman_poll,",
        "butler_sos_errors,",
    ] {
        assert!(points.lines().any(|line| line.starts_with(measurement)), "{measurement}");
    }
}

#[test]
fn wrong_usage_and_wrong_configuration_have_exit_codes_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(footman(&["dance"], directory.path()).0, Some(64));
    assert_eq!(footman(&["--version"], directory.path()).0, Some(0));
    let (code, printed) = footman(&["run", "--config", "missing.yaml"], directory.path());
    assert_eq!(code, Some(78), "{printed}");
    assert!(printed.contains("missing.yaml"), "{printed}");

    let wrong = "Butler-SOS:\n  brokr: {}\n  broker: {type: embeded, topicPrefx: a}\n  collector: \
                 {maxConcurrentPolls: many}\n";
    std::fs::write(directory.path().join("wrong.yaml"), wrong).unwrap();
    for command in ["run", "check"] {
        let (code, printed) = footman(&[command, "--config", "wrong.yaml"], directory.path());
        assert_eq!(code, Some(78), "{printed}");
        for part in
            ["embeded", "embedded", "topicPrefx", "topicPrefix", "maxConcurrentPolls", "brokr"]
        {
            assert!(printed.contains(part), "{part}: {printed}");
        }
    }
}
