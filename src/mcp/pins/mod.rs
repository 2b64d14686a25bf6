//! What a server said of itself when it was first seen, and what later versions of it say differently. No I/O.
//!
//! [`Pins`] holds definitions as [`Value`]s: key order, white space, escapes and the spelling of numbers are gone.
//! [`compare`] tells what became of each, by [`Class`]. The invariants: what is equal has no change; whatever is not
//! known to be harmless counts as a widening; text that a model reads is an instruction, wherever it stands.
//!
//! Rests on the Model Context Protocol, "Tools", "Prompts" and "Resources", revisions 2024-11-05 to 2026-07-28.

mod annotations;
mod bounds;
mod definition;
pub(super) mod instructions;
pub mod known;
pub(super) mod listing;
mod prose;
mod schema;
mod template;
#[cfg(test)]
mod tests;
mod value;
mod walk;
pub mod watch;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

pub use crate::mcp::pins::prose::{Finding, findings};
pub use crate::mcp::pins::value::Value;

/// How much a change means. The order is that of concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Nothing that is judged or read by a model: titles, more cautious hints, the schema of results.
    Cosmetic,
    /// Less can be asked of the server than before.
    Narrowing,
    /// More can be asked of it, or it claims to be more harmless.
    Widening,
    /// A text that models read.
    Instruction,
}

impl Class {
    /// Whether somebody has to look at it before it is used.
    pub fn needs_approval(self) -> bool {
        self >= Class::Widening
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Cosmetic => "cosmetic",
            Class::Narrowing => "narrowing",
            Class::Widening => "widening",
            Class::Instruction => "instruction",
        })
    }
}

/// What is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The `instructions` of an initialize or discover result; its name is empty.
    Instructions,
    /// A tool, by its name.
    Tool,
    /// A prompt, by its name.
    Prompt,
    /// A resource, by its URI.
    Resource,
    /// A resource template, by its URI template.
    ResourceTemplate,
}

impl Kind {
    /// All kinds, in their order.
    pub const ALL: [Kind; 5] =
        [Kind::Instructions, Kind::Tool, Kind::Prompt, Kind::Resource, Kind::ResourceTemplate];

    /// The member of a pin file that holds these.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Instructions => "instructions",
            Kind::Tool => "tools",
            Kind::Prompt => "prompts",
            Kind::Resource => "resources",
            Kind::ResourceTemplate => "resource_templates",
        }
    }

    /// Its name in the log and in reports for programs.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Instructions => "instructions",
            Kind::Tool => "tool",
            Kind::Prompt => "prompt",
            Kind::Resource => "resource",
            Kind::ResourceTemplate => "resource_template",
        }
    }

    /// Its name for people.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::ResourceTemplate => "resource template",
            _ => self.code(),
        }
    }

    /// The method that lists these, and the member of its result that has them.
    pub fn list(self) -> Option<(&'static str, &'static str)> {
        match self {
            Kind::Instructions => None,
            Kind::Tool => Some(("tools/list", "tools")),
            Kind::Prompt => Some(("prompts/list", "prompts")),
            Kind::Resource => Some(("resources/list", "resources")),
            Kind::ResourceTemplate => Some(("resources/templates/list", "resourceTemplates")),
        }
    }

    /// The member of a definition by which it is known.
    pub fn key(self) -> &'static str {
        match self {
            Kind::Instructions | Kind::Tool | Kind::Prompt => "name",
            Kind::Resource => "uri",
            Kind::ResourceTemplate => "uriTemplate",
        }
    }

    /// Whether a whole list says what there is: what a later one has besides is new, what it lacks is gone. Resources come
    /// and go, like files in a folder.
    pub fn is_fixed(self) -> bool {
        matches!(self, Kind::Tool | Kind::Prompt | Kind::ResourceTemplate)
    }
}

/// The definitions of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    items: BTreeMap<(Kind, String), Value>,
}

impl Pins {
    /// Keeps a definition; what was kept of that name before.
    pub fn put(&mut self, kind: Kind, name: &str, definition: Value) -> Option<Value> {
        self.items.insert((kind, name.to_owned()), definition)
    }

    /// Forgets one.
    pub fn remove(&mut self, kind: Kind, name: &str) -> Option<Value> {
        self.items.remove(&(kind, name.to_owned()))
    }

    /// One definition.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Value> {
        self.items.get(&(kind, name.to_owned()))
    }

    /// Forgets all of a kind.
    pub fn forget(&mut self, kind: Kind) {
        self.items.retain(|(of, _), _| *of != kind);
    }

    /// All of a kind, by name.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.items.iter().filter(move |((of, _), _)| *of == kind);
        all.map(|((_, name), definition)| (name.as_str(), definition))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// One place at which two definitions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: a JSON pointer into the definition.
    pub at: String,
    /// What it means.
    pub class: Class,
    /// The value before, as canonical JSON; `None`: there was none.
    pub before: Option<String>,
    /// The value now; `None`: there is none.
    pub after: Option<String>,
}

/// What became of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// There was none of that name.
    Added {
        /// The one that went away and says the same but for its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        renamed_from: Option<String>,
    },
    /// There is none of that name any more.
    Removed,
    /// It says something else.
    Changed,
}

/// One definition that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
    /// The highest class of its differences. What is new is a widening, what is gone a narrowing.
    pub class: Class,
    /// Where it differs; for what is new or gone one, the whole.
    pub differences: Vec<Difference>,
}

/// What `new` says differently, in the order of kinds and names.
pub fn compare(old: &Pins, new: &Pins) -> Vec<Change> {
    let mut changes = Vec::new();
    for ((kind, name), before) in &old.items {
        match new.get(*kind, name) {
            Some(after) => changes.extend(compare_one(*kind, name, Some(before), Some(after))),
            None => changes.extend(compare_one(*kind, name, Some(before), None)),
        }
    }
    for ((kind, name), after) in &new.items {
        if old.get(*kind, name).is_some() {
            continue;
        }
        let Some(mut change) = compare_one(*kind, name, None, Some(after)) else { continue };
        let gone = old.of(*kind).filter(|(before, _)| new.get(*kind, before).is_none());
        change.fate = Fate::Added { renamed_from: origin(*kind, gone, after) };
        changes.push(change);
    }
    changes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    changes
}

/// The one of `gone` that says the same as `after` but for its name, or the same in all that calls are made with.
fn origin<'a>(kind: Kind, gone: impl Iterator<Item = (&'a str, &'a Value)>, after: &Value) -> Option<String> {
    let mut similar = None;
    for (name, before) in gone {
        if before.without(kind.key()) == after.without(kind.key()) {
            return Some(name.to_owned());
        }
        let schema = |of: &Value| of.get("inputSchema").and_then(|it| it.get("properties")).cloned();
        if schema(before).is_some_and(|it| !it.is_empty_object() && Some(it) == schema(after)) {
            similar.get_or_insert_with(|| name.to_owned());
        }
    }
    similar
}

/// What became of one definition, if anything did.
pub fn compare_one(kind: Kind, name: &str, before: Option<&Value>, after: Option<&Value>) -> Option<Change> {
    let whole = |class| Difference {
        at: String::new(),
        class,
        before: before.map(Value::to_string),
        after: after.map(Value::to_string),
    };
    let (fate, differences) = match (before, after) {
        (None, None) => return None,
        (Some(before), Some(after)) if before == after => return None,
        (Some(before), Some(after)) => (Fate::Changed, definition::differences(kind, before, after)),
        (None, Some(_)) if kind == Kind::Instructions => {
            (Fate::Added { renamed_from: None }, vec![whole(Class::Instruction)])
        }
        (None, Some(_)) => (Fate::Added { renamed_from: None }, vec![whole(Class::Widening)]),
        (Some(_), None) => (Fate::Removed, vec![whole(Class::Narrowing)]),
    };
    // Something differs, wherever it was overlooked.
    let class = differences.iter().map(|difference| difference.class).max().unwrap_or(Class::Widening);
    Some(Change { kind, name: name.to_owned(), fate, class, differences })
}
