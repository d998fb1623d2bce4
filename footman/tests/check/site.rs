//! The files that the cases name: certificates, keys and secrets, right and wrong, made anew.

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use tempfile::TempDir;

/// A folder of what cases need beside them.
pub(crate) fn make() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(folder.path().join(name), text).unwrap();
        readable_by(&folder.path().join(name), mode);
    };
    let key = KeyPair::generate().unwrap();
    let (root, issuer) = authority("site-CA");
    let (other_root, _) = authority("othersite-CA");
    write("root.pem", &root.pem(), 0o644);
    write("other_root.pem", &other_root.pem(), 0o644);
    write("client.pem", &client(&key, &issuer, 2090).pem(), 0o644);
    write("expired.pem", &client(&key, &issuer, 2020).pem(), 0o644);
    write("client_key.pem", &key.serialize_pem(), 0o600);
    write("open_key.pem", &key.serialize_pem(), 0o644);
    write("other_key.pem", &KeyPair::generate().unwrap().serialize_pem(), 0o600);
    write("text.pem", "This is no certificate.\n", 0o600);
    write("certificate_cut.pem", root.pem().get(..200).unwrap(), 0o644);
    for (name, how) in [("encrypted_key.pem", "aes-256-cbc"), ("camellia_key.pem", "camellia128")] {
        encrypt(folder.path(), name, how);
    }
    write("token.txt", "SECRET\n", 0o600);
    write("open_token.txt", "SECRET\n", 0o644);
    write("wrong.txt", "another SECRET\n", 0o600);
    write("empty.txt", "\n", 0o600);
    fs::create_dir(folder.path().join("folder")).unwrap();
    folder
}

/// Sets who may read a file, whatever the umask is.
pub(crate) fn readable_by(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn authority(name: &str) -> (Certificate, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate, Issuer::new(params, key))
}

fn client(key: &KeyPair, issuer: &Issuer<'_, KeyPair>, last_year: i32) -> Certificate {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "QlikClient");
    params.not_after = date_time_ymd(last_year, 1, 1);
    params.signed_by(key, issuer).unwrap()
}

/// Encrypts the client's key, in the way of one cipher.
fn encrypt(folder: &Path, name: &str, cipher: &str) {
    let output = Command::new("openssl")
        .args(["pkcs8", "-topk8", "-in", "client_key.pem", "-out", name])
        .args(["-v2", cipher, "-passout", "pass:SECRET"])
        .current_dir(folder)
        .output();
    let output = output.unwrap_or_else(|error| {
        panic!("openssl does not start ({error}); ./test installs it");
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl with {cipher}: {said}");
    readable_by(&folder.join(name), 0o600);
}
