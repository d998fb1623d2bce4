//! What processes use, as `/proc` tells it.

use crate::process::Resident;

/// Linux counts the time of processes in hundredths of a second, on every machine that matters.
const TICKS_PER_SECOND: f64 = 100.0;
/// Places in `/proc/ID/stat`, from the state on.
const PARENT: usize = 1;
/// Time in user mode and in the kernel, and both of children that have ended.
const TIMES: std::ops::Range<usize> = 11..15;

/// What of `/proc/ID/stat` follows the program's name, which may contain anything.
fn stat(id: u32) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    // The state is a letter, and some numbers are negative.
    Some(rest.split_whitespace().map(|word| word.parse().unwrap_or(0)).collect())
}

/// A process and all that it has started and that still run.
fn family(id: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u64)> = ids.filter_map(|id| Some((id, stat(id)?[PARENT]))).collect();
    let mut family = vec![id];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        let children = parents.iter().filter(|(_, of)| *of == u64::from(parent));
        family.extend(children.map(|(child, _)| *child));
        next += 1;
    }
    family
}

/// CPU seconds of a process and its children since its start; zero when it has ended.
pub fn cpu_seconds(id: u32) -> f64 {
    let times = |id| stat(id).map_or(0, |stat| stat[TIMES].iter().sum::<u64>());
    family(id).into_iter().map(times).sum::<u64>() as f64 / TICKS_PER_SECOND
}

/// CPU seconds of this process alone: the servers and programs are its children.
pub fn own_cpu_seconds() -> f64 {
    let times = stat(std::process::id()).unwrap_or_default();
    times[TIMES.start..TIMES.start + 2].iter().sum::<u64>() as f64 / TICKS_PER_SECOND
}

/// The most memory that a process and its children have had, in bytes: the sum of their peaks.
pub fn peak_bytes(id: u32) -> u64 {
    family(id).into_iter().map(|id| Resident::of(id).peak).sum()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::patience::eventually;
    use crate::process::Process;

    #[tokio::test]
    async fn whoever_is_started_counts_with_who_started_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // Whatever becomes of this test, it does not stay busy.
        command.args(["-c", "timeout 60 sh -c 'while :; do :; done' & wait"]);
        let mut shell = Process::start(&mut command, &folder.path().join("log"));
        eventually("a grandchild that is busy", || async {
            let family = family(shell.id());
            (family.len() == 3 && cpu_seconds(shell.id()) > 0.0).then_some(())
        })
        .await;
        let family = family(shell.id());
        assert!(peak_bytes(shell.id()) > Resident::of(family[2]).peak);
        let others = family[1..].iter().map(u32::to_string);
        Command::new("kill").args(others).status().unwrap();
        shell.ended().await;
        assert!(cpu_seconds(shell.id()).abs() < f64::EPSILON, "it has ended");
    }

    #[test]
    fn what_this_process_does_is_its_own() {
        let (before, started) = (own_cpu_seconds(), Instant::now());
        while own_cpu_seconds() - before < 0.02 {
            assert!(started.elapsed() < Duration::from_mins(1));
        }
    }
}
