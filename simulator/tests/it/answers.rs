//! What the services say when nothing is wrong.

use std::collections::HashSet;

use serde_json::Value;
use simulator::{Endpoint, SiteConfig};

use crate::client::{self, health, health_again, repository, sessions, url};

#[tokio::test]
async fn each_form_of_the_health_check_answers() {
    let site = client::site().await;
    let client = client::client(&site);
    let mut calls = HashSet::new();
    for path in ["/engine/healthcheck", "/engine/healthcheck/", "/healthcheck", "/healthcheck/?x=y"]
    {
        let response = client.get(url(&site, 0, Endpoint::Engine, path)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().contains_key("date"));
        let body: Value = response.json().await.unwrap();
        calls.insert(body["apps"]["calls"].as_i64().unwrap());
    }
    assert_eq!(calls.len(), 4, "the calls tell the answers apart");
    let wrong = client.get(url(&site, 0, Endpoint::Engine, "/health")).send().await.unwrap();
    assert_eq!(wrong.status(), 404);
}

#[tokio::test]
async fn health_has_every_member_of_a_modern_engine() {
    let site = client::site().await;
    let client = client::client(&site);
    let body: Value = health(&client, &site).await.unwrap().json().await.unwrap();
    for (member, sound) in [
        ("/version", body["version"].is_string()),
        ("/started", body["started"].as_str().unwrap().ends_with("+0100")),
        ("/mem/committed", body["mem"]["committed"].is_number()),
        ("/mem/allocated", body["mem"]["allocated"].is_number()),
        ("/mem/free", body["mem"]["free"].is_number()),
        ("/mem/totalPhysical", body["mem"]["totalPhysical"].is_number()),
        ("/cpu/total", body["cpu"]["total"].is_i64()),
        ("/session/active", body["session"]["active"].is_i64()),
        ("/session/total", body["session"]["total"].is_i64()),
        ("/apps/active_docs", body["apps"]["active_docs"].is_array()),
        ("/apps/loaded_docs", body["apps"]["loaded_docs"].is_array()),
        ("/apps/in_memory_docs", body["apps"]["in_memory_docs"].is_array()),
        ("/apps/selections", body["apps"]["selections"].is_i64()),
        ("/users/active", body["users"]["active"].is_i64()),
        ("/users/total", body["users"]["total"].is_i64()),
        ("/cache/hits", body["cache"]["hits"].is_i64()),
        ("/cache/lookups", body["cache"]["lookups"].is_i64()),
        ("/cache/added", body["cache"]["added"].is_i64()),
        ("/cache/replaced", body["cache"]["replaced"].is_i64()),
        ("/cache/bytes_added", body["cache"]["bytes_added"].is_i64()),
        ("/saturated", body["saturated"].is_boolean()),
    ] {
        assert!(sound, "{member}: {body}");
    }
}

#[tokio::test]
async fn a_restart_changes_the_start_and_the_counters_begin_again() {
    let site = client::site().await;
    let client = client::client(&site);
    let before: Value = health(&client, &site).await.unwrap().json().await.unwrap();
    site.restart_engine(0).await.unwrap();
    let after: Value = health_again(&client, &site).await.unwrap().json().await.unwrap();
    assert_ne!(before["started"], after["started"]);
    assert!(after["apps"]["calls"].as_i64() < before["apps"]["calls"].as_i64());
    assert!(after["cache"]["lookups"].as_i64() < before["cache"]["lookups"].as_i64());
}

#[tokio::test]
async fn each_virtual_proxy_has_sessions_of_its_own() {
    let mut config = SiteConfig::for_test().unwrap();
    config.virtual_proxies = vec!["/".into(), "/hdr".into(), "/inner/slash".into()];
    let site = client::start(config).await;
    let client = client::client(&site);
    let mut ids = HashSet::new();
    let mut all = 0;
    for prefix in ["", "/hdr", "/inner/slash"] {
        let body: Value = sessions(&client, &site, prefix).await.json().await.unwrap();
        for session in body.as_array().unwrap() {
            assert!(session["UserDirectory"].is_string() && session["UserId"].is_string());
            assert!(session["Attributes"].is_array());
            ids.insert(session["SessionId"].as_str().unwrap().to_owned());
            all += 1;
        }
    }
    assert!(all > 10, "{all} sessions in the morning");
    assert_eq!(ids.len(), all);
    assert_eq!(sessions(&client, &site, "/unknown").await.status(), 404);
    assert_eq!(sessions(&client, &site, "hdr").await.status(), 404, "a missing slash");
}

#[tokio::test]
async fn apps_come_condensed_in_full_and_as_a_number() {
    let site = client::site().await;
    let client = client::client(&site);
    let condensed: Value = repository(&client, &site, "/qrs/app").await.json().await.unwrap();
    let full: Value = repository(&client, &site, "/qrs/app/full").await.json().await.unwrap();
    let count: Value = repository(&client, &site, "/qrs/app/count").await.json().await.unwrap();
    let apps = condensed.as_array().unwrap();
    assert!(apps.len() > 100);
    assert_eq!(count["value"], apps.len());
    assert_eq!(full.as_array().unwrap().len(), apps.len());
    assert!(apps[0]["name"].is_string() && apps[0].get("modifiedDate").is_none());
    assert!(full[0]["modifiedDate"].is_string() && full[0]["owner"]["userId"].is_string());
    assert!(apps.iter().any(|app| app["stream"].is_null()));

    let id = apps[3]["id"].as_str().unwrap();
    let one = repository(&client, &site, &format!("/qrs/app?filter=id%20eq%20{id}")).await;
    let one: Value = one.json().await.unwrap();
    assert_eq!(one.as_array().unwrap().len(), 1);
    assert_eq!(one[0], apps[3]);
    let odd = repository(&client, &site, "/qrs/app?filter=id+is+odd").await;
    assert_eq!(odd.status(), 400);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_apps() {
    let mut lists = Vec::new();
    for seed in [5, 5, 6] {
        let mut config = SiteConfig::for_test().unwrap();
        config.seed = seed;
        let site = client::start(config).await;
        let answer = repository(&client::client(&site), &site, "/qrs/app").await;
        lists.push(answer.json::<Value>().await.unwrap());
    }
    let ids = |list: &Value| -> Vec<Value> {
        list.as_array().unwrap().iter().map(|app| app["id"].clone()).collect()
    };
    assert_eq!(ids(&lists[0]), ids(&lists[1]));
    assert_ne!(ids(&lists[0]), ids(&lists[2]));
}

#[tokio::test]
async fn apps_in_memory_are_apps_that_the_repository_lists() {
    let site = client::site().await;
    let client = client::client(&site);
    let apps: Value = repository(&client, &site, "/qrs/app").await.json().await.unwrap();
    let known: HashSet<&str> =
        apps.as_array().unwrap().iter().map(|app| app["id"].as_str().unwrap()).collect();
    let body: Value = health(&client, &site).await.unwrap().json().await.unwrap();
    let docs = body["apps"]["in_memory_docs"].as_array().unwrap();
    let listed = docs.iter().filter(|id| known.contains(id.as_str().unwrap())).count();
    // The others are session apps, and apps that were deleted while in memory.
    assert!(listed * 10 > docs.len() * 6, "{listed} of {}", docs.len());
}

#[tokio::test]
async fn discovery_finds_every_node_and_port() {
    let mut config = SiteConfig::for_test().unwrap();
    config.servers = 2;
    let site = client::start(config).await;
    let client = client::client(&site);
    let get = async |path: &str| -> Value {
        repository(&client, &site, path).await.json().await.unwrap()
    };
    let nodes = get("/qrs/servernodeconfiguration/full").await;
    assert_eq!(nodes[1]["hostName"], "sense2.corp.example");
    assert_eq!((&nodes[0]["isCentral"], &nodes[1]["isCentral"]), (&true.into(), &false.into()));
    let engines = get("/qrs/engineservice/full").await;
    assert_eq!(engines[1]["settings"]["listenerPorts"][0], 4747);
    assert_eq!(engines[1]["serverNodeConfiguration"]["hostName"], "sense2.corp.example");
    let proxies = get("/qrs/proxyservice/full").await;
    assert_eq!(proxies[0]["settings"]["restListenPort"], 4243);
    assert_eq!(proxies[0]["settings"]["virtualProxies"][1]["prefix"], "hdr");
    let virtual_proxies = get("/qrs/virtualproxyconfig/full").await;
    assert_eq!(virtual_proxies[0]["defaultVirtualProxy"], true);
    assert_eq!(get("/qrs/about").await["nodeType"], 1);
    assert_eq!(repository(&client, &site, "/qrs/enginehealth/full").await.status(), 404);
}

#[tokio::test]
async fn nodes_come_and_go_and_change_while_the_site_runs() {
    let mut config = SiteConfig::for_test().unwrap();
    config.servers = 3;
    config.virtual_proxies = vec!["/".to_owned(), "/sales/emea".to_owned()];
    config.listed_hosts = simulator::ListedHosts::Addresses;
    let site = client::start(config).await;
    let client = client::client(&site);
    let get = async |path: &str| -> Value {
        repository(&client, &site, path).await.json().await.unwrap()
    };
    site.change_listed(1, |node| node.listed = false).unwrap();
    site.change_listed(2, |node| {
        node.engine_enabled = false;
        node.proxy_enabled = false;
        node.engine_ports = vec![4748, 4749];
        node.virtual_proxies.truncate(1);
    })
    .unwrap();
    let nodes = get("/qrs/servernodeconfiguration/full").await;
    let names: Vec<&Value> = nodes.as_array().unwrap().iter().map(|node| &node["name"]).collect();
    assert_eq!(names, ["sense1", "sense3"]);
    assert_eq!(nodes[0]["hostName"], site.servers()[0].address().to_string());
    assert_eq!(
        (&nodes[1]["engineEnabled"], &nodes[1]["proxyEnabled"]),
        (&false.into(), &false.into())
    );
    let engines = get("/qrs/engineservice/full").await;
    assert_eq!(engines[1]["settings"]["listenerPorts"][0], 4748);
    let proxies = get("/qrs/proxyservice/full").await;
    assert_eq!(proxies[0]["settings"]["virtualProxies"][1]["prefix"], "sales/emea");
    assert_eq!(proxies[1]["settings"]["virtualProxies"].as_array().unwrap().len(), 1);
    assert_eq!(get("/qrs/virtualproxyconfig/full").await.as_array().unwrap().len(), 2);
    assert_eq!(sessions(&client, &site, "/sales/emea").await.status(), 200);
    site.change_listed(1, |node| node.listed = true).unwrap();
    assert_eq!(get("/qrs/servernodeconfiguration/full").await.as_array().unwrap().len(), 3);
    assert!(site.change_listed(3, |_| ()).is_err());
}
