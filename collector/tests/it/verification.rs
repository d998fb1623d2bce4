//! How far certificates are verified, against a site that shows every kind of them; and that each
//! failure says what was shown and what to set.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use shared::event::Category;
use shared::tls::Expiry;
use simulator::{Endpoint, Fault, Site};

use crate::house::{Running, SECOND, config_of, is_health, site, text};

/// The engine alone is polled, often.
fn engine(site: &Site, settings: &str) -> String {
    let text = text(site, SECOND / 5, false)
        .replace("enableSessionExtract: true", "enableSessionExtract: false");
    let name = site.server(0).unwrap().name();
    format!("{text}  collector:\n    servers:\n      {name}: {settings}\n")
}

/// Shows each certificate and waits for an answer.
async fn accepts(site: &Site, running: &mut Running, faults: &[Fault]) {
    for fault in faults {
        site.set_fault(0, Endpoint::Engine, Some(*fault)).await.unwrap();
        let handshakes = || site.traffic(0, Endpoint::Engine).unwrap().handshakes;
        let before = handshakes();
        crate::house::eventually(|| handshakes() > before).await;
        running.next(is_health).await;
    }
    site.set_fault(0, Endpoint::Engine, None).await.unwrap();
}

/// Shows a certificate and gives the message of the poll that fails for it.
async fn refuses(site: &Site, running: &mut Running, fault: Fault, code: &str) -> String {
    site.set_fault(0, Endpoint::Engine, Some(fault)).await.unwrap();
    let failed = running.next_failed(|failed| failed.code.as_deref() == Some(code)).await;
    assert_eq!(failed.category, Category::CERTIFICATE_ERROR);
    site.set_fault(0, Endpoint::Engine, None).await.unwrap();
    running.next(is_health).await;
    failed.message
}

const OF_THE_NAME: [Fault; 3] = [Fault::ShortName, Fault::OtherName, Fault::CommonNameOnly];

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_verified_and_failures_say_the_line_that_mends_them() {
    let site = site(1).await;
    let (server, name) = (site.servers()[0].name(), site.servers()[0].host_name());
    let short = name.split('.').next().unwrap();
    let host = site.servers()[0].host(Endpoint::Engine).unwrap().to_string();
    let strict = engine(&site, &format!("{{tlsServerName: {name}}}"));
    let mut running = Running::start(config_of(&strict)).await;
    running.next(is_health).await;
    let set = |settings: String| format!("set collector.servers.{server} to {{ {settings} }}");
    for (fault, code, words) in [
        (
            Fault::ShortName,
            "ERR_TLS_CERT_ALTNAME_INVALID",
            [format!("it holds {short}:"), set(format!("tlsServerName: {short}"))],
        ),
        (
            Fault::OtherName,
            "ERR_TLS_CERT_ALTNAME_INVALID",
            [format!("it holds other-{name}:"), set(format!("tlsServerName: other-{name}"))],
        ),
        (
            Fault::CommonNameOnly,
            "ERR_TLS_CERT_ALTNAME_INVALID",
            [format!("only the common name {name}"), set("verify: chain".to_owned())],
        ),
        (
            Fault::ExpiredCertificate,
            "CERT_HAS_EXPIRED",
            [format!("(for {name}, by {short}-CA) has expired on 20"), "in the QMC".to_owned()],
        ),
        (
            Fault::FutureCertificate,
            "CERT_NOT_YET_VALID",
            ["is valid from 20".to_owned(), "set the clock of this machine".to_owned()],
        ),
        (
            Fault::OtherAuthority,
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            [format!("(for {name}, by othersite-CA)"), "set cert.clientCertCA to".to_owned()],
        ),
        (
            Fault::SameNameAuthority,
            "CERT_SIGNATURE_FAILURE",
            ["another authority of the same name".to_owned(), "export the cert".to_owned()],
        ),
    ] {
        let message = refuses(&site, &mut running, fault, code).await;
        assert!(message.contains(&host), "{message}");
        for word in words {
            assert!(message.contains(&word), "{fault}: {message}");
        }
    }
    // What servers presented has a gauge, under their names.
    let servers = vec![(server.to_owned(), host.split(':').next().unwrap().to_owned())];
    let mut registry = Registry::default();
    let expiry = Expiry::default().servers(servers, running.metrics.presented());
    registry.register_collector(Box::new(expiry));
    let mut page = String::new();
    encode(&mut page, &registry).unwrap();
    let line = format!(
        "certificate_expiry_timestamp_seconds{{certificate=\"server\",server=\"{server}\"}} "
    );
    assert!(page.contains(&line), "{page}");
    running.stop().await;
    // As the message said.
    let mended = engine(&site, &format!("{{tlsServerName: {short}}}"));
    let mut running = Running::start(config_of(&mended)).await;
    accepts(&site, &mut running, &[Fault::ShortName]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_chain_alone_every_name_will_do_and_no_other_authority() {
    let site = site(1).await;
    // An address is verified as `verify: chain` says, by itself.
    for settings in ["{verify: chain}", "{verify: full}"] {
        let mut running = Running::start(config_of(&engine(&site, settings))).await;
        running.next(is_health).await;
        accepts(&site, &mut running, &OF_THE_NAME).await;
        for (fault, code) in [
            (Fault::ExpiredCertificate, "CERT_HAS_EXPIRED"),
            (Fault::FutureCertificate, "CERT_NOT_YET_VALID"),
            (Fault::OtherAuthority, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
            (Fault::SameNameAuthority, "CERT_SIGNATURE_FAILURE"),
        ] {
            refuses(&site, &mut running, fault, code).await;
        }
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_verification_everything_is_accepted() {
    let site = site(1).await;
    let none = engine(&site, "{verify: none}");
    let off = engine(&site, "{}").replace("rejectUnauthorized: true", "rejectUnauthorized: false");
    assert!(off.contains("rejectUnauthorized: false"), "{off}");
    for text in [none, off] {
        let mut running = Running::start(config_of(&text)).await;
        running.next(is_health).await;
        accepts(&site, &mut running, &OF_THE_NAME).await;
        let others =
            [Fault::ExpiredCertificate, Fault::FutureCertificate, Fault::SameNameAuthority];
        accepts(&site, &mut running, &others).await;
        accepts(&site, &mut running, &[Fault::OtherAuthority]).await;
        running.stop().await;
    }
}
