//! Footman's own programs, as an operator starts them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::patience::eventually;
use crate::process::{Process, free_port};

/// The path of a program of this workspace.
///
/// Cargo builds it for the tests of its own package, so `--workspace` has it fresh; tests lie in
/// `target/<profile>/deps`, programs one level above.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join(name);
    assert!(path.exists(), "{} is missing: run cargo build --workspace", path.display());
    path
}

/// `footman run` with a directory of its own.
#[derive(Debug)]
pub struct FootmanRun {
    directory: TempDir,
    page: u16,
    process: Option<Process>,
    client: reqwest::Client,
}

impl FootmanRun {
    /// Prepares a directory; `configuration` gets the text of the sections `broker` and
    /// `collector` that keep the program inside it.
    pub fn prepare(configuration: impl FnOnce(String) -> String) -> Self {
        shared::lifecycle::install_crypto();
        let directory = tempfile::tempdir().unwrap();
        let page = free_port();
        let queue = directory.path().join("queue");
        let sections = format!(
            "  broker:\n    embedded: {{directory: \"{}\"}}\n  collector:\n    http: {{listen: \
             \"127.0.0.1:{page}\"}}\n",
            queue.display()
        );
        let text = configuration(sections);
        std::fs::write(directory.path().join("footman.yaml"), text).unwrap();
        Self { directory, page, process: None, client: reqwest::Client::new() }
    }

    /// Starts the program (again) and waits until its pages answer.
    pub async fn start(&mut self) {
        self.launch();
        let port = self.page;
        self.process().listens(port).await;
    }

    /// Starts the program (again) and waits for nothing.
    pub fn launch(&mut self) {
        drop(self.process.take());
        let mut command = Command::new(program("footman"));
        command.current_dir(self.directory.path()).args(["run", "--config", "footman.yaml"]);
        self.process = Some(Process::start(&mut command, &self.directory.path().join("printed")));
    }

    /// The running program.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it was started")
    }

    /// Kills the program at once.
    pub fn kill(&mut self) {
        drop(self.process.take());
    }

    /// Where the program keeps its things.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What the program has printed since its first start.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("printed")).unwrap_or_default()
    }

    /// A page of the program: its status and text.
    pub async fn page(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{}{path}", self.page);
        let answer = self.client.get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// Waits until `/readyz` says that every dependency is there.
    pub async fn ready(&self) {
        eventually("the program to be ready", || async {
            self.page("/readyz").await.filter(|(status, _)| *status == 200)
        })
        .await;
    }

    /// Why a dependency is missing, as `/readyz` says; none when it is there.
    pub async fn missing(&self, dependency: &str) -> Option<String> {
        let (_, text) = self.page("/readyz").await?;
        let report: Value = serde_json::from_str(&text).ok()?;
        report["dependencies"][dependency]["why"].as_str().map(str::to_owned)
    }

    /// The sum of a metric over its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.page("/metrics").await.unwrap_or_default();
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let found = series.split('{').next()? == name;
            value.parse::<f64>().ok().filter(|_| found)
        });
        values.sum()
    }
}
