//! What Home Assistant was told before, and so what has to be taken back. Pure.
//!
//! The broker keeps discovery messages for ever, and a component that is only left out of a message
//! stays in Home Assistant without a value. Whatever was announced once, by this process or an
//! earlier one, is remembered until it was taken back and the broker has confirmed that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::HomeAssistantDiscovery as Form;
use shared::timestamp::Timestamp;

use super::device::{Components, Message};
use super::site::Known;

/// A program that has been silent for so long is forgotten: its name will not come back.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// Everything that was announced and not taken back, by topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Announced(pub(super) BTreeMap<String, Entry>);

/// What was announced on a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The components of a device; none in the form of a topic for each entity.
    #[serde(default, skip_serializing_if = "Components::is_empty")]
    pub(super) components: Components,
    /// The newest beat of a program; none for a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_beat: Option<Timestamp>,
}

/// When what was announced by an earlier run is taken for gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judgement {
    /// Whether it is known which servers are polled now.
    pub(super) knows_servers: bool,
    /// The time now.
    pub(super) now: Timestamp,
}

impl Judgement {
    fn is_gone(self, entry: &Entry) -> bool {
        match entry.last_beat {
            None => self.knows_servers,
            Some(last_beat) => self.now.since(last_beat) > FORGOTTEN_AFTER,
        }
    }
}

/// What is to be done now.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Step {
    /// To be retained: topics and payloads.
    pub(super) keep: Vec<(String, Vec<u8>)>,
    /// To be forgotten.
    pub(super) clear: Vec<String>,
    /// What is announced then, with what was dropped from devices: that stays dropped.
    pub(super) told: Announced,
    /// What has to be remembered once the broker has confirmed the step; until then, what had to be
    /// before as well.
    pub(super) after: Announced,
    /// Whether something of an earlier run may still come.
    pub(super) waits: bool,
}

impl Announced {
    /// What the other form left, or another prefix: Home Assistant takes no entity from two topics
    /// at once, so this goes first.
    pub(super) fn of_another(&self, prefix: &str, form: Form) -> Vec<String> {
        let (all, devices) = (format!("{prefix}/"), format!("{prefix}/device/"));
        let is_of_this = |topic: &String| match form {
            Form::Device => topic.starts_with(&devices),
            Form::Component => topic.starts_with(&all) && !topic.starts_with(&devices),
        };
        self.0.keys().filter(|topic| !is_of_this(topic)).cloned().collect()
    }

    /// What makes Home Assistant know what is known.
    pub(super) fn step(
        &self,
        known: &[Known],
        prefix: &str,
        form: Form,
        judgement: Judgement,
    ) -> Step {
        let mut step = Step::default();
        let mut there = BTreeSet::new();
        for one in known {
            for message in one.device.messages(prefix, form) {
                there.insert(message.topic.clone());
                self.tell(&message, one, &mut step);
            }
        }
        for (topic, entry) in self.0.iter().filter(|(topic, _)| !there.contains(*topic)) {
            if judgement.is_gone(entry) {
                step.clear.push(topic.clone());
            } else {
                step.waits = true;
                step.told.0.insert(topic.clone(), entry.clone());
                step.after.0.insert(topic.clone(), entry.clone());
            }
        }
        step
    }

    fn tell(&self, message: &Message, known: &Known, step: &mut Step) {
        let topic = &message.topic;
        let before = self.0.get(topic);
        if !known.is_ready {
            if let Some(before) = before {
                step.told.0.insert(topic.clone(), before.clone());
                step.after.0.insert(topic.clone(), before.clone());
            }
            return;
        }
        let mut dropped = before.map(|before| before.components.clone()).unwrap_or_default();
        dropped.retain(|key, _| !message.components.contains_key(key));
        step.keep.push((topic.clone(), message.payload(&dropped)));
        let entry = |components| Entry { components, last_beat: known.last_beat };
        step.after.0.insert(topic.clone(), entry(message.components.clone()));
        let mut all = message.components.clone();
        all.append(&mut dropped);
        step.told.0.insert(topic.clone(), entry(all));
    }

    /// This and another.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (topic, entry) in &other.0 {
            let of_both = both.0.entry(topic.clone()).or_default();
            of_both.components.extend(entry.components.clone());
            of_both.last_beat = entry.last_beat;
        }
        both
    }

    /// Whether a file with this says what another would, but for times of beats.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|((topic, entry), (other_topic, other))| {
                topic == other_topic && entry.components == other.components
            })
    }
}
