//! JSON without its secrets: every string, every name and, after a name that says so, every number.
//!
//! The text was scanned or made by serde, so it is JSON; what is not is withheld, never passed on. One pass with a
//! stack of its own: no depth of nesting uses more of ours. What has no secret in it stays as it was, byte for byte,
//! white space between tokens aside.

use crate::audit::redact::class::Class;
use crate::audit::redact::mark::HEAD;
use crate::audit::redact::{Redactor, quote};
use crate::jsonrpc::Raw;
use crate::policy::sensitive::{Sensitivity, sensitivity};

/// How much of a value is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Bytes of one string.
    pub(super) string: usize,
    /// Bytes in all, more or less: the value that reaches it is the last one.
    pub(super) all: usize,
}

impl Room {
    pub(super) const BOUNDLESS: Room = Room { string: usize::MAX, all: usize::MAX };
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Texts; numbers and names are our own.
    Texts,
    /// Numbers too.
    Scalars,
    /// And names say something of what they name.
    Names,
}

/// How far before a member `value` its `name` may still follow.
const AHEAD: usize = 4096;

/// One object or array that is open.
struct Level {
    object: bool,
    /// What the names above say of everything in here.
    named: Sensitivity,
    /// What the last name, or the word before, says of the next value.
    next: Sensitivity,
    /// What a member `name` says of the member `value` beside it.
    pair: Sensitivity,
    is_pair_value: bool,
    empty: bool,
}

/// The walk over one value.
pub(super) struct Walk<'r, 't> {
    redactor: &'r Redactor,
    text: &'t str,
    room: Room,
    reads: Reads,
    at: usize,
    out: String,
    levels: Vec<Level>,
}

/// The text is not JSON.
pub(super) struct NotJson;

impl<'r, 't> Walk<'r, 't> {
    pub(super) fn new(redactor: &'r Redactor, text: &'t str, room: Room, reads: Reads) -> Self {
        let out = String::with_capacity(text.len().min(room.all) + 64);
        Walk { redactor, text, room, reads, at: 0, out, levels: Vec::new() }
    }

    /// The value without its secrets.
    pub(super) fn run(mut self) -> Result<String, NotJson> {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'{' | b'[') => self.open()?,
                Some(b'}' | b']') => self.close()?,
                Some(_) => self.scalar()?,
                None => return Err(NotJson),
            }
            // Behind a value: what is open goes on, or ends.
            loop {
                self.blanks();
                let Some(level) = self.levels.last() else {
                    return if self.peek().is_none() { Ok(self.out) } else { Err(NotJson) };
                };
                let first = level.empty;
                match self.peek() {
                    Some(b'}' | b']') => self.close()?,
                    _ if self.out.len() >= self.room.all => {
                        self.cut_short();
                        return Ok(self.out);
                    }
                    Some(b',') if !first => {
                        self.at += 1;
                        self.out.push(',');
                        self.blanks();
                        break;
                    }
                    Some(_) if first => break,
                    _ => return Err(NotJson),
                }
            }
            self.name()?;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn open(&mut self) -> Result<(), NotJson> {
        let object = self.peek() == Some(b'{');
        let named = self.named();
        self.at += 1;
        self.out.push(if object { '{' } else { '[' });
        self.levels.push(Level {
            object,
            named,
            next: Sensitivity::None,
            pair: Sensitivity::None,
            is_pair_value: false,
            empty: true,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), NotJson> {
        let level = self.levels.pop().ok_or(NotJson)?;
        if (self.peek() == Some(b'}')) != level.object {
            return Err(NotJson);
        }
        self.at += 1;
        self.out.push(if level.object { '}' } else { ']' });
        self.done();
        Ok(())
    }

    /// A value is complete.
    fn done(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.empty = false;
        }
    }

    /// What names say of the value that comes now.
    fn named(&self) -> Sensitivity {
        match self.levels.last() {
            Some(_) if self.reads != Reads::Names => Sensitivity::None,
            Some(level) if level.is_pair_value => level.named.max(level.pair),
            Some(level) => level.named.max(level.next),
            None => Sensitivity::None,
        }
    }

    /// In an object, the name of the next member and its colon.
    fn name(&mut self) -> Result<(), NotJson> {
        if !self.levels.last().is_some_and(|level| level.object) {
            return Ok(());
        }
        let raw = self.string()?;
        let name = Raw(raw).string().ok_or(NotJson)?;
        let spoken = name.as_ref();
        self.redactor.string_into(&mut self.out, raw, spoken, self.room.string);
        self.blanks();
        if self.peek() != Some(b':') {
            return Err(NotJson);
        }
        self.at += 1;
        self.out.push(':');
        // The kind in a mark is no name.
        let marked = spoken.contains(HEAD);
        let said = if marked { Sensitivity::None } else { sensitivity(spoken) };
        let is_value = ["value", "val", "v"].iter().any(|word| spoken.eq_ignore_ascii_case(word));
        let ahead = match self.levels.last() {
            Some(level) if is_value && level.pair == Sensitivity::None && self.reads == Reads::Names => {
                self.name_ahead()
            }
            _ => Sensitivity::None,
        };
        if let Some(level) = self.levels.last_mut() {
            level.next = said;
            level.is_pair_value = is_value;
            level.pair = level.pair.max(ahead);
        }
        Ok(())
    }

    /// The text of the string that begins here, with its quotes.
    fn string(&mut self) -> Result<&'t str, NotJson> {
        let rest = self.text.get(self.at..).ok_or(NotJson)?;
        let inside = rest.strip_prefix('"').ok_or(NotJson)?;
        let quote = closing(inside.as_bytes()).ok_or(NotJson)?;
        let raw = rest.get(..quote + 2).ok_or(NotJson)?;
        self.at += raw.len();
        Ok(raw)
    }

    fn scalar(&mut self) -> Result<(), NotJson> {
        let named = self.named();
        if self.peek() == Some(b'"') {
            let raw = self.string()?;
            let said = Raw(raw).string().ok_or(NotJson)?;
            let mut mark = String::new();
            if self.redactor.named_into(&mut mark, &said, named) {
                quote(&mut self.out, &mark);
            } else {
                self.redactor.string_into(&mut self.out, raw, &said, self.room.string);
            }
            self.hint(&said);
        } else {
            let rest = self.text.get(self.at..).ok_or(NotJson)?;
            let ends = |byte: u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            let length = rest.bytes().position(ends).unwrap_or(rest.len());
            let raw = rest.get(..length).filter(|raw| !raw.is_empty()).ok_or(NotJson)?;
            self.at += length;
            let number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
            if !(number && self.reads != Reads::Texts && self.redactor.number_into(&mut self.out, raw, named))
            {
                self.out.push_str(raw);
            }
        }
        self.done();
        Ok(())
    }

    /// What a string says of the value after it: a flag of the next word, `name` of its `value`.
    fn hint(&mut self, said: &str) {
        let Some(level) = self.levels.last_mut() else { return };
        if !level.object {
            let flag = said.starts_with('-') && !said.contains(['=', ' ']);
            let header =
                ["authorization", "cookie", "x-api-key"].iter().any(|name| said.eq_ignore_ascii_case(name));
            level.next = if flag || header { sensitivity(said) } else { Sensitivity::None };
        } else if !level.is_pair_value && level.next <= Sensitivity::Weak && is_name(said) {
            level.pair = level.pair.max(sensitivity(said));
        }
    }

    /// What a member further on in this object says of its `value`.
    fn name_ahead(&self) -> Sensitivity {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut walk = rest.as_bytes().get(..AHEAD).unwrap_or(rest.as_bytes());
        let (mut depth, mut said) = (0, Sensitivity::None);
        while let Some((byte, after)) = walk.split_first() {
            walk = after;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => break,
                b'}' | b']' => depth -= 1,
                b'"' => {
                    let Some(quote) = closing(walk) else { break };
                    let (inside, after) = walk.split_at(quote);
                    walk = after.get(1..).unwrap_or_default();
                    let is_key = walk.trim_ascii_start().first() == Some(&b':');
                    if depth == 0 && !is_key {
                        let inside = std::str::from_utf8(inside).unwrap_or_default();
                        said =
                            said.max(if is_name(inside) { sensitivity(inside) } else { Sensitivity::None });
                    }
                }
                _ => {}
            }
        }
        said
    }

    /// There is no room for more: what is open is closed, and says so.
    fn cut_short(&mut self) {
        let mut first = true;
        while let Some(level) = self.levels.pop() {
            if std::mem::take(&mut first) {
                let comma = if level.empty { "" } else { "," };
                self.out.push_str(comma);
                self.out.push_str(if level.object { "\"…\":\"[cut]\"" } else { "\"[cut]\"" });
            }
            self.out.push(if level.object { '}' } else { ']' });
        }
    }
}

/// Where the quote is that closes a string whose opening one was taken.
fn closing(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        // An escape: the byte after the backslash says nothing about the string's end.
        from = at + 2;
    }
}

/// Whether this could be the name of something: no path, no sentence.
fn is_name(said: &str) -> bool {
    said.bytes().all(|byte| Class::Dash.has(byte))
}
