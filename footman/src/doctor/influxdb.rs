//! InfluxDB: reached, let in, the place there, and neither too few rights nor too many.

use std::time::Duration;

use shared::config::{self, Tls, Version};
use shared::timestamp::Timestamp;
use writer::influxdb::InfluxDb;
use writer::influxdb::look::{Answered, Place, Sight};

use super::clock;
use super::foreign::Foreign;
use super::reach;
use super::report::{Area, Finding, Section};

/// Looks at everything; none without an InfluxDB.
pub(crate) async fn look(influxdb: &config::InfluxDb, patience: Duration) -> Section {
    let influxdb = config::InfluxDb { timeout: influxdb.timeout.min(patience), ..influxdb.clone() };
    let host = influxdb.url.host_str().unwrap_or_default();
    let port = influxdb.url.port_or_known_default().unwrap_or_default();
    let (name, _) = names(&influxdb.version);
    let mut section = Section::new(Area::Influxdb, format!("InfluxDB {name} at {host}:{port}"));
    let (findings, stream) = reach::connect(host, port, patience).await;
    section.findings.extend(findings);
    let Some(stream) = stream else { return section };
    if influxdb.url.scheme() == "https" {
        let tls = Tls { ca: influxdb.ca.clone(), client: None };
        let foreign = Foreign {
            host,
            tls: &tls,
            ca_key: "writer.influxdb.tls.ca",
            address_key: "writer.influxdb.url",
        };
        if !foreign.note(stream, patience, &mut section).await {
            return section;
        }
    } else if !reach::is_loopback(host) {
        let seen = "no TLS: passwords, tokens and points cross the network in the clear";
        section.add(Finding::warning("tls", seen).advise("write https:// in writer.influxdb.url"));
    }
    let looked = match InfluxDb::new(&influxdb) {
        Ok(client) => client.look().await,
        Err(error) => Err(error.to_string()),
    };
    match looked {
        Ok(sight) => note(&sight, &influxdb.version, &mut section),
        Err(why) => {
            let advice = "see that influxdbConfig (or writer.influxdb.url) names an InfluxDB";
            section.add(Finding::fault("server", why).advise(advice));
        }
    }
    section
}

/// The version, and what its place is called.
fn names(version: &Version) -> (&'static str, &'static str) {
    match version {
        Version::V1 { .. } => ("1.x", "database"),
        Version::V2 { .. } => ("2.x", "bucket"),
        Version::V3 { .. } => ("3.x", "database"),
    }
}

fn note(sight: &Sight, version: &Version, section: &mut Section) {
    section.add(server(sight, version));
    let clock = sight.date.as_deref();
    section
        .findings
        .extend(clock.and_then(|date| clock::compare(date, Timestamp::now(), sight.duration)));
    section.add(place(&sight.place, version));
    section.add(match &sight.may_write {
        Answered::Yes(why) => Finding::ok("write", format!("the credentials can write: {why}")),
        Answered::No(why) => Finding::fault("write", why.clone()).advise(credentials_of(version)),
        Answered::Unknown(why) => Finding::note("write", format!("not proven: {why}")),
    });
    section.add(match &sight.may_do_too_much {
        Answered::No(why) => Finding::ok("rights", format!("no more than needed: {why}")),
        Answered::Yes(why) => {
            Finding::warning("rights", format!("the credentials can do too much: {why}"))
                .advise(fewer_rights(version))
        }
        Answered::Unknown(why) => Finding::note(
            "rights",
            format!("it cannot be told whether they can do too much: {why}"),
        ),
    });
}

fn server(sight: &Sight, version: &Version) -> Finding {
    let said = sight.version.as_deref().unwrap_or("of a version that it does not tell");
    let took = sight.duration.as_millis();
    let seen = format!("InfluxDB {said}, answered in {took} ms");
    let finding = if sight.is_configured_version == Some(false) {
        let (configured, _) = names(version);
        let advice = format!("it is configured as {configured}: correct influxdbConfig.version");
        Finding::fault("server", seen).advise(advice)
    } else {
        Finding::ok("server", seen)
    };
    finding.fact("version", sight.version.clone())
}

fn place(place: &Place, version: &Version) -> Finding {
    let (_, what) = names(version);
    let name = match version {
        Version::V1 { database, .. } | Version::V3 { database, .. } => database,
        Version::V2 { bucket, .. } => bucket,
    };
    match place {
        Place::There { retention } => {
            let kept = retention.as_ref().map_or_else(
                || "how long it keeps points is not seen with these credentials".to_owned(),
                |retention| format!("it keeps points {retention}"),
            );
            Finding::ok("place", format!("the {what} {name:?} is there; {kept}"))
                .fact("retention", retention.clone())
        }
        Place::Missing => {
            let seen = format!("the {what} {name:?} is not there; the writer makes it if it may");
            Finding::note("place", seen)
        }
        Place::Unseen => {
            let seen = format!("it is not seen whether the {what} {name:?} is there");
            Finding::note("place", seen)
        }
    }
}

fn credentials_of(version: &Version) -> &'static str {
    match version {
        Version::V1 { .. } => {
            "correct influxdbConfig.v1Config.auth, or as an admin: GRANT WRITE ON the database TO the user"
        }
        Version::V2 { .. } => {
            "correct influxdbConfig.v2Config.token, or make one with: influx auth create --org … \
             --write-bucket ID"
        }
        Version::V3 { .. } => {
            "correct influxdbConfig.v3Config.token, or make one with: influxdb3 create token"
        }
    }
}

fn fewer_rights(version: &Version) -> &'static str {
    match version {
        Version::V1 { .. } => {
            "set auth-enabled = true, make a user of its own, and GRANT WRITE ON the database to it: \
             that is all that a writer needs once the database is there"
        }
        Version::V2 { .. } => {
            "make a token for this bucket alone: influx auth create --org … --write-bucket ID"
        }
        Version::V3 { .. } => {
            "with 3.x Enterprise, make a token for this database alone; 3.x Core has none"
        }
    }
}
