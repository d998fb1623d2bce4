//! Footman's own programs, as an operator starts them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::patience::{PATIENCE, eventually_or_none};
use crate::process::{Process, Resident, free_port};

/// A page that takes so long will not come.
const PAGE_TIMEOUT: Duration = PATIENCE;

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

/// A directory with a configuration, in which programs run.
#[derive(Clone, Debug)]
pub struct House {
    directory: Arc<TempDir>,
    /// Where the programs are, when they are not those of this build.
    programs: Option<PathBuf>,
}

impl House {
    /// Writes the configuration; `text` is given the directory.
    pub fn new(text: impl FnOnce(&Path) -> String) -> Self {
        shared::lifecycle::install_crypto();
        let directory = Arc::new(tempfile::tempdir().unwrap());
        std::fs::write(directory.path().join("footman.yaml"), text(directory.path())).unwrap();
        Self { directory, programs: None }
    }

    /// The same with the programs of a directory, such as those of another build.
    #[must_use]
    pub fn with_programs(mut self, directory: PathBuf) -> Self {
        self.programs = Some(directory);
        self
    }

    /// The program `collector`, not started yet; its instance is `instance` and a number of its own.
    pub fn collector(&self, instance: &str) -> Running {
        self.collector_called(&format!("{instance}-{}", free_port()))
    }

    /// The program `collector`, not started yet, with an instance that others may have, too.
    pub fn collector_called(&self, instance: &str) -> Running {
        let page = free_port();
        let listen = ("FOOTMAN__COLLECTOR__HTTP__LISTEN", format!("127.0.0.1:{page}"));
        self.prepare("collector", &["--instance", instance], page, &[listen])
    }

    /// The program `writer`, not started yet; its instance is `instance` and a number of its own.
    pub fn writer(&self, instance: &str) -> Running {
        let page = free_port();
        let listen = ("FOOTMAN__WRITER__HTTP__LISTEN", format!("127.0.0.1:{page}"));
        let instance = format!("{instance}-{page}");
        self.prepare("writer", &["--instance", &instance], page, &[listen])
    }

    /// `footman run`, not started yet.
    pub fn footman(&self) -> Running {
        let page = free_port();
        let listen = ("FOOTMAN__COLLECTOR__HTTP__LISTEN", format!("127.0.0.1:{page}"));
        self.prepare("footman", &["run"], page, &[listen])
    }

    /// Runs `footman dead-letters` to its end: its exit code, and what it printed.
    pub async fn dead_letters(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(program("footman"));
        command
            .current_dir(self.directory.path())
            .arg("dead-letters")
            .args(arguments)
            .args(["--config", "footman.yaml"])
            .stdin(std::process::Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(printed).unwrap())
    }

    /// `footman tap` with this configuration, not started yet.
    pub fn tap(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("footman"));
        command.current_dir(self.directory.path());
        command.args(["tap", "--config", "footman.yaml"]).args(arguments);
        command
    }

    /// Where the configuration and everything that the programs keep lies.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn prepare(
        &self,
        name: &'static str,
        arguments: &[&str],
        page: u16,
        environment: &[(&'static str, String)],
    ) -> Running {
        Running {
            house: self.clone(),
            name,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: environment.to_vec(),
            page,
            process: None,
            client: reqwest::Client::builder().timeout(PAGE_TIMEOUT).build().unwrap(),
        }
    }
}

/// A program of Footman's; it ends with its handle.
#[derive(Debug)]
pub struct Running {
    house: House,
    name: &'static str,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    page: u16,
    process: Option<Process>,
    client: reqwest::Client,
}

/// `footman run`.
pub type FootmanRun = Running;

impl Running {
    /// Prepares `footman run` in a directory of its own; `configuration` gets the text of the
    /// section `broker` that keeps the program inside it.
    pub fn prepare(configuration: impl FnOnce(String) -> String) -> Self {
        let house = House::new(|directory| {
            let queue = directory.join("queue");
            configuration(format!(
                "  broker:\n    embedded: {{directory: \"{}\"}}\n",
                queue.display()
            ))
        });
        house.footman()
    }

    /// The same program with a further variable in its environment.
    #[must_use]
    pub fn with(mut self, variable: (&'static str, String)) -> Self {
        self.environment.push(variable);
        self
    }

    /// Starts the program (again) and waits until its pages answer.
    pub async fn start(&mut self) {
        self.start_with(&[]).await;
    }

    /// The same with further variables, for this start alone.
    pub async fn start_with(&mut self, variables: &[(&'static str, &str)]) {
        drop(self.process.take());
        let mut command = self.command(&[]);
        command.envs(variables.iter().copied());
        self.process = Some(Process::start(&mut command, &self.log()));
        let port = self.page;
        self.process().listens(port).await;
    }

    /// Starts the program (again) and waits for nothing.
    pub fn launch(&mut self) {
        drop(self.process.take());
        let mut command = self.command(&[]);
        self.process = Some(Process::start(&mut command, &self.log()));
    }

    /// The command that starts the program, with further arguments.
    pub fn command(&self, further: &[&str]) -> Command {
        let built = |directory: &PathBuf| directory.join(self.name);
        let path = self.house.programs.as_ref().map_or_else(|| program(self.name), built);
        let mut command = Command::new(path);
        command
            .current_dir(self.directory())
            .args(&self.arguments)
            .args(["--config", "footman.yaml"])
            .args(further)
            .envs(self.environment.iter().cloned());
        command
    }

    /// Its name: `collector`, `writer`, `footman`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The port of its pages.
    pub fn port(&self) -> u16 {
        self.page
    }

    /// Its process id; zero before its first start.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// The memory that it has.
    pub fn resident(&self) -> Resident {
        Resident::of(self.id())
    }

    /// Lets the peak of its memory begin anew.
    pub fn forget_peak(&self) {
        if let Some(process) = &self.process {
            process.forget_peak();
        }
    }

    /// The running program.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it was started")
    }

    /// Kills the program at once.
    pub fn kill(&mut self) {
        drop(self.process.take());
    }

    /// The instance name that the program was given.
    pub fn instance(&self) -> &str {
        self.arguments.last().map_or("", String::as_str)
    }

    /// The house in which it runs.
    pub fn house(&self) -> &House {
        &self.house
    }

    /// Where the program keeps its things.
    pub fn directory(&self) -> &Path {
        self.house.directory.path()
    }

    /// What the program has printed since its first start.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// A page of the program: its status and text.
    pub async fn page(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{}{path}", self.page);
        let answer = self.client.get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// Waits until `/readyz` says that every dependency is there.
    pub async fn ready(&self) {
        let report = Mutex::new(None);
        let becomes_ready = eventually_or_none(|| async {
            let page = self.page("/readyz").await;
            let is_ready = page.as_ref().is_some_and(|(status, _)| *status == 200);
            *report.lock().unwrap() = page;
            is_ready.then_some(())
        });
        let is_ready = becomes_ready.await.is_some();
        assert!(is_ready, "the {} is not ready: {report:?}\n{}", self.name, self.printed());
    }

    /// Why a dependency is missing, as `/readyz` says; none when it is there.
    pub async fn missing(&self, dependency: &str) -> Option<String> {
        let (_, text) = self.page("/readyz").await?;
        let report: Value = serde_json::from_str(&text).ok()?;
        report["dependencies"][dependency]["why"].as_str().map(str::to_owned)
    }

    /// The sum of a metric over its labels; none when the program has no such metric.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.page("/metrics").await?;
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let found = series.split('{').next()? == name;
            value.parse::<f64>().ok().filter(|_| found)
        });
        values.reduce(|sum, value| sum + value)
    }

    fn log(&self) -> PathBuf {
        self.directory().join(format!("{}-{}.printed", self.name, self.instance()))
    }
}
