//! Passwords and certificates of brokers that are exchanged while events flow: nothing is lost, and
//! no program is started again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use integration_tests::mosquitto::{Mosquitto, password_file};
use integration_tests::nats::NatsServer;
use integration_tests::outboxes::{Forwarding, id_of};
use integration_tests::patience::eventually;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use shared::broker::Broker;
use shared::config::{self, ClientCertificate, Mqtt, Tls, Transport};
use shared::readiness::Readiness;
use shared::secret::Secret;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const GROUP: &str = "influxdb";
const WINDOW: usize = 1_000;
const USER: &str = "footman";
/// Events that must get through after each exchange.
const SOME: u64 = 50;

/// A collector and a writer at a broker, and the events between them.
struct Flow {
    forwarding: Forwarding,
    ended: CancellationToken,
    appended: JoinHandle<BTreeSet<String>>,
    consumed: watch::Receiver<BTreeSet<String>>,
    consuming: JoinHandle<()>,
}

impl Flow {
    async fn start(transport: Transport) -> Self {
        let config = config::Broker {
            topic_prefix: "qliksense".to_owned(),
            transport,
            dead_letters_max_bytes: 1 << 20,
        };
        let connect = async |process| {
            let readiness = Readiness::default();
            Broker::connect(&config, process, "test", &readiness).await.unwrap().unwrap()
        };
        let (collector, writer) = (connect("collector").await, connect("writer").await);
        let (sender, consumed) = watch::channel(BTreeSet::new());
        let consuming = tokio::spawn(async move {
            let mut consumer = writer.consumer(GROUP, WINDOW);
            loop {
                let deliveries = consumer.receive(WINDOW).await.unwrap();
                let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
                // A delivery of a connection that was lost comes again.
                let _lost = consumer.ack(&tags).await;
                sender.send_modify(|ids| ids.extend(deliveries.iter().map(id_of)));
            }
        });
        let forwarding = Forwarding::start(|outbox| collector.publisher_for(outbox)).await;
        let ended = CancellationToken::new();
        let appended = forwarding.keep_appending(5, ended.clone());
        let flow = Self { forwarding, ended, appended, consumed, consuming };
        flow.flows().await;
        flow
    }

    /// Waits until more events are confirmed and consumed.
    async fn flows(&self) {
        self.forwarding.confirms(SOME).await;
        let more = self.consumed.borrow().len() + usize::try_from(SOME).unwrap();
        eventually("more events to be consumed", || async {
            (self.consumed.borrow().len() >= more).then_some(())
        })
        .await;
    }

    /// Ends the flow: every event has come.
    async fn everything_has_come(self) {
        self.ended.cancel();
        let appended = self.appended.await.unwrap();
        self.forwarding.everything_is_confirmed().await;
        eventually("every event", || async {
            appended.is_subset(&self.consumed.borrow()).then_some(())
        })
        .await;
        self.consuming.abort();
    }
}

/// Puts another text in the place of a file, as tools do that rotate.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn authorization(password: &str) -> String {
    format!("authorization {{ user: {USER}, password: {password:?} }}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_nats() {
    let server = NatsServer::start_with(&authorization("MARKER-1")).await;
    let file = server.directory().join("password");
    replace(&file, "MARKER-1\n");
    let password = Some(Secret::from_file(&file).unwrap());
    let flow =
        Flow::start(Transport::Nats(config::Nats { password, ..server.config_of(USER, "") })).await;
    // The server first, then the file: the server drops everybody and refuses the old password.
    server.configure(&authorization("MARKER-2"));
    server.process().unwrap().signal("HUP");
    eventually("the old password to be refused", || async {
        server.printed().contains("authentication error").then_some(())
    })
    .await;
    replace(&file, "MARKER-2\n");
    flow.flows().await;
    // The file first: the connection that is up stays up until the server drops it.
    replace(&file, "MARKER-3\n");
    flow.flows().await;
    server.configure(&authorization("MARKER-3"));
    server.process().unwrap().signal("HUP");
    flow.flows().await;
    flow.everything_has_come().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_mosquitto() {
    let mut passwords = PathBuf::new();
    let mut mosquitto = Mosquitto::start_with(|directory| {
        passwords = directory.join("passwords");
        password_file(&passwords, USER, &Secret::new("MARKER-1"));
        format!("allow_anonymous false\npassword_file {}\n", passwords.display())
    })
    .await;
    let file = passwords.with_file_name("password");
    replace(&file, "MARKER-1\n");
    let flow = Flow::start(Transport::Mqtt(Mqtt {
        username: Some(USER.to_owned()),
        password: Some(Secret::from_file(&file).unwrap()),
        ..mosquitto.settings()
    }))
    .await;
    for (password, file_first) in [("MARKER-2", false), ("MARKER-3", true)] {
        if file_first {
            replace(&file, password);
            flow.flows().await;
        }
        mosquitto.stop().await;
        password_file(&passwords, USER, &Secret::new(password));
        mosquitto.restart().await;
        if !file_first {
            replace(&file, password);
        }
        flow.flows().await;
    }
    flow.everything_has_come().await;
}

/// An authority, and certificates of it for a server and a client.
struct Authority {
    directory: TempDir,
    name: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str, directory: TempDir) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join(name), certificate.pem()).unwrap();
        Self { directory, name: name.to_owned(), issuer: Issuer::new(params, key) }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.directory.path().join(&self.name)).unwrap()
    }

    /// A certificate and its key.
    fn sign(&self) -> (String, String) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificates_of_nats_authority_and_all() {
    let old = Authority::new("old", tempfile::tempdir().unwrap());
    let new = Authority::new("new", tempfile::tempdir().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let write_pair = |name: &str, authority: &Authority| {
        let (certificate, key) = authority.sign();
        replace(&at(&format!("{name}.pem")), &certificate);
        replace(&at(&format!("{name}-key.pem")), &key);
    };
    write_pair("server", &old);
    write_pair("client", &old);
    replace(&at("ca.pem"), &old.text());
    replace(&at("server-ca.pem"), &old.text());
    let mut server = NatsServer::start_with(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true, timeout: 5 }}",
        at("server.pem"),
        at("server-key.pem"),
        at("server-ca.pem"),
    ))
    .await;
    let client = ClientCertificate { cert: at("client.pem"), key: at("client-key.pem") };
    let tls = Tls { ca: Some(at("ca.pem")), client: Some(client) };
    let flow = Flow::start(Transport::Nats(config::Nats { tls, ..server.config() })).await;
    // As it is done without a pause: first everybody trusts both, then certificates are exchanged.
    let both = [old.text(), new.text()].concat();
    replace(&at("ca.pem"), &both);
    replace(&at("server-ca.pem"), &both);
    server.restart().await;
    flow.flows().await;
    write_pair("client", &new);
    write_pair("server", &new);
    replace(&at("server-ca.pem"), &new.text());
    server.restart().await;
    flow.flows().await;
    flow.everything_has_come().await;
}
