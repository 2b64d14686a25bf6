//! The parser: from ECMA-262 to the words of crate `regex`, with the weight of what was read.
//!
//! Recursive, to a depth of [`MAX_DEPTH`] groups. Everything that is written out was written by this file: no byte of
//! the pattern reaches the other side unescaped.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use super::Error;

/// Deepest nesting of groups.
const MAX_DEPTH: u32 = 40;
/// What a class of Unicode properties weighs: its ranges, as bytes.
const PROPERTY_WEIGHT: u32 = 200;
/// Most properties in one pattern: each is looked up in a table.
const MAX_PROPERTIES: u32 = 16;
/// White space and line ends of ECMA-262.
const SPACE: &str =
    r"\t\n\x0b\x0c\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";
/// Weight of a class with more than ASCII in it.
const CLASS_WEIGHT: u32 = 8;

/// What was read.
pub(super) struct Parsed {
    /// Patterns that must all match, or must not.
    pub(super) parts: Vec<(String, bool)>,
    /// About the number of states, all parts together.
    pub(super) weight: u32,
}

/// Reads a whole pattern of at most `max_weight`.
pub(super) fn parse(pattern: &str, max_weight: u32) -> Result<Parsed, Error> {
    let mut parser = Parser {
        rest: pattern.chars().peekable(),
        conditions: Vec::new(),
        depth: 0,
        properties: 0,
        max_weight,
    };
    let read = parser.disjunction(true)?;
    if parser.rest.peek().is_some() {
        return Err(Error::Syntax("a `)` that closes nothing"));
    }
    if read.alternatives > 1 && !parser.conditions.is_empty() {
        return Err(Error::NotLinear("looking ahead in one of several alternatives"));
    }
    let weight =
        parser.conditions.iter().fold(read.weight, |sum, (_, _, weight)| sum.saturating_add(*weight));
    if weight > max_weight {
        return Err(Error::TooLarge);
    }
    let conditions = parser.conditions.into_iter().map(|(text, expected, _)| (text, expected));
    Ok(Parsed { parts: conditions.chain([(read.text, true)]).collect(), weight })
}

struct Parser<'p> {
    rest: Peekable<Chars<'p>>,
    /// What was looked ahead for at the beginning.
    conditions: Vec<(String, bool, u32)>,
    depth: u32,
    properties: u32,
    max_weight: u32,
}

/// A piece of a pattern, written anew.
struct Piece {
    text: String,
    weight: u32,
    alternatives: u32,
}

/// A member of a class.
enum Member {
    One(char),
    /// Already written.
    Set(String, u32),
}

impl Parser<'_> {
    fn eat(&mut self, c: char) -> bool {
        self.rest.next_if_eq(&c).is_some()
    }

    /// Alternatives, up to a `)` or the end.
    fn disjunction(&mut self, top: bool) -> Result<Piece, Error> {
        let mut all = Piece { text: String::new(), weight: 0, alternatives: 1 };
        loop {
            self.alternative(top && all.alternatives == 1, &mut all)?;
            if all.weight > self.max_weight {
                return Err(Error::TooLarge);
            }
            if !self.eat('|') {
                return Ok(all);
            }
            all.text.push('|');
            all.alternatives += 1;
        }
    }

    fn alternative(&mut self, top: bool, all: &mut Piece) -> Result<(), Error> {
        // Conditions hold where `^` is all that came before.
        let mut at_start = top;
        let mut anchored = false;
        while let Some(c) = self.rest.next_if(|c| !matches!(c, '|' | ')')) {
            match c {
                '^' => {
                    anchored |= at_start;
                    all.text.push('^');
                    self.no_quantifier()?;
                    continue;
                }
                '$' => {
                    all.text.push('$');
                    self.no_quantifier()?;
                }
                '(' => {
                    if self.group(at_start && anchored, all)? {
                        continue;
                    }
                }
                '\\' if matches!(self.rest.peek(), Some('b' | 'B')) => {
                    let boundary = if self.rest.next() == Some('b') { r"(?-u:\b)" } else { r"(?-u:\B)" };
                    all.text.push_str(boundary);
                    self.no_quantifier()?;
                }
                '*' | '+' | '?' => return Err(Error::Syntax("a quantifier after nothing")),
                _ => {
                    let (text, weight) = self.atom(c)?;
                    self.quantified(&text, weight, all)?;
                }
            }
            at_start = false;
        }
        Ok(())
    }

    fn no_quantifier(&mut self) -> Result<(), Error> {
        match self.rest.peek() {
            Some('*' | '+' | '?') => Err(Error::Syntax("a quantifier after an assertion")),
            _ => Ok(()),
        }
    }

    /// After a `(`. True: it was a condition.
    fn group(&mut self, may_look: bool, all: &mut Piece) -> Result<bool, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooLarge);
        }
        let look = if self.eat('?') { self.kind_of_group()? } else { None };
        if look.is_some() && !may_look {
            return Err(Error::NotLinear("looking ahead"));
        }
        let inner = self.disjunction(false)?;
        if !self.eat(')') {
            return Err(Error::Syntax("a `(` that nothing closes"));
        }
        self.depth -= 1;
        match look {
            Some(expected) => {
                self.no_quantifier()?;
                self.conditions.push((format!("^(?:{})", inner.text), expected, inner.weight));
                Ok(true)
            }
            None => self.quantified(&format!("(?:{})", inner.text), inner.weight, all).map(|()| false),
        }
    }

    /// After `(?`: whether it looks ahead, and for what.
    fn kind_of_group(&mut self) -> Result<Option<bool>, Error> {
        match self.rest.next() {
            Some(':') => Ok(None),
            Some('=') => Ok(Some(true)),
            Some('!') => Ok(Some(false)),
            Some('<') if matches!(self.rest.peek(), Some('=' | '!')) => {
                Err(Error::NotLinear("looking behind"))
            }
            Some('<') => {
                let mut length = 0;
                while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                    if length == 0 && c.is_numeric() {
                        return Err(Error::Syntax("a name that begins with a digit"));
                    }
                    length += 1;
                }
                if length > 0 && self.eat('>') { Ok(None) } else { Err(Error::Syntax("a name of a group")) }
            }
            _ => Err(Error::Syntax("a group of a kind that patterns of schemas do not have")),
        }
    }

    /// One thing that can be repeated, whose first character was taken.
    fn atom(&mut self, c: char) -> Result<(String, u32), Error> {
        match c {
            '.' => Ok((r"[^\n\r\u{2028}\u{2029}]".to_owned(), CLASS_WEIGHT)),
            '[' => self.class(),
            '\\' => match self.escape(false)? {
                Member::One(c) => Ok(literal(c)),
                Member::Set(text, weight) => Ok((format!("[{text}]"), weight)),
            },
            c => Ok(literal(c)),
        }
    }

    /// Writes a piece with the quantifier that follows it.
    fn quantified(&mut self, text: &str, weight: u32, all: &mut Piece) -> Result<(), Error> {
        all.text.push_str(text);
        let (least, most) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.counts()? {
                Some(counts) => counts,
                None => {
                    all.weight = all.weight.saturating_add(weight);
                    return Ok(());
                }
            },
            _ => {
                all.weight = all.weight.saturating_add(weight);
                return Ok(());
            }
        };
        let plain = self.rest.next_if(|c| matches!(c, '*' | '+' | '?'));
        match plain {
            Some(c) => all.text.push(c),
            // Writing to a String cannot fail.
            None => match most {
                Some(most) => drop(write!(all.text, "{{{least},{most}}}")),
                None => drop(write!(all.text, "{{{least},}}")),
            },
        }
        // Whether it takes as much or as little as it can makes no difference to whether there is a match.
        self.eat('?');
        if self.rest.peek().is_some_and(|c| matches!(c, '*' | '+' | '?')) || self.counts_follow() {
            return Err(Error::Syntax("a quantifier after a quantifier"));
        }
        let times = most.unwrap_or(least.saturating_add(1)).max(1);
        all.weight = all.weight.saturating_add((weight + 1).saturating_mul(times));
        if all.weight > self.max_weight { Err(Error::TooLarge) } else { Ok(()) }
    }

    fn counts_follow(&self) -> bool {
        let mut ahead = Parser {
            rest: self.rest.clone(),
            conditions: Vec::new(),
            depth: 0,
            properties: 0,
            max_weight: 0,
        };
        ahead.rest.peek() == Some(&'{') && !matches!(ahead.counts(), Ok(None))
    }

    /// `{2}`, `{2,}`, `{2,3}`; anything else is a brace like any other character, and stays where it is.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, Error> {
        let before = self.rest.clone();
        self.rest.next();
        let least = self.number();
        let most = match (least, self.eat(',')) {
            (Some(least), false) => Some(Some(least)),
            (Some(_), true) if self.rest.peek() == Some(&'}') => Some(None),
            (Some(_), true) => self.number().map(Some),
            (None, _) => None,
        };
        let (Some(least), Some(most), true) = (least, most, self.eat('}')) else {
            self.rest = before;
            return Ok(None);
        };
        if most.is_some_and(|most| most < least) {
            return Err(Error::Syntax("a repetition whose bounds are the wrong way round"));
        }
        if least.max(most.unwrap_or(0)) > self.max_weight {
            Err(Error::TooLarge)
        } else {
            Ok(Some((least, most)))
        }
    }

    fn number(&mut self) -> Option<u32> {
        let mut value = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            value = Some(value.unwrap_or(0u32).saturating_mul(10).saturating_add(digit));
        }
        value
    }

    /// After a `\`.
    fn escape(&mut self, in_class: bool) -> Result<Member, Error> {
        let Some(c) = self.rest.next() else { return Err(Error::Syntax("a backslash at the end")) };
        let set = |text: &str, weight| Ok(Member::Set(text.to_owned(), weight));
        match c {
            'd' => set("0-9", 1),
            'D' => set("[^0-9]", CLASS_WEIGHT),
            'w' => set("0-9A-Za-z_", 4),
            'W' => set("[^0-9A-Za-z_]", CLASS_WEIGHT),
            's' => set(SPACE, 2 * CLASS_WEIGHT),
            'S' => set(&format!("[^{SPACE}]"), 2 * CLASS_WEIGHT),
            'p' | 'P' => self.property(c),
            't' => Ok(Member::One('\t')),
            'n' => Ok(Member::One('\n')),
            'v' => Ok(Member::One('\u{b}')),
            'f' => Ok(Member::One('\u{c}')),
            'r' => Ok(Member::One('\r')),
            'b' if in_class => Ok(Member::One('\u{8}')),
            '-' if in_class => Ok(Member::One('-')),
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => Ok(Member::One('\0')),
            'c' => match self.rest.next() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    Ok(Member::One(char::from(letter as u8 % 32)))
                }
                _ => Err(Error::Syntax("a control character without a letter")),
            },
            'x' => self.hex(2).and_then(character),
            'u' => self.unicode(),
            '1'..='9' | 'k' if !in_class => Err(Error::NotLinear("a back-reference")),
            c if c.is_ascii_punctuation() => Ok(Member::One(c)),
            _ => Err(Error::Syntax("an escape that ECMA-262 does not have")),
        }
    }

    fn hex(&mut self, digits: u32) -> Result<u32, Error> {
        (0..digits).try_fold(0, |value, _| {
            let digit = self.rest.next().and_then(|c| c.to_digit(16));
            digit.map(|digit| value * 16 + digit).ok_or(Error::Syntax("a code without its digits"))
        })
    }

    /// After `\u`.
    fn unicode(&mut self) -> Result<Member, Error> {
        if self.eat('{') {
            let mut value = 0u32;
            let mut digits = 0;
            while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(16)) {
                self.rest.next();
                value = value.saturating_mul(16).saturating_add(digit);
                digits += 1;
            }
            if digits == 0 || !self.eat('}') {
                return Err(Error::Syntax("a code without its digits"));
            }
            return character(value);
        }
        let first = self.hex(4)?;
        let before = self.rest.clone();
        if (0xd800..0xdc00).contains(&first) && self.eat('\\') && self.eat('u') {
            if let Ok(second @ 0xdc00..0xe000) = self.hex(4) {
                return character(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            self.rest = before;
        }
        character(first)
    }

    /// After `\p` or `\P`.
    fn property(&mut self, letter: char) -> Result<Member, Error> {
        const WRONG: Error = Error::Syntax("a property that Unicode does not have");
        if !self.eat('{') {
            return Err(WRONG);
        }
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '=')) {
            name.push(c);
        }
        if name.is_empty() || name.len() > 64 || !self.eat('}') {
            return Err(WRONG);
        }
        self.properties += 1;
        if self.properties > MAX_PROPERTIES {
            return Err(Error::TooLarge);
        }
        let text = format!("\\{letter}{{{name}}}");
        match regex::Regex::new(&text) {
            Ok(_) => Ok(Member::Set(text, PROPERTY_WEIGHT)),
            Err(_) => Err(WRONG),
        }
    }

    /// After a `[`.
    fn class(&mut self) -> Result<(String, u32), Error> {
        let negated = self.eat('^');
        let (mut text, mut weight, mut ascii) = (String::new(), 0u32, true);
        loop {
            let Some(c) = self.rest.next() else { return Err(Error::Syntax("a `[` that nothing closes")) };
            if c == ']' {
                break;
            }
            let first = self.member(c)?;
            let is_range = self.rest.peek() == Some(&'-') && {
                let mut ahead = self.rest.clone();
                ahead.next();
                ahead.next().is_some_and(|c| c != ']')
            };
            if !is_range {
                match first {
                    Member::One(c) => {
                        ascii &= c.is_ascii();
                        push(&mut text, c);
                    }
                    Member::Set(set, heavier) => {
                        weight = weight.saturating_add(heavier);
                        text.push_str(&set);
                    }
                }
                continue;
            }
            self.rest.next();
            let last =
                self.rest.next().map_or(Err(Error::Syntax("a range without an end")), |c| self.member(c))?;
            let (Member::One(first), Member::One(last)) = (first, last) else {
                return Err(Error::Syntax("a range between sets"));
            };
            if last < first {
                return Err(Error::Syntax("a range whose ends are the wrong way round"));
            }
            ascii &= last.is_ascii();
            push(&mut text, first);
            text.push('-');
            push(&mut text, last);
        }
        weight = weight.saturating_add(if ascii && !negated { 1 } else { CLASS_WEIGHT });
        match (text.is_empty(), negated) {
            (true, false) => Ok((r"[^\x00-\u{10ffff}]".to_owned(), 1)),
            (true, true) => Ok((r"[\x00-\u{10ffff}]".to_owned(), CLASS_WEIGHT)),
            (false, false) => Ok((format!("[{text}]"), weight)),
            (false, true) => Ok((format!("[^{text}]"), weight)),
        }
    }

    fn member(&mut self, c: char) -> Result<Member, Error> {
        if c == '\\' { self.escape(true) } else { Ok(Member::One(c)) }
    }
}

fn character(value: u32) -> Result<Member, Error> {
    char::from_u32(value).map(Member::One).ok_or(Error::Syntax("half of a surrogate pair"))
}

fn push(text: &mut String, c: char) {
    if c.is_ascii_alphanumeric() {
        text.push(c);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
    }
}

fn literal(c: char) -> (String, u32) {
    let mut text = String::new();
    push(&mut text, c);
    // A piece that is repeated must be one.
    (text, c.len_utf8() as u32)
}
