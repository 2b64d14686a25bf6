//! The scanner: the whole grammar of JSON in one pass, and the names of every object where they matter.
//!
//! It keeps no tree: values are slices of the line. Nesting is walked with a list of its own, so that a hostile line
//! costs heap in proportion to the depth limit and no stack. Names are compared when their object closes.

use std::borrow::Cow;

use crate::jsonrpc::fault::{Fault, ScanError};
use crate::jsonrpc::{fold, strings};

/// Whether the names inside a value are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Each once per object: the envelope and `params`, which decide what a message does.
    Once,
    /// Only the grammar: the inside of results, which carries whatever a tool gives back.
    Any,
}

/// A member's name: decoded, and folded.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) folded: u64,
    /// Where it stands.
    pub(super) offset: usize,
}

/// An object or array that is open.
#[derive(Debug, Clone, Copy)]
struct Level {
    object: bool,
    names: Names,
    /// Where its names begin in `Scanner::names`.
    first: usize,
}

/// A position in one line.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    max_depth: u32,
    levels: Vec<Level>,
    /// Folded names of the open objects, with where they stand.
    names: Vec<(u64, usize)>,
}

impl<'a> Scanner<'a> {
    /// At the head of `text`.
    #[inline]
    pub(super) fn new(text: &'a str, max_depth: u32) -> Self {
        Scanner { text, at: 0, max_depth, levels: Vec::with_capacity(16), names: Vec::with_capacity(32) }
    }

    /// Where it is.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The next byte.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// A refusal here.
    pub(super) fn fault(&self, fault: Fault) -> ScanError {
        ScanError { offset: self.at, fault }
    }

    /// What the grammar asks for instead of what stands here.
    fn expected(&self, what: &'static str) -> ScanError {
        self.fault(if self.peek().is_none() { Fault::UnexpectedEnd } else { Fault::Expected(what) })
    }

    /// Takes the byte if it is next.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Passes over white space. A line break is white space for JSON, and the end of a line for some readers.
    #[inline]
    pub(super) fn space(&mut self) -> Result<(), ScanError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\r' | b'\n') => return Err(self.fault(Fault::LineBreak)),
                _ => return Ok(()),
            }
        }
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), ScanError> {
        self.space()?;
        if self.peek().is_some() { Err(self.fault(Fault::TrailingData)) } else { Ok(()) }
    }

    /// The text since `start`, which is at a character's head like every place where a value begins or ends.
    #[inline]
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Passes over one value of any kind and returns its text.
    pub(super) fn value(&mut self, names: Names) -> Result<&'a str, ScanError> {
        let (start, floor) = (self.at, self.levels.len());
        loop {
            let opened = match self.peek() {
                Some(b'"') => {
                    self.string()?;
                    false
                }
                Some(b'{') => self.open(true, names)?,
                Some(b'[') => self.open(false, names)?,
                _ => self.scalar().map(|()| false)?,
            };
            if !opened && self.close(floor)? {
                return Ok(self.since(start));
            }
        }
    }

    /// Opens an object or array; true if a value comes next, false if it was empty and is closed again.
    #[inline]
    fn open(&mut self, object: bool, names: Names) -> Result<bool, ScanError> {
        self.enter(object, names)?;
        self.space()?;
        if self.eat(if object { b'}' } else { b']' }) {
            self.leave()?;
            return Ok(false);
        }
        if object {
            self.member()?;
        }
        Ok(true)
    }

    /// After a value: closes what ends here. True when it is back at `floor`, false when another value comes.
    #[inline]
    fn close(&mut self, floor: usize) -> Result<bool, ScanError> {
        while let Some(level) = self.levels.get(floor..).and_then(<[Level]>::last).copied() {
            self.space()?;
            if self.eat(b',') {
                self.space()?;
                if level.object {
                    self.member()?;
                }
                return Ok(false);
            }
            if !self.eat(if level.object { b'}' } else { b']' }) {
                return Err(self.expected(if level.object { "`,` or `}`" } else { "`,` or `]`" }));
            }
            self.leave()?;
        }
        Ok(true)
    }

    /// Passes over a name and its colon inside [`Scanner::value`].
    #[inline]
    fn member(&mut self) -> Result<(), ScanError> {
        if self.levels.last().is_some_and(|level| level.names == Names::Once) {
            self.key().map(drop)
        } else {
            if self.peek() != Some(b'"') {
                return Err(self.expected("a name in quotes"));
            }
            self.string()?;
            self.colon()
        }
    }

    /// Takes a name and its colon, and remembers the name.
    #[inline]
    fn key(&mut self) -> Result<Key<'a>, ScanError> {
        let offset = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.expected("a name in quotes"));
        }
        let (raw, escapes) = self.string()?;
        let name = if escapes { strings::unescape(raw) } else { Cow::Borrowed(raw) };
        if escapes && name.contains('\0') {
            return Err(ScanError { offset, fault: Fault::NulInName });
        }
        let folded = fold::folded(&name);
        self.names.push((folded, offset));
        self.colon()?;
        Ok(Key { name, folded, offset })
    }

    #[inline]
    pub(super) fn colon(&mut self) -> Result<(), ScanError> {
        self.space()?;
        if !self.eat(b':') {
            return Err(self.expected("`:`"));
        }
        self.space()
    }

    /// Takes an object whose members `each` looks at: it must pass over the value. Names are compared.
    #[inline]
    pub(super) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, Key<'a>) -> Result<(), ScanError>,
    ) -> Result<&'a str, ScanError> {
        let start = self.at;
        self.enter(true, Names::Once)?;
        self.space()?;
        if !self.eat(b'}') {
            loop {
                let key = self.key()?;
                each(self, key)?;
                self.space()?;
                if self.eat(b'}') {
                    break;
                }
                if !self.eat(b',') {
                    return Err(self.expected("`,` or `}`"));
                }
                self.space()?;
            }
        }
        self.leave()?;
        Ok(self.since(start))
    }

    /// Takes an array; `each` passes over one element.
    pub(super) fn array(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        self.enter(false, Names::Any)?;
        self.space()?;
        if !self.eat(b']') {
            loop {
                each(self)?;
                self.space()?;
                if self.eat(b']') {
                    break;
                }
                if !self.eat(b',') {
                    return Err(self.expected("`,` or `]`"));
                }
                self.space()?;
            }
        }
        self.leave()
    }

    /// Goes one level down, past the opening bracket.
    #[inline]
    fn enter(&mut self, object: bool, names: Names) -> Result<(), ScanError> {
        if self.levels.len() >= self.max_depth as usize {
            return Err(self.fault(Fault::TooDeep(self.max_depth)));
        }
        self.at += 1;
        self.levels.push(Level { object, names, first: self.names.len() });
        Ok(())
    }

    /// Goes one level up and compares the names of what was closed.
    #[inline]
    fn leave(&mut self) -> Result<(), ScanError> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        let Some(names) = self.names.get_mut(level.first..) else { return Ok(()) };
        let twice = twice(names);
        self.names.truncate(level.first);
        match twice {
            None => Ok(()),
            Some(offset) => Err(ScanError { offset, fault: Fault::DuplicateKey(self.name_at(offset)) }),
        }
    }

    /// The name at `offset`, cut for a record.
    fn name_at(&self, offset: usize) -> String {
        let mut again = Scanner { at: offset, ..Scanner::new(self.text, 0) };
        again.string().map(|(raw, _)| strings::unescape(raw).chars().take(64).collect()).unwrap_or_default()
    }

    /// Passes over a string; returns its inside, and whether there are escapes in it.
    #[inline]
    pub(super) fn string(&mut self) -> Result<(&'a str, bool), ScanError> {
        let start = self.at + 1;
        let end = strings::end(self.text.as_bytes(), start)?;
        self.at = end.quote + 1;
        Ok((self.text.get(start..end.quote).unwrap_or_default(), end.escapes))
    }

    /// Passes over a number or a literal.
    pub(super) fn scalar(&mut self) -> Result<(), ScanError> {
        let literal = match self.peek() {
            Some(b'-' | b'0'..=b'9') => return self.number(),
            Some(b't') => "true",
            Some(b'f') => "false",
            Some(b'n') => "null",
            _ => return Err(self.expected("a value")),
        };
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            return Err(self.expected("a value"));
        }
        self.at += literal.len();
        Ok(())
    }

    /// RFC 8259, section 6.
    fn number(&mut self) -> Result<(), ScanError> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        if count == 0 { Err(self.expected("a digit")) } else { Ok(()) }
    }
}

/// Where the later one of two equal names stands.
fn twice(names: &mut [(u64, usize)]) -> Option<usize> {
    if let [one, rest @ ..] = &*names
        && names.len() <= 8
    {
        // Few names, as most objects have: comparing all is faster than sorting.
        let (mut one, mut rest) = (one, rest);
        loop {
            if let Some((_, offset)) = rest.iter().find(|other| other.0 == one.0) {
                return Some(*offset);
            }
            (one, rest) = rest.split_first()?;
        }
    }
    names.sort_unstable();
    names.windows(2).find_map(|pair| match pair {
        [(one, _), (other, offset)] if one == other => Some(*offset),
        _ => None,
    })
}
