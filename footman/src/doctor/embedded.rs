//! The embedded broker: its directory, whether a program runs on it, and its room.

use std::fs::{File, TryLockError};
use std::path::Path;

use shared::config::Embedded;

use super::disk;
use super::promise::EmbeddedSeen;
use super::report::{Area, Finding, Section};
use super::units;

/// What a running program holds.
const LOCK_FILE: &str = "lock";
/// A queue that is fuller than this part in ten is a warning.
const FULL_TENTHS: u64 = 8;

/// Looks at the directory; blocks.
pub(crate) fn look(embedded: &Embedded) -> (Section, EmbeddedSeen) {
    let directory = &embedded.directory;
    let mut section = Section::new(Area::Broker, format!("embedded, in {}", directory.display()));
    let used = disk::bytes_below(directory);
    let free = disk::free(directory);
    section.add(lock(directory));
    let most = embedded.max_bytes;
    let seen = format!(
        "{} of {}, kept for {}",
        units::bytes(used),
        units::bytes(most),
        units::duration(embedded.max_age)
    );
    let finding = if used >= most / 10 * FULL_TENTHS {
        Finding::warning("queue", seen)
            .advise("see why the writer does not store, or raise broker.embedded.maxBytes")
    } else {
        Finding::ok("queue", seen)
    };
    section.add(finding.fact("bytes", used).fact("maxBytes", most));
    section.add(room(free, most.saturating_sub(used)));
    (section, EmbeddedSeen { max_bytes: most, max_age: embedded.max_age, used, free })
}

fn lock(directory: &Path) -> Finding {
    if !directory.exists() {
        return Finding::note("lock", "the directory does not exist yet; `footman run` makes it");
    }
    let Ok(file) = File::open(directory.join(LOCK_FILE)) else {
        return Finding::ok("lock", "no program has used it yet");
    };
    // A lock that others may share, for a moment: it only says whether somebody has it alone.
    match file.try_lock_shared() {
        Ok(()) => {
            let _released = file.unlock();
            Finding::ok("lock", "no program is running on it")
        }
        Err(TryLockError::WouldBlock) => Finding::ok("lock", "a program is running on it"),
        Err(TryLockError::Error(error)) => Finding::note(
            "lock",
            format!("it cannot be told whether a program runs on it: {error}"),
        ),
    }
}

/// Whether the disk has the room that the configuration promises.
pub(crate) fn room(free: Option<u64>, wanted: u64) -> Finding {
    let Some(free) = free else {
        return Finding::note("room", "it cannot be told how much room the disk has");
    };
    let (has, wants) = (units::bytes(free), units::bytes(wanted));
    let seen = format!("the disk has {has} free, and up to {wants} more may be used");
    let finding = if free < wanted {
        Finding::warning("room", seen).advise("make room, or lower maxBytes to what the disk has")
    } else {
        Finding::ok("room", seen)
    };
    finding.fact("freeBytes", free)
}
