//! The script that the image of InfluxDB 2 runs once, with a stand-in for InfluxData's command.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::repository;

/// Answers as `influx auth create --json` does, and writes down what it was asked.
const INFLUX: &str = "#!/bin/sh
echo \"$@\" >> \"$ASKED\"
case \"$*\" in
  *--write-bucket*) kind=write ;;
  *) kind=read ;;
esac
printf '{\\n\\t\"id\": \"0b1\",\\n\\t\"description\": \"footman\",\\n\\t\"token\": \"%s-me==\",\\n\\t\"permissions\": []\\n}\\n' \"$kind\"
";

/// Refuses, and still prints something.
const REFUSING: &str = "#!/bin/sh\necho 'Error: failed to create authorization' >&2\nexit 1\n";

/// Runs it in a folder of its own, beside a file of the command's with the operator's token.
fn run(influx: &str) -> (TempDir, Output) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let program = path.join("influx");
    std::fs::write(&program, influx).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(path.join("influx-configs"), "[default]\n").unwrap();
    let group = path.metadata().unwrap().gid();
    let output = Command::new("bash")
        .args(["-c", "export PATH=\"$0:$PATH\"; exec bash \"$1\""])
        .args([path, &repository("config/compose/influxdb-tokens.sh")])
        .env("ASKED", path.join("asked"))
        .env("INFLUX_CONFIGS_PATH", path.join("influx-configs"))
        .env("DOCKER_INFLUXDB_INIT_ORG", "footman")
        .env("DOCKER_INFLUXDB_INIT_BUCKET_ID", "0a2b")
        .env("FOOTMAN_SECRETS_GID", group.to_string())
        .output()
        .unwrap();
    (directory, output)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn the_writer_gets_a_token_that_may_only_write_and_grafana_one_that_may_only_read() {
    let (directory, output) = run(INFLUX);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let script = repository("config/compose/influxdb-tokens.sh");
    assert_eq!(mode(&script) & 0o100, 0o100, "the image runs what can be executed");
    let path = directory.path();
    for (file, token) in [("writer-token", "write-me=="), ("grafana-token", "read-me==")] {
        assert_eq!(std::fs::read_to_string(path.join(file)).unwrap(), token);
        assert_eq!(mode(&path.join(file)), 0o640, "for its group alone");
    }
    assert_eq!(mode(&path.join("influx-configs")), 0o600, "the operator's token");
    let asked = std::fs::read_to_string(path.join("asked")).unwrap();
    let asked: Vec<&str> = asked.lines().collect();
    assert_eq!(
        asked,
        [
            "auth create --org footman --description footman writer-token --write-bucket 0a2b --json",
            "auth create --org footman --description footman grafana-token --read-bucket 0a2b --json",
        ]
    );
    let printed = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8(printed).unwrap().contains("-me"), "a token was printed");
}

#[test]
fn a_refusal_ends_the_setup_so_that_it_is_tried_again() {
    for influx in [REFUSING, "#!/bin/sh\necho '{}'\n"] {
        let (directory, output) = run(influx);
        assert!(!output.status.success(), "{influx}");
        assert!(!directory.path().join("writer-token").exists(), "{influx}");
    }
}
