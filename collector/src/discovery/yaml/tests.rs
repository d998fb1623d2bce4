//! What is printed, read again by the one reader of configurations.

use proptest::prelude::*;
use shared::config::{Collector, Naming, from_text};

use super::*;
use crate::discovery::answers::Node;
use crate::discovery::choose::choose;
use crate::discovery::choose::tests::{discovery, node, say};
use crate::endpoint::tests::{collector, server};
use crate::endpoint::{Endpoint, Polled, endpoints};

fn of_servers(collector: &Collector, servers: &[Polled]) -> Vec<Endpoint> {
    endpoints(collector, servers, "qliksense", "k").unwrap()
}

/// What the printed configuration makes the collector poll.
fn read_again(text: &str) -> Vec<Endpoint> {
    let files = tempfile::tempdir().unwrap();
    for name in ["client.pem", "key.pem", "root.pem"] {
        std::fs::write(files.path().join(name), "no certificate").unwrap();
    }
    let text = format!(
        "{text}  cert: {{ clientCert: client.pem, clientCertKey: key.pem, clientCertCA: root.pem }}\n  \
         userSessions: {{ enableSessionExtract: true, pollingInterval: 4000 }}\n"
    );
    let loaded = from_text(&text, &files.path().join("pasted.yaml"), []);
    let config = loaded.unwrap_or_else(|error| panic!("{error}\n{text}")).config;
    of_servers(&config.collector, &Polled::of_file(&config.collector))
}

/// The same, but for the name under which the file would say how a server is verified.
fn comparable(endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    endpoints.into_iter().map(|one| Endpoint { verified_as: None, ..one }).collect()
}

#[test]
fn as_an_operator_sees_it() {
    let (mut collector, mut discovery) = (collector(vec![server("Mine", "sense9")]), discovery());
    discovery.exclude = vec!["dev".to_owned()];
    let naming = Naming { name: Some("Sales".to_owned()), tags: vec![] };
    let tls = ServerTls { tls_server_name: Some("sense1".to_owned()), verify: Some(Verify::Full) };
    say(&mut collector, &mut discovery, "Node 1", naming, tls);
    let nodes = [
        node("Node 1", "10.0.0.1"),
        Node { proxy: None, ..node("Node 2", "sense2") },
        node("dev", "sense3"),
        Node { engine_port: None, ..node("gate", "sense4") },
        node("mine", "sense9"),
    ];
    let choice = choose(&collector, &discovery, &nodes);
    assert_eq!(
        of(&choice, "sense1:4242"),
        r#"# What the repository sense1:4242 knows.
# "dev" (sense3) is excluded by collector.discovery.exclude.
# "mine" (sense9) is in serversToMonitor.servers already.
# "gate" (sense4:4243) has a proxy and no engine, which only discovery can poll.
Butler-SOS:
  serversToMonitor:
    servers:
      - host: "10.0.0.1:4747"
        serverName: "Sales"
        serverDescription: ""
        userSessions:
          enable: true
          host: "10.0.0.1:4243"
          virtualProxies:
            - virtualProxy: "/"
            - virtualProxy: "/a/b"
        serverTags: {"env": "prod", "unit": "bi"}
      - host: "sense2:4747"
        serverName: "Node 2"
        serverDescription: ""
        userSessions: { enable: false }
        serverTags: {"env": "prod", "unit": "bi"}
  collector:
    servers:
      "Sales": { tlsServerName: "sense1", verify: full }
"#
    );
}

#[test]
fn what_is_printed_makes_the_same_endpoints() {
    let (mut collector, mut discovery) = (collector(Vec::new()), discovery());
    let naming = Naming { name: Some("Sales".to_owned()), tags: vec![] };
    let tls = ServerTls { tls_server_name: Some("sense1".to_owned()), verify: None };
    say(&mut collector, &mut discovery, "Node 1", naming, tls);
    let nodes = [
        node("Node 1", "10.0.0.1"),
        node("Node 2", "[fd00::1]"),
        Node { engine_port: Some(4748), ..node("Node 2", "Sense2.corp.com") },
        Node { proxy: None, ..node("Node 4", "sense4") },
    ];
    let choice = choose(&collector, &discovery, &nodes);
    let polled = of_servers(&collector, &choice.with_file(&collector));
    assert_eq!(comparable(read_again(&of(&choice, "r"))), comparable(polled));
    let none = of(&Choice::default(), "r");
    assert_eq!(read_again(&none), []);
}

proptest! {
    #[test]
    fn any_name_is_read_as_it_was(name in "\\PC{1,20}|[\\x00-\\xff]{1,20}|\\s*[\"\\\\#:{}'%&*!|>@`-]{1,9}", tag in any::<String>()) {
        let collector = collector(Vec::new());
        let mut discovery = discovery();
        discovery.tags = vec![("a".to_owned(), tag)];
        // As it comes from the repository: without space around it.
        let name = name.trim();
        prop_assume!(!name.is_empty());
        let choice = choose(&collector, &discovery, &[node(name, "sense1")]);
        let polled = of_servers(&collector, &choice.with_file(&collector));
        prop_assert_eq!(comparable(read_again(&of(&choice, "r"))), comparable(polled));
    }
}
