//! From files that change to what is made of them, without a moment in which nothing works.
//!
//! Whoever replaces a certificate and its key writes two files, and perhaps not in one go. So what
//! does not fit together is not used, and what cannot be read at all is believed at the second
//! look only: until then the last good files go on being used.

use super::TlsError;
use super::material::{Contents, Files, Look, Material};

/// Files of TLS, and what was last made of them.
#[derive(Debug)]
pub struct Renewal {
    files: Files,
    /// What the last [`News`] were about.
    told: Look,
    /// Whether these were good.
    usable: bool,
    /// What could not be used at the last look.
    doubted: Option<Look>,
    /// What did not fit together, which is said once and not tried again: decrypting a key is costly.
    unfit: Option<Look>,
}

/// What a look at the files found.
#[derive(Debug)]
pub enum News {
    /// Everything is as it was, or a change that may not be complete yet.
    Nothing,
    /// The files have changed, and this is what they hold.
    Renewed(Material),
    /// The files have changed and cannot be used any more.
    Broken(TlsError),
}

impl Renewal {
    /// Reads the files for the first time.
    pub fn start(files: Files) -> (Self, Result<Material, TlsError>) {
        let contents = Contents::read(&files);
        let told = contents.look();
        let material = contents.material(&files);
        (Self { files, told, usable: material.is_ok(), doubted: None, unfit: None }, material)
    }

    /// Reads them again. Blocks: for as long as it takes to read some kilobytes, and when they have
    /// changed to decrypt a key, up to seconds.
    pub fn look(&mut self) -> News {
        let contents = Contents::read(&self.files);
        let look = contents.look();
        if look == self.told {
            (self.doubted, self.unfit) = (None, None);
            return News::Nothing;
        }
        if self.unfit.as_ref() == Some(&look) {
            return News::Nothing;
        }
        let error = match contents.material(&self.files) {
            Ok(material) => {
                (self.told, self.usable) = (look, true);
                (self.doubted, self.unfit) = (None, None);
                return News::Renewed(material);
            }
            Err(error) => error,
        };
        if self.usable && error.is_misfit() {
            tracing::warn!(
                "New certificate files are not used until they fit together; the ones before go on \
                 being used: {error}."
            );
            self.unfit = Some(look);
            return News::Nothing;
        }
        self.unfit = None;
        if self.usable && self.doubted.as_ref() != Some(&look) {
            self.doubted = Some(look);
            return News::Nothing;
        }
        (self.told, self.usable, self.doubted) = (look, false, None);
        News::Broken(error)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;
    use crate::config::ClientCertificate;
    use crate::secret::Secret;

    /// A certificate of its own key.
    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::default().self_signed(&key).unwrap();
        (cert.pem(), key.serialize_pem())
    }

    struct Bench {
        directory: TempDir,
        renewal: Renewal,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            let (cert, key) = pair();
            fs::write(at("ca"), pair().0).unwrap();
            fs::write(at("cert"), cert).unwrap();
            fs::write(at("key"), key).unwrap();
            let client = ClientCertificate { cert: at("cert"), key: at("key") };
            let files = Files { ca: Some(at("ca")), client: Some(client), passphrase: None };
            let (renewal, material) = Renewal::start(files);
            assert!(material.unwrap().identity.is_some());
            Self { directory, renewal }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.directory.path().join(name), text).unwrap();
        }

        fn look(&mut self) -> &'static str {
            match self.renewal.look() {
                News::Nothing => "nothing",
                News::Renewed(_) => "renewed",
                News::Broken(_) => "broken",
            }
        }
    }

    #[test]
    fn a_pair_is_used_when_it_fits() {
        let mut bench = Bench::new();
        assert_eq!(bench.look(), "nothing");
        let (cert, key) = pair();
        bench.write("cert", &cert);
        for _look in 0..3 {
            assert_eq!(bench.look(), "nothing");
        }
        bench.write("key", &key);
        assert_eq!(bench.look(), "renewed");
        assert_eq!(bench.look(), "nothing");
    }

    #[test]
    fn half_a_file_is_doubted_once_and_believed_at_the_second_look() {
        let mut bench = Bench::new();
        let (whole, _) = pair();
        let (half, _) = whole.split_at(whole.len() / 2);
        bench.write("ca", half);
        assert_eq!(bench.look(), "nothing");
        bench.write("ca", &whole);
        assert_eq!(bench.look(), "renewed");
        bench.write("ca", "");
        assert_eq!(bench.look(), "nothing");
        assert_eq!(bench.look(), "broken");
        assert_eq!(bench.look(), "nothing");
        // Nothing is in use any more that could be kept.
        fs::remove_file(bench.directory.path().join("ca")).unwrap();
        assert_eq!(bench.look(), "broken");
        bench.write("ca", &whole);
        assert_eq!(bench.look(), "renewed");
    }

    #[cfg(unix)]
    #[test]
    fn links_that_are_exchanged() {
        let mut bench = Bench::new();
        let at = |name: &str| bench.directory.path().join(name);
        bench.write("other", &pair().0);
        fs::remove_file(at("ca")).unwrap();
        std::os::unix::fs::symlink("other", at("link")).unwrap();
        fs::rename(at("link"), at("ca")).unwrap();
        assert_eq!(bench.look(), "renewed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_passphrase_may_come_after_its_key_or_before() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let fixture = |name| super::super::fixtures::KEYS.iter().find(|(key, _)| *key == name);
        let write = |name: &str, text: &str| fs::write(at(name), text).unwrap();
        let key = KeyPair::from_pkcs8_pem_and_sign_algo(
            &fixture("pkcs8.pem").unwrap().1,
            &rcgen::PKCS_RSA_SHA256,
        );
        let cert = CertificateParams::default().self_signed(&key.unwrap()).unwrap();
        write("cert", &cert.pem());
        write("ca", &pair().0);
        write("key", &fixture("pkcs8-aes256.pem").unwrap().1);
        write("passphrase", "correct");
        let passphrase = Some(Secret::from_file(Path::new(&at("passphrase"))).unwrap());
        let client = ClientCertificate { cert: at("cert"), key: at("key") };
        let files = Files { ca: Some(at("ca")), client: Some(client), passphrase };
        let (renewal, material) = Renewal::start(files);
        material.unwrap();
        let mut bench = Bench { directory, renewal };
        bench.write("passphrase", "another");
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(bench.look(), "nothing");
        bench.write("key", &fixture("pkcs1.pem").unwrap().1);
        assert_eq!(bench.look(), "renewed");
    }
}
