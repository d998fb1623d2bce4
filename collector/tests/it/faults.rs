//! Every fault of the simulated site becomes a failed poll of the right category, and passes.

use std::collections::BTreeMap;

use shared::event::{Category, FailedPoll, Source};
use simulator::{Endpoint, Fault};

use crate::house::{Running, SECOND, config, is_health, site};

fn expected(fault: Fault) -> (Category, Option<&'static str>) {
    match fault {
        Fault::Refused => (Category::CONNECTION_REFUSED, Some("ECONNREFUSED")),
        Fault::Reset | Fault::CutShort => (Category::CONNECTION_RESET, Some("ECONNRESET")),
        Fault::Hang | Fault::HangInHandshake | Fault::SlowDrip => {
            (Category::TIMEOUT, Some("ECONNABORTED"))
        }
        Fault::Status(401 | 403) => (Category::AUTH_ERROR, Some("ERR_BAD_REQUEST")),
        Fault::Status(404) => (Category::NOT_FOUND, Some("ERR_BAD_REQUEST")),
        Fault::Status(429) => (Category::RATE_LIMITED, Some("ERR_BAD_REQUEST")),
        Fault::Status(500..) => (Category::HTTP_5XX, Some("ERR_BAD_RESPONSE")),
        Fault::Status(_) => (Category::HTTP_4XX, Some("ERR_BAD_REQUEST")),
        Fault::Redirect | Fault::LoginPage | Fault::WrongJson | Fault::EmptyBody => {
            (Category::UNEXPECTED_BODY, None)
        }
        Fault::TruncatedJson => (Category::DECODE, None),
        Fault::Huge => (Category::TOO_LARGE, None),
        Fault::ExpiredCertificate => (Category::CERTIFICATE_ERROR, Some("CERT_HAS_EXPIRED")),
        Fault::FutureCertificate => (Category::CERTIFICATE_ERROR, Some("CERT_NOT_YET_VALID")),
        Fault::SameNameAuthority => (Category::CERTIFICATE_ERROR, Some("CERT_SIGNATURE_FAILURE")),
        Fault::OtherAuthority => {
            (Category::CERTIFICATE_ERROR, Some("UNABLE_TO_VERIFY_LEAF_SIGNATURE"))
        }
        Fault::OtherName | Fault::ShortName | Fault::CommonNameOnly => {
            (Category::CERTIFICATE_ERROR, Some("ERR_TLS_CERT_ALTNAME_INVALID"))
        }
    }
}

fn status(fault: Fault) -> Option<u16> {
    match fault {
        Fault::Status(status) => Some(status),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_has_its_category() {
    let site = site(Fault::ALL.len()).await;
    for (number, fault) in Fault::ALL.into_iter().enumerate() {
        for endpoint in [Endpoint::Engine, Endpoint::Proxy] {
            site.set_fault(number, endpoint, Some(fault)).await.unwrap();
        }
    }
    let mut running = Running::start(config(&site, 2 * SECOND)).await;
    let mut told: BTreeMap<(String, Source), FailedPoll> = BTreeMap::new();
    while told.len() < Fault::ALL.len() * 2 {
        let failed = running.next_failed(|failed| failed.category != Category::SKIPPED).await;
        told.insert((failed.server.name.clone(), failed.source), failed);
    }
    for (server, fault) in site.servers().iter().zip(Fault::ALL) {
        for source in [Source::Health, Source::Sessions] {
            let failed = &told[&(server.name().to_owned(), source)];
            let (category, code) = expected(fault);
            assert_eq!(failed.category, category, "{fault} {source:?}: {}", failed.message);
            if code.is_some() {
                assert_eq!(failed.code.as_deref(), code, "{fault}: {}", failed.message);
            }
            if status(fault).is_some() {
                assert_eq!(failed.http_status, status(fault));
            }
            assert_eq!(failed.virtual_proxy.is_some(), source == Source::Sessions);
            assert_eq!(failed.timeout_ms, Some(1_800));
            assert!(!failed.url.as_ref().unwrap().contains("xrfkey"));
        }
    }
    let refused = &told[&(site.servers()[0].name().to_owned(), Source::Health)];
    let address = site.servers()[0].address().to_string();
    assert_eq!(refused.remote_address.as_deref(), Some(address.as_str()));
    assert_eq!((refused.remote_port, refused.syscall.as_deref()), (Some(4747), Some("connect")));

    site.clear_faults().await.unwrap();
    let mut healthy: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    while healthy.len() < Fault::ALL.len() {
        healthy.insert(running.next(is_health).await.subject);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_repository_fails_like_any_other() {
    let site = site(1).await;
    let mut running = Running::start(config(&site, SECOND)).await;
    running.next(|envelope| envelope.event.kind().name() == "app-names").await;
    for fault in [
        Fault::Status(403),
        Fault::Huge,
        Fault::TruncatedJson,
        Fault::WrongJson,
        Fault::Hang,
        Fault::OtherName,
    ] {
        site.set_fault(0, Endpoint::Repository, Some(fault)).await.unwrap();
        let (category, _) = expected(fault);
        let failed = running.next_failed(|failed| failed.category == category).await;
        assert_eq!(failed.source, Source::AppNames);
    }
    site.set_fault(0, Endpoint::Repository, None).await.unwrap();
    // Names were kept, and nothing changed.
    let names = running.next(|envelope| envelope.event.kind().name() == "app-names").await;
    let shared::event::Event::AppNames(names) = names.event else { panic!("no app names") };
    assert_eq!((names.full, names.part, names.parts), (false, 1, 1));
    running.stop().await;
}
