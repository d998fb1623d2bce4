//! A real InfluxDB 1.x.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, free_port};

/// A running influxd with a directory of its own.
#[derive(Debug)]
pub struct Influxd {
    directory: TempDir,
    port: u16,
    process: Option<Process>,
    client: reqwest::Client,
}

impl Influxd {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        shared::lifecycle::install_crypto();
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut influxd = Self { directory, port, process: None, client: reqwest::Client::new() };
        influxd.configure("");
        influxd.restart().await;
        influxd
    }

    /// Writes its configuration, for its next start; `data` are lines of the section `data`.
    pub fn configure(&self, data: &str) {
        self.write_configuration(data, "");
    }

    /// The same with lines of the section `http`.
    pub fn configure_http(&self, http: &str) {
        self.write_configuration("", http);
    }

    fn write_configuration(&self, data: &str, http: &str) {
        let root = self.directory.path().display();
        let (port, rpc) = (self.port, free_port());
        let text = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{rpc}\"\n\
             [meta]\ndir = \"{root}/meta\"\n\
             [data]\ndir = \"{root}/data\"\nwal-dir = \"{root}/wal\"\nquery-log-enabled = false\n{data}\n\
             [monitor]\nstore-enabled = false\n\
             [http]\nbind-address = \"127.0.0.1:{port}\"\nlog-enabled = false\n{http}\n"
        );
        std::fs::write(self.directory.path().join("influxdb.conf"), text).unwrap();
    }

    /// Starts it (again) over the same data.
    pub async fn restart(&mut self) {
        drop(self.process.take());
        let mut command = Command::new("influxd");
        command.arg("-config").arg(self.directory.path().join("influxdb.conf"));
        let mut process = Process::start(&mut command, &self.directory.path().join("log"));
        process.listens(self.port).await;
        self.process = Some(process);
    }

    /// Kills it; its data stay.
    pub fn stop(&mut self) {
        drop(self.process.take());
    }

    /// The process, to be looked at.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its HTTP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs an InfluxQL query and gives the rows of all series, each with its columns, tags and
    /// `measurement` by name. Times are nanoseconds. An error of the database gives no rows.
    pub async fn rows(&self, database: &str, query: &str) -> Vec<Value> {
        let parameters = [("db", database), ("epoch", "ns"), ("q", query)];
        let url = format!("http://127.0.0.1:{}/query", self.port);
        let Ok(answer) = self.client.get(url).query(&parameters).send().await else {
            return Vec::new();
        };
        let answer: Value = answer.json().await.unwrap_or_default();
        let series = answer["results"][0]["series"].as_array().cloned().unwrap_or_default();
        series.iter().flat_map(rows_of).collect()
    }

    /// Runs an InfluxQL statement that changes something.
    pub async fn execute(&self, database: &str, statement: &str) {
        let parameters = [("db", database), ("q", statement)];
        let url = format!("http://127.0.0.1:{}/query", self.port);
        let answer = self.client.post(url).query(&parameters).send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(!text.contains("error"), "{statement}: {text}");
    }

    /// Writes lines as any other program might.
    pub async fn write(&self, database: &str, lines: &str) {
        let url = format!("http://127.0.0.1:{}/write", self.port);
        let request = self.client.post(url).query(&[("db", database)]).body(lines.to_owned());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
    }

    /// The first value of a query that gives one, e.g. a count; none without rows.
    pub async fn value(&self, database: &str, query: &str, column: &str) -> Option<Value> {
        self.rows(database, query).await.first().map(|row| row[column].clone())
    }
}

fn rows_of(series: &Value) -> Vec<Value> {
    let columns = series["columns"].as_array().unwrap();
    let row = |values: &Value| {
        let mut row = series["tags"].as_object().cloned().unwrap_or_default();
        row.insert("measurement".to_owned(), series["name"].clone());
        for (column, value) in columns.iter().zip(values.as_array().unwrap()) {
            row.insert(column.as_str().unwrap().to_owned(), value.clone());
        }
        Value::Object(row)
    };
    // Where there is nothing, there are no values either.
    series["values"].as_array().into_iter().flatten().map(row).collect()
}
