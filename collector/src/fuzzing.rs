//! The way from an answer to its encoded events, for checks that feed it with anything.
//!
//! Hidden, since it is no interface: it opens to the tests what the pollers do, and adds nothing.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use shared::config::{AppNames, Collector, ExcludedUser, UserIds, from_text};
use shared::envelope::{Origin, Unnumbered};
use shared::event::{Category, Poll, Server, Source};
use shared::subject::{Subject, Token};
use shared::timestamp::Timestamp;
use shared::tls::Verification;

use crate::discovery::{self, Found};
use crate::endpoint::{self, Endpoint};
use crate::sources::{self, Meaning, Observation, TooLarge};

/// Directory and id of the user who is left out.
pub const EXCLUDED: (&str, &str) = ("LAB", "excluded");
/// When every answer is observed: 2026-11-21 08:15:30.123456789 UTC.
const OBSERVED: i64 = 1_795_248_930_123_456_789;
const INTERVAL: Duration = Duration::from_secs(30);

/// Why an answer gives no events.
#[derive(Debug)]
pub enum Refused {
    /// It is not what its API gives.
    Unusable {
        /// The cause.
        category: Category,
        /// The cause in words for an admin.
        message: String,
    },
    /// Its events exceed what brokers take.
    TooLarge,
}

/// Reads the answers of one endpoint, one after the other.
pub struct Answers {
    endpoint: Endpoint,
    meaning: Meaning,
    origin: Origin,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("source", &self.endpoint.source).finish_non_exhaustive()
    }
}

impl Answers {
    /// Of one API of one server.
    ///
    /// # Errors
    /// None, as long as the server's host makes a URL.
    pub fn of(source: Source) -> Result<Self, url::ParseError> {
        let excluded =
            [ExcludedUser { directory: EXCLUDED.0.to_owned(), user_id: EXCLUDED.1.to_owned() }];
        Ok(Self {
            endpoint: endpoint(source)?,
            meaning: Meaning::new(&excluded, &UserIds::Clear),
            origin: Origin::new("collector", "fuzzing"),
        })
    }

    /// Has the repository tell of apps, whose names then stand in health events.
    pub fn learn(&self, app_names: &[u8]) {
        // What cannot be read teaches nothing.
        let _unread = self.meaning.decode(Source::AppNames, app_names);
    }

    /// The events of an answer, as they are published.
    ///
    /// # Errors
    /// What becomes a failed poll.
    pub fn events(&self, body: &[u8]) -> Result<Vec<Bytes>, Refused> {
        let answer = self.meaning.decode(self.endpoint.source, body).map_err(|failure| {
            Refused::Unusable { category: failure.category, message: failure.message.to_string() }
        })?;
        let time = Timestamp::from_nanos(OBSERVED);
        let poll = Poll {
            scheduled: time,
            duration_ms: 12,
            interval_ms: 30_000,
            bytes: Some(body.len() as u64),
        };
        let observation = Observation { origin: &self.origin, time };
        let (events, _said) = sources::events(&self.endpoint, &observation, &poll, answer.content)
            .map_err(|TooLarge| Refused::TooLarge)?;
        Ok(events.into_iter().zip(1..).map(numbered).collect())
    }
}

/// What three answers of the repository make the collector poll.
#[derive(Debug)]
pub struct Discovered {
    /// What was found.
    pub found: Found,
    /// The addresses of all polls, without their queries.
    pub urls: Vec<String>,
}

/// A site whose repository is known, and nothing else.
static SITE: LazyLock<Option<Collector>> = LazyLock::new(|| {
    let text = "Butler-SOS:\n  userSessions: { enableSessionExtract: true }\n";
    let collector = from_text(text, Path::new("fuzzing.yaml"), []).ok()?.config.collector;
    let interval = collector.health_interval;
    let repository = AppNames { interval, host: "sense1".to_owned(), port: 4242 };
    Some(Collector { app_names: Some(repository), ..collector })
});

/// Reads the repository's lists of nodes, engine services and proxy services.
///
/// # Errors
/// A host that makes no URL, which should have been left out when the lists were read.
pub fn discovered(lists: [&[u8]; 3]) -> Result<Option<Discovered>, Box<dyn std::error::Error>> {
    let collector = SITE.as_ref().ok_or("the configuration of these checks is wrong")?;
    let Some(found) = discovery::read(lists, collector) else { return Ok(None) };
    let servers = found.polled(collector);
    let endpoints = endpoint::endpoints(collector, &servers, "qliksense", "key")?;
    let urls = endpoints.iter().map(Endpoint::shown_url).collect();
    Ok(Some(Discovered { found, urls }))
}

fn numbered((event, sequence): (Unnumbered, u64)) -> Bytes {
    event.numbered(sequence)
}

fn endpoint(source: Source) -> Result<Endpoint, url::ParseError> {
    let token = Token::new("sense1");
    let virtual_proxy = Token::virtual_proxy("/hdr");
    let subject = match source {
        Source::Health => Subject::health("qliksense", &token),
        Source::Sessions => Subject::sessions("qliksense", &token, &virtual_proxy),
        Source::AppNames => Subject::app_names("qliksense", &token),
    };
    Ok(Endpoint {
        key: format!("{}/{token}", source.name()),
        source,
        server: Arc::new(Server {
            name: "sense1".to_owned(),
            description: "Central node".to_owned(),
            host: "sense1.corp.com:4747".to_owned(),
            tags: [("env".to_owned(), "prod".to_owned())].into(),
        }),
        host: "sense1.corp.com:4747".to_owned(),
        url: "https://sense1.corp.com:4747/".parse()?,
        virtual_proxy: (source == Source::Sessions).then(|| "/hdr".to_owned()),
        headers: Vec::new(),
        interval: INTERVAL,
        timeout: INTERVAL,
        verification: Verification::Full,
        verified_as: None,
        subject,
        failed_subject: Subject::failed_polls("qliksense", &token, source),
    })
}
