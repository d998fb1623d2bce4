//! What servers present, noted as handshakes pass: for messages about those that fail, and for the
//! gauges of those that do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::Error;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::Certificate;
use super::verify::Decides;

/// Hosts whose certificates are kept: more than a site has.
const MOST_HOSTS: usize = 10_000;

/// The certificate that each host presented last; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Presented(Arc<Mutex<BTreeMap<String, Certificate>>>);

impl Presented {
    /// What a host (a name or an address, without a port) presented last, good or not.
    pub fn by(&self, host: &str) -> Option<Certificate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }

    /// What each host presented last.
    pub fn all(&self) -> Vec<(String, Certificate)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(host, certificate)| (host.clone(), certificate.clone())).collect()
    }

    /// Forgets the hosts that are asked no more.
    pub fn keep(&self, is_asked: impl Fn(&str) -> bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|host, _| is_asked(host));
    }

    fn note(&self, host: &ServerName<'_>, der: &[u8]) {
        let Ok(certificate) = Certificate::from_der(der) else { return };
        let host = host.to_str();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_HOSTS || known.contains_key(&*host) {
            known.insert(host.into_owned(), certificate);
        }
    }
}

/// Verifies as another does, and notes what is presented.
#[derive(Debug)]
pub(super) struct Noting {
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
    pub(super) presented: Presented,
}

impl Decides for Noting {
    fn decide(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.presented.note(server_name, end_entity);
        let (verifier, name) = (&self.verifier, server_name);
        verifier.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }
}
