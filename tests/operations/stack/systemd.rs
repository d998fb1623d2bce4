//! The systemd units: keys that systemd knows, sandboxes, and command lines that the programs take.

use std::collections::BTreeMap;
use std::process::Command;

use integration_tests::programs::program;

use super::starts::{Places, certificates, check};
use super::text;

const UNITS: [&str; 3] = ["footman.service", "collector.service", "writer@.service"];

/// What systemd 252 knows and these units use, by section.
const KNOWN: [(&str, &[&str]); 3] = [
    (
        "Unit",
        &["Description", "Wants", "After", "Conflicts", "StartLimitIntervalSec", "StartLimitBurst"],
    ),
    (
        "Service",
        &[
            "Type",
            "ExecStart",
            "LoadCredential",
            "Environment",
            "Restart",
            "RestartSec",
            "RestartPreventExitStatus",
            "KillSignal",
            "TimeoutStopSec",
            "MemoryMax",
            "TasksMax",
            "LimitNOFILE",
            "User",
            "Group",
            "UMask",
            "StateDirectory",
            "StateDirectoryMode",
            "WorkingDirectory",
            "ProtectSystem",
            "ProtectHome",
            "PrivateTmp",
            "PrivateDevices",
            "PrivateUsers",
            "ProtectHostname",
            "ProtectClock",
            "ProtectKernelTunables",
            "ProtectKernelModules",
            "ProtectKernelLogs",
            "ProtectControlGroups",
            "ProtectProc",
            "NoNewPrivileges",
            "CapabilityBoundingSet",
            "AmbientCapabilities",
            "RestrictAddressFamilies",
            "RestrictNamespaces",
            "RestrictRealtime",
            "RestrictSUIDSGID",
            "LockPersonality",
            "MemoryDenyWriteExecute",
            "RemoveIPC",
            "SystemCallArchitectures",
            "SystemCallFilter",
            "SystemCallErrorNumber",
        ],
    ),
    ("Install", &["WantedBy"]),
];

/// What every unit is confined by.
const CONFINED: [(&str, &str); 12] = [
    ("User", "footman"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    ("MemoryDenyWriteExecute", "yes"),
    ("SystemCallFilter", "@system-service"),
    ("StateDirectory", "footman"),
    ("RestartPreventExitStatus", "64 78"),
];

/// The default of `shutdownGrace`, in seconds.
const SHUTDOWN_GRACE: u64 = 20;

/// The values of a unit by section and key.
fn unit(name: &str) -> BTreeMap<(String, String), Vec<String>> {
    let mut values: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in text(&format!("config/systemd/{name}")).lines() {
        if let Some(begun) = line.strip_prefix('[') {
            begun.strip_suffix(']').unwrap().clone_into(&mut section);
        } else if !line.is_empty() && !line.starts_with('#') {
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{name}: {line}"));
            values.entry((section.clone(), key.to_owned())).or_default().push(value.to_owned());
        }
    }
    values
}

fn service(name: &str, key: &str) -> Vec<String> {
    unit(name).remove(&("Service".to_owned(), key.to_owned())).unwrap_or_default()
}

#[test]
fn every_key_is_known_and_every_service_is_confined() {
    for name in UNITS {
        for (section, key) in unit(name).into_keys() {
            let (_, known) = KNOWN.iter().find(|(known, _)| *known == section).unwrap();
            assert!(known.contains(&key.as_str()), "{name}: [{section}] {key}");
        }
        for (key, value) in CONFINED {
            assert!(service(name, key).iter().any(|found| found == value), "{name}: {key}");
        }
        let patience = service(name, "TimeoutStopSec").remove(0);
        let patience: u64 = patience.strip_suffix('s').unwrap().parse().unwrap();
        assert!(patience > SHUTDOWN_GRACE, "{name}: it is killed while it drains");
    }
    assert!(text("config/systemd/footman.sysusers.conf").contains("\nu footman - "));
}

#[test]
fn secrets_come_as_credentials_that_are_named_by_their_own_keys() {
    for name in UNITS {
        let credentials = service(name, "LoadCredential");
        assert!(!credentials.is_empty(), "{name}");
        let variables = service(name, "Environment").join("\n");
        for credential in credentials {
            let (id, path) = credential.split_once(':').unwrap();
            assert_eq!(path, format!("/etc/footman/secrets/{id}"), "{name}");
            assert!(super::SECRETS.contains(&id), "{name}: {id} is made by nobody");
            assert!(variables.contains(&format!("_FILE=%d/{id}")), "{name}: {id} is not used");
        }
    }
}

/// A missing configuration is a wrong one (78); what the program does not understand is 64.
#[test]
fn the_programs_understand_their_command_lines() {
    for name in UNITS {
        let line = service(name, "ExecStart").remove(0);
        let line = line.replace("%H", "host").replace("%i", "1");
        let mut words = line.split(' ');
        let path = words.next().unwrap();
        let start = |further: &[&str]| {
            let mut command = Command::new(program(path.strip_prefix("/usr/local/bin/").unwrap()));
            command.args(words.clone()).args(further);
            let output = command.output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (code, said) = start(&[]);
        assert_eq!(code, Some(78), "{name}: {said}");
        assert!(said.contains("/etc/footman/footman.yaml"), "{name}: {said}");
        let (code, said) = start(&["--unheard-of"]);
        assert_eq!(code, Some(64), "{name}: {said}");
    }
}

#[tokio::test]
async fn what_each_unit_sets_is_part_of_a_right_configuration() {
    let places = Places::new();
    certificates(&places.path("certificates")).await;
    let credentials = places.path("secrets").display().to_string();
    for name in UNITS {
        let variables = service(name, "Environment").into_iter().map(|variable| {
            let (key, value) = variable.split_once('=').unwrap();
            (key.to_owned(), value.replace("%i", "1").replace("%d", &credentials))
        });
        let mut variables: Vec<_> = variables.collect();
        if name == "footman.service" {
            variables.push(("FOOTMAN__BROKER__TYPE".to_owned(), "embedded".to_owned()));
        }
        check(&places, "config/compose/footman.yaml", variables);
    }
}
