//! What a certificate says of itself: whose it is, who signed it, and from when to when.
//!
//! For people and for gauges alone. Nothing here decides whether a certificate is trusted: rustls
//! does, over the same bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use super::identity::{self, File};
use super::{TlsError, pem};

/// Bytes that are no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it is no certificate ({why})")]
pub struct NoCertificate {
    /// What does not fit.
    pub why: String,
}

/// What a certificate says. Names are free of control characters, since a server's certificate may
/// come from anybody and is shown on terminals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The common name of its owner; the whole subject when it has none.
    pub subject: String,
    /// The common name of who signed it; the whole issuer when it has none.
    pub issuer: String,
    /// The DNS names that it is valid for (subject alternative names).
    pub dns_names: Vec<String>,
    /// The IP addresses that it is valid for (subject alternative names).
    pub addresses: Vec<IpAddr>,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends to be valid.
    pub not_after: Timestamp,
}

impl Certificate {
    /// Reads one certificate in DER form, as TLS carries it.
    ///
    /// # Errors
    /// The bytes are no certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, NoCertificate> {
        let (_rest, parsed) = X509Certificate::from_der(der)
            .map_err(|error| NoCertificate { why: error.to_string() })?;
        let names = parsed
            .subject_alternative_name()
            .map_err(|error| NoCertificate { why: error.to_string() })?;
        let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        Ok(Self {
            subject: name_of(parsed.subject()),
            issuer: name_of(parsed.issuer()),
            dns_names: names.iter().filter_map(dns_name).collect(),
            addresses: names.iter().filter_map(address).collect(),
            not_before: moment(parsed.validity().not_before),
            not_after: moment(parsed.validity().not_after),
        })
    }

    /// Reads all certificates of a PEM file, in its order; keys and other blocks are passed over.
    ///
    /// # Errors
    /// A file that cannot be read or holds no certificate, with the next step.
    pub fn load(path: &Path) -> Result<Vec<Self>, TlsError> {
        let file = File { path, bytes: &pem::read(path)? };
        Self::all_of(file)
    }

    /// All certificates in what a file holds.
    pub(super) fn all_of(file: File<'_>) -> Result<Vec<Self>, TlsError> {
        let read = |der: &[u8]| {
            Self::from_der(der).map_err(|error| TlsError::Malformed {
                path: file.path.to_owned(),
                why: error.to_string(),
            })
        };
        identity::certificates(file)?.iter().map(|der| read(der)).collect()
    }

    /// The time left at `now` until it ends to be valid; negative when it has.
    pub fn left(&self, now: Timestamp) -> SignedDuration {
        self.not_after.duration_since(now)
    }

    /// The names and addresses that it is valid for, in words; "no name" when it holds none.
    pub fn names_in_words(&self) -> String {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let names: Vec<String> = self.dns_names.iter().cloned().chain(addresses).collect();
        if names.is_empty() { "no name".to_owned() } else { names.join(", ") }
    }
}

fn name_of(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|name| name.as_str().ok());
    printable(&common.map_or_else(|| name.to_string(), str::to_owned))
}

fn dns_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(printable(name)),
        _ => None,
    }
}

fn address(name: &GeneralName<'_>) -> Option<IpAddr> {
    let GeneralName::IPAddress(bytes) = name else {
        return None;
    };
    let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
    v4.or(v6).ok()
}

/// A certificate's time; the end of time itself where it lies beyond what can be written down
/// ("99991231235959Z" is how certificates say "never", and a second more is possible).
fn moment(time: ASN1Time) -> Timestamp {
    let seconds = time.timestamp();
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::ToSpan as _;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn pem_of(common_name: &str, names: Vec<SanType>) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if !common_name.is_empty() {
            params.distinguished_name.push(DnType::CommonName, common_name);
        }
        params.distinguished_name.push(DnType::OrganizationName, "Corp");
        params.subject_alt_names = names;
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2030, 6, 15);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn load(text: &str) -> Result<Vec<Certificate>, TlsError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.pem");
        fs::write(&path, text).unwrap();
        Certificate::load(&path)
    }

    #[test]
    fn all_of_a_file_are_read_in_its_order() {
        let names = vec![
            SanType::DnsName("sense1.corp.com".try_into().unwrap()),
            SanType::IpAddress("10.0.0.7".parse().unwrap()),
            SanType::IpAddress("fe80::7".parse().unwrap()),
        ];
        let key = KeyPair::generate().unwrap().serialize_pem();
        let both = format!("{}text\n{key}{}", pem_of("sense1", names), pem_of("", Vec::new()));
        let read = load(&both.replace('\n', "\r\n")).unwrap();
        assert_eq!(read.len(), 2);
        let first = &read[0];
        assert_eq!((first.subject.as_str(), first.issuer.as_str()), ("sense1", "sense1"));
        assert_eq!(first.dns_names, ["sense1.corp.com"]);
        assert_eq!(first.names_in_words(), "sense1.corp.com, 10.0.0.7, fe80::7");
        assert_eq!(first.not_before, "2025-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(first.not_after, "2030-06-15T00:00:00Z".parse().unwrap());
        let before = first.not_after.checked_sub(240.hours()).unwrap();
        assert_eq!(first.left(before), SignedDuration::from_hours(240));
        assert!(first.left("2031-01-01T00:00:00Z".parse().unwrap()).is_negative());
        assert_eq!(read[1].subject, "O=Corp");
        assert_eq!(read[1].names_in_words(), "no name");
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        let error = Certificate::from_der(&[0x30, 0x03, 1, 1, 0]).unwrap_err();
        assert!(error.to_string().starts_with("it is no certificate"), "{error}");
        assert!(Certificate::from_der(&[]).is_err());
        let error = load("nothing").unwrap_err();
        assert!(matches!(error, TlsError::Missing { expected: "certificate", .. }), "{error}");
        let damaged = pem_of("sense1", Vec::new()).replacen("MII", "AAA", 1);
        let error = load(&damaged).unwrap_err();
        assert!(matches!(&error, TlsError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains("server.pem"), "{error}");
    }

    #[test]
    fn names_do_not_steer_a_terminal() {
        let read = load(&pem_of("sense1\u{1b}[2J\n", Vec::new())).unwrap();
        assert_eq!(read[0].subject, "sense1\u{fffd}[2J\u{fffd}");
    }
}
