//! A server of operators and accounts, and the credentials file of a user, as `nsc` makes them.

use integration_tests::nats::NatsServer;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use shared::config;

use crate::house::{Program, names, receive_all, timing};

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The first bytes of keys, by which their text begins with a letter.
const OPERATOR: u8 = 14 << 3;
const ACCOUNT: u8 = 0;
const USER: u8 = 20 << 3;
const SEED: u8 = 18 << 3;
/// Where the seed lies in the key's PKCS#8 form.
const SEED_IN_PKCS8: std::ops::Range<usize> = 16..48;

/// A key of NATS.
struct Key {
    pair: KeyPair,
    kind: u8,
}

impl Key {
    fn new(kind: u8) -> Self {
        Self { pair: KeyPair::generate_for(&PKCS_ED25519).unwrap(), kind }
    }

    fn public(&self) -> String {
        checked(&[&[self.kind], self.pair.der_bytes()].concat())
    }

    fn seed(&self) -> String {
        let first = [SEED | (self.kind >> 5), (self.kind & 31) << 3];
        checked(&[&first, &self.pair.serialize_der()[SEED_IN_PKCS8]].concat())
    }

    /// What this key says about another one.
    fn token(&self, about: &Key, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
        let body = json!({
            "jti": "TEST", "iat": 1_700_000_000, "iss": self.public(), "sub": about.public(),
            "name": "test", "nats": claims,
        });
        let part = |value: &Value| encode(value.to_string().as_bytes(), BASE64URL);
        let signed = format!("{}.{}", part(&header), part(&body));
        let signature = self.pair.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(&signature, BASE64URL))
    }
}

/// The bytes with their checksum (CRC-16 of XMODEM) in base 32.
fn checked(bytes: &[u8]) -> String {
    let mut crc = 0_u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    encode(&[bytes, &crc.to_le_bytes()].concat(), BASE32)
}

/// Base 32 or 64, without padding.
fn encode(bytes: &[u8], alphabet: &[u8]) -> String {
    let width = alphabet.len().ilog2();
    let (mut text, mut bits, mut count) = (String::new(), 0_u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= width {
            count -= width;
            text.push(char::from(alphabet[(bits >> count) as usize % alphabet.len()]));
        }
    }
    if count > 0 {
        text.push(char::from(alphabet[(bits << (width - count)) as usize % alphabet.len()]));
    }
    text
}

fn account_claims(with_jetstream: bool) -> Value {
    let mut limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
    });
    if with_jetstream {
        for limit in ["mem_storage", "disk_storage", "streams", "consumer"] {
            limits[limit] = json!(-1);
        }
    }
    json!({ "type": "account", "version": 2, "limits": limits })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credentials_file_is_enough() {
    shared::lifecycle::install_crypto();
    let operator = Key::new(OPERATOR);
    let (system, account, user) = (Key::new(ACCOUNT), Key::new(ACCOUNT), Key::new(USER));
    let server = NatsServer::start_with(&format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload {{\n{}: {}\n{}: {}\n}}",
        operator.token(&operator, &json!({ "type": "operator", "version": 2 })),
        system.public(),
        system.public(),
        operator.token(&system, &account_claims(false)),
        account.public(),
        operator.token(&account, &account_claims(true)),
    ))
    .await;
    let credentials = |issuer: &Key| {
        let claims = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let file = server.directory().join("user.creds");
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            issuer.token(&user, &claims),
            user.seed(),
        );
        std::fs::write(&file, text).unwrap();
        config::Nats { credentials_file: Some(file), ..server.config() }
    };
    let program = Program::with(&credentials(&account), timing()).await;
    program.is_ready().await;
    program.publish(&names("event", 5)).await;
    receive_all(&mut *program.consumer(), &names("event", 5)).await;

    let stranger = Program::with(&credentials(&Key::new(ACCOUNT)), timing()).await;
    stranger.is_missing(&["broker.nats.credentialsFile"]).await;
    let shown = format!("{:?} {:?}", stranger.nats, program.nats);
    assert!(!shown.contains(&user.seed()), "{shown}");
}
