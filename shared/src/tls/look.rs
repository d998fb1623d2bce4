//! A handshake that is made to look: what a server shows, also when that is not accepted.
//!
//! The real verifier decides; what it was given is written down first. Nothing is sent over the
//! connection but the handshake.

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, Error, ProtocolVersion};

use super::verify::{Decides, Verifier};
use super::{Identity, Roots, TlsError, Verification, config_of, provider, verify};

/// Certificates that are remembered of one server: a chain has two or three.
const MOST_CERTIFICATES: usize = 8;

/// What a server showed in a handshake.
#[derive(Debug)]
pub struct Handshake {
    /// Its certificates in DER, its own first; none when it did not come that far.
    pub chain: Vec<CertificateDer<'static>>,
    /// The version of TLS that was agreed on.
    pub protocol: Option<&'static str>,
    /// Whether it ended well.
    pub outcome: Result<(), HandshakeError>,
}

/// Why a handshake did not end well.
#[derive(Debug)]
pub enum HandshakeError {
    /// TLS: a certificate that is not accepted, on either side, or no TLS at all.
    Tls(Error),
    /// The connection.
    Io(io::Error),
}

/// Makes a handshake as a client of `server` would, and says what the server showed. Waits
/// `patience` for each answer. Blocks.
///
/// # Errors
/// Roots that verify nothing, or a name that no certificate can hold.
pub fn look(
    mut tcp: TcpStream,
    server: &str,
    roots: &Roots,
    identity: Option<&Identity>,
    verification: &Verification,
    patience: Duration,
) -> Result<Handshake, TlsError> {
    let invalid = |_invalid| TlsError::ServerName { name: server.to_owned() };
    let name = ServerName::try_from(server.to_owned()).map_err(invalid)?;
    let seen = Arc::default();
    let config = watched(roots, identity, verification, &seen)?;
    let mut connection =
        ClientConnection::new(Arc::new(config), name).map_err(TlsError::Setting)?;
    let outcome = tcp
        .set_read_timeout(Some(patience))
        .and_then(|()| tcp.set_write_timeout(Some(patience)))
        .and_then(|()| connection.complete_io(&mut tcp))
        .map(|_bytes| ())
        .map_err(error_of);
    let chain = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Handshake { chain, protocol: connection.protocol_version().and_then(words), outcome })
}

fn watched(
    roots: &Roots,
    identity: Option<&Identity>,
    verification: &Verification,
    seen: &Seen,
) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let real = verify::verifier(roots, verification, &provider)?;
    let decides = Watching { real, seen: Arc::clone(seen) };
    config_of(identity, Arc::new(Verifier { decides, provider }))
}

fn error_of(error: io::Error) -> HandshakeError {
    match error.downcast::<Error>() {
        Ok(tls) => HandshakeError::Tls(tls),
        Err(io) => HandshakeError::Io(io),
    }
}

fn words(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLS 1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLS 1.3"),
        _ => None,
    }
}

type Seen = Arc<Mutex<Vec<CertificateDer<'static>>>>;

/// Writes down what is shown, and lets the real verifier decide.
#[derive(Debug)]
struct Watching {
    real: Arc<dyn ServerCertVerifier>,
    seen: Seen,
}

impl Decides for Watching {
    fn decide(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        connected_to: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).take(MOST_CERTIFICATES);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        self.real.verify_server_cert(end_entity, intermediates, connected_to, ocsp_response, now)
    }
}
