//! The last good answer on disk, beside the outbox, so that a start without the repository polls
//! what was known.
//!
//! One file, replaced as a whole; it names hosts and prefixes, and holds no secret. It is of one
//! repository: the answer of another site is not used.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::config;
use thiserror::Error;

use super::answers::{MOST_NODES, Node};

const FILE: &str = "discovered.json";
const NEW_FILE: &str = "discovered.json.new";
/// Of the file's form.
const VERSION: u32 = 1;
/// Largest file: a thousand nodes with a hundred virtual proxies each take some megabytes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Where the last good answer is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    directory: PathBuf,
    /// The `host:port` of the repository that answers.
    repository: String,
}

/// Why there is no answer of before.
#[derive(Debug, Error)]
pub(crate) enum KeptError {
    /// The file cannot be read or written.
    #[error("{} cannot be used: {source}", file.display())]
    Unusable { file: PathBuf, source: io::Error },
    /// It is damaged.
    #[error("{} is damaged, and is written anew with the next answer", file.display())]
    Damaged { file: PathBuf },
    /// It was written by a newer version.
    #[error("{} was written by a newer version ({found}; this one knows {VERSION})", file.display())]
    Newer { file: PathBuf, found: u32 },
    /// It is of another repository.
    #[error("{} is of the repository {repository}, and is not used", file.display())]
    Other { file: PathBuf, repository: String },
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    repository: String,
    nodes: Vec<Node>,
}

impl Kept {
    pub(crate) fn new(directory: &Path, repository: &str) -> Self {
        Self { directory: directory.to_owned(), repository: repository.to_owned() }
    }

    /// The nodes of the last good answer; none when nothing was kept.
    pub(crate) fn read(&self) -> Result<Option<Vec<Node>>, KeptError> {
        let file = self.directory.join(FILE);
        let unusable = |source| KeptError::Unusable { file: file.clone(), source };
        let mut text = Vec::new();
        match File::open(&file) {
            Ok(opened) => opened.take(MAX_BYTES).read_to_end(&mut text).map_err(unusable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error)),
        };
        let damaged = |_no_json| KeptError::Damaged { file: file.clone() };
        let Versioned { version } = serde_json::from_slice(&text).map_err(damaged)?;
        if version != VERSION {
            return Err(KeptError::Newer { file, found: version });
        }
        let content: Content = serde_json::from_slice(&text).map_err(damaged)?;
        if content.repository != self.repository {
            return Err(KeptError::Other { file, repository: content.repository });
        }
        let mut nodes = content.nodes;
        nodes.truncate(MOST_NODES);
        if nodes.iter().any(|node| config::parse_host(&node.host).is_none()) {
            return Err(KeptError::Damaged { file });
        }
        Ok(Some(nodes))
    }

    /// Keeps the nodes of a good answer in the place of those before; on the disk when it returns.
    pub(crate) fn write(&self, nodes: &[Node]) -> Result<(), KeptError> {
        let (file, new) = (self.directory.join(FILE), self.directory.join(NEW_FILE));
        let unusable = |source| KeptError::Unusable { file: file.clone(), source };
        let content = Content {
            version: VERSION,
            repository: self.repository.clone(),
            nodes: nodes.to_vec(),
        };
        let text = serde_json::to_vec_pretty(&content).map_err(|error| unusable(error.into()))?;
        let replaced = || {
            let mut written = File::create(&new)?;
            written.write_all(&text)?;
            written.sync_all()?;
            fs::rename(&new, &file)
        };
        replaced().map_err(unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::answers::NodeProxy;

    fn nodes() -> Vec<Node> {
        let proxy = NodeProxy { port: 4243, virtual_proxies: vec!["/".into(), "/a/b".into()] };
        vec![
            Node {
                name: "Node \"1\", 🚀".into(),
                host: "sense1.corp.com".into(),
                engine_port: Some(4748),
                proxy: Some(proxy),
            },
            Node { name: "2".into(), host: "[::1]".into(), engine_port: None, proxy: None },
        ]
    }

    fn folder(text: &str) -> (tempfile::TempDir, Kept) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), text).unwrap();
        let kept = Kept::new(folder.path(), "sense1:4242");
        (folder, kept)
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path(), "sense1:4242");
        assert!(kept.read().unwrap().is_none());
        kept.write(&[]).unwrap();
        kept.write(&nodes()).unwrap();
        assert_eq!(kept.read().unwrap().unwrap(), nodes());
        assert!(!folder.path().join(NEW_FILE).exists());
        let other = Kept::new(folder.path(), "sense9:4242").read();
        assert!(matches!(other, Err(KeptError::Other { .. })), "{other:?}");
    }

    #[test]
    fn what_cannot_be_used_is_told_and_replaced() {
        let bad_host =
            r#"{"version":1,"repository":"sense1:4242","nodes":[{"name":"a","host":"a/b"}]}"#;
        for text in ["", "[]", r#"{"version":1}"#, bad_host] {
            let (_folder, kept) = folder(text);
            assert!(matches!(kept.read(), Err(KeptError::Damaged { .. })), "{text}");
            kept.write(&nodes()).unwrap();
            assert_eq!(kept.read().unwrap().unwrap(), nodes());
        }
        let (_folder, kept) = folder(r#"{"version":2,"sites":[]}"#);
        assert!(matches!(kept.read(), Err(KeptError::Newer { found: 2, .. })));
        let (folder, kept) = folder("");
        fs::remove_file(folder.path().join(FILE)).unwrap();
        fs::create_dir(folder.path().join(FILE)).unwrap();
        assert!(matches!(kept.read(), Err(KeptError::Unusable { .. })));
        assert!(matches!(kept.write(&[]), Err(KeptError::Unusable { .. })));
    }
}
