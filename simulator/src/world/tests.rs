//! The world says the same to whoever asks, and lives a day that looks like one.

use super::*;

const BORN: Duration = Duration::from_secs(1_795_000_000);

/// Ten in the morning of 23 November 2026.
const MONDAY: Duration = Duration::from_hours(498_730);

fn world(seed: u64) -> World {
    World::new(&WorldConfig {
        seed,
        born: BORN,
        day: Duration::from_mins(10),
        apps: 120,
        sessions: 40,
        virtual_proxies: 2,
        nightly_restarts: true,
    })
}

/// Moments of the first day, at its 24 hours.
fn hours() -> impl Iterator<Item = Duration> {
    (0..24).map(|hour| BORN + Duration::from_secs(25 * hour))
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let (one, two, other) = (world(7), world(7), world(8));
    let mut differences = 0;
    for unix in hours() {
        let moment = one.moment(unix);
        let started = one.engine_start(1, moment);
        assert_eq!(one.engine(1, moment, started), two.engine(1, moment, started));
        assert_eq!(one.sessions(1, 0, moment), two.sessions(1, 0, moment));
        assert_eq!(one.apps(moment), two.apps(moment));
        differences += usize::from(one.sessions(1, 0, moment) != other.sessions(1, 0, moment));
    }
    assert!(differences > 12, "another seed lives the same life");
}

#[test]
fn the_day_begins_at_eight_and_its_nights_are_quiet() {
    let world = world(1);
    assert!((world.moment(BORN).hour() - 8.0).abs() < 0.001);
    let at = |seconds: u64| world.moment(BORN + Duration::from_secs(seconds));
    let (morning, night) = (at(50), at(450));
    assert!(world.load(0, morning) > 5.0 * world.load(0, night));
    assert!(world.sessions(0, 0, morning).len() > 2 * world.sessions(0, 0, night).len());
}

#[test]
fn sessions_come_and_go_and_keep_their_ids() {
    let world = world(1);
    let at = |seconds: u64| {
        let moment = world.moment(BORN + Duration::from_secs(seconds));
        world.sessions(0, 1, moment)
    };
    let (before, soon, later) = (at(60), at(61), at(200));
    let staying = before.iter().filter(|session| soon.contains(session)).count();
    assert!(staying * 10 > before.len() * 8, "{staying} of {} stay", before.len());
    assert!(before.iter().any(|session| !later.contains(session)));
}

#[test]
fn counters_grow_until_the_engine_restarts() {
    let world = world(3);
    let mut restarts = 0;
    let mut last: Option<EngineState> = None;
    for step in 0..600 {
        let moment = world.moment(BORN + Duration::from_secs(10 * step));
        let now = world.engine(0, moment, world.engine_start(0, moment));
        if let Some(last) = last {
            if now.started == last.started {
                assert!(now.calls >= last.calls && now.cache_lookups >= last.cache_lookups);
                assert!(now.cache_hits >= last.cache_hits && now.selections >= last.selections);
            } else {
                assert!(now.started > last.started && now.calls < last.calls);
                restarts += 1;
            }
        }
        last = Some(now);
    }
    assert!((1..10).contains(&restarts), "{restarts} restarts in ten days");
}

#[test]
fn apps_in_memory_hold_the_loaded_and_the_active_ones() {
    let world = world(1);
    for unix in hours() {
        let moment = world.moment(unix);
        let engine = world.engine(2, moment, world.engine_start(2, moment));
        assert!(engine.loaded_docs.iter().all(|id| engine.in_memory_docs.contains(id)));
        assert!(engine.active_docs.iter().all(|id| engine.loaded_docs.contains(id)));
        assert!(engine.session_active <= engine.session_total);
        assert!((0..=100).contains(&engine.cpu_total));
    }
}

#[test]
fn the_clock_of_a_real_day_is_the_clock_and_knows_weekends() {
    let world = World::new(&WorldConfig {
        seed: 1,
        born: BORN,
        day: Duration::from_hours(24),
        apps: 1,
        sessions: 1,
        virtual_proxies: 1,
        nightly_restarts: false,
    });
    let monday = world.moment(MONDAY);
    let sunday = world.moment(MONDAY.saturating_sub(Duration::from_hours(24)));
    assert!((monday.hour() - 10.0).abs() < 0.001);
    assert!(world.load(0, sunday) < 0.3 * world.load(0, monday));
    assert!(world.engine_start(0, monday) < BORN);
}

#[test]
fn names_that_hurt_are_all_there() {
    let names: Vec<String> =
        world(1).apps(Moment(20_000.5)).into_iter().map(|app| app.name).collect();
    assert!(names.iter().any(|name| name.ends_with('\\')));
    assert!(names.iter().any(|name| name.contains('\n')));
    assert!(names.iter().any(|name| name.contains('"')));
    assert!(names.iter().any(|name| name.contains('📈')));
    assert!(names.iter().any(|name| name.chars().count() >= 300));
}
