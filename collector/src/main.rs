//! The program `collector`.

use std::process::ExitCode;

fn main() -> ExitCode {
    collector::program::main()
}
