//! Reading the configuration for a command, and saying what is wrong with it.

use std::path::Path;

use shared::config::{self, ConfigError, Loaded};

/// Reads the file under this process' environment, and prints what is unwise or wrong.
#[expect(clippy::print_stderr, reason = "it is read before logging begins")]
pub(crate) fn read(path: &Path) -> Result<Loaded, ConfigError> {
    let read = config::load(path, config::environment());
    let warnings = match &read {
        Ok(loaded) => &loaded.warnings,
        Err(error) => &error.warnings,
    };
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    if let Err(error) = &read {
        eprintln!("{error}");
    }
    read
}
