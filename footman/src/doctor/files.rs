//! Directories and files that the programs use: there, writable, and closed to others.

use std::path::{Path, PathBuf};

use shared::config::{Config, Transport, UsedFile};

use super::disk::{self, Owner};
use super::embedded;
use super::report::{Area, Finding, Section};

/// A file that NATS wants as a file.
const CREDENTIALS: &str = "credentialsFile";

/// A directory that a program writes to.
struct Directory {
    key: &'static str,
    path: PathBuf,
    /// How many bytes it may take, where that is bounded.
    most: Option<u64>,
    /// Whether the program makes it when it is missing.
    is_made: bool,
}

/// Looks at all of them; blocks.
pub(crate) fn look(config: &Config, files: &[UsedFile], configuration: &Path) -> Vec<Section> {
    let directories = directories(config);
    let service = directories.iter().find_map(|directory| disk::owner(&directory.path));
    let mut sections: Vec<Section> = directories.iter().map(look_at_directory).collect();
    let mut seen = Vec::new();
    for file in files {
        if !seen.contains(&&file.path) {
            seen.push(&file.path);
            sections.push(look_at_file(&file.key, &file.path, file.is_secret, service));
        }
    }
    sections.push(look_at_configuration(configuration, config, files, service));
    sections
}

fn directories(config: &Config) -> Vec<Directory> {
    let mut all = Vec::new();
    match &config.broker.transport {
        Transport::Embedded(embedded) => all.push(Directory {
            key: "broker.embedded.directory",
            path: embedded.directory.clone(),
            // Its room is looked at with the broker.
            most: None,
            is_made: true,
        }),
        Transport::Nats(_) | Transport::Mqtt(_) => all.push(Directory {
            key: "collector.outbox.directory",
            path: config.collector.outbox.directory.clone(),
            most: Some(config.collector.outbox.max_bytes),
            is_made: true,
        }),
    }
    if let Some(path) = &config.logging.directory {
        all.push(Directory { key: "logDirectory", path: path.clone(), most: None, is_made: true });
    }
    if let Some(file) = config.writer.line_protocol_file.as_ref().and_then(|file| file.parent()) {
        let path = if file.as_os_str().is_empty() { Path::new(".") } else { file };
        all.push(Directory {
            key: "writer.lineProtocolFile",
            path: path.to_owned(),
            most: None,
            is_made: false,
        });
    }
    all
}

fn look_at_directory(directory: &Directory) -> Section {
    let Directory { key, path, most, is_made } = directory;
    let mut section = Section::new(Area::Files, format!("{key}: {}", path.display()));
    section.add(if path.is_dir() {
        let owner =
            disk::owner(path).map_or_else(String::new, |owner| format!(", {}", owner.words()));
        if disk::is_writable(path) {
            Finding::ok("directory", format!("there and writable{owner}"))
        } else {
            Finding::fault("directory", format!("not writable for who looks{owner}"))
                .advise("give it to the user of the service, or run doctor as that user")
        }
    } else if path.exists() {
        Finding::fault("directory", "it is a file").advise(format!("name a directory in {key}"))
    } else if !is_made {
        Finding::fault("directory", "it does not exist, and no program makes it")
            .advise("make it, and give it to the user of the service")
    } else {
        let above = disk::nearest(path).unwrap_or(Path::new("/"));
        if above.is_dir() && disk::is_writable(above) {
            let seen = format!("it does not exist yet, and will be made in {}", above.display());
            Finding::note("directory", seen)
        } else {
            let seen = format!("it does not exist, and {} is not writable", above.display());
            Finding::fault("directory", seen)
                .advise("make it, and give it to the user of the service")
        }
    });
    if let Some(most) = most {
        let used = disk::bytes_below(path);
        section.add(embedded::room(disk::free(path), most.saturating_sub(used)));
    }
    section
}

fn look_at_file(key: &str, path: &Path, is_secret: bool, service: Option<Owner>) -> Section {
    let section = Section::new(Area::Files, format!("{key}: {}", path.display()));
    if let Err(error) = std::fs::File::open(path) {
        let advice = format!("correct {key}, or the permissions of the file");
        return section
            .with(Finding::fault("file", format!("it cannot be read: {error}")).advise(advice));
    }
    let Some(owner) = disk::owner(path) else {
        return section.with(Finding::ok("file", "readable"));
    };
    let section = if is_secret && owner.is_readable_by_all() {
        let seen = format!("readable by everybody on this machine ({})", owner.words());
        let advice =
            format!("chown it to the user of the service, and chmod 0400 {}", path.display());
        section.with(Finding::warning("file", seen).advise(advice))
    } else {
        section.with(Finding::ok("file", format!("readable ({})", owner.words())))
    };
    with_reader(section, owner, service)
}

/// What root or another user may read, the service perhaps may not.
fn with_reader(section: Section, owner: Owner, service: Option<Owner>) -> Section {
    let Some(service) = service else { return section };
    let reader = disk::reader();
    if service.uid == reader || service.uid == owner.uid || owner.is_readable_by_all() {
        return section;
    }
    let seen = format!(
        "looked at by uid {reader}; the programs' directory belongs to uid {}, which may not read \
         this file unless its group does",
        service.uid
    );
    section.with(Finding::note("reader", seen).advise("run doctor as the user of the service"))
}

fn look_at_configuration(
    path: &Path,
    config: &Config,
    files: &[UsedFile],
    service: Option<Owner>,
) -> Section {
    let section = Section::new(Area::Files, format!("the configuration: {}", path.display()));
    let Some(owner) = disk::owner(path) else {
        return section.with(Finding::ok("file", "readable"));
    };
    let seen = format!("readable ({})", owner.words());
    let from_files = files.iter().filter(|file| holds_a_secret(file)).count();
    let has_secrets = super::secrets::of(config).count() > from_files;
    let section = if has_secrets && owner.is_readable_by_all() {
        let seen = format!(
            "readable by everybody on this machine ({}), with the passwords and tokens that stand in it",
            owner.words()
        );
        let advice = "let those keys name files instead (…File), or chmod 0640 it";
        section.with(Finding::note("file", seen).advise(advice))
    } else {
        section.with(Finding::ok("file", seen))
    };
    with_reader(section, owner, service)
}

/// Whether a file holds a secret in the place of the configuration.
fn holds_a_secret(file: &UsedFile) -> bool {
    file.is_secret && file.key.ends_with("File") && !file.key.ends_with(CREDENTIALS)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::report::Verdict;
    use super::*;

    fn file(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn a_key_for_everybody_is_a_warning_and_a_certificate_is_not() {
        let (_open, path) = file(0o644);
        let section = look_at_file("cert.clientCertKey", &path, true, None);
        let finding = &section.findings[0];
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(finding.seen.contains("mode 0644"), "{}", finding.seen);
        assert_eq!(
            look_at_file("cert.clientCert", &path, false, None).findings[0].verdict,
            Verdict::Ok
        );
        let (_closed, path) = file(0o600);
        assert_eq!(look_at_file("k", &path, true, None).findings[0].verdict, Verdict::Ok);
        let missing = look_at_file("k", Path::new("/nowhere/key"), true, None);
        assert_eq!(missing.findings[0].verdict, Verdict::Fault);
    }

    #[test]
    fn a_file_that_the_service_may_not_read_is_noted() {
        let (_closed, path) = file(0o600);
        let own = disk::owner(&path).unwrap();
        let other = Owner { uid: own.uid + 1, ..own };
        let section = look_at_file("k", &path, true, Some(other));
        assert_eq!(section.findings[1].what, "reader");
        assert_eq!(look_at_file("k", &path, true, Some(own)).findings.len(), 1);
    }

    #[test]
    fn directories_that_are_there_to_be_made_or_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let look = |path: PathBuf| {
            look_at_directory(&Directory { key: "k", path, most: Some(1), is_made: true }).findings
                [0]
            .verdict
        };
        assert_eq!(look(directory.path().to_owned()), Verdict::Ok);
        assert_eq!(look(directory.path().join("a/b")), Verdict::Note);
        let path = directory.path().join("a/b");
        let unmade = Directory { key: "k", path, most: None, is_made: false };
        assert_eq!(look_at_directory(&unmade).findings[0].verdict, Verdict::Fault);
        std::fs::write(directory.path().join("file"), "").unwrap();
        assert_eq!(look(directory.path().join("file")), Verdict::Fault);
        assert_eq!(look(directory.path().join("file/below")), Verdict::Fault);
    }
}
