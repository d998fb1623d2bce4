//! A program of ours as a device: the values of its topic.

use shared::heartbeat::HeardProgram;

use super::device::Device;
use super::entity::{Available, Entity};
use super::names::level;
use super::site::Place;

/// A program beats each 30 s; its numbers are nobody's after four beats.
const EXPIRY_S: u64 = 120;

/// Programs that poll: they tell of themselves and of all others, and the broker says when they are
/// gone.
const COLLECTING: [&str; 2] = ["collector", "footman"];
/// Programs that store.
const STORING: [&str; 2] = ["writer", "footman"];

/// Whether a program tells of others.
pub(super) fn tells(program: &HeardProgram) -> bool {
    COLLECTING.contains(&&*program.beat.process)
}

/// A program.
pub(super) fn device(program: &HeardProgram, place: &Place<'_>) -> Device {
    let (process, instance) = (&program.beat.process, &program.beat.instance);
    let identity = place.topics.program(process, instance);
    let mut entities = vec![connected(program, place)];
    let mut numbers = Vec::new();
    if COLLECTING.contains(&&**process) {
        numbers.extend([
            events("outbox", "Outbox").icon("mdi:tray-full"),
            count("published", "Published", "published"),
            count("confirmed", "Confirmed", "confirmed"),
            count("lost", "Lost", "lost"),
        ]);
    }
    if STORING.contains(&&**process) {
        numbers.extend([
            events("backlog", "Backlog").icon("mdi:tray-full"),
            Entity::number("oldest_unwritten", "Oldest unwritten", "oldest_unwritten_s", "s")
                .class("duration")
                .decimals(0)
                .diagnostic(),
            count("delivered", "Delivered", "delivered"),
            count("stored", "Stored", "stored"),
            count("dead_letters", "Dead letters", "dead_lettered"),
            count("redelivered", "Redelivered", "redelivered"),
            Entity::counter("failed_writes", "Failed writes", "failed_writes", "requests")
                .decimals(0)
                .icon("mdi:database-alert-outline"),
        ]);
    }
    numbers.push(
        Entity::trouble_unless("trouble", "Trouble", "honest")
            .attributes(&identity, &[("why", "why")]),
    );
    numbers.push(Entity::memory("memory", "Memory", "resident_mib").diagnostic());
    entities.extend(numbers.into_iter().map(|entity| entity.expires_after(Some(EXPIRY_S))));
    entities.extend([
        Entity::text("version", "Version", "version").icon("mdi:tag-outline"),
        Entity::time("started", "Started", "started"),
        Entity::time("last_beat", "Last beat", "last_beat"),
    ]);
    Device {
        // Both names are levels of its topic, and no server's token has a slash.
        place: [level(place.prefix), level(&format!("{process}/{instance}"))],
        name: format!("Footman {process} {instance}"),
        manufacturer: "Footman",
        model: process.clone(),
        version: Some(program.beat.version.clone()),
        tellers: place.tellers(),
        available: None,
        identity,
        entities,
    }
}

/// Of a program that has a last will, that is quicker than missing beats, and the only word about
/// who tells of all others.
fn connected(program: &HeardProgram, place: &Place<'_>) -> Entity {
    let (key, name) = ("connected", "Connected");
    if tells(program) {
        let (process, instance) = (&program.beat.process, &program.beat.instance);
        return Entity::connected(key, name, &place.topics.status(process, instance));
    }
    Entity::flag(key, name, "connected", "connectivity").available(Available::WithItsTeller)
}

fn events(member: &str, name: &str) -> Entity {
    Entity::number(member, name, member, "events").decimals(0)
}

fn count(key: &str, name: &str, member: &str) -> Entity {
    Entity::counter(key, name, member, "events").decimals(0).icon("mdi:counter")
}
