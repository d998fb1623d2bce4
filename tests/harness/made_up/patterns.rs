//! What is made up: events but for their times and numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::event::{
    App, AppChange, AppLists, AppNames, CacheCounters, Category, Change, Counters, Cpu, EngineApps,
    EngineHealth, Event, FailedPoll, Health, Heartbeat, Memory, Poll, ProcessMemory, Server,
    Session, SessionCounts, Sessions, Source, UserCounts,
};
use shared::subject::{Subject, Token};
use shared::timestamp::Timestamp;

use super::Mix;

const PREFIX: &str = "qliksense";
/// Servers of the site.
pub(super) const SERVERS: usize = 300;
/// Virtual proxies of each.
pub(super) const PROXIES: usize = 4;
/// Sessions on each at once.
const SESSIONS: usize = 8;
/// Ids of sessions that there are in all: a fifth of the values that influxd 1.x lets a tag have.
pub(super) const SESSION_IDS: usize = 20_000;
/// Servers for each program that beats, when there are beats.
const SERVERS_PER_BEAT: usize = 15;
/// What an event that is nearly as large as one may be takes.
const NEARLY_LARGEST: usize = 870 << 10;

/// An event but for its time and its number.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) subject: Subject,
    /// Of what it is about, as in the envelope.
    pub(super) name: String,
    pub(super) event: Event,
    /// Which virtual proxy of the site it is about, when its sessions come and go.
    proxy: Option<usize>,
}

impl Pattern {
    fn new(subject: Subject, name: String, event: Event) -> Self {
        Self { subject, name, event, proxy: None }
    }

    /// In each round half of the sessions are others, from the proxy's share of the pool.
    pub(super) fn meet_others(&mut self, round: usize) {
        let (Some(proxy), Event::Sessions(event)) = (self.proxy, &mut self.event) else { return };
        let (proxies, first) = (SERVERS * PROXIES, round * SESSIONS / 2);
        let share = SESSION_IDS / proxies;
        for (place, session) in event.sessions.iter_mut().enumerate() {
            *session = session_of(proxy + proxies * ((first + place) % share));
        }
    }
}

/// The patterns of a mix; events follow them, over and over.
pub(super) fn of(mix: Mix) -> Vec<Pattern> {
    let servers = 0..SERVERS;
    let of_proxies = |number| (0..PROXIES).map(move |proxy| sessions(number, proxy));
    match mix {
        Mix::Site => servers.flat_map(of_a_server).collect(),
        Mix::Kinds => servers.flat_map(of_a_server_and_its_program).collect(),
        Mix::Health => servers.flat_map(healths).collect(),
        Mix::Sessions => servers.flat_map(of_proxies).collect(),
        Mix::AppNames => vec![app_names(2)],
        Mix::Heartbeats => servers.map(heartbeat).collect(),
        Mix::Small => servers.map(failed_poll).collect(),
        Mix::Large => (0..2).map(large_sessions).chain((0..2).map(large_app_names)).collect(),
    }
}

/// Twenty polls of a server: fourteen healths, four proxies' sessions, app names, a failure.
fn of_a_server(number: usize) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = healths(number).collect();
    patterns.extend((0..PROXIES).map(|proxy| sessions(number, proxy)));
    patterns.push(app_names(2));
    patterns.push(failed_poll(number));
    patterns
}

fn of_a_server_and_its_program(number: usize) -> Vec<Pattern> {
    let mut patterns = of_a_server(number);
    if number.is_multiple_of(SERVERS_PER_BEAT) {
        patterns.push(heartbeat(number / SERVERS_PER_BEAT));
    }
    patterns
}

fn healths(number: usize) -> impl Iterator<Item = Pattern> {
    (0..14).map(move |round| health(number, round))
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
    Pattern::new(subject, server.name, Event::Health(Box::new(event)))
}

/// A session by its place in the pool: always the same user on the same proxy.
fn session_of(number: usize) -> Session {
    Session {
        user_directory: "CORP".to_owned(),
        user_id: Some(format!("user{number}")),
        session_id: format!("{number:08x}-6a1c-4b7e-8f21-{number:012x}"),
    }
}

fn sessions(number: usize, proxy: usize) -> Pattern {
    let pattern = sessions_of(number, proxy, SESSIONS);
    Pattern { proxy: Some(number * PROXIES + proxy), ..pattern }
}

fn sessions_of(number: usize, proxy: usize, count: usize) -> Pattern {
    let server = server(number);
    let virtual_proxy = format!("/proxy{proxy}");
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
        sessions: (0..count).map(session_of).collect(),
        users: None,
        server: server.clone(),
    };
    let proxy = Token::virtual_proxy(&virtual_proxy);
    let subject = Subject::sessions(PREFIX, &Token::new(&server.name), &proxy);
    Pattern::new(subject, server.name, Event::Sessions(event))
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
    Pattern::new(subject, repository, Event::AppNames(event))
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
    Pattern::new(subject, server.name, Event::FailedPoll(Box::new(event)))
}

/// The beat of a collector.
fn heartbeat(number: usize) -> Pattern {
    let (process, instance) = ("collector".to_owned(), format!("made-up-{number}"));
    let event = Heartbeat {
        version: "0.1.0".to_owned(),
        started: Timestamp::now().minus(Duration::from_hours(2)),
        uptime_s: 7_200,
        honest: true,
        why: None,
        memory: ProcessMemory { resident_bytes: 21_000_000, allocated_bytes: 9_000_000 },
        counters: Counters {
            published: Some(412_000),
            confirmed: Some(411_990),
            outbox: Some(10),
            lost: Some(0),
            ..Counters::default()
        },
        uptime_monitor: false,
        settlements: None,
        publications: None,
        process: process.clone(),
        instance: instance.clone(),
    };
    let subject = Subject::heartbeats(PREFIX, &process, &instance);
    Pattern::new(subject, format!("{process}/{instance}"), Event::Heartbeat(Box::new(event)))
}

/// A thousand sessions, each line of which repeats long tags.
fn large_sessions(number: usize) -> Pattern {
    let mut pattern = sessions_of(number, 0, 1_000);
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
