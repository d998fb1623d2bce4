//! The commands as a person at a terminal meets them.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_types, reason = "tests start the program")]

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

#[test]
fn schedule_prints_firings_in_utc() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["schedule", "every 15 minutes", "--from", "2026-11-21T09:05:00+01:00"];
    assert_eq!(
        footman(&arguments, directory.path()),
        (
            Some(0),
            "2026-11-21T08:15:00Z\n2026-11-21T08:30:00Z\n2026-11-21T08:45:00Z\n\
             2026-11-21T09:00:00Z\n2026-11-21T09:15:00Z\n"
                .to_owned()
        )
    );
    let from = "2026-11-21T08:00:00Z";
    let unquoted = ["schedule", "at", "8:15", "on", "mon", "--count", "1", "--from", from];
    let (code, printed) = footman(&unquoted, directory.path());
    assert_eq!((code, printed.as_str()), (Some(0), "2026-11-23T08:15:00Z\n"));
    let (code, printed) = footman(&["schedule", "every 1 hour"], directory.path());
    assert_eq!((code, printed.lines().count()), (Some(0), 5), "{printed}");
}

#[test]
fn schedule_shows_where_a_text_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        footman(&["schedule", "every hour"], directory.path()),
        (
            Some(64),
            "every hour\n      ^\nfootman: expected a number like 5 or 3rd, as in `every 1 hour`, \
             found `hour` at column 7\n"
                .to_owned()
        )
    );
    let (code, printed) = footman(&["schedule", "in 2001"], directory.path());
    assert_eq!(
        (code, printed.as_str()),
        (Some(64), "footman: `in 2001` does not fire within ten years\n")
    );
    for wrong in [
        &["schedule", ""][..],
        &["schedule"],
        &["schedule", "every 1 hour", "--count", "0"],
        &["schedule", "every 1 hour", "--from", "noon"],
    ] {
        let (code, printed) = footman(wrong, directory.path());
        assert_eq!(code, Some(64), "{wrong:?}: {printed}");
    }
}

#[test]
fn check_shows_where_a_schedule_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let text = "Butler-SOS:\n  heartbeat: {enable: true, remoteURL: 'http://a/b', frequency: every \
                5minutes}\n";
    std::fs::write(directory.path().join("footman.yaml"), text).unwrap();
    let (code, printed) = footman(&["check", "--config", "footman.yaml"], directory.path());
    assert_eq!(code, Some(78), "{printed}");
    assert!(printed.contains("heartbeat.frequency: is no schedule: expected"), "{printed}");
    assert!(printed.contains("      every 5minutes\n"), "{printed}");
}
