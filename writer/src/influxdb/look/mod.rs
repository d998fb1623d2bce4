//! A look at InfluxDB for `footman doctor`: what answers, whether the place is there, and what the
//! credentials may do. No point is written, and nothing is made.
//!
//! Whether they may write is asked with a write that holds no line. 1.6.7 answers 204 to it, 403 to
//! who may not write, 401 to wrong credentials, and 404 before any of that when there is no
//! database (observed). 2.x looks for organisation, bucket and permission before it reads the body,
//! and then answers 400 because there is nothing in it (`http/write_handler.go` of its source).

mod version1;
mod version2;
mod version3;

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use shared::config;

use super::answer::Response;
use super::{InfluxDb, compress};
use crate::reason::for_log;

/// What was found out.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What it says it is; none when it does not say.
    pub version: Option<String>,
    /// Whether it looks like the version that is configured; none when it does not say.
    pub is_configured_version: Option<bool>,
    /// The `Date` that it sent.
    pub date: Option<String>,
    /// How long the first answer took, connection included.
    pub duration: Duration,
    /// The database or bucket.
    pub place: Place,
    /// Whether the credentials can write there.
    pub may_write: Answered,
    /// Whether they can do more than a writer needs.
    pub may_do_too_much: Answered,
}

/// The database or bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is there.
    There {
        /// How long it keeps points, in words; none when that cannot be seen.
        retention: Option<String>,
    },
    /// It is not there.
    Missing,
    /// These credentials do not see whether it is there.
    Unseen,
}

/// A question to which there may be no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Yes, because of that.
    Yes(String),
    /// No, because of that.
    No(String),
    /// It cannot be told without changing something, or by these credentials.
    Unknown(String),
}

impl InfluxDb {
    /// Looks, with a few requests; each may take as long as the configuration says.
    ///
    /// # Errors
    /// Nothing answers, in words without secrets.
    pub async fn look(&self) -> Result<Sight, String> {
        let began = Instant::now();
        let ping = self.ask("ping", &[]).await?;
        let duration = began.elapsed();
        let version = version_of(&ping);
        let is_configured_version =
            version.as_deref().and_then(|version| self.is_this_version(version));
        let date = ping.date.clone();
        let mut sight = Sight {
            version,
            is_configured_version,
            date,
            duration,
            place: Place::Unseen,
            may_write: Answered::Unknown(String::new()),
            may_do_too_much: Answered::Unknown(String::new()),
        };
        match &self.place {
            config::Version::V1 { database, credentials, .. } => {
                version1::look(self, database, credentials.is_some(), &mut sight).await?;
            }
            config::Version::V2 { org, bucket, .. } => {
                version2::look(self, org, bucket, &mut sight).await?;
            }
            config::Version::V3 { database, .. } => {
                version3::look(self, database, &mut sight).await?;
            }
        }
        Ok(sight)
    }

    fn is_this_version(&self, said: &str) -> Option<bool> {
        let major = said.trim_start_matches('v').split('.').next()?.parse::<u8>().ok()?;
        Some(match self.place {
            config::Version::V1 { .. } => major == 1,
            config::Version::V2 { .. } => major == 2,
            config::Version::V3 { .. } => major == 3,
        })
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Response, String> {
        let request = self.request().get(self.client(), path, parameters);
        self.exchange(request).await.map_err(|trouble| trouble.why)
    }

    async fn ask_as_nobody(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Response, String> {
        let request = self.request().get_as_nobody(self.client(), path, parameters);
        self.exchange(request).await.map_err(|trouble| trouble.why)
    }

    /// A write without a line.
    async fn write_nothing(&self) -> Result<Response, String> {
        let body = compress(&[]).map_err(|error| error.to_string())?;
        self.send(Bytes::from(body)).await.map_err(|trouble| trouble.why)
    }
}

fn version_of(ping: &Response) -> Option<String> {
    let said = || {
        let body: Value = serde_json::from_slice(&ping.body).ok()?;
        Some(body.get("version")?.as_str()?.to_owned())
    };
    ping.version.clone().or_else(said)
}

/// What an answer says, for people; the words of 1.x name the user, and so are left out there.
fn says(influxdb: &InfluxDb, response: &Response) -> String {
    format!("{} answers {}: {}", influxdb.address(), response.status, for_log(&response.words()))
}

/// A number of seconds in words; nothing expires at zero.
fn seconds(seconds: u64) -> String {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0 => "for ever".to_owned(),
        all if all.is_multiple_of(DAY) => format!("{} d", all / DAY),
        all if all.is_multiple_of(HOUR) => format!("{} h", all / HOUR),
        all => format!("{all} s"),
    }
}
