//! The broker's certificate, and the authority that signs it: made once, renewed when the files of
//! the certificate are deleted.

use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use shared::lifecycle::host_name;
use shared::secret::Secret;
use thiserror::Error;

use super::folder::{Fate, Folder, FolderError};
use super::random;

const AUTHORITY: &str = "broker-ca.pem";
const AUTHORITY_KEY: &str = "broker-ca-key.pem";
const CERTIFICATE: &str = "broker-cert.pem";
const KEY: &str = "broker-key.pem";
/// The broker as programs reach it on one host, and by its service's name in the Compose stack.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "nats", "mosquitto"];
/// Clients have the authority in their files, so it outlives several certificates.
const AUTHORITY_YEARS: i64 = 10;
/// Long enough that nobody renews in a hurry.
const CERTIFICATE_YEARS: i64 = 2;
/// Clocks may be behind.
const BACKDATED_DAYS: i64 = 1;
/// The longest name of DNS.
const MOST_NAME_BYTES: usize = 253;

/// Why there is no certificate.
#[derive(Debug, Error)]
pub(super) enum AuthorityError {
    /// A file or the directory.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A name that no certificate can have.
    #[error("--broker-name {name} is neither a host name nor an IP address")]
    Name {
        /// As it was given.
        name: String,
    },
    /// What is there does not fit together with what would be made.
    #[error("{there} is there and {missing} is not: {step}")]
    HalfThere {
        /// The file that is there.
        there: &'static str,
        /// The file that is missing.
        missing: &'static str,
        /// What to do.
        step: &'static str,
    },
    /// A file is there that cannot be used.
    #[error("{file} cannot be used: {why}")]
    Unusable {
        /// The file.
        file: &'static str,
        /// Why.
        why: String,
    },
}

/// The names for the certificate: ours, this host's, and those that were given.
pub(super) fn names(given: &[String]) -> Result<Vec<String>, AuthorityError> {
    let mut names: Vec<String> = NAMES.map(str::to_owned).to_vec();
    // A host may have a name that no certificate can have.
    names.extend(Some(host_name()).filter(|host| is_name(host)));
    for name in given {
        if !is_name(name) {
            return Err(AuthorityError::Name { name: name.clone() });
        }
        names.push(name.clone());
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.to_ascii_lowercase()));
    Ok(names)
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(is_known)
    };
    let without_wildcard = name.strip_prefix("*.").unwrap_or(name);
    name.parse::<IpAddr>().is_ok()
        || (name.len() <= MOST_NAME_BYTES && without_wildcard.split('.').all(is_label))
}

/// Makes what is missing, and says so. True when the certificate is a new one.
pub(super) fn complete(
    folder: &Folder,
    names: Vec<String>,
    say: impl Fn(Fate, &str),
) -> Result<bool, AuthorityError> {
    let is_there = |name| folder.read(name).map(|found| found.is_some());
    let [authority, authority_key, certificate, key] =
        [is_there(AUTHORITY)?, is_there(AUTHORITY_KEY)?, is_there(CERTIFICATE)?, is_there(KEY)?];
    let half = |there, missing, step| AuthorityError::HalfThere { there, missing, step };
    if certificate && !key {
        let step = "delete it, and run this again, for a new certificate";
        return Err(half(CERTIFICATE, KEY, step));
    }
    if certificate && !authority {
        let step = "put back what clients trust, or delete broker-cert.pem and broker-key.pem for a \
                    new authority";
        return Err(half(CERTIFICATE, AUTHORITY, step));
    }
    if authority && !authority_key && !certificate {
        let step = "put it back, or delete broker-ca.pem too for a new authority, whose file every \
                    client then needs";
        return Err(half(AUTHORITY, AUTHORITY_KEY, step));
    }
    if certificate {
        // The authority's key may be kept elsewhere until the next renewal.
        let kept = [(AUTHORITY_KEY, authority_key), (AUTHORITY, true), (KEY, true)];
        for (name, _) in kept.into_iter().filter(|(_, is_there)| *is_there) {
            say(Fate::Kept, name);
        }
        say(Fate::Kept, CERTIFICATE);
        return Ok(false);
    }
    let issuer_key = key_pair(folder, AUTHORITY_KEY, &say)?;
    let issuer = issuer(folder, issuer_key, &say)?;
    let key = key_pair(folder, KEY, &say)?;
    let params = certificate_params(names)?;
    let signed = params.signed_by(&key, &issuer).map_err(|error| unusable(AUTHORITY, &error))?;
    say(folder.make(CERTIFICATE, || Secret::new(signed.pem()))?, CERTIFICATE);
    Ok(true)
}

/// A key that is there, or a new one.
fn key_pair(
    folder: &Folder,
    file: &'static str,
    say: &impl Fn(Fate, &str),
) -> Result<KeyPair, AuthorityError> {
    let new = KeyPair::generate().map_err(|error| unusable(file, &error))?;
    say(folder.make(file, || Secret::new(new.serialize_pem()))?, file);
    let text = folder.read(file)?.unwrap_or_else(|| Secret::new(""));
    KeyPair::from_pem(text.expose()).map_err(|error| unusable(file, &error))
}

/// The authority that is there, or a new one.
fn issuer(
    folder: &Folder,
    key: KeyPair,
    say: &impl Fn(Fate, &str),
) -> Result<Issuer<'static, KeyPair>, AuthorityError> {
    let new = authority_params()?.self_signed(&key).map_err(|error| unusable(AUTHORITY, &error))?;
    say(folder.make(AUTHORITY, || Secret::new(new.pem()))?, AUTHORITY);
    let text = folder.read(AUTHORITY)?.unwrap_or_else(|| Secret::new(""));
    Issuer::from_ca_cert_pem(text.expose(), key).map_err(|error| unusable(AUTHORITY, &error))
}

fn authority_params() -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    // A name of its own, so that clients with several authorities can tell which one is wrong.
    let [a, b, c, d] = random::bytes::<4>();
    let name = format!("Footman broker authority {a:02x}{b:02x}{c:02x}{d:02x}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, AUTHORITY_YEARS.years())?;
    Ok(params)
}

fn certificate_params(names: Vec<String>) -> Result<CertificateParams, AuthorityError> {
    let mut params =
        CertificateParams::new(names).map_err(|error| unusable(CERTIFICATE, &error))?;
    params.distinguished_name.push(DnType::CommonName, "Footman broker");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // The servers of a cluster are clients of each other.
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    valid_for(&mut params, CERTIFICATE_YEARS.years())?;
    Ok(params)
}

fn valid_for(params: &mut CertificateParams, span: Span) -> Result<(), AuthorityError> {
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let shifted = |span| today.checked_add(span).map_err(|error| unusable(CERTIFICATE, &error));
    let part = |number: i8| u8::try_from(number).unwrap_or(1);
    let midnight =
        |date: Date| date_time_ymd(date.year().into(), part(date.month()), part(date.day()));
    params.not_before = midnight(shifted(-BACKDATED_DAYS.days())?);
    params.not_after = midnight(shifted(span)?);
    Ok(())
}

fn unusable(file: &'static str, why: &dyn std::fmt::Display) -> AuthorityError {
    AuthorityError::Unusable { file, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_named_once() {
        let names = names(&["Nats".to_owned(), "10.0.0.7".to_owned(), "b.example.com".to_owned()]);
        let names = names.unwrap();
        assert_eq!(names.iter().filter(|name| name.eq_ignore_ascii_case("nats")).count(), 1);
        assert!(names.ends_with(&["10.0.0.7".to_owned(), "b.example.com".to_owned()]));
        for wrong in ["", "a b", "http://x", "a..b", "host:8883", "ä.example.com"] {
            assert!(super::names(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
