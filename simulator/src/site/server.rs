//! One node of the site.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{BodyRecord, ListedNode, Ports, SiteConfig, address};
use crate::{
    Endpoint, Oddities, Oddity, SiteError,
    certificates::{Certificates, ServerTls},
    ledger::{Ledger, Session},
    oddity::OdditySwitch,
    serve::Service,
    world::{EngineState, World, hurting_name},
};

/// A node: where it listens and what it is called.
#[derive(Debug)]
pub struct Server {
    state: Arc<ServerState>,
    /// In the order of [`Endpoint::ALL`].
    services: [Option<Arc<Service>>; Endpoint::ALL.len()],
}

impl Server {
    pub(super) async fn start(
        state: ServerState,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Self, SiteError> {
        let state = Arc::new(state);
        let mut services = [None, None, None];
        for (endpoint, place) in Endpoint::ALL.into_iter().zip(&mut services) {
            if endpoint == Endpoint::Repository && !state.peer.is_central() {
                continue;
            }
            let address = state.address(endpoint);
            let service =
                Service::start(state.clone(), endpoint, address, tasks.clone(), stop.clone());
            *place = Some(service.await?);
        }
        Ok(Self { state, services })
    }

    /// The place among the servers, from 0; the central node is 0.
    pub fn index(&self) -> usize {
        self.state.index()
    }

    /// The host name, `sense1.corp.example`: the one alternative name of the server's certificate.
    ///
    /// It does not resolve: call the address and verify this name.
    pub fn host_name(&self) -> &str {
        &self.state.peer.host_name
    }

    /// The name that the administrator gave the node: `sense1`, or one that hurts.
    pub fn name(&self) -> &str {
        &self.state.peer.name
    }

    /// What the administrator wrote about the node.
    pub fn description(&self) -> &str {
        &self.state.peer.description
    }

    /// The value of the node's tag `site_part`.
    pub fn tag(&self) -> &str {
        &self.state.peer.tag
    }

    /// The node's loopback address.
    pub fn address(&self) -> Ipv4Addr {
        *self.state.address(Endpoint::Engine).ip()
    }

    /// Address and port of an endpoint, `127.77.0.1:4747`; the repository's is `None` on all nodes but the first.
    pub fn host(&self, endpoint: Endpoint) -> Option<&str> {
        self.service(endpoint).ok().map(|service| service.host())
    }

    pub(crate) fn service(&self, endpoint: Endpoint) -> Result<&Arc<Service>, SiteError> {
        let service = self.services.get(endpoint.index()).and_then(Option::as_ref);
        service.ok_or(SiteError::NotServed { index: self.index(), endpoint })
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.iter().flatten()
    }

    pub(crate) fn state(&self) -> &ServerState {
        &self.state
    }
}

/// What the nodes of a site have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) peers: Vec<Peer>,
    /// What the repository says of them, in the same order.
    listed: Mutex<Vec<ListedNode>>,
    world: World,
    ledger: Ledger,
    virtual_proxies: Vec<Arc<str>>,
    ports: Ports,
    first_address: Ipv4Addr,
    addresses: super::Addresses,
    body_record: BodyRecord,
}

impl Common {
    pub(super) fn new(config: &SiteConfig, world: World, ledger: Ledger) -> Self {
        let peers: Vec<Peer> = (0..config.servers).map(|index| Peer::new(index, config)).collect();
        Self {
            listed: Mutex::new(peers.iter().map(|peer| ListedNode::new(peer, config)).collect()),
            peers,
            world,
            ledger,
            virtual_proxies: config
                .virtual_proxies
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            ports: config.ports,
            first_address: config.first_address,
            addresses: config.addresses,
            body_record: config.ledger_bodies,
        }
    }
}

/// What the nodes of a site know of each other.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) index: usize,
    pub(crate) host_name: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) tag: String,
}

impl Peer {
    fn new(index: usize, config: &SiteConfig) -> Self {
        let number = index + 1;
        let host_name = host_name(index, &config.domain);
        if config.hurting_server_names {
            // Names stay unique: there are fewer names that hurt than servers.
            let name = format!("sense{number} {}", hurting_name(index));
            let (description, tag) = (hurting_name(index + 3), hurting_name(index + 5));
            return Self { index, host_name, name, description, tag };
        }
        let description = if index == 0 { "Central node" } else { "Consumer node" };
        Self {
            index,
            host_name,
            name: format!("sense{number}"),
            description: description.to_owned(),
            tag: if index == 0 { "central" } else { "rim" }.to_owned(),
        }
    }

    fn is_central(&self) -> bool {
        self.index == 0
    }
}

pub(super) fn host_name(index: usize, domain: &str) -> String {
    format!("sense{}.{domain}", index + 1)
}

/// What answering a request needs to know of a node.
#[derive(Debug)]
pub(crate) struct ServerState {
    peer: Peer,
    common: Arc<Common>,
    tls: ServerTls,
    oddities: OdditySwitch,
    run: Mutex<EngineRun>,
    /// The last list of sessions of each virtual proxy, so that entries of the ledger share it.
    remembered: Mutex<Vec<Arc<[Session]>>>,
}

/// One run of an engine, from its start to the next.
#[derive(Debug, Default)]
struct EngineRun {
    started: Duration,
    /// The calls of the last answer.
    calls: i64,
}

impl ServerState {
    pub(super) fn new(peer: Peer, common: Arc<Common>, certificates: Arc<Certificates>) -> Self {
        Self {
            tls: ServerTls::new(certificates, peer.host_name.clone()),
            remembered: Mutex::new(vec![Arc::default(); common.virtual_proxies.len()]),
            peer,
            common,
            oddities: OdditySwitch::default(),
            run: Mutex::default(),
        }
    }

    /// The engine's state for one answer: no two answers of a run have the same calls.
    pub(crate) fn engine(&self, now: Duration) -> EngineState {
        let world = self.world();
        let moment = world.moment(now);
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        // Requests that overlap a restart must not go back to the run before.
        let started = world.engine_start(self.index(), moment).max(run.started);
        if started != run.started {
            *run = EngineRun { started, calls: 0 };
        }
        let mut engine = world.engine(self.index(), moment, started);
        engine.calls = engine.calls.max(run.calls + 1);
        run.calls = engine.calls;
        engine
    }

    pub(crate) fn restart_engine(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millisecond = u64::try_from(now.as_millis()).unwrap_or_default();
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        // Two restarts within a millisecond are two.
        let started =
            Duration::from_millis(millisecond).max(run.started + Duration::from_millis(1));
        *run = EngineRun { started, calls: 0 };
    }

    /// The same list as the last time, if it is the same.
    pub(crate) fn remembered(&self, virtual_proxy: usize, now: Vec<Session>) -> Arc<[Session]> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        match remembered.get_mut(virtual_proxy) {
            Some(last) if **last == *now => last.clone(),
            Some(last) => {
                *last = now.into();
                last.clone()
            }
            None => now.into(),
        }
    }

    pub(crate) fn set_oddity(&self, oddity: Oddity, on: bool) {
        self.oddities.set(oddity, on);
    }

    pub(crate) fn oddities(&self) -> Oddities {
        self.oddities.now()
    }

    pub(crate) fn index(&self) -> usize {
        self.peer.index
    }

    pub(crate) fn tls(&self) -> &ServerTls {
        &self.tls
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.common.ledger
    }

    pub(crate) fn world(&self) -> &World {
        &self.common.world
    }

    pub(crate) fn body_record(&self) -> BodyRecord {
        self.common.body_record
    }

    /// The nodes as the repository lists them now.
    pub(crate) fn listed(&self) -> Vec<ListedNode> {
        self.common.listed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what the repository says of a node.
    pub(crate) fn change_listed(&self, index: usize, change: impl FnOnce(&mut ListedNode)) {
        let mut listed = self.common.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = listed.get_mut(index) {
            change(node);
        }
    }

    fn ports(&self) -> Ports {
        self.common.ports
    }

    pub(crate) fn virtual_proxies(&self) -> &[Arc<str>] {
        &self.common.virtual_proxies
    }

    fn address(&self, endpoint: Endpoint) -> std::net::SocketAddrV4 {
        let common = &self.common;
        let place = common.addresses.place(self.index(), self.ports());
        let (index, ports) = place.unwrap_or((self.index(), self.ports()));
        let port = match endpoint {
            Endpoint::Engine => ports.engine,
            Endpoint::Proxy => ports.proxy,
            Endpoint::Repository => ports.repository,
        };
        address(common.first_address, index, port)
    }
}
