//! Regular expressions of a schema: read as ECMA-262 means them, matched in linear time.
//!
//! A pattern is not handed on as it stands: it is parsed, and every construct is written anew in the words of crate
//! `regex`, so that `\d`, `\w`, `\s`, `.`, `\b`, escapes and classes mean what JavaScript means by them. What needs
//! backtracking (back-references, looking around) is refused, but for what stands at the very beginning:
//! `^(?!a)(?=b)c` is three patterns that are each matched in linear time.
//!
//! The invariant: a pattern costs no more than its weight, about the states of its automaton, times the length of what
//! it is matched with; and the weight is bounded before anything is compiled.
//!
//! Rests on ECMA-262, section 22.2 (patterns, with the `u` flag), and JSON Schema 2020-12 Core, section 6.4.

mod parse;

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

/// Longest pattern in bytes.
const MAX_LENGTH: usize = 4096;
/// Greatest weight.
const MAX_WEIGHT: u32 = 4096;
/// Heaviest pattern whose automaton has so few states that each byte costs one step, whatever it is matched with.
const LIGHT: u32 = 12;
/// Memory for one compiled pattern.
const MAX_MEMORY: usize = 4 << 20;

/// Why a pattern cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The grammar of ECMA-262 has no such pattern.
    #[error("no regular expression: {0}")]
    Syntax(&'static str),
    /// It cannot be matched in linear time.
    #[error("a regular expression with {0}, which cannot be matched in linear time")]
    NotLinear(&'static str),
    /// It is longer, or repeats more, than is matched.
    #[error("a regular expression that is too large")]
    TooLarge,
}

/// A pattern, or why it cannot be used.
pub(super) type Tried = Result<Pattern, Error>;

/// A pattern that can be matched.
#[derive(Debug)]
pub(super) struct Pattern {
    /// What has to match, and what must not.
    parts: Vec<Part>,
    weight: u32,
}

#[derive(Debug)]
struct Part {
    /// In the words of crate `regex`.
    text: String,
    expected: bool,
    /// Compiled when it is first needed: most patterns of a list never are.
    regex: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Reads a pattern.
    pub(super) fn parse(pattern: &str) -> Result<Self, Error> {
        if pattern.len() > MAX_LENGTH {
            return Err(Error::TooLarge);
        }
        let parsed = parse::parse(pattern, MAX_WEIGHT)?;
        let part = |(text, expected)| Part { text, expected, regex: OnceLock::new() };
        Ok(Pattern { parts: parsed.parts.into_iter().map(part).collect(), weight: parsed.weight })
    }

    /// What it may cost to match it with so many bytes.
    pub(super) fn cost(&self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        if self.weight <= LIGHT {
            1 + bytes / 16
        } else {
            1 + bytes.saturating_mul(u64::from(self.weight)) / 2
        }
    }

    /// What it costs to compile it, the first time.
    pub(super) fn cost_of_compiling(&self) -> u64 {
        let compiled = self.parts.iter().all(|part| part.regex.get().is_some());
        if compiled { 0 } else { 1000 + u64::from(self.weight) * 20 }
    }

    /// Whether it matches somewhere in `text`. `None`: it cannot be compiled.
    pub(super) fn is_match(&self, text: &str) -> Option<bool> {
        for part in &self.parts {
            let regex = part.regex.get_or_init(|| compile(&part.text)).as_ref()?;
            if regex.is_match(text) != part.expected {
                return Some(false);
            }
        }
        Some(true)
    }
}

fn compile(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).size_limit(MAX_MEMORY).dfa_size_limit(MAX_MEMORY).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        parsed.is_match(text).unwrap_or_else(|| panic!("{pattern}: {:?}", parsed.parts))
    }

    #[test]
    fn constructs_mean_what_javascript_means() {
        for (pattern, yes, no) in [
            ("^a*$", "aaa", "aab"),
            ("b", "abc", "ac"),
            ("", "", "\0\0"),
            (r"^\d$", "5", "\u{664}"),
            (r"^\D$", "\u{664}", "5"),
            (r"^\w$", "_", "\u{e9}"),
            (r"^\W$", "\u{e9}", "z"),
            (r"^\s$", "\u{feff}", "x"),
            (r"^\s$", "\u{2003}", "\u{85}"),
            (r"^\S$", "\u{85}", "\u{a0}"),
            (r"^.$", "\u{1f600}", "\u{2028}"),
            (r"^a$", "a", "a\n"),
            (r"^\cA\t\x41\u0042\u{1F600}\uD83D\uDE00$", "\u{1}\tAB\u{1f600}\u{1f600}", "AB"),
            (r"^\p{L}+$", "\u{e9}a", "1"),
            (r"^\p{Script=Greek}$", "\u{3b1}", "a"),
            (r"^\P{Lu}$", "a", "A"),
            (r"^[\w.-]+$", "a.b-c", "a b"),
            (r"^[^\d]$", "x", "1"),
            (r"^[]$", "never", ""),
            (r"^[^]$", "\n", ""),
            (r"^[&&^~~a\]\[-]+$", "&^~-a][", "b"),
            (r"^[\b]$", "\u{8}", "b"),
            (r"^[a-c]{2,3}$", "abc", "a"),
            (r"^a{,2}$", "a{,2}", "aa"),
            (r"^(?:a|b)+?(?<n>c)$", "abc", "ab"),
            (r"^\/\-\.\$\{\}$", "/-.${}", "/-"),
            (r"\bcat\b", "a cat!", "concat"),
            (r"^\0$", "\0", "0"),
            (r"^x{$", "x{", "x"),
            (r"(^a)|b", "b", "ca"),
        ] {
            assert!(matches(pattern, yes) || (pattern.is_empty() || pattern == "^[]$"), "{pattern} {yes:?}");
            if !pattern.is_empty() {
                assert!(!matches(pattern, no), "{pattern} {no:?}");
            }
        }
        assert!(matches("", "anything") && !matches("^[]$", "never"));
    }

    #[test]
    fn looking_ahead_at_the_beginning_is_a_pattern_of_its_own() {
        let password = r"^(?=.*[A-Z])(?=.*\d)(?!.*\s).{4,}$";
        assert!(matches(password, "aB3d") && !matches(password, "ab3d") && !matches(password, "aB3 d"));
        let mail = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$";
        assert!(matches(mail, "a.b@example.org") && !matches(mail, "a..b@example.org"));
    }

    #[test]
    fn what_is_not_linear_or_no_pattern_is_refused() {
        for pattern in [r"(a)\1", r"a(?=b)", r"(?<=a)b", r"(?:(?!a).)*", r"^(?=a)b|c", r"\k<n>(?<n>a)"] {
            assert!(matches!(Pattern::parse(pattern), Err(Error::NotLinear(_))), "{pattern}");
        }
        for pattern in [
            "(",
            ")",
            "a)",
            "[a",
            "*",
            "a**",
            "^*",
            "a{2}{3}",
            r"\",
            r"\Z",
            r"\a",
            r"\xg1",
            r"\u12",
            r"\uD800",
            "[b-a]",
            r"\p{Nonsense}",
            r"[\d-z]",
            "(?i:a)",
            "(?<1>a)",
            "a{3,2}",
            r"\08",
            r"\p",
            r"\cé",
        ] {
            assert!(
                matches!(Pattern::parse(pattern), Err(Error::Syntax(_))),
                "{pattern}: {:?}",
                Pattern::parse(pattern)
            );
        }
        let deep = format!("{}a{}", "(".repeat(200), ")".repeat(200));
        for pattern in ["(a{1000}){1000}", "a{99999999999}", &"a".repeat(1 << 20), r"\w{900}", &deep] {
            assert_eq!(Pattern::parse(pattern).unwrap_err(), Error::TooLarge, "{}", &pattern[..9]);
        }
    }

    #[test]
    fn heavy_patterns_cost_what_they_may_take() {
        let light = Pattern::parse("^[A-Za-z0-9+/]*={0,2}$").unwrap();
        assert!(light.cost(1 << 20) < 1 << 17);
        let heavy = Pattern::parse("(a|b)*a(a|b){40}").unwrap();
        assert!(heavy.cost(1 << 20) > 1 << 24);
    }
}
