//! What an answer said, so that a test need not read its JSON again.

use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The key facts of one answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Facts {
    /// An error, a fault, or an answer of which nothing is told here.
    None,
    /// An engine's health.
    Health(Box<HealthFacts>),
    /// The sessions of one virtual proxy, in the order of the answer.
    Sessions(#[serde(serialize_with = "as_list")] Arc<[Session]>),
    /// A list or count of apps.
    Apps {
        /// How many.
        count: usize,
    },
}

impl Facts {
    /// The health, if it was one.
    pub fn health(&self) -> Option<&HealthFacts> {
        match self {
            Facts::Health(health) => Some(health),
            _ => None,
        }
    }

    /// The sessions, if it was a list of them.
    pub fn sessions(&self) -> Option<&[Session]> {
        match self {
            Facts::Sessions(sessions) => Some(sessions),
            _ => None,
        }
    }
}

/// An engine's health as the world has it.
///
/// Oddities that change lists or make everything 0 show here; those that only garble how a number is written do not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HealthFacts {
    /// The engine's version.
    pub version: String,
    /// The engine's start, as written in the answer.
    pub started: String,
    /// The same in seconds since 1970.
    pub started_unix: i64,
    /// Percent.
    pub cpu_total: i64,
    /// MB.
    pub committed: f64,
    /// MB.
    pub allocated: f64,
    /// MB.
    pub free: f64,
    /// MB.
    pub total_physical: f64,
    /// Engine sessions with an action.
    pub session_active: i64,
    /// Engine sessions.
    pub session_total: i64,
    /// Users with an action.
    pub users_active: i64,
    /// Users.
    pub users_total: i64,
    /// The length of `apps.active_docs`.
    pub active_docs: usize,
    /// The length of `apps.loaded_docs`, repetitions included.
    pub loaded_docs: usize,
    /// The length of `apps.in_memory_docs`.
    pub in_memory_docs: usize,
    /// Grows with every answer of a server until its engine restarts, so it tells the answers apart.
    pub calls: i64,
    /// Selections since the start.
    pub selections: i64,
    /// Cache hits since the start.
    pub cache_hits: i64,
    /// Cache lookups since the start.
    pub cache_lookups: i64,
    /// Entries added to the cache since the start.
    pub cache_added: i64,
    /// Entries replaced in the cache since the start.
    pub cache_replaced: i64,
    /// Bytes added to the cache since the start.
    pub cache_bytes_added: i64,
    /// Whether the engine is saturated.
    pub saturated: bool,
}

/// One session of a virtual proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Session {
    /// The user's directory.
    #[serde(serialize_with = "as_text")]
    pub user_directory: Arc<str>,
    /// The user within the directory.
    #[serde(serialize_with = "as_text")]
    pub user_id: Arc<str>,
    /// The session.
    #[serde(serialize_with = "as_text")]
    pub session_id: Arc<str>,
}

fn as_list<S: Serializer>(list: &Arc<[Session]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter())
}

/// Writes a shared text; the feature of serde that does it is left to others.
pub(super) fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[expect(clippy::ref_option, reason = "the shape that serde wants")]
pub(super) fn as_optional_text<S: Serializer>(
    text: &Option<Arc<str>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}
