//! What is legal but unwise: values without effect, and files that too many can read.

use std::path::Path;

use config::{Value, ValueKind};

use super::values::scalar_text;
use super::{Reader, Section, Shape};
use crate::config::lines::join;
use crate::config::modes;

impl<'r> Section<'r> {
    /// A section below this one that was read already, to look at it once more.
    pub(in crate::config) fn again(&self, key: &'static str) -> Section<'r> {
        let table = match self.value(key).map(|value| &value.kind) {
            Some(ValueKind::Table(table)) => Some(table),
            _ => None,
        };
        self.below(self.path_of(key), join(&self.pattern, key), table)
    }

    /// Says whether a flag that was read already is written and true.
    pub(in crate::config) fn is_on(&self, key: &'static str) -> bool {
        match self.value(key).map(|value| &value.kind) {
            Some(ValueKind::Boolean(flag)) => *flag,
            // As a variable says it.
            Some(ValueKind::String(text)) => text.trim().eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// Warns of a key whose value makes no difference, when it is another than the default.
    ///
    /// A reference that names every key with its default says nothing odd.
    pub(in crate::config) fn warn_without_effect(&self, key: &str, why: &str) {
        let pattern = join(&self.pattern, key);
        if self.value(key).is_some_and(|value| self.reader.differs(&pattern, value)) {
            self.warn(key, format!("has no effect: {why}"));
        }
    }

    /// Warns of a file that everybody on this host can read, though it proves who we are.
    pub(in crate::config) fn warn_if_open(&self, key: &str, path: &Path) {
        if self.is_quiet() {
            return;
        }
        if let Some(mode) = modes::open_to_everybody(path) {
            let path = path.display();
            let what = format!(
                "names {path}, which everybody on this host can read (mode {mode:04o}): \
                 chmod 600 {path}"
            );
            self.warn(key, what);
        }
    }
}

impl Reader<'_> {
    /// Says whether anything in a value is another than the default of its key.
    fn differs(&self, pattern: &str, value: &Value) -> bool {
        let known = self.known.borrow();
        let known = known.get(pattern);
        match &value.kind {
            ValueKind::Nil => false,
            ValueKind::Table(table) if known.is_none_or(|known| known.shape != Shape::Scalar) => {
                table.iter().any(|(key, value)| self.differs(&join(pattern, key), value))
            }
            kind => written(kind) != known.and_then(|known| known.default.clone()),
        }
    }
}

/// A value as getters write their defaults; none when no default looks like that.
fn written(kind: &ValueKind) -> Option<String> {
    match kind {
        ValueKind::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| scalar_text(&item.kind)).collect();
            serde_json::to_string(&texts?).ok()
        }
        kind => scalar_text(kind),
    }
}
