//! Two policies compared line by line: what one lets through that the other does not, and what cannot be ordered.
//!
//! A line is *wider* when the second policy lets something through that the first refuses, *narrower* the other way
//! round, *changed* when neither can be said. Paths are compared as Landlock does it, by inode on the way up, and hosts
//! by what a pattern covers: a grant that another grant of the other side covers is no difference.
//!
//! Invariant: nothing that widens is called narrower, or left out. A repository's own file rests on it (`repository`), so
//! `facts` takes every field of a policy by name, and one that is new does not compile until it has a place there.

mod facts;
mod list;
mod tool_facts;
mod weight;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::policy::Policy;
use crate::policy::grant::Origin;
use crate::profile::Resolved;
use crate::profile::difference::list::Fact;
use crate::profile::difference::tool_facts::Ruled;
use crate::profile::place::Places;

/// What a difference amounts to, seen from the first policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The second policy lets more through.
    Wider,
    /// It is another value, and neither is the stricter.
    Changed,
    /// The second policy lets less through.
    Narrower,
}

/// A value, and the line that states it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Side {
    /// As TOML writes it.
    pub value: String,
    /// The line; `None` for a default.
    pub line: Option<Origin>,
}

/// One line that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The dotted key: `filesystem.read`, `limits.memory`.
    pub key: String,
    /// What it amounts to.
    pub direction: Direction,
    /// What the first policy has; `None` where it has nothing.
    pub from: Option<Side>,
    /// What the second has.
    pub to: Option<Side>,
}

/// Compares two resolved profiles.
#[must_use]
pub fn between(from: &Resolved, to: &Resolved) -> Vec<Difference> {
    let mut ruled = Ruled::new();
    tool_facts::ruled(&from.policy.tools, &mut ruled);
    tool_facts::ruled(&to.policy.tools, &mut ruled);
    let (one, other) = (facts::of(from, &ruled), facts::of(to, &ruled));
    let places = Places::default();
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    keys.extend(one.iter().chain(&other).map(|fact| fact.key.as_str()));
    let (one, other) = (Facts::new(&one, &from.policy), Facts::new(&other, &to.policy));
    let mut found: Vec<Difference> =
        keys.into_iter().flat_map(|key| at(key, &one, &other, &places)).collect();
    found.sort();
    found
}

/// One policy's facts, by key.
struct Facts<'f> {
    policy: &'f Policy,
    by_key: BTreeMap<&'f str, Vec<&'f Fact>>,
}

impl<'f> Facts<'f> {
    fn new(facts: &'f [Fact], policy: &'f Policy) -> Self {
        let mut by_key: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
        for fact in facts {
            by_key.entry(&fact.key).or_default().push(fact);
        }
        Facts { policy, by_key }
    }

    fn at(&self, key: &str) -> &[&'f Fact] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }
}

/// The differences of one key: it holds one value, or a list of entries.
fn at(key: &str, one: &Facts<'_>, other: &Facts<'_>, places: &Places) -> Vec<Difference> {
    let (from, to) = (one.at(key), other.at(key));
    let is_list = from.iter().chain(to).any(|fact| fact.weight.is_entry());
    if !is_list {
        return single(key, from.first().copied(), to.first().copied(), places).into_iter().collect();
    }
    let mut found = Vec::new();
    for (facts, counterpart, added) in [(to, one, true), (from, other, false)] {
        for fact in facts {
            if counterpart.at(key).iter().any(|known| known.value == fact.value)
                || fact.weight.is_given_by(counterpart.policy, places)
            {
                continue;
            }
            let direction = match (fact.weight.narrows(), added) {
                (true, true) | (false, false) => Direction::Narrower,
                (true, false) | (false, true) => Direction::Wider,
            };
            let side = Some(side(fact));
            let (from, to) = if added { (None, side) } else { (side, None) };
            found.push(Difference { key: key.to_owned(), direction, from, to });
        }
    }
    found
}

/// A key with one value. Where a side has none, nothing of the kind holds there.
fn single(key: &str, from: Option<&Fact>, to: Option<&Fact>, places: &Places) -> Option<Difference> {
    let direction = match (from, to) {
        (Some(from), Some(to)) if from.value == to.value || (from.inherited && to.inherited) => return None,
        (Some(from), Some(to)) => from.weight.to(&to.weight, places),
        (None, Some(fact)) => fact.weight.appears(),
        (Some(fact), None) => match fact.weight.appears() {
            Direction::Narrower => Direction::Wider,
            Direction::Wider => Direction::Narrower,
            Direction::Changed => Direction::Changed,
        },
        (None, None) => return None,
    };
    Some(Difference { key: key.to_owned(), direction, from: from.map(side), to: to.map(side) })
}

fn side(fact: &Fact) -> Side {
    Side { value: fact.value.clone(), line: fact.origin.clone() }
}
