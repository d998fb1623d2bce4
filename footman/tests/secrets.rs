//! `footman secrets` as a person at a terminal meets it.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_types, reason = "tests start the program")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use argon2::{Argon2, PasswordHash, PasswordVerifier as _};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use tempfile::TempDir;

/// Every file, as the Compose stack and the broker configurations name them.
const FILES: [&str; 16] = [
    "broker-ca-key.pem",
    "broker-ca.pem",
    "broker-cert.pem",
    "broker-collector-password",
    "broker-key.pem",
    "broker-subscriber-password",
    "broker-writer-password",
    "grafana-admin-password",
    "influxdb-admin-password",
    "influxdb-admin-token",
    "influxdb-token",
    "influxdb1-password",
    "mosquitto-passwords",
    "mosquitto-security.json",
    "nats-users.conf",
    "user-id-key",
];
const DAY: Duration = Duration::from_hours(24);

/// A place for a directory of secrets.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("of/secrets")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    fn delete(&self, names: &[&str]) {
        for name in names {
            fs::remove_file(self.file(name)).unwrap();
        }
    }

    /// Runs the command: its exit code, and what it printed.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let path = self.path();
        let out = ["secrets", "--out", path.to_str().unwrap()];
        footman(&[&out, arguments].concat(), "")
    }

    /// Runs it and gives what became of each file.
    fn complete(&self, arguments: &[&str]) -> BTreeMap<String, String> {
        let (code, printed) = self.run(arguments);
        assert_eq!(code, Some(0), "{printed}");
        let fates = printed.lines().filter_map(|line| line.split_once(' '));
        fates.map(|(fate, name)| (name.trim().to_owned(), fate.to_owned())).collect()
    }

    /// The text of every file.
    fn texts(&self) -> BTreeMap<String, String> {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name());
        entries
            .map(|name| name.into_string().unwrap())
            .map(|n| (n.clone(), self.text(&n)))
            .collect()
    }
}

fn footman(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    run(Command::new(env!("CARGO_BIN_EXE_footman")).args(arguments), input)
}

fn run(command: &mut Command, input: &str) -> (Option<i32>, String) {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // It may end without reading.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn makes_every_file_for_its_owner_alone_and_prints_no_secret() {
    for umask in ["000", "022", "077"] {
        let place = Place::new();
        let script = format!("umask {umask}; exec \"$0\" secrets --out \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_footman")]).arg(place.path());
        let (code, printed) = run(&mut command, "");
        assert_eq!(code, Some(0), "{printed}");
        let texts = place.texts();
        assert_eq!(texts.keys().collect::<Vec<_>>(), FILES);
        assert_eq!(mode(&place.path()), 0o700);
        for (name, text) in &texts {
            assert_eq!(mode(&place.file(name)), 0o600, "{name} with umask {umask}");
            assert!(printed.contains(&format!("made    {name}\n")), "{printed}");
            for line in text.lines().filter(|line| line.len() > 20 && !line.starts_with('#')) {
                assert!(!printed.contains(line), "{name} is shown");
            }
        }
        let passwords = texts.iter().filter(|(name, _)| name.ends_with("-password"));
        for (name, password) in passwords {
            assert!(password.len() == 32, "{name}");
            assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
        }
        let key = &texts["user-id-key"];
        assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

#[test]
fn keeps_what_is_there_and_makes_what_is_missing() {
    let place = Place::new();
    place.complete(&[]);
    let before = place.texts();
    let fates = place.complete(&[]);
    assert!(fates.values().all(|fate| fate == "kept"), "{fates:?}");
    assert_eq!(place.texts(), before);

    // A password that somebody chose is as good, and so is a user that somebody added.
    place.delete(&["grafana-admin-password", "broker-writer-password"]);
    fs::write(place.file("broker-subscriber-password"), "chosen by hand\n").unwrap();
    let mine = format!("{}home-assistant:$7$101$AA==$AA==\n", before["mosquitto-passwords"]);
    fs::write(place.file("mosquitto-passwords"), mine).unwrap();
    let fates = place.complete(&[]);
    let changed: Vec<&str> =
        fates.iter().filter(|(_, fate)| *fate != "kept").map(|(name, _)| name.as_str()).collect();
    let both = "(writer, subscriber)";
    assert_eq!(
        changed,
        [
            "broker-writer-password",
            "grafana-admin-password",
            &format!("mosquitto-passwords {both}"),
            &format!("mosquitto-security.json {both}"),
            &format!("nats-users.conf {both}"),
        ]
    );
    let after = place.texts();
    assert!(after["mosquitto-passwords"].contains("home-assistant:"));
    let line = |texts: &BTreeMap<String, String>, user: &str| {
        let lines = texts["mosquitto-passwords"].lines();
        lines.filter(|line| line.starts_with(user)).collect::<String>()
    };
    assert_eq!(line(&after, "collector:"), line(&before, "collector:"));
    assert_ne!(line(&after, "writer:"), line(&before, "writer:"));
    assert_eq!(mode(&place.file("mosquitto-passwords")), 0o600);
    assert!(place.complete(&[]).values().all(|fate| fate == "kept"));
}

#[test]
fn what_others_may_read_is_said_and_left() {
    let place = Place::new();
    fs::create_dir_all(place.path()).unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.file("user-id-key"), "0123").unwrap();
    fs::set_permissions(place.file("user-id-key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, printed) = place.run(&[]);
    assert_eq!(code, Some(0), "{printed}");
    for words in ["of/secrets is open to more than its owner (mode 755): `chmod 700", "`chmod 600"]
    {
        assert!(printed.contains(words), "{printed}");
    }
    assert_eq!((mode(&place.path()), place.text("user-id-key")), (0o755, "0123".to_owned()));
}

/// Verifies the certificate as a client does that trusts the authority alone.
fn verify(place: &Place, name: &str, at: SystemTime) -> Result<(), rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(place.file("broker-ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let certificate = CertificateDer::from_pem_file(place.file("broker-cert.pem")).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    verifier.unwrap().verify_server_cert(&certificate, &[], &name, &[], at).map(|_verified| ())
}

/// Whether the certificate is that of the key.
fn certificate_has_its_key(place: &Place) {
    let key = PrivateKeyDer::from_pem_file(place.file("broker-key.pem")).unwrap();
    let certificate = CertificateDer::from_pem_file(place.file("broker-cert.pem")).unwrap();
    let pair = CertifiedKey::from_der(vec![certificate], key, &ring::default_provider()).unwrap();
    pair.keys_match().unwrap();
}

#[test]
fn the_certificate_is_valid_for_its_names_and_is_renewed_by_deleting_it() {
    let place = Place::new();
    place.complete(&["--broker-name", "broker.example.com", "--broker-name", "10.1.2.3"]);
    let now = SystemTime::now();
    for name in ["localhost", "127.0.0.1", "nats", "mosquitto", "broker.example.com", "10.1.2.3"] {
        verify(&place, name, now).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    certificate_has_its_key(&place);
    verify(&place, "localhost", now + 725 * DAY).unwrap();
    for (name, at) in
        [("elsewhere", now), ("localhost", now + 732 * DAY), ("localhost", now - 3 * DAY)]
    {
        assert!(verify(&place, name, at).is_err(), "{name}");
    }

    // Kept, it cannot get another name, and the command says so.
    let (_, printed) = place.run(&["--broker-name", "new.example.com"]);
    assert!(printed.contains("delete it and broker-key.pem"), "{printed}");
    let before = place.texts();
    place.delete(&["broker-cert.pem", "broker-key.pem"]);
    let fates = place.complete(&["--broker-name", "new.example.com"]);
    assert_eq!(fates["broker-cert.pem"], "made");
    assert_eq!((&*fates["broker-ca.pem"], &*fates["broker-ca-key.pem"]), ("kept", "kept"));
    assert_eq!(place.text("broker-ca.pem"), before["broker-ca.pem"]);
    verify(&place, "new.example.com", now).unwrap();
    certificate_has_its_key(&place);
}

#[test]
fn half_of_what_belongs_together_is_said() {
    // The authority's key may be kept elsewhere, until it is needed.
    let place = Place::new();
    place.complete(&[]);
    place.delete(&["broker-ca-key.pem"]);
    assert!(place.complete(&[]).values().all(|fate| fate == "kept"));
    assert!(!place.file("broker-ca-key.pem").exists());
    for (missing, words) in [
        (&["broker-cert.pem"][..], "broker-ca-key.pem is not: put it back"),
        (&["broker-ca.pem"], "broker-ca.pem is not: put back what clients trust"),
        (&["broker-key.pem"], "broker-key.pem is not: delete it"),
    ] {
        let place = Place::new();
        place.complete(&[]);
        place.delete(&["broker-ca-key.pem"]);
        place.delete(missing);
        let before = place.texts();
        let (code, printed) = place.run(&[]);
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains(words), "{printed}");
        assert_eq!(place.texts(), before);
    }
    // A command that was killed in between goes on.
    let place = Place::new();
    place.complete(&[]);
    place.delete(&["broker-cert.pem", "broker-ca.pem"]);
    fs::write(place.file(".broker-cert.pem.new"), "half").unwrap();
    let fates = place.complete(&[]);
    assert_eq!((&*fates["broker-key.pem"], &*fates["broker-ca.pem"]), ("kept", "made"));
    verify(&place, "localhost", SystemTime::now()).unwrap();
    certificate_has_its_key(&place);
    assert!(!place.file(".broker-cert.pem.new").exists());
}

#[test]
fn what_cannot_be_done_is_said_with_the_file() {
    let place = Place::new();
    fs::write(place.0.path().join("of"), "a file").unwrap();
    let (code, printed) = place.run(&[]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("of/secrets cannot be made"), "{printed}");

    for (name, text) in [
        ("grafana-admin-password", " \n"),
        ("mosquitto-security.json", "{"),
        ("broker-ca-key.pem", "no key"),
    ] {
        let place = Place::new();
        fs::create_dir_all(place.path()).unwrap();
        fs::write(place.file(name), text).unwrap();
        let (code, printed) = place.run(&[]);
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains(name), "{printed}");
        assert_eq!(place.text(name), text);
    }
    let place = Place::new();
    fs::create_dir_all(place.file("influxdb-token")).unwrap();
    let (code, printed) = place.run(&[]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("influxdb-token cannot be read"), "{printed}");

    let place = Place::new();
    let (code, printed) = place.run(&["--broker-name", "https://broker:8883"]);
    assert_eq!(code, Some(64), "{printed}");
    assert!(printed.contains("https://broker:8883 is neither"), "{printed}");
    assert!(!place.path().exists());
    for wrong in [&["secrets"][..], &["secrets", "--out", "a", "--hash"]] {
        assert_eq!(footman(wrong, "").0, Some(64));
    }
}

#[test]
fn hashes_a_password_and_refuses_what_is_none() {
    for input in
        ["correct horse battery\n", "correct horse battery\r\nmore", "correct horse battery"]
    {
        let (code, printed) = footman(&["secrets", "--hash"], input);
        assert_eq!(code, Some(0), "{printed}");
        let (hash, rest) = printed.split_once('\n').unwrap();
        assert!(hash.starts_with("$argon2id$v=19$") && rest.is_empty(), "{printed}");
        let hash = PasswordHash::new(hash).unwrap();
        Argon2::default().verify_password(b"correct horse battery", &hash).unwrap();
    }
    for (input, words) in [
        ("", "there is no password"),
        ("\n", "there is no password"),
        ("elevenchars", "has 11 characters and needs at least 12"),
        (&"x".repeat(2_000), "longer than 1024 bytes"),
    ] {
        let (code, printed) = footman(&["secrets", "--hash"], input);
        assert_eq!(code, Some(64), "{printed}");
        assert!(printed.contains(words), "{printed}");
        assert!(input.len() < 10 || !printed.contains(input), "{printed}");
    }
}
