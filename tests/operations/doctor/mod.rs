//! `footman doctor` against a simulated site and real servers, as an operator runs it.

mod brokers;
mod influxdb;
mod site;

use std::path::Path;
use std::process::{Command, Stdio};

use integration_tests::programs::program;
use serde_json::Value;
use tempfile::TempDir;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// What it printed to both streams.
    pub(crate) printed: String,
    /// The report; null when it was not asked for in JSON.
    pub(crate) report: Value,
}

/// Runs the command in `directory` to its end.
async fn run(directory: &Path, arguments: &[&str]) -> Looked {
    let mut command = Command::new(program("footman"));
    command
        .current_dir(directory)
        .args(["doctor", "--config", "footman.yaml", "--timeout", "5s"])
        .args(arguments)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    Looked { code: output.status.code(), printed, report }
}

/// Looks with a configuration, as JSON.
pub(crate) async fn doctor(text: &str) -> Looked {
    let directory = house(text);
    let looked = run(directory.path(), &["--json"]).await;
    assert!(looked.report.is_object(), "{}", looked.printed);
    looked
}

/// A directory with a configuration whose queue and outbox lie in it.
pub(crate) fn house(text: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("footman.yaml"), text).unwrap();
    directory
}

impl Looked {
    /// The findings of a kind in the sections of an area whose subject holds a text: verdict, what
    /// was seen, and what to do.
    pub(crate) fn findings(&self, area: &str, subject: &str, what: &str) -> Vec<[String; 3]> {
        let sections = self.report["sections"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        sections
            .filter(|section| {
                section["area"] == area && text(&section["subject"]).contains(subject)
            })
            .flat_map(|section| section["findings"].as_array().unwrap())
            .filter(|finding| finding["what"] == what)
            .map(|finding| ["verdict", "seen", "advice"].map(|key| text(&finding[key])))
            .collect()
    }

    /// Makes sure that such a finding has this verdict, and that its texts hold these parts.
    pub(crate) fn has(&self, [area, subject, what, verdict]: [&str; 4], parts: &[&str]) {
        let found = self.findings(area, subject, what);
        let fits = |finding: &&[String; 3]| {
            let text = format!("{} {}", finding[1], finding[2]);
            finding[0] == verdict && parts.iter().all(|part| text.contains(part))
        };
        assert!(
            found.iter().any(|finding| fits(&finding)),
            "{area}, {subject}, {what}: no {verdict} with {parts:?} in {found:#?}\n{}",
            self.printed
        );
    }

    /// Makes sure that nothing printed holds any of these.
    pub(crate) fn hides(&self, secrets: &[&str]) {
        for secret in secrets {
            assert!(!self.printed.contains(secret), "{secret}:\n{}", self.printed);
        }
    }

    /// What becomes of events in a trouble: whether they survive, and the text.
    pub(crate) fn promise(&self, trouble: &str) -> (String, String) {
        let all = self.report["promise"].as_array().unwrap().iter();
        let found = all.clone().find(|promise| promise["trouble"] == trouble).unwrap();
        let text = |key: &str| found[key].as_str().unwrap().to_owned();
        (text("survives"), text("text"))
    }
}
