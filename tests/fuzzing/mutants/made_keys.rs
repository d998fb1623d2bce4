//! Keys and a certificate in every form that `openssl` writes, made when the tests run: none is
//! ever kept. Where one is encrypted, the passphrase is `correct`.

use std::path::Path;
use std::process::Command;

/// What each file is made of a plain key with.
const FORMS: [(&str, &[&str]); 6] = [
    ("traditional", &["ec"]),
    ("traditional, encrypted", &["ec", "-aes256", "-passout", "pass:correct"]),
    ("PKCS#8", &["pkcs8", "-topk8", "-nocrypt"]),
    ("PKCS#8, PBKDF2", &["pkcs8", "-topk8", "-passout", "pass:correct"]),
    ("PKCS#8, PBES1", &["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", "pass:correct"]),
    ("PKCS#8, scrypt", &["pkcs8", "-topk8", "-scrypt", "-passout", "pass:correct"]),
];

/// Each form behind a certificate of the key, as they stand in one file.
pub(crate) fn made() -> Vec<(String, Vec<u8>)> {
    let directory = tempfile::tempdir().unwrap();
    let (key, certificate) = (directory.path().join("key"), directory.path().join("certificate"));
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let of = ["-nodes", "-days", "2", "-subj", "/CN=sense1.corp.example"];
    openssl(&[&new[..], &of].concat(), &[("-keyout", &key), ("-out", &certificate)]);
    let certificate = std::fs::read(certificate).unwrap();
    let mut made = vec![("a certificate alone".to_owned(), certificate.clone())];
    for (name, arguments) in FORMS {
        let form = directory.path().join("form");
        openssl(arguments, &[("-in", &key), ("-out", &form)]);
        made.push((name.to_owned(), [&certificate[..], &std::fs::read(form).unwrap()].concat()));
    }
    made
}

fn openssl(arguments: &[&str], files: &[(&str, &Path)]) {
    let mut command = Command::new("openssl");
    command.args(arguments);
    for (option, file) in files {
        command.arg(option).arg(file);
    }
    let output = command.output();
    let output = output.unwrap_or_else(|error| {
        panic!("openssl does not start ({error}); ./test installs it");
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
}
