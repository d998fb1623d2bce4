//! `footman run`: collector and writer in one process.

use std::process::ExitCode;
use std::sync::Arc;

use shared::instance::Instance;
use shared::lifecycle;
use shared::logging;
use tokio_util::sync::CancellationToken;

use crate::cli::ConfigArgs;
use crate::configuration;
use crate::pipeline::{self, Pipeline};

/// Polls, queues and stores until it is asked to end, or a part fails.
pub(crate) async fn run(args: ConfigArgs) -> anyhow::Result<ExitCode> {
    let Ok(loaded) = configuration::read(&args.config) else {
        return Ok(lifecycle::wrong_config());
    };
    let config = Arc::new(loaded.config);
    let given = config.collector.instance.as_deref();
    let instance = Instance::take(pipeline::PROCESS, given);
    let _logs = logging::init(&config.logging, pipeline::PROCESS, instance.name())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let shutdown = CancellationToken::new();
    lifecycle::shut_down_on_signals(shutdown.clone())?;
    Pipeline::start(config, instance).await?.until(shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
