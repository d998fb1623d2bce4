//! Events as a large site makes them, by the million: real types, real sizes, no site behind them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use shared::broker::Outgoing;
use shared::envelope::{Origin, Unnumbered};
use shared::event::{
    App, AppChange, AppLists, AppNames, CacheCounters, Category, Change, Cpu, EngineApps,
    EngineHealth, Event, FailedPoll, Health, Memory, Poll, Server, Session, SessionCounts,
    Sessions, Source, UserCounts,
};
use shared::outbox::Entry;
use shared::subject::{Subject, Token};
use shared::timestamp::Timestamp;

const PREFIX: &str = "qliksense";
/// Servers of the site.
const SERVERS: usize = 300;
/// What an event that is nearly as large as one may be takes.
const NEARLY_LARGEST: usize = 870 << 10;

/// Which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// As a site makes them: mostly health of 2 to 9 KB, some sessions, app names, failed polls.
    Site,
    /// Failed polls alone: small, with two points each.
    Small,
    /// The largest that there may be, with many points each.
    Large,
}

/// Makes events, in order of their times, no two of which are alike.
#[derive(Debug)]
pub struct MadeUp {
    origin: Origin,
    patterns: Vec<Pattern>,
    made: u64,
    first: Timestamp,
    apart: Duration,
}

/// An event but for its time and its number.
#[derive(Debug)]
struct Pattern {
    subject: Subject,
    name: String,
    event: Event,
}

impl MadeUp {
    /// `count` events of the last hour.
    pub fn new(mix: Mix, count: u64) -> Self {
        let hour = Duration::from_hours(1);
        let patterns = match mix {
            Mix::Site => (0..SERVERS).flat_map(of_a_server).collect(),
            Mix::Small => (0..SERVERS).map(failed_poll).collect(),
            Mix::Large => (0..2).map(large_sessions).chain((0..2).map(large_app_names)).collect(),
        };
        Self {
            origin: Origin::new("collector", "made-up"),
            patterns,
            made: 0,
            first: Timestamp::now().minus(hour),
            apart: hour / u32::try_from(count.max(1)).unwrap(),
        }
    }

    /// The next event for an outbox.
    pub fn entry(&mut self) -> Entry {
        let pattern = &self.patterns[usize::try_from(self.made).unwrap() % self.patterns.len()];
        let apart = i64::try_from(self.apart.as_nanos()).unwrap();
        let time = self.first.nanos() + apart * i64::try_from(self.made).unwrap();
        self.made += 1;
        let time = Timestamp::from_nanos(time);
        let event = Unnumbered::encode(&self.origin, &pattern.name, time, &pattern.event).unwrap();
        Entry { subject: pattern.subject.clone(), event }
    }

    /// The next event for a broker.
    pub fn outgoing(&mut self) -> Outgoing {
        let Entry { subject, event } = self.entry();
        let id = event.id().to_string();
        let payload: Bytes = event.numbered(self.made);
        Outgoing { subject, id, payload }
    }
}

/// Twenty polls of a server: fourteen healths, four proxies' sessions, app names, a failure.
fn of_a_server(number: usize) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = (0..14).map(|round| health(number, round)).collect();
    patterns.extend((0..4).map(|proxy| sessions(number, proxy, 8)));
    patterns.push(app_names(2));
    patterns.push(failed_poll(number));
    patterns
}

fn server(number: usize) -> Server {
    let tags = [("serverEnvironment", "Production"), ("server_type", "Consumer"), ("site", "A")];
    Server {
        name: format!("sense-node-{number}"),
        description: format!("Consumer node number {number}"),
        host: format!("sense-node-{number}.corp.example.com:4747"),
        tags: tags.map(|(tag, value)| (tag.to_owned(), value.to_owned())).into(),
    }
}

fn poll() -> Poll {
    let scheduled = Timestamp::now();
    Poll { scheduled, duration_ms: 17, interval_ms: 30_000, bytes: Some(4_000) }
}

fn app(number: usize) -> App {
    App {
        id: format!("{number:08x}-5b1e-4f0a-9d9c-3d3c5b1e4f0a"),
        name: Some(format!("Sales and supply, quarter {number}")),
    }
}

/// Between 2 and 9 KB: the apps in memory make the difference.
fn health(number: usize, round: usize) -> Pattern {
    let server = server(number);
    let apps = |count: usize| (0..count).map(|app_number| app(number * 100 + app_number));
    let ids = |count: usize| apps(count).map(|app| app.id).collect::<Vec<_>>();
    let in_memory = 3 + (number + round * 5) % 40;
    let (active, loaded) = (in_memory / 4, in_memory / 2);
    let whole = i64::try_from(number * 1_000 + round).unwrap();
    let event = Health {
        poll: poll(),
        health: EngineHealth {
            version: Some("12.2054.4".to_owned()),
            started: Some("20260509T174101.000+0200".to_owned()),
            mem: Memory {
                committed: Some(1_885.58),
                allocated: Some(2_093.9),
                free: Some(7_037.7),
                total_physical: Some(16_383.5),
            },
            cpu: Cpu { total: Some(12.7) },
            session: SessionCounts { active: Some(3), total: Some(9) },
            apps: EngineApps {
                active_docs: ids(active),
                loaded_docs: ids(loaded),
                in_memory_docs: ids(in_memory),
                calls: Some(whole),
                selections: Some(678),
            },
            users: UserCounts { active: Some(2), total: Some(5) },
            cache: CacheCounters {
                hits: Some(93),
                lookups: Some(140),
                added: Some(47),
                replaced: Some(5),
                bytes_added: Some(8_388_608),
            },
            saturated: Some(false),
        },
        apps: AppLists {
            active: apps(active).collect(),
            loaded: apps(loaded).collect(),
            in_memory: apps(in_memory).collect(),
        },
        server: server.clone(),
    };
    let subject = Subject::health(PREFIX, &Token::new(&server.name));
    Pattern { subject, name: server.name, event: Event::Health(Box::new(event)) }
}

fn sessions(number: usize, proxy: usize, count: usize) -> Pattern {
    let server = server(number);
    let virtual_proxy = format!("/proxy{proxy}");
    let session = |session| Session {
        user_directory: "CORP".to_owned(),
        user_id: Some(format!("user{session}")),
        session_id: format!("{session:08x}-6a1c-4b7e-8f21-{number:012x}"),
    };
    let event = Sessions {
        poll: poll(),
        virtual_proxy: virtual_proxy.clone(),
        host: format!("sense-node-{number}.corp.example.com:4243"),
        part: 1,
        parts: 1,
        session_count: count as u64,
        excluded_session_count: 0,
        user_count: count as u64,
        user_id_key: None,
        sessions: (0..count).map(session).collect(),
        users: None,
        server: server.clone(),
    };
    let proxy = Token::virtual_proxy(&virtual_proxy);
    let subject = Subject::sessions(PREFIX, &Token::new(&server.name), &proxy);
    Pattern { subject, name: server.name, event: Event::Sessions(event) }
}

fn app_names(count: usize) -> Pattern {
    let repository = "sense-central.corp.example.com".to_owned();
    let changed = |number| AppChange {
        id: app(number).id,
        name: app(number).name.unwrap(),
        change: Some(Change::Renamed),
    };
    let event = AppNames {
        repository: repository.clone(),
        poll: poll(),
        part: 1,
        parts: 1,
        full: false,
        apps: (0..count).map(changed).collect(),
    };
    let subject = Subject::app_names(PREFIX, &Token::new(&repository));
    Pattern { subject, name: repository, event: Event::AppNames(event) }
}

fn failed_poll(number: usize) -> Pattern {
    let server = server(number);
    let event = FailedPoll {
        poll: poll(),
        source: Source::Health,
        virtual_proxy: None,
        host: server.host.clone(),
        url: Some(format!("https://{}/engine/healthcheck", server.host)),
        category: Category::TIMEOUT,
        code: Some("ECONNABORTED".to_owned()),
        http_status: None,
        timeout_ms: Some(5_000),
        remote_address: Some("10.0.0.1".to_owned()),
        remote_port: Some(4_747),
        syscall: None,
        message: "no whole answer within 5000 ms".to_owned(),
        ticks: 1,
        server: server.clone(),
    };
    let subject = Subject::failed_polls(PREFIX, &Token::new(&server.name), Source::Health);
    Pattern { subject, name: server.name, event: Event::FailedPoll(Box::new(event)) }
}

/// A thousand sessions, each line of which repeats long tags.
fn large_sessions(number: usize) -> Pattern {
    let mut pattern = sessions(number, 0, 1_000);
    if let Event::Sessions(event) = &mut pattern.event {
        let long = |tag: usize| (format!("tag{tag}"), "a rather long value ".repeat(10));
        event.server.tags = (0..8).map(long).collect::<BTreeMap<_, _>>();
        for session in &mut event.sessions {
            session.user_id = Some("somebody".repeat(NEARLY_LARGEST / 8 / 1_000 - 20));
        }
    }
    pattern
}

/// Five hundred apps with names that fill the event.
fn large_app_names(number: usize) -> Pattern {
    let mut pattern = app_names(500);
    if let Event::AppNames(event) = &mut pattern.event {
        for (index, app) in event.apps.iter_mut().enumerate() {
            app.id = format!("{number}-{index}-{}", app.id);
            app.name = "Sales and supply ".repeat(NEARLY_LARGEST / 17 / 500 - 8);
        }
    }
    pattern
}
