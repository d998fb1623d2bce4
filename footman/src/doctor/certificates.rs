//! The files with which the site is polled: certificate, key and authority.

use jiff::Timestamp;
use shared::config::Certificates;
use shared::tls::{Certificate, Identity, Roots};

use super::reach;
use super::report::{Area, Finding, Section};

/// Looks at the files; reads them, and so blocks.
pub(crate) fn look(files: &Certificates, now: Timestamp) -> Section {
    let mut section = Section::new(Area::Certificates, files.cert.display().to_string());
    match Certificate::load(&files.cert) {
        Ok(chain) => section.findings.extend(chain.first().map(|first| own(first, now))),
        Err(error) => {
            section.add(Finding::fault("certificate", error.to_string()).advise(EXPORT));
        }
    }
    section.add(match Identity::load(&files.cert, &files.key, files.passphrase.as_ref()) {
        Ok(_identity) => Finding::ok("key", format!("{} is its key", files.key.display())),
        // Says what to do in itself.
        Err(error) => Finding::fault("key", error.to_string()),
    });
    match (Roots::load(&files.ca), Certificate::load(&files.ca)) {
        (Ok(_roots), Ok(all)) => {
            for authority in &all {
                let mut finding = reach::expiry("authority", authority, now);
                finding.seen = format!("`{}`, {}", authority.subject, finding.seen);
                section.add(finding);
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            section.add(Finding::fault("authority", error.to_string()).advise(EXPORT));
        }
    }
    section
}

const EXPORT: &str = "export the certificates of the site in the QMC, as platform independent PEM \
                      files, and name them in cert";

fn own(certificate: &Certificate, now: Timestamp) -> Finding {
    let mut finding = reach::expiry("certificate", certificate, now);
    finding.seen =
        format!("`{}`, signed by `{}`, {}", certificate.subject, certificate.issuer, finding.seen);
    finding
}
