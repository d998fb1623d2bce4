//! The program `simulator`: a site to point a monitor at.

mod arguments;

use anyhow::Context;
use clap::Parser;
use simulator::{Endpoint, Site};
use tokio::signal;

use arguments::Arguments;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
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
