//! Text that speaks to a model: hidden characters, and the patterns of instructions that tool descriptions have no use
//! for.
//!
//! A finding is a report, not a verdict: descriptions have honest reasons for strange text. The patterns were chosen from
//! published attacks on tool descriptions; whoever knows them writes round them, so nothing rests on them but a report.
//!
//! Rests on UAX #9 (bidirectional text), UAX #44 (Default_Ignorable_Code_Point), ECMA-48 (control sequences).

use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};
use serde::Serialize;

use crate::mcp::pins::Value;

/// Characters of a label that is one.
const LABEL: usize = 64;
/// Most text of one definition that is looked through.
const MAX_SCANNED: usize = 1 << 20;

/// What was found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Characters of no width, or that are not shown.
    ZeroWidth,
    /// Characters that turn the direction of text round.
    Bidirectional,
    /// Control characters: sequences that move a cursor, or colour text until it cannot be seen.
    Control,
    /// Characters of the tag block and variation selectors beyond the first: text that no screen shows.
    Tags,
    /// It tells its reader to disregard what others said.
    Override,
    /// It tells its reader to keep something from the user.
    Secrecy,
    /// It is marked up as if it came from somebody else.
    Disguise,
    /// It asks for keys, credentials or files where those are kept.
    Credentials,
    /// It tells its reader to use this tool before, after or instead of others.
    Steering,
}

impl Finding {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Finding::ZeroWidth => "zero-width",
            Finding::Bidirectional => "bidirectional",
            Finding::Control => "control",
            Finding::Tags => "tags",
            Finding::Override => "override",
            Finding::Secrecy => "secrecy",
            Finding::Disguise => "disguise",
            Finding::Credentials => "credentials",
            Finding::Steering => "steering",
        }
    }
}

/// The patterns, each with what it finds.
const PATTERNS: [(&str, Finding); 9] = [
    (
        r"(?i)\b(ignore|disregard|forget|override)\b.{0,40}\b(previous|prior|above|earlier|other|all|system)\b.{0,30}\b(instruction|prompt|rule|message|direction)s?\b",
        Finding::Override,
    ),
    (
        r"(?i)\b(do not|don't|never|without)\b.{0,20}\b(tell|mention|inform|telling|informing|reveal|notify|notifying|show)\b.{0,30}\buser",
        Finding::Secrecy,
    ),
    (r"(?i)\b(keep|hide)\b.{0,30}\b(secret|hidden)?\b.{0,10}\bfrom the user", Finding::Secrecy),
    (r"(?i)</?\s*(important|system|secret|hidden|instructions?|admin)\s*>", Finding::Disguise),
    (r"(?i)(^|\n)\s*(system|assistant|user)\s*:|\[/?(INST|SYSTEM)\]|<\|[a-z_]+\|>", Finding::Disguise),
    (
        r"(?i)~/\.(ssh|aws|gnupg|kube|netrc|config/gcloud|docker)\b|\bid_(rsa|ed25519|ecdsa)\b|\.(cursor|claude)/mcp\.json",
        Finding::Credentials,
    ),
    (
        r"(?i)\b(read|send|include|pass|provide)\b.{0,60}\b(private key|api key|access token|password|credentials|environment variables)\b",
        Finding::Credentials,
    ),
    (
        r"(?i)\b(before|after) (using|calling|invoking|running) (this|any|any other|every) (other )?tools?\b.{0,60}\b(must|call|read|first|always)\b",
        Finding::Steering,
    ),
    (
        r"(?i)\b(always|must) (call|use|invoke|run) this tool\b.{0,40}\b(before|first|instead)\b",
        Finding::Steering,
    ),
];

/// Without Unicode: the words are English ones, and the tables would be most of what a first sight costs.
static SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    RegexSetBuilder::new(PATTERNS.iter().map(|(pattern, _)| *pattern)).unicode(false).build().ok()
});

/// What is found in the strings of a definition, once each, in order.
pub fn findings(definition: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut left = MAX_SCANNED;
    definition.strings(&mut |text| {
        let text = text.get(..text.floor_char_boundary(left.min(text.len()))).unwrap_or_default();
        left -= text.len();
        found.extend(text.chars().filter_map(hidden));
        if let Some(set) = text.contains(' ').then(|| SET.as_ref()).flatten() {
            found.extend(set.matches(text.as_bytes()).iter().filter_map(|n| Some(PATTERNS.get(n)?.1)));
        }
    });
    found.sort_unstable();
    found.dedup();
    found
}

/// What a character is that a reader does not see as itself.
fn hidden(c: char) -> Option<Finding> {
    match c {
        '\n' | '\t' | '\r' => None,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
            Some(Finding::Bidirectional)
        }
        '\u{e0000}'..='\u{e0fff}' | '\u{fe00}'..='\u{fe0e}' => Some(Finding::Tags),
        '\u{ad}'
        | '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}' => Some(Finding::ZeroWidth),
        c if c.is_control() => Some(Finding::Control),
        _ => None,
    }
}

/// Whether a value holds text that is more than a label: long, or with a finding in it.
pub(super) fn speaks(value: &Value) -> bool {
    let mut long = false;
    value.strings(&mut |text| {
        let sentence = text.split_whitespace().count() > 6;
        long |= text.chars().count() > LABEL || sentence || text.contains('\n');
    });
    long || !findings(value).is_empty()
}
