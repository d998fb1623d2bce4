//! The getters of lists and maps.

use config::{Map, Value, ValueKind};
use url::Url;

use super::values::{kind_name, scalar_text};
use super::{Section, Shape};
use crate::config::lines::join;
use crate::secret::Secret;

/// How the default of a list of sections is written, when nothing is meant to be in it.
const EMPTY_LIST: &str = "[]";
/// How the default of a map is written.
const EMPTY_MAP: &str = "{}";

impl<'r> Section<'r> {
    /// A list of texts with a default.
    pub(in crate::config) fn texts(&self, key: &'static str, default: &[&str]) -> Vec<String> {
        let written = serde_json::to_string(default).unwrap_or_else(|_| EMPTY_LIST.to_owned());
        self.know(key, Shape::List, Some(written));
        let Some(items) = self.list(key) else {
            return default.iter().map(|text| (*text).to_owned()).collect();
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            if let Some(text) = scalar_text(&item.kind) {
                texts.push(text);
            } else {
                let wrong = format!("is {}", kind_name(&item.kind));
                self.problem_at(key, index, wrong, "a text");
            }
        }
        texts
    }

    /// A list of sections, each read in the same way.
    pub(in crate::config) fn items<T>(
        &self,
        key: &'static str,
        read: impl Fn(Section<'r>) -> T,
    ) -> Vec<T> {
        self.know(key, Shape::List, None);
        let pattern = format!("{}[]", join(&self.pattern, key));
        let at = |index| format!("{}[{index}]", self.path_of(key));
        if self.reader.discovers {
            read(self.below(at(0), pattern.clone(), None));
        }
        let mut found = Vec::new();
        for (index, item) in self.list(key).into_iter().flatten().enumerate() {
            match &item.kind {
                ValueKind::Table(table) => {
                    found.push(read(self.below(at(index), pattern.clone(), Some(table))));
                }
                kind => {
                    let wrong = format!("is {}", kind_name(kind));
                    self.problem_at(key, index, wrong, "a section of keys and values");
                }
            }
        }
        found
    }

    /// Sections under names of the operator's choice, in the order of the file.
    pub(in crate::config) fn named<T>(
        &self,
        key: &'static str,
        read: impl Fn(Section<'r>) -> T,
    ) -> Vec<(String, T)> {
        self.know(key, Shape::Map, None);
        let pattern = join(&join(&self.pattern, key), "*");
        let names = self.section_of_names(key);
        if self.reader.discovers {
            read(self.below(String::new(), pattern.clone(), None));
        }
        let mut found = Vec::new();
        for (name, value) in names.in_order() {
            let table = match &value.kind {
                ValueKind::Table(table) => Some(table),
                ValueKind::Nil => None,
                _ => {
                    names.problem(name, "must be a section of keys and values", None);
                    continue;
                }
            };
            let section = self.below(names.path_of(name), pattern.clone(), table);
            found.push((name.to_owned(), read(section)));
        }
        found
    }

    /// Texts under names of the operator's choice, in the order of the file. Numbers and flags
    /// become text; what is null is left out.
    pub(in crate::config) fn pairs(&self, key: &'static str) -> Vec<(String, String)> {
        self.know(key, Shape::Map, Some(EMPTY_MAP.to_owned()));
        self.section_of_names(key).texts_in_order()
    }

    /// Secrets under names of the operator's choice, in the order of the file.
    pub(in crate::config) fn secret_pairs(
        &self,
        key: &'static str,
        is_right: impl Fn(&str, &str) -> bool,
        allowed: &str,
    ) -> Vec<(String, Secret)> {
        self.know(key, Shape::Map, Some(EMPTY_MAP.to_owned()));
        let names = self.section_of_names(key);
        let mut pairs = Vec::new();
        for (name, text) in names.texts_in_order() {
            let raw = names.reader.places.raw(&names.path_of(&name));
            let is_number = names.value(&name).is_some_and(|value| is_number(&value.kind));
            let text = raw.filter(|_| is_number).map_or(text, str::to_owned);
            if !is_right(&name, &text) {
                names.problem(&name, "is not allowed", Some(allowed));
            }
            pairs.push((name, Secret::new(text)));
        }
        pairs
    }

    /// Records a mistake in what stands under a name of the operator's choice.
    pub(in crate::config) fn problem_named(
        &self,
        key: &'static str,
        name: &str,
        wrong: impl Into<String>,
        nearest: Option<&str>,
    ) {
        self.section_of_names(key).problem_near(name, wrong, None, nearest);
    }

    /// Records something odd in one item of a list.
    pub(in crate::config) fn warn_at(&self, key: &'static str, index: usize, what: String) {
        let path = format!("{}[{index}]", self.path_of(key));
        self.below(path, String::new(), None).warn("", what);
    }

    /// Parses a URL that is an item of a list.
    pub(in crate::config) fn url_at(
        &self,
        key: &'static str,
        index: usize,
        text: &str,
        schemes: &[&str],
    ) -> Option<Url> {
        let path = format!("{}[{index}]", self.path_of(key));
        self.below(path, String::new(), None).parsed_url("", text, schemes)
    }

    /// Records a mistake in one item of a list.
    pub(in crate::config) fn problem_at(
        &self,
        key: &'static str,
        index: usize,
        wrong: impl Into<String>,
        allowed: &str,
    ) {
        let path = format!("{}[{index}]", self.path_of(key));
        let item = self.below(path, String::new(), None);
        item.problem("", wrong, Some(allowed));
    }

    /// The items of a list; none when it is absent or null.
    fn list(&self, key: &str) -> Option<&'r [Value]> {
        match &self.value(key)?.kind {
            ValueKind::Array(items) => Some(items),
            kind => {
                self.problem(key, format!("is {}", kind_name(kind)), Some("a list"));
                None
            }
        }
    }

    /// A map whose keys are not ours, as a section.
    fn section_of_names(&self, key: &'static str) -> Section<'r> {
        let table = match self.value(key).map(|value| &value.kind) {
            Some(ValueKind::Table(table)) => Some(table),
            None => None,
            Some(kind) => {
                self.problem(key, format!("is {}", kind_name(kind)), Some("names and values"));
                None
            }
        };
        self.below(self.path_of(key), join(&self.pattern, key), table)
    }

    /// The single values as texts, in the order of the file.
    fn texts_in_order(&self) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        for (name, value) in self.in_order() {
            match (&value.kind, scalar_text(&value.kind)) {
                (ValueKind::Nil, _) => {}
                (_, Some(text)) => texts.push((name.to_owned(), text)),
                (kind, None) => {
                    self.problem(name, format!("is {}", kind_name(kind)), Some("one value"));
                }
            }
        }
        texts
    }

    /// The keys and values in the order of the file.
    fn in_order(&self) -> Vec<(&'r str, &'r Value)> {
        let mut pairs: Vec<(&str, &Value)> = self
            .table
            .into_iter()
            .flat_map(Map::iter)
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        let places = self.reader.places;
        pairs.sort_by_key(|(name, _)| {
            let place = places.lines.index(&self.path_of(name));
            (place.unwrap_or(usize::MAX), *name)
        });
        pairs
    }
}

fn is_number(kind: &ValueKind) -> bool {
    matches!(kind, ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::Float(_))
}
