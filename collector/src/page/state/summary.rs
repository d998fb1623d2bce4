//! The site in one sentence: what a wall shows from across the room.

use super::{DependencyRow, Level, Pipeline, ProgramRow, RepositoryRow, ServerRow, State, Summary};

/// Sums up; the levels of servers decide, and what is wrong besides them.
pub(in crate::page) fn summary(
    servers: &[ServerRow],
    repository: Option<&RepositoryRow>,
    dependencies: &[DependencyRow],
    programs: &[ProgramRow],
    pipeline: &Pipeline,
) -> Summary {
    let count = |is: fn(&ServerRow) -> bool| servers.iter().filter(|server| is(server)).count();
    let failing = count(|server| server.state == State::Failing);
    let saturated = count(|server| server.state == State::Saturated);
    let partly = count(|server| server.state != State::Failing && !server.failing.is_empty());
    let unknown = count(|server| server.level == Level::Idle);
    let ok = count(|server| server.level == Level::Good);
    let kinds = [
        (failing, "failing"),
        (partly, "failing in part"),
        (saturated, "saturated"),
        (unknown, "not polled yet"),
    ];
    let parts: Vec<String> = kinds
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, kind)| format!("{number} {kind}"))
        .collect();
    let total = servers.len();
    let words = match (total, ok) {
        (0, _) => "No server is polled.".to_owned(),
        (1, 1) => "The server is fine.".to_owned(),
        (total, ok) if total == ok => format!("All {total} servers are fine."),
        (1, _) => format!("The server is {}.", without_number(&parts)),
        (total, ok) => format!("{ok} of {total} servers are fine: {}.", parts.join(", ")),
    };
    let (besides, worst_besides) = besides(repository, dependencies, programs, pipeline);
    let worst = servers.iter().map(|server| server.level).max().unwrap_or(Level::Idle);
    let level = worst.max(worst_besides);
    let title = match (parts.first(), besides.first()) {
        (Some(part), _) if worst >= Level::Warn => part.clone(),
        (_, Some(wrong)) => wrong.trim_end_matches('.').to_owned(),
        (Some(part), None) => part.clone(),
        (None, None) => "all fine".to_owned(),
    };
    Summary {
        level,
        words,
        title,
        besides,
        servers: total,
        ok,
        failing,
        partly,
        saturated,
        unknown,
    }
}

fn without_number(parts: &[String]) -> String {
    let words = parts.iter().filter_map(|part| part.split_once(' '));
    words.map(|(_, kind)| kind).collect::<Vec<_>>().join(" and ")
}

/// What is wrong besides the servers, and how bad that is.
fn besides(
    repository: Option<&RepositoryRow>,
    dependencies: &[DependencyRow],
    programs: &[ProgramRow],
    pipeline: &Pipeline,
) -> (Vec<String>, Level) {
    let mut wrong = Vec::new();
    let mut level = Level::Good;
    let down: Vec<&str> =
        dependencies.iter().filter(|one| !one.up).map(|one| one.name.as_str()).collect();
    if !down.is_empty() {
        wrong.push(format!("Not ready: {}.", down.join(", ")));
        level = Level::Bad;
    }
    for program in programs.iter().filter(|program| program.level() > Level::Good) {
        let is = if program.connected { "does not do its work" } else { "is silent" };
        wrong.push(format!("The {} on {} {is}.", program.process, program.instance));
        level = level.max(program.level());
    }
    if repository.is_some_and(|repository| repository.failing.is_some()) {
        wrong.push("App names cannot be read.".to_owned());
        level = level.max(Level::Warn);
    }
    for (number, what) in [
        (pipeline.lost.unwrap_or(0), "lost"),
        (pipeline.unrecorded_polls, "not recorded"),
        (pipeline.dead_lettered.unwrap_or(0), "in the dead letters"),
    ] {
        if number > 0 {
            let events = if what == "not recorded" { "polls" } else { "events" };
            wrong.push(format!("{number} {events} {what} since the start."));
            level = level.max(Level::Warn);
        }
    }
    (wrong, level)
}
