//! The servers of the site: what to poll, how it is tagged, how its certificate is verified.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::hosts::HostPort;
use super::nearest::nearest;
use super::section::Section;
use crate::secret::Secret;

/// One entry of `serversToMonitor.servers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The name that tags, subjects and logs use.
    pub name: String,
    /// What the server is for.
    pub description: String,
    /// The engine's host as written, with its port.
    pub host: String,
    /// The server's own tags, in the order of the file.
    pub tags: Vec<(String, String)>,
    /// Headers sent with health polls.
    pub headers: Vec<(String, Secret)>,
    /// Which sessions to poll; none when they are off for the site or for this server.
    pub sessions: Option<ServerSessions>,
    /// The name its certificate must hold, when it is not the host's.
    pub tls_server_name: Option<String>,
    /// How its certificate is verified.
    pub verify: Verify,
}

/// The proxy of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSessions {
    /// The proxy's host as written, with its port.
    pub host: String,
    /// The prefixes of its virtual proxies, each with a leading slash.
    pub virtual_proxies: Vec<String>,
}

/// How far a certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// The chain and the name.
    Full,
    /// The chain alone.
    Chain,
    /// Nothing.
    None,
}

/// How `collector.servers` has one server verified, whether it is in the file or discovered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerTls {
    /// The name its certificate must hold.
    pub tls_server_name: Option<String>,
    /// How its certificate is verified; by its host when none.
    pub verify: Option<Verify>,
}

/// What `collector.servers` calls a server that discovery finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Naming {
    /// The name in the place of the node's own.
    pub name: Option<String>,
    /// Its tags, in the order of the file; they win over those of `collector.discovery`.
    pub tags: Vec<(String, String)>,
}

/// `collector.servers`, by the names that the file uses.
pub(super) struct Said {
    /// How servers are verified.
    pub(super) tls: BTreeMap<String, ServerTls>,
    /// What discovered ones are called.
    pub(super) namings: BTreeMap<String, Naming>,
}

/// What is polled and how often.
pub(super) struct Site {
    /// How often each engine is polled.
    pub(super) interval: Duration,
    /// False when no certificate is verified.
    pub(super) reject_unauthorized: bool,
    /// The servers, in the order of the file.
    pub(super) servers: Vec<Server>,
    /// The tags that every server should have.
    pub(super) defined_tags: Vec<String>,
}

/// The form of the list of virtual proxies, for messages.
const PROXIES_FORM: &str = "at least one virtual proxy, such as [{ virtualProxy: / }]";
const HEALTH_INTERVAL_MS: u32 = 30_000;
const VERIFY: [(&str, Verify); 3] =
    [("full", Verify::Full), ("chain", Verify::Chain), ("none", Verify::None)];

/// Reads `collector.servers`; names and tags are for discovered servers alone.
pub(super) fn read_said(collector: &Section<'_>, discovers: bool) -> Said {
    let named = collector.named("servers", |server| {
        let is_given = server.is_given("verify");
        let verify = server.one_of("verify", &VERIFY, Verify::Full, "full");
        let tls_server_name = server.optional_text("tlsServerName");
        if let Some(name) = &tls_server_name
            && url::Host::parse(name).is_err()
        {
            server.problem("tlsServerName", format!("{name:?} is no host name"), None);
        }
        let naming = Naming { name: server.optional_text("name"), tags: server.pairs("tags") };
        if !discovers {
            refuse_naming(&server, &naming);
        }
        if is_given && verify == Verify::None {
            let what = "its certificate is not verified: anybody may answer in its place; chain \
                        or tlsServerName serve a name that does not fit";
            server.warn("verify", what);
        }
        server.finish();
        (ServerTls { tls_server_name, verify: is_given.then_some(verify) }, naming)
    });
    let mut said = Said { tls: BTreeMap::new(), namings: BTreeMap::new() };
    for (name, (tls, naming)) in named {
        said.tls.insert(name.clone(), tls);
        said.namings.insert(name, naming);
    }
    said
}

/// Says that a server is named and tagged where it is listed.
fn refuse_naming(server: &Section<'_>, naming: &Naming) {
    let elsewhere = |key, theirs| {
        let wrong = format!(
            "is for servers that collector.discovery finds; {theirs} in serversToMonitor.servers \
             says it of this one"
        );
        server.problem(key, wrong, None);
    };
    if naming.name.is_some() {
        elsewhere("name", "serverName");
    }
    if !naming.tags.is_empty() {
        elsewhere("tags", "serverTags");
    }
}

/// Finds names in `collector.servers` that no server has; discovered servers are not known yet.
pub(super) fn check_names(
    collector: &Section<'_>,
    tls: &BTreeMap<String, ServerTls>,
    servers: &[Server],
) {
    let names: BTreeSet<&str> = servers.iter().map(|server| server.name.as_str()).collect();
    for name in tls.keys().filter(|name| !names.contains(name.as_str())) {
        let near = nearest(name, names.iter().copied());
        collector.problem_named("servers", name, "no server has this name", near);
    }
}

/// Finds names and tags that `collector.servers` gives to servers of the file.
pub(super) fn check_namings(
    collector: &Section<'_>,
    namings: &BTreeMap<String, Naming>,
    servers: &[Server],
) {
    let names: BTreeSet<&str> = servers.iter().map(|server| server.name.as_str()).collect();
    for (name, naming) in namings {
        if *naming != Naming::default() && names.contains(name.as_str()) {
            let wrong = "gives a name or tags to a server of serversToMonitor.servers, which \
                         stays as it is written there";
            collector.problem_named("servers", name, wrong, None);
        }
    }
}

/// Reads `serversToMonitor`.
pub(super) fn read(
    section: Section<'_>,
    polls_sessions: bool,
    tls: &BTreeMap<String, ServerTls>,
) -> Site {
    let interval = section.milliseconds("pollingInterval", HEALTH_INTERVAL_MS);
    let reject_unauthorized = section.flag("rejectUnauthorized", true);
    if !reject_unauthorized {
        let what = "no certificate of the site is verified: anybody may answer in its place";
        section.warn("rejectUnauthorized", what);
    }
    let defined = section.texts("serverTagsDefinition", &[]);
    let servers = section.items("servers", |server| {
        read_server(server, polls_sessions, reject_unauthorized, &defined, tls)
    });
    let mut hosts: BTreeMap<String, &str> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (index, server) in servers.iter().enumerate() {
        if !seen.insert(server.name.as_str()) {
            let what = format!(
                "another server is called {:?} too: their events can be told apart by host alone",
                server.name
            );
            section.warn_at("servers", index, what);
        } else if let Some(other) = hosts.get(&server.host.to_lowercase()) {
            let what = format!("{} is the host of {other:?} too: it is polled twice", server.host);
            section.warn_at("servers", index, what);
        }
        if !server.host.is_empty() {
            hosts.entry(server.host.to_lowercase()).or_insert(&server.name);
        }
    }
    section.finish();
    Site { interval, reject_unauthorized, servers, defined_tags: defined }
}

fn read_server(
    section: Section<'_>,
    polls_sessions: bool,
    reject_unauthorized: bool,
    defined: &[String],
    tls: &BTreeMap<String, ServerTls>,
) -> Server {
    let host = section.required_host("host");
    if host.as_ref().is_some_and(|host| host.port.is_none()) {
        section.warn("host", "has no port: 443 is asked, and engines listen on 4747");
    }
    let name = section.required_text("serverName");
    let description = section.text("serverDescription", "");
    let sessions = read_sessions(section.section("userSessions"), polls_sessions);
    let tags = section.pairs("serverTags");
    check_tags(&section, defined, &tags);
    let headers = section.secret_pairs(
        "headers",
        |name, value| {
            HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
        },
        "a header's name, and a value without line breaks",
    );
    section.finish();
    let own = tls.get(&name);
    let tls_server_name = own.and_then(|own| own.tls_server_name.clone());
    let is_address = host.as_ref().is_some_and(HostPort::is_address);
    let verify = match own.and_then(|own| own.verify) {
        _ if !reject_unauthorized => Verify::None,
        Some(verify) => verify,
        None if is_address && tls_server_name.is_none() => Verify::Chain,
        None => Verify::Full,
    };
    let host = host.map(|host| host.authority()).unwrap_or_default();
    Server { name, description, host, tags, headers, sessions, tls_server_name, verify }
}

fn read_sessions(section: Section<'_>, polls_sessions: bool) -> Option<ServerSessions> {
    let enabled = section.switch("enable", false) && polls_sessions;
    let section = section.quiet_unless(enabled);
    let host = section.required_host("host");
    if host.as_ref().is_some_and(|host| host.port.is_none()) {
        section.warn("host", "has no port: 443 is asked, and proxies listen on 4243");
    }
    let prefixes = section.items("virtualProxies", |proxy| {
        let prefix = proxy.required_text("virtualProxy");
        if prefix.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#')) {
            let wrong = format!("{prefix:?} is no prefix");
            proxy.problem("virtualProxy", wrong, Some("/, or / and the prefix of the proxy"));
        }
        proxy.finish();
        prefix
    });
    if prefixes.is_empty() && !section.is_given("virtualProxies") {
        section.missing("virtualProxies", PROXIES_FORM);
    } else if prefixes.is_empty() {
        section.problem("virtualProxies", "is empty", Some(PROXIES_FORM));
    }
    let mut virtual_proxies: Vec<String> = Vec::with_capacity(prefixes.len());
    for (index, prefix) in prefixes.into_iter().enumerate() {
        let proxy = format!("/{}", prefix.strip_prefix('/').unwrap_or(&prefix));
        if proxy != prefix {
            let what = format!("{prefix:?} has no leading slash: {proxy:?} is polled");
            section.warn_at("virtualProxies", index, what);
        }
        if virtual_proxies.contains(&proxy) {
            let what = format!("{proxy:?} is listed twice: it is polled once");
            section.warn_at("virtualProxies", index, what);
        } else {
            virtual_proxies.push(proxy);
        }
    }
    section.finish();
    let host = host.map(|host| host.authority()).unwrap_or_default();
    enabled.then_some(ServerSessions { host, virtual_proxies })
}

/// Compares the tags of a server with those that every server should have.
fn check_tags(server: &Section<'_>, defined: &[String], tags: &[(String, String)]) {
    for (tag, _) in tags {
        if !defined.contains(tag) {
            let what = format!("the tag {tag:?} is not in serversToMonitor.serverTagsDefinition");
            server.warn("serverTags", what);
        }
    }
    for tag in defined {
        if !tags.iter().any(|(name, _)| name == tag) {
            let what =
                format!("the tag {tag:?} of serversToMonitor.serverTagsDefinition is missing");
            server.warn("serverTags", what);
        }
    }
}
