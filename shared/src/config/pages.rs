//! What the programs serve over HTTP, and where.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::section::Section;
use crate::secret::Secret;

/// The collector's own pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorHttp {
    /// Where they are served.
    pub listen: SocketAddr,
    /// The argon2id hash of the password of `/` and `/api/state`.
    pub password_hash: Option<Secret>,
    /// Whether they show user names.
    pub show_users: bool,
}

/// The writer's own pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterHttp {
    /// Where they are served.
    pub listen: SocketAddr,
    /// True for the default address, which gives way to the next free port when it is taken.
    pub may_move: bool,
}

/// Where the predecessor's metrics are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// The host to listen on, without brackets around an IPv6 address.
    pub host: String,
    /// The port to listen on.
    pub port: u16,
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const COLLECTOR_LISTEN: SocketAddr = SocketAddr::new(LOOPBACK, 9701);
const WRITER_LISTEN: SocketAddr = SocketAddr::new(LOOPBACK, 9702);
const HEALTH_CHECK_PORT: u16 = 12_398;
const PROMETHEUS_HOST: &str = "0.0.0.0";
const PROMETHEUS_PORT: u16 = 9842;
/// Where the predecessor serves the metrics of its own runtime.
const NODE_METRICS: [&str; 2] = ["nodeMetricsPort", "nodeMetricsHost"];
/// What the hash of a password begins with.
const HASH_START: &str = "$argon2id$";

/// Reads `collector.http`.
pub(super) fn read_collector(section: Section<'_>) -> CollectorHttp {
    let listen = section.listen("listen", COLLECTOR_LISTEN);
    let password_hash = section.secret("passwordHash");
    if let Some(hash) = &password_hash
        && !hash.is_empty()
        && !hash.expose().starts_with(HASH_START)
    {
        let allowed = "an argon2id hash, made by `footman secrets --hash`";
        section.problem("passwordHash", "is no such hash", Some(allowed));
    }
    if password_hash.is_none() && !listen.ip().is_loopback() {
        let wrong = format!("{listen} can be reached from elsewhere, and there is no passwordHash");
        section.problem("listen", wrong, Some("a loopback address, or any with a passwordHash"));
    } else if !listen.ip().is_loopback() {
        let what = format!(
            "{listen} can be reached from elsewhere, and nothing that passes there is encrypted: \
             keep it in a network of its own, or put a proxy that speaks TLS before it"
        );
        section.warn("listen", what);
    }
    let show_users = section.flag("showUsers", false);
    section.finish();
    CollectorHttp { listen, password_hash, show_users }
}

/// Reads `writer.http`.
pub(super) fn read_writer(section: Section<'_>) -> WriterHttp {
    let listen = section.listen("listen", WRITER_LISTEN);
    if !listen.ip().is_loopback() {
        let what = format!(
            "{listen} can be reached from elsewhere without a password: it tells how the writer \
             fares, and no user"
        );
        section.warn("listen", what);
    }
    section.finish();
    WriterHttp { listen, may_move: listen == WRITER_LISTEN }
}

/// Reads `dockerHealthCheck`.
pub(super) fn read_health_check(section: Section<'_>) -> Option<u16> {
    let enabled = section.switch("enable", false);
    let section = section.quiet_unless(enabled);
    let port = section.port("port", HEALTH_CHECK_PORT);
    section.finish();
    enabled.then_some(port)
}

/// Reads `prometheus`.
pub(super) fn read_prometheus(section: Section<'_>) -> Option<Prometheus> {
    let enabled = section.switch("enable", false);
    let section = section.quiet_unless(enabled);
    let host = section.host("host", PROMETHEUS_HOST);
    let port = section.port("port", PROMETHEUS_PORT);
    section.ignore(&NODE_METRICS);
    if let Some(key) = NODE_METRICS.into_iter().find(|key| section.is_given(key)) {
        let what = "the metrics of Node.js itself are not served: Footman does not run on it; its \
                    own are at /metrics of collector.http";
        section.warn(key, what);
    }
    section.finish();
    let host = host.filter(|_| enabled)?.bare().to_owned();
    Some(Prometheus { host, port })
}
