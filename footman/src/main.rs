//! The program `footman`.

use std::process::ExitCode;

fn main() -> ExitCode {
    footman::cli::main()
}
