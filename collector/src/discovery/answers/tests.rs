//! What is read of answers in the shape that repositories send, and of odd ones.

use proptest::prelude::*;

use super::*;

/// A node as `/qrs/servernodeconfiguration/full` has it.
pub(in crate::discovery) fn node_json(id: &str, name: &str, host: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","createdDate":"2024-02-01T09:00:00.000Z","modifiedDate":"2024-02-01T09:00:00.000Z",
        "modifiedByUserName":"INTERNAL\\sa_repository","customProperties":[{{"id":"c1","value":"prod",
        "definition":{{"id":"d1","name":"environment","valueType":"Text","choiceValues":["prod"]}}}}],
        "name":"{name}","hostName":"{host}","isCentral":false,"nodePurpose":0,{more}
        "printingEnabled":true,"schedulerEnabled":false,"failoverCandidate":false,
        "serviceCluster":{{"id":"s1","name":"ServiceCluster","privileges":null}},"roles":[{{"definition":1}}],
        "tags":[{{"id":"t1","name":"rim","privileges":null}}],"privileges":null,"schemaPath":"ServerNodeConfiguration"}}"#
    )
}

fn engine_json(id: &str, host: &str, ports: &str) -> String {
    format!(
        r#"{{"id":"e{id}","serverNodeConfiguration":{{"id":"{id}","name":"n","hostName":"{host}","roles":[]}},
        "settings":{{"listenerPorts":{ports},"workingSetSizeLoPct":70,"workingSetSizeHiPct":90}},"schemaPath":"EngineService"}}"#
    )
}

fn proxy_json(id: &str, host: &str, port: &str, virtual_proxies: &str) -> String {
    format!(
        r#"{{"id":"p{id}","serverNodeConfiguration":{{"id":"{id}","name":"n","hostName":"{host}","roles":[]}},
        "settings":{{"listenPort":443,"allowHttp":false,"restListenPort":{port},"authenticationListenPort":4244,
        "virtualProxies":{virtual_proxies}}},"schemaPath":"ProxyService"}}"#
    )
}

const BOTH: &str = r#""engineEnabled":true,"proxyEnabled":true,"#;
const PROXIES: &str = r#"[{"id":"v1","prefix":"","defaultVirtualProxy":true,"description":"Central Proxy (Default)"},
    {"id":"v2","prefix":"hdr","defaultVirtualProxy":false},{"id":"v3","prefix":"sales/emea","loadBalancingServerNodes":[]}]"#;

fn reading(nodes: &[String], engines: &[String], proxies: &[String]) -> Reading {
    let list = |elements: &[String]| format!("[{}]", elements.join(",")).into_bytes();
    join(
        super::nodes(&list(nodes)).unwrap(),
        &super::engines(&list(engines)).unwrap(),
        &super::proxies(&list(proxies)).unwrap(),
    )
}

/// One node with the given proxy service and engine ports.
fn one(more: &str, engines: &[String], proxies: &[String]) -> (Option<Node>, Vec<String>) {
    let Reading { mut nodes, notes } =
        reading(&[node_json("1", "Central", "sense1.corp.com", more)], engines, proxies);
    (nodes.pop(), notes)
}

#[test]
fn a_site_as_the_repository_tells_it() {
    let Reading { nodes, notes } = reading(
        &[
            node_json("A-2", "rim1", "SENSE2", BOTH),
            node_json("A-1", "Central", "sense1.corp.com", BOTH),
            node_json("A-3", "sched", "sense3", r#""engineEnabled":false,"proxyEnabled":false,"#),
            node_json("A-4", "gate", "sense4", r#""engineEnabled":false,"proxyEnabled":true,"#),
        ],
        &[engine_json("a-1", "sense1.corp.com", "[4747]"), engine_json("a-2", "x", "[4748, 4749]")],
        &[
            proxy_json("a-1", "sense1.corp.com", "4243", PROXIES),
            proxy_json("a-2", "sense2", "14243", "[]"),
            proxy_json("a-4", "sense4", "4243", r#"[{"prefix":"/edge/"}]"#),
        ],
    );
    assert_eq!(notes, Vec::<String>::new());
    let proxy = |port, virtual_proxies: &[&str]| {
        let virtual_proxies = virtual_proxies.iter().map(|prefix| (*prefix).to_owned()).collect();
        Some(NodeProxy { port, virtual_proxies })
    };
    let node = |name: &str, host: &str, engine_port, proxy| Node {
        name: name.to_owned(),
        host: host.to_owned(),
        engine_port,
        proxy,
    };
    assert_eq!(
        nodes,
        [
            node(
                "Central",
                "sense1.corp.com",
                Some(4747),
                proxy(4243, &["/", "/hdr", "/sales/emea"])
            ),
            node("gate", "sense4", None, proxy(4243, &["/edge"])),
            node("rim1", "SENSE2", Some(4748), None),
        ]
    );
}

#[test]
fn ports_in_every_form_and_none() {
    for (ports, port, noted) in [
        ("[4748]", 4748, false),
        (r#"["4748"]"#, 4748, false),
        ("[4748.0]", 4748, false),
        (r#"[null, "x", 4.7e3, 4747]"#, 4700, false),
        ("[0, 65536, 4747.5, -1]", ENGINE_PORT, true),
        ("[]", ENGINE_PORT, true),
        ("null", ENGINE_PORT, true),
        (r#"{"a":1}"#, ENGINE_PORT, true),
    ] {
        let engines = [engine_json("1", "sense1.corp.com", ports)];
        let (node, notes) = one(r#""engineEnabled":true,"#, &engines, &[]);
        assert_eq!(node.unwrap().engine_port, Some(port), "{ports}");
        assert_eq!(notes.len(), usize::from(noted), "{ports} {notes:?}");
    }
    for (port, expected, noted) in [
        ("\"4244\"", 4244, false),
        ("4244.0", 4244, false),
        ("null", 4243, true),
        ("[]", 4243, true),
    ] {
        let proxies = [proxy_json("1", "sense1.corp.com", port, PROXIES)];
        let (node, notes) = one("", &[], &proxies);
        assert_eq!(node.unwrap().proxy.unwrap().port, expected, "{port}");
        assert_eq!(notes.len(), usize::from(noted), "{port} {notes:?}");
    }
}

#[test]
fn prefixes_that_make_no_path_are_left_out() {
    let listed = r#"[{"prefix":"a b"},{"prefix":"x?y"},{"prefix":".."},{"prefix":"a//b"},{"prefix":7},
        {"defaultVirtualProxy":true},{"prefix":null},null,"x",{"prefix":"ok"},{"prefix":"/ok"}]"#;
    let (node, notes) = one("", &[], &[proxy_json("1", "sense1.corp.com", "4243", listed)]);
    assert_eq!(node.unwrap().proxy.unwrap().virtual_proxies, ["/", "/7", "/ok"]);
    let said = "7 virtual proxies of node \"Central\" have a prefix that makes no path: they are \
                left out";
    assert_eq!(notes, [said]);
}

#[test]
fn services_are_found_by_id_or_by_host() {
    let without_id = engine_json("1", "SENSE1.corp.com", "[4750]").replace(r#""id":"1","#, "");
    let (node, _) = one("", &[without_id], &[]);
    assert_eq!(node.unwrap().engine_port, Some(4750));
    // Whether there is an engine follows from its service, unless the node says so.
    let other = engine_json("2", "sense2", "[4750]");
    assert_eq!(one("", std::slice::from_ref(&other), &[]).0, None);
    let (node, notes) = one(r#""engineEnabled":"true","#, &[other], &[]);
    assert_eq!((node.unwrap().engine_port, notes.len()), (Some(ENGINE_PORT), 1));
    let (node, notes) = one(BOTH, &[engine_json("1", "sense1.corp.com", "[4747]")], &[]);
    assert_eq!((node.unwrap().proxy, notes.len()), (None, 1));
}

#[test]
fn a_node_that_cannot_be_polled_costs_itself() {
    let sound = node_json("1", "Central", "sense1.corp.com", BOTH);
    for host in ["", "a b", "https://sense2", "sense2:4747", "user@sense2", "<host>"] {
        let nodes = [sound.clone(), node_json("2", "odd", host, BOTH), "null".into(), "7".into()];
        let engines = [engine_json("1", "sense1.corp.com", "[4747]")];
        let read = reading(&nodes, &engines, &[]);
        assert_eq!(read.nodes.len(), 1, "{host}");
        assert!(
            read.notes.iter().any(|note| note.starts_with("node \"odd\" is left out")),
            "{host}"
        );
    }
    let nameless = node_json("1", "", "sense1.corp.com", BOTH);
    let read = reading(&[nameless], &[], &[]);
    assert_eq!(read.nodes[0].name, "sense1.corp.com");
    let address = reading(&[node_json("1", "n", "fd00::1", BOTH)], &[], &[]);
    assert_eq!(address.nodes[0].host, "[fd00::1]");
}

#[test]
fn sizes_are_bounded() {
    let many: Vec<String> = (0..=MOST_NODES)
        .map(|n| node_json(&n.to_string(), &format!("n{n}"), "sense1", BOTH))
        .collect();
    let read = reading(&many, &[], &[]);
    assert_eq!(read.nodes.len(), MOST_NODES);
    assert_eq!(read.notes[0], "1 nodes beyond the first 1000 are left out");
    let prefixes: Vec<String> = (0..300).map(|n| format!(r#"{{"prefix":"v{n}"}}"#)).collect();
    let proxies = [proxy_json("1", "sense1", "4243", &format!("[{}]", prefixes.join(",")))];
    let long = "n".repeat(2_000);
    let read = reading(&[node_json("1", &long, "sense1", "")], &[], &proxies);
    assert_eq!(read.nodes[0].proxy.as_ref().unwrap().virtual_proxies.len(), MOST_VIRTUAL_PROXIES);
    assert_eq!(read.nodes[0].name.len(), LONGEST_NAME);
}

#[test]
fn what_is_no_list_is_unusable() {
    for body in ["", "<html>", "{\"a\":1}", "[1, 2", "null", "Forbidden", "\"x\""] {
        assert!(nodes(body.as_bytes()).is_err(), "{body}");
        assert!(engines(body.as_bytes()).is_err(), "{body}");
        assert!(proxies(body.as_bytes()).is_err(), "{body}");
    }
    assert!(nodes(b"[]").unwrap().is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let (Ok(nodes), Ok(engines), Ok(proxies)) = (nodes(&body), engines(&body), proxies(&body)) {
            let _read = join(nodes, &engines, &proxies);
        }
    }
}
