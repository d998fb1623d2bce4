//! The file wins, names, tags and excludes.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::config::{Collector, Discovery};
use shared::tls::Verification;

use super::*;
use crate::discovery::answers::NodeProxy;
use crate::endpoint::tests::{collector, server};
use crate::endpoint::{Endpoint, endpoints};

pub(in crate::discovery) fn discovery() -> Discovery {
    Discovery {
        interval: Duration::from_mins(10),
        exclude: Vec::new(),
        tags: vec![("env".to_owned(), "prod".to_owned()), ("unit".to_owned(), "bi".to_owned())],
        namings: BTreeMap::new(),
        host: "sense1.corp.com".to_owned(),
        port: 4242,
    }
}

pub(in crate::discovery) fn node(name: &str, host: &str) -> Node {
    Node {
        name: name.to_owned(),
        host: host.to_owned(),
        engine_port: Some(4747),
        proxy: Some(NodeProxy { port: 4243, virtual_proxies: vec!["/".into(), "/a/b".into()] }),
    }
}

/// Says something about a server in `collector.servers`.
pub(in crate::discovery) fn say(
    collector: &mut Collector,
    discovery: &mut Discovery,
    key: &str,
    naming: Naming,
    tls: ServerTls,
) {
    collector.server_tls.insert(key.to_owned(), tls);
    discovery.namings.insert(key.to_owned(), naming);
}

fn polled(collector: &Collector, choice: &Choice) -> Vec<Endpoint> {
    endpoints(collector, &choice.with_file(collector), "qliksense", "k").unwrap()
}

fn keys(collector: &Collector, choice: &Choice) -> Vec<String> {
    polled(collector, choice).into_iter().map(|endpoint| endpoint.key).collect()
}

fn left_out(choice: &Choice) -> Vec<(&str, WhyLeftOut)> {
    choice.left_out.iter().map(|left| (left.node.as_str(), left.why)).collect()
}

#[test]
fn found_servers_are_polled_like_written_ones() {
    let collector = collector(Vec::new());
    let gate = Node { engine_port: None, ..node("gate", "10.0.0.7") };
    let choice = choose(&collector, &discovery(), &[node("Node 1", "sense1.corp.com"), gate]);
    assert_eq!(choice.notes, Vec::<String>::new());
    let all = polled(&collector, &choice);
    let urls: Vec<String> = all.iter().map(Endpoint::shown_url).collect();
    assert_eq!(
        urls,
        [
            "https://sense1.corp.com:4747/engine/healthcheck",
            "https://sense1.corp.com:4243/qps/session",
            "https://10.0.0.7:4243/qps/session",
            "https://sense1.corp.com:4243/qps/a/b/session",
            "https://10.0.0.7:4243/qps/a/b/session",
        ]
    );
    assert_eq!(all[0].key, "health/Node%201");
    assert_eq!(all[0].server.host, "sense1.corp.com:4747");
    assert_eq!(all[0].server.tags, discovery().tags.into_iter().collect());
    assert_eq!(all[0].verification, Verification::Full);
    // A host that is an address cannot be in the certificate.
    assert_eq!(
        (&all[2].verification, all[2].server.host.as_str()),
        (&Verification::Chain, "10.0.0.7:4243")
    );
}

#[test]
fn the_file_wins() {
    let mut by_name = server("RIM1", "10.0.0.2");
    by_name.sessions = None;
    let collector = collector(vec![server("Mine", "Sense1.Corp.com"), by_name]);
    let nodes = [
        node("Central", "sense1.corp.com"),
        node("rim1", "sense2"),
        // Its engine is another one than the file's on this host.
        Node { engine_port: Some(4748), ..node("second", "sense1.corp.com") },
        node("new", "sense3"),
    ];
    let choice = choose(&collector, &discovery(), &nodes);
    assert_eq!(left_out(&choice), [("Central", WhyLeftOut::InFile), ("rim1", WhyLeftOut::InFile)]);
    // The proxy of the file's server is polled once.
    assert_eq!(
        keys(&collector, &choice),
        [
            "health/Mine",
            "health/RIM1",
            "health/second",
            "health/new",
            "sessions/Mine/default",
            "sessions/new/default",
            "sessions/Mine/hdr",
            "sessions/new/a%2Fb",
        ]
    );
    let only_proxy = [Node { engine_port: None, ..node("gate", "sense1.corp.com") }];
    let choice = choose(&collector, &discovery(), &only_proxy);
    assert_eq!(choice.chosen, []);
}

#[test]
fn servers_are_excluded_by_any_of_their_names() {
    let (mut collector, mut discovery) = (collector(Vec::new()), discovery());
    let renamed = Naming { name: Some("Finance".to_owned()), tags: vec![] };
    say(&mut collector, &mut discovery, "n4", renamed, ServerTls::default());
    discovery.exclude = ["N1", "sense2.*", "sense3:4747", "finance"].map(str::to_owned).to_vec();
    let nodes = [
        node("n1", "sense1"),
        node("n2", "SENSE2.corp.com"),
        node("n3", "sense3"),
        node("n4", "sense4"),
        node("n5", "sense5"),
    ];
    let choice = choose(&collector, &discovery, &nodes);
    let excluded = |node| (node, WhyLeftOut::Excluded);
    assert_eq!(left_out(&choice), [excluded("n1"), excluded("n2"), excluded("n3"), excluded("n4")]);
    assert_eq!(choice.chosen.len(), 1);
}

#[test]
fn servers_are_named_tagged_and_verified_by_node_or_host() {
    let (mut collector, mut discovery) = (collector(Vec::new()), discovery());
    let naming = |name: Option<&str>, tag: &str| Naming {
        name: name.map(str::to_owned),
        tags: vec![("env".to_owned(), tag.to_owned()), ("own".to_owned(), "1".to_owned())],
    };
    let tls = ServerTls { tls_server_name: Some("short".to_owned()), verify: None };
    say(&mut collector, &mut discovery, "NODE 1", naming(Some("Sales"), "test"), tls);
    let chain = ServerTls { tls_server_name: None, verify: Some(Verify::Chain) };
    say(&mut collector, &mut discovery, "sense2.corp.com", naming(None, "dev"), chain);
    say(&mut collector, &mut discovery, "typo", Naming::default(), ServerTls::default());
    say(&mut collector, &mut discovery, "SENSE1.corp.com", Naming::default(), ServerTls::default());
    let nodes = [node("Node 1", "10.0.0.1"), node("Node 2", "sense2.corp.com")];
    let choice = choose(&collector, &discovery, &nodes);
    let said = "collector.servers names \"typo\", and neither a server of the file nor a node of \
                the site has this name or host";
    assert_eq!(choice.notes, [said], "the host of the repository may be named");
    let all = polled(&collector, &choice);
    assert_eq!(all[0].key, "health/Sales");
    assert_eq!(all[0].verification, Verification::As("short".to_owned()));
    assert_eq!(all[0].verified_as.as_deref(), Some("NODE 1"));
    let tags = ["env=test", "own=1", "unit=bi"];
    let written = |endpoint: &Endpoint| -> Vec<String> {
        endpoint.server.tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect()
    };
    assert_eq!(written(&all[0]), tags);
    assert_eq!(
        (all[1].key.as_str(), &all[1].verification),
        ("health/Node%202", &Verification::Chain)
    );
    collector.reject_unauthorized = false;
    let choice = choose(&collector, &discovery, &nodes);
    assert!(polled(&collector, &choice).iter().all(|one| one.verification == Verification::None));
    assert!(choice.chosen.iter().all(|chosen| chosen.polled.server.verify == Verify::None));
}

#[test]
fn equal_names_are_numbered_and_told() {
    let collector = collector(vec![server("sense9", "sense9")]);
    let nodes = [node("same", "sense1"), node("same", "sense2")];
    let choice = choose(&collector, &discovery(), &nodes);
    assert_eq!(choice.notes.len(), 1);
    assert!(choice.notes[0].starts_with("more than one found server is called \"same\""));
    assert!(keys(&collector, &choice).contains(&"health/same~2".to_owned()));
}

#[test]
fn every_way_of_verifying_has_a_client() {
    let (mut collector, mut discovery) = (collector(Vec::new()), discovery());
    let tls = ServerTls { tls_server_name: Some("short".to_owned()), verify: None };
    say(&mut collector, &mut discovery, "n1", Naming::default(), tls);
    let off = ServerTls { tls_server_name: None, verify: Some(Verify::None) };
    say(&mut collector, &mut discovery, "n2", Naming::default(), off);
    let known = crate::endpoint::verifications(&collector);
    let nodes = [node("n1", "a"), node("n2", "b"), node("n3", "10.0.0.1"), node("n4", "d")];
    for endpoint in polled(&collector, &choose(&collector, &discovery, &nodes)) {
        assert!(known.contains(&endpoint.verification), "{:?}", endpoint.verification);
    }
    assert_eq!(known.len(), 4);
}
