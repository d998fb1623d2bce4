//! Starts what is announced for subscribers beside the events: state topics, and the predecessor's
//! topics.
//!
//! A broker of theirs that is away makes the program neither unready nor dishonest, since nothing
//! of the pipeline waits for it: it shows in the log and in `collector_announcer_connected`.

mod destination;
mod metrics;

use std::sync::Arc;

use bytes::Bytes;
use shared::announce::{Address, Announcer, AnnouncerSettings, Will};
use shared::config::PredecessorTopics;
use shared::program::Frame;
use shared::stages::Cause;
use shared::subject::Token;
use tokio::sync::mpsc;

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

/// The connection of the state topics, for whoever announces more there.
#[derive(Debug)]
pub struct Announced {
    /// Keeps what is retained.
    pub announcer: Arc<Announcer>,
    /// The names of the state topics.
    pub topics: Topics,
    /// What was heard of the further filters, topic and payload.
    pub heard: mpsc::Receiver<(String, Bytes)>,
}

/// Adds the parts that announce; the connection of the state topics, where there is a broker for
/// them, also hears `further` filters. `own` is the listener of the embedded broker.
pub fn announce(
    frame: &mut Frame,
    collecting: &Collecting,
    process: &'static str,
    own: Option<OwnListener>,
    further: Vec<String>,
) -> Option<Announced> {
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
    let announced = destination(&config, own).map(|destination| {
        let (announced, state_topics) =
            state_topics(frame, collecting, process, destination, further);
        announcers.0.push(("state", Arc::clone(&announced.announcer)));
        frame.stages.spawn("state topics", |stop| async move {
            state_topics.run(stop).await;
            Ok::<(), Cause>(())
        });
        announced
    });
    if !announcers.0.is_empty() {
        let registry = frame.registry.sub_registry_with_prefix("collector");
        registry.register_collector(Box::new(announcers));
    }
    announced
}

fn state_topics(
    frame: &Frame,
    collecting: &Collecting,
    process: &'static str,
    destination: Destination,
    further: Vec<String>,
) -> (Announced, StateTopics) {
    let prefix = &frame.config.broker.topic_prefix;
    let instance = frame.instance.name();
    let topics = Topics::new(prefix);
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
        listens_to: topics.all().into_iter().chain(further).collect(),
    }));
    let (others, heard) = mpsc::channel(OTHERS);
    let by = By { process: process.to_owned(), instance: instance.to_owned() };
    let seen = (Arc::clone(&collecting.latest), Arc::clone(&collecting.heard));
    let kept = StateTopics::new(Arc::clone(&announcer), topics.clone(), by, seen, others);
    (Announced { announcer, topics, heard }, kept)
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
