//! `footman secrets`: makes what a stack needs and lacks, and prints nothing secret.
//!
//! What is there is kept, so it may be run again at any time: after a file was deleted because it
//! is to be renewed, and with the next version of Footman, which may need one more.

mod authority;
mod folder;
mod hash;
mod hashes;
mod random;
mod security;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use shared::lifecycle::{EXIT_FAILED, EXIT_USAGE};
use shared::secret::Secret;
use thiserror::Error;

use self::authority::AuthorityError;
use self::folder::{Fate, Folder, FolderError};
use self::hashes::{HashFile, Role};

/// What `secrets` may be told.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("wanted").required(true).args(["out", "hash"])))]
pub(crate) struct SecretsArgs {
    /// Make the files that are missing in this directory, and keep those that are there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A name or IP address by which others reach the broker, for its certificate; may be repeated.
    ///
    /// localhost, 127.0.0.1, nats, mosquitto and this host's name are in it anyway.
    #[arg(long = "broker-name", value_name = "NAME", conflicts_with = "hash")]
    broker_names: Vec<String>,
    /// Read a password from standard input, and print its hash for collector.http.passwordHash.
    #[arg(long)]
    hash: bool,
}

type Maker = fn() -> Secret;

/// Files of random text, and how it is made.
const RANDOM: [(&str, Maker); 9] = [
    ("influxdb-admin-password", random::password),
    ("influxdb-admin-token", random::token),
    ("influxdb-token", random::token),
    ("influxdb1-password", random::password),
    ("grafana-admin-password", random::password),
    ("user-id-key", random::key),
    ("broker-collector-password", random::password),
    ("broker-writer-password", random::password),
    ("broker-subscriber-password", random::password),
];

/// Who comes to the broker, and where the password is.
const ROLES: [(&str, &str); 3] = [
    ("collector", "broker-collector-password"),
    ("writer", "broker-writer-password"),
    ("subscriber", "broker-subscriber-password"),
];

/// Why the secrets are not complete.
#[derive(Debug, Error)]
enum SecretsError {
    /// A file or the directory.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A hash cannot be made or read.
    #[error("{file}: {why}")]
    Hash {
        /// The file that holds it.
        file: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// Runs the command to its end.
pub(crate) fn secrets(args: &SecretsArgs) -> ExitCode {
    let Some(out) = &args.out else { return hash::hash() };
    let names = match authority::names(&args.broker_names) {
        Ok(names) => names,
        Err(wrong) => return complain(&wrong, EXIT_USAGE),
    };
    match complete(out, names, !args.broker_names.is_empty()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, EXIT_FAILED),
    }
}

/// Makes what is missing, and says of each file what became of it.
fn complete(
    out: &std::path::Path,
    names: Vec<String>,
    names_are_given: bool,
) -> Result<(), SecretsError> {
    let folder = Folder::open(out)?;
    for (name, made) in RANDOM {
        say(folder.make(name, made)?, name);
    }
    let roles = roles(&folder)?;
    renew::<hashes::Mosquitto>(&folder, &roles)?;
    renew::<hashes::Nats>(&folder, &roles)?;
    renew::<security::Mosquitto>(&folder, &roles)?;
    let is_new = authority::complete(&folder, names, say)?;
    if is_new {
        remark(
            "the broker's certificate is valid for two years; to renew it, delete broker-cert.pem \
             and broker-key.pem, run this again, and restart the broker",
        );
    } else if names_are_given {
        remark(
            "broker-cert.pem was there and has the names that it had: delete it and broker-key.pem, \
             and run this again, for one with other names",
        );
    }
    for remarkable in folder.remarks() {
        remark(&remarkable);
    }
    Ok(())
}

fn roles(folder: &Folder) -> Result<Vec<Role>, FolderError> {
    let read = |(user, file)| {
        let password = folder.read(file)?.unwrap_or_else(|| Secret::new(""));
        Ok(Role { user, password })
    };
    ROLES.into_iter().map(read).collect()
}

/// Makes a file of hashes, or gives it those that do not fit their passwords any more. What else it
/// holds stays.
fn renew<F: HashFile>(folder: &Folder, roles: &[Role]) -> Result<(), SecretsError> {
    let wrong = |why| SecretsError::Hash { file: F::NAME, why };
    let found = folder.read(F::NAME)?;
    let mut hashes = F::parse(found.as_ref().map_or("", Secret::expose)).map_err(wrong)?;
    let mut renewed = Vec::new();
    for role in roles {
        if !hashes.fits(role) {
            hashes.set(role).map_err(wrong)?;
            renewed.push(role.user);
        }
    }
    if renewed.is_empty() {
        say(Fate::Kept, F::NAME);
        return Ok(());
    }
    let fate = folder.replace(F::NAME, &Secret::new(hashes.text().map_err(wrong)?))?;
    match fate {
        Fate::Changed => say(fate, &format!("{} ({})", F::NAME, renewed.join(", "))),
        Fate::Made | Fate::Kept => say(fate, F::NAME),
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what became of each file is what the command tells")]
fn say(fate: Fate, name: &str) {
    println!("{fate:<8}{name}");
}

#[expect(clippy::print_stderr, reason = "a remark must not be taken for the list of files")]
fn remark(words: &str) {
    eprintln!("footman: {words}");
}

#[expect(clippy::print_stderr, reason = "the last words of a command go to its terminal")]
fn complain(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("footman: {error}");
    ExitCode::from(code)
}
