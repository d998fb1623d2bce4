//! What flows from polls to InfluxDB, and who carries it.

use std::time::Duration;

use shared::event::Counters;
use shared::heartbeat::HeardProgram;
use shared::readiness::ReadinessReport;

use super::{Pipeline, ProgramRow};

const MIB: u64 = 1024 * 1024;
/// A program that is silent for longer was taken away, or its container has another name now.
const REMEMBERED: Duration = Duration::from_hours(1);
/// Programs shown: far more than work on one site.
const MOST_PROGRAMS: usize = 100;

/// What this program itself counts.
#[derive(Clone, Copy, Debug)]
pub(in crate::page) struct Own<'a> {
    pub(in crate::page) process: &'a str,
    pub(in crate::page) instance: &'a str,
    pub(in crate::page) counters: Counters,
    pub(in crate::page) polls: u64,
    pub(in crate::page) failed_polls: u64,
    pub(in crate::page) unrecorded_polls: u64,
}

impl Own<'_> {
    fn is(&self, program: &HeardProgram) -> bool {
        program.beat.process == self.process && program.beat.instance == self.instance
    }
}

/// This program's counters as they are, those of the writers as their last heartbeats told.
pub(in crate::page) fn pipeline(
    own: &Own<'_>,
    ready: &ReadinessReport,
    heard: &[HeardProgram],
) -> Pipeline {
    let others = || heard.iter().filter(|program| !own.is(program) && is_remembered(program));
    let sum = |of: fn(&Counters) -> Option<u64>| {
        let all =
            others().filter_map(|program| of(&program.beat.counters)).chain(of(&own.counters));
        all.reduce(u64::saturating_add)
    };
    let unwritten = others().filter_map(|program| program.beat.counters.oldest_unwritten_s);
    let (outbox, backlog) = (ready.outbox.as_ref(), ready.backlog.as_ref());
    Pipeline {
        polls: own.polls,
        failed_polls: own.failed_polls,
        unrecorded_polls: own.unrecorded_polls,
        published: own.counters.published,
        confirmed: own.counters.confirmed,
        outbox: own.counters.outbox,
        outbox_per_second: outbox.map(|outbox| outbox.per_second),
        outbox_seconds_left: outbox.and_then(|outbox| outbox.seconds_left),
        backlog: backlog.and_then(|backlog| backlog.waiting).or_else(|| sum(|all| all.backlog)),
        backlog_per_second: backlog.map(|backlog| backlog.per_second),
        backlog_seconds_left: backlog.and_then(|backlog| backlog.seconds_left),
        oldest_unwritten_s: unwritten.chain(own.counters.oldest_unwritten_s).reduce(f64::max),
        stored: sum(|all| all.stored),
        dead_lettered: sum(|all| all.dead_lettered),
        redelivered: sum(|all| all.redelivered),
        failed_writes: sum(|all| all.failed_writes),
        lost: own.counters.lost,
    }
}

/// The programs that were heard, by name.
pub(in crate::page) fn programs(heard: &[HeardProgram]) -> Vec<ProgramRow> {
    let mut rows: Vec<ProgramRow> =
        heard.iter().filter(|program| is_remembered(program)).map(row).collect();
    rows.sort_by(|one, other| {
        (&one.process, &one.instance).cmp(&(&other.process, &other.instance))
    });
    rows.truncate(MOST_PROGRAMS);
    rows
}

fn is_remembered(program: &HeardProgram) -> bool {
    program.age <= REMEMBERED
}

fn row(program: &HeardProgram) -> ProgramRow {
    let beat = &program.beat;
    let counters = &beat.counters;
    ProgramRow {
        process: beat.process.clone(),
        instance: beat.instance.clone(),
        version: beat.version.clone(),
        connected: program.is_connected(),
        honest: beat.honest,
        why: beat.why.clone(),
        last_beat: program.time,
        started: beat.started,
        resident_mib: beat.memory.resident_bytes / MIB,
        published: counters.published,
        confirmed: counters.confirmed,
        outbox: counters.outbox,
        backlog: counters.backlog,
        oldest_unwritten_s: counters.oldest_unwritten_s,
        stored: counters.stored,
        dead_lettered: counters.dead_lettered,
        lost: counters.lost,
    }
}
