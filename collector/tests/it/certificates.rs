//! Certificates that change, that are encrypted, that are of another site.

use std::fs;

use shared::event::Category;
use simulator::{Site, SiteConfig};

use crate::house::{Running, SECOND, config_of, is_health, site, text};

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
    let before = site.traffic(0, simulator::Endpoint::Engine).unwrap().handshakes;
    fs::copy(&files.client_key, &key).unwrap();
    running.next(is_health).await;
    assert_eq!(site.traffic(0, simulator::Endpoint::Engine).unwrap().handshakes, before + 1);
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
