//! Starts what is announced for subscribers beside the events: state topics, Home Assistant's
//! discovery, and the predecessor's topics.
//!
//! A broker of theirs that is away makes the program neither unready nor dishonest, since nothing
//! of the pipeline waits for it: it shows in the log and in `collector_announcer_connected`.

mod destination;
mod metrics;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use shared::announce::{Address, Announcer, AnnouncerSettings, Will};
use shared::config::PredecessorTopics;
use shared::program::Frame;
use shared::stages::Cause;
use shared::subject::Token;
use tokio::sync::mpsc;

use crate::home_assistant::{self, HomeAssistant};
use crate::predecessor_topics;
use crate::program::Collecting;
use crate::state_topics::{By, StateTopics, Topics};
pub use destination::OwnListener;
use destination::{Destination, destination};
use metrics::Announcers;

/// Messages for others that wait at most; who is slower misses some.
const OTHERS: usize = 4_096;
const ONLINE: Bytes = Bytes::from_static(b"online");
const OFFLINE: Bytes = Bytes::from_static(b"offline");

/// Adds the parts that announce. `own` is the listener of the embedded broker.
pub fn announce(
    frame: &mut Frame,
    collecting: &Collecting,
    process: &'static str,
    own: Option<OwnListener>,
) {
    let config = Arc::clone(&frame.config);
    let mut announcers = Announcers::default();
    if let Some(topics) = &config.collector.predecessor_topics {
        let announcer = Arc::new(Announcer::start(predecessor(frame, process, topics)));
        announcers.0.push(("predecessor", Arc::clone(&announcer)));
        let (base_topic, latest) = (topics.base_topic.clone(), Arc::clone(&collecting.latest));
        frame.stages.spawn("predecessor's topics", |stop| async move {
            predecessor_topics::run(announcer, base_topic, latest, stop).await;
            Ok::<(), Cause>(())
        });
    }
    if let Some(destination) = destination(&config, own) {
        let (parts, state_topics) = state_topics(frame, collecting, process, destination);
        announcers.0.push(("state", Arc::clone(&parts.announcer)));
        inform_home_assistant(frame, parts, collecting.outbox.directory());
        frame.stages.spawn("state topics", |stop| async move {
            state_topics.run(stop).await;
            Ok::<(), Cause>(())
        });
    }
    if !announcers.0.is_empty() {
        let registry = frame.registry.sub_registry_with_prefix("collector");
        registry.register_collector(Box::new(announcers));
    }
}

/// Adds the part that tells Home Assistant of the state topics, or that it is told no more.
fn inform_home_assistant(frame: &mut Frame, parts: home_assistant::Parts, directory: &Path) {
    let directory = directory.to_owned();
    match frame.config.collector.home_assistant.clone() {
        Some(told) => frame.stages.spawn("Home Assistant", |stop| async move {
            HomeAssistant::open(told, parts, &directory).await.run(stop).await;
            Ok::<(), Cause>(())
        }),
        None => frame.stages.spawn("Home Assistant", |stop| async move {
            home_assistant::take_back(parts.announcer, &directory, stop).await;
            Ok::<(), Cause>(())
        }),
    }
}

fn state_topics(
    frame: &Frame,
    collecting: &Collecting,
    process: &'static str,
    destination: Destination,
) -> (home_assistant::Parts, StateTopics) {
    let prefix = &frame.config.broker.topic_prefix;
    let instance = frame.instance.name();
    let topics = Topics::new(prefix);
    let told = frame.config.collector.home_assistant.as_ref();
    let birth = told.map(home_assistant::status_topic);
    let Destination { section, address, username, password, tls, has_status } = destination;
    let announcer = Arc::new(Announcer::start(AnnouncerSettings {
        name: "state topics",
        section,
        address,
        username,
        password,
        tls,
        client_id: client_id(frame, process, "state"),
        will: (!has_status).then(|| Will {
            topic: topics.status(process, instance),
            online: ONLINE,
            offline: OFFLINE,
        }),
        listens_to: topics.all().into_iter().chain(birth).collect(),
    }));
    let (others, heard) = mpsc::channel(OTHERS);
    let by = By { process: process.to_owned(), instance: instance.to_owned() };
    let (latest, programs) = (Arc::clone(&collecting.latest), Arc::clone(&collecting.heard));
    let seen = (Arc::clone(&latest), Arc::clone(&programs));
    let kept = StateTopics::new(Arc::clone(&announcer), topics.clone(), by.clone(), seen, others);
    let prefix = prefix.clone();
    (home_assistant::Parts { announcer, heard, topics, prefix, by, latest, programs }, kept)
}

fn predecessor(
    frame: &Frame,
    process: &'static str,
    topics: &PredecessorTopics,
) -> AnnouncerSettings {
    let PredecessorTopics { host, port, username, password, tls, .. } = topics;
    AnnouncerSettings {
        name: "predecessor's topics",
        section: "collector.predecessorTopics",
        address: Address { host: host.clone(), port: *port, is_tls: tls.is_set() },
        username: username.clone(),
        password: password.clone(),
        tls: tls.clone(),
        client_id: client_id(frame, process, "predecessor"),
        will: None,
        listens_to: Vec::new(),
    }
}

/// Unlike that of the program's other connections.
fn client_id(frame: &Frame, process: &str, end: &str) -> String {
    let prefix = &frame.config.broker.topic_prefix;
    format!("{prefix}-{process}-{}-{end}", Token::new(frame.instance.name()))
}
