//! The commands in the documents, run as an operator would run them.
//!
//! A block of shell that can be run stands below the line `<!-- run: NAME -->`; NAME says in which
//! [`Setting`]. Its lines are run one after the other, and each must end with exit code 0, or with
//! the code that its comment tells (`# exit code 78`). `footman` is the program of this build.
//! A document has its line in [`DOCUMENTS`], with the number of blocks that are run, so that none
//! falls out unnoticed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::{Command, Stdio};

use integration_tests::programs::program;
use tempfile::TempDir;

/// The documents whose commands are run, and how many blocks of them.
const DOCUMENTS: &[(&str, usize)] = &[("docs/configuration.md", 4)];
/// What stands before a block that is run.
const MARK: &str = "<!-- run: ";
/// What tells the exit code of a line that does not succeed.
const EXIT_CODE: &str = "# exit code ";

/// Where the commands of a block are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    /// A folder with nothing in it.
    Empty,
    /// A folder with the shipped configurations and the files that they name.
    Site,
}

impl Setting {
    fn named(name: &str) -> Self {
        match name {
            "empty" => Self::Empty,
            "site" => Self::Site,
            other => panic!("there is no setting {other}"),
        }
    }

    fn make(self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        if self == Self::Site {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            for name in ["footman.yaml", "reference.yaml"] {
                std::fs::copy(root.join("config").join(name), folder.path().join(name)).unwrap();
            }
            make_certificates(&folder.path().join("certificates"));
            write(&folder.path().join("influxdb-token.txt"), "a token\n");
        }
        folder
    }
}

/// A block of shell with its place.
#[derive(Debug)]
struct Block {
    setting: Setting,
    place: String,
    lines: Vec<String>,
}

/// The blocks of a document that are run.
fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(rest) = line.strip_prefix(MARK) else { continue };
        let setting = Setting::named(rest.strip_suffix(" -->").unwrap());
        let place = format!("{name}:{}", number + 1);
        assert_eq!(lines.next().map(|(_, line)| line), Some("```sh"), "{place}");
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let lines: Vec<String> = body.filter(|line| !line.is_empty()).map(str::to_owned).collect();
        found.push(Block { setting, place, lines });
    }
    found
}

#[test]
fn the_commands_of_the_documents_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (name, expected) in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        let blocks = blocks(name, &text);
        assert_eq!(blocks.len(), *expected, "{name}: {blocks:?}");
        for block in blocks {
            let folder = block.setting.make();
            for line in &block.lines {
                run(line, folder.path(), &block.place);
            }
        }
    }
}

/// Runs one line of shell and looks at its exit code.
fn run(line: &str, folder: &Path, place: &str) {
    let expected = line.split_once(EXIT_CODE).map_or(0, |(_, code)| code.trim().parse().unwrap());
    let programs = program("footman").parent().unwrap().to_owned();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
    let output = Command::new("/bin/sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(expected), "{place}: {line}\n{said}");
}

/// Certificates as the Qlik Management Console exports them.
fn make_certificates(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(params, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let client = rcgen::CertificateParams::default().signed_by(&key, &issuer).unwrap();
    write(&folder.join("root.pem"), &authority.pem());
    write(&folder.join("client.pem"), &client.pem());
    write(&folder.join("client_key.pem"), &key.serialize_pem());
}

/// Writes a file that its owner alone may read.
fn write(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
