//! From the configuration to a connection that is made, and made again, in the background.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};
use rand::RngExt as _;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::link::{Link, LinkState};
use super::login::Login;
use super::settings::NatsSettings;
use super::standing::Standing;
use crate::config;
use crate::subject::Token;
use crate::tls::{TlsError, client_config_of};

/// A peer that is silent for three of these is taken for dead.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How long one attempt may take, TLS included.
const ATTEMPT_WAIT: Duration = Duration::from_secs(5);
/// The first wait between attempts; it doubles.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// The longest wait between attempts: it bounds how late a returning server is noticed.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// Where the server's answers come. With the user's name behind it, a server can be told to show
/// each user its own answers alone; who may hear all of them may hear these.
const INBOX: &str = "_INBOX";
/// The scheme of a server that is spoken to in TLS alone.
const TLS_SCHEME: &str = "tls";

/// Why no connection can ever be made with these settings.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// An address is none.
    #[error("{server} is no address of a NATS server")]
    Server {
        /// The address, without what may be secret.
        server: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The credentials file cannot be used.
    #[error("the credentials file {} cannot be used ({source}): check the path and that it holds \
             what `nsc generate creds` wrote", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client refuses the settings.
    #[error("the settings of NATS cannot be used: {why}")]
    Settings {
        /// What the client said.
        why: String,
    },
}

/// Begins to connect.
pub(super) async fn link(
    config: &config::Nats,
    settings: &NatsSettings,
    standing: &Arc<Standing>,
    ended: &CancellationToken,
) -> Result<Link, ConnectError> {
    let servers: Vec<ServerAddr> =
        config.servers.iter().map(server_of).collect::<Result<_, _>>()?;
    let inbox = inbox_of(config);
    let addresses = address_words(&config.servers);
    let state = Arc::new(LinkState::new(addresses, inbox.clone(), Arc::clone(standing)));
    let options = secured(config, Login::new(config)?.options())?;
    let (events, attempts, over) = (Arc::clone(&state), Arc::clone(&state), ended.clone());
    let client = options
        .name(&settings.name)
        .custom_inbox_prefix(inbox)
        .retry_on_initial_connect()
        .ping_interval(PING_EVERY)
        .connection_timeout(ATTEMPT_WAIT)
        .request_timeout(Some(settings.timing.answer_wait))
        .reconnect_delay_callback(backoff)
        .event_callback(move |event| {
            let state = Arc::clone(&events);
            async move { state.on_event(&event) }
        })
        // It chooses no server: it is where the client tells why the last attempt failed.
        .reconnect_to_server_callback(move |servers, _info| {
            attempts.before_attempt(&servers);
            let over = over.clone();
            async move {
                if over.is_cancelled() {
                    // The client would go on trying after its last handle is gone.
                    std::future::pending::<()>().await;
                }
                None
            }
        })
        .connect(servers)
        .await
        .map_err(|error| ConnectError::Settings { why: error.to_string() })?;
    Ok(Link::new(client, state, settings.timing.answer_wait))
}

/// What the subjects of answers begin with.
fn inbox_of(config: &config::Nats) -> String {
    match &config.username {
        Some(username) => format!("{INBOX}.{}", Token::new(username)),
        None => INBOX.to_owned(),
    }
}

fn server_of(url: &Url) -> Result<ServerAddr, ConnectError> {
    ServerAddr::from_url(url.clone())
        .map_err(|source| ConnectError::Server { server: words_of(url), source })
}

/// Host and port, which hold no secret.
fn words_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn address_words(servers: &[Url]) -> String {
    servers.iter().map(words_of).collect::<Vec<_>>().join(", ")
}

fn secured(config: &config::Nats, options: ConnectOptions) -> Result<ConnectOptions, ConnectError> {
    let is_required =
        config.tls.is_set() || config.servers.iter().any(|url| url.scheme() == TLS_SCHEME);
    if is_required {
        return Ok(options.require_tls(true).tls_client_config(client_config_of(&config.tls)?));
    }
    // A server may still ask for TLS. A system without authorities is a mistake only then, and the
    // client says so.
    Ok(match client_config_of(&config.tls) {
        Ok(tls) => options.tls_client_config(tls),
        Err(_no_authorities) => options,
    })
}

/// The wait before an attempt, with jitter, so that programs do not come back in step.
fn backoff(attempts: usize) -> Duration {
    let Some(doublings) = attempts.checked_sub(2) else {
        return Duration::ZERO;
    };
    let doublings = u32::try_from(doublings).unwrap_or(u32::MAX).min(16);
    let whole = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    whole.mul_f64(rand::rng().random_range(0.5..=1.0))
}
