//! Mutants of JSON: members that are missing, twice, elsewhere, or of another type.

use serde_json::Value;

use crate::chance::Chance;

/// Values that no answer should hold, as they stand in JSON.
const ODD: [&str; 26] = [
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
    "-1",
    "0",
    "-0.0",
    "1e400",
    "-1e400",
    "5e-324",
    "18446744073709551616",
    "9223372036854775808",
    "-9223372036854775809",
    "0.1",
    "9007199254740993",
    "\"NaN\"",
    "\"-1\"",
    "\"\\ud800\"",
    "\"a\\\\\"",
    "\"\\u0000\\n\\\"\"",
    "\"#,= \\\\\"",
    "[null,{}]",
    "\"2026-11-21T08:15:30Z\"",
    "\"qliksense.health.v2\"",
    "1.7e308",
];
const LONG: usize = 70_000;
const DEEP: usize = 3_000;
/// Members and elements are repeated so often at most.
const MANY: usize = 1_200;

/// A JSON value that may be more than JSON allows.
#[derive(Clone)]
enum Node {
    /// Anything without members, as it is written.
    Leaf(String),
    List(Vec<Node>),
    /// Names as they are written; one may come twice.
    Map(Vec<(String, Node)>),
}

/// A mutant; the bytes themselves where they are no JSON.
pub(crate) fn mutant(kept: &[u8], chance: &mut Chance) -> Vec<u8> {
    let Ok(value) = serde_json::from_slice::<Value>(kept) else { return kept.to_vec() };
    let mut node = Node::of(&value);
    for _ in 0..=chance.below(4) {
        let count = node.count();
        let at = chance.below(count);
        node.change(at, chance);
    }
    let mut text = String::new();
    node.write(&mut text);
    text.into_bytes()
}

impl Node {
    fn of(value: &Value) -> Self {
        match value {
            Value::Array(values) => Self::List(values.iter().map(Self::of).collect()),
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| {
                    (Value::String(name.clone()).to_string(), Self::of(value))
                };
                Self::Map(members.iter().map(member).collect())
            }
            leaf => Self::Leaf(leaf.to_string()),
        }
    }

    fn count(&self) -> usize {
        1 + match self {
            Self::Leaf(_) => 0,
            Self::List(nodes) => nodes.iter().map(Self::count).sum::<usize>(),
            Self::Map(members) => members.iter().map(|(_, node)| node.count()).sum(),
        }
    }

    /// Changes the node of that number, counted from here; gives what is left of the number.
    fn change(&mut self, at: usize, chance: &mut Chance) -> Option<usize> {
        let Some(mut at) = at.checked_sub(1) else {
            self.mutate(chance);
            return None;
        };
        match self {
            Self::Leaf(_) => Some(at),
            Self::List(nodes) => {
                for node in nodes {
                    at = node.change(at, chance)?;
                }
                Some(at)
            }
            Self::Map(members) => {
                for (_, node) in members {
                    at = node.change(at, chance)?;
                }
                Some(at)
            }
        }
    }

    fn mutate(&mut self, chance: &mut Chance) {
        match (self, chance.below(8)) {
            (Self::Map(members), 0..=4) if !members.is_empty() => {
                let at = chance.below(members.len());
                match chance.below(5) {
                    0 => drop(members.remove(at)),
                    1 => {
                        let mut twice = members[at].clone();
                        twice.1.mutate(chance);
                        members.push(twice);
                    }
                    2 => members[at].0 = Node::odd(chance).text_only(),
                    3 => {
                        let other = chance.below(members.len());
                        let value = members[other].1.clone();
                        members[at].1 = value;
                    }
                    _ => {
                        let name = chance.of(&members.clone()).0.clone();
                        members[at].0 = name;
                    }
                }
            }
            (Self::List(nodes), 0..=4) if !nodes.is_empty() => {
                let at = chance.below(nodes.len());
                let node = nodes[at].clone();
                match chance.below(3) {
                    0 => drop(nodes.remove(at)),
                    1 => nodes.push(node),
                    _ => nodes.extend(std::iter::repeat_n(node, chance.below(MANY))),
                }
            }
            (node, 5) => *node = Self::List(vec![node.clone()]),
            (node, 6) if chance.once_in(8) => *node = Self::large(chance),
            (node, _) => *node = Self::odd(chance),
        }
    }

    fn odd(chance: &mut Chance) -> Self {
        Self::Leaf((*chance.of(&ODD)).to_owned())
    }

    fn large(chance: &mut Chance) -> Self {
        Self::Leaf(match chance.below(3) {
            0 => format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP)),
            1 => "9".repeat(400),
            _ => format!("\"{}\"", chance.of(&["x", "\\\\", "\\\"", "\\u0001", ","]).repeat(LONG)),
        })
    }

    fn text_only(self) -> String {
        match self {
            Self::Leaf(text) if text.starts_with('"') => text,
            _ => "\"\"".to_owned(),
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Leaf(leaf) => text.push_str(leaf),
            Self::List(nodes) => {
                text.push('[');
                for (at, node) in nodes.iter().enumerate() {
                    text.push_str(if at > 0 { "," } else { "" });
                    node.write(text);
                }
                text.push(']');
            }
            Self::Map(members) => {
                text.push('{');
                for (at, (name, node)) in members.iter().enumerate() {
                    text.push_str(if at > 0 { "," } else { "" });
                    text.push_str(name);
                    text.push(':');
                    node.write(text);
                }
                text.push('}');
            }
        }
    }
}
