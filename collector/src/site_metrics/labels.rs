//! What servers are called in labels, and their tags as labels.

use std::borrow::Cow;
use std::collections::BTreeSet;

use shared::event::Server;
use shared::subject::Token;

use super::family::{Labels, label};
use crate::endpoint::bare;
use crate::latest::ServerState;

/// What the name of a tag's label begins with, so that no tag stands in the place of another label.
const TAG: &str = "tag_";

/// The label `server` of each server: its true name. Those of a name that came before are numbered
/// as their tokens in subjects are.
pub(super) fn names(servers: &[ServerState]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let name = |state: &ServerState| {
        let name = &state.server.name;
        let number = state.token.strip_prefix(Token::new(name).as_str());
        let mut name = format!("{name}{}", number.unwrap_or_default());
        // Another server may really be called so.
        while !seen.insert(name.clone()) {
            name.push('~');
        }
        name
    };
    servers.iter().map(name).collect()
}

/// What the configuration says of a server, as the labels of one series.
pub(super) fn of_server(name: &str, server: &Server) -> Labels {
    let mut labels = vec![label("server", name), label("host", bare(&server.host))];
    if !server.description.is_empty() {
        labels.push(label("description", &*server.description));
    }
    let mut seen = BTreeSet::new();
    let tags = server.tags.iter().filter(|(_, value)| !value.is_empty());
    let (legal, others): (Vec<_>, Vec<_>) = tags.partition(|(name, _)| tag(name) == **name);
    // Whoever has a legal name keeps it.
    for (name, value) in legal.into_iter().chain(others) {
        let mut name = tag(name);
        while !seen.insert(name.clone()) {
            name.push('_');
        }
        labels.push((Cow::Owned(format!("{TAG}{name}")), value.clone()));
    }
    labels
}

/// A tag's name with underscores for what labels may not have.
fn tag(name: &str) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    name.chars().map(|character| if allowed(character) { character } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn state(name: &str, token: &str) -> ServerState {
        let server = Server { name: name.to_owned(), ..Server::default() };
        let (health, sessions) = (None, Vec::new());
        ServerState { server: Arc::new(server), token: token.to_owned(), health, sessions }
    }

    #[test]
    fn no_two_servers_have_one_name() {
        let servers = [
            state("Köln 1", "K%C3%B6ln%201"),
            state("Köln 1", "K%C3%B6ln%201~2"),
            state("sense~2", "sense%7E2"),
            // The second one may be met first.
            state("sense", "sense~2"),
            state("sense", "sense"),
            state("", "%"),
        ];
        assert_eq!(names(&servers), ["Köln 1", "Köln 1~2", "sense~2", "sense~2~", "sense", ""]);
    }

    #[test]
    fn tags_are_made_legal_and_stay_apart() {
        let tags = [("a-b", "1"), ("a b", "2"), ("a_b", "3"), ("7", "4"), ("", "5"), ("gone", "")];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let server = Server {
            name: "sense1".to_owned(),
            description: String::new(),
            host: "[fd00::1]:4747".to_owned(),
            tags: tags.map(owned).into(),
        };
        let labels = of_server("sense1", &server);
        let shown: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            shown,
            [
                "server=sense1",
                "host=fd00::1",
                "tag_=5",
                "tag_7=4",
                "tag_a_b=3",
                "tag_a_b_=2",
                "tag_a_b__=1",
            ]
        );
    }
}
