//! `docker-compose.yml`: what it may hold, and what no service may be without.

use std::collections::BTreeSet;

use yaml_rust2::Yaml;

use super::yaml::{document, interpolated, items, keys, scalar, texts};
use super::{SECRETS, repository, text};

pub(crate) const FILE: &str = "docker-compose.yml";

/// Every service, and the profile that starts it; none for those that always start.
const SERVICES: [(&str, Option<&str>); 10] = [
    ("collector", None),
    ("footman", Some("tools")),
    ("grafana", None),
    ("influxdb", None),
    ("influxdb1", Some("influxdb1")),
    ("influxdb3", Some("influxdb3")),
    ("mosquitto", Some("mosquitto")),
    ("nats", None),
    ("simulator", Some("demo")),
    ("writer", None),
];

/// The keys that a service may have; what else the specification knows is not used here.
const SERVICE_KEYS: [&str; 22] = [
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "deploy",
    "entrypoint",
    "environment",
    "group_add",
    "healthcheck",
    "image",
    "logging",
    "networks",
    "ports",
    "profiles",
    "read_only",
    "restart",
    "secrets",
    "security_opt",
    "stop_grace_period",
    "tmpfs",
    "user",
    "volumes",
];

fn services(file: &Yaml) -> impl Iterator<Item = (&str, &Yaml)> {
    let services = file["services"].as_hash().unwrap();
    services.iter().map(|(name, service)| (name.as_str().unwrap(), service))
}

#[test]
fn the_services_are_those_of_the_documentation() {
    let file = document(FILE);
    let allowed = ["name", "networks", "secrets", "services", "volumes", "x-hardened"];
    let sections: BTreeSet<&str> = keys(&file).into_iter().collect();
    assert_eq!(sections, allowed.into_iter().collect());
    let found: BTreeSet<_> = services(&file)
        .map(|(name, service)| {
            let profiles = texts(&service["profiles"]);
            assert!(profiles.len() <= 1, "{name}");
            (name, profiles.first().copied())
        })
        .collect();
    assert_eq!(found, SERVICES.into_iter().collect());
    for (name, service) in services(&file) {
        let unknown: Vec<_> =
            keys(service).into_iter().filter(|key| !SERVICE_KEYS.contains(key)).collect();
        assert!(unknown.is_empty(), "{name} has {unknown:?}");
    }
    assert!(keys(&file["services"]["writer"]).iter().all(|&key| key != "ports"), "it is scaled");
}

#[test]
fn every_service_is_confined() {
    let file = document(FILE);
    for (name, service) in services(&file) {
        assert_eq!(service["read_only"].as_bool(), Some(true), "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        let groups = texts(&service["group_add"]);
        assert!(groups.len() == 1 && groups[0].contains("FOOTMAN_SECRETS_GID:?"), "{name}");
        assert_eq!(service["logging"]["options"]["max-size"].as_str(), Some("10m"), "{name}");
        assert_eq!(service["logging"]["options"]["max-file"].as_str(), Some("3"), "{name}");
        let limits = &service["deploy"]["resources"]["limits"];
        assert!(scalar(&limits["memory"]).ends_with(['M', 'G']), "{name}: {limits:?}");
        assert!(scalar(&limits["cpus"]).parse::<f64>().is_ok(), "{name}: {limits:?}");
        assert!(limits["pids"].as_i64().is_some(), "{name}: {limits:?}");
        for port in texts(&service["ports"]) {
            let port = interpolated(port);
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port}");
        }
        let image = interpolated(service["image"].as_str().unwrap());
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
        assert!(tag.split('.').count() >= 3, "{name}: {tag} is no exact version");
    }
}

#[test]
fn no_password_stands_in_it() {
    let file = document(FILE);
    for (name, service) in services(&file) {
        for key in keys(&service["environment"]) {
            let value = scalar(&service["environment"][key]);
            let is_secret = ["PASSWORD", "TOKEN", "SECRET", "KEY"].iter().any(|s| key.contains(s))
                && !key.ends_with("_GID");
            let names_a_file = key.ends_with("_FILE") && interpolated(&value).starts_with("/run/");
            let is_unset = key.ends_with("_FILE") && interpolated(&value).is_empty();
            assert!(!is_secret || names_a_file || is_unset, "{name}: {key}");
        }
    }
    assert!(!text(FILE).to_lowercase().contains("changeme"));
}

#[test]
fn every_secret_is_one_that_footman_secrets_makes() {
    let file = document(FILE);
    let declared: BTreeSet<&str> = keys(&file["secrets"]).into_iter().collect();
    for &secret in &declared {
        assert!(SECRETS.contains(&secret), "{secret} is made by nobody");
        let path = file["secrets"][secret]["file"].as_str().unwrap();
        assert_eq!(path, format!("./secrets/{secret}"));
    }
    let used: BTreeSet<&str> =
        services(&file).flat_map(|(_, service)| texts(&service["secrets"])).collect();
    assert_eq!(declared, used);
    for (name, service) in services(&file) {
        let own: BTreeSet<&str> = texts(&service["secrets"]).into_iter().collect();
        for key in keys(&service["environment"]) {
            let value = interpolated(&scalar(&service["environment"][key]));
            if let Some(secret) = value.strip_prefix("/run/secrets/") {
                assert!(
                    own.contains(secret),
                    "{name}: {key} names {secret}, which it is not given"
                );
            }
        }
    }
}

#[test]
fn every_mount_has_its_source() {
    let file = document(FILE);
    let volumes: BTreeSet<&str> = keys(&file["volumes"]).into_iter().collect();
    let mut used = BTreeSet::new();
    for (name, service) in services(&file) {
        for mount in items(&service["volumes"]) {
            let source = interpolated(mount["source"].as_str().unwrap());
            match mount["type"].as_str().unwrap() {
                "volume" => {
                    assert!(volumes.contains(source.as_str()), "{name}: {source}");
                    used.insert(source);
                }
                "bind" => {
                    assert_eq!(mount["read_only"].as_bool(), Some(true), "{name}: {source}");
                    let path = source.strip_prefix("./").unwrap();
                    // The operator's own, from the Qlik Management Console.
                    let is_given = path == "certificates";
                    assert!(is_given || repository(path).exists(), "{name}: {path}");
                }
                other => panic!("{name}: a mount of type {other}"),
            }
        }
    }
    assert_eq!(used.iter().map(String::as_str).collect::<BTreeSet<_>>(), volumes);
}

#[test]
fn services_start_when_what_they_need_is_healthy() {
    let file = document(FILE);
    let images = super::images::Dockerfile::read();
    for (name, service) in services(&file) {
        let checked_by_image = service["build"]["target"]
            .as_str()
            .is_some_and(|target| images.stage(target).is_checked());
        let test = texts(&service["healthcheck"]["test"]);
        let is_tool = SERVICES.contains(&(name, Some("tools")));
        assert!(is_tool || checked_by_image || test.first() == Some(&"CMD"), "{name} is unwatched");
        for needed in keys(&service["depends_on"]) {
            let how = &service["depends_on"][needed];
            assert_eq!(how["condition"].as_str(), Some("service_healthy"), "{name}: {needed}");
            let (_, profile) = SERVICES.into_iter().find(|(one, _)| *one == needed).unwrap();
            let must_be = how["required"].as_bool().unwrap_or(true);
            assert_eq!(must_be, profile.is_none(), "{name}: {needed} starts by a profile");
        }
        for network in keys_or_texts(&service["networks"]) {
            assert!(keys(&file["networks"]).contains(&network), "{name}: {network}");
        }
    }
    assert_eq!(file["networks"]["store"]["internal"].as_bool(), Some(true));
}

fn keys_or_texts(yaml: &Yaml) -> Vec<&str> {
    if yaml.as_hash().is_some() { keys(yaml) } else { texts(yaml) }
}
