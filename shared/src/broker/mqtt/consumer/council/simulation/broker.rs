//! A broker in simulated time: retained records, last wills, one connection to a client id, and a
//! memory that may be older than what it said.

use std::collections::BTreeMap;

use super::super::Tenure;
use crate::broker::mqtt::member_record::MemberRecord;

/// Where something is retained.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Member(String),
    Slot(u16),
}

/// What is retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Member(MemberRecord),
    Slot(Tenure),
}

/// A publication; without a record it takes one back.
pub(super) type Publication = (Topic, Option<Record>);

/// Who connects. The broker allows one connection to each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClientId {
    Control(String),
    Slot(u16),
}

/// A connection; its numbers rise.
pub(super) type ConnectionId = u64;

#[derive(Clone, Debug)]
struct Connected {
    client: ClientId,
    will: Publication,
}

/// What an action at the broker leads to.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Tell a connection what was published.
    Tell(ConnectionId, Publication),
    /// A connection has ended.
    End(ConnectionId),
}

/// The broker.
#[derive(Debug, Default)]
pub(super) struct Broker {
    retained: BTreeMap<Topic, Record>,
    saved: BTreeMap<Topic, Record>,
    connections: BTreeMap<ConnectionId, Connected>,
    /// Some brokers publish the last will of a connection whose client id another one takes.
    pub(super) wills_at_takeover: bool,
    /// How often another program came to be connected as a slot.
    pub(super) slot_connections: usize,
}

impl Broker {
    pub(super) fn is_connected(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    pub(super) fn connect(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        will: Publication,
    ) -> Vec<Effect> {
        let mut effects = self.take_over(&client);
        if matches!(client, ClientId::Slot(_)) {
            self.slot_connections += 1;
        } else {
            let retained = self.retained.iter();
            let told = retained.map(|(topic, record)| (topic.clone(), Some(record.clone())));
            effects.extend(told.map(|publication| Effect::Tell(connection, publication)));
        }
        self.connections.insert(connection, Connected { client, will });
        effects
    }

    fn take_over(&mut self, client: &ClientId) -> Vec<Effect> {
        let taken = self.connections.iter().find(|(_, connected)| connected.client == *client);
        let Some((&old, _)) = taken else { return vec![] };
        let will = self.connections.remove(&old).map(|connected| connected.will);
        let mut effects = vec![Effect::End(old)];
        if self.wills_at_takeover {
            effects.extend(will.into_iter().flat_map(|will| self.publish(&will)));
        }
        effects
    }

    pub(super) fn publish(&mut self, publication: &Publication) -> Vec<Effect> {
        let (topic, record) = publication.clone();
        match record {
            Some(record) => self.retained.insert(topic, record),
            None => self.retained.remove(&topic),
        };
        let controls = self.connections.iter();
        let controls = controls.filter(|(_, one)| matches!(one.client, ClientId::Control(_)));
        controls.map(|(&id, _)| Effect::Tell(id, publication.clone())).collect()
    }

    /// A goodbye: nothing is published for it.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) -> Vec<Effect> {
        self.connections.remove(&connection);
        vec![Effect::End(connection)]
    }

    /// A connection broke: its last will is published.
    pub(super) fn lose(&mut self, connection: ConnectionId) -> Vec<Effect> {
        let Some(lost) = self.connections.remove(&connection) else { return vec![] };
        let mut effects = vec![Effect::End(connection)];
        effects.extend(self.publish(&lost.will));
        effects
    }

    /// Somebody deletes a slot's session and then its record.
    pub(super) fn delete(&mut self, slot: u16) -> Vec<Effect> {
        let mut effects = self.take_over(&ClientId::Slot(slot));
        effects.extend(self.publish(&(Topic::Slot(slot), None)));
        effects
    }

    pub(super) fn save(&mut self) {
        self.saved = self.retained.clone();
    }

    /// Ends in order, with all last wills, and comes back as it was.
    pub(super) fn restart(&mut self) -> Vec<Effect> {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        let mut effects = Vec::new();
        for connection in all {
            effects.extend(self.lose(connection));
        }
        effects.retain(|effect| matches!(effect, Effect::End(_)));
        effects
    }

    /// Is killed, and comes back as it was when it saved last.
    pub(super) fn kill(&mut self) -> Vec<Effect> {
        self.retained = self.saved.clone();
        let all = std::mem::take(&mut self.connections);
        all.into_keys().map(Effect::End).collect()
    }

    /// Who is connected as each slot.
    pub(super) fn owners(&self) -> BTreeMap<u16, ConnectionId> {
        let slot = |(&id, one): (&ConnectionId, &Connected)| match one.client {
            ClientId::Slot(slot) => Some((slot, id)),
            ClientId::Control(_) => None,
        };
        self.connections.iter().filter_map(slot).collect()
    }

    /// What the record of each slot says.
    pub(super) fn tenures(&self) -> BTreeMap<u16, Tenure> {
        let slot = |(topic, record): (&Topic, &Record)| match (topic, record) {
            (Topic::Slot(slot), Record::Slot(tenure)) => Some((*slot, tenure.clone())),
            _ => None,
        };
        self.retained.iter().filter_map(slot).collect()
    }
}
