//! What TLS refuses, in words that say what to do.
//!
//! Codes are those of Node.js, where it has one, so that dashboards of the predecessor know them.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};
use shared::event::Category;

use super::failure::{Context, Failure};

/// The failure of a handshake, or of a connection broken by TLS.
pub(super) fn of(error: &Error, context: &Context<'_>) -> Failure {
    let (code, message) = match error {
        Error::InvalidCertificate(cause) => certificate(cause, context),
        Error::AlertReceived(alert) => alert_received(*alert, context),
        Error::PeerIncompatible(cause) => (
            "EPROTO",
            format!(
                "{} offers no TLS version or cipher suite that is still safe ({cause:?}): it needs \
                 TLS 1.2 with an ECDHE suite, as Windows Server 2016 and newer have",
                context.host
            ),
        ),
        Error::InvalidMessage(_) => (
            "EPROTO",
            format!("{} does not speak TLS at this port: is the port right?", context.host),
        ),
        other => ("EPROTO", format!("TLS with {} failed: {other}", context.host)),
    };
    let mut failure = Failure::new(Category::CERTIFICATE_ERROR, message);
    failure.code = Some(code.into());
    failure
}

fn certificate(cause: &CertificateError, context: &Context<'_>) -> (&'static str, String) {
    let host = context.host;
    match cause {
        CertificateError::NotValidForNameContext { presented, .. } => {
            ("ERR_TLS_CERT_ALTNAME_INVALID", other_name(presented, context))
        }
        CertificateError::NotValidForName => {
            ("ERR_TLS_CERT_ALTNAME_INVALID", other_name(&[], context))
        }
        CertificateError::UnknownIssuer => (
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            format!(
                "the certificate of {host}{} is not signed by the authority in cert.clientCertCA: \
                 set cert.clientCertCA to the root.pem exported from this site, if {host} is a port \
                 of a Qlik Sense service",
                presented(context)
            ),
        ),
        CertificateError::BadSignature => (
            "CERT_SIGNATURE_FAILURE",
            format!(
                "the certificate of {host}{} is signed by another authority of the same name than \
                 the one in cert.clientCertCA: export the certificates of this site again, and set \
                 cert.clientCertCA to the new root.pem",
                presented(context)
            ),
        ),
        CertificateError::ExpiredContext { not_after, .. } => {
            ("CERT_HAS_EXPIRED", expired(context, &format!(" on {}", date(*not_after))))
        }
        CertificateError::Expired => ("CERT_HAS_EXPIRED", expired(context, "")),
        CertificateError::NotValidYetContext { not_before, .. } => (
            "CERT_NOT_YET_VALID",
            format!(
                "the certificate of {host}{} is valid from {} on: set the clock of this machine, or \
                 of the one that made the certificate, right",
                presented(context),
                date(*not_before)
            ),
        ),
        other => ("EPROTO", format!("the certificate of {host} cannot be accepted: {other}")),
    }
}

/// What the host showed, to be put after "the certificate of x".
fn presented(context: &Context<'_>) -> String {
    context
        .presented
        .as_ref()
        .map_or_else(String::new, |shown| format!(" (for {}, by {})", shown.subject, shown.issuer))
}

fn expired(context: &Context<'_>, when: &str) -> String {
    let host = context.host;
    let until_then = context.server.map_or_else(String::new, |server| {
        format!("; until then collector.servers.{server}: {{ verify: none }} polls it unverified")
    });
    format!(
        "the certificate of {host}{} has expired{when}: redistribute the certificates of the site \
         in the QMC{until_then}",
        presented(context)
    )
}

fn other_name(presented: &[String], context: &Context<'_>) -> String {
    let names: Vec<&str> = presented.iter().map(|name| plain_name(name)).collect();
    let (holds, suggested) = match names.as_slice() {
        [] => {
            let common = context.presented.as_ref().map(|shown| shown.subject.as_str());
            let common = common.map_or_else(String::new, |name| format!(" {name}"));
            (format!("no name (only the common name{common}, as on very old sites)"), None)
        }
        names => (names.join(", "), names.first()),
    };
    let advice = match (context.server, suggested) {
        (Some(server), Some(name)) => {
            format!("set collector.servers.{server} to {{ tlsServerName: {name} }}")
        }
        (Some(server), None) => format!("set collector.servers.{server} to {{ verify: chain }}"),
        (None, Some(name)) => format!("set appNames.hostIP to {name}"),
        (None, None) => "set appNames.hostIP to the IP address".to_owned(),
    };
    format!("the certificate of {} is for another name, it holds {holds}: {advice}", context.host)
}

/// The name within rustls' `DnsName("x")`.
fn plain_name(presented: &str) -> &str {
    presented.split('"').nth(1).unwrap_or(presented)
}

fn alert_received(alert: AlertDescription, context: &Context<'_>) -> (&'static str, String) {
    let host = context.host;
    let message = match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::DecryptError
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::UnsupportedCertificate => format!(
            "{host} does not accept our client certificate ({alert:?}): set cert.clientCert and \
             cert.clientCertKey to files exported from this site"
        ),
        AlertDescription::CertificateExpired | AlertDescription::CertificateRevoked => {
            format!(
                "{host} says that our client certificate is no longer valid ({alert:?}): export \
                 the certificates of this site again for cert.clientCert and cert.clientCertKey"
            )
        }
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity => format!(
            "{host} refuses the handshake ({alert:?}): it knows no TLS 1.2 with an ECDHE suite, or \
             it wants another client certificate"
        ),
        other => format!("{host} broke off TLS ({other:?})"),
    };
    ("EPROTO", message)
}

fn date(moment: UnixTime) -> String {
    i64::try_from(moment.as_secs())
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "an unknown day".to_owned(), |moment| moment.to_string())
}
