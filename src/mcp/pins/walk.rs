//! A walk over two definitions at once: where it is, and what differs there.

use crate::mcp::pins::value::Value;
use crate::mcp::pins::{Class, Difference, prose};

/// The place in a definition that is looked at, and what was found so far.
#[derive(Default)]
pub(super) struct Walk {
    at: String,
    found: Vec<Difference>,
}

impl Walk {
    /// Looks at a member or element.
    pub(super) fn enter(&mut self, name: &str, look: impl FnOnce(&mut Walk)) {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        look(self);
        self.at.truncate(length);
    }

    /// The two differ here, if they do.
    pub(super) fn note(&mut self, class: Class, before: Option<&Value>, after: Option<&Value>) {
        if before != after {
            self.found.push(Difference {
                at: self.at.clone(),
                class,
                before: before.map(Value::to_string),
                after: after.map(Value::to_string),
            });
        }
    }

    /// A text for models.
    pub(super) fn text(&mut self, before: Option<&Value>, after: Option<&Value>) {
        self.note(Class::Instruction, before, after);
    }

    /// A label for people: of no account while it is one.
    pub(super) fn label(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let class = if after.is_some_and(prose::speaks) { Class::Instruction } else { Class::Cosmetic };
        self.note(class, before, after);
    }

    /// Nothing that calls are made with: of no account unless something is strange about its texts.
    pub(super) fn aside(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let strange = after.is_some_and(|after| !prose::findings(after).is_empty());
        self.note(if strange { Class::Instruction } else { Class::Cosmetic }, before, after);
    }

    /// A member that says nothing to models or to the gate, as far as is known.
    pub(super) fn unknown(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let class = if after.is_some_and(prose::speaks) { Class::Instruction } else { Class::Widening };
        self.note(class, before, after);
    }

    /// Everything that was found since, taken out.
    pub(super) fn apart(&mut self, look: impl FnOnce(&mut Walk)) -> Vec<Difference> {
        let before = std::mem::take(&mut self.found);
        look(self);
        std::mem::replace(&mut self.found, before)
    }

    /// Puts differences in.
    pub(super) fn extend(&mut self, found: Vec<Difference>) {
        self.found.extend(found);
    }

    /// Everything that was found.
    pub(super) fn found(self) -> Vec<Difference> {
        self.found
    }
}
