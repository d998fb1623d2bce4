//! The shape of the files, and what rustls makes of them.

use std::sync::OnceLock;

use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

use super::*;

const HOST: &str = "sense1.corp.example";

fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(|| Certificates::make(HOST, Some("open sesame")).unwrap())
}

/// Verifies a server's certificate against root.pem as a client does.
fn verify(kind: CertificateKind, name: &str) -> Result<(), rustls::Error> {
    let certificates = certificates();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificates.root_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let certificate = certificates.server(kind, HOST).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now()).map(|_| ())
}

fn contains(der: &[u8], part: &[u8]) -> bool {
    der.windows(part.len()).any(|window| window == part)
}

#[test]
fn files_are_pem_with_crlf_and_one_object_each() {
    let made = certificates();
    for (text, label) in [
        (&made.root_pem, "CERTIFICATE"),
        (&made.client_pem, "CERTIFICATE"),
        (&made.client_key_pem, "RSA PRIVATE KEY"),
        (made.encrypted_key_pem.as_ref().unwrap(), "ENCRYPTED PRIVATE KEY"),
    ] {
        assert!(text.starts_with(&format!("-----BEGIN {label}-----\r\n")), "{text}");
        assert!(text.ends_with(&format!("-----END {label}-----\r\n")), "{text}");
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        assert_eq!(text.matches("-----BEGIN").count(), 1);
    }
    let key = PrivateKeyDer::from_pem_slice(made.client_key_pem.as_bytes()).unwrap();
    assert!(matches!(key, PrivateKeyDer::Pkcs1(_)));
}

#[test]
fn the_encrypted_key_opens_with_its_passphrase_alone() {
    let pem = certificates().encrypted_key_pem.as_ref().unwrap();
    let (_, document) = pkcs8::SecretDocument::from_pem(pem).unwrap();
    let encrypted = pkcs8::EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).unwrap();
    assert!(encrypted.decrypt("open sesame").is_ok());
    assert!(encrypted.decrypt("open says me").is_err());
}

#[test]
fn rustls_takes_the_right_certificate_for_its_name_alone() {
    assert!(verify(CertificateKind::Right, HOST).is_ok());
    assert!(verify(CertificateKind::Right, "localhost").is_err());
    assert!(verify(CertificateKind::Right, "127.0.0.1").is_err());
}

#[test]
fn rustls_refuses_each_wrong_certificate_for_its_own_reason() {
    use rustls::CertificateError::{ExpiredContext, NotValidForNameContext, UnknownIssuer};
    let refused = |kind| match verify(kind, HOST) {
        Err(rustls::Error::InvalidCertificate(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused(CertificateKind::Expired), ExpiredContext { .. }));
    assert_eq!(refused(CertificateKind::OtherAuthority), UnknownIssuer);
    let presented = |kind| match refused(kind) {
        NotValidForNameContext { presented, .. } => presented,
        other => panic!("{other:?}"),
    };
    assert_eq!(presented(CertificateKind::CommonNameOnly), Vec::<String>::new());
    let other = presented(CertificateKind::OtherName);
    assert_eq!(other, [format!("DnsName({:?})", format!("other-{HOST}"))]);
    assert_eq!(presented(CertificateKind::ShortName), ["DnsName(\"sense1\")"]);
    assert!(verify(CertificateKind::ShortName, "sense1").is_ok());
}

#[test]
fn certificates_have_what_those_of_qlik_have_and_no_more() {
    let server = certificates().server(CertificateKind::Right, HOST).unwrap();
    // Object identifiers in DER: key usage, extended key usage, basic constraints, subject and authority key
    // identifiers, and Qlik's own.
    assert!(!contains(&server, &[0x06, 0x03, 0x55, 0x1d, 0x0f]));
    assert!(!contains(&server, &[0x06, 0x03, 0x55, 0x1d, 0x25]));
    assert!(!contains(&server, &[0x06, 0x03, 0x55, 0x1d, 0x13]));
    assert!(contains(&server, &[0x06, 0x03, 0x55, 0x1d, 0x0e]));
    assert!(contains(&server, &[0x06, 0x03, 0x55, 0x1d, 0x23]));
    assert!(contains(&server, &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x0d, 0x03]));
    assert!(contains(&server, b"Service"));
    assert!(contains(&server, b"sense1-CA"));
    let root = CertificateDer::from_pem_slice(certificates().root_pem.as_bytes()).unwrap();
    assert!(contains(&root, &[0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff]));
    assert!(!contains(&root, &[0x06, 0x03, 0x55, 0x1d, 0x0f]));
    let client = CertificateDer::from_pem_slice(certificates().client_pem.as_bytes()).unwrap();
    assert!(contains(&client, b"QlikClient"));
    // No alternative name.
    assert!(!contains(&client, &[0x06, 0x03, 0x55, 0x1d, 0x11]));
}
