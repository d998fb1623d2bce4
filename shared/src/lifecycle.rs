//! How a program begins and ends: its name, signals, exit codes.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

/// It failed at run time: a port in use, a part that died.
pub const EXIT_FAILED: u8 = 1;
/// It was called the wrong way.
pub const EXIT_USAGE: u8 = 64;
/// Its configuration is wrong.
pub const EXIT_CONFIG: u8 = 78;
/// A second SIGINT ended it at once.
const EXIT_SIGINT: i32 = 130;
/// A second SIGTERM ended it at once.
const EXIT_SIGTERM: i32 = 143;

/// Threads that run tasks, at most.
const MOST_WORKERS: usize = 4;

/// The exit code of a wrong configuration.
pub fn wrong_config() -> ExitCode {
    ExitCode::from(EXIT_CONFIG)
}

/// The name of this host, for programs whose instance has no name of its own.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_missing| std::fs::read_to_string("/etc/hostname"))
        .unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// Makes rustls use the one cryptography that Footman is built with. Once, at the start.
pub fn install_crypto() {
    // Only a second call can fail, and then the provider is there already.
    let _already = rustls::crypto::ring::default_provider().install_default();
}

/// Lets this process have as many open files as the system allows it: every kept connection is one,
/// and the usual soft limit of 1,024 is less than what 500 servers need.
pub fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        // Where it is refused the program works as far as the limit goes, and says what fails.
        let _refused = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// The runtime of a program.
///
/// Each thread of it costs memory for the allocator's arenas, and polls and writes wait far more
/// than they compute, so it has few even on a large machine.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(MOST_WORKERS))
        .enable_all()
        .build()
}

/// Cancels `shutdown` at the first SIGTERM or SIGINT; a second one ends the process at once.
pub fn shut_down_on_signals(shutdown: CancellationToken) -> std::io::Result<()> {
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("Shutting down: what is in hand is finished first. Again to end at once.");
        shutdown.cancel();
        end_at_once(signals.next().await);
    });
    Ok(())
}

/// The signals that ask a program to end.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one, and gives the exit code of a program that it ended.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => EXIT_SIGTERM,
            _ = self.interrupt.recv() => EXIT_SIGINT,
        }
    }
}

/// Ctrl-C and Ctrl-Break, and what the service control sends in their place.
#[cfg(windows)]
struct Signals {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c};
        Ok(Self { ctrl_c: ctrl_c()?, ctrl_break: ctrl_break()? })
    }

    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.ctrl_c.recv() => EXIT_SIGINT,
            _ = self.ctrl_break.recv() => EXIT_SIGTERM,
        }
    }
}

#[expect(clippy::exit, reason = "the operator asked twice")]
fn end_at_once(code: i32) -> ! {
    std::process::exit(code)
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    #[test]
    fn the_soft_limit_of_files_becomes_the_hard_one() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(256), maximum }).unwrap();
        raise_file_limit();
        let raised = getrlimit(Resource::Nofile);
        assert_eq!((raised.current, raised.maximum), (maximum, maximum));
    }
}
