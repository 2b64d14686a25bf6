//! Where the secrets of a text are.
//!
//! One pass looks at each pair of neighbouring bytes, capitals as small letters: only where a pair begins some literal
//! (of a rule, a value of the environment, a name) anything is compared. What is found is skipped, so that the whole is
//! linear. Escapes are undone up to [`LAYERS`] times and looked through in the same way.

use std::ops::Range;

use crate::audit::redact::class::Class;
use crate::audit::redact::entropy;
use crate::audit::redact::escapes;
use crate::audit::redact::mark;
use crate::audit::redact::names;
use crate::audit::redact::rules::{RULES, SCHEMES};
use crate::audit::redact::values::Values;

/// Layers of escapes that are undone.
const LAYERS: usize = 3;
/// How much of a value is known for it at the end of a text.
const LEAST_OF_A_VALUE: usize = 12;

/// What is digested of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A value of the environment.
    Value(usize),
    /// By a rule.
    Rule(usize),
    /// By the name before it.
    Named,
    /// By its looks, beside a name.
    Random,
    /// After the word of an authentication scheme.
    Bearer,
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) range: Range<usize>,
    pub(super) what: What,
    /// The secret without escapes, when there were any.
    pub(super) decoded: Option<Vec<u8>>,
}

/// What a literal is of.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// Already taken out.
    Mark,
    Form(usize),
    Rule(usize),
    Scheme(usize),
    Name(usize),
}

/// Everything that is looked for.
pub(super) struct Scanner {
    pub(super) values: Values,
    /// A bit for each pair of folded bytes that begins a literal.
    pairs: Box<[u64; 1024]>,
    /// Each pair with what begins with it, in order.
    literals: Vec<(u16, Of)>,
}

fn fold(byte: u8) -> u8 {
    byte.to_ascii_lowercase()
}

fn pair(first: u8, second: u8) -> u16 {
    u16::from_be_bytes([fold(first), fold(second)])
}

impl Scanner {
    /// Looks for everything; with `rules` off, for the values alone.
    pub(super) fn new(values: Values, rules: bool) -> Self {
        let forms = values.forms.iter().enumerate().map(|(n, form)| (form.bytes.as_slice(), Of::Form(n)));
        let known = RULES.iter().enumerate().map(|(n, rule)| (rule.literal.as_bytes(), Of::Rule(n)));
        let schemes = SCHEMES.iter().enumerate().map(|(n, scheme)| (scheme.as_bytes(), Of::Scheme(n)));
        let words = names::WORDS.iter().enumerate().map(|(n, word)| (word.as_bytes(), Of::Name(n)));
        let marks = [(mark::HEAD.as_bytes(), Of::Mark)].into_iter();
        let all = known.chain(schemes).chain(words).filter(|_| rules);
        let all = marks.chain(forms).chain(all);
        let mut literals: Vec<(u16, Of)> =
            all.filter_map(|(literal, of)| Some((pair(*literal.first()?, *literal.get(1)?), of))).collect();
        // Stable: of those that begin alike, the first above is asked first.
        literals.sort_by_key(|(pair, _)| *pair);
        let mut pairs = Box::new([0; 1024]);
        for (pair, _) in &literals {
            pairs[usize::from(pair >> 6)] |= 1 << (pair & 63);
        }
        Scanner { values, pairs, literals }
    }

    /// Every secret, in order, none within another.
    pub(super) fn spans(&self, text: &[u8]) -> Vec<Span> {
        let mut spans = self.layer(text);
        let mut layers: Vec<escapes::Decoded> = Vec::new();
        while layers.len() < LAYERS {
            let top = layers.last().map_or(text, |layer| layer.bytes.as_slice());
            let Some(decoded) = escapes::decode(top) else { break };
            let found = self.layer(&decoded.bytes).into_iter().map(|span| {
                let plain = decoded.bytes.get(span.range.clone()).map(<[u8]>::to_vec);
                let mut range = decoded.before(span.range);
                for below in layers.iter().rev() {
                    range = below.before(range);
                }
                let same = text.get(range.clone()) == plain.as_deref();
                Span { range, what: span.what, decoded: plain.filter(|_| !same) }
            });
            spans.extend(found.collect::<Vec<_>>());
            layers.push(decoded);
        }
        if !layers.is_empty() {
            spans = united(spans);
        }
        spans
    }

    /// Every secret of the text as it stands.
    fn layer(&self, text: &[u8]) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut at = 0;
        while let Some(found) = self.next(text, at) {
            if let Some(length) =
                Some(mark::mark_at(text.get(found..).unwrap_or_default())).filter(|n| *n > 0)
            {
                at = found + length;
                continue;
            }
            at = match self.secret(text, found, at) {
                Some(span) => {
                    let end = span.range.end.max(found + 1);
                    spans.push(span);
                    end
                }
                None => found + 1,
            };
        }
        spans
    }

    /// The next place where some literal may begin.
    fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..)?;
        let begins = |two: &[u8]| {
            let pair = pair(two[0], two[1]);
            self.pairs[usize::from(pair >> 6)] >> (pair & 63) & 1 == 1
        };
        rest.windows(2).position(begins).map(|place| from + place)
    }

    /// The secret that a literal at `at` stands for; nothing of it lies before `free`.
    fn secret(&self, text: &[u8], at: usize, free: usize) -> Option<Span> {
        let pair = pair(*text.get(at)?, *text.get(at + 1)?);
        let first = self.literals.partition_point(|(other, _)| *other < pair);
        let candidates = self.literals.get(first..)?.iter().take_while(|(other, _)| *other == pair);
        let whole = candidates.clone().filter_map(|(_, of)| self.matching(text, at, *of));
        // A value as a whole before the part of a longer one.
        let cut = candidates.filter_map(|(_, of)| self.cut_off(text, at, *of));
        whole.chain(cut).find_map(|mut span| {
            span.range.start = span.range.start.max(free);
            let secret = text.get(span.range.clone()).unwrap_or_default();
            // What was taken out before is not taken out again.
            (mark::mark_at(secret) < secret.len()).then_some(span)
        })
    }

    /// A value of which the text holds the beginning and then ends: it may have been cut there.
    fn cut_off(&self, text: &[u8], at: usize, of: Of) -> Option<Span> {
        let Of::Form(n) = of else { return None };
        let form = self.values.forms.get(n)?;
        let rest = text.get(at..)?;
        let same = rest.len() >= LEAST_OF_A_VALUE && form.is(form.bytes.get(..rest.len())?, rest);
        let range = || around(text, at..text.len(), form.around);
        same.then(|| Span { range: range(), what: What::Value(form.value), decoded: None })
    }

    fn matching(&self, text: &[u8], at: usize, of: Of) -> Option<Span> {
        let rest = text.get(at..)?;
        let folded = |literal: &str| {
            rest.get(..literal.len()).is_some_and(|head| head.eq_ignore_ascii_case(literal.as_bytes()))
        };
        let span = |range, what| Span { range, what, decoded: None };
        match of {
            Of::Mark => None,
            Of::Form(n) => {
                let form = self.values.forms.get(n)?;
                let length = form.bytes.len();
                let same = form.is(&form.bytes, rest.get(..length)?);
                let range = || around(text, at..at + length, form.around);
                same.then(|| span(range(), What::Value(form.value)))
            }
            Of::Rule(n) => {
                let rule = RULES.get(n)?;
                let range = rest.starts_with(rule.literal.as_bytes()).then(|| rule.secret(text, at))??;
                Some(span(range, What::Rule(n)))
            }
            Of::Scheme(n) => {
                let scheme = SCHEMES.get(n).filter(|scheme| folded(scheme))?;
                let from = at + scheme.len();
                let end = from + Class::Base64.run(text, from).max(Class::Dot.run(text, from));
                let value = text.get(from..end)?;
                is_credential(scheme, value).then(|| span(from..end, What::Bearer))
            }
            Of::Name(n) => {
                names::WORDS.get(n).filter(|word| folded(word))?;
                let names::Found { range, random } = names::value(text, at)?;
                // The more telling kind, when the value is all that a rule knows.
                let what = self.whole(text.get(range.clone())?);
                let what = what.unwrap_or(if random { What::Random } else { What::Named });
                Some(span(range, what))
            }
        }
    }

    /// What `value` is, when it is one secret of a rule or of the environment from its first byte to its last.
    pub(super) fn whole(&self, value: &[u8]) -> Option<What> {
        if let Some((_, value)) = self.values.short.iter().find(|(plain, _)| plain == value) {
            return Some(What::Value(*value));
        }
        let pair = pair(*value.first()?, *value.get(1)?);
        let first = self.literals.partition_point(|(other, _)| *other < pair);
        let candidates = self.literals.get(first..)?.iter().take_while(|(other, _)| *other == pair);
        candidates
            .filter(|(_, of)| matches!(of, Of::Form(_) | Of::Rule(_)))
            .filter_map(|(_, of)| self.matching(value, 0, *of))
            .find(|span| span.range == (0..value.len()))
            .map(|span| span.what)
    }
}

/// The range, and what is around it of the same class: the rest of an encoded text that the value is in.
fn around(text: &[u8], range: Range<usize>, class: Option<Class>) -> Range<usize> {
    let Some(class) = class else { return range };
    let before = text.get(..range.start).unwrap_or_default();
    let before = before.iter().rev().take_while(|byte| class.has(**byte)).count();
    range.start - before..range.end + class.run(text, range.end)
}

/// Whether what follows a scheme's word is a credential and not the next word of a sentence.
fn is_credential(scheme: &str, value: &[u8]) -> bool {
    match scheme {
        "basic " => value.len() >= 8 && (value.ends_with(b"=") || value.iter().any(u8::is_ascii_digit)),
        "bearer " => value.len() >= 12 && value.iter().any(u8::is_ascii_digit),
        _ => value.len() >= 16 && entropy::is_random(value),
    }
}

/// Spans that touch or lie within each other become one; the first that begins names it.
fn united(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.range.start, std::cmp::Reverse(span.range.end)));
    let mut united: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match united.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                if span.range.end > last.range.end {
                    last.range.end = span.range.end;
                    last.decoded = None;
                }
            }
            _ => united.push(span),
        }
    }
    united
}
