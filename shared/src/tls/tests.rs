//! Keys in every form that `openssl` writes, and handshakes with certificates shaped as Qlik's.

use std::fs;
use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
    SanType,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, ClientConnection, ServerConfig, ServerConnection};
use tempfile::TempDir;

use super::fixtures::KEYS;
use super::*;
use crate::secret::Secret;

fn site_key() -> KeyPair {
    let (_, pem) = KEYS.iter().find(|(name, _)| *name == "pkcs8.pem").unwrap();
    KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_RSA_SHA256).unwrap()
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A directory with `root.pem`, `client.pem` and its key in every form, as Windows writes them.
fn site() -> (TempDir, CertifiedIssuer<'static, KeyPair>) {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority("SENSE1-CA");
    let client = params("QlikClient").signed_by(&site_key(), &authority).unwrap();
    let crlf = |pem: String| pem.replace("\r\n", "\n").replace('\n', "\r\n");
    fs::write(directory.path().join("root.pem"), crlf(authority.pem())).unwrap();
    fs::write(directory.path().join("client.pem"), crlf(client.pem())).unwrap();
    for (name, key) in KEYS.iter() {
        fs::write(directory.path().join(name), crlf(key.clone())).unwrap();
    }
    (directory, authority)
}

fn load(directory: &TempDir, key: &str, passphrase: Option<&str>) -> Result<Identity, TlsError> {
    let passphrase = passphrase.map(Secret::from);
    Identity::load(
        &directory.path().join("client.pem"),
        &directory.path().join(key),
        passphrase.as_ref(),
    )
}

#[test]
fn keys_in_every_form() {
    let (directory, _) = site();
    for key in ["pkcs1.pem", "pkcs8.pem"] {
        load(&directory, key, None).unwrap_or_else(|error| panic!("{key}: {error}"));
        load(&directory, key, Some("not needed")).unwrap();
    }
    for key in [
        "pkcs8-aes256.pem",
        "pkcs8-des3.pem",
        "traditional-aes128.pem",
        "traditional-aes192.pem",
        "traditional-aes256.pem",
        "traditional-des3.pem",
    ] {
        load(&directory, key, Some("correct")).unwrap_or_else(|error| panic!("{key}: {error}"));
        let error = load(&directory, key, Some("MARKER")).unwrap_err();
        assert!(matches!(error, TlsError::PassphraseWrong { .. }), "{key}: {error}");
        assert!(!format!("{error} {error:?}").contains("MARKER"));
        for none in [None, Some("")] {
            let error = load(&directory, key, none).unwrap_err();
            assert!(matches!(error, TlsError::PassphraseMissing { .. }), "{key}: {error}");
        }
    }
}

#[test]
fn encryption_that_is_not_supported_is_said_with_the_command_that_converts_it() {
    let (directory, _) = site();
    for key in ["pkcs8-pbes1.pem", "traditional-camellia.pem"] {
        let error = load(&directory, key, Some("correct")).unwrap_err();
        assert!(matches!(error, TlsError::EncryptionUnknown { .. }), "{key}: {error}");
        assert!(error.to_string().contains("openssl pkcs8 -topk8"), "{error}");
    }
}

#[test]
fn files_that_are_something_else() {
    let (directory, _) = site();
    let root = directory.path().join("root.pem");
    let swapped = Identity::load(&directory.path().join("pkcs1.pem"), &root, None).unwrap_err();
    assert!(swapped.to_string().contains("RSA PRIVATE KEY: are two files mixed up?"), "{swapped}");
    let no_key = Identity::load(&root, &root, None).unwrap_err();
    assert!(matches!(no_key, TlsError::Missing { expected: "private key", .. }), "{no_key}");
    let absent = Roots::load(&directory.path().join("absent.pem")).unwrap_err();
    assert!(matches!(absent, TlsError::Unreadable { .. }), "{absent}");
    let store = directory.path().join("client.PFX");
    fs::write(&store, [0x30, 0x82]).unwrap();
    let error = Roots::load(&store).unwrap_err().to_string();
    assert!(error.contains("openssl pkcs12 -in"), "{error}");
    fs::write(&store, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").unwrap();
    assert!(matches!(Roots::load(&store), Err(TlsError::Malformed { .. })));
}

#[test]
fn a_key_of_another_certificate() {
    let (directory, _) = site();
    let other = directory.path().join("other.pem");
    fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let error = Identity::load(&directory.path().join("client.pem"), &other, None).unwrap_err();
    assert!(matches!(error, TlsError::KeyOfAnother { .. }), "{error}");
}

/// A server that demands a certificate in the first handshake, with one of its own for `names`.
fn server(issuer: &CertifiedIssuer<'_, KeyPair>, names: &[&str]) -> Arc<ServerConfig> {
    let mut params = params("sense1");
    params.subject_alt_names =
        names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add(issuer.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

fn shake_hands(
    roots: &Roots,
    identity: Option<&Identity>,
    verification: &Verification,
    host: &str,
    server: &Arc<ServerConfig>,
) -> Result<(), rustls::Error> {
    shake_hands_as(client_config(roots, identity, verification).unwrap(), host, server)
}

fn shake_hands_as(
    config: ClientConfig,
    host: &str,
    server: &Arc<ServerConfig>,
) -> Result<(), rustls::Error> {
    let host = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), host).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    client.writer().write_all(b"ping").unwrap();
    let mut buffer = Vec::new();
    for _flight in 0..8 {
        buffer.clear();
        client.write_tls(&mut buffer).unwrap();
        server.read_tls(&mut buffer.as_slice()).unwrap();
        let refused = server.process_new_packets();
        buffer.clear();
        server.write_tls(&mut buffer).unwrap();
        client.read_tls(&mut buffer.as_slice()).unwrap();
        client.process_new_packets()?;
        refused?;
    }
    let mut ping = [0; 4];
    server.reader().read_exact(&mut ping).unwrap();
    Ok(())
}

#[test]
fn verification_of_servers() {
    use rustls::Error::{AlertReceived, InvalidCertificate};
    let (directory, issuer) = site();
    let identity = load(&directory, "pkcs1.pem", None).unwrap();
    let roots = Roots::load(&directory.path().join("root.pem")).unwrap();
    let named = server(&issuer, &["sense1.corp.com"]);
    let nameless = server(&issuer, &[]);
    let other_site = server(&authority("OTHER-CA"), &["sense1.corp.com"]);
    let installed_anew = server(&authority("SENSE1-CA"), &["sense1.corp.com"]);
    let shake = |verification, host, server| {
        shake_hands(&roots, Some(&identity), &verification, host, server)
    };
    let renamed = || Verification::As("sense1.corp.com".to_owned());

    assert_eq!(shake(Verification::Full, "sense1.corp.com", &named), Ok(()));
    assert_eq!(shake(renamed(), "10.0.0.7", &named), Ok(()));
    assert_eq!(shake(Verification::Chain, "10.0.0.7", &named), Ok(()));
    assert_eq!(shake(Verification::Chain, "10.0.0.7", &nameless), Ok(()));
    for (verification, host, server) in [
        (Verification::Full, "sense1", &named),
        (Verification::Full, "10.0.0.7", &named),
        (Verification::Full, "sense1", &nameless),
        (Verification::As("sense2".to_owned()), "sense1.corp.com", &named),
    ] {
        let error = shake(verification, host, server).unwrap_err();
        assert!(
            matches!(&error, InvalidCertificate(CertificateError::NotValidForNameContext { .. })),
            "{host}: {error}"
        );
    }
    for verification in [Verification::Full, renamed(), Verification::Chain] {
        let error = shake(verification.clone(), "sense1.corp.com", &other_site).unwrap_err();
        assert_eq!(error, InvalidCertificate(CertificateError::UnknownIssuer));
        let error = shake(verification, "sense1.corp.com", &installed_anew).unwrap_err();
        assert_eq!(error, InvalidCertificate(CertificateError::BadSignature));
    }
    // Without verification the other site's server is spoken to; it refuses our certificate.
    assert!(matches!(shake(Verification::None, "x", &other_site), Err(AlertReceived(_))));
    assert_eq!(shake(Verification::None, "x", &named), Ok(()));
    let bare = shake_hands(&roots, None, &Verification::Full, "sense1.corp.com", &named);
    assert!(matches!(bare, Err(AlertReceived(_))), "{bare:?}");
}

#[test]
fn files_of_a_broker() {
    let (directory, _) = site();
    let mut tls = Tls { ca: Some(directory.path().join("root.pem")), client: None };
    client_config_of(&tls).unwrap();
    tls.client = Some(crate::config::ClientCertificate {
        cert: directory.path().join("client.pem"),
        key: directory.path().join("pkcs8.pem"),
    });
    client_config_of(&tls).unwrap();
}

#[tokio::test(start_paused = true)]
async fn files_of_a_broker_are_looked_at_with_each_handshake() {
    use rustls::Error::{General, InvalidCertificate};
    let (old, new) = (site(), site());
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let copy = |from: &TempDir, name: &str| {
        fs::copy(from.path().join(name), at(name)).unwrap();
    };
    for name in ["root.pem", "client.pem", "pkcs8.pem"] {
        copy(&old.0, name);
    }
    let client = crate::config::ClientCertificate { cert: at("client.pem"), key: at("pkcs8.pem") };
    let tls = Tls { ca: Some(at("root.pem")), client: Some(client) };
    // The client of a broker keeps this for its life, and clones it for each connection.
    let config = client_config_of(&tls).unwrap();
    let shake = |server| shake_hands_as(config.clone(), "broker", server);
    let a_second = || tokio::time::advance(std::time::Duration::from_secs(1));
    let [old_server, new_server] = [&old.1, &new.1].map(|issuer| server(issuer, &["broker"]));
    assert_eq!(shake(&old_server), Ok(()));
    assert!(matches!(shake(&new_server), Err(InvalidCertificate(_))));
    // The authority and the certificate that it signed; the key is the same.
    copy(&new.0, "root.pem");
    copy(&new.0, "client.pem");
    a_second().await;
    assert_eq!(shake(&new_server), Ok(()));
    assert!(matches!(shake(&old_server), Err(InvalidCertificate(_))));
    // What is broken is doubted once, then it is the cause.
    fs::write(at("root.pem"), "nothing").unwrap();
    a_second().await;
    assert_eq!(shake(&new_server), Ok(()));
    a_second().await;
    let Err(General(why)) = shake(&new_server) else { panic!("it is not noticed") };
    assert!(why.contains("root.pem holds no certificate"), "{why}");
    copy(&new.0, "root.pem");
    a_second().await;
    assert_eq!(shake(&new_server), Ok(()));
}

#[test]
fn a_name_that_is_none() {
    let (directory, _) = site();
    let roots = Roots::load(&directory.path().join("root.pem")).unwrap();
    let error = client_config(&roots, None, &Verification::As("a b".to_owned())).unwrap_err();
    assert!(matches!(error, TlsError::ServerName { .. }), "{error}");
}
