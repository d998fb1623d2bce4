//! The program `writer`.

use std::process::ExitCode;

fn main() -> ExitCode {
    writer::program::main()
}
