//! The configuration that is written for a monitor.

use std::path::Path;

use simulator::{ButlerSosOptions, Endpoint, SiteConfig};
use yaml_rust2::{Yaml, YamlLoader};

use crate::client;

#[tokio::test]
async fn the_configuration_is_yaml_and_names_the_site_even_when_names_hurt() {
    let mut config = SiteConfig::for_test().unwrap();
    config.servers = 5;
    config.hurting_server_names = true;
    let site = client::start(config).await;
    let options = ButlerSosOptions {
        database: "odd \"name\"".to_owned(),
        tls_server_names: true,
        more: "  writer: {instance: one}\n".to_owned(),
        ..ButlerSosOptions::default()
    };
    let text = site.butler_sos_config(&options);
    let documents = YamlLoader::load_from_str(&text).unwrap();
    let root = &documents[0]["Butler-SOS"];

    for file in ["clientCert", "clientCertKey", "clientCertCA"] {
        let path = Path::new(root["cert"][file].as_str().unwrap());
        assert!(path.is_absolute() && path.exists(), "{file}");
    }
    let monitored = root["serversToMonitor"]["servers"].as_vec().unwrap();
    assert_eq!(monitored.len(), 5);
    let names = &root["collector"]["servers"];
    for (yaml, server) in monitored.iter().zip(site.servers()) {
        assert_eq!(yaml["host"].as_str(), server.host(Endpoint::Engine));
        assert_eq!(yaml["userSessions"]["host"].as_str(), server.host(Endpoint::Proxy));
        assert_eq!(yaml["serverName"].as_str(), Some(server.name()));
        assert_eq!(yaml["serverDescription"].as_str(), Some(server.description()));
        assert_eq!(yaml["serverTags"]["site_part"].as_str(), Some(server.tag()));
        let name = &names[server.name()]["tlsServerName"];
        assert_eq!(name.as_str(), Some(server.host_name()));
    }
    let proxies = &monitored[0]["userSessions"]["virtualProxies"];
    assert_eq!(proxies[1]["virtualProxy"].as_str(), Some("/hdr"));
    assert_eq!(root["serversToMonitor"]["rejectUnauthorized"], Yaml::Boolean(true));
    assert_eq!(root["serversToMonitor"]["pollingInterval"].as_i64(), Some(30_000));
    let address = site.servers()[0].address().to_string();
    assert_eq!(root["appNames"]["hostIP"].as_str(), Some(address.as_str()));
    let database = &root["influxdbConfig"]["v1Config"]["dbName"];
    assert_eq!(database.as_str(), Some("odd \"name\""));
    assert_eq!(root["writer"]["instance"].as_str(), Some("one"));
}
