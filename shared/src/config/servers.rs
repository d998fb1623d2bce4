//! The servers of the site: what to poll, how it is tagged, how its certificate is verified.

use std::time::Duration;

use crate::secret::Secret;

/// One entry of `serversToMonitor.servers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The name that tags, subjects and logs use.
    pub name: String,
    /// What the server is for.
    pub description: String,
    /// The engine's host as written, with its port.
    pub host: String,
    /// The server's own tags, in the order of the file.
    pub tags: Vec<(String, String)>,
    /// Headers sent with health polls.
    pub headers: Vec<(String, Secret)>,
    /// Which sessions to poll; none when they are off for the site or for this server.
    pub sessions: Option<ServerSessions>,
    /// The name its certificate must hold, when it is not the host's.
    pub tls_server_name: Option<String>,
    /// How its certificate is verified.
    pub verify: Verify,
}

/// The proxy of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSessions {
    /// The proxy's host as written, with its port.
    pub host: String,
    /// The prefixes of its virtual proxies, each with a leading slash.
    pub virtual_proxies: Vec<String>,
}

/// How far a certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// The chain and the name.
    Full,
    /// The chain alone.
    Chain,
    /// Nothing.
    None,
}

/// What `collector.servers` says about one server; discovered ones may be named there too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The name its certificate must hold.
    pub tls_server_name: Option<String>,
    /// How its certificate is verified; by its host when none.
    pub verify: Option<Verify>,
}

/// The sessions of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// How often each virtual proxy is polled.
    pub interval: Duration,
    /// Users that appear in no list, detail or topic.
    pub exclude: Vec<ExcludedUser>,
}

/// A user who is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedUser {
    /// The user directory.
    pub directory: String,
    /// The name in it.
    pub user_id: String,
}

/// The repository that knows the names of the apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppNames {
    /// How often it is asked.
    pub interval: Duration,
    /// Its host, without the port.
    pub host: String,
    /// Its port.
    pub port: u16,
}
