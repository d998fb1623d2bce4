//! The InfluxDB that keeps the points: the predecessor's `influxdbConfig`, and what overrides it.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

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
