//! What real sites send although no manual says so.
//!
//! Oddities are switched per server and combine freely.
//! An answer with oddities is still an answer: a reader is expected to take what it can from it.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Serialize, Serializer};

use crate::endpoint::UnknownName;

macro_rules! oddities {
    ($($(#[$meta:meta])* $name:ident = $text:literal,)+) => {
        /// One peculiarity of the answers of a server.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Oddity {
            $($(#[$meta])* $name,)+
        }

        impl Oddity {
            /// All of them.
            pub const ALL: &'static [Oddity] = &[$(Oddity::$name,)+];

            /// The name used on the command line and by the control listener.
            pub fn name(self) -> &'static str {
                match self {
                    $(Oddity::$name => $text,)+
                }
            }
        }
    };
}

oddities! {
    /// Health without `saturated`, as before its introduction after 3.1.
    MissingSaturated = "missing-saturated",
    /// Health without `apps.in_memory_docs`, as the example of 3.1.
    MissingInMemoryDocs = "missing-in-memory-docs",
    /// Health without `mem.totalPhysical`, as up to November 2022.
    MissingTotalPhysical = "missing-total-physical",
    /// `mem.comitted` instead of `mem.committed`, as the example of 3.1.
    MisspeltCommitted = "misspelt-committed",
    /// Whole numbers written as floats: `7.0`.
    FloatNumbers = "float-numbers",
    /// Fractional numbers cut to whole ones.
    IntegerNumbers = "integer-numbers",
    /// Numbers written as strings.
    TextNumbers = "text-numbers",
    /// Negative numbers.
    NegativeNumbers = "negative-numbers",
    /// `null` where numbers are expected.
    NullNumbers = "null-numbers",
    /// `cache.bytes_added` beyond 2^53, as after a long uptime.
    HugeNumbers = "huge-numbers",
    /// All lists of apps empty, whatever the sessions say.
    EmptyLists = "empty-lists",
    /// Each loaded app listed once per session, in the hundreds.
    RepeatedLoadedDocs = "repeated-loaded-docs",
    /// Many session apps, `SessionApp_…`.
    SessionApps = "session-apps",
    /// Session apps named without the underscore, `SessionApp…`.
    SessionAppsWithoutUnderscore = "session-apps-without-underscore",
    /// File paths instead of ids, as Qlik Sense Desktop.
    DesktopPaths = "desktop-paths",
    /// Apps in memory that the repository does not list.
    UnknownApps = "unknown-apps",
    /// Several hundred apps in memory.
    HundredsOfDocs = "hundreds-of-docs",
    /// Engine sessions although there are no users and no calls.
    SessionsWithoutUsers = "sessions-without-users",
    /// More free memory than there is.
    FreeAboveTotal = "free-above-total",
    /// Everything 0 and empty, as right after the start.
    AllZero = "all-zero",
    /// Members that no manual knows.
    UnknownMembers = "unknown-members",
    /// `started` in UTC, with `Z`.
    StartedInUtc = "started-in-utc",
    /// `started` in a zone west of Greenwich, with minutes in its offset.
    StartedInTheWest = "started-in-the-west",
    /// The body in chunks, without a content length.
    ChunkedBody = "chunked-body",
    /// `Attributes` of sessions `null` or left out.
    MissingAttributes = "missing-attributes",
    /// `Attributes` of sessions of several kilobytes, as directory groups make them.
    LargeAttributes = "large-attributes",
    /// The same user in several spellings of case.
    MixedCaseUsers = "mixed-case-users",
    /// Session ids that are no GUID.
    OddSessionIds = "odd-session-ids",
    /// Sessions with the member `NewUser`.
    NewUser = "new-user",
    /// One user name of 300 characters and others that hurt, in every list of sessions.
    HurtingUsers = "hurting-users",
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Oddity {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Oddity::ALL
            .iter()
            .copied()
            .find(|oddity| oddity.name() == text)
            .ok_or_else(|| UnknownName { text: text.to_owned(), kind: "oddity" })
    }
}

impl Serialize for Oddity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A set of oddities at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities(u64);

impl Oddities {
    /// Whether `oddity` is among them.
    pub fn has(self, oddity: Oddity) -> bool {
        self.0 & bit(oddity) != 0
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, oddity: Oddity) -> Self {
        Self(self.0 | bit(oddity))
    }

    /// Those that are in the set, in the order of [`Oddity::ALL`].
    pub fn list(self) -> Vec<Oddity> {
        Oddity::ALL.iter().copied().filter(|oddity| self.has(*oddity)).collect()
    }
}

/// The oddities of a server, switched while it answers.
#[derive(Debug, Default)]
pub(crate) struct OdditySwitch(AtomicU64);

impl OdditySwitch {
    pub(crate) fn set(&self, oddity: Oddity, on: bool) {
        if on {
            self.0.fetch_or(bit(oddity), Ordering::SeqCst);
        } else {
            self.0.fetch_and(!bit(oddity), Ordering::SeqCst);
        }
    }

    pub(crate) fn now(&self) -> Oddities {
        Oddities(self.0.load(Ordering::SeqCst))
    }
}

fn bit(oddity: Oddity) -> u64 {
    1 << (oddity as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_reads_what_it_writes_and_has_a_bit() {
        assert!(Oddity::ALL.len() <= 64);
        let mut all = Oddities::default();
        for oddity in Oddity::ALL {
            assert!(!all.has(*oddity));
            all = all.with(*oddity);
            assert_eq!(oddity.name().parse(), Ok(*oddity));
        }
        assert_eq!(all.list(), Oddity::ALL);
    }
}
