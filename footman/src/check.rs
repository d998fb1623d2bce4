//! `footman check`: the configuration as the programs read it.

use std::process::ExitCode;

use shared::lifecycle;

use crate::cli::ConfigArgs;
use crate::configuration;

/// Reports every mistake; warnings alone are no failure.
#[expect(clippy::print_stdout, reason = "the verdict is what the command is for")]
pub(crate) fn check(args: &ConfigArgs) -> ExitCode {
    match configuration::read(&args.config) {
        Ok(loaded) => {
            configuration::print_warnings(&loaded.warnings);
            let servers = loaded.config.collector.servers.len();
            let file = args.config.display();
            match loaded.warnings.len() {
                0 => println!("{file} is right: {servers} servers."),
                warnings => println!("{file} works: {servers} servers, {warnings} warnings."),
            }
            ExitCode::SUCCESS
        }
        Err(_printed) => lifecycle::wrong_config(),
    }
}
