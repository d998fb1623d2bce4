//! When certificates end: a gauge for each, and a warning in time.
//!
//! The certificates of a Qlik Sense site are valid for five or ten years, which is long enough for
//! everybody to forget the day on which all polls begin to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Certificate, Presented};
use crate::config::{Certificates, Tls};
use crate::stages::Cause;

/// Before its end a certificate is warned about for this long: time for an order, a change request
/// and a maintenance window.
const WARN_BEFORE_HOURS: i64 = 30 * 24;
/// Time between two warnings about one certificate.
const WARN_EVERY: Duration = Duration::from_hours(24);
/// Time between two looks: files are exchanged and servers answer for the first time meanwhile.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Certificates whose end is watched; clones watch the same ones.
#[derive(Clone, Debug, Default)]
pub struct Expiry {
    files: Vec<(&'static str, PathBuf)>,
    /// The name and the host (without port) of each server of the configuration.
    servers: Vec<(String, String)>,
    presented: Presented,
}

/// One certificate, and by what it is told from the others.
#[derive(Debug)]
struct Watched {
    /// What it is for, as in the label `certificate`.
    purpose: &'static str,
    /// `file` with its path or `server` with its name.
    origin: (&'static str, String),
    certificate: Certificate,
}

impl Expiry {
    /// Watches the certificates of the site: `ca` and `client`.
    #[must_use]
    pub fn site(mut self, files: Option<&Certificates>) -> Self {
        if let Some(files) = files {
            self.files.push(("ca", files.ca.clone()));
            self.files.push(("client", files.cert.clone()));
        }
        self
    }

    /// Watches the files for a broker: `broker-ca` and `broker-client`.
    #[must_use]
    pub fn broker(mut self, tls: Option<&Tls>) -> Self {
        let ca = tls.and_then(|tls| tls.ca.clone());
        let client = tls.and_then(|tls| tls.client.as_ref());
        self.files.extend(ca.map(|ca| ("broker-ca", ca)));
        self.files.extend(client.map(|client| ("broker-client", client.cert.clone())));
        self
    }

    /// Watches the authority of InfluxDB: `influxdb-ca`.
    #[must_use]
    pub fn influxdb(mut self, ca: Option<&PathBuf>) -> Self {
        self.files.extend(ca.map(|ca| ("influxdb-ca", ca.clone())));
        self
    }

    /// Watches what servers present, given their names and hosts (without ports): `server`. A host
    /// that is nobody's goes by its own name.
    #[must_use]
    pub fn servers(mut self, servers: Vec<(String, String)>, presented: &Presented) -> Self {
        (self.servers, self.presented) = (servers, presented.clone());
        self
    }

    /// The certificates of now. A file that cannot be read has none: whoever uses it says so.
    fn watched(&self, now: Timestamp) -> Vec<Watched> {
        let files = self.files.iter().filter_map(|(purpose, path)| {
            let certificate = next_to_end(Certificate::load(path).ok()?, now)?;
            let origin = ("file", path.display().to_string());
            Some(Watched { purpose, origin, certificate })
        });
        let servers = self.presented.all().into_iter().flat_map(|(host, certificate)| {
            self.names(&host).into_iter().map(move |name| Watched {
                purpose: "server",
                origin: ("server", name),
                certificate: certificate.clone(),
            })
        });
        // A file may be named twice, and a name be that of two servers; a series may be there once.
        let mut first_to_end: BTreeMap<Key, Watched> = BTreeMap::new();
        for watched in files.chain(servers) {
            let known = first_to_end.get(&key(&watched));
            if known.is_none_or(|known| watched.certificate.not_after < known.certificate.not_after)
            {
                first_to_end.insert(key(&watched), watched);
            }
        }
        first_to_end.into_values().collect()
    }

    /// Under which names a host is polled.
    fn names(&self, host: &str) -> BTreeSet<String> {
        let same = |(_, known): &&(String, String)| known.eq_ignore_ascii_case(host);
        let names: BTreeSet<String> =
            self.servers.iter().filter(same).map(|(name, _)| name.clone()).collect();
        if names.is_empty() { BTreeSet::from([host.to_owned()]) } else { names }
    }

    /// Warns at once and then daily of each certificate that ends soon, until `stop`.
    ///
    /// # Errors
    /// None.
    pub async fn warn(self, stop: CancellationToken) -> Result<(), Cause> {
        let this = Arc::new(self);
        let mut told: BTreeMap<Key, Instant> = BTreeMap::new();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _tick = looks.tick() => {}
            }
            let this = Arc::clone(&this);
            let now = Timestamp::now();
            let found = tokio::task::spawn_blocking(move || this.watched(now)).await;
            let found = found.unwrap_or_default();
            // What is not there any more is forgotten, so that this never grows.
            told.retain(|origin, _| found.iter().any(|watched| key(watched) == *origin));
            for watched in found {
                let key = key(&watched);
                if told.get(&key).is_some_and(|told| told.elapsed() < WARN_EVERY) {
                    continue;
                }
                if let Some(warning) = warning(&watched, now) {
                    tracing::warn!("{warning}");
                    told.insert(key, Instant::now());
                }
            }
        }
    }
}

/// By what a certificate is told from others: its purpose, and its file or server.
type Key = (&'static str, String);

fn key(watched: &Watched) -> Key {
    (watched.purpose, watched.origin.1.clone())
}

/// Of several certificates of a file the one that ends next: its file may hold an authority that
/// has ended beside the one that follows it.
fn next_to_end(all: Vec<Certificate>, now: Timestamp) -> Option<Certificate> {
    all.into_iter().min_by_key(|certificate| {
        let ended = certificate.not_after <= now;
        // Among those that have ended, the last one.
        let seconds = certificate.not_after.as_second();
        (ended, if ended { -seconds } else { seconds })
    })
}

/// What is to be said about a certificate, if anything is.
fn warning(watched: &Watched, now: Timestamp) -> Option<String> {
    let Watched { purpose, origin: (kind, origin), certificate } = watched;
    let hours = certificate.left(now).as_hours();
    if hours >= WARN_BEFORE_HOURS {
        return None;
    }
    let (subject, end) = (&certificate.subject, certificate.not_after);
    let whose = match *kind {
        "server" => format!("The certificate {subject} that server {origin} presents"),
        _ => format!("The certificate {subject} in {origin} ({purpose})"),
    };
    let ends = if certificate.not_after <= now {
        format!("has expired on {end}")
    } else {
        format!("expires on {end}, in {} days", hours / 24)
    };
    let then = match *purpose {
        "server" => "redistribute the certificates of the site in the QMC",
        "ca" | "client" => "export the site's certificates from the QMC again",
        _ => "put a new one into the file",
    };
    Some(format!("{whose} {ends}: {then}; new files are used without a restart."))
}

impl Collector for Expiry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut gauges = encoder.encode_descriptor(
            "certificate_expiry_timestamp",
            "When a certificate ends to be valid, in seconds since 1970",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        for watched in self.watched(Timestamp::now()) {
            let (kind, origin) = &watched.origin;
            let labels = [("certificate", watched.purpose), (*kind, origin.as_str())];
            let gauge = ConstGauge::new(watched.certificate.not_after.as_second());
            gauge.encode(gauges.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::ToSpan as _;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;
    use crate::config::ClientCertificate;

    fn pem(name: &str, end: i32) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(end, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_gauge_for_each_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        // An authority that has ended, the one in force, and the one after it.
        let bundle = [pem("old", 2002), pem("next", 2200), pem("now", 2100)].concat();
        fs::write(path("root.pem"), bundle).unwrap();
        fs::write(path("broker.pem"), pem("collector", 2003)).unwrap();
        let tls = Tls {
            ca: Some(path("absent.pem")),
            client: Some(ClientCertificate { cert: path("broker.pem"), key: path("key.pem") }),
        };
        let expiry = Expiry::default().influxdb(Some(&path("root.pem"))).broker(Some(&tls));
        // Two brokers may have one file.
        let expiry = expiry.broker(Some(&tls));
        let mut registry = Registry::default();
        let collector = registry.sub_registry_with_prefix("writer");
        collector.register_collector(Box::new(expiry));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let line = |purpose: &str, name: &str, seconds: i64| {
            format!(
                "writer_certificate_expiry_timestamp_seconds{{certificate=\"{purpose}\",\
                 file=\"{}\"}} {seconds}\n",
                path(name).display()
            )
        };
        let now = at("2100-01-01T00:00:00Z").as_second();
        assert!(text.contains(&line("influxdb-ca", "root.pem", now)), "{text}");
        let ended = at("2003-01-01T00:00:00Z").as_second();
        assert!(text.contains(&line("broker-client", "broker.pem", ended)), "{text}");
        assert!(!text.contains("absent"), "{text}");
        assert_eq!(text.matches("broker.pem").count(), 1, "{text}");
    }

    #[test]
    fn warnings_come_a_month_before_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("client.pem");
        fs::write(&path, pem("QlikClient", 2050)).unwrap();
        let certificate = Certificate::load(&path).unwrap().remove(0);
        let origin = ("file", "client.pem".to_owned());
        let watched = Watched { purpose: "client", origin, certificate };
        let end = at("2050-01-01T00:00:00Z");
        assert_eq!(warning(&watched, end.checked_sub(720.hours()).unwrap()), None);
        let soon = warning(&watched, end.checked_sub(719.hours()).unwrap()).unwrap();
        assert!(
            soon.starts_with(
                "The certificate QlikClient in client.pem (client) expires on \
                 2050-01-01T00:00:00Z, in 29 days: export the site's certificates"
            ),
            "{soon}"
        );
        let ended = warning(&watched, end).unwrap();
        assert!(ended.contains("has expired on 2050"), "{ended}");
    }
}
