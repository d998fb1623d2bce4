//! Subjects: any name is one legal level on every broker, and no two names are the same one.

use std::collections::BTreeMap;

use shared::event::Source;
use shared::subject::{Subject, Token};

use crate::draw::Draw;

const LONGEST: usize = 120;
const PREFIX: &str = "qliksense";
/// Names in one go: each is compared with all the others.
const NAMES: usize = 16;

/// Draws names and compares their tokens.
pub fn subjects(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut proxies: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..NAMES {
        let name = draw.text();
        let token = Token::new(&name);
        check_level(&token, &name);
        unlike_others(&mut seen, token.as_str(), &name);
        let second = token.repeated(2);
        check_level(&second, &name);
        unlike_others(&mut seen, second.as_str(), &format!("the second {name}"));

        let proxy = Token::virtual_proxy(&name);
        check_level(&proxy, &name);
        let prefix = name.strip_prefix('/').unwrap_or(&name);
        unlike_others(&mut proxies, proxy.as_str(), prefix);
        check_subjects(&token, &proxy, &name);
        if draw.is_empty() {
            break;
        }
    }
}

fn unlike_others(seen: &mut BTreeMap<String, String>, token: &str, name: &str) {
    if let Some(other) = seen.insert(token.to_owned(), name.to_owned()) {
        assert_eq!(other, name, "both are {token}");
    }
}

/// One level: nothing that separates levels, stands for several, or is no visible ASCII.
fn check_level(token: &Token, name: &str) {
    let text = token.as_str();
    let repeated = text.rsplit_once('~').map_or(text, |(token, _)| token);
    assert!(!text.is_empty() && repeated.len() <= LONGEST, "{name:?} is {text}");
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-%~".contains(&byte);
    assert!(text.bytes().all(legal), "{name:?} is {text}");
}

fn check_subjects(server: &Token, proxy: &Token, name: &str) {
    let all = [
        (Subject::health(PREFIX, server), 4),
        (Subject::sessions(PREFIX, server, proxy), 5),
        (Subject::app_names(PREFIX, server), 4),
        (Subject::failed_polls(PREFIX, server, Source::Health), 5),
        (Subject::heartbeats(PREFIX, "collector", name), 5),
    ];
    for (subject, levels) in all {
        let (topic, nats) = (subject.as_topic(), subject.to_nats());
        assert_eq!(topic.split('/').count(), levels, "{topic}");
        assert_eq!(nats.split('.').count(), levels, "{nats}");
        assert!(topic.split('/').eq(nats.split('.')), "{topic} and {nats}");
        assert!(topic.split('/').all(|level| !level.is_empty()));
    }
}
