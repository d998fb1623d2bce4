//! The labels of a series: those of the server, as the predecessor gives them, made legal.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use shared::event::Server;

use crate::endpoint::bare;

/// What goes before a name that Prometheus keeps for itself, which begins with two underscores.
const BEFORE_RESERVED: &str = "tag";

/// Labels by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels(BTreeMap<String, String>);

impl Labels {
    /// `host` without its port, `server_name`, `server_description`, and the server's own tags,
    /// which may overwrite these three.
    ///
    /// A tag whose name is no legal label is renamed; when the new name is another tag's,
    /// underscores are added until it is its own.
    pub(super) fn of(server: &Server) -> Self {
        let mut labels = Self::default()
            .with("host", bare(&server.host))
            .with("server_name", &server.name)
            .with("server_description", &server.description);
        let (legal, others): (Vec<_>, Vec<_>) =
            server.tags.iter().partition(|(name, _)| legal(name) == **name);
        for (name, value) in legal {
            labels = labels.with(name, value);
        }
        for (name, value) in others {
            let mut name = self::legal(name);
            while labels.0.contains_key(&name) {
                name.push('_');
            }
            labels = labels.with(&name, value);
        }
        labels
    }

    /// With one more, in the place of one of the same name.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = '{';
        for (name, value) in &self.0 {
            write!(formatter, "{before}{name}=\"")?;
            for character in value.chars() {
                match character {
                    '\\' => formatter.write_str("\\\\")?,
                    '"' => formatter.write_str("\\\"")?,
                    '\n' => formatter.write_str("\\n")?,
                    other => formatter.write_char(other)?,
                }
            }
            formatter.write_char('"')?;
            before = ',';
        }
        if before == ',' { formatter.write_char('}') } else { Ok(()) }
    }
}

/// A name as labels may have it: letters, digits and underscores of ASCII, no digit first.
fn legal(name: &str) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut legal: String = name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    if legal.is_empty() || legal.starts_with(|first: char| first.is_ascii_digit()) {
        legal.insert(0, '_');
    }
    if legal.starts_with("__") {
        legal.insert_str(0, BEFORE_RESERVED);
    }
    legal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(tags: &[(&str, &str)]) -> String {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let server = Server {
            name: "sense 1".to_owned(),
            description: String::new(),
            host: "[fd00::1]:4747".to_owned(),
            tags: tags.iter().map(owned).collect(),
        };
        Labels::of(&server).to_string()
    }

    #[test]
    fn values_are_escaped() {
        let tags = [("path", "C:\\new\\"), ("quote", "a \"b\"\nc"), ("unit", "µ 🚀")];
        assert_eq!(
            labels(&tags),
            r#"{host="fd00::1",path="C:\\new\\",quote="a \"b\"\nc",server_description="",server_name="sense 1",unit="µ 🚀"}"#
        );
        assert_eq!(Labels::default().to_string(), "");
    }

    #[test]
    fn names_are_made_legal_and_stay_apart() {
        let tags = [("a-b", "1"), ("a b", "2"), ("a_b", "3"), ("7", "4"), ("", "5")];
        assert_eq!(
            labels(&tags),
            r#"{_="5",_7="4",a_b="3",a_b_="2",a_b__="1",host="fd00::1",server_description="",server_name="sense 1"}"#
        );
        for (name, expected) in
            [("__name__", "tag__name__"), ("Ä=b", "tag__b"), ("zone", "zone"), ("_x", "_x")]
        {
            assert_eq!(legal(name), expected);
        }
    }

    #[test]
    fn tags_overwrite_the_first_three_as_they_did() {
        let tags = [("host", "node1"), ("server_name", "x"), ("server_description", "y")];
        assert_eq!(labels(&tags), r#"{host="node1",server_description="y",server_name="x"}"#);
    }
}
