use rustls::{AlertDescription, CertificateError};

use super::*;

fn context(server: Option<&str>) -> Context<'_> {
    let address = Some(([10, 0, 0, 7], 4747).into());
    Context { server, host: "sense1:4747", address, presented: None }
}

fn of_io_kind(kind: ErrorKind, connecting: bool) -> Failure {
    known(&io::Error::from(kind), connecting, &context(None)).unwrap()
}

#[test]
fn causes_of_the_operating_system() {
    for (kind, category, code) in [
        (ErrorKind::ConnectionRefused, Category::CONNECTION_REFUSED, "ECONNREFUSED"),
        (ErrorKind::ConnectionReset, Category::CONNECTION_RESET, "ECONNRESET"),
        (ErrorKind::BrokenPipe, Category::CONNECTION_RESET, "ECONNRESET"),
        (ErrorKind::UnexpectedEof, Category::CONNECTION_RESET, "ECONNRESET"),
        (ErrorKind::HostUnreachable, Category::UNREACHABLE, "EHOSTUNREACH"),
        (ErrorKind::NetworkUnreachable, Category::UNREACHABLE, "ENETUNREACH"),
        (ErrorKind::TimedOut, Category::TIMEOUT, "ETIMEDOUT"),
    ] {
        let failure = of_io_kind(kind, true);
        assert_eq!(failure.category, category);
        assert_eq!(failure.code.as_deref(), Some(code));
    }
    let refused = of_io_kind(ErrorKind::ConnectionRefused, true);
    assert_eq!(refused.syscall, Some("connect"));
    assert_eq!(refused.remote, context(None).address);
    let out_of_files = known(&io::Error::from_raw_os_error(24), true, &context(None)).unwrap();
    assert_eq!(out_of_files.category, Category::UNKNOWN);
    assert_eq!(out_of_files.code.as_deref(), Some("errno 24"));
}

#[test]
fn names_that_do_not_resolve() {
    let lookup =
        |text: &str| known(&LookupFailed(io::Error::other(text)), true, &context(None)).unwrap();
    let unknown = lookup("failed to lookup address information: Name or service not known");
    assert_eq!(unknown.category, Category::HOST_NOT_FOUND);
    assert_eq!(unknown.code.as_deref(), Some("ENOTFOUND"));
    assert_eq!((unknown.syscall, unknown.remote), (Some("getaddrinfo"), None));
    let away = lookup("failed to lookup address information: Temporary failure");
    assert_eq!(away.code.as_deref(), Some("EAI_AGAIN"));
}

fn of_tls(error: rustls::Error, server: Option<&str>) -> Failure {
    // As tokio-rustls wraps it.
    let failure = known(&io::Error::new(ErrorKind::InvalidData, error), true, &context(server));
    let failure = failure.unwrap();
    assert_eq!(failure.category, Category::CERTIFICATE_ERROR);
    failure
}

#[test]
fn a_certificate_for_another_name_says_which_and_what_to_set() {
    let other_name = |presented: &[&str]| {
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: "sense1".try_into().unwrap(),
            presented: presented.iter().map(|name| format!("DnsName(\"{name}\")")).collect(),
        })
    };
    let failure = of_tls(other_name(&["sense1.corp.com"]), Some("central"));
    assert_eq!(failure.code.as_deref(), Some("ERR_TLS_CERT_ALTNAME_INVALID"));
    assert!(
        failure.message.ends_with(
            "it holds sense1.corp.com: set collector.servers.central to { tlsServerName: \
             sense1.corp.com }"
        ),
        "{}",
        failure.message
    );
    let nameless = of_tls(other_name(&[]), Some("central")).message;
    assert!(nameless.ends_with("set collector.servers.central to { verify: chain }"), "{nameless}");
    let repository = of_tls(other_name(&["sense1.corp.com"]), None).message;
    assert!(repository.ends_with("set appNames.hostIP to sense1.corp.com"), "{repository}");
}

#[test]
fn what_tls_refuses_is_said_with_what_to_do() {
    use rustls::Error::{AlertReceived, InvalidCertificate};
    use rustls::pki_types::UnixTime;
    let expired = CertificateError::ExpiredContext {
        time: UnixTime::since_unix_epoch(Duration::from_secs(2)),
        not_after: UnixTime::since_unix_epoch(Duration::from_secs(1_763_712_930)),
    };
    for (error, code, says) in [
        (InvalidCertificate(expired), "CERT_HAS_EXPIRED", "expired on 2025-11-21T08:15:30Z"),
        (
            InvalidCertificate(CertificateError::UnknownIssuer),
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "cert.clientCertCA",
        ),
        (InvalidCertificate(CertificateError::BadSignature), "CERT_SIGNATURE_FAILURE", "again"),
        (AlertReceived(AlertDescription::HandshakeFailure), "EPROTO", "TLS 1.2"),
        (AlertReceived(AlertDescription::ProtocolVersion), "EPROTO", "TLS 1.2"),
        (AlertReceived(AlertDescription::CertificateRequired), "EPROTO", "client certificate"),
        (AlertReceived(AlertDescription::UnknownCA), "EPROTO", "exported from this site"),
    ] {
        let failure = of_tls(error, None);
        assert_eq!(failure.code.as_deref(), Some(code));
        assert!(failure.message.contains(says), "{}", failure.message);
    }
}
