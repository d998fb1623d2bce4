//! What kind of site to build.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::Addresses;
use crate::{DEFAULT_LEDGER_ENTRIES, SiteError};

/// The most servers one site may have.
pub const MAX_SERVERS: usize = 4_096;

/// The most apps one site may have.
pub const MAX_APPS: usize = 100_000;

/// The most session places each virtual proxy of a server may have.
pub const MAX_SESSIONS: usize = 20_000;

/// How many networks [`SiteConfig::for_test`] tries.
const NETWORK_TRIES: u64 = 64;

/// The ports of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The engine's, 4747 by default.
    pub engine: u16,
    /// The proxy's, 4243 by default.
    pub proxy: u16,
    /// The repository's, 4242 by default.
    pub repository: u16,
}

impl Default for Ports {
    /// The ports of a Qlik Sense site as installed.
    fn default() -> Self {
        Self { engine: 4747, proxy: 4243, repository: 4242 }
    }
}

/// What the repository says that the nodes' hosts are called; certificates hold the names always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedHosts {
    /// Their names, as on most sites.
    Names,
    /// Their addresses, as on some, which a client reaches without a name server.
    Addresses,
}

/// What the ledger keeps of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRecord {
    /// All of it.
    Whole,
    /// Length and checksum.
    Digest,
}

/// The shape of a simulated site.
#[derive(Clone, Debug)]
pub struct SiteConfig {
    /// How many nodes; the first one is the central node.
    pub servers: usize,
    /// The virtual proxies of every node, as Butler SOS writes them: `/` is the default one, `/hdr` is `hdr`.
    pub virtual_proxies: Vec<String>,
    /// How many apps the repository knows.
    pub apps: usize,
    /// How many sessions a virtual proxy of one node has when the day is at its busiest, about.
    pub sessions: usize,
    /// What everything that looks like chance is drawn from.
    pub seed: u64,
    /// Where client.pem, client_key.pem and root.pem are written.
    pub directory: PathBuf,
    /// Whether the folder is removed when the site is dropped.
    pub remove_directory: bool,
    /// When given, `client_key_encrypted.pem` is written too: PKCS#8, PBES2, with this passphrase.
    pub key_passphrase: Option<String>,
    /// The address of the first server; the others follow.
    pub first_address: Ipv4Addr,
    /// Which addresses the servers have.
    pub addresses: Addresses,
    /// The ports of the services; of the first server, where all share one address.
    pub ports: Ports,
    /// The domain of the host names: `sense1.{domain}`.
    pub domain: String,
    /// How long one day of the site lasts: 24 hours follow the clock, anything shorter begins at eight in the morning.
    pub day: Duration,
    /// Whether engines restart in some of the nights.
    pub nightly_restarts: bool,
    /// Whether the names of servers, their descriptions and tags hurt as those of apps and users do.
    pub hurting_server_names: bool,
    /// What the repository says that the nodes' hosts are called.
    pub listed_hosts: ListedHosts,
    /// How many entries the ledger holds.
    pub ledger_entries: usize,
    /// What the ledger keeps of bodies.
    pub ledger_bodies: BodyRecord,
    /// Where the control listener is, if anywhere.
    pub control: Option<SocketAddr>,
}

impl SiteConfig {
    /// A site of three servers that lives its day in ten minutes.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            servers: 3,
            virtual_proxies: vec!["/".to_owned(), "/hdr".to_owned()],
            apps: 120,
            sessions: 40,
            seed: 1,
            directory: directory.into(),
            remove_directory: false,
            key_passphrase: None,
            first_address: Ipv4Addr::new(127, 77, 0, 1),
            addresses: Addresses::OwnEach,
            ports: Ports::default(),
            domain: "corp.example".to_owned(),
            day: Duration::from_mins(10),
            nightly_restarts: true,
            hurting_server_names: false,
            listed_hosts: ListedHosts::Names,
            ledger_entries: DEFAULT_LEDGER_ENTRIES,
            ledger_bodies: BodyRecord::Digest,
            control: None,
        }
    }

    /// A site of one server without restarts, on a network of loopback addresses and in a temporary folder of its own.
    ///
    /// Sites of tests that run at the same time do not meet; the folder is removed with the site.
    pub fn for_test() -> Result<Self, SiteError> {
        static BUILT: AtomicU64 = AtomicU64::new(0);
        let built = BUILT.fetch_add(1, Ordering::Relaxed);
        let name = format!("simulator-{}-{built}", process::id());
        let mut config = Self::new(std::env::temp_dir().join(name));
        config.servers = 1;
        config.nightly_restarts = false;
        config.remove_directory = true;
        config.first_address = free_network(config.ports, built)?;
        Ok(config)
    }

    /// Refuses what cannot be served.
    pub(crate) fn check(&self) -> Result<(), SiteError> {
        let wrong = |text: String| Err(SiteError::Configuration(text));
        if self.servers == 0 || self.servers > MAX_SERVERS {
            return wrong(format!("{} servers, 1 to {MAX_SERVERS} are possible", self.servers));
        }
        if self.apps > MAX_APPS || self.sessions > MAX_SESSIONS {
            return wrong(format!("more than {MAX_APPS} apps or {MAX_SESSIONS} sessions"));
        }
        if self.virtual_proxies.is_empty() {
            return wrong("no virtual proxy: name at least `/`".to_owned());
        }
        if let Some(proxy) = self.virtual_proxies.iter().find(|proxy| !proxy.starts_with('/')) {
            return wrong(format!("the virtual proxy `{proxy}` does not begin with a slash"));
        }
        if self.addresses.place(self.servers - 1, self.ports).is_none() {
            return wrong(format!("too few ports for {} servers at one address", self.servers));
        }
        if self.day < Duration::from_secs(1) {
            return wrong("a day shorter than a second".to_owned());
        }
        Ok(())
    }
}

/// The first address of a network 127.x.y.0 in which nobody listens on the engine's port.
fn free_network(ports: Ports, built: u64) -> Result<Ipv4Addr, SiteError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = u64::from(now.subsec_nanos()) ^ (u64::from(process::id()) << 20) ^ (built << 52);
    for attempt in 0..NETWORK_TRIES {
        let draw = crate::world::draw(start, &[attempt]).to_le_bytes();
        // 127.77 is left to sites that people start by hand, 127.0 to everything else.
        let address = Ipv4Addr::new(127, 100 + draw[0] % 150, draw[1], 1);
        let free = [ports.engine, ports.proxy, ports.repository]
            .into_iter()
            .all(|port| std::net::TcpListener::bind((address, port)).is_ok());
        if free {
            return Ok(address);
        }
    }
    Err(SiteError::NoFreeNetwork { tries: usize::try_from(NETWORK_TRIES).unwrap_or_default() })
}
