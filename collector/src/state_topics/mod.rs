//! The latest of everything, retained: for small clients that want no events.
//!
//! `{prefix}/v1/state/{server}` and `{prefix}/v1/programs/{process}/{instance}`, each one flat JSON
//! object, kept true by an [`Announcer`]. A topic goes with its server, also when that left while
//! nobody was here to see it.

mod left;
mod program;
mod server;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shared::announce::Announcer;
use shared::heartbeat::Heard;
use shared::subject::Token;
use shared::timestamp::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::latest::Latest;
use left::{Left, Verdict};
#[cfg(test)]
pub(crate) use server::payload as server_payload;
pub use server::suffixes;

/// The least time between two values of a topic: small clients are to keep up.
const BETWEEN_VALUES: Duration = Duration::from_secs(1);
/// How often it is looked what has become too old, when nothing happens.
const LOOK: Duration = Duration::from_secs(10);
/// How long the site may take to have its first server, before the topics of an earlier run are
/// taken for leftovers.
const FIRST_SERVER: Duration = Duration::from_mins(1);

/// Who says what a server's topic says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) process: String,
    pub(crate) instance: String,
}

/// The topics, under the configured prefix.
#[derive(Clone, Debug)]
pub struct Topics {
    root: String,
}

impl Topics {
    /// Under a prefix.
    pub fn new(prefix: &str) -> Self {
        Self { root: format!("{prefix}/v1") }
    }

    /// Of a server, by its token.
    pub fn server(&self, token: &str) -> String {
        format!("{}/state/{token}", self.root)
    }

    /// Of a program.
    pub fn program(&self, process: &str, instance: &str) -> String {
        format!("{}/programs/{}/{}", self.root, Token::new(process), Token::new(instance))
    }

    /// Whether a program is there, as its last will says: `online` or `offline`.
    pub fn status(&self, process: &str, instance: &str) -> String {
        format!("{}/status/{}/{}", self.root, Token::new(process), Token::new(instance))
    }

    /// All of servers and programs.
    pub(crate) fn all(&self) -> [String; 2] {
        [format!("{}/state/+", self.root), format!("{}/programs/+/+", self.root)]
    }

    fn is_server(&self, topic: &str) -> bool {
        self.levels_below(topic, "state/") == Some(1)
    }

    fn is_program(&self, topic: &str) -> bool {
        self.levels_below(topic, "programs/") == Some(2)
    }

    fn levels_below(&self, topic: &str, kind: &str) -> Option<usize> {
        let rest = topic.strip_prefix(&self.root)?.strip_prefix('/')?.strip_prefix(kind)?;
        Some(rest.split('/').count())
    }
}

/// Keeps the topics true.
pub(crate) struct StateTopics {
    announcer: Arc<Announcer>,
    topics: Topics,
    by: By,
    latest: Arc<Latest>,
    heard: Arc<Heard>,
    /// What is heard and is none of these topics goes here, as long as somebody takes it.
    others: mpsc::Sender<(String, Bytes)>,
    /// The topics of servers and programs that are there.
    shown: BTreeSet<String>,
    left: Left,
    began: Instant,
}

impl StateTopics {
    pub(crate) fn new(
        announcer: Arc<Announcer>,
        topics: Topics,
        by: By,
        (latest, heard): (Arc<Latest>, Arc<Heard>),
        others: mpsc::Sender<(String, Bytes)>,
    ) -> Self {
        Self {
            announcer,
            topics,
            by,
            latest,
            heard,
            others,
            shown: BTreeSet::new(),
            left: Left::default(),
            began: Instant::now(),
        }
    }

    /// Goes on until `stop`; then the broker says that the program is offline.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut site = self.latest.changes();
        let mut programs = self.heard.changes();
        let announcer = Arc::clone(&self.announcer);
        loop {
            self.show();
            let shown = Instant::now();
            let mut is_due = false;
            while !is_due {
                // Not before its time, and at the latest when something may have become too old.
                let at_least = tokio::time::sleep_until(shown + BETWEEN_VALUES);
                let changed = async {
                    at_least.await;
                    tokio::select! {
                        _ = site.changed() => {}
                        _ = programs.changed() => {}
                        () = tokio::time::sleep_until(shown + LOOK) => {}
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => {
                        self.show();
                        announcer.close().await;
                        return;
                    }
                    () = changed => is_due = true,
                    Some((topic, payload)) = announcer.heard() => self.hear(topic, payload),
                }
            }
        }
    }

    fn hear(&mut self, topic: String, payload: Bytes) {
        if !self.left.note(&self.topics, &self.by, &topic, &payload) {
            // Nobody may want it, or too much comes at once.
            let _taken = self.others.try_send((topic, payload));
        }
    }

    /// Says what is known now.
    fn show(&mut self) {
        let servers = self.latest.servers();
        let is_known = !servers.is_empty() || self.began.elapsed() > FIRST_SERVER;
        let mut shown = BTreeSet::new();
        for server in servers {
            let topic = self.topics.server(&server.token);
            self.announcer.keep(topic.clone(), server::payload(&server, &self.by));
            shown.insert(topic);
        }
        for program in self.heard.programs() {
            let topic = self.topics.program(&program.beat.process, &program.beat.instance);
            self.announcer.keep(topic.clone(), program::payload(&program));
            shown.insert(topic);
        }
        for gone in self.shown.difference(&shown) {
            self.announcer.clear(gone);
        }
        self.shown = shown;
        let mut verdicts = self.left.programs(Timestamp::now(), |topic| self.shown.contains(topic));
        if is_known {
            verdicts.extend(self.left.servers(|topic| self.shown.contains(topic)));
        }
        for verdict in verdicts {
            match verdict {
                Verdict::Clear(topic) => self.announcer.clear(&topic),
                Verdict::Say(topic, payload) => self.announcer.keep(topic, payload),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_recognised() {
        let topics = Topics::new("site/qlik");
        assert_eq!(topics.server("sense%2E1"), "site/qlik/v1/state/sense%2E1");
        assert_eq!(topics.program("writer", "a.b"), "site/qlik/v1/programs/writer/a%2Eb");
        assert!(
            topics.is_server(&topics.server("a")) && topics.is_program(&topics.program("a", "b"))
        );
        for other in ["site/qlik/v1/state/a/b", "site/qlik/v1/status/a/b", "v1/state/a", ""] {
            assert!(!topics.is_server(other) && !topics.is_program(other), "{other}");
        }
    }
}
