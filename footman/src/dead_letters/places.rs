//! The places where dead letters lie, and the connection to them.
//!
//! Those of the consumer group lie with the broker. What the broker itself refuses lies beside the
//! collector's outbox, and is seen only by a command on the collector's machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use shared::broker::embedded::EmbeddedDeadLetters;
use shared::broker::{Broker, DeadLetter, DeadLetters, LetterHeader, Publisher};
use shared::config::{Config, Transport};
use shared::readiness::Readiness;
use tokio::time::Instant;

/// The name under which the broker sees the command: unlike that of any program that stays.
const COMMAND: &str = "footman-dead-letters";
/// How long a broker may take to answer, before the command says that it does not.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where a letter lies, which is who refused its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// With the broker: a writer could not store it.
    Group,
    /// Beside the outbox: the broker will never take it.
    Outbox,
}

/// A letter that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) header: LetterHeader,
}

/// How events get back to the writers.
pub(super) enum Way {
    /// They are published; the broker keeps them for the writers.
    Publish(Arc<dyn Publisher>),
    /// Their letters are marked; the process that has the queue puts them into it.
    Mark(EmbeddedDeadLetters),
}

/// The dead letters within reach.
pub(super) struct Places {
    group: Option<Arc<dyn DeadLetters>>,
    outbox: Option<EmbeddedDeadLetters>,
    way: Option<Way>,
    /// What all letters of one place may take.
    pub(super) limit_bytes: u64,
    /// Why a place is not there.
    pub(super) remark: Option<String>,
}

impl Places {
    /// Connects to the broker and opens what there is on this machine. Makes nothing.
    pub(super) async fn open(config: &Config, group: Option<&str>) -> anyhow::Result<Self> {
        let limit_bytes = config.broker.dead_letters_max_bytes;
        let group = group.unwrap_or(&config.writer.consumer_group);
        let readiness = Readiness::default();
        if let Some(broker) = Broker::visit(&config.broker, COMMAND, &readiness).await? {
            until_ready(&readiness).await?;
            return Ok(Self {
                group: Some(broker.dead_letters(group)),
                outbox: existing(&config.collector.outbox.directory, limit_bytes)?,
                way: Some(Way::Publish(broker.courier(group))),
                limit_bytes,
                remark: None,
            });
        }
        let Transport::Embedded(embedded) = &config.broker.transport else {
            bail!("the broker has no driver");
        };
        let found = existing(&embedded.directory, limit_bytes)?;
        let file = EmbeddedDeadLetters::file_in(&embedded.directory);
        let remark = found.is_none().then(|| {
            format!(
                "{} does not exist: `footman run` has never run there. A relative path in \
                 broker.embedded.directory counts from where `footman run` was started.",
                file.display()
            )
        });
        Ok(Self {
            group: found.clone().map(|found| Arc::new(found) as Arc<dyn DeadLetters>),
            outbox: None,
            way: found.map(Way::Mark),
            limit_bytes,
            remark,
        })
    }

    /// All letters, the oldest first.
    pub(super) async fn headers(&self) -> anyhow::Result<Vec<Found>> {
        let mut found = Vec::new();
        for place in [Place::Group, Place::Outbox] {
            if let Some(letters) = self.letters(place) {
                let headers = letters.headers().await?;
                found.extend(headers.into_iter().map(|header| Found { place, header }));
            }
        }
        found.sort_by_key(|found| found.header.first_time);
        Ok(found)
    }

    /// A letter whole, unless it is gone meanwhile.
    pub(super) async fn get(&self, found: &Found) -> anyhow::Result<Option<DeadLetter>> {
        match self.letters(found.place) {
            Some(letters) => Ok(letters.get(&found.header.event_id).await?),
            None => Ok(None),
        }
    }

    /// Removes a letter for good.
    pub(super) async fn remove(&self, found: &Found) -> anyhow::Result<()> {
        if let Some(letters) = self.letters(found.place) {
            letters.remove(&found.header.event_id).await?;
        }
        Ok(())
    }

    /// How often the writers have refused an event; none when they have stored it.
    pub(super) async fn count(&self, event_id: &str) -> anyhow::Result<Option<u64>> {
        match self.letters(Place::Group) {
            Some(letters) => Ok(letters.count(event_id).await?),
            None => Ok(None),
        }
    }

    /// How events get back to the writers.
    pub(super) fn way(&self) -> anyhow::Result<&Way> {
        self.way.as_ref().context("there are no dead letters to replay")
    }

    fn letters(&self, place: Place) -> Option<&dyn DeadLetters> {
        match place {
            Place::Group => self.group.as_deref(),
            Place::Outbox => self.outbox.as_ref().map(|outbox| outbox as &dyn DeadLetters),
        }
    }

    /// Says goodbye.
    pub(super) async fn leave(self) {
        if let Some(Way::Publish(publisher)) = self.way {
            publisher.close().await;
        }
    }
}

/// The letters in a directory that has some; a look makes no file.
fn existing(directory: &Path, limit_bytes: u64) -> anyhow::Result<Option<EmbeddedDeadLetters>> {
    if !EmbeddedDeadLetters::file_in(directory).exists() {
        return Ok(None);
    }
    Ok(Some(EmbeddedDeadLetters::open(directory, limit_bytes)?))
}

async fn until_ready(readiness: &Readiness) -> anyhow::Result<()> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    loop {
        let report = readiness.report();
        if report.ready {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let whys = report.dependencies.into_values().filter_map(|dependency| dependency.why);
            bail!("the broker cannot be asked: {}", whys.collect::<Vec<_>>().join("; "));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
