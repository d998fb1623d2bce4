//! A real InfluxDB 1.x as a child process, with a directory and ports of its own.
//!
//! It ends with the value that stands for it. Nothing here knows the writer.

#![expect(clippy::disallowed_types, reason = "tests start real servers")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{eventually, free_port, install_tls_provider};

/// How an influxd is set up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// `max-series-per-database`; none is its default.
    pub(crate) max_series: Option<usize>,
    /// `max-values-per-tag`; none is its default.
    pub(crate) max_values_per_tag: Option<usize>,
    /// Whether users must say who they are.
    pub(crate) auth: bool,
    /// Certificate and key in one PEM file, for https.
    pub(crate) certificate: Option<PathBuf>,
}

/// A running influxd.
#[derive(Debug)]
pub(crate) struct Influxd {
    child: Option<Child>,
    directory: TempDir,
    options: Options,
    http_port: u16,
    rpc_port: u16,
}

impl Influxd {
    /// Starts one and waits until it answers.
    pub(crate) async fn start(options: Options) -> Self {
        let mut influxd = Self {
            child: None,
            directory: tempfile::tempdir().unwrap(),
            options,
            http_port: free_port(),
            rpc_port: free_port(),
        };
        // Somebody else may take a port between its choice and its use.
        while !influxd.spawn().await {
            (influxd.http_port, influxd.rpc_port) = (free_port(), free_port());
        }
        influxd
    }

    /// Kills it (SIGKILL), which leaves its directory.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again on its directory and ports.
    pub(crate) async fn restart(&mut self, options: Options) {
        self.kill();
        self.options = options;
        assert!(self.spawn().await, "influxd does not start again");
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.options.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.http_port)
    }

    /// Runs InfluxQL, which must succeed, and gives the rows of its first statement.
    pub(crate) async fn query(&self, database: &str, statement: &str) -> Vec<Vec<Value>> {
        self.query_as(None, database, statement).await
    }

    /// As [`Self::query`], as a user.
    pub(crate) async fn query_as(
        &self,
        user: Option<(&str, &str)>,
        database: &str,
        statement: &str,
    ) -> Vec<Vec<Value>> {
        let mut url: url::Url = format!("{}/query", self.url()).parse().unwrap();
        url.query_pairs_mut()
            .append_pair("q", statement)
            .append_pair("db", database)
            .append_pair("epoch", "ns");
        let mut request = client().post(url);
        if let Some((name, password)) = user {
            request = request.basic_auth(name, Some(password));
        }
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let result = &answer["results"][0];
        assert!(answer["error"].is_null() && result["error"].is_null(), "{statement}: {answer}");
        let series = result["series"].as_array().cloned().unwrap_or_default();
        series
            .iter()
            .flat_map(|series| series["values"].as_array().unwrap().clone())
            .map(|row| row.as_array().unwrap().clone())
            .collect()
    }

    /// Writes lines as any other program might; they must be accepted.
    pub(crate) async fn write(&self, database: &str, lines: &str) {
        let mut url: url::Url = format!("{}/write", self.url()).parse().unwrap();
        url.query_pairs_mut().append_pair("db", database).append_pair("precision", "ns");
        let answer = client().post(url).body(lines.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
    }

    /// Starts it and waits until it answers; false when it ended by itself.
    async fn spawn(&mut self) -> bool {
        install_tls_provider();
        let path = self.directory.path().join("influxdb.conf");
        std::fs::write(&path, self.configuration()).unwrap();
        let log = std::fs::File::create(self.directory.path().join("influxd.log")).unwrap();
        let child = Command::new("influxd")
            .arg("-config")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(match child {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("influxd is not installed: run ./test, which installs what the tests need")
            }
            Err(error) => panic!("influxd cannot be started: {error}"),
        });
        let (ping, client) = (format!("{}/ping", self.url()), client());
        let child = self.child.as_mut().unwrap();
        eventually("influxd answers", async || {
            if child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let answer = client.get(&ping).send().await.ok()?;
            (answer.status() == 204).then_some(true)
        })
        .await
    }

    fn configuration(&self) -> String {
        let directory = |name: &str| quoted(&self.directory.path().join(name));
        let limit = |limit: Option<usize>| limit.unwrap_or(1_000_000);
        let https = match &self.options.certificate {
            Some(path) => {
                format!("https-enabled = true\nhttps-certificate = {}\n", quoted(path))
            }
            None => String::new(),
        };
        format!(
            "reporting-disabled = true\n\
             bind-address = \"127.0.0.1:{}\"\n\
             [meta]\ndir = {}\n\
             [data]\ndir = {}\nwal-dir = {}\n\
             max-series-per-database = {}\nmax-values-per-tag = {}\n\
             [http]\nbind-address = \"127.0.0.1:{}\"\nauth-enabled = {}\nlog-enabled = false\n{https}\
             [monitor]\nstore-enabled = false\n",
            self.rpc_port,
            directory("meta"),
            directory("data"),
            directory("wal"),
            limit(self.options.max_series),
            limit(self.options.max_values_per_tag),
            self.http_port,
            self.options.auth,
        )
    }
}

impl Drop for Influxd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_str().unwrap())
}

/// A client that takes any certificate: what it reads is compared anyway.
fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .build()
        .unwrap()
}
