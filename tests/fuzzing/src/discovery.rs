//! What the repository tells of a site: any three lists make addresses that lead to the services of
//! their nodes and nowhere else, and a configuration that reads as what was found.
//!
//! The lists stand in one object under `nodes`, `engines` and `proxies`.

use std::collections::BTreeMap;

use collector::discovery::{Found, FoundServer};
use collector::fuzzing::discovered;
use serde_json::value::RawValue;
use yaml_rust2::{Yaml, YamlLoader};

/// Nodes that are taken of a site at most.
const MOST_NODES: usize = 1_000;
/// Virtual proxies that are taken of one proxy at most.
const MOST_VIRTUAL_PROXIES: usize = 100;

/// Reads the three lists.
pub fn discovery(bytes: &[u8]) {
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(bytes).unwrap_or_default();
    let list = |name: &str| members.get(name).map_or(bytes, |raw| raw.get().as_bytes());
    let lists = [list("nodes"), list("engines"), list("proxies")];
    let Some(site) = discovered(lists).unwrap() else { return };
    assert!(site.found.servers.len() <= MOST_NODES);
    for url in &site.urls {
        check_url(url);
    }
    let proxies: usize = site.found.servers.iter().map(|one| one.virtual_proxies.len()).sum();
    let engines = site.found.servers.iter().filter(|one| one.engine.is_some()).count();
    assert!(site.urls.len() <= proxies + engines + 1);
    check_configuration(&site.found);
}

/// A host, a port, and a path of the API: neither a user name nor a step elsewhere.
fn check_url(url: &str) {
    let (authority, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
    assert!(!authority.contains('@') && !authority.is_empty(), "{url}");
    let is_sessions = path.starts_with("qps/") && path.ends_with("session");
    assert!(is_sessions || ["engine/healthcheck", "qrs/app"].contains(&path), "{url}");
}

fn check_configuration(found: &Found) {
    let text = found.as_yaml();
    let documents = YamlLoader::load_from_str(&text).unwrap();
    let servers = &documents[0]["Butler-SOS"]["serversToMonitor"]["servers"];
    let written = found.servers.iter().filter(|one| one.engine.is_some());
    let written: Vec<&FoundServer> = written.collect();
    let servers = servers.as_vec().unwrap();
    assert_eq!(servers.len(), written.len());
    for (server, found) in servers.iter().zip(written) {
        let text = |yaml: &Yaml| yaml.as_str().map(str::to_owned);
        assert_eq!(text(&server["host"]), found.engine);
        assert_eq!(text(&server["serverName"]).as_ref(), Some(&found.name));
        assert_eq!(text(&server["userSessions"]["host"]), found.proxy);
        assert!(found.virtual_proxies.len() <= MOST_VIRTUAL_PROXIES);
        assert!(found.virtual_proxies.iter().all(|prefix| prefix.starts_with('/')));
    }
}
