//! Who is let in, and what the server shows.

use std::{error::Error, fs};

use reqwest::{Client, Identity};
use simulator::{Endpoint, Fault, SiteConfig};

use crate::client::{self, eventually, health, health_again, url};

/// The whole chain of causes as one text.
fn causes(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => format!("{error} ({error:?})"),
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_not_let_in_anywhere() {
    let site = client::site().await;
    let client = client::builder(&site, false).build().unwrap();
    for endpoint in Endpoint::ALL {
        let error = client.get(url(&site, 0, endpoint, "/")).send().await.unwrap_err();
        assert!(causes(&error).contains("CertificateRequired"), "{}", causes(&error));
        eventually(|| site.traffic(0, endpoint).unwrap().failed_handshakes == 1).await;
        assert_eq!(site.traffic(0, endpoint).unwrap().requests, 0);
    }
    assert_eq!(site.ledger().recorded(), 0);
}

#[tokio::test]
async fn a_client_of_another_site_is_not_let_in() {
    let (site, other) = (client::site().await, client::site().await);
    let files = other.certificate_files();
    let pem = [fs::read(&files.client).unwrap(), fs::read(&files.client_key).unwrap()].concat();
    let identity = Identity::from_pem(&pem).unwrap();
    let client = client::builder(&site, false).identity(identity).build().unwrap();
    assert!(health(&client, &site).await.is_err());
    assert!(health(&client::client(&site), &site).await.is_ok());
}

#[tokio::test]
async fn an_address_is_not_a_name_of_the_certificate() {
    let site = client::site().await;
    let client = client::client(&site);
    let host = site.servers()[0].host(Endpoint::Engine).unwrap();
    let error = client.get(format!("https://{host}/healthcheck")).send().await.unwrap_err();
    assert!(causes(&error).contains("NotValidForName"), "{}", causes(&error));
}

#[tokio::test]
async fn each_wrong_certificate_is_seen_even_by_a_client_that_was_connected() {
    let site = client::site().await;
    let client = client::client(&site);
    for (fault, cause) in [
        (Fault::ExpiredCertificate, "Expired"),
        (Fault::FutureCertificate, "valid"),
        (Fault::OtherAuthority, "UnknownIssuer"),
        (Fault::SameNameAuthority, "BadSignature"),
        (Fault::OtherName, "NotValidForName"),
        (Fault::ShortName, "NotValidForName"),
        (Fault::CommonNameOnly, "NotValidForName"),
    ] {
        assert_eq!(health_again(&client, &site).await.unwrap().status(), 200, "before {fault}");
        site.set_fault(0, Endpoint::Engine, Some(fault)).await.unwrap();
        let error = health_again(&client, &site).await.unwrap_err();
        assert!(causes(&error).contains(cause), "{fault}: {}", causes(&error));
        site.set_fault(0, Endpoint::Engine, None).await.unwrap();
    }
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken() {
    let site = client::site().await;
    for version in [reqwest::tls::Version::TLS_1_2, reqwest::tls::Version::TLS_1_3] {
        let client: Client = client::builder(&site, true)
            .tls_version_min(version)
            .tls_version_max(version)
            .build()
            .unwrap();
        assert_eq!(health(&client, &site).await.unwrap().status(), 200, "{version:?}");
    }
}

#[tokio::test]
async fn every_server_shows_its_own_name() {
    let mut config = SiteConfig::for_test().unwrap();
    config.servers = 3;
    let site = client::start(config).await;
    let client = client::client(&site);
    for server in 0..3 {
        let url = url(&site, server, Endpoint::Engine, "/healthcheck");
        assert_eq!(client.get(url).send().await.unwrap().status(), 200);
    }
    assert_eq!(site.servers()[2].host_name(), "sense3.corp.example");
    assert_eq!(site.servers()[1].host(Endpoint::Repository), None);
    assert!(site.traffic(1, Endpoint::Repository).is_err());
    assert!(site.server(3).is_err());
}
