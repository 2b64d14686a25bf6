//! The laws that single values and lists follow when several files become one; see `compose`.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::grant::{Origin, Stated};
use crate::profile::inherit::Member;
use crate::profile::problem::Problem;
use crate::profile::schema::Layer;
use crate::profile::tree::{Maybe, Sourced};

/// The values of one scalar that no file above them overrides.
pub(super) fn standing<'m, T>(
    members: &'m [Member],
    field: impl Fn(&'m Layer) -> Option<&'m Sourced<T>>,
) -> Vec<&'m Sourced<T>> {
    let setting: Vec<(usize, &Sourced<T>)> = members
        .iter()
        .enumerate()
        .filter_map(|(index, member)| Some((index, field(&member.layer)?)))
        .collect();
    let overridden: BTreeSet<usize> =
        setting.iter().flat_map(|(index, _)| members[*index].below.iter().copied()).collect();
    setting.into_iter().filter(|(index, _)| !overridden.contains(index)).map(|(_, value)| value).collect()
}

/// The single values of several files, and the line behind each that was taken.
pub(super) struct Scalars<'m> {
    pub members: &'m [Member],
    pub lines: BTreeMap<String, Origin>,
}

impl<'m> Scalars<'m> {
    /// The standing value that is strictest: whose `looseness` is least.
    pub(super) fn pick<T: Clone + 'm, K: Ord>(
        &mut self,
        key: &str,
        field: impl Fn(&'m Layer) -> &'m Maybe<T>,
        looseness: impl Fn(&T) -> K,
        default: T,
    ) -> T {
        self.chosen(key, |layer| field(layer).as_ref(), looseness).map_or(default, |chosen| chosen.value)
    }

    /// The same for a value that may be absent, with its line.
    pub(super) fn chosen<T: Clone + 'm, K: Ord>(
        &mut self,
        key: &str,
        field: impl Fn(&'m Layer) -> Option<&'m Sourced<T>>,
        looseness: impl Fn(&T) -> K,
    ) -> Option<Stated<T>> {
        let strictest = standing(self.members, field)
            .into_iter()
            .min_by_key(|found| (looseness(&found.value), found.origin.clone()))?;
        self.lines.insert(key.to_owned(), strictest.origin.clone());
        Some(Stated { value: strictest.value.clone(), origin: strictest.origin.clone() })
    }

    /// A limit: the lower is the stricter, and "none" is above every number.
    pub(super) fn limit<T: Copy + Ord + 'm>(
        &mut self,
        key: &str,
        field: impl Fn(&'m Layer) -> &'m Maybe<Option<T>>,
        default: Option<T>,
    ) -> Option<T> {
        self.pick(key, field, |limit| (limit.is_none(), *limit), default)
    }
}

/// All values of a list, each once, sorted.
pub(super) fn list(
    members: &[Member],
    field: impl Fn(&Layer) -> &Vec<Sourced<String>>,
) -> Vec<Sourced<String>> {
    let mut all: Vec<Sourced<String>> =
        members.iter().flat_map(|member| field(&member.layer).clone()).collect();
    all.sort_by(|a, b| (&a.value, &a.origin).cmp(&(&b.value, &b.origin)));
    all.dedup_by(|a, b| a.value == b.value);
    all
}

/// The items of a list that may be absent, each once, sorted; its line is the first that states it.
pub(super) fn union<T: Clone + Ord>(
    members: &[Member],
    field: impl Fn(&Layer) -> Option<&Sourced<Vec<T>>>,
) -> Option<Stated<Vec<T>>> {
    let lists: Vec<&Sourced<Vec<T>>> = members.iter().filter_map(|member| field(&member.layer)).collect();
    let origin = lists.iter().map(|list| &list.origin).min()?.clone();
    let items: BTreeSet<T> = lists.iter().flat_map(|list| list.value.clone()).collect();
    Some(Stated { value: items.into_iter().collect(), origin })
}

/// A single value without a stricter side: where two bases differ, the extending file settles it.
pub(super) fn settled<T: Clone + PartialEq>(
    key: &str,
    members: &[Member],
    field: impl Fn(&Layer) -> Option<&Sourced<T>>,
    problems: &mut Vec<Problem>,
) -> Option<Stated<T>> {
    let mut found = standing(members, field);
    found.sort_by(|a, b| a.origin.cmp(&b.origin));
    let (first, others) = found.split_first()?;
    if let Some(other) = others.iter().find(|other| other.value != first.value) {
        let message = format!("`{key}` differs from what {} sets it to", first.origin);
        let help = format!("set `{key}` in the profile that extends both");
        problems.push(Problem::new(other.origin.clone(), message).help(help));
    }
    Some(Stated { value: first.value.clone(), origin: first.origin.clone() })
}
