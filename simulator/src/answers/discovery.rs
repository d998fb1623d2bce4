//! What the repository knows about the site's own nodes and services: enough to find all that can be polled.

use serde_json::{Value, json};

use super::Answer;
use crate::{
    ledger::Facts,
    site::{Peer, ServerState},
};

/// The service paths of a node, in the order of the answers.
const NODES: &str = "/qrs/servernodeconfiguration/full";
const ENGINES: &str = "/qrs/engineservice/full";
const PROXIES: &str = "/qrs/proxyservice/full";
const VIRTUAL_PROXIES: &str = "/qrs/virtualproxyconfig/full";

/// Answers the paths of discovery; `None` for any other.
pub(super) fn answer(server: &ServerState, path: &str) -> Option<Answer> {
    let peers = server.peers().iter();
    let list: Vec<Value> = match path {
        NODES => peers.map(node_in_full).collect(),
        ENGINES => peers.map(|peer| engine(server, peer)).collect(),
        PROXIES => peers.map(|peer| proxy(server, peer)).collect(),
        VIRTUAL_PROXIES => virtual_proxies(server),
        _ => return None,
    };
    Some(Answer::json(&list, Facts::None))
}

fn node(peer: &Peer) -> Value {
    json!({"id": id(peer.index, 1), "name": peer.name, "hostName": peer.host_name,
           "temporaryfilePath": "", "roles": [], "serviceCluster": null, "privileges": null})
}

fn node_in_full(peer: &Peer) -> Value {
    let central = peer.index == 0;
    json!({
        "id": id(peer.index, 1),
        "name": peer.name,
        "hostName": peer.host_name,
        "isCentral": central,
        "nodePurpose": 0,
        "engineEnabled": true,
        "proxyEnabled": true,
        "printingEnabled": true,
        "schedulerEnabled": true,
        "failoverCandidate": central,
        "serviceCluster": {"id": id(0, 2), "name": "ServiceCluster", "privileges": null},
        "roles": [],
        "customProperties": [
            {"definition": {"name": "environment"}, "value": "prod", "schemaPath": "CustomPropertyValue"},
        ],
        "tags": [{"id": id(peer.index, 3), "name": peer.tag, "privileges": null}],
        "schemaPath": "ServerNodeConfiguration",
    })
}

fn engine(server: &ServerState, peer: &Peer) -> Value {
    json!({
        "id": id(peer.index, 4),
        "serverNodeConfiguration": node(peer),
        "settings": {
            "listenerPorts": [server.ports().engine],
            "workingSetSizeLoPct": 70,
            "workingSetSizeHiPct": 90,
            "cpuThrottlePercentage": 0,
            "documentTimeout": 28_800,
        },
        "schemaPath": "EngineService",
    })
}

fn proxy(server: &ServerState, peer: &Peer) -> Value {
    json!({
        "id": id(peer.index, 5),
        "serverNodeConfiguration": node(peer),
        "settings": {
            "listenPort": 443,
            "allowHttp": false,
            "unencryptedListenPort": 80,
            "restListenPort": server.ports().proxy,
            "authenticationListenPort": 4244,
            "virtualProxies": virtual_proxies(server),
        },
        "schemaPath": "ProxyService",
    })
}

fn virtual_proxies(server: &ServerState) -> Vec<Value> {
    let proxies = server.virtual_proxies().iter().enumerate();
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
                "loadBalancingServerNodes": server.peers().iter().map(node).collect::<Vec<_>>(),
                "schemaPath": "VirtualProxyConfig",
            })
        })
        .collect()
}

/// An id that stays the same at every start.
fn id(index: usize, kind: u32) -> String {
    format!("5e4e0000-0000-4000-8000-{kind:04x}{index:08x}")
}
