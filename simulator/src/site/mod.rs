//! The site: its servers, and the switches for what goes wrong with them.

mod addresses;
mod config;
mod listed;
mod server;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::task::spawn_blocking;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use addresses::{Addresses, PORT_STEP};
pub use config::{BodyRecord, ListedHosts, MAX_APPS, MAX_SERVERS, MAX_SESSIONS, Ports, SiteConfig};
pub use listed::ListedNode;
pub use server::Server;
pub(crate) use server::ServerState;

use crate::{
    CertificateFiles, Endpoint, Fault, Oddities, Oddity, SiteError, Traffic,
    butler_sos::{self, ButlerSosOptions},
    certificates::Certificates,
    control,
    ledger::Ledger,
    world::{World, WorldConfig},
};
use server::Common;

/// A running site; it ends when it is dropped.
#[derive(Debug)]
pub struct Site {
    state: Arc<SiteState>,
    stop: CancellationToken,
    tasks: TaskTracker,
    control: Option<SocketAddr>,
}

/// What the site and its control listener steer.
#[derive(Debug)]
pub(crate) struct SiteState {
    pub(crate) config: SiteConfig,
    pub(crate) servers: Vec<Server>,
    pub(crate) ledger: Ledger,
    files: CertificateFiles,
    certificates: Arc<Certificates>,
}

impl Site {
    /// Makes the certificates, writes the client's files, and opens every socket.
    ///
    /// When this returns, each endpoint can be called.
    pub async fn start(config: SiteConfig) -> Result<Self, SiteError> {
        config.check()?;
        let (certificates, files) = make_certificates(&config).await?;
        let born = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let world = world(&config, born);
        let ledger = Ledger::new(config.ledger_entries);
        let common = Arc::new(Common::new(&config, world, ledger.clone()));

        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        // From here on a failure drops the guard, which closes what is open.
        let guard = stop.clone().drop_guard();
        let mut servers = Vec::with_capacity(config.servers);
        for peer in &common.peers {
            let state = ServerState::new(peer.clone(), common.clone(), certificates.clone());
            servers.push(Server::start(state, &tasks, &stop).await?);
        }
        let state = Arc::new(SiteState { config, servers, ledger, files, certificates });
        let control = match state.config.control {
            Some(address) => Some(control::start(state.clone(), address, &tasks, &stop).await?),
            None => None,
        };
        Ok(Self { state, stop: guard.disarm(), tasks, control })
    }

    /// What the site was built from.
    pub fn config(&self) -> &SiteConfig {
        &self.state.config
    }

    /// The servers; the first one is the central node.
    pub fn servers(&self) -> &[Server] {
        &self.state.servers
    }

    /// One server.
    pub fn server(&self, index: usize) -> Result<&Server, SiteError> {
        self.state.server(index)
    }

    /// The record of every answer.
    pub fn ledger(&self) -> &Ledger {
        &self.state.ledger
    }

    /// Where root.pem, client.pem and client_key.pem are.
    pub fn certificate_files(&self) -> &CertificateFiles {
        &self.state.files
    }

    /// Writes the files of a renewal: a new client certificate with another key, and beside the
    /// authority of the site the one that signs under [`Fault::OtherAuthority`].
    pub fn export_renewed(
        &self,
        directory: &std::path::Path,
    ) -> Result<CertificateFiles, SiteError> {
        self.state.certificates.write_renewed(directory)
    }

    /// Where the control listener is.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Sets the fault of an endpoint, or clears it with `None`.
    ///
    /// When this returns, the socket is closed or open as the fault demands, and open connections feel it.
    pub async fn set_fault(
        &self,
        server: usize,
        endpoint: Endpoint,
        fault: Option<Fault>,
    ) -> Result<(), SiteError> {
        self.state.set_fault(server, endpoint, fault, None).await
    }

    /// Sets the fault of an endpoint for the next `answers` connections or requests that it strikes.
    pub async fn set_fault_for(
        &self,
        server: usize,
        endpoint: Endpoint,
        fault: Fault,
        answers: u64,
    ) -> Result<(), SiteError> {
        self.state.set_fault(server, endpoint, Some(fault), Some(answers)).await
    }

    /// The fault in force at an endpoint.
    pub fn fault(&self, server: usize, endpoint: Endpoint) -> Result<Option<Fault>, SiteError> {
        Ok(self.state.server(server)?.service(endpoint)?.fault())
    }

    /// Clears every fault of every server.
    pub async fn clear_faults(&self) -> Result<(), SiteError> {
        for server in &self.state.servers {
            for service in server.services() {
                service.set_fault(None, None).await?;
            }
        }
        Ok(())
    }

    /// Ends the open connections of an endpoint, as a restart of the service or of a firewall does.
    ///
    /// When this returns they have ended; a client that has not looked since may still try to use one.
    ///
    /// When this returns, they have ended; a client that has not looked yet may still try to use one.
    pub async fn close_connections(
        &self,
        server: usize,
        endpoint: Endpoint,
    ) -> Result<(), SiteError> {
        self.state.server(server)?.service(endpoint)?.close_connections().await;
        Ok(())
    }

    /// What an endpoint saw so far.
    pub fn traffic(&self, server: usize, endpoint: Endpoint) -> Result<Traffic, SiteError> {
        Ok(self.state.server(server)?.service(endpoint)?.traffic())
    }

    /// Switches an oddity of a server on or off.
    pub fn set_oddity(&self, server: usize, oddity: Oddity, on: bool) -> Result<(), SiteError> {
        self.state.server(server)?.state().set_oddity(oddity, on);
        Ok(())
    }

    /// Changes what the repository says of a node, from its next answer on.
    pub fn change_listed(
        &self,
        server: usize,
        change: impl FnOnce(&mut ListedNode),
    ) -> Result<(), SiteError> {
        self.state.server(server)?.state().change_listed(server, change);
        Ok(())
    }

    /// The oddities of a server.
    pub fn oddities(&self, server: usize) -> Result<Oddities, SiteError> {
        Ok(self.state.server(server)?.state().oddities())
    }

    /// Restarts the engine of a server: `started` changes, the counters begin at 0, its connections end.
    pub async fn restart_engine(&self, server: usize) -> Result<(), SiteError> {
        self.state.restart_engine(server).await
    }

    /// A complete configuration file of Butler SOS 15 for this site.
    pub fn butler_sos_config(&self, options: &ButlerSosOptions) -> String {
        butler_sos::config(&self.state, options)
    }

    /// Closes every socket and waits until all has ended.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
        if self.state.config.remove_directory {
            // The folder of a test; whoever removed it first was right.
            let _ = fs::remove_dir_all(&self.state.config.directory);
        }
    }
}

impl SiteState {
    pub(crate) fn server(&self, index: usize) -> Result<&Server, SiteError> {
        let servers = self.servers.len();
        self.servers.get(index).ok_or(SiteError::NoSuchServer { index, servers })
    }

    pub(crate) async fn set_fault(
        &self,
        server: usize,
        endpoint: Endpoint,
        fault: Option<Fault>,
        remaining: Option<u64>,
    ) -> Result<(), SiteError> {
        self.server(server)?.service(endpoint)?.set_fault(fault, remaining).await
    }

    pub(crate) async fn restart_engine(&self, index: usize) -> Result<(), SiteError> {
        let server = self.server(index)?;
        server.state().restart_engine();
        server.service(Endpoint::Engine)?.close_connections().await;
        Ok(())
    }

    pub(crate) fn files(&self) -> &CertificateFiles {
        &self.files
    }
}

async fn make_certificates(
    config: &SiteConfig,
) -> Result<(Arc<Certificates>, CertificateFiles), SiteError> {
    let central = server::host_name(0, &config.domain);
    let passphrase = config.key_passphrase.clone();
    let directory = config.directory.clone();
    let making = spawn_blocking(move || {
        let certificates = Certificates::make(&central, passphrase.as_deref())?;
        let files = certificates.write(&directory)?;
        Ok((Arc::new(certificates), files))
    });
    making.await.map_err(|error| SiteError::Certificates(error.to_string()))?
}

fn world(config: &SiteConfig, born: Duration) -> World {
    World::new(&WorldConfig {
        seed: config.seed,
        born,
        day: config.day,
        apps: config.apps,
        sessions: config.sessions,
        virtual_proxies: config.virtual_proxies.len(),
        nightly_restarts: config.nightly_restarts,
    })
}

/// The address of a server's endpoint.
fn address(first: Ipv4Addr, index: usize, port: u16) -> SocketAddrV4 {
    let offset = u32::try_from(index).unwrap_or_default();
    SocketAddrV4::new(Ipv4Addr::from(u32::from(first).wrapping_add(offset)), port)
}
