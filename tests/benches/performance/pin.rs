//! Programs on cores of their own.

use std::process::{Command, Stdio};

use crate::machine::cores;

/// Cores that are left to everything else: the broker and InfluxDB or its stand-in.
const LEFT: usize = 1;

/// Which of several programs runs where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pinned {
    programs: usize,
}

impl Pinned {
    /// For so many programs; none when there are too few cores.
    pub(crate) fn of(programs: usize) -> Option<Self> {
        let cores = cores();
        (cores > 2 && cores >= programs + LEFT).then_some(Self { programs })
    }

    /// Keeps a program, by its number from 0, on its core: the last ones.
    pub(crate) fn pin(self, number: usize, id: u32) {
        let core = cores() - self.programs + number;
        taskset(&core.to_string(), id);
    }

    /// Keeps everything else off those cores.
    pub(crate) fn keep_off(self, id: u32) {
        taskset(&format!("0-{}", cores() - 1 - self.programs), id);
    }
}

/// Says for which numbers of programs there are too few cores.
pub(crate) fn say_when_not(numbers: &[usize]) {
    for programs in numbers.iter().filter(|programs| Pinned::of(**programs).is_none()) {
        println!(
            "Not pinned with {programs} writers: with the rest they need {} cores, and more than 2 \
             in any case; there are {}.",
            programs + LEFT,
            cores()
        );
    }
}

/// Lets a process run everywhere again.
pub(crate) fn release(id: u32) {
    taskset(&format!("0-{}", cores() - 1), id);
}

/// All threads of a process; those that it starts later do as the one that starts them.
fn taskset(cores: &str, id: u32) {
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", cores, &id.to_string()]);
    let status = command.stdout(Stdio::null()).status().expect("taskset, of util-linux");
    assert!(status.success(), "taskset {cores} {id}");
}
