//! Who is on: the sessions of one virtual proxy.

use serde::{Deserialize, Serialize};

use super::{Poll, Server, Text};

/// The sessions of one virtual proxy at one poll, or one part of them.
///
/// Excluded users are in no list; only the counts know of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "Sessions", bound = "S: Text + schemars::JsonSchema")
)]
#[serde(
    rename_all = "camelCase",
    bound(serialize = "S: Text", deserialize = "S: Text + Deserialize<'de>")
)]
pub struct Sessions<S = String> {
    /// The server polled.
    pub server: Server<S>,
    /// The poll.
    pub poll: Poll,
    /// The virtual proxy's prefix with a leading slash, `/` for the default one.
    pub virtual_proxy: S,
    /// The proxy service's `host:port`, as configured.
    pub host: S,
    /// This part, from 1.
    pub part: u32,
    /// Parts of this poll.
    pub parts: u32,
    /// Sessions of everybody, excluded users among them.
    pub session_count: u64,
    /// Sessions of excluded users.
    pub excluded_session_count: u64,
    /// Distinct users who are not excluded.
    pub user_count: u64,
    /// With `userIds: hmac`, which key the ids are hashed with: ids of two keys say nothing about
    /// each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id_key: Option<S>,
    /// This part's sessions.
    pub sessions: Vec<Session<S>>,
    /// In the first of several parts: all distinct users as `directory\id`, in order of appearance;
    /// with `userIds: drop`, their directories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<S>>,
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "Session", bound = "S: Text + schemars::JsonSchema")
)]
#[serde(rename_all = "camelCase")]
pub struct Session<S = String> {
    /// The user's directory.
    pub user_directory: S,
    /// The user's id: clear, or its hash with `userIds: hmac`; left out with `userIds: drop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<S>,
    /// The session's id.
    pub session_id: S,
}
