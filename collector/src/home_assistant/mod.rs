//! Home Assistant: every server and every program as a device.
//!
//! It reads the state topics; here it is told which values there are, what they mean, and when they
//! mean nothing (`server`, `program`, in the forms of `device` and `entity`). What is announced
//! follows the site: what leaves is taken back (`announced`), also when it left between two runs
//! (`kept`).

mod announced;
mod device;
mod entity;
mod kept;
mod names;
mod program;
mod server;
mod site;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shared::announce::Announcer;
use shared::config;
use shared::heartbeat::Heard;
use shared::timestamp::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::latest::Latest;
use crate::state_topics::{By, Topics};
use announced::{Announced, Judgement, Step};
use kept::{Kept, KeptError};
use site::Known;

/// The least time between two looks at what is known: beats and polls come all the time.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How often it is looked what has been silent for too long, when nothing happens.
const LOOK: Duration = Duration::from_mins(1);
/// How long the site may take to have its first server, before the devices of an earlier run are
/// taken for leftovers.
const FIRST_SERVER: Duration = Duration::from_mins(1);
/// How long Home Assistant may take to let go of entities before they come from another topic; it
/// does so after it has taken the message.
const LETTING_GO: Duration = Duration::from_secs(3);
/// The least time between two answers to Home Assistant's start: anybody may say that it started.
const BETWEEN_ANSWERS: Duration = Duration::from_secs(5);
/// How old the times of beats on disk may become: they say within a day when a program is forgotten.
const REMEMBERED_AGAIN: Duration = Duration::from_hours(1);
/// Topics that were cleared and are cleared again for a Home Assistant that was away meanwhile.
const MOST_CLEARED: usize = 10_000;

/// What Home Assistant says of itself when it has started.
const BIRTH: &[u8] = b"online";

/// The topic on which Home Assistant says that it has started.
pub(crate) fn status_topic(told: &config::HomeAssistant) -> String {
    format!("{}/status", told.discovery_prefix)
}

/// What it needs.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The connection of the state topics.
    pub(crate) announcer: Arc<Announcer>,
    /// What was heard there, Home Assistant's status among it.
    pub(crate) heard: mpsc::Receiver<(String, Bytes)>,
    /// The names of the state topics.
    pub(crate) topics: Topics,
    /// `broker.topicPrefix`.
    pub(crate) prefix: String,
    /// Who tells.
    pub(crate) by: By,
    /// The site.
    pub(crate) latest: Arc<Latest>,
    /// The programs.
    pub(crate) programs: Arc<Heard>,
}

/// Takes back what an earlier run announced, when nothing is to be announced any more; then waits
/// for the end.
pub(crate) async fn take_back(
    announcer: Arc<Announcer>,
    directory: &Path,
    stop: CancellationToken,
) {
    let mut memory = Memory::open(directory).await;
    let left: Vec<String> = memory.written.0.keys().cloned().collect();
    if !left.is_empty() {
        info!(topics = left.len(), "Home Assistant is told to forget what it was told before.");
        clear(&announcer, &left);
        tokio::select! {
            () = announcer.is_true() => memory.write(&Announced::default()).await,
            () = stop.cancelled() => {}
        }
    }
    stop.cancelled().await;
}

/// Keeps Home Assistant informed.
pub(crate) struct HomeAssistant {
    parts: Parts,
    told: config::HomeAssistant,
    memory: Memory,
    announced: Announced,
    /// What has to be remembered once the broker has confirmed the last step.
    after: Option<Announced>,
    /// What was known at the last step.
    known: Vec<Known>,
    /// Whether something of an earlier run may still come.
    waits: bool,
    cleared: BTreeSet<String>,
    began: Instant,
}

impl HomeAssistant {
    /// Begins with what an earlier run announced, which lies in `directory`.
    pub(crate) async fn open(told: config::HomeAssistant, parts: Parts, directory: &Path) -> Self {
        let memory = Memory::open(directory).await;
        Self {
            parts,
            told,
            announced: memory.written.clone(),
            memory,
            after: None,
            known: Vec::new(),
            waits: true,
            cleared: BTreeSet::new(),
            began: Instant::now(),
        }
    }

    /// Goes on until `stop`; what was announced stays, for Home Assistant to say that it is not
    /// available.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.replace_another_form() => {}
            () = stop.cancelled() => return,
        }
        let mut site = self.parts.latest.changes();
        let mut programs = self.parts.programs.changes();
        let announcer = Arc::clone(&self.parts.announcer);
        let mut answered = None;
        let mut is_asked = false;
        loop {
            self.look().await;
            let looked = Instant::now();
            let mut is_due = false;
            while !is_due {
                let changed = async {
                    tokio::time::sleep_until(looked + BETWEEN_LOOKS).await;
                    tokio::select! {
                        _ = site.changed() => {}
                        _ = programs.changed() => {}
                        () = tokio::time::sleep_until(looked + LOOK) => {}
                    }
                };
                let is_confirmed = async {
                    if self.after.is_none() {
                        return std::future::pending().await;
                    }
                    announcer.is_true().await;
                };
                let may_answer =
                    answered.map_or(looked, |before: Instant| before + BETWEEN_ANSWERS);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = changed => is_due = true,
                    () = is_confirmed => self.remember_after().await,
                    Some((topic, payload)) = self.parts.heard.recv() => {
                        is_asked |= topic == status_topic(&self.told) && payload == BIRTH;
                    }
                    () = tokio::time::sleep_until(may_answer), if is_asked => {
                        self.say_all_again();
                        (is_asked, answered) = (false, Some(Instant::now()));
                    }
                }
            }
        }
    }

    /// Home Assistant takes no entity from two topics.
    async fn replace_another_form(&mut self) {
        let config::HomeAssistant { discovery_prefix, discovery, .. } = &self.told;
        let others = self.announced.of_another(discovery_prefix, *discovery);
        if others.is_empty() {
            return;
        }
        self.clear(&others);
        self.parts.announcer.is_true().await;
        self.announced.0.retain(|topic, _| !others.contains(topic));
        self.memory.write(&self.announced).await;
        tokio::time::sleep(LETTING_GO).await;
    }

    /// Announces what is known, and takes back what is not there any more.
    async fn look(&mut self) {
        let Parts { topics, prefix, by, latest, programs, .. } = &self.parts;
        let (servers, programs) = (latest.servers(), programs.programs());
        let known = site::known(prefix, topics, by, &servers, &programs);
        if known == self.known && !self.waits {
            return;
        }
        let judgement = Judgement {
            knows_servers: !servers.is_empty() || self.began.elapsed() > FIRST_SERVER,
            now: Timestamp::now(),
        };
        let config::HomeAssistant { discovery_prefix, discovery, .. } = &self.told;
        let step = self.announced.step(&known, discovery_prefix, *discovery, judgement);
        self.known = known;
        let Step { keep, clear, told, after, waits } = step;
        // Before the broker has it, so that nothing is ever announced and forgotten.
        let all = self.memory.written.and(&after);
        if !all.is_like(&self.memory.written) {
            self.memory.write(&all).await;
        }
        for (topic, payload) in keep {
            self.cleared.remove(&topic);
            self.parts.announcer.keep(topic, payload);
        }
        self.clear(&clear);
        (self.announced, self.waits) = (told, waits);
        let is_old = self.memory.wrote.elapsed() > REMEMBERED_AGAIN;
        self.after = (is_old || !after.is_like(&self.memory.written)).then_some(after);
    }

    async fn remember_after(&mut self) {
        if let Some(after) = self.after.take() {
            self.memory.write(&after).await;
        }
    }

    /// For Home Assistant, which has just started or was away.
    fn say_all_again(&self) {
        for topic in &self.cleared {
            self.parts.announcer.tell(topic.clone(), Bytes::new(), true);
        }
        self.parts.announcer.again();
    }

    fn clear(&mut self, topics: &[String]) {
        clear(&self.parts.announcer, topics);
        for topic in topics {
            if self.cleared.len() < MOST_CLEARED {
                self.cleared.insert(topic.clone());
            }
        }
    }
}

fn clear(announcer: &Announcer, topics: &[String]) {
    for topic in topics {
        announcer.clear(topic);
    }
}

/// What is on disk, and since when.
#[derive(Debug)]
struct Memory {
    kept: Kept,
    written: Announced,
    wrote: Instant,
    has_complained: bool,
}

impl Memory {
    async fn open(directory: &Path) -> Self {
        let kept = Kept::new(directory);
        let reading = kept.clone();
        // A file may wait for its disk, which a runtime thread should not.
        let read = tokio::task::spawn_blocking(move || reading.read()).await;
        let written = match read {
            Ok(Ok(written)) => written,
            Ok(Err(error)) => {
                warn!(%error, "What Home Assistant was told before is not known: devices of servers that have left since stay there.");
                Announced::default()
            }
            Err(_panicked) => Announced::default(),
        };
        Self { kept, written, wrote: Instant::now(), has_complained: false }
    }

    async fn write(&mut self, announced: &Announced) {
        let (kept, writing) = (self.kept.clone(), announced.clone());
        let written = tokio::task::spawn_blocking(move || kept.write(&writing)).await;
        // What could not be written is not tried again before something changes.
        (self.written, self.wrote) = (announced.clone(), Instant::now());
        match written {
            Ok(Ok(())) => self.has_complained = false,
            Ok(Err(error)) => self.complain(&error),
            Err(_panicked) => {}
        }
    }

    fn complain(&mut self, error: &KeptError) {
        if !std::mem::replace(&mut self.has_complained, true) {
            warn!(%error, "What Home Assistant is told is not remembered: devices of servers that leave before the next start will stay there.");
        }
    }
}
