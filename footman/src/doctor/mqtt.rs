//! An MQTT broker: whether it lets us in, what it allows, and who is online as its records say.

use std::collections::BTreeSet;
use std::time::Duration;

use shared::broker::mqtt::MqttSettings;
use shared::broker::mqtt::look::{self, Limits, Sight};
use shared::config::{self, Broker};

use super::foreign::Foreign;
use super::promise::MqttSeen;
use super::reach;
use super::report::{Area, Finding, Section};
use super::units;

const PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;
/// The largest event, with its topic.
const LARGEST_EVENT: u32 = 901 * 1024;
/// The quality of service of events.
const QOS: u8 = 1;

/// Looks at everything.
pub(crate) async fn look(
    broker: &Broker,
    mqtt: &config::Mqtt,
    patience: Duration,
) -> (Vec<Section>, Option<MqttSeen>) {
    let host = mqtt.url.host_str().unwrap_or_default();
    let secured = mqtt.url.scheme() == "mqtts";
    let port = mqtt.url.port().unwrap_or(if secured { TLS_PORT } else { PORT });
    let mut section = Section::new(Area::Broker, format!("MQTT at {host}:{port}"));
    let (findings, stream) = reach::connect(host, port, patience).await;
    section.findings.extend(findings);
    let Some(stream) = stream else {
        section.add(not_visible());
        return (vec![section], None);
    };
    if secured {
        let foreign = Foreign {
            host,
            tls: &mqtt.tls,
            ca_key: "broker.mqtt.tls.ca",
            address_key: "broker.mqtt.url",
        };
        foreign.note(stream, patience, &mut section).await;
    } else if !reach::is_loopback(host) {
        let seen = "no TLS: passwords and events cross the network in the clear";
        section.add(Finding::warning("tls", seen).advise("write mqtts:// in broker.mqtt.url"));
    }
    let settings = MqttSettings {
        topic_prefix: broker.topic_prefix.clone(),
        broker: mqtt.clone(),
        process: super::COMMAND.to_owned(),
        instance: String::new(),
    };
    let seen = match look::look(&settings, patience).await {
        Err(why) => {
            section.add(Finding::fault("login", why).advise("see broker.mqtt"));
            None
        }
        Ok(sight) => {
            note(&sight, mqtt, &mut section);
            Some(MqttSeen { groups_without_slots: groups_without_slots(&sight, mqtt) })
        }
    };
    section.add(not_visible());
    (vec![section], seen)
}

/// What a client cannot see of a broker, and what its configuration should hold.
fn not_visible() -> Finding {
    let seen = "not seen from here: whether the broker keeps sessions and messages over a restart, how \
                many it queues, and whether its disk has room";
    let advice = "the broker's configuration should hold (mosquitto):\n\
                  persistence true\n\
                  autosave_interval 60\n\
                  max_queued_messages 0\n\
                  message_size_limit 2097152";
    Finding::note("durability", seen).advise(advice)
}

fn note(sight: &Sight, mqtt: &config::Mqtt, section: &mut Section) {
    let version = sight.version.as_deref().unwrap_or("MQTT 5, version not told");
    section.add(Finding::ok("login", format!("let in: {version}")));
    limits(&sight.limits, mqtt, section);
    for what in &sight.forbidden {
        let seen = format!("{what}: this user may not subscribe to them");
        section.add(Finding::note("records", seen));
    }
    slots(sight, mqtt, section);
    programs(sight, section);
}

fn limits(limits: &Limits, mqtt: &config::Mqtt, section: &mut Section) {
    let packet = limits.max_packet_bytes.map_or("packets of any size".to_owned(), |bytes| {
        format!("packets up to {}", units::bytes(bytes.into()))
    });
    let window = limits.receive_maximum.unwrap_or(u16::MAX);
    let seen = format!("{packet}, {window} unconfirmed publishes at once");
    let finding = match limits.max_packet_bytes {
        Some(bytes) if bytes < LARGEST_EVENT => Finding::warning("limits", seen)
            .advise("raise the broker's max_packet_size: events have up to 900 KiB"),
        _ => Finding::ok("limits", seen),
    };
    section.add(
        finding.fact("receiveMaximum", window).fact("maxPacketBytes", limits.max_packet_bytes),
    );
    let missing = [
        (limits.retains, "it retains no messages, which slots and marks need"),
        (limits.shares, "it has no shared subscriptions, which writers need"),
        (
            limits.max_qos.is_none_or(|qos| qos >= QOS),
            "it has no QoS 1, without which events are lost",
        ),
    ];
    for (is_there, seen) in missing {
        if !is_there {
            section.add(Finding::fault("limits", seen).advise("use another broker"));
        }
    }
    if let Some(expiry) = limits.session_expiry
        && u64::from(expiry) < mqtt.session_expiry.as_secs()
        // It was asked for none, and says so.
        && expiry != 0
    {
        let seen = format!(
            "it keeps a session for {} at most",
            units::duration(Duration::from_secs(expiry.into()))
        );
        let advice = "raise the broker's limit, or lower broker.mqtt.sessionExpiry to it";
        section.add(Finding::warning("limits", seen).advise(advice));
    }
}

fn slots(sight: &Sight, mqtt: &config::Mqtt, section: &mut Section) {
    for group in &mqtt.groups {
        let records = sight.slots.iter().filter(|((of, _), _)| of == group);
        let records: Vec<_> = records.map(|((_, number), record)| (*number, record)).collect();
        let owned = records.iter().filter(|(_, record)| record.owner.is_some()).count();
        let members = sight.members.iter().filter(|(of, _)| of == group);
        let members: Vec<_> =
            members.map(|(_, who)| format!("{} {}", who.process, who.instance)).collect();
        if records.is_empty() {
            let seen = format!(
                "the group {group} has no slot: the collector keeps its events until a writer comes"
            );
            section.add(Finding::note("slots", seen));
            continue;
        }
        let who = if members.is_empty() { "no writer".to_owned() } else { members.join(", ") };
        let seen = format!(
            "the group {group} has {} of {} slots, {owned} of them owned; online: {who}",
            records.len(),
            mqtt.consumer_slots
        );
        let finding = if owned == 0 {
            Finding::warning("slots", seen).advise("start a writer: nobody takes what waits")
        } else if owned < records.len() {
            let seen = format!("{seen}; those that nobody owns keep what waits in them");
            Finding::warning("slots", seen)
                .advise("look again in half a minute: writers adopt such slots")
        } else {
            Finding::ok("slots", seen)
        };
        section.add(
            finding.fact("slots", records.len()).fact("owned", owned).fact("writers", members),
        );
    }
}

fn programs(sight: &Sight, section: &mut Section) {
    let (mut online, mut offline) = (BTreeSet::new(), BTreeSet::new());
    for (who, is_online) in &sight.programs {
        let set = if *is_online { &mut online } else { &mut offline };
        set.insert(format!("{} {}", who.process, who.instance));
    }
    if online.is_empty() && offline.is_empty() {
        section.add(Finding::note("programs", "no program has said that it is there"));
        return;
    }
    let listed = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    let words = |set: &BTreeSet<String>| match set.len() {
        0 => "none".to_owned(),
        _ => listed(set).join(", "),
    };
    let seen = format!("online: {}; offline: {}", words(&online), words(&offline));
    section.add(
        Finding::ok("programs", seen)
            .fact("online", listed(&online))
            .fact("offline", listed(&offline))
            .fact("marks", sight.marks),
    );
}

fn groups_without_slots(sight: &Sight, mqtt: &config::Mqtt) -> Vec<String> {
    let has_slot = |group: &String| sight.slots.keys().any(|(of, _)| of == group);
    mqtt.groups.iter().filter(|group| !has_slot(group)).cloned().collect()
}
