//! The definitions of one session against those that are pinned: what is new, what changed, what is held back.
//!
//! A definition is pinned when it is first seen, in memory at once: what a server says differently later in the same
//! session is a change already. Tools that a list shows after the first whole one are new, and treated as changes.

use std::collections::{BTreeMap, HashSet};

use crate::mcp::pins::prose::{Finding, findings};
use crate::mcp::pins::{Change, Class, Fate, Kind, Pins, Value, compare_one};
use crate::mcp::refusal::Refusal;
use crate::mcp::visible::visible;
use crate::policy::reason::Reason;
use crate::policy::verdict::Remedy;

/// What the log is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Seen for the first time, and pinned.
    Defined {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
        /// Of its canonical text.
        sha256: String,
        /// What is strange about its texts.
        findings: Vec<Finding>,
    },
    /// Not as it is pinned.
    Changed {
        /// How.
        change: Change,
        /// Of the new canonical text; of the pinned one for what is gone.
        sha256: String,
        /// What is strange about the new texts.
        findings: Vec<Finding>,
        /// Whether it is held back.
        held: bool,
    },
}

/// What a pin file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// What was seen first, or approved since.
    pub pinned: Pins,
    /// A whole list of tools was seen.
    pub whole: bool,
    /// What the server said last, where that is something else.
    pub seen: Pins,
    /// Whether `seen` has a whole list.
    pub seen_whole: bool,
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
        }
        if self.seen_whole {
            for (name, before) in self.pinned.of(Kind::Tool) {
                if self.seen.get(Kind::Tool, name).is_none() {
                    changes.extend(compare_one(Kind::Tool, name, Some(before), None));
                }
            }
        }
        name_origins(&mut changes, &self.pinned, &self.seen);
        changes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        changes
    }

    /// Pins what was seen last: of one tool, or all. What was changed by that.
    pub fn approve(&mut self, tool: Option<&str>) -> Vec<Change> {
        let chosen =
            |change: &Change| tool.is_none_or(|tool| change.kind == Kind::Tool && change.name == tool);
        let approved: Vec<Change> = self.changes().into_iter().filter(chosen).collect();
        for change in &approved {
            match self.seen.get(change.kind, &change.name) {
                Some(value) => drop(self.pinned.put(change.kind, &change.name, value.clone())),
                None => drop(self.pinned.remove(change.kind, &change.name)),
            }
        }
        approved
    }
}

/// Says of what is new which one that is gone it was.
fn name_origins(changes: &mut [Change], pinned: &Pins, seen: &Pins) {
    let gone: Vec<(String, &Value)> = changes
        .iter()
        .filter(|change| change.kind == Kind::Tool && change.fate == Fate::Removed)
        .filter_map(|change| Some((change.name.clone(), pinned.get(Kind::Tool, &change.name)?)))
        .collect();
    for change in changes.iter_mut() {
        if let (Fate::Added { renamed_from }, Kind::Tool) = (&mut change.fate, change.kind)
            && let Some(after) = seen.get(Kind::Tool, &change.name)
        {
            *renamed_from = super::origin(gone.iter().map(|(name, of)| (name.as_str(), *of)), after);
        }
    }
}

/// The watch of one session.
#[derive(Debug)]
pub struct Watch {
    server: String,
    enforce: bool,
    known: Known,
    /// What differs from its pin now.
    changed: BTreeMap<(Kind, String), Change>,
    told: HashSet<(Kind, String, String)>,
    notes: Vec<Note>,
    /// Something is to be written.
    dirty: bool,
}

impl Watch {
    /// For the server of this name, with what is known of it.
    pub fn new(server: &str, enforce: bool, known: Known) -> Self {
        Watch {
            server: server.to_owned(),
            enforce,
            known,
            changed: BTreeMap::new(),
            told: HashSet::new(),
            notes: Vec::new(),
            dirty: false,
        }
    }

    /// The server's name.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// A definition, as the server gives it now: whether it is held back.
    pub fn see(&mut self, kind: Kind, name: &str, value: Value) -> bool {
        let key = (kind, name.to_owned());
        let before = self.known.pinned.get(kind, name);
        // Of everything but tools there is no list after which something is known to be new.
        if before.is_none() && !(kind == Kind::Tool && self.known.whole) {
            let note = Note::Defined {
                kind,
                name: name.to_owned(),
                sha256: value.sha256(),
                findings: findings(&value),
            };
            if value != Value::Null {
                self.notes.push(note);
            }
            self.dirty = true;
            self.known.pinned.put(kind, name, value);
            return false;
        }
        let Some(change) = compare_one(kind, name, before, Some(&value)) else {
            self.changed.remove(&key);
            if self.known.seen.get(kind, name).is_some_and(|seen| *seen != value) {
                self.dirty = true;
                self.known.seen.put(kind, name, value);
            }
            return false;
        };
        let held = self.enforce && change.class.needs_approval();
        let sha256 = value.sha256();
        if self.told.insert((kind, name.to_owned(), sha256.clone())) {
            let findings = findings(&value);
            self.notes.push(Note::Changed { change: change.clone(), sha256, findings, held });
        }
        if self.known.seen.get(kind, name) != Some(&value) {
            self.dirty = true;
            self.known.seen.put(kind, name, value);
        }
        self.changed.insert(key, change);
        held
    }

    /// A list is whole: what it has.
    pub fn whole<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let names: HashSet<&str> = names.collect();
        self.changed.retain(|(kind, name), _| *kind != Kind::Tool || names.contains(name.as_str()));
        if !self.known.whole {
            self.known.whole = true;
            self.dirty = true;
        }
        let gone: Vec<(String, Value)> = self
            .known
            .pinned
            .of(Kind::Tool)
            .filter(|(name, _)| !names.contains(name))
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        for (name, value) in gone {
            self.known.seen.remove(Kind::Tool, &name);
            let sha256 = value.sha256();
            if !self.told.insert((Kind::Tool, name.clone(), format!("gone {sha256}"))) {
                continue;
            }
            if let Some(change) = compare_one(Kind::Tool, &name, Some(&value), None) {
                self.dirty = true;
                self.notes.push(Note::Changed { change, sha256, findings: Vec::new(), held: false });
            }
        }
        let stale: Vec<String> = self
            .known
            .seen
            .of(Kind::Tool)
            .filter(|(name, _)| !names.contains(name))
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in stale {
            self.known.seen.remove(Kind::Tool, &name);
            self.dirty = true;
        }
        // What is as it was pinned stands in `seen` too, so that what is missing there is known to be gone.
        let unchanged: Vec<(String, Value)> = self
            .known
            .pinned
            .of(Kind::Tool)
            .filter(|(name, _)| names.contains(name) && self.known.seen.get(Kind::Tool, name).is_none())
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        for (name, value) in unchanged {
            self.known.seen.put(Kind::Tool, &name, value);
            self.dirty = true;
        }
        if !self.known.seen_whole {
            self.known.seen_whole = true;
            self.dirty = true;
        }
        let mut changes: Vec<Change> = self
            .notes
            .iter()
            .filter_map(|note| match note {
                Note::Changed { change, .. } => Some(change.clone()),
                Note::Defined { .. } => None,
            })
            .collect();
        name_origins(&mut changes, &self.known.pinned, &self.known.seen);
        let mut changes = changes.into_iter();
        for note in &mut self.notes {
            if let Note::Changed { change, .. } = note
                && let Some(named) = changes.next()
            {
                *change = named;
            }
        }
    }

    /// Why a call of the tool is refused.
    pub fn refuse(&self, tool: &str) -> Option<Refusal> {
        let change = self.changed.get(&(Kind::Tool, tool.to_owned()))?;
        (self.enforce && change.class.needs_approval()).then(|| {
            Refusal::new(
                Reason::PinChanged,
                describe(change),
                Remedy::Line(approval(&self.server, Some(tool))),
            )
        })
    }

    /// What the log has to be told, once.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// What is to be written, if anything is. Nothing is before a list of tools was whole, or one differed.
    pub fn take_known(&mut self) -> Option<Known> {
        (std::mem::take(&mut self.dirty) && (self.known.whole || !self.changed.is_empty()))
            .then(|| self.known.clone())
    }

    /// Another session was first: its pins hold.
    pub fn adopt(&mut self, known: Known) {
        self.known = known;
    }
}

/// What happened to a definition, in a line.
pub fn describe(change: &Change) -> String {
    match &change.fate {
        Fate::Added { renamed_from: Some(before) } => {
            format!("it is new, and says what \"{before}\" said, which is gone ({})", change.class)
        }
        Fate::Added { renamed_from: None } => {
            format!("it is new since this server's tools were pinned ({})", change.class)
        }
        Fate::Removed => "it is gone".to_owned(),
        Fate::Changed => {
            let at: Vec<&str> = change
                .differences
                .iter()
                .filter(|it| it.class == change.class)
                .map(|it| it.at.as_str())
                .take(3)
                .collect();
            let what = match change.class {
                Class::Instruction => "a text that models read is another",
                Class::Widening => "it allows or claims more",
                Class::Narrowing => "it allows less",
                Class::Cosmetic => "its looks are others",
            };
            format!("{what} than when it was pinned ({}, at {})", change.class, at.join(", "))
        }
    }
}

/// The command that approves.
pub fn approval(server: &str, tool: Option<&str>) -> String {
    let quoted = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./@:".contains(c);
        (!word.is_empty() && !word.starts_with('-') && word.chars().all(plain)).then(|| word.to_owned())
    };
    match (quoted(server), tool.map(quoted)) {
        (Some(server), Some(Some(tool))) => format!("caponier server approve {server} {tool}"),
        (Some(server), _) => format!("caponier server diff {server}"),
        // A name of the user's own that needs quotes is not quoted for every shell here.
        (None, _) => format!("caponier server diff, with the server's name: {}", visible(server, 80)),
    }
}
