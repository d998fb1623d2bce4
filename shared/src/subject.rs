//! Where an event is published: a hierarchy of tokens, joined with `/` on MQTT and `.` on NATS.
//!
//! Tokens are made from names that may hold anything, and no two names make the same token.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use crate::event::{Kind, Source};

/// Version of the subjects and of the events on them.
const VERSION: &str = "v1";
/// Stands before the kind where an event is published that was put back from the dead letters.
const REPLAY: &str = "replay";
/// Longest token. Beyond it MQTT topics and NATS subjects become unwieldy, and a digest takes over.
const MAX_TOKEN: usize = 120;
/// What is kept of a token that is too long.
const KEPT_OF_LONG: usize = 100;
/// Bytes of the digest that are kept: 16 hex digits.
const DIGEST_BYTES: usize = 8;

/// One level of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(String);

impl Token {
    /// The token of a name: bytes outside `A-Za-z0-9_-` as `%XX`, an empty name as `%`.
    pub fn new(name: &str) -> Self {
        if name.is_empty() {
            return Self("%".to_owned());
        }
        let mut token = String::with_capacity(name.len());
        for byte in name.bytes() {
            push_encoded(&mut token, byte);
        }
        if token.len() > MAX_TOKEN {
            shorten(&mut token, name);
        }
        Self(token)
    }

    /// The token of a virtual proxy, given its prefix with or without the leading slash.
    pub fn virtual_proxy(prefix: &str) -> Self {
        match prefix.strip_prefix('/').unwrap_or(prefix) {
            "" => Self("default".to_owned()),
            "default" => Self("%64efault".to_owned()),
            name => Self::new(name),
        }
    }

    /// The token of the `number`th server of the same name.
    #[must_use]
    pub fn repeated(&self, number: usize) -> Self {
        Self(format!("{}~{number}", self.0))
    }

    /// The token's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn push_encoded(token: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
        token.push(char::from(byte));
    } else {
        // Writing to a String cannot fail.
        let _written = write!(token, "%{byte:02X}");
    }
}

fn shorten(token: &mut String, name: &str) {
    let mut end = KEPT_OF_LONG;
    // A `%XX` that begins in the last two places would be cut in two.
    if let Some(percent) = token.get(..end).and_then(|kept| kept.rfind('%'))
        && end - percent < 3
    {
        end = percent;
    }
    token.truncate(end);
    token.push_str("~x");
    for byte in Sha256::digest(name.as_bytes()).iter().take(DIGEST_BYTES) {
        let _written = write!(token, "{byte:02x}");
    }
}

/// A subject in its neutral form, levels joined with `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// The health of a server.
    pub fn health(prefix: &str, server: &Token) -> Self {
        Self::of(prefix, Kind::Health, &[server.as_str()])
    }

    /// The sessions of a virtual proxy.
    pub fn sessions(prefix: &str, server: &Token, virtual_proxy: &Token) -> Self {
        Self::of(prefix, Kind::Sessions, &[server.as_str(), virtual_proxy.as_str()])
    }

    /// The app names of a repository.
    pub fn app_names(prefix: &str, repository: &Token) -> Self {
        Self::of(prefix, Kind::AppNames, &[repository.as_str()])
    }

    /// The failed polls of one source of a server.
    pub fn failed_polls(prefix: &str, server: &Token, source: Source) -> Self {
        Self::of(prefix, Kind::FailedPolls, &[server.as_str(), source.name()])
    }

    /// The kind of the events that are published on it.
    pub fn kind(&self) -> Option<Kind> {
        let (_, rest) = self.0.split_once("/v1/")?;
        Kind::from_name(rest.split('/').next()?)
    }

    /// The heartbeats of a program.
    pub fn heartbeats(prefix: &str, process: &str, instance: &str) -> Self {
        let (process, instance) = (Token::new(process), Token::new(instance));
        Self::of(prefix, Kind::Heartbeats, &[process.as_str(), instance.as_str()])
    }

    fn of(prefix: &str, kind: Kind, tokens: &[&str]) -> Self {
        let mut text = format!("{prefix}/{VERSION}/{}", kind.name());
        for token in tokens {
            text.push('/');
            text.push_str(token);
        }
        Self(text)
    }

    /// A subject that was stored in its neutral form.
    pub fn from_neutral(text: String) -> Self {
        Self(text)
    }

    /// The neutral form, which is the MQTT topic.
    pub fn as_topic(&self) -> &str {
        &self.0
    }

    /// The NATS subject.
    pub fn to_nats(&self) -> String {
        self.0.replace('/', ".")
    }

    /// Where an event of this subject is published again after it was a dead letter; none when this
    /// is no subject of ours.
    pub fn for_replay(&self) -> Option<Self> {
        let (root, tail) = self.split()?;
        Some(Self(format!("{root}/{REPLAY}/{}", not_replayed(tail))))
    }

    /// The subject on which an event was published first, when this is where it is published again.
    pub fn before_replay(&self) -> Option<Self> {
        let (root, tail) = self.split()?;
        let first = not_replayed(tail);
        (first.len() < tail.len()).then(|| Self(format!("{root}/{first}")))
    }

    /// The kind, and what the event is about with the names as they were before they became tokens:
    /// for people, since names may hold anything.
    pub fn for_people(&self) -> Option<(&str, String)> {
        let (kind, about) = not_replayed(self.split()?.1).split_once('/')?;
        let about = about.replace("%/", "/");
        let about = about.strip_suffix('%').unwrap_or(&about);
        let about = percent_encoding::percent_decode_str(about).decode_utf8_lossy();
        Some((kind, about.into_owned()))
    }

    /// What stands up to the version, and what after it. A prefix may have levels called like the
    /// version, and so may servers: the one before a kind counts.
    fn split(&self) -> Option<(&str, &str)> {
        let mut places = self.0.match_indices('/').filter_map(|(at, _)| {
            let (root, tail) = (self.0.get(..at)?, self.0.get(at + 1..)?);
            let (_, level) = root.rsplit_once('/')?;
            (level == VERSION).then_some((root, tail))
        });
        let first = places.clone().next();
        let before_a_kind = places.find(|(_, tail)| {
            let level = tail.split('/').next().unwrap_or_default();
            level == REPLAY || Kind::from_name(level).is_some()
        });
        before_a_kind.or(first)
    }
}

/// What follows the version without what a replay adds.
fn not_replayed(mut tail: &str) -> &str {
    while let Some(rest) = tail.strip_prefix(REPLAY).and_then(|rest| rest.strip_prefix('/')) {
        tail = rest;
    }
    tail
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_of_names() {
        for (name, token) in [
            ("sense1", "sense1"),
            ("sense1.corp.com", "sense1%2Ecorp%2Ecom"),
            ("", "%"),
            ("a b/c+#>*", "a%20b%2Fc%2B%23%3E%2A"),
            ("Åsa", "%C3%85sa"),
            ("%", "%25"),
        ] {
            assert_eq!(Token::new(name).as_str(), token);
        }
    }

    #[test]
    fn long_names_end_in_a_digest_and_cut_no_escape() {
        let plain = Token::new(&"a".repeat(121));
        assert_eq!(plain.as_str().len(), 100 + 2 + 16);
        assert!(plain.as_str().starts_with(&"a".repeat(100)));
        assert_eq!(Token::new(&"a".repeat(120)).as_str().len(), 120);
        let escaped = Token::new(&format!("{}{}", "a".repeat(98), ".".repeat(20)));
        assert!(escaped.as_str().starts_with(&format!("{}~x", "a".repeat(98))));
        let fits = Token::new(&format!("{}{}", "a".repeat(97), ".".repeat(20)));
        assert!(fits.as_str().starts_with(&format!("{}%2E~x", "a".repeat(97))));
        assert_ne!(Token::new(&"b".repeat(300)), Token::new(&"b".repeat(301)));
    }

    #[test]
    fn virtual_proxies() {
        assert_eq!(Token::virtual_proxy("/").as_str(), "default");
        assert_eq!(Token::virtual_proxy("").as_str(), "default");
        assert_eq!(Token::virtual_proxy("/default").as_str(), "%64efault");
        assert_eq!(Token::virtual_proxy("/hdr").as_str(), "hdr");
        assert_eq!(Token::virtual_proxy("/a/b").as_str(), "a%2Fb");
    }

    #[test]
    fn subjects_on_both_brokers() {
        let server = Token::new("sense1").repeated(2);
        let subject = Subject::sessions("qliksense", &server, &Token::virtual_proxy("/"));
        assert_eq!(subject.as_topic(), "qliksense/v1/sessions/sense1~2/default");
        assert_eq!(subject.to_nats(), "qliksense.v1.sessions.sense1~2.default");
        let failed = Subject::failed_polls("qliksense", &server, Source::AppNames);
        assert_eq!(failed.as_topic(), "qliksense/v1/failed-polls/sense1~2/app-names");
    }

    #[test]
    fn subjects_of_replays() {
        let subject = |text: &str| Subject::from_neutral(text.to_owned());
        for (first, replay) in [
            ("qliksense/v1/health/sense1", "qliksense/v1/replay/health/sense1"),
            ("site/v1/qlik/v1/sessions/v1/health", "site/v1/qlik/v1/replay/sessions/v1/health"),
            ("site/v1/v1/health/a", "site/v1/v1/replay/health/a"),
            ("p/v1/something/else", "p/v1/replay/something/else"),
        ] {
            let (first, replay) = (subject(first), subject(replay));
            assert_eq!(first.for_replay().unwrap(), replay);
            assert_eq!(replay.for_replay().unwrap(), replay, "it is replayed once more");
            assert_eq!(replay.before_replay().unwrap(), first);
            assert_eq!(first.before_replay(), None);
        }
        assert_eq!(subject("somewhere/else").for_replay(), None);
        assert_eq!(subject("p/v1/replays/a").before_replay(), None);
    }

    #[test]
    fn people_see_names() {
        let about = |subject: &Subject| {
            let (kind, about) = subject.for_people().unwrap();
            format!("{kind} {about}")
        };
        let server = Token::new("sense1.corp.com");
        let health = Subject::health("qliksense", &server);
        assert_eq!(about(&health), "health sense1.corp.com");
        assert_eq!(about(&health.for_replay().unwrap()), "health sense1.corp.com");
        let sessions = Subject::sessions("qliksense", &Token::new(""), &Token::virtual_proxy(""));
        assert_eq!(about(&sessions), "sessions /default");
        assert_eq!(about(&Subject::health("qliksense", &Token::new(""))), "health ");
    }

    proptest! {
        #[test]
        fn no_two_names_make_one_token(a in ".{0,200}", b in ".{0,200}") {
            prop_assert_eq!(a == b, Token::new(&a) == Token::new(&b));
        }

        #[test]
        fn tokens_are_single_levels(name in ".{0,400}") {
            let token = Token::new(&name);
            prop_assert!(token.as_str().len() <= MAX_TOKEN && !token.as_str().is_empty());
            prop_assert!(token.as_str().bytes().all(|b| b.is_ascii_graphic() && !b"./+#*>".contains(&b)));
        }
    }
}
