//! How much memory this process has: what the system gave it, and what it allocated.

use std::sync::OnceLock;

use crate::event::ProcessMemory;

const BYTES_PER_KIB: u64 = 1_024;

/// The one allocator of this process, where its `main` installed one that counts.
static ALLOCATED: OnceLock<fn() -> usize> = OnceLock::new();

/// Takes `allocated` for what the program has allocated. Once, at the start.
pub fn counted_by(allocated: fn() -> usize) {
    // Only a second call can fail, and there is one allocator.
    let _already = ALLOCATED.set(allocated);
}

/// The memory now; what the system does not tell is 0, and without an allocator that counts the
/// resident set stands for what is allocated.
pub(super) fn now() -> ProcessMemory {
    let resident_bytes = resident();
    let allocated = ALLOCATED.get().and_then(|allocated| u64::try_from(allocated()).ok());
    ProcessMemory { resident_bytes, allocated_bytes: allocated.unwrap_or(resident_bytes) }
}

#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    resident_in(&status).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn resident() -> u64 {
    0
}

/// The resident set in the form of `/proc/self/status`: `VmRSS:     5432 kB`.
#[cfg(any(target_os = "linux", test))]
fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * BYTES_PER_KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read() {
        assert_eq!(resident_in("VmHWM:\t 7 kB\nVmRSS:\t   5432 kB\n"), Some(5_562_368));
        assert_eq!(resident_in("VmRSS:\t many kB\n"), None);
        assert_eq!(resident_in(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        let memory = now();
        assert!(memory.resident_bytes > BYTES_PER_KIB * BYTES_PER_KIB, "{memory:?}");
        // Nothing counts in a test, so that the other number is the same.
        assert_eq!(memory.allocated_bytes, memory.resident_bytes);
    }
}
