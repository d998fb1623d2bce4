//! Connections over TLS, with certificates that are made for each test.

use std::path::{Path, PathBuf};

use integration_tests::nats::NatsServer;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use shared::broker::nats::{Nats, NatsSettings};
use shared::config::{self, ClientCertificate, Tls};
use shared::readiness::Readiness;
use tempfile::TempDir;

use crate::house::{Program, names, receive_all, timing};

/// An authority, and certificates of it for a server and a client.
struct Certificates {
    directory: TempDir,
}

impl Certificates {
    fn new(authority: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, authority);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        for (name, usage) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).unwrap();
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            let file = |end: &str| directory.path().join(format!("{name}{end}"));
            std::fs::write(file(".pem"), certificate.pem()).unwrap();
            std::fs::write(file("-key.pem"), key.serialize_pem()).unwrap();
        }
        Self { directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The server's configuration: it asks everybody for a certificate.
    fn of_server(&self) -> String {
        let text = |path: &Path| format!("{:?}", path.display().to_string());
        format!(
            "tls {{ cert_file: {}, key_file: {}, ca_file: {}, verify: true, timeout: 5 }}",
            text(&self.file("server.pem")),
            text(&self.file("server-key.pem")),
            text(&self.file("ca.pem")),
        )
    }

    fn of_client(&self) -> Tls {
        let client =
            ClientCertificate { cert: self.file("client.pem"), key: self.file("client-key.pem") };
        Tls { ca: Some(self.file("ca.pem")), client: Some(client) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_client_certificate() {
    let certificates = Certificates::new("ours");
    let mut server = NatsServer::start_with(&certificates.of_server()).await;
    for scheme in ["nats", "tls"] {
        let url = format!("{scheme}://localhost:{}", server.port()).parse().unwrap();
        let tls = certificates.of_client();
        let config = config::Nats { servers: vec![url], tls, ..server.config() };
        let program = Program::with(&config, timing()).await;
        program.is_ready().await;
        let names = names(scheme, 10);
        program.publish(&names).await;
        server.restart().await;
        receive_all(&mut *program.consumer(), &names).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_authority_is_refused() {
    let certificates = Certificates::new("ours");
    let server = NatsServer::start_with(&certificates.of_server()).await;
    let others = Certificates::new("others");
    let tls = Tls { ca: Some(others.file("ca.pem")), ..certificates.of_client() };
    let program = Program::with(&config::Nats { tls, ..server.config() }, timing()).await;
    program.is_missing(&["127.0.0.1", "UnknownIssuer", "broker.nats.tls.ca"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_client_certificate_the_server_refuses() {
    let certificates = Certificates::new("ours");
    let server = NatsServer::start_with(&certificates.of_server()).await;
    let tls = Tls { client: None, ..certificates.of_client() };
    let program = Program::with(&config::Nats { tls, ..server.config() }, timing()).await;
    program.is_missing(&["127.0.0.1", "broker.nats.tls.cert"]).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_errors_at_once() {
    let server = NatsServer::prepare("");
    let missing = PathBuf::from("missing.pem");
    for config in [
        config::Nats { tls: Tls { ca: Some(missing.clone()), client: None }, ..server.config() },
        config::Nats { credentials_file: Some(missing.clone()), ..server.config() },
    ] {
        let settings = NatsSettings {
            name: "test".to_owned(),
            topic_prefix: "qliksense".to_owned(),
            dead_letters_max_bytes: 1 << 20,
            timing: timing(),
        };
        let dependency = Readiness::default().dependency("broker");
        let error = Nats::connect(&config, &settings, dependency).await.unwrap_err();
        assert!(error.to_string().contains("missing.pem"), "{error}");
    }
}
