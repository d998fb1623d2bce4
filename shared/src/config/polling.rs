//! What is polled besides the engines: sessions, app names, and the search for servers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::section::Section;
use super::servers::Naming;

/// The sessions of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// How often each virtual proxy is polled.
    pub interval: Duration,
    /// Users that appear in no list, detail or topic.
    pub exclude: Vec<ExcludedUser>,
}

/// A user who is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedUser {
    /// The user directory.
    pub directory: String,
    /// The name in it.
    pub user_id: String,
}

/// The repository that knows the names of the apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppNames {
    /// How often it is asked.
    pub interval: Duration,
    /// Its host without the port, as it stands in a URL: an IPv6 address is in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// How servers are found by asking the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// How often the repository is asked.
    pub interval: Duration,
    /// Names and hosts that are left out; `*` stands for any characters.
    pub exclude: Vec<String>,
    /// Tags of every server that is found, in the order of the file.
    pub tags: Vec<(String, String)>,
    /// What single servers are called, by the name or the host of their node.
    pub namings: BTreeMap<String, Naming>,
    /// The repository's host without the port, as it stands in a URL.
    pub host: String,
    /// The repository's port.
    pub port: u16,
}

const SESSIONS_INTERVAL_MS: u32 = 30_000;
const APP_NAMES_INTERVAL_MS: u32 = 60_000;
const DISCOVERY_INTERVAL: Duration = Duration::from_mins(10);
const LONGEST_DISCOVERY_INTERVAL: Duration = Duration::from_hours(24);
/// Where the repository listens, unless `appNames.hostIP` says otherwise.
const REPOSITORY_PORT: u16 = 4242;

/// Reads `userSessions`.
pub(super) fn read_sessions(section: Section<'_>) -> Option<Sessions> {
    let enabled = section.switch("enableSessionExtract", false);
    let section = section.quiet_unless(enabled);
    let interval = section.milliseconds("pollingInterval", SESSIONS_INTERVAL_MS);
    let exclude = section.items("excludeUser", |user| {
        let excluded = ExcludedUser {
            directory: user.required_text("directory"),
            user_id: user.required_text("userId"),
        };
        user.finish();
        excluded
    });
    section.finish();
    enabled.then_some(Sessions { interval, exclude })
}

/// What the repository is asked for.
pub(super) struct Repository {
    /// How app names are polled; none when they are off.
    pub(super) app_names: Option<AppNames>,
    /// How servers are found; none when they are all in the file.
    pub(super) discovery: Option<Discovery>,
}

/// Reads `appNames` and `collector.discovery`, which ask the same repository.
pub(super) fn read_repository(app_names: Section<'_>, discovery: Section<'_>) -> Repository {
    let names = app_names.switch("enableAppNameExtract", false);
    let is_on = discovery.flag("enable", false);
    let app_names = app_names.quiet_unless(names || is_on);
    let discovery = discovery.quiet_unless(is_on);
    let interval = app_names
        .quiet_if(!names, |section| section.milliseconds("extractInterval", APP_NAMES_INTERVAL_MS));
    let repository = app_names.required_host("hostIP");
    app_names.finish();
    let repository = repository.map(|found| (found.host, found.port.unwrap_or(REPOSITORY_PORT)));
    let (host, port) = repository.unwrap_or_default();
    let discovery_interval = discovery.duration(
        "interval",
        DISCOVERY_INTERVAL,
        Duration::from_secs(1)..=LONGEST_DISCOVERY_INTERVAL,
    );
    let exclude = discovery.texts("exclude", &[]);
    let tags = discovery.pairs("tags");
    discovery.finish();
    let found = Discovery {
        interval: discovery_interval,
        exclude,
        tags,
        namings: BTreeMap::new(),
        host: host.clone(),
        port,
    };
    Repository {
        app_names: names.then_some(AppNames { interval, host, port }),
        discovery: is_on.then_some(found),
    }
}
