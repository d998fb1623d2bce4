//! TLS with a broker, whatever version of MQTT is spoken inside.

use std::sync::{Arc, OnceLock};

use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;

use crate::config::Tls;
use crate::tls::client_config_of;

/// The files of TLS, and the configuration made of them as soon as they could be used; it looks at
/// them again with each handshake.
#[derive(Debug)]
pub(crate) struct TlsOfBroker {
    files: Tls,
    config: OnceLock<Arc<ClientConfig>>,
}

impl TlsOfBroker {
    pub(crate) fn new(files: &Tls) -> Arc<Self> {
        Arc::new(Self { files: files.clone(), config: OnceLock::new() })
    }

    /// What a client's options take; the error says which file cannot be used, and why.
    pub(crate) async fn transport(self: &Arc<Self>) -> Result<Transport, String> {
        let tls = Arc::clone(self);
        let loaded = tokio::task::spawn_blocking(move || match tls.config.get() {
            Some(config) => Ok(Arc::clone(config)),
            None => client_config_of(&tls.files)
                .map(|config| Arc::clone(tls.config.get_or_init(|| Arc::new(config)))),
        });
        let config =
            loaded.await.map_err(|ended| ended.to_string())?.map_err(|error| error.to_string())?;
        Ok(Transport::tls_with_config(TlsConfiguration::Rustls(config)))
    }
}
