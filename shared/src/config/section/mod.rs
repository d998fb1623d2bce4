//! The reader of a configuration: sections with typed getters.
//!
//! Each getter does three things in one pass: it gives the value or its default, records what is
//! wrong with it, and records that the key is known. So the keys that exist, those that the
//! environment can set, and those that `finish` does not call unknown can never differ.
//! A quiet section is read like any other, but records no problems and opens no files: it is how
//! disabled sections may be incomplete or full of placeholders.

mod addresses;
mod effects;
mod lists;
mod secrets;
mod values;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::{Map, Value, ValueKind};

use super::environment::variable_name;
use super::lines::{join, step};
use super::nearest::nearest;
use super::places::Places;
use super::problem::Problem;
use super::used_file::UsedFile;

/// What is said of a key that no getter asked for.
pub(super) const UNKNOWN_KEY: &str = "unknown key";

/// What is said of one that is better not shown.
const NO_KEY: &str = "holds a key that is not shown, since it may be the rest of a secret: a text \
                      with a comma in it must be in quotes";

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Keys of our own choice.
    Section,
    /// One value.
    Scalar,
    /// A list.
    List,
    /// Keys of the operator's choice.
    Map,
}

/// A key that some getter asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The form of its value.
    pub(super) shape: Shape,
    /// Its default as one would write it; none when there is no default.
    pub(super) default: Option<String>,
    /// Whether it can be set by the environment alone, since Butler SOS refuses it in the file.
    pub(super) environment_only: bool,
}

/// What all sections of one pass share.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    places: &'a Places,
    /// True when the pass looks for keys and not at values.
    discovers: bool,
    /// True when it also looks for what the programs find out by themselves once they run.
    thorough: bool,
    /// True once a password or the like was found in the file itself.
    holds_secrets: Cell<bool>,
    known: RefCell<BTreeMap<String, Known>>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    files: RefCell<Vec<UsedFile>>,
}

/// What one pass found.
#[derive(Debug)]
pub(super) struct Findings {
    /// Every key that was asked for; `[]` stands for any item, `*` for any name.
    pub(super) known: BTreeMap<String, Known>,
    /// The mistakes.
    pub(super) problems: Vec<Problem>,
    /// What is odd besides.
    pub(super) warnings: Vec<Problem>,
    /// The files that are named where they have effect.
    pub(super) files: Vec<UsedFile>,
}

impl<'a> Reader<'a> {
    /// A reader of values.
    pub(super) fn new(places: &'a Places) -> Self {
        Self {
            places,
            discovers: false,
            thorough: false,
            holds_secrets: Cell::new(false),
            known: RefCell::default(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
            files: RefCell::default(),
        }
    }

    /// A reader that only learns which keys there are.
    pub(super) fn discovering(places: &'a Places) -> Self {
        Self { discovers: true, ..Self::new(places) }
    }

    /// A reader that also looks into certificates and keys, and at what is odd about the whole.
    pub(super) fn thorough(self, thorough: bool) -> Self {
        Self { thorough, ..self }
    }

    /// Says whether the file itself holds a secret that could be elsewhere.
    pub(super) fn holds_secrets(&self) -> bool {
        self.holds_secrets.get()
    }

    /// The section at the root, of the predecessor.
    pub(super) fn root<'r>(&'r self, table: Option<&'r Map<String, Value>>) -> Section<'r> {
        Section {
            reader: self,
            table,
            path: String::new(),
            pattern: String::new(),
            ours: false,
            quiet: Cell::new(self.discovers),
            asked: RefCell::default(),
        }
    }

    /// Ends the pass.
    pub(super) fn findings(self) -> Findings {
        Findings {
            known: self.known.into_inner(),
            problems: self.problems.into_inner(),
            warnings: self.warnings.into_inner(),
            files: self.files.into_inner(),
        }
    }
}

/// A section while it is read.
#[derive(Debug)]
pub(super) struct Section<'r> {
    reader: &'r Reader<'r>,
    /// Its keys; none when it is absent.
    table: Option<&'r Map<String, Value>>,
    /// Where it is, such as `serversToMonitor.servers[0]`.
    path: String,
    /// What it is, such as `serversToMonitor.servers[]`.
    pattern: String,
    /// True in Footman's own sections, where Butler SOS looks at nothing.
    ours: bool,
    /// True when nothing is recorded, since the section has no effect.
    quiet: Cell<bool>,
    /// The keys asked for.
    asked: RefCell<BTreeSet<String>>,
}

impl<'r> Section<'r> {
    /// Records that a file is used.
    fn uses(&self, key: &str, path: &Path, is_secret: bool) {
        let used = UsedFile { key: self.path_of(key), path: path.to_owned(), is_secret };
        self.reader.files.borrow_mut().push(used);
    }

    /// Says whether the section is written at all.
    pub(super) fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Says whether problems of the section are left out.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.get()
    }

    /// Says whether to look further than the programs do when they start.
    pub(super) fn is_thorough(&self) -> bool {
        self.reader.thorough && !self.is_quiet()
    }

    /// Says whether a key has a value.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The path of a key, for messages.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, &step(key))
    }

    /// Goes on without recording problems, unless the section has effect.
    pub(super) fn quiet_unless(self, has_effect: bool) -> Self {
        self.quiet.set(self.is_quiet() || !has_effect);
        self
    }

    /// Reads something without recording problems, when it has no effect.
    pub(super) fn quiet_if<T>(&self, has_no_effect: bool, read: impl FnOnce(&Self) -> T) -> T {
        let before = self.quiet.replace(self.is_quiet() || has_no_effect);
        let found = read(self);
        self.quiet.set(before);
        found
    }

    /// A section of the predecessor below this one.
    pub(super) fn section(&self, key: &'static str) -> Section<'r> {
        self.know(key, Shape::Section, None);
        let value = self.value(key);
        let table = match value.map(|value| &value.kind) {
            Some(ValueKind::Table(table)) => Some(table),
            _ => None,
        };
        let broken = value.is_some() && table.is_none();
        if broken {
            self.problem(key, "must be a section of keys and values", None);
        }
        self.below(self.path_of(key), join(&self.pattern, key), table).quiet_unless(!broken)
    }

    /// One of Footman's own sections below this one.
    pub(super) fn own_section(&self, key: &'static str) -> Section<'r> {
        Section { ours: true, ..self.section(key) }
    }

    /// Marks keys as known without looking at them.
    pub(super) fn ignore(&self, keys: &[&str]) {
        self.asked.borrow_mut().extend(keys.iter().map(|key| (*key).to_owned()));
    }

    /// Records a mistake.
    pub(super) fn problem(&self, key: &str, wrong: impl Into<String>, allowed: Option<&str>) {
        self.problem_near(key, wrong, allowed, None);
    }

    /// Records a mistake, with the known name that is most like the wrong one.
    pub(super) fn problem_near(
        &self,
        key: &str,
        wrong: impl Into<String>,
        allowed: Option<&str>,
        nearest: Option<&str>,
    ) {
        if !self.is_quiet() {
            let problem = self.said(key, wrong.into(), allowed, nearest);
            self.reader.problems.borrow_mut().push(problem);
        }
    }

    /// Records something odd.
    pub(super) fn warn(&self, key: &str, what: impl Into<String>) {
        if !self.is_quiet() {
            let warning = self.said(key, what.into(), None, None);
            self.reader.warnings.borrow_mut().push(warning);
        }
    }

    /// Reports the keys that no getter asked for as mistakes.
    pub(super) fn finish(self) {
        for key in self.unknown() {
            if self.is_for_the_environment(key) {
                let variable = variable_name(&self.path_of(key));
                let wrong = "is refused by Butler SOS in this section of the file";
                self.problem(key, wrong, Some(&format!("the environment variable {variable}")));
                continue;
            }
            let near = {
                let asked = self.asked.borrow();
                nearest(key, asked.iter().map(String::as_str)).map(|near| self.path_of(near))
            };
            if near.is_none() && self.may_be_of_a_secret(key) {
                let problem =
                    Problem { key: self.path.clone(), ..self.said(key, NO_KEY.into(), None, None) };
                self.reader.problems.borrow_mut().push(problem);
            } else {
                let allowed = near.is_none().then(|| self.usable_keys());
                self.problem_near(key, UNKNOWN_KEY, allowed.as_deref(), near.as_deref());
            }
        }
    }

    /// Says whether an unknown key may be what YAML makes of the rest of a text with a comma.
    fn may_be_of_a_secret(&self, key: &str) -> bool {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
        self.value(key).is_none() || !key.chars().all(plain)
    }

    /// The keys that the section may hold in the file.
    fn usable_keys(&self) -> String {
        let asked = self.asked.borrow();
        let keys = asked.iter().map(String::as_str);
        keys.filter(|key| !self.is_for_the_environment(key)).collect::<Vec<_>>().join(", ")
    }

    /// Reports the keys that no getter asked for as oddities.
    pub(super) fn finish_with_warnings(self) {
        for key in self.unknown() {
            let asked = self.asked.borrow();
            let near = nearest(key, asked.iter().map(String::as_str));
            let warning = self.said(key, "unknown section, without effect".to_owned(), None, near);
            self.reader.warnings.borrow_mut().push(warning);
        }
    }

    /// Says whether a key is known, but not in the file.
    fn is_for_the_environment(&self, key: &str) -> bool {
        let known = self.reader.known.borrow();
        known.get(&join(&self.pattern, key)).is_some_and(|known| known.environment_only)
    }

    /// The keys that no getter asked for.
    fn unknown(&self) -> Vec<&'r str> {
        let asked = self.asked.borrow();
        let keys = self.table.into_iter().flat_map(Map::keys).map(String::as_str);
        keys.filter(|key| !self.is_quiet() && !asked.contains(*key)).collect()
    }

    /// A section below this one.
    fn below(
        &self,
        path: String,
        pattern: String,
        table: Option<&'r Map<String, Value>>,
    ) -> Section<'r> {
        Section {
            reader: self.reader,
            table,
            path,
            pattern,
            ours: self.ours,
            quiet: Cell::new(self.is_quiet()),
            asked: RefCell::default(),
        }
    }

    /// The value of a key; none when it is absent or null.
    fn value(&self, key: &str) -> Option<&'r Value> {
        self.table?.get(key).filter(|value| value.kind != ValueKind::Nil)
    }

    /// Records that a key exists.
    fn know(&self, key: &str, shape: Shape, default: Option<String>) {
        self.asked.borrow_mut().insert(key.to_owned());
        let known = Known { shape, default, environment_only: false };
        self.reader.known.borrow_mut().insert(join(&self.pattern, key), known);
    }

    /// Says whether exactly this key was set by an environment variable, as text.
    fn is_variable(&self, key: &str) -> bool {
        self.reader.places.variables.contains_key(&self.path_of(key))
    }

    fn said(
        &self,
        key: &str,
        wrong: String,
        allowed: Option<&str>,
        nearest: Option<&str>,
    ) -> Problem {
        let key = if key.is_empty() { self.path.clone() } else { self.path_of(key) };
        Problem {
            place: self.reader.places.place(&key),
            key,
            wrong,
            allowed: allowed.map(str::to_owned),
            nearest: nearest.map(str::to_owned),
        }
    }
}
