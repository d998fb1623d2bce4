//! The flow for Node-RED: that it can be imported, and what it says of events.
//!
//! `./test node-red` imports it into the real Node-RED. Here its function nodes are run by Node alone, along
//! their wires, with events made from the types that the programs publish and a clock of the test's own.

mod alarms;
mod file;
mod sessions;
mod silence;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use shared::envelope::{Origin, Unnumbered};
use shared::event::Event;
use shared::timestamp::Timestamp;

/// When the stories begin, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_795_000_000_000;
/// Runs a flow.
const RUNNER: &str = include_str!("run_flow.js");

/// The folder with the flow.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("config/node-red")
}

/// The flow's nodes.
fn nodes() -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join("footman-flow.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What happens to the flow, and when.
struct Story {
    origin: Origin,
    sequence: u64,
    now_ms: u64,
    steps: Vec<Value>,
}

impl Story {
    /// Node-RED was started and has its broker.
    fn begin() -> Self {
        let origin = Origin::new("collector", "c1");
        let mut story = Self { origin, sequence: 0, now_ms: BEGIN_MS, steps: Vec::new() };
        story.after(0);
        story.step(json!({"connection": "green"}));
        story
    }

    fn step(&mut self, step: Value) {
        self.steps.push(step);
    }

    /// Lets time pass.
    fn after(&mut self, seconds: u64) {
        self.now_ms += seconds * 1_000;
        self.step(json!({"at": self.now_ms}));
    }

    /// Lets time pass with a look for silence each ten seconds.
    fn looks_for(&mut self, seconds: u64) {
        for _ in 0..seconds / 10 {
            self.after(10);
            self.step(json!({"click": "Every ten seconds"}));
        }
    }

    /// The time now, as events have it.
    fn time(&self) -> Timestamp {
        Timestamp::from_nanos(i64::try_from(self.now_ms * 1_000_000).unwrap())
    }

    /// An event of now as the bus carries it.
    fn event(&mut self, topic: &str, event: &Event) -> Value {
        self.sequence += 1;
        let made = Unnumbered::encode(&self.origin, "subject", self.time(), event).unwrap();
        let payload = String::from_utf8(made.numbered(self.sequence).to_vec()).unwrap();
        json!({"topic": format!("qliksense/v1/{topic}"), "payload": payload})
    }

    /// An event of now comes.
    fn hears(&mut self, topic: &str, event: &Event) {
        let step = self.event(topic, event);
        self.step(step);
    }

    /// Any message comes.
    fn hears_text(&mut self, topic: &str, payload: &str) {
        let topic = format!("qliksense/v1/{topic}");
        self.step(json!({"topic": topic, "payload": payload, "retain": true}));
    }

    /// Runs the flow. What came to the ends of its wires, by the names of the nodes there.
    fn told(mut self) -> Told {
        self.step(json!({"page": "/footman/state"}));
        let given = json!({"nodes": nodes(), "steps": self.steps}).to_string();
        let mut node = Command::new("node")
            .args(["-e", RUNNER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is there; ./test installs it");
        node.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "a function node failed; its words are above");
        Told(serde_json::from_slice(&output.stdout).unwrap())
    }
}

/// What left the flow.
struct Told(Value);

impl Told {
    /// The messages that came to a node.
    fn at(&self, node: &str) -> Vec<Value> {
        self.0[node].as_array().cloned().unwrap_or_default()
    }

    /// The texts of the alarms.
    fn alarms(&self) -> Vec<String> {
        let text = |message: &Value| message["alarm"]["text"].as_str().unwrap().to_owned();
        self.at("Footman alarms").iter().map(text).collect()
    }

    /// What the page shows.
    fn page(&self) -> Value {
        self.at("Send JSON").last().unwrap()["payload"].clone()
    }
}

/// A healthy engine's answer, or a saturated one's.
fn health(server: &str, saturated: bool) -> Event {
    let health = json!({
        "server": {"name": server, "description": "", "host": "10.0.0.1:4747"},
        "poll": {"scheduled": "2026-11-21T08:15:30Z", "durationMs": 12, "intervalMs": 30_000},
        "health": {"cpu": {"total": if saturated { 97 } else { 7 }}, "mem": {"free": 2_048.0},
            "apps": {"active_docs": ["a"], "loaded_docs": ["a", "b"]}, "saturated": saturated},
    });
    Event::Health(serde_json::from_value(health).unwrap())
}

/// A poll of a source that failed.
fn failed(server: &str, source: &str, virtual_proxy: Option<&str>, category: &str) -> Event {
    let mut failed = json!({
        "server": {"name": server, "host": "10.0.0.1:4747"},
        "poll": {"scheduled": "2026-11-21T08:15:30Z", "durationMs": 5_000, "intervalMs": 30_000},
        "source": source, "host": "10.0.0.1:4747", "category": category, "message": "in plain words", "ticks": 2,
    });
    if let Some(prefix) = virtual_proxy {
        failed["virtualProxy"] = json!(prefix);
    }
    Event::FailedPoll(serde_json::from_value(failed).unwrap())
}
