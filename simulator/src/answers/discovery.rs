//! What the repository knows about the site's own nodes and services: enough to find all that can be polled.

use serde_json::{Value, json};

use super::Answer;
use crate::{
    ledger::Facts,
    site::{ListedNode, ServerState},
};

/// The service paths of a node, in the order of the answers.
const NODES: &str = "/qrs/servernodeconfiguration/full";
const ENGINES: &str = "/qrs/engineservice/full";
const PROXIES: &str = "/qrs/proxyservice/full";
const VIRTUAL_PROXIES: &str = "/qrs/virtualproxyconfig/full";

/// Answers the paths of discovery; `None` for any other.
pub(super) fn answer(server: &ServerState, path: &str) -> Option<Answer> {
    let mut nodes = server.listed();
    nodes.retain(|node| node.listed);
    let list: Vec<Value> = match path {
        NODES => nodes.iter().map(node_in_full).collect(),
        ENGINES => nodes.iter().map(engine).collect(),
        PROXIES => nodes.iter().map(|node| proxy(node, &nodes)).collect(),
        VIRTUAL_PROXIES => virtual_proxies(&all_virtual_proxies(&nodes), &nodes),
        _ => return None,
    };
    Some(Answer::json(&list, Facts::None))
}

fn node(node: &ListedNode) -> Value {
    json!({"id": id(node.index, 1), "name": node.name, "hostName": node.host_name,
           "temporaryfilePath": "", "roles": [], "serviceCluster": null, "privileges": null})
}

fn node_in_full(node: &ListedNode) -> Value {
    let central = node.index == 0;
    json!({
        "id": id(node.index, 1),
        "name": node.name,
        "hostName": node.host_name,
        "isCentral": central,
        "nodePurpose": 0,
        "engineEnabled": node.engine_enabled,
        "proxyEnabled": node.proxy_enabled,
        "printingEnabled": true,
        "schedulerEnabled": true,
        "failoverCandidate": central,
        "serviceCluster": {"id": id(0, 2), "name": "ServiceCluster", "privileges": null},
        "roles": [],
        "customProperties": [
            {"definition": {"name": "environment"}, "value": "prod", "schemaPath": "CustomPropertyValue"},
        ],
        "tags": [{"id": id(node.index, 3), "name": node.tag, "privileges": null}],
        "schemaPath": "ServerNodeConfiguration",
    })
}

fn engine(of: &ListedNode) -> Value {
    json!({
        "id": id(of.index, 4),
        "serverNodeConfiguration": node(of),
        "settings": {
            "listenerPorts": of.engine_ports,
            "workingSetSizeLoPct": 70,
            "workingSetSizeHiPct": 90,
            "cpuThrottlePercentage": 0,
            "documentTimeout": 28_800,
        },
        "schemaPath": "EngineService",
    })
}

fn proxy(of: &ListedNode, nodes: &[ListedNode]) -> Value {
    json!({
        "id": id(of.index, 5),
        "serverNodeConfiguration": node(of),
        "settings": {
            "listenPort": 443,
            "allowHttp": false,
            "unencryptedListenPort": 80,
            "restListenPort": of.rest_port,
            "authenticationListenPort": 4244,
            "virtualProxies": virtual_proxies(&of.virtual_proxies, nodes),
        },
        "schemaPath": "ProxyService",
    })
}

/// Those of every proxy, each once.
fn all_virtual_proxies(nodes: &[ListedNode]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in nodes.iter().flat_map(|node| &node.virtual_proxies) {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}

fn virtual_proxies(names: &[String], nodes: &[ListedNode]) -> Vec<Value> {
    let proxies = names.iter().enumerate();
    proxies
        .map(|(index, name)| {
            let prefix = name.trim_start_matches('/');
            let suffix = if prefix.is_empty() { String::new() } else { format!("-{prefix}") };
            json!({
                "id": id(index, 6),
                "prefix": prefix,
                "description": if prefix.is_empty() { "Central Proxy (Default)" } else { prefix },
                "defaultVirtualProxy": prefix.is_empty(),
                "sessionInactivityTimeout": 30,
                "authenticationMethod": i32::from(!prefix.is_empty()),
                "anonymousAccessMode": i32::from(prefix.is_empty()),
                "sessionCookieHeaderName": format!("X-Qlik-Session{suffix}"),
                "loadBalancingServerNodes": nodes.iter().map(node).collect::<Vec<_>>(),
                "schemaPath": "VirtualProxyConfig",
            })
        })
        .collect()
}

/// An id that stays the same at every start.
fn id(index: usize, kind: u32) -> String {
    format!("5e4e0000-0000-4000-8000-{kind:04x}{index:08x}")
}
