//! The servers of the site.

use std::time::Duration;

use super::{Folder, config, mistakes, site_with, told, warnings};
use crate::config::{Naming, Verify, parse_host};

/// A site of the given `serversToMonitor` and `collector`, with sessions on.
fn site(monitor: &str, own: &str) -> String {
    format!(
        "\
Butler-SOS:
  cert: {{clientCert: client.pem, clientCertKey: client_key.pem, clientCertCA: root.pem}}
  userSessions: {{enableSessionExtract: true}}
  serversToMonitor: {monitor}
  collector: {own}
"
    )
}

#[test]
fn verification_follows_host_and_keys() {
    for (host, own, reject, verify) in [
        ("a:4747", "{}", true, Verify::Full),
        ("10.0.0.1:4747", "{}", true, Verify::Chain),
        ("'[::1]:4747'", "{}", true, Verify::Chain),
        ("10.0.0.1:4747", "{servers: {one: {tlsServerName: a.example}}}", true, Verify::Full),
        ("10.0.0.1:4747", "{servers: {one: {verify: full}}}", true, Verify::Full),
        ("a:4747", "{servers: {one: {verify: chain}}}", true, Verify::Chain),
        ("a:4747", "{servers: {one: {verify: none}}}", true, Verify::None),
        ("a:4747", "{servers: {one: {verify: full}}}", false, Verify::None),
    ] {
        let servers = format!("[{{host: {host}, serverName: one}}]");
        let monitor = format!("{{rejectUnauthorized: {reject}, servers: {servers}}}");
        let config = config(&site(&monitor, own));
        assert_eq!(config.collector.servers[0].verify, verify, "{host} {own} {reject}");
    }
}

#[test]
fn a_name_that_no_server_has_is_a_mistake() {
    let monitor = "{servers: [{host: 'a:1', serverName: sense1.corp}]}";
    let text = site(monitor, "{servers: {sense1.corpp: {verify: chain}}}");
    let error = Folder::new().read(&text, &[]).unwrap_err();
    assert_eq!(
        told(&error.problems),
        ["collector.servers.\"sense1.corpp\": no server has this name"]
    );
    assert_eq!(error.problems[0].nearest.as_deref(), Some("sense1.corp"));
}

/// A site whose servers are discovered.
fn discovering(monitor: &str, servers: &str) -> String {
    let own = format!("{{servers: {servers}, discovery: {{enable: true, tags: {{b: 1, a: x}}}}}}");
    site(monitor, &own) + "  appNames: {enableAppNameExtract: false, hostIP: a}\n"
}

#[test]
fn discovered_servers_may_be_named() {
    let said = "{later: {verify: chain, name: Sales, tags: {z: 1, b: 2}}, 'sense1.corp:4747': ~}";
    let collector = config(&discovering("{servers: null}", said)).collector;
    assert_eq!(collector.server_tls["later"].verify, Some(Verify::Chain));
    let discovery = collector.discovery.unwrap();
    assert_eq!((discovery.host.as_str(), discovery.port), ("a", 4242));
    assert_eq!(discovery.interval, Duration::from_mins(10));
    let names = |tags: &[(String, String)]| -> Vec<String> {
        tags.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&discovery.tags), ["b", "a"], "the order of the file");
    let later = &discovery.namings["later"];
    assert_eq!(
        (later.name.as_deref(), names(&later.tags)),
        (Some("Sales"), vec!["z".into(), "b".into()])
    );
    assert_eq!(discovery.namings["sense1.corp:4747"], Naming::default());
    assert!(collector.app_names.is_none() && collector.certificates.is_some());
}

#[test]
fn tags_of_discovered_servers_are_compared_with_the_definition() {
    let monitor = "{serverTagsDefinition: [a, z], servers: null}";
    let text = discovering(monitor, "{later: {tags: {z: 1, y: 2}}}");
    let said = |key, tag| {
        format!(
            "collector.{key}: the tag \"{tag}\" is not in serversToMonitor.serverTagsDefinition"
        )
    };
    assert_eq!(warnings(&text), [said("discovery", "b"), said("servers", "y")]);
}

#[test]
fn servers_of_the_file_are_named_where_they_are_listed() {
    let monitor = "{servers: [{host: 'a:1', serverName: one}, {host: 'b:1', serverName: two}]}";
    let named = "{one: {name: x, tags: {a: 1}}, two: {verify: chain, tags: {}}}";
    let theirs = |key: &str, written: &str| {
        format!(
            "collector.servers.one.{key}: is for servers that collector.discovery finds; {written} \
             in serversToMonitor.servers says it of this one"
        )
    };
    assert_eq!(
        mistakes(&site(monitor, &format!("{{servers: {named}}}"))),
        [theirs("name", "serverName"), theirs("tags", "serverTags")]
    );
    assert_eq!(
        mistakes(&discovering(monitor, named)),
        ["collector.servers.one: gives a name or tags to a server of serversToMonitor.servers, \
          which stays as it is written there"]
    );
    config(&discovering(monitor, "{one: {verify: chain}, other: {name: x}}"));
}

#[test]
fn hosts_are_read_as_they_stand_in_urls() {
    for (text, host) in [
        ("sense1.corp.com", Some("sense1.corp.com")),
        ("fd00::1", Some("[fd00::1]")),
        ("10.0.0.1", Some("10.0.0.1")),
        ("sense1:4747", None),
        ("https://sense1", None),
        ("", None),
    ] {
        assert_eq!(parse_host(text).as_deref(), host, "{text}");
    }
}

#[test]
fn discovery_needs_a_repository() {
    let told = mistakes(&site("{servers: null}", "{discovery: {enable: true}}"));
    assert!(told.contains(&"appNames.hostIP: is missing".to_owned()), "{told:?}");
}

#[test]
fn virtual_proxies_get_their_slash() {
    let proxies = "[{virtualProxy: /}, {virtualProxy: hdr}, {virtualProxy: /hdr}]";
    let sessions = format!("{{enable: true, host: 'a:4243', virtualProxies: {proxies}}}");
    let server = format!("{{host: 'a:1', serverName: one, userSessions: {sessions}}}");
    let text = site(&format!("{{servers: [{server}]}}"), "{}");
    let sessions = config(&text).collector.servers[0].sessions.clone().unwrap();
    assert_eq!(sessions.virtual_proxies, ["/", "/hdr"]);
    assert_eq!(
        warnings(&text),
        [
            "serversToMonitor.servers[0].userSessions.virtualProxies[1]: \
             \"hdr\" has no leading slash: \"/hdr\" is polled",
            "serversToMonitor.servers[0].userSessions.virtualProxies[2]: \
             \"/hdr\" is listed twice: it is polled once",
        ]
    );
}

#[test]
fn odd_servers_are_warned_of() {
    let odd = |monitor: &str| warnings(&site(monitor, "{}"));
    for (monitor, said) in [
        ("{servers: [{host: a, serverName: one}]}", "servers[0].host: has no port"),
        (
            "{servers: [{host: 'a:1', serverName: one}, {host: 'b:1', serverName: one}]}",
            "servers[1]: another server is called \"one\"",
        ),
        (
            "{servers: [{host: 'a:1', serverName: one, serverTags: {env: prod}}]}",
            "servers[0].serverTags: the tag \"env\" is not in",
        ),
        (
            "{serverTagsDefinition: [env], servers: [{host: 'a:1', serverName: one, serverTags: {env: ~}}]}",
            "servers[0].serverTags: the tag \"env\" of serversToMonitor.serverTagsDefinition is",
        ),
        ("{rejectUnauthorized: false}", "rejectUnauthorized: no certificate of the site"),
    ] {
        let odd = odd(monitor);
        assert_eq!(odd.len(), 1, "{odd:?}");
        assert!(odd[0].starts_with(&format!("serversToMonitor.{said}")), "{odd:?}");
    }
}

#[test]
fn wrong_servers_are_mistakes() {
    for (server, said) in [
        ("serverName: one", "host: is missing"),
        ("host: 'a:1'", "serverName: is missing"),
        ("host: 'a:99999', serverName: one", "host: \"a:99999\" is no host"),
        ("host: 'a:1', serverName: one, logDbHost: x", "logDbHost: unknown key"),
        ("host: 'a:1', serverName: one, headers: {'a b': c}", "headers.\"a b\": is not allowed"),
        ("host: 'a:1', serverName: one, serverTags: {a: [1]}", "serverTags.a: is a list"),
        ("host: 'a:1', serverName: one, serverTags: [a]", "serverTags: is a list"),
        (
            "host: 'a:1', serverName: one, userSessions: {enable: true, host: 'a:2'}",
            "userSessions.virtualProxies: is missing",
        ),
        (
            "host: 'a:1', serverName: one, userSessions: {enable: true, host: 'a:2', virtualProxies: []}",
            "userSessions.virtualProxies: is empty",
        ),
        (
            "host: 'a:1', serverName: one, userSessions: {enable: true, host: 'a:2', virtualProxies: [{virtualProxy: '/a b'}]}",
            "userSessions.virtualProxies[0].virtualProxy: \"/a b\" is no prefix",
        ),
        (
            "host: 'a:1', serverName: one, userSessions: {host: 'a:2'}",
            "userSessions.enable: is missing",
        ),
    ] {
        let told = mistakes(&site(&format!("{{servers: [{{{server}}}]}}"), "{}"));
        assert_eq!(told, [format!("serversToMonitor.servers[0].{said}")], "{server}");
    }
}

#[test]
fn sessions_that_are_off_for_the_site_are_off_for_every_server() {
    let text = site_with("userSessions: {enableSessionExtract: false}\n").replace(
        "serverName: sense1\n",
        "serverName: sense1\n        userSessions: {enable: true, host: <host>}\n",
    );
    assert!(config(&text).collector.servers[0].sessions.is_none());
}
