//! A monitor's client: mutual TLS over a real socket.

use std::{fs, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Identity, Response};
use simulator::{Endpoint, Site, SiteConfig};

pub(crate) const KEY: &str = "abcdefghij987654";

/// A site of one server.
pub(crate) async fn site() -> Site {
    start(SiteConfig::for_test().unwrap()).await
}

pub(crate) async fn start(config: SiteConfig) -> Site {
    // Another test of the process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Site::start(config).await.unwrap()
}

/// A client that verifies the host name of the first server, and knows its address.
pub(crate) fn client(site: &Site) -> Client {
    builder(site, true).build().unwrap()
}

pub(crate) fn builder(site: &Site, shows_certificate: bool) -> ClientBuilder {
    let files = site.certificate_files();
    let root = Certificate::from_pem(&fs::read(&files.root).unwrap()).unwrap();
    let mut builder = Client::builder()
        .tls_certs_only([root])
        .timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    for server in site.servers() {
        builder = builder.resolve(server.host_name(), (server.address(), 0).into());
    }
    if shows_certificate {
        let mut pem = fs::read(&files.client).unwrap();
        pem.extend(fs::read(&files.client_key).unwrap());
        builder = builder.identity(Identity::from_pem(&pem).unwrap());
    }
    builder
}

pub(crate) fn url(site: &Site, server: usize, endpoint: Endpoint, path: &str) -> String {
    let server = site.server(server).unwrap();
    let port = server.host(endpoint).unwrap().rsplit(':').next().unwrap();
    format!("https://{}:{port}{path}", server.host_name())
}

pub(crate) async fn health(client: &Client, site: &Site) -> reqwest::Result<Response> {
    client.get(url(site, 0, Endpoint::Engine, "/engine/healthcheck")).send().await
}

/// Asks again when the client tried a connection that was closed before it looked.
pub(crate) async fn health_again(client: &Client, site: &Site) -> reqwest::Result<Response> {
    match health(client, site).await {
        Err(error) if !error.is_connect() => health(client, site).await,
        result => result,
    }
}

pub(crate) async fn sessions(client: &Client, site: &Site, prefix: &str) -> Response {
    let path = format!("/qps{prefix}/session?Xrfkey={KEY}");
    let request = client.get(url(site, 0, Endpoint::Proxy, &path)).header("X-Qlik-Xrfkey", KEY);
    request.send().await.unwrap()
}

pub(crate) async fn repository(client: &Client, site: &Site, path: &str) -> Response {
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{separator}xrfkey={KEY}");
    client
        .get(url(site, 0, Endpoint::Repository, &path))
        .header("X-Qlik-Xrfkey", KEY)
        .header("X-Qlik-User", "UserDirectory=Internal; UserId=sa_repository")
        .send()
        .await
        .unwrap()
}

/// Waits until a condition holds that nothing announces.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(20), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    patience.await.unwrap();
}
