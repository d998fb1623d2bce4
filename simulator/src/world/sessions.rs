//! The people of the site and their sessions.
//!
//! Each virtual proxy of a node has places; a place is taken for a visit at a time, more likely when the day is busy.
//! A session is a browser login at that proxy, not an app connection, so it says nothing about the engine's sessions.

use std::sync::Arc;

use super::{
    Moment, World,
    chance::{ANONYMOUS, Chance, SESSION_ID, VISIT, VISIT_SHAPE, VISITOR},
    names,
};
use crate::ledger::Session;

/// The shortest visit and how much longer others are, in days: half an hour to three hours.
const SHORTEST_VISIT: f64 = 0.5 / 24.0;
const VISIT_RANGE: f64 = 2.5 / 24.0;

/// How much of its span a visit fills; then the place is empty.
const PRESENCE: f64 = 0.9;

/// One of so many users has a name that hurts.
const PER_HURTING_NAME: usize = 9;

/// One of so many visits to the first virtual proxy is anonymous.
const PER_ANONYMOUS: usize = 12;

const DIRECTORIES: [&str; 4] = ["CORP", "LAB", "corp", "EXT\\ERNAL"];

/// Someone who signs in.
#[derive(Clone, Debug)]
pub(super) struct User {
    directory: Arc<str>,
    id: Arc<str>,
}

pub(super) fn people(chance: Chance) -> Vec<User> {
    let directories: Vec<Arc<str>> = DIRECTORIES.iter().map(|name| Arc::from(*name)).collect();
    let plain = (0..names::PLAIN_USERS).map(|number| {
        // Most people are in the first directory.
        let draw = chance.below(8, &[VISITOR, number as u64]);
        let directory = directories.get(draw).or(directories.first());
        let id = if number % PER_HURTING_NAME == PER_HURTING_NAME - 1 {
            names::hurting_name(number / PER_HURTING_NAME)
        } else {
            names::plain_user_name(number)
        };
        User { directory: directory.cloned().unwrap_or_default(), id: id.into() }
    });
    let service = User { directory: "INTERNAL".into(), id: "sa_api".into() };
    plain.chain([service]).collect()
}

pub(super) fn at(
    world: &World,
    server: usize,
    virtual_proxy: usize,
    moment: Moment,
) -> Vec<Session> {
    (0..world.sessions)
        .filter_map(|place| {
            at_place(world, [server as u64, virtual_proxy as u64, place as u64], moment)
        })
        .collect()
}

fn at_place(world: &World, place: [u64; 3], moment: Moment) -> Option<Session> {
    let [server, virtual_proxy, number] = place;
    let chance = world.chance;
    let shape = [VISIT_SHAPE, server, virtual_proxy, number];
    let length = SHORTEST_VISIT + VISIT_RANGE * chance.unit(&shape);
    let phase = chance.unit(&[VISIT_SHAPE, server, virtual_proxy, number, 1]);
    let span = moment.span(length, phase);
    let began = Moment((span as f64 - phase) * length);
    if moment.days() - began.days() > length * PRESENCE {
        return None;
    }
    let visit = [VISIT, server, virtual_proxy, number, span];
    if chance.unit(&visit) >= world.calendar.load(began) {
        return None;
    }
    let user = visitor(world, [server, virtual_proxy, number, span]);
    let session_id = chance.guid(&[SESSION_ID, server, virtual_proxy, number, span]);
    Some(Session {
        user_directory: user.directory,
        user_id: user.id,
        session_id: session_id.into(),
    })
}

/// Who makes a visit: mostly someone who often comes, sometimes somebody without a name.
fn visitor(world: &World, [server, virtual_proxy, number, span]: [u64; 4]) -> User {
    let chance = world.chance;
    let question = [ANONYMOUS, server, virtual_proxy, number, span];
    if virtual_proxy == 0 && chance.below(PER_ANONYMOUS, &question) == 0 {
        let id = format!("anonymous{}", chance.guid(&question));
        return User { directory: "NONE".into(), id: id.into() };
    }
    // The square makes few users come often, so that some have several sessions.
    let draw = chance.unit(&[VISITOR, server, virtual_proxy, number, span]);
    #[expect(clippy::cast_possible_truncation, reason = "below the number of users")]
    #[expect(clippy::cast_sign_loss, reason = "a square is not negative")]
    let index = (draw * draw * world.users.len() as f64) as usize;
    world
        .users
        .get(index)
        .cloned()
        .unwrap_or_else(|| User { directory: "INTERNAL".into(), id: "sa_repository".into() })
}

pub(super) fn hurting(chance: Chance, server: usize, virtual_proxy: usize) -> Vec<Session> {
    (0..=names::HURTING_NAMES.len())
        .map(|number| {
            let place = [SESSION_ID, server as u64, virtual_proxy as u64, u64::MAX, number as u64];
            Session {
                user_directory: "LAB".into(),
                user_id: names::hurting_name(number).into(),
                session_id: chance.guid(&place).into(),
            }
        })
        .collect()
}
