//! Reading the configuration for a command, and saying what is wrong with it.

use std::path::Path;

use shared::config::{self, ConfigError, Loaded};

/// Reads the file under this process' environment, and prints what is wrong with it; warnings are
/// left to the caller, who may log them.
#[expect(clippy::print_stderr, reason = "it is read before logging begins")]
pub(crate) fn read(path: &Path) -> Result<Loaded, ConfigError> {
    let read = config::load(path, config::environment());
    if let Err(error) = &read {
        for warning in &error.warnings {
            eprintln!("warning: {warning}");
        }
        eprintln!("{error}");
    }
    read
}
