//! Certificates that change, that are encrypted, that are of another site.

use std::fs;

use shared::event::Category;
use simulator::{Endpoint, Fault, Site, SiteConfig};

use crate::house::{Running, SECOND, config_of, eventually, is_health, site, text};

#[tokio::test(flavor = "multi_thread")]
async fn renewed_files_are_used_and_damaged_ones_told() {
    let site = site(1).await;
    let files = site.certificate_files();
    let own = tempfile::tempdir().unwrap();
    let key = own.path().join("key.pem");
    fs::copy(&files.client_key, &key).unwrap();
    let text = text(&site, SECOND, true)
        .replace(files.client_key.to_str().unwrap(), key.to_str().unwrap());
    let mut running = Running::start(config_of(&text)).await;
    running.next(is_health).await;

    fs::write(&key, "no key").unwrap();
    let failed =
        running.next_failed(|failed| failed.category == Category::CERTIFICATE_UNREADABLE).await;
    assert!(failed.message.contains("key.pem"), "{}", failed.message);
    fs::remove_file(&key).unwrap();
    let gone = running.next_failed(|failed| failed.message.contains("cannot be read")).await;
    assert_eq!(gone.category, Category::CERTIFICATE_UNREADABLE);
    let before = site.traffic(0, Endpoint::Engine).unwrap().handshakes;
    fs::copy(&files.client_key, &key).unwrap();
    running.next(is_health).await;
    assert_eq!(site.traffic(0, Endpoint::Engine).unwrap().handshakes, before + 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_is_decrypted() {
    let mut config = SiteConfig::for_test().unwrap();
    config.key_passphrase = Some("correct horse".to_owned());
    let site = Site::start(config).await.unwrap();
    let files = site.certificate_files();
    let encrypted = files.client_key_encrypted.clone().unwrap();
    let text = text(&site, SECOND, true)
        .replace(files.client_key.to_str().unwrap(), encrypted.to_str().unwrap());
    let with_passphrase = |passphrase: &str| {
        text.replace("  cert:\n", &format!("  cert:\n    clientCertPassphrase: {passphrase}\n"))
    };
    let mut running = Running::start(config_of(&with_passphrase("correct horse"))).await;
    running.next(is_health).await;
    running.stop().await;
    let mut running = Running::start(config_of(&with_passphrase("MARKER"))).await;
    let failed = running.next_failed(|_| true).await;
    assert_eq!(failed.category, Category::CERTIFICATE_UNREADABLE);
    assert!(failed.message.contains("the passphrase does not decrypt"), "{}", failed.message);
    assert!(!format!("{failed:?}").contains("MARKER"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_of_another_site_is_refused() {
    let (site, other) = (site(1).await, site(1).await);
    let mut text = text(&site, SECOND, true);
    for (ours, theirs) in [
        (&site.certificate_files().client, &other.certificate_files().client),
        (&site.certificate_files().client_key, &other.certificate_files().client_key),
    ] {
        text = text.replace(ours.to_str().unwrap(), theirs.to_str().unwrap());
    }
    let mut running = Running::start(config_of(&text)).await;
    let failed = running.next_failed(|_| true).await;
    assert_eq!(failed.category, Category::CERTIFICATE_ERROR, "{}", failed.message);
    assert!(failed.message.contains("our client certificate"), "{}", failed.message);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_verified_by_the_chain_alone() {
    let site = site(1).await;
    let mut running = Running::start(config_of(&text(&site, SECOND, false))).await;
    running.next(is_health).await;
    running.stop().await;
}

/// The files of a site in a folder of their own, where they can be exchanged.
struct Folder {
    directory: tempfile::TempDir,
    text: String,
}

impl Folder {
    fn of(site: &Site) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = site.certificate_files();
        let mut text = text(site, SECOND / 5, false);
        for (from, name) in
            [(&files.root, "root"), (&files.client, "client"), (&files.client_key, "key")]
        {
            let to = directory.path().join(name);
            fs::copy(from, &to).unwrap();
            text = text.replace(from.to_str().unwrap(), to.to_str().unwrap());
        }
        Self { directory, text }
    }

    /// Writes into the file itself, as a copy does.
    fn overwrite(&self, name: &str, from: &std::path::Path) {
        fs::write(self.directory.path().join(name), fs::read(from).unwrap()).unwrap();
    }

    /// Puts another file in its place.
    fn replace(&self, name: &str, from: &std::path::Path) {
        fs::copy(from, self.directory.path().join("new")).unwrap();
        fs::rename(self.directory.path().join("new"), self.directory.path().join(name)).unwrap();
    }
}

fn handshakes(site: &Site) -> u64 {
    site.traffic(0, Endpoint::Engine).unwrap().handshakes
}

/// Waits for so many answers of the engine.
async fn answers(running: &mut Running, count: usize) {
    for _answer in 0..count {
        running.next(is_health).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_of_all_certificates_costs_no_poll() {
    let site = site(1).await;
    let folder = Folder::of(&site);
    let renewed = site.export_renewed(&folder.directory.path().join("renewed")).unwrap();
    let mut running = Running::start(config_of(&folder.text)).await;
    answers(&mut running, 2).await;

    let before = handshakes(&site);
    folder.overwrite("root", &renewed.root);
    eventually(|| handshakes(&site) > before).await;
    // A certificate without its key is not used for as long as it takes: three looks at least.
    let before = handshakes(&site);
    folder.replace("client", &renewed.client);
    answers(&mut running, 16).await;
    assert_eq!(handshakes(&site), before);
    folder.replace("key", &renewed.client_key);
    eventually(|| handshakes(&site) > before).await;
    // The site changes to its new authority.
    let before = handshakes(&site);
    for endpoint in [Endpoint::Engine, Endpoint::Proxy, Endpoint::Repository] {
        site.set_fault(0, endpoint, Some(Fault::OtherAuthority)).await.unwrap();
    }
    eventually(|| handshakes(&site) > before).await;
    answers(&mut running, 2).await;
    running.stop().await;
    let all = running.all().await;
    let failed: Vec<_> = all.iter().filter_map(crate::house::failed).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_handshake_looks_at_the_files_at_once() {
    let site = site(1).await;
    let folder = Folder::of(&site);
    let renewed = site.export_renewed(&folder.directory.path().join("renewed")).unwrap();
    let mut running = Running::start(config_of(&folder.text)).await;
    answers(&mut running, 2).await;
    // Between two looks of the collector, most likely.
    folder.replace("root", &renewed.root);
    for endpoint in [Endpoint::Engine, Endpoint::Proxy, Endpoint::Repository] {
        site.set_fault(0, endpoint, Some(Fault::OtherAuthority)).await.unwrap();
    }
    answers(&mut running, 3).await;
    running.stop().await;
    let all = running.all().await;
    let failed: Vec<_> = all.iter().filter_map(crate::house::failed).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_certificate_is_said_with_both_files() {
    let site = site(1).await;
    let folder = Folder::of(&site);
    let renewed = site.export_renewed(&folder.directory.path().join("renewed")).unwrap();
    folder.replace("key", &renewed.client_key);
    let mut running = Running::start(config_of(&folder.text)).await;
    let failed = running.next_failed(|_| true).await;
    assert_eq!(failed.category, Category::CERTIFICATE_UNREADABLE);
    for file in ["key", "client"] {
        let path = folder.directory.path().join(file).display().to_string();
        assert!(failed.message.contains(&path), "{}", failed.message);
    }
    assert!(failed.message.contains("export both together"), "{}", failed.message);
    running.stop().await;
}
