//! Reading a TOML tree with its positions: each question about a key either gives a value with its origin, or notes a
//! problem and gives nothing, so that one pass over a file finds everything that is wrong with it.
//!
//! Written on toml's own spanned tree rather than on serde's derive: derive stops at the first error and takes an
//! array where a table is meant (`process = []`), and a profile must not be readable in two ways.

use std::cell::RefCell;
#[cfg(test)]
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::grant::Origin;
use crate::policy::tools::Rate;
use crate::profile::problem::Problem;
use crate::profile::quantity;
use crate::profile::source::Source;
use crate::profile::suggest;

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub origin: Origin,
}

/// A value that may be absent.
pub(super) type Maybe<T> = Option<Sourced<T>>;

/// The file that is being read, and what is wrong with it so far.
pub(super) struct Reading<'s> {
    source: &'s Source,
    problems: RefCell<Vec<Problem>>,
    #[cfg(test)]
    pub(super) asked: RefCell<BTreeMap<String, BTreeSet<Asked>>>,
}

/// What a key was asked to be: `docs/profile.schema.json` is made of these (`tests/json_schema.rs`).
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// A key that is known; where nothing else is noted, no value was there to be read.
    Known,
    String,
    List,
    Table,
    /// Every key of the table was asked for.
    Closed,
    Boolean,
    Integer {
        least: u32,
    },
    /// One of these words.
    Choice(Vec<String>),
    Bytes,
    Duration,
    Rate,
    /// Or `"none"`.
    None,
}

impl<'s> Reading<'s> {
    /// Begins to read a file.
    pub(super) fn new(source: &'s Source) -> Self {
        Reading {
            source,
            problems: RefCell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    /// Notes a problem.
    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// What was wrong, in the order of the file.
    pub(super) fn finish(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        problems
    }

    /// The place of a span.
    pub(super) fn origin(&self, span: &Range<usize>) -> Origin {
        self.source.origin(span)
    }
}

/// One value of the tree.
pub(super) type Node<'t> = &'t Spanned<DeValue<'t>>;

/// One table, and which of its keys were asked for.
pub(super) struct Table<'t> {
    reading: &'t Reading<'t>,
    /// Dotted, empty for the root.
    path: String,
    table: &'t DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'t> Table<'t> {
    /// The root of a file.
    pub(super) fn root(reading: &'t Reading<'t>, table: &'t DeTable<'t>) -> Self {
        Table { reading, path: String::new(), table, known: Vec::new() }
    }

    /// `filesystem.read` for the key `read` of `filesystem`.
    pub(super) fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The file that is being read.
    pub(super) fn reading(&self) -> &'t Reading<'t> {
        self.reading
    }

    #[cfg(test)]
    fn note(&self, key: &str, asked: Asked) {
        self.reading.asked.borrow_mut().entry(self.dotted(key)).or_default().insert(asked);
    }

    /// The value of a key, which is known from now on.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Node<'t>> {
        self.known.push(key);
        #[cfg(test)]
        self.note(key, Asked::Known);
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// All keys with their values, for a table whose keys are free.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Sourced<String>, Node<'t>)> {
        self.table.iter().map(|(key, value)| {
            let origin = self.reading.origin(&key.span());
            (Sourced { value: key.get_ref().to_string(), origin }, value)
        })
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        #[cfg(test)]
        self.reading.asked.borrow_mut().entry(self.path.clone()).or_default().insert(Asked::Closed);
        for (key, _) in self.entries().filter(|(key, _)| !self.known.contains(&key.value.as_str())) {
            let problem = Problem::new(key.origin, format!("unknown key `{}`", self.dotted(&key.value)));
            let help = match suggest::nearest(&key.value, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.reading.report(problem.help(help));
        }
    }

    /// A table below this one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Table<'t>> {
        let node = self.get(key)?;
        self.as_table(key, node)
    }

    /// `node` as a table that stands below this one under `key`.
    pub(super) fn as_table(&self, key: &str, node: Node<'t>) -> Option<Table<'t>> {
        #[cfg(test)]
        self.note(key, Asked::Table);
        match node.get_ref() {
            DeValue::Table(table) => {
                Some(Table { reading: self.reading, path: self.dotted(key), table, known: Vec::new() })
            }
            _ => self.mistyped(key, node, "a table"),
        }
    }

    /// A string.
    pub(super) fn string(&mut self, key: &'static str) -> Option<Sourced<String>> {
        let node = self.get(key)?;
        self.as_string(key, node)
    }

    /// `node` as a string.
    pub(super) fn as_string(&self, key: &str, node: Node<'t>) -> Option<Sourced<String>> {
        #[cfg(test)]
        self.note(key, Asked::String);
        match node.get_ref() {
            DeValue::String(text) => {
                Some(Sourced { value: text.to_string(), origin: self.reading.origin(&node.span()) })
            }
            _ => self.mistyped(key, node, "a string"),
        }
    }

    /// A list of strings; empty when the key is absent.
    pub(super) fn strings(&mut self, key: &'static str) -> Vec<Sourced<String>> {
        let items = self.list(key);
        items.into_iter().filter_map(|item| self.as_string(key, item)).collect()
    }

    /// The items of a list; empty when the key is absent.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<Node<'t>> {
        self.get(key).map_or_else(Vec::new, |node| self.as_list(key, node))
    }

    /// The items of `node`, which is a list.
    pub(super) fn as_list(&self, key: &str, node: Node<'t>) -> Vec<Node<'t>> {
        #[cfg(test)]
        self.note(key, Asked::List);
        match node.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => {
                let _: Option<()> = self.mistyped(key, node, "a list");
                Vec::new()
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<Sourced<bool>> {
        #[cfg(test)]
        self.note(key, Asked::Boolean);
        let node = self.get(key)?;
        match node.get_ref() {
            DeValue::Boolean(value) => {
                Some(Sourced { value: *value, origin: self.reading.origin(&node.span()) })
            }
            _ => self.mistyped(key, node, "true or false"),
        }
    }

    /// A whole number of at least `least`.
    pub(super) fn integer(&mut self, key: &'static str, least: u32) -> Option<Sourced<u32>> {
        let node = self.get(key)?;
        self.as_integer(key, node, least, None)
    }

    /// A whole number, or `"none"`.
    pub(super) fn integer_or_none(&mut self, key: &'static str, least: u32) -> Option<Sourced<Option<u32>>> {
        self.whole_or_none(key, least, None)
    }

    /// The same, where somebody will ask why it cannot be less.
    pub(super) fn integer_or_none_for(
        &mut self,
        key: &'static str,
        least: u32,
        why: &str,
    ) -> Option<Sourced<Option<u32>>> {
        self.whole_or_none(key, least, Some(why))
    }

    fn whole_or_none(
        &mut self,
        key: &'static str,
        least: u32,
        why: Option<&str>,
    ) -> Option<Sourced<Option<u32>>> {
        #[cfg(test)]
        self.note(key, Asked::None);
        let node = self.get(key)?;
        let origin = self.reading.origin(&node.span());
        match node.get_ref() {
            DeValue::String(text) if text == "none" => Some(Sourced { value: None, origin }),
            DeValue::Integer(_) => {
                let found = self.as_integer(key, node, least, why);
                found.map(|found| Sourced { value: Some(found.value), origin })
            }
            _ => self.mistyped(key, node, "a whole number or \"none\""),
        }
    }

    fn as_integer(&self, key: &str, node: Node<'t>, least: u32, why: Option<&str>) -> Option<Sourced<u32>> {
        #[cfg(test)]
        self.note(key, Asked::Integer { least });
        let DeValue::Integer(number) = node.get_ref() else {
            return self.mistyped(key, node, "a whole number");
        };
        let value =
            i64::from_str_radix(number.as_str(), number.radix()).ok().and_then(|n| u32::try_from(n).ok());
        match value.filter(|value| *value >= least) {
            Some(value) => Some(Sourced { value, origin: self.reading.origin(&node.span()) }),
            None => {
                let message =
                    format!("`{}` is {number}; it is a whole number from {least} up", self.dotted(key));
                let mut problem = Problem::new(self.reading.origin(&node.span()), message);
                problem.help = why.map(str::to_owned);
                self.reading.report(problem);
                None
            }
        }
    }

    /// One word of a fixed list.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<Sourced<T>> {
        let node = self.get(key);
        #[cfg(test)]
        self.note(key, Asked::Choice(words.iter().map(|(word, _)| (*word).to_owned()).collect()));
        self.as_choice(key, node?, words)
    }

    /// `node` as one word of a fixed list.
    pub(super) fn as_choice<T: Copy>(
        &self,
        key: &str,
        node: Node<'t>,
        words: &[(&str, T)],
    ) -> Option<Sourced<T>> {
        #[cfg(test)]
        self.note(key, Asked::Choice(words.iter().map(|(word, _)| (*word).to_owned()).collect()));
        let found = self.as_string(key, node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == found.value) {
            return Some(Sourced { value: *value, origin: found.origin });
        }
        let message = format!("`{}` cannot be \"{}\"", self.dotted(key), found.value.escape_debug());
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match suggest::nearest(&found.value, words.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("it is one of: {}", words.join(", ")),
        };
        self.reading.report(Problem::new(found.origin, message).help(help));
        None
    }

    /// Bytes, as `"1GiB"`.
    pub(super) fn bytes(&mut self, key: &'static str) -> Option<Sourced<u64>> {
        #[cfg(test)]
        self.note(key, Asked::Bytes);
        let found = self.string(key)?;
        self.amount(key, found, quantity::bytes)
    }

    /// Bytes, or `"none"`.
    pub(super) fn bytes_or_none(&mut self, key: &'static str) -> Option<Sourced<Option<u64>>> {
        #[cfg(test)]
        self.note(key, Asked::Bytes);
        #[cfg(test)]
        self.note(key, Asked::None);
        let found = self.string(key)?;
        self.amount(key, found, |text| or_none(text, quantity::bytes))
    }

    /// A time, as `"60s"`.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<Sourced<Duration>> {
        #[cfg(test)]
        self.note(key, Asked::Duration);
        let found = self.string(key)?;
        self.amount(key, found, quantity::duration)
    }

    /// A time, or `"none"`.
    pub(super) fn duration_or_none(&mut self, key: &'static str) -> Option<Sourced<Option<Duration>>> {
        #[cfg(test)]
        self.note(key, Asked::Duration);
        #[cfg(test)]
        self.note(key, Asked::None);
        let found = self.string(key)?;
        self.amount(key, found, |text| or_none(text, quantity::duration))
    }

    /// A rate, as `"60/min"`, or `"none"`.
    pub(super) fn rate_or_none(&mut self, key: &'static str) -> Option<Sourced<Option<Rate>>> {
        #[cfg(test)]
        self.note(key, Asked::Rate);
        #[cfg(test)]
        self.note(key, Asked::None);
        let found = self.string(key)?;
        self.amount(key, found, |text| or_none(text, quantity::rate))
    }

    fn amount<T>(
        &self,
        key: &str,
        found: Sourced<String>,
        read: impl Fn(&str) -> Result<T, quantity::Error>,
    ) -> Option<Sourced<T>> {
        match read(&found.value) {
            Ok(value) => Some(Sourced { value, origin: found.origin }),
            Err(error) => {
                let problem = Problem::new(found.origin, format!("`{}`: {error}", self.dotted(key)));
                self.reading.report(problem);
                None
            }
        }
    }

    /// Notes that `node` is not what its key wants.
    pub(super) fn mistyped<T>(&self, key: &str, node: Node<'t>, wanted: &str) -> Option<T> {
        let found = match node.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.refuse(node, format!("`{}` is {found}; it must be {wanted}", self.dotted(key)))
    }

    fn refuse<T>(&self, node: Node<'t>, message: String) -> Option<T> {
        self.reading.report(Problem::new(self.reading.origin(&node.span()), message));
        None
    }
}

fn or_none<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, quantity::Error>,
) -> Result<Option<T>, quantity::Error> {
    if text == "none" { Ok(None) } else { read(text).map(Some) }
}
