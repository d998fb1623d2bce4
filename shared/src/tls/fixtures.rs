//! One RSA key in every form that `openssl` writes, made anew for each run of the tests. Where it
//! is encrypted, the passphrase is `correct`.

#![expect(clippy::disallowed_types, reason = "tests start openssl")]

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

/// File names, and what makes each file from `pkcs8.pem`.
const FORMS: [(&str, &[&str]); 9] = [
    ("pkcs1.pem", &["rsa", "-traditional"]),
    ("pkcs8-aes256.pem", &["pkcs8", "-topk8", "-v2", "aes-256-cbc"]),
    ("pkcs8-des3.pem", &["pkcs8", "-topk8", "-v2", "des3"]),
    ("pkcs8-pbes1.pem", &["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"]),
    ("traditional-aes128.pem", &["rsa", "-traditional", "-aes128"]),
    ("traditional-aes192.pem", &["rsa", "-traditional", "-aes192"]),
    ("traditional-aes256.pem", &["rsa", "-traditional", "-aes256"]),
    ("traditional-camellia.pem", &["rsa", "-traditional", "-camellia128"]),
    ("traditional-des3.pem", &["rsa", "-traditional", "-des3"]),
];

/// File names and contents.
pub(super) static KEYS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("pkcs8.pem");
    let made = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    openssl(&made, &["-out".as_ref(), plain.as_path()]);
    let mut keys = vec![("pkcs8.pem", std::fs::read_to_string(&plain).unwrap())];
    for (name, arguments) in FORMS {
        let file = directory.path().join(name);
        let mut arguments = arguments.to_vec();
        if name != "pkcs1.pem" {
            arguments.extend(["-passout", "pass:correct"]);
        }
        let (from, to) = ("-in".as_ref(), "-out".as_ref());
        openssl(&arguments, &[from, plain.as_path(), to, file.as_path()]);
        keys.push((name, std::fs::read_to_string(file).unwrap()));
    }
    keys
});

fn openssl(arguments: &[&str], files: &[&Path]) {
    let output = Command::new("openssl").args(arguments).args(files).output();
    let output = output.unwrap_or_else(|error| {
        panic!("openssl does not start ({error}); ./test installs it");
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
}
