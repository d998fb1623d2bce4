//! The frame around `collector` and `writer`: arguments, configuration, logs, pages, signals, end.
//!
//! A program only says which parts it has; everything that both do alike is here, in the order in
//! which it happens.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, Loaded};
use crate::instance::{self, Instance};
use crate::lifecycle::{self, EXIT_FAILED, EXIT_USAGE};
use crate::logging;
use crate::outbox::Outbox;
use crate::readiness::Readiness;
use crate::stages::{Cause, Drain, Stages};
use crate::status::{self, Status};
use crate::tls::Expiry;

/// How long `--health` waits for the running program.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
/// What a program says of itself fits into this.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// What makes one program different from the other.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name on the command line, in logs, events and points.
    pub process: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The instance name that its section gives.
    pub instance: fn(&Config) -> Option<&str>,
    /// Where its pages are, and how many further ports may be tried.
    pub listen: fn(&Config) -> (SocketAddr, u16),
}

/// What every program has, for its parts to be added.
#[derive(Debug)]
pub struct Frame {
    /// The configuration.
    pub config: Arc<Config>,
    /// The name among programs of its kind.
    pub instance: Instance,
    /// What it depends on.
    pub readiness: Readiness,
    /// What it counts.
    pub registry: Registry,
    /// Its parts, in the order in which they stop.
    pub stages: Stages,
    /// Pages of its parts, beside those that every program has.
    pub pages: axum::Router,
    /// What it has to tell of at its end, if it publishes from an outbox.
    pub outbox: Option<Outbox>,
}

impl Frame {
    /// A program without parts.
    pub fn new(config: Arc<Config>, instance: Instance) -> Self {
        let (readiness, mut registry) = (Readiness::default(), Registry::default());
        registry.register_collector(Box::new(readiness.clone()));
        let (stages, pages) = (Stages::default(), axum::Router::new());
        Self { config, instance, readiness, registry, stages, pages, outbox: None }
    }

    /// Shows under the prefix of a part when certificates end, and warns before they do.
    pub fn watch_expiry(&mut self, part: &str, expiry: Expiry) {
        let registry = self.registry.sub_registry_with_prefix(part);
        registry.register_collector(Box::new(expiry.clone()));
        self.stages.spawn("watch over certificates", |stop| expiry.warn(stop));
    }
}

#[derive(Debug, Parser)]
struct Arguments {
    /// The configuration: one YAML file for all programs.
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// The name among several of its kind, in place of the one in the configuration.
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// Ask the running program whether it is alive, and exit with 0 or 1.
    #[arg(long)]
    health: bool,
}

/// Runs a program to its end; `build` adds its parts.
pub fn main<F>(program: &Program, build: impl FnOnce(Frame) -> F) -> ExitCode
where
    F: Future<Output = Result<Frame, Cause>>,
{
    let arguments = match arguments(program) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    lifecycle::install_crypto();
    lifecycle::raise_file_limit();
    let Some(loaded) = load(&arguments) else {
        return lifecycle::wrong_config();
    };
    let given = arguments.instance.as_deref().or_else(|| (program.instance)(&loaded.config));
    if arguments.health {
        return health(program, &loaded.config, given);
    }
    if loaded.config.needs_one_process() {
        say(&needs_a_broker(program.process));
        return lifecycle::wrong_config();
    }
    let instance = Instance::take(program.process, given);
    let ended = lifecycle::runtime().map_err(Cause::from).and_then(|runtime| {
        let ended = runtime.block_on(run(program, loaded, instance, build));
        // What is still open had its time; a thread that hangs must not keep the process.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            say(&format!("{}: {}", program.process, chain(&*cause)));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

async fn run<F>(
    program: &Program,
    loaded: Loaded,
    instance: Instance,
    build: impl FnOnce(Frame) -> F,
) -> Result<(), Cause>
where
    F: Future<Output = Result<Frame, Cause>>,
{
    let config = Arc::new(loaded.config);
    let name = instance.name().to_owned();
    let _logs = logging::init(&config.logging, program.process, &name)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let shutdown = CancellationToken::new();
    lifecycle::shut_down_on_signals(shutdown.clone())?;
    let (wanted, spare) = (program.listen)(&config);
    let listener = status::listen(wanted, spare).await?;
    let address = listener.local_addr()?;
    instance.answers_at(address);
    let grace = config.shutdown_grace;
    let frame = Frame::new(config, instance);
    let frame = build(frame).await?;
    let Frame { instance: _named, readiness, registry, mut stages, pages, outbox, .. } = frame;
    let pages = status::router(Status { readiness, metrics: Arc::new(registry) }).merge(pages);
    stages.spawn("pages", |stop| status::serve(listener, pages, stop));
    let (process, version) = (program.process, program.version);
    tracing::info!(process, version, instance = name, page = %format!("http://{address}/"), "Started.");
    if stages.until(shutdown, grace).await? == Drain::CutShort {
        tracing::warn!(
            ?grace,
            "The drain took longer than shutdownGrace and was cut short; what is not acked stays with the broker."
        );
    }
    say_goodbye(outbox.as_ref()).await;
    Ok(())
}

/// The last line says what is left for the next start.
async fn say_goodbye(outbox: Option<&Outbox>) {
    let Some(outbox) = outbox else {
        tracing::info!("Goodbye.");
        return;
    };
    outbox.flush().await;
    match outbox.depth() {
        0 => tracing::info!("Everything that was polled is with the broker. Goodbye."),
        waiting => {
            tracing::info!(waiting, "Events wait in the outbox for the next start. Goodbye.");
        }
    }
}

fn arguments(program: &Program) -> Result<Arguments, ExitCode> {
    let command =
        Arguments::command().name(program.process).about(program.about).version(program.version);
    let parsed =
        command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|asked_or_wrong| {
        // Nothing can be done when even the terminal is gone.
        let _gone = asked_or_wrong.print();
        let wrong = asked_or_wrong.use_stderr();
        if wrong { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
    })
}

fn load(arguments: &Arguments) -> Option<Loaded> {
    match config::load(&arguments.config, config::environment()) {
        Ok(loaded) => Some(loaded),
        Err(error) => {
            for warning in &error.warnings {
                say(&format!("warning: {warning}"));
            }
            say(&error.to_string());
            None
        }
    }
}

fn needs_a_broker(process: &str) -> String {
    format!(
        "broker.type is embedded, which needs collector and writer in one process. Run `footman \
         run` instead of `{process}`, or name a broker that both can reach:\n\n  \
         Butler-SOS:\n    broker:\n      type: nats\n      nats: {{ servers: \
         [\"nats://127.0.0.1:4222\"] }}\n"
    )
}

/// Asks the running program, where it wrote down that it answers or is configured to.
fn health(program: &Program, config: &Config, given: Option<&str>) -> ExitCode {
    let (configured, _) = (program.listen)(config);
    let address = instance::address_of(program.process, given).unwrap_or(configured);
    match ask(reachable(address), "/healthz", HEALTH_TIMEOUT) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200") => {
            ExitCode::SUCCESS
        }
        Ok(answer) => {
            let status = answer.lines().next().unwrap_or_default();
            say(&format!("http://{address}/healthz answers {status}"));
            ExitCode::from(EXIT_FAILED)
        }
        Err(error) => {
            say(&format!("http://{address}/healthz cannot be reached: {error}"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// An address that means every interface is asked on the loopback one.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

/// Asks a program for one of its pages, and gives head and body of the answer as they came. Each step
/// may take `patience`; blocks.
///
/// # Errors
/// No connection, or no text in time.
pub fn ask(address: SocketAddr, path: &str, patience: Duration) -> std::io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, patience)?;
    connection.set_read_timeout(Some(patience))?;
    connection.set_write_timeout(Some(patience))?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[expect(clippy::print_stderr, reason = "logging has not begun, or has ended")]
fn say(text: &str) {
    eprintln!("{text}");
}
