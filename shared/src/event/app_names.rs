//! The apps that the repository knows.

use serde::{Deserialize, Serialize};

use super::Poll;

/// One extraction of app names, or one part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppNames {
    /// The repository's host.
    pub repository: String,
    /// The poll.
    pub poll: Poll,
    /// This part, from 1.
    pub part: u32,
    /// Parts of this extraction.
    pub parts: u32,
    /// Whether the extraction lists every app, or only what changed.
    pub full: bool,
    /// This part's apps.
    pub apps: Vec<AppChange>,
}

/// An app and what happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AppChange {
    /// The app's id.
    pub id: String,
    /// Its name; the last one known when it is gone.
    pub name: String,
    /// What happened; left out for an app that a full list repeats unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// What happened to an app since the extraction before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Not known before.
    New,
    /// Known under another name.
    Renamed,
    /// No longer listed.
    Gone,
}
