//! TLS: from the files an operator names to the one rustls configuration of a connection.
//!
//! Everything that can be wrong with a file is an error that names the file, the cause and the next
//! step; passphrases are in none of them. The cryptographic provider is given explicitly, so that
//! nothing depends on what the process installed as its default.

mod certificate;
mod error;
mod expiry;
mod faults;
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod key;
mod look;
mod material;
mod pem;
mod presented;
mod renewal;
mod renewing;
mod roots;
mod traditional;
mod verify;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;

pub use certificate::{Certificate, NoCertificate};
pub use error::TlsError;
pub use expiry::Expiry;
pub use faults::{IdentityFault, authority_fault, identity_faults, signature_fault};
pub use identity::Identity;
pub use look::{Handshake, HandshakeError, look};
pub use material::{Files, Material};
pub use presented::Presented;
pub use renewal::{News, Renewal};
pub use roots::Roots;
pub use verify::Verification;

use crate::config::Tls;
use presented::Noting;
use verify::Verifier;

/// Servers whose sessions are kept for resumption. One costs some kilobytes, and connections that
/// are kept alive need none.
const RESUMABLE_SERVERS: usize = 64;

/// The provider of all cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The configuration of connections that trust `roots`, show `identity` when asked for a
/// certificate, and verify servers as `verification` says. TLS 1.2 and 1.3.
///
/// # Errors
/// Roots that verify nothing, or a server name that is no name.
pub fn client_config(
    roots: &Roots,
    identity: Option<&Identity>,
    verification: &Verification,
) -> Result<ClientConfig, TlsError> {
    config_of(identity, verify::verifier(roots, verification, &provider())?)
}

/// The same, and what servers present is noted.
///
/// # Errors
/// Roots that verify nothing, or a server name that is no name.
pub fn noting_client_config(
    material: &Material,
    verification: &Verification,
    presented: &Presented,
) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let verifier = verify::verifier(&material.roots, verification, &provider)?;
    let decides = Noting { verifier, presented: presented.clone() };
    config_of(material.identity.as_ref(), Arc::new(Verifier { decides, provider }))
}

fn config_of(
    identity: Option<&Identity>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setting)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(RESUMABLE_SERVERS);
    Ok(config)
}

/// The configuration for a broker or a database, from the files that `tls` names; the system's
/// authorities are trusted when it names none. Each new connection uses what the files hold then.
///
/// # Errors
/// A file that cannot be used, with the next step.
pub fn client_config_of(tls: &Tls) -> Result<ClientConfig, TlsError> {
    renewing::config(Files::from(tls))
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
