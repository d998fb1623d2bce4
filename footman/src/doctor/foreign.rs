//! A server that is no part of Qlik Sense, such as a broker: its handshake, and what mends it.

use std::net::TcpStream;
use std::time::Duration;

use jiff::Timestamp;
use rustls::{CertificateError, Error};
use shared::config::Tls;
use shared::tls::{Certificate, HandshakeError, Verification};

use super::reach::{self, Trust};
use super::report::{Finding, Section};

/// A server that is no part of Qlik Sense, and how it is to be trusted.
pub(crate) struct Foreign<'a> {
    pub(crate) host: &'a str,
    /// The section with the files, such as `broker.nats.tls`.
    pub(crate) tls: &'a Tls,
    /// The key of the authority, for what to do.
    pub(crate) ca_key: &'static str,
    /// The key of the address.
    pub(crate) address_key: &'static str,
}

impl Foreign<'_> {
    /// Makes a handshake, and says what was shown and whether it is accepted.
    pub(crate) async fn note(
        &self,
        stream: TcpStream,
        patience: Duration,
        section: &mut Section,
    ) -> bool {
        let looked = match Trust::of(self.tls) {
            Ok(trust) => {
                reach::handshake(stream, self.host, trust.clone(), Verification::Full, patience)
                    .await
                    .map(|handshake| (handshake, trust))
            }
            Err(error) => Err(error.to_string()),
        };
        let (handshake, trust) = match looked {
            Ok(looked) => looked,
            Err(why) => {
                section.add(Finding::fault("tls", why).advise(format!("see {}", self.ca_key)));
                return false;
            }
        };
        let (findings, certificate) = reach::shown(&handshake, Timestamp::now());
        section.findings.extend(findings);
        let Err(error) = &handshake.outcome else {
            section.add(Finding::ok("tls", "verified: chain and name"));
            return true;
        };
        section.add(self.refused(error, certificate.as_ref(), &trust));
        false
    }

    fn refused(
        &self,
        error: &HandshakeError,
        certificate: Option<&Certificate>,
        trust: &Trust,
    ) -> Finding {
        let (ca, address) = (self.ca_key, self.address_key);
        let HandshakeError::Tls(Error::InvalidCertificate(cause)) = error else {
            let seen = format!("the handshake failed: {}", reach::words(error));
            let advice = format!(
                "see that {address} names a port with TLS, and whether the server wants a certificate"
            );
            return Finding::fault("tls", seen).advise(advice);
        };
        match cause {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                let holds =
                    certificate.map_or_else(|| "others".to_owned(), Certificate::names_in_words);
                Finding::fault(
                    "tls",
                    format!("the certificate is for {holds}, not for {}", self.host),
                )
                .advise(format!("name the server in {address} as its certificate does"))
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                let issuer = certificate.map_or("somebody", |certificate| &certificate.issuer);
                let trusted = trust.authorities().map_or_else(
                    || "the system does not trust that".to_owned(),
                    |ours| format!("{ca} holds {ours}"),
                );
                Finding::fault("tls", format!("it is signed by `{issuer}`; {trusted}"))
                    .advise(format!("name the file with that authority in {ca}"))
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Finding::fault("tls", "the certificate has expired")
                    .advise("renew it on the server")
            }
            other => Finding::fault("tls", format!("the certificate is not accepted: {other}"))
                .advise("give the server another one"),
        }
    }
}
