//! Does what the council says: opens and ends the connections of slots, one task for each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Shared;
use super::council::{Command, Opening, Standing};
use super::delete::delete;
use super::member::{self, CONTROL, MemberRole};
use super::slot::{Permit, SlotRole, connection_of};
use crate::broker::mqtt::endpoint::Endpoint;
use crate::broker::mqtt::failure::Failure;
use crate::broker::mqtt::link::Link;
use crate::broker::mqtt::member_record::MemberRecord;

/// How often the council is asked though nothing has happened: its shortest waits are longer.
const TICK: Duration = Duration::from_millis(100);

/// The task behind a consumer.
pub(super) struct Steward {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    control: Link,
    slots: BTreeMap<u16, Slot>,
    /// Connections that say goodbye, and sessions that are deleted.
    ending: JoinSet<Ended>,
    record: MemberRecord,
    said: Said,
}

/// A connection as a slot.
struct Slot {
    link: Link,
    permit: watch::Sender<Permit>,
}

/// What has come to its end.
enum Ended {
    Closed { slot: u16, in_time: bool },
    Deleted { slot: u16, done: bool },
    Parted,
}

/// What the log said last.
#[derive(Default)]
struct Said {
    owned: Option<(Vec<u16>, u16)>,
    idle: bool,
}

impl Steward {
    pub(super) fn new(shared: Arc<Shared>, endpoint: Endpoint, record: MemberRecord) -> Self {
        let control = Link::start(endpoint.clone(), MemberRole::new(Arc::clone(&shared)));
        Self {
            shared,
            endpoint,
            control,
            slots: BTreeMap::new(),
            ending: JoinSet::new(),
            record,
            said: Said::default(),
        }
    }

    /// Goes on until `closing`, and then until everything is given up.
    pub(super) async fn run(mut self) {
        let closing = self.shared.closing.clone();
        while !closing.is_cancelled() {
            self.step();
            tokio::select! {
                () = self.wait() => {}
                () = closing.cancelled() => {}
            }
        }
        // First, so that nobody counts on us when the slots are free.
        self.leave_group().await;
        self.shared.close();
        loop {
            self.step();
            if self.ending.is_empty() && self.shared.is_over() {
                return;
            }
            self.wait().await;
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) {
        tokio::select! {
            () = self.shared.woken() => {}
            Some(ended) = self.ending.join_next() => {
                if let Ok(ended) = ended {
                    self.note(&ended);
                }
            }
            () = tokio::time::sleep(TICK) => {}
        }
    }

    fn step(&mut self) {
        let commands = self.shared.decide();
        for command in commands {
            self.execute(command);
        }
        for (&slot, Slot { permit, .. }) in &self.slots {
            let now = if self.shared.may_connect(slot) { Permit::Go } else { Permit::Wait };
            permit.send_if_modified(|permit| std::mem::replace(permit, now) != now);
        }
        if let Some(standing) = self.shared.standing() {
            self.tell(&standing);
        }
    }

    fn execute(&mut self, command: Command) {
        let Shared { intake, connections, .. } = &*self.shared;
        let said = match command {
            Command::Beat(beat) => self.beat(beat),
            Command::Open(opening) => {
                self.open(opening);
                Ok(())
            }
            Command::Assert(slot) => connections.claim(slot),
            Command::Stop(slot) => {
                intake.stop(slot);
                Ok(())
            }
            Command::Release(slot) => {
                let released = connections.release(slot);
                self.end(slot, false);
                released
            }
            Command::Leave(slot) => {
                self.end(slot, false);
                Ok(())
            }
            Command::Yield(slot) => {
                self.part(slot);
                Ok(())
            }
            Command::Delete(slot) => {
                self.end(slot, true);
                Ok(())
            }
        };
        if let Err(failure) = said {
            tracing::warn!("The MQTT broker was not told about a slot: {}.", failure.why);
        }
    }

    fn beat(&mut self, beat: u64) -> Result<(), Failure> {
        self.record.beat = beat;
        match self.shared.control() {
            Some(client) => member::publish(&client, &self.shared.member_topic, &self.record),
            None => Ok(()),
        }
    }

    fn open(&mut self, opening: Opening) {
        let slot = opening.slot;
        self.shared.report.expect(connection_of(slot));
        let (permit, permitted) = watch::channel(Permit::Wait);
        let role = SlotRole::new(Arc::clone(&self.shared), opening, permitted);
        let link = Link::start(self.endpoint.clone(), role);
        self.slots.insert(slot, Slot { link, permit });
    }

    /// A slot that is ours no more, whose connection ends when it is dropped.
    fn take(&mut self, slot: u16) -> Option<Slot> {
        let taken = self.slots.remove(&slot)?;
        taken.permit.send_replace(Permit::End);
        self.shared.intake.stop(slot);
        self.shared.report.gone(connection_of(slot));
        Some(taken)
    }

    /// Ends a connection that the broker has most likely ended already. Should it not have, the
    /// goodbye keeps the last will from taking the place of a later record.
    fn part(&mut self, slot: u16) {
        if let Some(taken) = self.take(slot) {
            self.ending.spawn(async move {
                taken.link.close().await;
                Ended::Parted
            });
        }
    }

    fn end(&mut self, slot: u16, and_delete: bool) {
        let Some(taken) = self.take(slot) else { return };
        let shared = Arc::clone(&self.shared);
        let endpoint = self.endpoint.clone();
        self.ending.spawn(async move {
            let in_time = taken.link.close().await;
            if !and_delete {
                return Ended::Closed { slot, in_time };
            }
            let topic = shared.topics.slot(&shared.group, slot);
            let deleted = delete(&endpoint, &shared.client_id_of(slot), &topic).await;
            if let Err(failure) = &deleted {
                tracing::warn!(slot, "A session could not be deleted yet: {}.", failure.why);
            }
            Ended::Deleted { slot, done: deleted.is_ok() }
        });
    }

    fn note(&self, ended: &Ended) {
        match *ended {
            Ended::Parted => {}
            Ended::Closed { slot, in_time } => {
                if !in_time {
                    tracing::warn!(
                        "The broker did not take the last acks in time; it delivers again."
                    );
                }
                self.shared.tell(|council, now| council.closed(now, slot));
            }
            Ended::Deleted { slot, done } => {
                if done {
                    tracing::info!(
                        slot,
                        "Deleted a session that broker.mqtt.consumerSlots no longer has."
                    );
                }
                self.shared.tell(|council, now| council.deleted(now, slot, done));
            }
        }
    }

    fn tell(&mut self, standing: &Standing) {
        let Standing { owned, slots, members, changing, waiting, namesake } = standing;
        let Shared { report, owner, .. } = &*self.shared;
        if *namesake {
            let why = format!(
                "another {} of the group has the instance name {:?}: give each its own with \
                 --instance",
                owner.process, owner.instance
            );
            if report.why().as_ref() != Some(&why) {
                report.down(CONTROL, &why);
            }
            return;
        }
        if *waiting {
            return;
        }
        report.up(CONTROL);
        if *changing {
            return;
        }
        let now = (owned.clone(), *slots);
        if self.said.owned.as_ref() != Some(&now) && !owned.is_empty() {
            let numbers: Vec<String> = owned.iter().map(u16::to_string).collect();
            tracing::info!(members, "Owns slots {} of {slots}.", numbers.join(", "));
        }
        self.said.owned = Some(now);
        let idle = owned.is_empty() && *members > usize::from(*slots);
        if idle && !self.said.idle {
            tracing::warn!(
                "Has nothing to do: {members} writers share {slots} slots. Raise \
                 broker.mqtt.consumerSlots to at least the number of writers."
            );
        }
        self.said.idle = idle;
    }

    /// The last word to the group.
    async fn leave_group(&self) {
        if let Some(client) = self.shared.control() {
            let topic = self.shared.member_topic.as_str();
            // The record ends by itself when the broker does not hear of it.
            let _told = client.try_publish(topic, QoS::AtLeastOnce, true, "");
        }
        self.control.close().await;
    }
}
