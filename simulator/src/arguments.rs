//! What the program is told on its command line.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
use simulator::{Addresses, ButlerSosOptions, ListedHosts, SiteConfig};

/// How many servers are named when the program starts.
pub(crate) const MAX_LINES: usize = 8;

/// A Qlik Sense Enterprise site that answers like the real one.
#[derive(Debug, Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Arguments {
    /// How many servers; the first one is the central node.
    #[arg(long, default_value_t = 3)]
    servers: usize,

    /// Where client.pem, client_key.pem and root.pem are written.
    #[arg(long, required_unless_present = "health")]
    directory: Option<PathBuf>,

    /// What everything that looks like chance is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// The address of the first server; the others follow.
    #[arg(long, default_value_t = Ipv4Addr::new(127, 77, 0, 1))]
    first_address: Ipv4Addr,

    /// Put all servers at the first address, each ten ports above the one before, as a container
    /// needs it.
    #[arg(long)]
    one_address: bool,

    /// Where the site is steered, for instance 127.0.0.1:9790.
    #[arg(long)]
    pub(crate) control: Option<SocketAddr>,

    /// How many seconds a day of the site lasts; 86400 follows the clock.
    #[arg(long, default_value_t = 600)]
    day: u64,

    /// How many apps the repository knows.
    #[arg(long, default_value_t = 120)]
    apps: usize,

    /// How many sessions each virtual proxy of a server has at the busiest time, about.
    #[arg(long, default_value_t = 40)]
    sessions: usize,

    /// The virtual proxies of every server.
    #[arg(long, value_delimiter = ',', default_value = "/,/hdr")]
    virtual_proxies: Vec<String>,

    /// Give servers names, descriptions and tags that hurt.
    #[arg(long)]
    hurting_server_names: bool,

    /// List the nodes for discovery under their addresses, which every client reaches.
    #[arg(long)]
    list_addresses: bool,

    /// Also write the client's key encrypted with this passphrase.
    #[arg(long)]
    key_passphrase: Option<String>,

    /// Write a complete Butler SOS 15 configuration for this site.
    #[arg(long)]
    pub(crate) butler_sos_config: Option<PathBuf>,

    /// Ask the running site at the address of --control whether it is up, and exit with 0 or 1.
    #[arg(long, requires = "control")]
    pub(crate) health: bool,

    /// InfluxDB's version in that configuration: 1, 2 or 3.
    #[arg(long, default_value_t = 1)]
    influxdb_version: u8,

    /// InfluxDB's host in that configuration.
    #[arg(long, default_value = "127.0.0.1")]
    influxdb_host: String,

    /// InfluxDB's port in that configuration.
    #[arg(long, default_value_t = 8086)]
    influxdb_port: u16,

    /// The database or bucket in that configuration.
    #[arg(long, default_value = "senseops")]
    database: String,

    /// How many milliseconds lie between two polls of an engine or a proxy in that configuration.
    #[arg(long, default_value_t = 30_000)]
    polling_interval: u64,
}

impl Arguments {
    pub(crate) fn site(&self) -> SiteConfig {
        let mut config = SiteConfig::new(self.directory.clone().unwrap_or_default());
        config.servers = self.servers;
        config.seed = self.seed;
        config.first_address = self.first_address;
        if self.one_address {
            config.addresses = Addresses::OneForAll;
        }
        config.control = self.control;
        config.day = Duration::from_secs(self.day);
        config.apps = self.apps;
        config.sessions = self.sessions;
        config.virtual_proxies.clone_from(&self.virtual_proxies);
        config.hurting_server_names = self.hurting_server_names;
        config.key_passphrase.clone_from(&self.key_passphrase);
        if self.list_addresses {
            config.listed_hosts = ListedHosts::Addresses;
        }
        config
    }

    pub(crate) fn butler_sos(&self) -> ButlerSosOptions {
        let interval = Duration::from_millis(self.polling_interval);
        ButlerSosOptions {
            influxdb_version: self.influxdb_version,
            influxdb_host: self.influxdb_host.clone(),
            influxdb_port: self.influxdb_port,
            database: self.database.clone(),
            polling_interval: interval,
            session_interval: interval,
            ..ButlerSosOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_means_what_the_library_means() {
        Arguments::command().debug_assert();
        let arguments = Arguments::parse_from(["simulator", "--directory", "certificates"]);
        let (ours, theirs) = (arguments.site(), SiteConfig::new("certificates"));
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        let (ours, theirs) = (arguments.butler_sos(), ButlerSosOptions::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
