//! The program `footman`.

use std::alloc::System;
use std::process::ExitCode;

use cap::Cap;
use shared::heartbeat::memory;

/// Counts what is allocated, for heartbeats, and limits nothing.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    memory::counted_by(|| ALLOCATOR.allocated());
    footman::cli::main()
}
