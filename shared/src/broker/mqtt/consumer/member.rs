//! The control connection: says that this member is there, and hears who else is and who owns what.
//!
//! What the broker retains comes first. To know when that was all, a marker is published after the
//! subscription: it queues up behind everything retained.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, LastWill, Packet, Publish, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use ulid::Ulid;

use super::Shared;
use super::connections::seconds;
use super::council::{Council, LIFE, Tenure};
use crate::broker::mqtt::failure::Failure;
use crate::broker::mqtt::link::Role;
use crate::broker::mqtt::member_record::MemberRecord;
use crate::broker::mqtt::slot_record::SlotRecord;
use crate::broker::mqtt::{confirm, subscribed};

/// When the broker forgets a member that has gone without a last will.
const RECORD_LIFE: Duration = LIFE.saturating_mul(2);
/// The place of the control connection in the report.
pub(super) const CONTROL: usize = 0;

/// The control connection's side of the event loop.
pub(super) struct MemberRole {
    shared: Arc<Shared>,
    /// What comes back when everything retained has come; new for each connection.
    end: String,
    client: Option<AsyncClient>,
}

impl MemberRole {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, end: String::new(), client: None }
    }

    fn note(&self, publish: &Publish) {
        let Shared { topics, group, name, .. } = &*self.shared;
        let topic = String::from_utf8_lossy(&publish.topic);
        if topic == topics.end_of_group(group, name) {
            if publish.payload == self.end.as_bytes() {
                self.shared.tell(Council::read);
            }
        } else if let Some((_, slot)) = topics.slot_of(&topic) {
            let tenure = (!publish.payload.is_empty()).then(|| tenure_of(&publish.payload));
            self.shared.tell(|council, _now| council.note_slot(slot, tenure));
        } else if let Some((_, member)) = topics.member_of(&topic) {
            // What is no record is a member that has gone.
            let record = serde_json::from_slice::<MemberRecord>(&publish.payload).ok();
            self.shared.tell(|council, now| council.note_member(now, member, record.as_ref()));
        }
    }

    fn end(&mut self) {
        self.client = None;
        self.shared.set_control(None);
        self.shared.tell(|council, _now| council.disconnected());
    }
}

/// What a slot's record says. One that cannot be read says that there is a slot, and nothing else.
fn tenure_of(payload: &[u8]) -> Tenure {
    let record = serde_json::from_slice::<SlotRecord>(payload);
    record.map(|record| Tenure::from(&record)).unwrap_or_default()
}

/// Publishes a member's record.
pub(super) fn publish(
    client: &AsyncClient,
    topic: &str,
    record: &MemberRecord,
) -> Result<(), Failure> {
    let properties = PublishProperties {
        message_expiry_interval: Some(seconds(RECORD_LIFE)),
        ..PublishProperties::default()
    };
    let text = serde_json::to_string(record).map_err(|error| Failure::new(error.to_string()))?;
    client
        .try_publish_with_properties(topic, QoS::AtLeastOnce, true, text, properties)
        .map_err(|error| Failure::new(error.to_string()))
}

impl Role for MemberRole {
    fn client_id(&mut self) -> String {
        self.end = Ulid::generate().to_string();
        self.shared.control_id.clone()
    }

    fn prepare(&self, options: &mut MqttOptions) {
        let will = LastWill::new(&self.shared.member_topic, "", QoS::AtLeastOnce, true, None);
        options.set_last_will(will);
    }

    fn connected(&mut self, client: &AsyncClient, _connack: &ConnAck) -> Result<(), Failure> {
        self.client = Some(client.clone());
        self.shared.set_control(Some(client.clone()));
        self.shared.tell(Council::connected);
        client
            .try_subscribe(self.shared.topics.group(&self.shared.group), QoS::AtLeastOnce)
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        let Shared { topics, group, name, member_topic, .. } = &*self.shared;
        match event {
            Event::Incoming(Packet::SubAck(suback)) => {
                subscribed::check(&suback, "the group's slots and members")?;
                let Some(client) = &self.client else { return Ok(()) };
                let topic = topics.end_of_group(group, name);
                client
                    .try_publish(topic, QoS::AtLeastOnce, false, self.end.clone())
                    .map_err(|error| Failure::new(error.to_string()))?;
            }
            Event::Incoming(Packet::PubAck(puback)) => {
                confirm::retained(puback.reason, member_topic)
                    .map_err(|error| Failure::new(error.to_string()))?;
            }
            Event::Incoming(Packet::Publish(publish)) => self.note(&publish),
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, failure: &Failure) {
        self.end();
        if !self.shared.closing.is_cancelled() {
            self.shared.report.down(CONTROL, &failure.why);
        }
    }
}

impl Drop for MemberRole {
    /// Without it nobody may be connected as a slot: the caller learns of it.
    fn drop(&mut self) {
        self.end();
        self.shared.intake.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_cannot_be_read_is_a_slot_without_an_owner() {
        assert_eq!(tenure_of(b"{}"), Tenure::default());
        let text = br#"{"owner":{"process":"writer","instance":"a b"},"since":"2023-11-14T22:13:20Z","takeover":3}"#;
        let tenure = tenure_of(text);
        assert_eq!((tenure.owner.as_deref(), tenure.takeover), (Some("writer-a%20b"), 3));
    }
}
