//! A configuration of connections whose files are looked at with each handshake.
//!
//! Brokers and databases keep a connection for days, and their clients keep the configuration that
//! they were given once. So the configuration itself asks for what the files hold now; a connection
//! that is up stays up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, Error, SignatureScheme};
use tokio::time::Instant;

use super::material::{Files, Material};
use super::renewal::{News, Renewal};
use super::verify::{Decides, Verifier};
use super::{TlsError, Verification, provider, verify};

/// Time between two looks at the files: attempts to connect may come faster.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The configuration of connections that verify servers fully, with the files of now.
///
/// # Errors
/// A file that cannot be used, with the next step.
pub(super) fn config(files: Files) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let renewing = Arc::new(Renewing::start(files, Arc::clone(&provider))?);
    let verifier = Verifier { decides: Arc::clone(&renewing), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setting)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(renewing);
    // A session that is resumed would show and verify what was in force when it began.
    config.resumption = Resumption::disabled();
    Ok(config)
}

#[derive(Debug)]
struct Renewing {
    state: Mutex<State>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct State {
    renewal: Renewal,
    looked: Instant,
    now: Result<Parts, String>,
}

/// What is asked in a handshake.
#[derive(Debug, Clone)]
struct Parts {
    verifier: Arc<dyn ServerCertVerifier>,
    resolver: Option<Arc<dyn ResolvesClientCert>>,
}

impl Parts {
    fn of(material: &Material, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let verifier = verify::verifier(&material.roots, &Verification::Full, provider)?;
        let resolver = material.identity.as_ref().map(super::Identity::resolver);
        Ok(Self { verifier, resolver })
    }
}

impl Renewing {
    fn start(files: Files, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let (renewal, material) = Renewal::start(files);
        let now = Ok(Parts::of(&material?, &provider)?);
        let state = Mutex::new(State { renewal, looked: Instant::now(), now });
        Ok(Self { state, provider })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the files hold now, or why they cannot be used.
    fn parts(&self) -> Result<Parts, String> {
        let mut state = self.lock();
        if state.looked.elapsed() >= LOOK_EVERY {
            state.looked = Instant::now();
            match state.renewal.look() {
                News::Nothing => {}
                News::Renewed(material) => {
                    tracing::info!("The certificate files of a broker or of InfluxDB changed.");
                    let parts = Parts::of(&material, &self.provider);
                    state.now = parts.map_err(|error| error.to_string());
                }
                News::Broken(error) => state.now = Err(error.to_string()),
            }
        }
        state.now.clone()
    }
}

impl Decides for Arc<Renewing> {
    fn decide(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parts = self.parts().map_err(Error::General)?;
        let (verifier, name) = (parts.verifier, server_name);
        verifier.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }
}

impl ResolvesClientCert for Renewing {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        // With TLS 1.3 this is asked before the server's certificate is verified. Why there is none
        // is told when that comes.
        self.parts().ok()?.resolver?.resolve(root_hint_subjects, sigschemes)
    }

    fn has_certs(&self) -> bool {
        self.lock().now.as_ref().is_ok_and(|parts| parts.resolver.is_some())
    }
}
