//! The program `simulator`: a site to point a monitor at.

mod arguments;

use anyhow::Context;
use clap::Parser;
use simulator::{Endpoint, Site};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio::signal;

use arguments::Arguments;

/// How long `--health` waits for the running site.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.control.filter(|_| arguments.health) {
        return health(address).with_context(|| format!("no site is up at {address}"));
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::new("simulator=info"))
        .init();

    let site = Site::start(arguments.site()).await.context("failed to start the site")?;
    if let Some(file) = &arguments.butler_sos_config {
        let text = site.butler_sos_config(&arguments.butler_sos());
        std::fs::write(file, text)
            .with_context(|| format!("failed to write {}", file.display()))?;
    }
    describe(&site, &arguments);

    stop_asked().await?;
    site.stop().await;
    Ok(())
}

/// Asks the control listener, which opens after everything else is there.
fn health(address: SocketAddr) -> anyhow::Result<()> {
    let mut connection = TcpStream::connect_timeout(&address, HEALTH_TIMEOUT)?;
    connection.set_read_timeout(Some(HEALTH_TIMEOUT))?;
    connection.set_write_timeout(Some(HEALTH_TIMEOUT))?;
    write!(connection, "GET /state HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; "HTTP/1.1 200".len()];
    connection.read_exact(&mut status)?;
    let status = String::from_utf8_lossy(&status).into_owned();
    anyhow::ensure!(status.ends_with(" 200"), "it answers {status}");
    Ok(())
}

/// Says in a few lines what there is to call.
#[expect(clippy::print_stdout, reason = "the program's own words")]
fn describe(site: &Site, arguments: &Arguments) {
    let servers = site.servers();
    println!("A Qlik Sense site of {} servers is up.", servers.len());
    for server in servers.iter().take(arguments::MAX_LINES) {
        let hosts: Vec<String> = Endpoint::ALL
            .into_iter()
            .filter_map(|endpoint| Some(format!("{endpoint} {}", server.host(endpoint)?)))
            .collect();
        println!("  {}: {}", server.host_name(), hosts.join(", "));
    }
    if servers.len() > arguments::MAX_LINES {
        println!("  and so on, address by address");
    }
    println!("Certificates are in {}.", site.config().directory.display());
    if let Some(file) = &arguments.butler_sos_config {
        println!("A configuration that monitors it is in {}.", file.display());
    }
    if let Some(address) = site.control_address() {
        println!("It is steered at http://{address}/state.");
    }
}

async fn stop_asked() -> anyhow::Result<()> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())
        .context("failed to listen for signals")?;
    tokio::select! {
        interrupt = signal::ctrl_c() => interrupt.context("failed to listen for signals")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
