//! What a pin file holds of a server, and what of it waits for somebody to look at it.

use std::collections::BTreeSet;

use crate::mcp::pins::{Change, Fate, Kind, Pins, Value, compare_one, origin};

/// What is known of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// What was seen first, or approved since.
    pub pinned: Pins,
    /// The kinds of which a whole list was seen.
    pub whole: BTreeSet<Kind>,
    /// What the server said last, where that is something else.
    pub seen: Pins,
    /// The kinds of which `seen` has a whole list.
    pub seen_whole: BTreeSet<Kind>,
}

impl Known {
    /// What is different, and may wait for approval.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for kind in Kind::ALL {
            for (name, after) in self.seen.of(kind) {
                let before = self.pinned.get(kind, name);
                changes.extend(compare_one(kind, name, before, Some(after)));
            }
            if !kind.is_fixed() || !self.seen_whole.contains(&kind) {
                continue;
            }
            for (name, before) in self.pinned.of(kind) {
                if self.seen.get(kind, name).is_none() {
                    changes.extend(compare_one(kind, name, Some(before), None));
                }
            }
        }
        name_origins(&mut changes, &self.pinned, &self.seen);
        changes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        changes
    }

    /// Whether it may be another server than the one that was pinned: no tool has a name that was.
    pub fn is_another(&self) -> bool {
        let pinned = |name: &str| self.pinned.get(Kind::Tool, name).is_some();
        let mut names = self.seen.of(Kind::Tool).map(|(name, _)| name).peekable();
        self.seen_whole.contains(&Kind::Tool)
            && self.pinned.of(Kind::Tool).next().is_some()
            && names.peek().is_some()
            && !names.any(pinned)
    }

    /// Pins what was seen last: of one definition, or all. What was changed by that.
    pub fn approve(&mut self, one: Option<(Kind, &str)>) -> Vec<Change> {
        let chosen = |change: &Change| one.is_none_or(|one| (change.kind, change.name.as_str()) == one);
        let approved: Vec<Change> = self.changes().into_iter().filter(chosen).collect();
        for change in &approved {
            match self.seen.get(change.kind, &change.name) {
                Some(value) => drop(self.pinned.put(change.kind, &change.name, value.clone())),
                None => drop(self.pinned.remove(change.kind, &change.name)),
            }
        }
        approved
    }

    /// What a session saw, beside what others wrote meanwhile: what is pinned stays pinned, and of a kind that the session
    /// has not `looked` at what others saw last holds.
    pub fn merge(mut self, looked: &BTreeSet<Kind>, theirs: Known) -> Known {
        let mut pinned = theirs.pinned;
        for kind in Kind::ALL {
            if kind.is_fixed() && theirs.whole.contains(&kind) {
                continue;
            }
            for (name, definition) in self.pinned.of(kind) {
                if pinned.get(kind, name).is_none() {
                    pinned.put(kind, name, definition.clone());
                }
            }
        }
        for kind in Kind::ALL.into_iter().filter(|kind| !looked.contains(kind)) {
            self.seen.forget(kind);
            theirs.seen.of(kind).for_each(|(name, value)| drop(self.seen.put(kind, name, value.clone())));
            self.seen_whole.remove(&kind);
            self.seen_whole.extend(theirs.seen_whole.get(&kind));
        }
        self.whole.extend(theirs.whole);
        Known { pinned, ..self }
    }
}

/// Says of what is new which one that is gone it was.
pub(super) fn name_origins(changes: &mut [Change], pinned: &Pins, seen: &Pins) {
    let gone: Vec<(Kind, String, &Value)> = changes
        .iter()
        .filter(|change| change.kind.is_fixed() && change.fate == Fate::Removed)
        .filter_map(|change| Some((change.kind, change.name.clone(), pinned.get(change.kind, &change.name)?)))
        .collect();
    for change in changes.iter_mut().filter(|change| change.kind.is_fixed()) {
        let kind = change.kind;
        if let Fate::Added { renamed_from } = &mut change.fate
            && let Some(after) = seen.get(kind, &change.name)
        {
            let alike = gone.iter().filter(|(of, ..)| *of == kind);
            *renamed_from = origin(kind, alike.map(|(_, name, of)| (name.as_str(), *of)), after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::parse(text, 100).unwrap()
    }

    fn known(kind: Kind, of: &[(&str, &str)]) -> Known {
        let mut known = Known { whole: [kind].into(), ..Known::default() };
        for (name, definition) in of {
            known.pinned.put(kind, name, value(definition));
        }
        known
    }

    #[test]
    fn of_two_first_sights_the_first_one_holds() {
        let first = known(Kind::Tool, &[("t", r#"{"description":"good"}"#)]);
        let second = known(Kind::Tool, &[("t", r#"{"description":"bad"}"#), ("u", "{}")]);
        let looked = [Kind::Tool].into();
        assert_eq!(second.merge(&looked, first.clone()).pinned, first.pinned);
        // Resources come and go: what the second saw besides is a first sight too.
        let first = known(Kind::Resource, &[("a:", r#"{"description":"good"}"#)]);
        let second = known(Kind::Resource, &[("a:", r#"{"description":"bad"}"#), ("b:", "{}")]);
        let merged = second.merge(&[Kind::Resource].into(), first);
        assert_eq!(merged.pinned.get(Kind::Resource, "a:"), Some(&value(r#"{"description":"good"}"#)));
        assert!(merged.pinned.get(Kind::Resource, "b:").is_some());
    }

    #[test]
    fn a_session_says_nothing_of_what_it_did_not_look_at() {
        let mut theirs = known(Kind::Tool, &[("t", r#"{"description":"good"}"#)]);
        theirs.seen.put(Kind::Tool, "t", value(r#"{"description":"bad"}"#));
        theirs.seen_whole.insert(Kind::Tool);
        let mine = known(Kind::Prompt, &[("p", "{}")]);
        let merged = mine.merge(&[Kind::Prompt].into(), theirs);
        assert_eq!(merged.changes().len(), 1, "{:?}", merged.changes());
        assert_eq!(merged.whole, [Kind::Tool, Kind::Prompt].into());
    }

    #[test]
    fn one_is_approved_by_its_kind_and_name() {
        let mut known = known(Kind::Tool, &[("x", r#"{"description":"a"}"#)]);
        known.pinned.put(Kind::Prompt, "x", value(r#"{"description":"a"}"#));
        for kind in [Kind::Tool, Kind::Prompt] {
            known.seen.put(kind, "x", value(r#"{"description":"b"}"#));
        }
        let approved = known.approve(Some((Kind::Prompt, "x")));
        assert_eq!((approved.len(), approved[0].kind), (1, Kind::Prompt));
        assert_eq!(known.changes().len(), 1);
        assert!(known.approve(Some((Kind::Resource, "x"))).is_empty());
        assert_eq!(known.approve(None)[0].kind, Kind::Tool);
    }

    #[test]
    fn what_is_gone_is_told_of_fixed_kinds_only() {
        for (kind, told) in [(Kind::Prompt, 1), (Kind::ResourceTemplate, 1), (Kind::Resource, 0)] {
            let mut known = known(kind, &[("x", "{}")]);
            known.seen_whole.insert(kind);
            assert_eq!(known.changes().len(), told, "{kind:?}");
        }
    }
}
