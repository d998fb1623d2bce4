//! Hundreds of small disasters in simulated time, after each of which the group is whole again.
//!
//! `FOOTMAN_SEED=7 cargo test -p shared council -- --nocapture` plays a single one again and tells
//! what happens; `FOOTMAN_SEEDS=5000` plays more of them.

mod broker;
mod program;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt as _;

use super::Moment;
use world::World;

/// How many disasters.
const SEEDS: u64 = 200;
/// How often writers join and leave without a disaster.
const JOINS: u64 = 40;
/// What is allowed between the last fault and a group that is whole: a silent death, its keep-alive,
/// one hand-over after the other with their longest waits, a retirement.
const RECOVERY: Duration = Duration::from_mins(2);
/// And then nothing moves for this long.
const PEACE: Duration = Duration::from_secs(30);
/// Connections as one slot that a recovery may take for each program, at most.
const MOST_TAKEOVERS: usize = 4;

#[test]
fn a_group_is_whole_again_after_any_disaster() {
    #[expect(clippy::disallowed_methods, reason = "it is no setting of the programs")]
    let given = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let one = given("FOOTMAN_SEED");
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None => 0..given("FOOTMAN_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        println!("FOOTMAN_SEED={seed}");
        let mut world = World::new(seed);
        world.is_told = one.is_some();
        disaster(&mut world);
        world.recovers(seed);
    }
}

#[test]
fn one_three_and_one_again() {
    for seed in 0..JOINS {
        println!("joins of seed {seed}");
        let mut world = World::new(seed);
        world.longest_delay_ms = 30;
        one_three_one(&mut world);
    }
}

/// Nobody is slow and nothing fails: no slot moves more often than it must.
fn one_three_one(world: &mut World) {
    world.start("a", 4);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.counts(), [4]);
    assert!(world.broker.slot_connections <= 4);
    world.start("b", 4);
    world.start("c", 4);
    world.run_for(Duration::from_secs(40));
    assert_eq!(world.counts(), [1, 1, 2]);
    assert!(world.broker.slot_connections <= 4 + 2, "{}", world.broker.slot_connections);
    let ids: Vec<usize> = world.programs.keys().copied().collect();
    world.leave(ids[1]);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.counts(), [2, 2]);
    assert!(world.broker.slot_connections <= 4 + 2 + 2, "{}", world.broker.slot_connections);
    world.kill(ids[0]);
    world.run_for(Duration::from_mins(1));
    assert_eq!(world.counts(), [4]);
    world.leave(ids[2]);
    world.run_for(Duration::from_secs(5));
    assert!(world.owners().is_empty());
    let tenures = world.broker.tenures();
    assert_eq!(tenures.len(), 4, "the records outlive the last writer");
    assert!(tenures.values().all(|tenure| tenure.owner.is_none() && tenure.released));
}

/// Programs come and go, and everything breaks that can.
fn disaster(world: &mut World) {
    let slots = world.random.random_range(1..=6);
    let mut names = 0;
    for _ in 0..world.random.random_range(1..=4) {
        start(world, &mut names, slots);
    }
    for _ in 0..world.random.random_range(3..=14) {
        let pause = world.random.random_range(1..=12_000);
        world.run_for(Duration::from_millis(pause));
        let programs: Vec<usize> = world.programs.keys().copied().collect();
        let any =
            (!programs.is_empty()).then(|| programs[world.random.random_range(0..programs.len())]);
        let lasts = Duration::from_millis(world.random.random_range(100..=40_000));
        match (world.random.random_range(0..11), any) {
            (0 | 1, _) | (_, None) => {
                // Sometimes with another configuration.
                let other = world.random.random_range(1..=6);
                let slots = if world.random.random_bool(0.2) { other } else { slots };
                start(world, &mut names, slots);
            }
            (2 | 3, Some(id)) => world.kill(id),
            (4, Some(id)) => {
                if !world.programs[&id].is_leaving {
                    world.leave(id);
                }
            }
            (5, Some(id)) => world.cut(id, lasts),
            (6, Some(id)) => {
                world.programs.get_mut(&id).unwrap().stopped_until = world.now + lasts;
            }
            (7, _) => world.restart_broker(),
            (8, _) => world.kill_broker(),
            (9, _) => world.broker.save(),
            (_, _) => {
                let connections = world.connections();
                if !connections.is_empty() {
                    let one = world.random.random_range(0..connections.len());
                    world.break_connection(connections[one]);
                }
            }
        }
    }
    while world.programs.values().all(|program| program.is_leaving) {
        start(world, &mut names, slots);
    }
    // What is cut or stopped is a fault until it ends.
    let programs = world.programs.values();
    let last = programs.map(|program| program.cut_until.max(program.stopped_until)).max();
    let wait = last.unwrap_or_default().saturating_sub(world.now);
    world.run_for(wait);
}

fn start(world: &mut World, names: &mut usize, slots: u16) {
    // Sometimes one that was there before comes back.
    let again = *names > 0 && world.random.random_bool(0.4);
    let name = if again { world.random.random_range(0..*names) } else { *names };
    let name = format!("{name}");
    if world.programs.values().any(|program| program.record.who.instance == name) {
        return;
    }
    if !again {
        *names += 1;
    }
    world.start(&name, slots);
}

impl World {
    fn run_for(&mut self, time: Duration) {
        let end: Moment = self.now + time;
        self.run_until(end);
    }

    /// How many slots each program is connected as, in rising order.
    fn counts(&self) -> Vec<usize> {
        let mut counts: BTreeMap<usize, usize> = self.programs.keys().map(|&id| (id, 0)).collect();
        for owner in self.owners().values() {
            *counts.entry(*owner).or_default() += 1;
        }
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable();
        counts
    }

    fn recovers(&mut self, seed: u64) {
        let before = self.broker.slot_connections;
        self.run_for(RECOVERY);
        let slots = self.programs.values().map(|program| program.record.slots).max().unwrap();
        let owners = self.owners();
        let expected: Vec<u16> = (0..slots).collect();
        let state = format!("seed {seed}: {:?} {:#?}", owners, self.broker.tenures());
        assert_eq!(owners.keys().copied().collect::<Vec<_>>(), expected, "{state}");
        let recorded: Vec<u16> = self.broker.tenures().into_keys().collect();
        assert_eq!(recorded, expected, "{state}");
        for (slot, owner) in &owners {
            let owner = &self.programs.get(owner).unwrap_or_else(|| panic!("a dead one: {state}"));
            let standing = owner.council.standing().unwrap();
            assert!(standing.owned.contains(slot), "{slot}: {state}");
            assert_eq!(self.broker.tenures()[slot].owner.as_ref(), Some(&owner.name), "{state}");
        }
        let counts = self.counts();
        assert!(counts[counts.len() - 1] - counts[0] <= 1, "{counts:?} {state}");
        let takeovers = self.broker.slot_connections - before;
        let most = MOST_TAKEOVERS * usize::from(self.most_slots) * self.programs.len();
        assert!(takeovers <= most, "{takeovers} takeovers: {state}");
        self.run_for(PEACE);
        let moved = self.broker.slot_connections - before - takeovers;
        assert_eq!(moved, 0, "{state}");
        assert_eq!(self.owners(), owners, "{state}");
    }
}
