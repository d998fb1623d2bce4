//! The InfluxDB that keeps the points: the predecessor's `influxdbConfig`, and what overrides it.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::section::Section;
use super::units::{RETENTION_FORM, retention};
use super::usable;
use crate::secret::Secret;

/// Where points are stored.
#[derive(Debug, Clone)]
pub struct InfluxDb {
    /// Scheme, host and port.
    pub url: Url,
    /// Which of the three it is.
    pub version: Version,
    /// How long a request may take.
    pub timeout: Duration,
    /// The authority to trust; those of the system when none.
    pub ca: Option<PathBuf>,
}

/// What each version of InfluxDB wants to know.
#[derive(Debug, Clone)]
pub enum Version {
    /// InfluxDB 1.x.
    V1 {
        /// The database.
        database: String,
        /// The default retention policy of a database that Footman creates.
        retention_policy: RetentionPolicy,
        /// Who we are; none when nobody asks.
        credentials: Option<(String, Secret)>,
    },
    /// InfluxDB 2.x.
    V2 {
        /// The organisation.
        org: String,
        /// The bucket.
        bucket: String,
        /// How we prove who we are.
        token: Secret,
        /// The description of a bucket that Footman creates.
        description: String,
        /// How long that bucket keeps points.
        retention: Retention,
    },
    /// InfluxDB 3.x.
    V3 {
        /// The database.
        database: String,
        /// How we prove who we are.
        token: Secret,
        /// The description of the database.
        description: String,
        /// How long it keeps points.
        retention: Retention,
    },
}

/// A retention policy of InfluxDB 1.x.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Its name.
    pub name: String,
    /// How long it keeps points.
    pub duration: Retention,
}

/// How long points are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// As written, such as `10d`.
    pub text: String,
    /// As time; none for ever.
    pub duration: Option<Duration>,
}

const PORT: u16 = 8086;
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(10);
const MAX_BATCH_SIZE: u32 = 1_000;
/// The largest batch of the predecessor, whose key is checked but has no effect here.
const LARGEST_BATCH: u32 = 10_000;
const SCHEMES: [&str; 2] = ["http", "https"];

/// What `writer.influxdb` says in the place of `influxdbConfig`.
struct Overrides {
    /// True for a URL that is wrong, too: nobody needs another one then.
    has_url: bool,
    url: Option<Url>,
    token: Option<Secret>,
    password: Option<Secret>,
    timeout: Option<Duration>,
    ca: Option<PathBuf>,
}

/// What `influxdbConfig` and `writer.influxdb` say together.
pub(super) struct Storing {
    /// Where points are stored; none when it is not enabled.
    pub(super) influxdb: Option<InfluxDb>,
    /// Which lists of apps are stored.
    pub(super) include_fields: super::writer::IncludeFields,
}

/// Reads `influxdbConfig` of the predecessor, and `writer.influxdb` over it.
pub(super) fn read(section: Section<'_>, own: Section<'_>) -> Storing {
    let enabled = section.switch("enable", false);
    let section = section.quiet_unless(enabled);
    let overrides = read_overrides(own.quiet_unless(enabled));
    let url = read_url(&section, &overrides);
    section.number("maxBatchSize", MAX_BATCH_SIZE, 1..=LARGEST_BATCH);
    section.ignore(&["failedPollsTracking"]);
    let include = section.section("includeFields");
    let include_fields = super::writer::IncludeFields {
        active: include.flag("activeDocs", false),
        loaded: include.flag("loadedDocs", false),
        in_memory: include.flag("inMemoryDocs", false),
    };
    include.finish();
    let number = section.required_number("version", 1..=3);
    let v1 = read_v1(chosen(&section, "v1Config", number == Some(1)), &overrides);
    let v2 = read_v2(chosen(&section, "v2Config", number == Some(2)), &overrides);
    let (v3, write_timeout) = read_v3(chosen(&section, "v3Config", number == Some(3)), &overrides);
    without_effect(&section, number, &v1, &overrides);
    section.finish();
    let version = match number {
        Some(1) => v1,
        Some(2) => v2,
        _ => v3,
    };
    let timeout = overrides.timeout.or(write_timeout).unwrap_or(TIMEOUT);
    let influxdb = url.filter(|_| enabled);
    let influxdb = influxdb.map(|url| InfluxDb { url, version, timeout, ca: overrides.ca });
    Storing { influxdb, include_fields }
}

fn read_overrides(own: Section<'_>) -> Overrides {
    let url = own.optional_url("url", &SCHEMES);
    let tls = own.own_section("tls");
    let ca = tls.optional_file("ca");
    if let Some(ca) = ca.as_deref().filter(|_| tls.is_thorough()) {
        usable::look_into_authority(&tls, "ca", ca);
    }
    if ca.is_some() && url.as_ref().is_none_or(|url| url.scheme() == "http") {
        tls.warn("ca", "has no effect without an https:// URL in writer.influxdb.url");
    }
    tls.finish();
    let overrides = Overrides {
        has_url: own.is_given("url"),
        url,
        token: own.secret("token"),
        password: own.secret("password"),
        timeout: own.optional_duration(
            "timeout",
            TIMEOUT,
            Duration::from_secs(1)..=LONGEST_TIMEOUT,
        ),
        ca,
    };
    own.finish();
    overrides
}

/// The URL, made from host and port unless it is given as a whole.
fn read_url(section: &Section<'_>, overrides: &Overrides) -> Option<Url> {
    let (host, port) = section.quiet_if(overrides.has_url, |section| {
        (section.required_bare_host("host"), section.port("port", PORT))
    });
    overrides.url.clone().or_else(|| Url::parse(&format!("http://{}:{port}", host?.host)).ok())
}

/// The section of one version, which has effect when that version is chosen.
fn chosen<'r>(section: &Section<'r>, key: &'static str, is_chosen: bool) -> Section<'r> {
    let below = section.section(key);
    let is_missing = is_chosen && !below.is_present();
    if is_missing {
        section.problem(key, "is missing: influxdbConfig.version asks for it", None);
    }
    below.quiet_unless(is_chosen && !is_missing)
}

fn read_v1(section: Section<'_>, overrides: &Overrides) -> Version {
    let auth = section.section("auth");
    let enabled = auth.switch("enable", false);
    let auth = auth.quiet_unless(enabled);
    let username = auth.required_text("username");
    let password =
        auth.quiet_if(overrides.password.is_some(), |auth| auth.required_secret("password"));
    auth.finish();
    let password = overrides.password.clone().unwrap_or(password);
    let policy = section.section("retentionPolicy");
    let retention_policy =
        RetentionPolicy { name: policy.required_text("name"), duration: kept(&policy, "duration") };
    policy.finish();
    let database = section.required_text("dbName");
    section.finish();
    let credentials = enabled.then_some((username, password));
    Version::V1 { database, retention_policy, credentials }
}

fn read_v2(section: Section<'_>, overrides: &Overrides) -> Version {
    let version = Version::V2 {
        org: section.required_text("org"),
        bucket: section.required_text("bucket"),
        token: token(&section, overrides),
        description: section.text("description", ""),
        retention: kept(&section, "retentionDuration"),
    };
    section.finish();
    version
}

fn read_v3(section: Section<'_>, overrides: &Overrides) -> (Version, Option<Duration>) {
    let version = Version::V3 {
        database: section.required_text("database"),
        token: token(&section, overrides),
        description: section.text("description", ""),
        retention: kept(&section, "retentionDuration"),
    };
    let write_timeout = section.optional_milliseconds("writeTimeout");
    section.optional_milliseconds("queryTimeout");
    let is_chosen = !section.is_quiet();
    section.finish();
    (version, write_timeout.filter(|_| is_chosen))
}

fn token(section: &Section<'_>, overrides: &Overrides) -> Secret {
    let written =
        section.quiet_if(overrides.token.is_some(), |section| section.required_secret("token"));
    overrides.token.clone().unwrap_or(written)
}

/// How long points are kept.
fn kept(section: &Section<'_>, key: &'static str) -> Retention {
    let text = section.required_text_of(key, RETENTION_FORM);
    let duration = retention(&text);
    if duration.is_none() && !text.trim().is_empty() {
        section.problem(key, format!("{text:?} is no duration"), Some(RETENTION_FORM));
    }
    Retention { text, duration: duration.flatten() }
}

/// Names the overrides that the chosen version does not look at.
fn without_effect(section: &Section<'_>, number: Option<u32>, v1: &Version, given: &Overrides) {
    let knows_password = matches!(v1, Version::V1 { credentials: Some(_), .. });
    if number == Some(1) && given.token.is_some() {
        section.warn("version", "InfluxDB 1.x has no tokens: writer.influxdb.token has no effect");
    }
    if given.password.is_some() && number.is_some() && !(number == Some(1) && knows_password) {
        let what = "writer.influxdb.password has no effect: it is for 1.x with auth.enable";
        section.warn("version", what);
    }
}
