//! How far the certificate of a server is verified.
//!
//! Every mode checks the signatures of the handshake, so that a server holds the key of the
//! certificate it shows; what a mode leaves out is the certificate's chain or its name.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::{Roots, TlsError};

/// How far the certificate of a server is verified.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verification {
    /// The chain, and the name that was connected to.
    Full,
    /// The chain, and this name in place of the one that was connected to.
    As(String),
    /// The chain alone.
    Chain,
    /// Nothing.
    None,
}

pub(super) fn verifier(
    roots: &Roots,
    verification: &Verification,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let roots = Arc::clone(&roots.0);
    let provider = Arc::clone(provider);
    let full = |roots, provider| {
        WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| TlsError::Setting(Error::General(error.to_string())))
    };
    Ok(match verification {
        Verification::Full => full(roots, provider)?,
        Verification::As(name) => {
            let name = ServerName::try_from(name.clone())
                .map_err(|_invalid| TlsError::ServerName { name: name.clone() })?;
            let full = full(roots, Arc::clone(&provider))?;
            Arc::new(Verifier { decides: Named { name, full }, provider })
        }
        Verification::Chain => nameless(Some(roots), provider),
        Verification::None => nameless(None, provider),
    })
}

fn nameless(
    roots: Option<Arc<RootCertStore>>,
    provider: Arc<CryptoProvider>,
) -> Arc<dyn ServerCertVerifier> {
    let decides = Nameless { roots, provider: Arc::clone(&provider) };
    Arc::new(Verifier { decides, provider })
}

/// What decides whether a certificate is accepted; see [`Verifier`] for the rest of a handshake.
pub(super) trait Decides: Debug + Send + Sync {
    /// As [`ServerCertVerifier::verify_server_cert`].
    fn decide(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        connected_to: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error>;
}

/// Leaves the certificate to another, and checks the signatures of the handshake itself, so that no
/// way of deciding can leave those out.
#[derive(Debug)]
pub(super) struct Verifier<D> {
    pub(super) decides: D,
    pub(super) provider: Arc<CryptoProvider>,
}

impl<D: Decides> ServerCertVerifier for Verifier<D> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        connected_to: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.decides.decide(end_entity, intermediates, connected_to, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies everything, against a name of its own.
#[derive(Debug)]
struct Named {
    name: ServerName<'static>,
    full: Arc<WebPkiServerVerifier>,
}

impl Decides for Named {
    fn decide(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _connected_to: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.full.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }
}

/// Verifies the chain when it has roots, and no name ever.
#[derive(Debug)]
struct Nameless {
    roots: Option<Arc<RootCertStore>>,
    provider: Arc<CryptoProvider>,
}

impl Decides for Nameless {
    fn decide(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _connected_to: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }
}
