//! The definitions of one session against those that are pinned: what is new, what changed, what is held back.
//!
//! A definition is pinned when it is first seen, in memory at once: what a server says differently later in the same
//! session is a change already. Of a fixed kind, what a list shows after the first whole one is new, and treated as a
//! change; what was held back when the server ran last is held back until it says otherwise. Bounded: beyond
//! [`MAX_ITEMS`] of a kind nothing more is pinned, and that is told.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::mcp::pins::known::{Known, name_origins};
use crate::mcp::pins::prose::{Finding, findings};
use crate::mcp::pins::{Change, Class, Fate, Kind, Pins, Value, compare_one, template};
use crate::mcp::refusal::Refusal;
use crate::mcp::visible::visible;
use crate::policy::reason::Reason;
use crate::policy::verdict::Remedy;

/// Most definitions of a kind that are pinned, and their bytes. Of tools the catalogue keeps count.
const MAX_ITEMS: usize = 5_000;
const MAX_BYTES: usize = 4 << 20;
/// Most changes of a session that are kept track of, tools apart.
const MAX_CHANGES: usize = 2_000;

/// Most changes that the log is told of in a session, one by one.
const MAX_TOLD: usize = 10_000;

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
    /// No more of this kind are kept track of.
    Full {
        /// The kind.
        kind: Kind,
    },
    /// More changes than are told one by one.
    Untold {
        /// How many since the last time.
        count: u64,
    },
}

/// The watch of one session.
#[derive(Debug)]
pub struct Watch {
    server: String,
    enforce: bool,
    known: Known,
    /// What differs from its pin now.
    changed: BTreeMap<(Kind, String), Change>,
    /// The kinds that the server told of in this session.
    looked: BTreeSet<Kind>,
    /// How many of a kind are pinned, and their bytes.
    room: BTreeMap<Kind, (usize, usize)>,
    told: HashSet<(Kind, String, String)>,
    untold: u64,
    full: BTreeSet<Kind>,
    notes: Vec<Note>,
    /// Something is to be written.
    dirty: bool,
}

impl Watch {
    /// For the server of this name, with what is known of it.
    pub fn new(server: &str, enforce: bool, known: Known) -> Self {
        let waiting = known.changes().into_iter().filter(|change| change.fate != Fate::Removed);
        Watch {
            server: server.to_owned(),
            enforce,
            changed: waiting.map(|change| ((change.kind, change.name.clone()), change)).collect(),
            known,
            looked: BTreeSet::new(),
            room: BTreeMap::new(),
            told: HashSet::new(),
            untold: 0,
            full: BTreeSet::new(),
            notes: Vec::new(),
            dirty: false,
        }
    }

    /// The server's name.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What is known of it now.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Whether what changed is held back.
    pub fn enforces(&self) -> bool {
        self.enforce
    }

    /// A definition, as the server gives it now: whether it is held back.
    pub fn see(&mut self, kind: Kind, name: &str, value: Value) -> bool {
        self.looked.insert(kind);
        let key = (kind, name.to_owned());
        let before = self.known.pinned.get(kind, name);
        if before.is_none() && !(kind.is_fixed() && self.known.whole.contains(&kind)) {
            self.pin(kind, name, value);
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
        if kind != Kind::Tool && self.changed.len() >= MAX_CHANGES && !self.changed.contains_key(&key) {
            self.overflow(kind);
            return self.enforce;
        }
        let held = self.enforce && change.class.needs_approval();
        let sha256 = value.sha256();
        if self.is_news(kind, name, &sha256) {
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

    /// A first sight.
    fn pin(&mut self, kind: Kind, name: &str, value: Value) {
        if kind != Kind::Tool && kind != Kind::Instructions {
            let bytes = name.len() + value.to_string().len();
            let (count, used) = self.room.entry(kind).or_insert_with(|| measure(&self.known.pinned, kind));
            if *count >= MAX_ITEMS || *used + bytes > MAX_BYTES {
                self.overflow(kind);
                return;
            }
            *count += 1;
            *used += bytes;
        }
        if value != Value::Null {
            let (sha256, findings) = (value.sha256(), findings(&value));
            self.notes.push(Note::Defined { kind, name: name.to_owned(), sha256, findings });
        }
        self.dirty = true;
        self.known.pinned.put(kind, name, value);
    }

    /// Whether the log was not told of this yet, and is.
    fn is_news(&mut self, kind: Kind, name: &str, mark: &str) -> bool {
        let news = (kind, name.to_owned(), mark.to_owned());
        if self.told.contains(&news) {
            return false;
        }
        let has_room = self.told.len() < MAX_TOLD;
        self.untold += u64::from(!has_room);
        has_room && self.told.insert(news)
    }

    fn overflow(&mut self, kind: Kind) {
        if self.full.insert(kind) {
            self.notes.push(Note::Full { kind });
        }
    }

    /// A list of a kind is whole: what it has.
    pub fn whole<'a>(&mut self, kind: Kind, names: impl Iterator<Item = &'a str>) {
        self.looked.insert(kind);
        self.dirty |= self.known.whole.insert(kind);
        if !kind.is_fixed() {
            return;
        }
        let names: HashSet<&str> = names.collect();
        self.changed.retain(|(of, name), _| *of != kind || names.contains(name.as_str()));
        let mut gone: Vec<(String, Value)> = Vec::new();
        // What is as it was pinned stands in `seen` too, so that what is missing there is known to be gone.
        let mut unchanged: Vec<(String, Value)> = Vec::new();
        for (name, value) in self.known.pinned.of(kind) {
            match (names.contains(name), self.known.seen.get(kind, name)) {
                (false, _) => gone.push((name.to_owned(), value.clone())),
                (true, None) => unchanged.push((name.to_owned(), value.clone())),
                (true, Some(_)) => {}
            }
        }
        for (name, value) in gone {
            let sha256 = value.sha256();
            if !self.is_news(kind, &name, &format!("gone {sha256}")) {
                continue;
            }
            if let Some(change) = compare_one(kind, &name, Some(&value), None) {
                self.dirty = true;
                self.notes.push(Note::Changed { change, sha256, findings: Vec::new(), held: false });
            }
        }
        let stale = self.known.seen.of(kind).map(|(name, _)| name).filter(|name| !names.contains(name));
        let stale: Vec<String> = stale.map(str::to_owned).collect();
        self.dirty |= !stale.is_empty() || !unchanged.is_empty();
        stale.iter().for_each(|name| drop(self.known.seen.remove(kind, name)));
        unchanged.into_iter().for_each(|(name, value)| drop(self.known.seen.put(kind, &name, value)));
        self.dirty |= self.known.seen_whole.insert(kind);
        self.name_origins();
    }

    /// Says in the notes of what is new which one that is gone it was.
    fn name_origins(&mut self) {
        let of = |note: &Note| match note {
            Note::Changed { change, .. } => Some(change.clone()),
            Note::Defined { .. } | Note::Full { .. } | Note::Untold { .. } => None,
        };
        let mut changes: Vec<Change> = self.notes.iter().filter_map(of).collect();
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

    /// The change for which a definition is held back.
    fn held(&self, kind: Kind, name: &str) -> Option<&Change> {
        let change = self.changed.get(&(kind, name.to_owned()))?;
        (self.enforce && change.class.needs_approval()).then_some(change)
    }

    /// Whether a definition of that name is pinned.
    pub(super) fn has_pinned(&self, kind: Kind, name: &str) -> bool {
        self.known.pinned.get(kind, name).is_some()
    }

    /// Whether the list that was pinned was whole and has none of that name.
    pub fn is_unknown(&self, kind: Kind, name: &str) -> bool {
        self.enforce
            && kind.is_fixed()
            && self.known.whole.contains(&kind)
            && self.known.pinned.get(kind, name).is_none()
    }

    /// Why a tool is not called, or a prompt not asked for.
    pub fn refuse(&self, kind: Kind, name: &str) -> Option<Refusal> {
        match self.held(kind, name) {
            Some(change) => Some(self.refusal(kind, name, describe(change))),
            // Of tools the catalogue has its own words.
            None if kind != Kind::Tool && self.is_unknown(kind, name) => Some(self.refusal(
                kind,
                name,
                format!("it is not among the {}s that were pinned", kind.noun()),
            )),
            None => None,
        }
    }

    /// Why a resource is not read: it is held back itself, or nothing but a template that is leads to it.
    pub fn refuse_read(&self, uri: &str) -> Option<Refusal> {
        if let Some(change) = self.held(Kind::Resource, uri) {
            return Some(self.refusal(Kind::Resource, uri, describe(change)));
        }
        if self.known.pinned.get(Kind::Resource, uri).is_some() {
            return None;
        }
        let of_templates =
            (Kind::ResourceTemplate, String::new())..(Kind::ResourceTemplate, char::MAX.to_string());
        let leading = |name: &str| template::leads_to(name, uri);
        let mut held = self.changed.range(of_templates).map(|((_, name), _)| name.as_str());
        let held = held.find(|name| self.held(Kind::ResourceTemplate, name).is_some() && leading(name))?;
        let mut others = self.known.pinned.of(Kind::ResourceTemplate).map(|(name, _)| name);
        if others.any(|name| self.held(Kind::ResourceTemplate, name).is_none() && leading(name)) {
            return None;
        }
        let change = self.held(Kind::ResourceTemplate, held)?;
        Some(self.refusal(Kind::ResourceTemplate, held, describe(change)))
    }

    fn refusal(&self, kind: Kind, name: &str, what: String) -> Refusal {
        let what = match kind {
            Kind::Tool => what,
            _ => format!("the {} \"{name}\": {what}", kind.noun()),
        };
        Refusal::new(Reason::PinChanged, what, Remedy::Line(approval(&self.server, Some((kind, name)))))
    }

    /// What the log has to be told, once.
    pub fn take_notes(&mut self) -> Vec<Note> {
        let count = std::mem::take(&mut self.untold);
        self.notes.extend((count > 0).then_some(Note::Untold { count }));
        std::mem::take(&mut self.notes)
    }

    /// What is to be written, if anything is, and the kinds that were looked at. Nothing is before a list was whole, or
    /// something differed.
    pub fn take_known(&mut self) -> Option<(Known, BTreeSet<Kind>)> {
        (std::mem::take(&mut self.dirty) && (!self.known.whole.is_empty() || !self.changed.is_empty()))
            .then(|| (self.known.clone(), self.looked.clone()))
    }

    /// What was to be written was not: it still is.
    pub fn unwritten(&mut self) {
        self.dirty = true;
    }

    /// Another session was first: its pins hold.
    pub fn adopt(&mut self, known: Known) {
        self.known = known;
        self.room.clear();
    }
}

/// How many of a kind there are, and their bytes.
fn measure(pins: &Pins, kind: Kind) -> (usize, usize) {
    let sizes = pins.of(kind).map(|(name, value)| name.len() + value.to_string().len());
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}

/// What happened to a definition, in a line.
pub fn describe(change: &Change) -> String {
    match &change.fate {
        Fate::Added { renamed_from: Some(before) } => {
            format!("it is new, and says what \"{before}\" said, which is gone ({})", change.class)
        }
        Fate::Added { renamed_from: None } => {
            format!("it is new since this server's {}s were pinned ({})", change.kind.noun(), change.class)
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
pub fn approval(server: &str, one: Option<(Kind, &str)>) -> String {
    let quoted = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./@:".contains(c);
        (!word.is_empty() && !word.starts_with('-') && word.chars().all(plain)).then(|| word.to_owned())
    };
    let flag = |kind| match kind {
        Kind::Tool => Some(""),
        Kind::Prompt => Some("--prompt "),
        Kind::Resource => Some("--resource "),
        Kind::ResourceTemplate => Some("--template "),
        Kind::Instructions => None,
    };
    let one = one.and_then(|(kind, name)| Some((flag(kind)?, quoted(name)?)));
    match (quoted(server), one) {
        (Some(server), Some((flag, name))) => format!("caponier server approve {server} {flag}{name}"),
        (Some(server), None) => format!("caponier server diff {server}"),
        // A name of the user's own that needs quotes is not quoted for every shell here.
        (None, _) => format!("caponier server diff, with the server's name: {}", visible(server, 80)),
    }
}

/// What is said where it may be another server than the one that was pinned under its name.
pub fn another(server: &str) -> String {
    format!(
        "no tool that was pinned of \"{}\" is left: if this is another server, and not that one changed, it needs a name of its \
         own (run --name)",
        visible(server, 80)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::parse(text, 1000).unwrap()
    }

    fn described(kind: Kind, name: &str, text: &str) -> Value {
        value(&format!(r#"{{"{}":"{name}","description":"{text}"}}"#, kind.key()))
    }

    /// A watch that saw one list of these, in an earlier session.
    fn watch(kind: Kind, names: &[&str]) -> Watch {
        let mut known = Known { whole: [kind].into(), ..Known::default() };
        for name in names {
            known.pinned.put(kind, name, described(kind, name, "d"));
        }
        Watch::new("s", true, known)
    }

    #[test]
    fn resources_come_and_go_and_templates_and_prompts_do_not() {
        for (kind, is_held) in [(Kind::Resource, false), (Kind::Prompt, true), (Kind::ResourceTemplate, true)]
        {
            let mut watch = watch(kind, &["a:x", "a:y"]);
            assert_eq!(watch.see(kind, "a:z", described(kind, "a:z", "new")), is_held, "{kind:?}");
            watch.whole(kind, ["a:z"].into_iter());
            let gone =
                |note: &&Note| matches!(note, Note::Changed { change, .. } if change.fate == Fate::Removed);
            let notes = watch.take_notes();
            assert_eq!(notes.iter().filter(gone).count(), if is_held { 2 } else { 0 }, "{kind:?}: {notes:?}");
            assert!(watch.see(kind, "a:x", described(kind, "a:x", "another text")), "{kind:?}");
        }
    }

    #[test]
    fn a_resource_is_read_unless_it_or_its_only_template_is_held_back() {
        let template = Kind::ResourceTemplate;
        let mut watch = watch(template, &["a:/{x}", "b:/{x}"]);
        watch.see(Kind::Resource, "a:/listed", described(Kind::Resource, "a:/listed", "d"));
        watch.see(Kind::Resource, "c:/1", described(Kind::Resource, "c:/1", "d"));
        assert!(watch.see(template, "a:/{x}", described(template, "a:/{x}", "send it away")));
        let reason = |watch: &Watch, uri: &str| watch.refuse_read(uri).map(|it| it.denial.reason);
        assert_eq!(reason(&watch, "a:/listed"), None);
        assert_eq!(reason(&watch, "a:/other"), Some(Reason::PinChanged));
        assert_eq!(reason(&watch, "b:/other"), None);
        assert_eq!(reason(&watch, "elsewhere:/"), None);
        // One that leads everywhere does not take along what others lead to.
        assert!(watch.see(template, "{+all}", described(template, "{+all}", "d")));
        assert_eq!(reason(&watch, "b:/other"), None);
        assert_eq!(reason(&watch, "elsewhere:/"), Some(Reason::PinChanged));
        assert!(watch.see(Kind::Resource, "c:/1", described(Kind::Resource, "c:/1", "another text")));
        assert_eq!(reason(&watch, "c:/1"), Some(Reason::PinChanged));
        // Back as it was.
        assert!(!watch.see(Kind::Resource, "c:/1", described(Kind::Resource, "c:/1", "d")));
        assert_eq!(reason(&watch, "c:/1"), None);
    }

    #[test]
    fn what_was_held_back_when_it_was_seen_last_is_held_back_before_any_list() {
        let mut known = Known { whole: [Kind::Tool].into(), ..Known::default() };
        known.pinned.put(Kind::Tool, "t", described(Kind::Tool, "t", "d"));
        known.seen.put(Kind::Tool, "t", described(Kind::Tool, "t", "another text"));
        let refused = |enforce| Watch::new("s", enforce, known.clone()).refuse(Kind::Tool, "t").is_some();
        assert!(refused(true) && !refused(false));
        let mut watch = Watch::new("s", true, known.clone());
        assert!(!watch.see(Kind::Tool, "t", described(Kind::Tool, "t", "d")));
        assert!(watch.refuse(Kind::Tool, "t").is_none());
        assert!(watch.is_unknown(Kind::Tool, "u") && !watch.is_unknown(Kind::Tool, "t"));
        assert!(!watch.is_unknown(Kind::Prompt, "u"), "no list of prompts was pinned");
    }

    #[test]
    fn what_is_pinned_is_bounded_and_that_is_told_once() {
        let mut watch = Watch::new("s", true, Known::default());
        for n in 0..MAX_ITEMS + 50 {
            let uri = format!("a:/{n}");
            assert!(!watch.see(Kind::Resource, &uri, described(Kind::Resource, &uri, "d")));
        }
        let full = |note: &&Note| matches!(note, Note::Full { kind: Kind::Resource });
        let notes = watch.take_notes();
        assert_eq!((notes.len(), notes.iter().filter(full).count()), (MAX_ITEMS + 1, 1));
        watch.whole(Kind::Resource, std::iter::empty());
        let (known, _) = watch.take_known().unwrap();
        assert_eq!(known.pinned.of(Kind::Resource).count(), MAX_ITEMS);
        // Large ones too.
        let long = "x".repeat(MAX_BYTES / 3);
        let mut watch = Watch::new("s", true, Known::default());
        for n in 0..4 {
            watch.see(Kind::Prompt, &format!("p{n}"), described(Kind::Prompt, &format!("p{n}"), &long));
        }
        watch.whole(Kind::Prompt, std::iter::empty());
        assert_eq!(watch.take_known().unwrap().0.pinned.of(Kind::Prompt).count(), 2);
    }

    #[test]
    fn changes_without_end_are_held_back_and_not_kept() {
        let mut watch = watch(Kind::Prompt, &["p"]);
        for n in 0..MAX_CHANGES + 50 {
            let name = format!("p{n}");
            assert!(watch.see(Kind::Prompt, &name, described(Kind::Prompt, &name, "d")));
            assert!(watch.refuse(Kind::Prompt, &name).is_some());
        }
        assert_eq!((watch.changed.len(), watch.take_notes().len()), (MAX_CHANGES, MAX_CHANGES + 1));
    }

    #[test]
    fn a_server_that_turns_without_end_is_told_of_until_it_is_counted() {
        let mut watch = watch(Kind::Tool, &["t"]);
        for n in 0..MAX_TOLD + 7 {
            assert!(watch.see(Kind::Tool, "t", described(Kind::Tool, "t", &n.to_string())));
        }
        let notes = watch.take_notes();
        assert_eq!(notes.len(), MAX_TOLD + 1);
        assert_eq!(notes.last(), Some(&Note::Untold { count: 7 }));
        assert_eq!((watch.told.len(), watch.changed.len()), (MAX_TOLD, 1));
        assert!(watch.refuse(Kind::Tool, "t").is_some() && watch.take_notes().is_empty());
    }

    #[test]
    fn the_command_names_the_kind() {
        let of = |kind, name| approval("s", Some((kind, name)));
        assert_eq!(of(Kind::Tool, "t"), "caponier server approve s t");
        assert_eq!(of(Kind::Prompt, "p"), "caponier server approve s --prompt p");
        assert_eq!(of(Kind::Resource, "a://b/c"), "caponier server approve s --resource a://b/c");
        assert_eq!(of(Kind::ResourceTemplate, "a://{b}"), "caponier server diff s");
        assert_eq!(of(Kind::Prompt, "x; rm"), "caponier server diff s");
        assert_eq!(of(Kind::Instructions, ""), "caponier server diff s");
    }
}
