//! The publisher's side of the event loop.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Filter, LastWill, Packet, PubAck, PubAckReason, Publish, SubAck,
};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

use super::{OFFLINE, ONLINE, Shared};
use crate::broker::mqtt::failure::Failure;
use crate::broker::mqtt::flight::{Flight, MAX_IN_FLIGHT};
use crate::broker::mqtt::link::Role;
use crate::broker::mqtt::subscribed;

/// Opens the connection to publishes once everything that was retained is known.
pub(super) struct PublisherRole {
    client_id: String,
    shared: Arc<Shared>,
    flight: Option<Arc<Flight>>,
}

impl PublisherRole {
    pub(super) fn new(client_id: String, shared: Arc<Shared>) -> Self {
        Self { client_id, shared, flight: None }
    }

    fn note(&self, publish: &Publish) {
        let topic = String::from_utf8_lossy(&publish.topic);
        if let Some((group, slot)) = self.shared.topics.slot_of(&topic) {
            let expiry = publish.properties.as_ref().and_then(|p| p.message_expiry_interval);
            let expires_in = expiry.map(|seconds| Duration::from_secs(seconds.into()));
            self.shared.registry().note(group, slot, publish.payload.is_empty(), expires_in);
            if let Some(marks) = &self.shared.marks {
                marks.note_slot(group, slot, &publish.payload);
            }
            self.shared.review();
        } else if let Some(marks) = &self.shared.marks
            && marks.note(&topic, &publish.payload)
        {
            self.open();
        }
    }

    fn subscribed(&self, suback: &SubAck) -> Result<(), Failure> {
        subscribed::check(suback, &self.shared.topics.slots())?;
        // Only now: until it was answered, the subscription held a packet id.
        match (&self.shared.marks, &self.flight) {
            (Some(marks), Some(flight)) => flight.publish_first(marks.end()),
            _ => self.open(),
        }
        Ok(())
    }

    fn open(&self) {
        if let Some(flight) = &self.flight {
            flight.publish_first(self.shared.status(ONLINE));
            *self.shared.flight() = Some(Arc::clone(flight));
        }
        self.shared.review();
    }

    /// Before the connection is open, all that can be answered is what we publish to ourselves.
    fn answered(&self, puback: &PubAck) -> Result<(), Failure> {
        match &self.shared.marks {
            Some(marks) if !marks.is_open() && puback.reason == PubAckReason::NotAuthorized => {
                Err(Failure::new(format!(
                    "the broker's access list forbids the user of broker.mqtt.username to publish on {}",
                    marks.end_topic()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Nothing has been said for so long that the connection is tested.
    fn idle(&self) -> Result<(), Failure> {
        match &self.shared.marks {
            Some(marks) if !marks.is_open() => Err(Failure::new(format!(
                "the broker does not give back what is published on {}: let the user of \
                 broker.mqtt.username read it",
                marks.end_topic()
            ))),
            _ => Ok(()),
        }
    }

    fn end(&mut self, failure: &Failure) {
        self.shared.flight().take();
        self.shared.report.down(0, &failure.why);
        if let Some(flight) = self.flight.take() {
            flight.fail(failure);
        }
    }
}

impl Role for PublisherRole {
    fn client_id(&mut self) -> String {
        self.client_id.clone()
    }

    fn prepare(&self, options: &mut MqttOptions) {
        let topic = &self.shared.status_topic;
        let will = LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true, None);
        options.set_last_will(will).set_outgoing_inflight_upper_limit(MAX_IN_FLIGHT);
    }

    fn connected(&mut self, client: &AsyncClient, connack: &ConnAck) -> Result<(), Failure> {
        self.shared.registry().forget();
        self.flight = Some(Arc::new(Flight::new(client.clone(), connack)));
        let mut filters = vec![Filter::new(self.shared.topics.slots(), QoS::AtLeastOnce)];
        if let Some(marks) = &self.shared.marks {
            filters.extend(marks.begin_connection());
        }
        client.try_subscribe_many(filters).map_err(|error| Failure::new(error.to_string()))
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(flight) = &self.flight {
            flight.observe(&event)?;
        }
        match event {
            Event::Incoming(Packet::SubAck(suback)) => self.subscribed(&suback)?,
            Event::Incoming(Packet::Publish(publish)) => self.note(&publish),
            Event::Incoming(Packet::PubAck(puback)) => self.answered(&puback)?,
            Event::Outgoing(Outgoing::PingReq) => self.idle()?,
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, failure: &Failure) {
        self.end(failure);
    }
}

impl Drop for PublisherRole {
    /// Nobody waits for a confirmation that can come no more.
    fn drop(&mut self) {
        self.end(&Failure::new("the publisher is closed"));
    }
}
