//! The site steered from outside.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use simulator::{Endpoint, Fault, Oddity, SiteConfig};

use crate::client::{self, health};

#[tokio::test]
async fn curl_can_do_what_a_test_can() {
    let mut config = SiteConfig::for_test().unwrap();
    config.control = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let site = client::start(config).await;
    let control = Client::builder().no_proxy().build().unwrap();
    let base = format!("http://{}", site.control_address().unwrap());
    let post = async |path: &str| -> StatusCode {
        control.post(format!("{base}{path}")).send().await.unwrap().status()
    };
    let client = client::client(&site);

    assert_eq!(post("/fault?server=1&endpoint=engine&fault=503&count=1").await, 200);
    assert_eq!(site.fault(0, Endpoint::Engine).unwrap(), Some(Fault::Status(503)));
    assert_eq!(health(&client, &site).await.unwrap().status(), 503);
    assert_eq!(health(&client, &site).await.unwrap().status(), 200);
    assert_eq!(post("/fault?server=1&endpoint=proxy&fault=refused").await, 200);
    assert_eq!(post("/fault?server=1&endpoint=proxy&fault=none").await, 200);
    assert_eq!(post("/oddity?server=1&oddity=missing-saturated").await, 200);
    assert!(site.oddities(0).unwrap().has(Oddity::MissingSaturated));
    assert_eq!(post("/oddity?server=1&oddity=missing-saturated&on=false").await, 200);
    assert!(!site.oddities(0).unwrap().has(Oddity::MissingSaturated));
    assert_eq!(post("/node?server=1&listed=false").await, 200);
    let nodes = client::repository(&client, &site, "/qrs/servernodeconfiguration/full").await;
    assert_eq!(nodes.text().await.unwrap(), "[]");
    assert_eq!(post("/node?server=1&listed=true").await, 200);
    assert_eq!(post("/restart?server=1").await, 200);
    assert_eq!(post("/close?server=1&endpoint=engine").await, 200);

    for wrong in [
        "/fault?server=2&endpoint=engine&fault=hang",
        "/fault?server=0&endpoint=engine&fault=hang",
        "/fault?server=1&endpoint=motor&fault=hang",
        "/fault?server=1&endpoint=engine",
        "/fault?server=1&endpoint=engine&fault=refused&count=3",
        "/oddity?server=1&oddity=normal",
        "/node?server=1",
    ] {
        assert_eq!(post(wrong).await, 400, "{wrong}");
    }
    assert_eq!(post("/state").await, 404);

    let get = async |path: &str| control.get(format!("{base}{path}")).send().await.unwrap();
    site.ledger().wait_for(3).await;
    let state: Value = get("/state").await.json().await.unwrap();
    assert_eq!(state["ledger"]["recorded"], 3);
    assert_eq!(state["servers"][0]["endpoints"]["engine"]["answers"], 2);
    let lines = get("/ledger?drain=true").await.text().await.unwrap();
    let statuses: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone())
        .collect();
    assert_eq!(statuses, [503, 200, 200]);
    assert_eq!(get("/ledger").await.text().await.unwrap(), "");
}
