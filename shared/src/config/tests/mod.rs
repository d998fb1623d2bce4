//! Tests of the configuration as a whole; each file asks one question.

mod advice;
mod arbitrary;
mod broker;
mod environment;
mod examples;
mod influxdb;
mod mistakes;
mod predecessor;
mod rules;
mod secrets;
mod servers;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Config, ConfigError, Loaded, Problem, from_text};

/// A site of one server, certificates included, that needs nothing else.
const SITE: &str = "\
Butler-SOS:
  cert: {clientCert: client.pem, clientCertKey: client_key.pem, clientCertCA: root.pem}
  serversToMonitor:
    servers:
      - host: sense1.example:4747
        serverName: sense1
";

/// A folder in which a configuration lies, with the files that it names.
struct Folder {
    directory: TempDir,
}

impl Folder {
    /// A folder with certificate files, whose contents nobody reads here.
    fn new() -> Self {
        let folder = Self { directory: tempfile::tempdir().unwrap() };
        for name in ["client.pem", "client_key.pem", "root.pem"] {
            folder.write(name, "no certificate");
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        readable_by(&path, 0o600);
    }

    fn read(&self, text: &str, environment: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        let variables = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        from_text(text, &self.path("footman.yaml"), variables.collect::<Vec<_>>())
    }
}

/// Sets who may read a file, whatever the umask is.
fn readable_by(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    #[cfg(not(unix))]
    let _unknown = (path, mode);
}

/// Reads a text that is right.
fn config(text: &str) -> Config {
    loaded(text, &[]).config
}

/// Reads a text and an environment that are right.
fn loaded(text: &str, environment: &[(&str, &str)]) -> Loaded {
    Folder::new().read(text, environment).unwrap_or_else(|error| panic!("{error}"))
}

/// Reads a text that is wrong; each mistake as `key: what is wrong`.
fn mistakes(text: &str) -> Vec<String> {
    mistakes_with(text, &[])
}

/// Reads a text and an environment that are wrong.
fn mistakes_with(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    match Folder::new().read(text, environment) {
        Ok(_) => panic!("nothing is wrong with\n{text}"),
        Err(error) => told(&error.problems),
    }
}

/// The warnings of a text that is right, each as `key: what is odd`; without those of passwords in
/// it, which only the tests about them want.
fn warnings(text: &str) -> Vec<String> {
    let mut warnings = told(&loaded(text, &[]).warnings);
    warnings.retain(|warning| !warning.contains("stands here as plain text"));
    warnings
}

fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{}: {}", problem.key, problem.wrong)).collect()
}

/// A section put under the root of [`SITE`].
fn site_with(section: &str) -> String {
    let indented: Vec<String> = section.lines().map(|line| format!("  {line}\n")).collect();
    format!("{SITE}{}", indented.concat())
}
