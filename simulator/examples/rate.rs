//! How many answers the site gives in a second: `cargo run --release -p simulator --example rate`.
//!
//! Clients on keep-alive connections ask engines and proxies as fast as they can, in this same process.
#![expect(clippy::print_stdout, reason = "the measurement is its output")]

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context;
use reqwest::{Certificate, Client, Identity};
use simulator::{Endpoint, Site, SiteConfig};

const SERVERS: usize = 4;
const CONNECTIONS_PER_SERVER: usize = 8;
const DURATION: Duration = Duration::from_secs(5);

/// The key that proxies demand.
const KEY: &str = "abcdefghij987654";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Another provider would have been installed by this program itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let before = Instant::now();
    let mut config = SiteConfig::for_test()?;
    config.servers = SERVERS;
    let site = Site::start(config).await?;
    println!("The site was up after {:?}.", before.elapsed());

    let end = Instant::now() + DURATION;
    let mut asking = Vec::new();
    for server in site.servers() {
        for number in 0..CONNECTIONS_PER_SERVER {
            let client = client(&site)?;
            let endpoint = if number % 2 == 0 { Endpoint::Engine } else { Endpoint::Proxy };
            let path = match endpoint {
                Endpoint::Engine => "/engine/healthcheck".to_owned(),
                _ => format!("/qps/hdr/session?xrfkey={KEY}"),
            };
            let host = server.host(endpoint).context("every server has both")?;
            let port = host.rsplit(':').next().context("a host has a port")?;
            let url = format!("https://{}:{port}{path}", server.host_name());
            asking.push(tokio::spawn(ask(client, url, end)));
        }
    }
    let mut arrived = 0;
    for asking in asking {
        arrived += asking.await??;
    }
    site.ledger().wait_for(arrived).await;
    let rate = arrived as f64 / DURATION.as_secs_f64();
    println!(
        "{arrived} answers arrived, {rate:.0} a second; the ledger has {}.",
        site.ledger().recorded()
    );
    Ok(())
}

async fn ask(client: Client, url: String, end: Instant) -> anyhow::Result<u64> {
    let mut arrived = 0;
    while Instant::now() < end {
        let request = client.get(&url).header("X-Qlik-Xrfkey", KEY);
        let response = request.send().await?.error_for_status()?;
        response.bytes().await?;
        arrived += 1;
    }
    Ok(arrived)
}

fn client(site: &Site) -> anyhow::Result<Client> {
    let files = site.certificate_files();
    let pem = [fs::read(&files.client)?, fs::read(&files.client_key)?].concat();
    let mut builder = Client::builder()
        .tls_certs_only([Certificate::from_pem(&fs::read(&files.root)?)?])
        .identity(Identity::from_pem(&pem)?)
        .no_proxy();
    for server in site.servers() {
        builder = builder.resolve(server.host_name(), (server.address(), 0).into());
    }
    Ok(builder.build()?)
}
