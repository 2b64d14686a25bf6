//! Secrets are taken out before a line is built.
//!
//! Known by how they look ([`rules`]), by the name before them ([`names`], members of JSON, flags), by being the value
//! of a secret variable ([`values`]), or by looking random beside a name ([`entropy`]). The invariant: a text that was
//! gone through is gone through again without change, so that it can be done early (for an answer, for long arguments)
//! and is done in any case when the line is built. What cannot be read is withheld.
//!
//! It is no wall: a server that wants its own record to hold a secret can write it backwards. It keeps what clients,
//! servers and programs write down without meaning to.

mod class;
mod entropy;
mod escapes;
mod forms;
mod mark;
mod names;
mod rules;
mod scan;
#[cfg(test)]
mod tests;
mod values;
#[cfg(test)]
mod vectors;
mod walk;
pub mod words;

use std::io;

use serde_json::value::RawValue;

use crate::audit::redact::mark::{Marker, mark_at};
use crate::audit::redact::rules::RULES;
use crate::audit::redact::scan::{Scanner, Span, What};
use crate::audit::redact::values::Values;
use crate::audit::redact::walk::{NotJson, Reads, Room, Walk};
use crate::audit::redact::words::Words;
use crate::event::{Redact, WINDOW};
use crate::jsonrpc::{Raw, members};
use crate::policy::Arguments;
use crate::policy::sensitive::Sensitivity;

/// What is kept of arguments: of each string, and in all.
const REDACTED: Room = Room { string: 1 << 10, all: 64 << 10 };
/// The same with `audit.arguments = "full"`; a line must not become longer than a reader takes.
const FULL: Room = Room { string: 256 << 10, all: 1 << 20 };

/// How often a text is gone through at most.
const ROUNDS: usize = 6;

/// Fields of events whose texts are our own words: nothing of a peer's stands in them.
const OURS: &[&str] = &[
    "verdict",
    "layer",
    "result",
    "errno",
    "access",
    "evidence",
    "attribution",
    "outcome",
    "cause",
    "direction",
    "env",
    "syscall",
    "exe_sha256",
    "arguments_sha256",
    "profile_sha256",
    "sha256",
    "caponier",
    "enforced",
    "summary",
];

/// Takes the secrets of one session out of whatever is written down.
pub struct Redactor {
    marker: Marker,
    scanner: Scanner,
    /// What arguments go through when they are recorded in full: the values of secret variables are taken out even so.
    in_full: Option<Box<Redactor>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the key nor the values.
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// For a session that knows these secrets: each a kind (`env.NAME`, `argv`) with a value.
    ///
    /// # Errors
    /// The kernel gives no random key.
    pub fn new(secrets: &[(String, String)], arguments: Arguments) -> io::Result<Self> {
        let marker = Marker::new()?;
        let values = Values::new(secrets);
        let in_full = (arguments == Arguments::Full).then(|| {
            let scanner = Scanner::new(values.clone(), false);
            Box::new(Redactor { marker: marker.clone(), scanner, in_full: None })
        });
        Ok(Redactor { marker, scanner: Scanner::new(values, true), in_full })
    }

    /// Appends the members of an event's payload, without secrets and without the braces around them. `payload` is a
    /// JSON object that serde made.
    pub(super) fn payload(&self, out: &mut String, payload: &str) {
        members(Raw(payload), |name, value| {
            out.push(',');
            quote(out, &name);
            out.push(':');
            match name.as_ref() {
                ours if OURS.contains(&ours) => out.push_str(value.0),
                "argv" => self.array_of_words(out, value.0),
                "arguments" => match &self.in_full {
                    Some(full) => out.push_str(&full.json(value.0, Room::BOUNDLESS, Reads::Scalars)),
                    None => out.push_str(&self.json(value.0, Room::BOUNDLESS, Reads::Names)),
                },
                _ => out.push_str(&self.json(value.0, Room::BOUNDLESS, Reads::Texts)),
            }
        });
    }

    fn array_of_words(&self, out: &mut String, array: &str) {
        match serde_json::from_str(array) {
            Ok(words) => out.push_str(&serde_json::Value::from(self.words(words)).to_string()),
            Err(_) => out.push_str(&self.json(array, Room::BOUNDLESS, Reads::Texts)),
        }
    }

    fn json(&self, text: &str, room: Room, reads: Reads) -> String {
        match Walk::new(self, text, room, reads).run() {
            Ok(redacted) => redacted,
            Err(NotJson) => "\"[withheld]\"".to_owned(),
        }
    }

    /// Text of which nothing is known.
    fn plain(&self, text: &str) -> String {
        self.settled(text.to_owned())
    }

    /// The text gone through until nothing more is found: with one secret out of the way, what is around it may read as
    /// another. Nearly always that is once.
    fn settled(&self, mut text: String) -> String {
        for _ in 0..ROUNDS {
            let spans = self.scanner.spans(text.as_bytes());
            if spans.is_empty() {
                break;
            }
            let mut out = String::with_capacity(text.len());
            self.render(&mut out, &text, &spans);
            text = out;
        }
        text
    }

    /// Appends `text` with a mark in the place of each span.
    fn render(&self, out: &mut String, text: &str, spans: &[Span]) {
        let mut at = 0;
        for span in spans {
            // A span may begin or end within a character that is not ASCII: that goes with it.
            let start = text.floor_char_boundary(span.range.start).max(at);
            let end = text.ceil_char_boundary(span.range.end);
            out.push_str(text.get(at..start).unwrap_or_default());
            self.mark(out, span.what, span.decoded.as_deref().or(text.as_bytes().get(start..end)));
            at = end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
    }

    fn mark(&self, out: &mut String, what: What, secret: Option<&[u8]>) {
        let secret = secret.unwrap_or_default();
        match what {
            What::Value(n) => match self.scanner.values.values.get(n) {
                Some(value) => self.marker.redacted(out, &value.kind, &value.plain),
                None => self.marker.redacted(out, "env.other", secret),
            },
            What::Rule(n) => {
                self.marker.redacted(out, RULES.get(n).map_or("secret", |rule| rule.kind), secret);
            }
            What::Named => self.marker.redacted(out, "named", secret),
            What::Random => self.marker.redacted(out, "random", secret),
            What::Bearer => self.marker.redacted(out, "bearer", secret),
        }
    }

    /// Appends at most `max` bytes of `text`, as far as they are no secret, and whether that was all.
    fn head(&self, out: &mut String, text: &str, max: usize) -> bool {
        let window = max.saturating_add(WINDOW).saturating_add(self.scanner.values.longest());
        let window = text.get(..text.floor_char_boundary(window)).unwrap_or(text);
        let mut spans = self.scanner.spans(window.as_bytes());
        let mut end = text.floor_char_boundary(max);
        spans.retain(|span| span.range.start < end);
        // A secret that lies across the end is taken out whole.
        end = spans.last().map_or(end, |span| end.max(span.range.end)).min(window.len());
        let kept = window.get(..window.ceil_char_boundary(end)).unwrap_or(window);
        if spans.is_empty() {
            out.push_str(kept);
        } else {
            let mut head = String::with_capacity(kept.len());
            self.render(&mut head, kept, &spans);
            out.push_str(&self.settled(head));
        }
        kept.len() == text.len()
    }

    /// Appends a JSON string. `raw` is how it stands, `said` what it says.
    pub(super) fn string_into(&self, out: &mut String, raw: &str, said: &str, max: usize) {
        if said.len() <= max {
            let spans = match self.scanner.whole(said.as_bytes()) {
                Some(what) => vec![Span { range: 0..said.len(), what, decoded: None }],
                None => self.scanner.spans(said.as_bytes()),
            };
            if spans.is_empty() {
                out.push_str(raw);
                return;
            }
            let mut redacted = String::with_capacity(said.len());
            self.render(&mut redacted, said, &spans);
            quote(out, &self.settled(redacted));
            return;
        }
        let mut redacted = String::with_capacity(max.min(said.len()) + 128);
        if !self.head(&mut redacted, said, max) {
            self.marker.cut(&mut redacted, said.as_bytes());
        }
        quote(out, &redacted);
    }

    /// Appends a mark for a value that its name calls a secret; `false` when it is none after all.
    pub(super) fn named_into(&self, out: &mut String, said: &str, named: Sensitivity) -> bool {
        let bytes = said.as_bytes();
        let random = named == Sensitivity::Weak;
        if named == Sensitivity::None
            || names::is_placeholder(bytes)
            || mark_at(bytes) == bytes.len()
            || (random && !entropy::is_random(bytes))
        {
            return false;
        }
        let mut scheme = names::after_scheme(bytes, 0..bytes.len());
        scheme.start = said.ceil_char_boundary(scheme.start);
        let secret = said.get(scheme.clone()).unwrap_or(said);
        if secret.is_empty() || mark_at(secret.as_bytes()) == secret.len() {
            return false;
        }
        let what = self.scanner.whole(secret.as_bytes());
        let what = what.unwrap_or(if random { What::Random } else { What::Named });
        out.push_str(said.get(..scheme.start).unwrap_or_default());
        self.mark(out, what, Some(secret.as_bytes()));
        true
    }

    /// Appends a mark for a number that is a secret; `false` when it is none.
    pub(super) fn number_into(&self, out: &mut String, raw: &str, named: Sensitivity) -> bool {
        let what = match self.scanner.whole(raw.as_bytes()) {
            None if named == Sensitivity::Strong => What::Named,
            None => return false,
            Some(what) => what,
        };
        out.push('"');
        self.mark(out, what, Some(raw.as_bytes()));
        out.push('"');
        true
    }
}

/// Appends `text` as a JSON string.
fn quote(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

impl Redact for Redactor {
    fn text(&self, text: &str) -> String {
        self.plain(text)
    }

    fn words(&self, words: Vec<String>) -> Vec<String> {
        let mut gone_through = Words::new(self);
        words.iter().map(|word| gone_through.next(word)).collect()
    }

    fn excerpt(&self, line: &str, max: usize, open: &mut bool) -> String {
        let mut out = String::new();
        let mut rest = line;
        let end = forms::key_end(line.as_bytes(), 0).map(|end| line.ceil_char_boundary(end));
        if *open && (end.is_some() || forms::is_key_line(line.as_bytes())) {
            let key = line.get(..end.unwrap_or(line.len())).unwrap_or(line);
            self.marker.redacted(&mut out, "private-key", key.as_bytes());
            rest = line.get(key.len()..).unwrap_or_default();
            *open = end.is_none();
        } else {
            *open = false;
        }
        *open |= forms::is_left_open(rest.as_bytes());
        let bytes = rest.char_indices().nth(max).map_or(rest.len(), |(end, _)| end);
        self.head(&mut out, rest, bytes);
        out
    }

    fn arguments(&self, arguments: &str) -> Box<RawValue> {
        let redacted = match &self.in_full {
            Some(full) => full.json(arguments, FULL, Reads::Scalars),
            None => self.json(arguments, REDACTED, Reads::Names),
        };
        RawValue::from_string(redacted).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}
