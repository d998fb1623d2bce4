//! Child processes of the tests.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::patience::{PATIENCE, eventually};
pub use crate::ports::free_port;

/// A child process, killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// The memory of a process, in bytes; zero when it has ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resident {
    /// Now, its program's text included.
    pub now: u64,
    /// The most since its start, or since [`Process::forget_peak`].
    pub peak: u64,
    /// Now, without what belongs to a file.
    pub own: u64,
}

impl Resident {
    /// Of a process, by its id.
    pub fn of(id: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
            kib.map_or(0, |kib: u64| kib * 1_024)
        };
        Self { now: bytes("VmRSS:"), peak: bytes("VmHWM:"), own: bytes("RssAnon:") }
    }

    /// The most, less what belongs to a file now: a program that is built for tests is large.
    pub fn own_peak(self) -> u64 {
        self.peak.saturating_sub(self.now.saturating_sub(self.own))
    }
}

impl Process {
    /// Starts a program; what it prints goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let program = command.get_program().to_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{} does not start ({error}); ./test installs it", program.display())
            });
        Self { child, log: log.to_owned() }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }

    /// Asks it to end (SIGTERM) and waits for its end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends a signal by name, e.g. `STOP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(sent.success(), "kill -{name} {id}");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.printed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it has printed.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The memory that it has.
    pub fn resident(&self) -> Resident {
        Resident::of(self.id())
    }

    /// Lets the peak begin anew.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.id()), "5").unwrap();
    }

    /// Waits until something listens at a loopback port.
    pub async fn listens(&mut self, port: u16) {
        let log = self.log.clone();
        eventually(&format!("a listener at port {port}"), || {
            let ended = self.child.try_wait().unwrap();
            let log = log.clone();
            async move {
                if let Some(status) = ended {
                    let printed = std::fs::read_to_string(log).unwrap_or_default();
                    panic!("it ended with {status}:\n{printed}");
                }
                tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
            }
        })
        .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
