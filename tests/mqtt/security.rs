//! TLS and passwords: what is right connects, what is wrong is said without showing a secret.

use std::path::Path;

use integration_tests::mosquitto::{Mosquitto, password_file};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use shared::config::{Mqtt, Tls};
use shared::secret::Secret;
use url::Url;

use crate::site::{consumer, ids, missing, publish_all, publisher, ready, receive_all};

const USER: &str = "footman";
const PASSWORD: &str = "MARKER-right";

/// Writes an authority and a certificate of it for `localhost`; gives the lines that use them.
pub(crate) fn certificates(directory: &Path) -> String {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    std::fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    let root = directory.display();
    format!("cafile {root}/ca.pem\ncertfile {root}/cert.pem\nkeyfile {root}/key.pem\n")
}

fn over_tls(mosquitto: &Mosquitto, ca: &Path) -> Mqtt {
    Mqtt {
        url: Url::parse(&format!("mqtts://localhost:{}", mosquitto.port())).unwrap(),
        tls: Tls { ca: Some(ca.to_owned()), client: None },
        ..mosquitto.settings()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_with_the_right_authority_carries_events() {
    let mut ca = None;
    let mosquitto = Mosquitto::start_with(|directory| {
        ca = Some(directory.join("ca.pem"));
        certificates(directory)
    })
    .await;
    let broker = over_tls(&mosquitto, &ca.unwrap());
    let (mut consumer, _) = consumer(broker.clone());
    let (publisher, readiness) = publisher(broker);
    ready(&readiness).await;
    let all = ids(0..200);
    publish_all(&publisher, &all).await;
    assert_eq!(receive_all(&mut consumer, &all).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_with_a_wrong_authority_is_said() {
    let mosquitto = Mosquitto::start_with(certificates).await;
    let elsewhere = tempfile::tempdir().unwrap();
    certificates(elsewhere.path());
    let (_publisher, readiness) = publisher(over_tls(&mosquitto, &elsewhere.path().join("ca.pem")));
    let why = missing(&readiness, "TLS").await;
    assert!(why.contains("broker.mqtt.tls"), "{why}");
    let (_publisher, readiness) =
        publisher(over_tls(&mosquitto, &elsewhere.path().join("nothing.pem")));
    missing(&readiness, "nothing.pem").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_said_and_never_shown() {
    let mosquitto = Mosquitto::start_with(|directory| {
        let file = directory.join("passwords");
        password_file(&file, USER, &Secret::new(PASSWORD));
        format!("allow_anonymous false\npassword_file {}\n", file.display())
    })
    .await;
    let broker = |password: &str| Mqtt {
        username: Some(USER.to_owned()),
        password: Some(Secret::new(password)),
        ..mosquitto.settings()
    };
    let (wrong, refused) = publisher(broker("MARKER-wrong"));
    let why = missing(&refused, "broker.mqtt.password").await;
    assert!(!why.contains("MARKER"), "{why}");
    assert!(!format!("{wrong:?}").contains("MARKER"));

    let (mut consumer, _) = consumer(broker(PASSWORD));
    let (publisher, readiness) = publisher(broker(PASSWORD));
    ready(&readiness).await;
    let all = ids(0..10);
    publish_all(&publisher, &all).await;
    assert_eq!(receive_all(&mut consumer, &all).await, 10);
    assert!(!format!("{publisher:?} {consumer:?}").contains("MARKER"));
}
