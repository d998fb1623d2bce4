//! A real Prometheus server, and its tool.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::patience::PATIENCE;
use crate::process::{Process, free_port};

/// A Prometheus server that scrapes; it ends with its handle.
#[derive(Debug)]
pub struct Prometheus {
    _directory: TempDir,
    _process: Process,
    port: u16,
    client: reqwest::Client,
}

/// One series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric.
    pub name: String,
    /// The labels besides, those of the target among them.
    pub labels: BTreeMap<String, String>,
    /// Its newest value.
    pub value: f64,
}

impl Sample {
    /// A label; empty when there is none, as Prometheus has it.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

impl Prometheus {
    /// Starts one that scrapes `/metrics` at these loopback ports twice a second.
    pub async fn start(job: &str, ports: &[u16]) -> Self {
        shared::lifecycle::install_crypto();
        let directory = tempfile::tempdir().unwrap();
        let targets: Vec<String> =
            ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
        let targets = targets.join(", ");
        let config = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms }}\n\
             scrape_configs:\n  - job_name: {job}\n    static_configs: [{{ targets: [{targets}] }}]\n"
        );
        let (file, port) = (directory.path().join("prometheus.yml"), free_port());
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("store").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start(&mut command, &directory.path().join("log"));
        process.listens(port).await;
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { _directory: directory, _process: process, port, client }
    }

    /// The newest samples of all series that an expression selects; none while it is not ready.
    pub async fn query(&self, expression: &str) -> Vec<Sample> {
        let mut url = self.url("/api/v1/query");
        url.query_pairs_mut().append_pair("query", expression);
        let Ok(answer) = self.client.get(url).send().await else { return Vec::new() };
        let Ok(answer) = answer.text().await else { return Vec::new() };
        let Ok(answer) = serde_json::from_str::<Value>(&answer) else { return Vec::new() };
        assert!(answer["status"] == "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().iter().map(sample).collect()
    }

    /// What it says of itself, by name and labels as it writes them.
    pub async fn own(&self, series: &str) -> Option<f64> {
        let answer = self.client.get(self.url("/metrics")).send().await.ok()?.text().await.ok()?;
        let value = answer.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value?.parse().ok()
    }

    /// Why its targets cannot be scraped, for the message of a test that fails.
    pub async fn errors(&self) -> String {
        let url = self.url("/api/v1/targets");
        let Ok(answer) = self.client.get(url).send().await else { return String::new() };
        answer.text().await.unwrap_or_default()
    }

    fn url(&self, path: &str) -> url::Url {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }
}

fn sample(result: &Value) -> Sample {
    let mut labels: BTreeMap<String, String> =
        serde_json::from_value(result["metric"].clone()).unwrap();
    Sample {
        name: labels.remove("__name__").unwrap_or_default(),
        labels,
        value: result["value"][1].as_str().unwrap().parse().unwrap(),
    }
}

/// Runs `promtool` in a directory with this on its standard input, and demands that it finds
/// nothing to say no to.
pub fn promtool(directory: &Path, arguments: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool does not start; ./test installs it");
    // It reads everything before it says anything.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "promtool {arguments:?}: {printed}\n{input}");
}
