//! The simulated site of the demo, and its servant that misbehaves.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use simulator::{ButlerSosOptions, Endpoint, Fault, Site, SiteConfig};
use tokio_util::sync::CancellationToken;

use super::Places;

const SERVERS: usize = 3;
/// The one that misbehaves.
const TROUBLED: usize = 2;
const INTERVAL: Duration = Duration::from_secs(5);
const APP_NAMES_INTERVAL: Duration = Duration::from_secs(15);
/// How long all goes well at first.
const CALM: Duration = Duration::from_secs(4);
/// How long each trouble, and each time without one, lasts.
const TROUBLE: Duration = Duration::from_secs(12);
/// Networks tried until one is free, when several demos run at once.
const NETWORKS: u8 = 20;

/// What the troubled server does, over and over.
const TROUBLES: [Option<Fault>; 6] =
    [Some(Fault::Status(503)), None, Some(Fault::Refused), None, Some(Fault::Hang), None];

/// A running site; clones are handles to the same one.
#[derive(Clone, Debug)]
pub(super) struct DemoSite {
    site: Arc<Site>,
}

impl DemoSite {
    /// Starts it, with its certificates in `directory`.
    pub(super) async fn start(directory: &Path) -> anyhow::Result<Self> {
        let mut failure = None;
        for network in 0..NETWORKS {
            let config = SiteConfig {
                servers: SERVERS,
                first_address: Ipv4Addr::new(127, 77, network, 1),
                ..SiteConfig::new(directory)
            };
            match Site::start(config).await {
                Ok(site) => return Ok(Self { site: Arc::new(site) }),
                Err(error) => failure = Some(error),
            }
        }
        let error = failure.map_or_else(|| anyhow::anyhow!("no network was tried"), Into::into);
        Err(error).context("the simulated site cannot be started")
    }

    /// The servers' names, in order.
    pub(super) fn names(&self) -> Vec<String> {
        self.site.servers().iter().map(|server| server.name().to_owned()).collect()
    }

    /// A Butler SOS file for the site, with Footman's own sections at its end.
    pub(super) fn configuration(
        &self,
        places: &Places,
        page: SocketAddr,
        mqtt: SocketAddr,
    ) -> String {
        let queue = quoted(&places.queue());
        let points = quoted(&places.points());
        let mut more = format!(
            "  broker:\n    embedded: {{ directory: {queue}, {listener} }}\n  collector:\n    \
             http: {{ listen: \"{page}\" }}\n  writer:\n    lineProtocolFile: {points}\n",
            listener = if cfg!(feature = "mqtt-listener") {
                format!("mqttListener: \"{mqtt}\"")
            } else {
                "mqttListener: null".to_owned()
            },
        );
        more.push_str("  shutdownGrace: 5s\n");
        self.site.butler_sos_config(&ButlerSosOptions {
            influxdb_enable: false,
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: APP_NAMES_INTERVAL,
            more,
            ..ButlerSosOptions::default()
        })
    }

    /// Makes one server hang, refuse and fail by turns until shutdown.
    pub(super) async fn misbehave(self, shutdown: CancellationToken) {
        let mut pause = CALM;
        for trouble in TROUBLES.into_iter().cycle() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => return,
            }
            pause = TROUBLE;
            for endpoint in [Endpoint::Engine, Endpoint::Proxy] {
                if let Err(error) = self.site.set_fault(TROUBLED, endpoint, trouble).await {
                    tracing::warn!(%error, "The simulated site could not change its behaviour.");
                }
            }
        }
    }
}

/// A path as a YAML text.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
