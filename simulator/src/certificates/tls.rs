//! TLS as the services speak it: 1.2 and 1.3, and a client certificate demanded in the first handshake.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SigningKey, SingleCertAndKey},
};

use super::{CertificateKind, Certificates, making};
use crate::SiteError;

pub(super) fn signing_key(key: PrivatePkcs8KeyDer<'_>) -> Result<Arc<dyn SigningKey>, SiteError> {
    ring::sign::any_supported_type(&PrivateKeyDer::Pkcs8(key)).map_err(making)
}

pub(super) fn client_verifier(
    root: &CertificateDer<'static>,
) -> Result<Arc<dyn ClientCertVerifier>, SiteError> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).map_err(making)?;
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().map_err(making)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The TLS of one server: each certificate it may have to show, made when it is first shown.
#[derive(Debug)]
pub(crate) struct ServerTls {
    certificates: Arc<Certificates>,
    host_name: String,
    made: Mutex<Vec<(CertificateKind, Arc<ServerConfig>)>>,
}

impl ServerTls {
    pub(crate) fn new(certificates: Arc<Certificates>, host_name: String) -> Self {
        Self { certificates, host_name, made: Mutex::default() }
    }

    /// The TLS that shows a certificate of `kind`.
    ///
    /// Each kind keeps its own cache of sessions, so that nobody resumes past a certificate that was exchanged.
    pub(crate) fn config(&self, kind: CertificateKind) -> Result<Arc<ServerConfig>, SiteError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = made.iter().find(|(known, _)| *known == kind) {
            return Ok(config.clone());
        }
        let certificate = self.certificates.server(kind, &self.host_name)?;
        let key = CertifiedKey::new(vec![certificate], self.certificates.signing_key.clone());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(making)?
            .with_client_cert_verifier(self.certificates.client_verifier.clone())
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        made.push((kind, config.clone()));
        Ok(config)
    }
}
