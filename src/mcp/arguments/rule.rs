//! The rules of one argument, compiled, and the judgement of one value by them.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::jsonrpc::{Kind, Node, Tree};
use crate::mcp::arguments::ground::{Folders, Ground};
use crate::mcp::arguments::{url, within};
use crate::mcp::refusal::Refusal;
use crate::policy::argument::{ArgumentPath, ArgumentRule, OutsidePaths, whole};
use crate::policy::grant::{Origin, Stated};
use crate::policy::reason::Reason;
use crate::policy::verdict::Remedy;

/// Bytes of one compiled pattern; what is larger was not meant.
const PATTERN_SIZE: usize = 1 << 20;

/// A rule that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {detail}")]
pub struct Error {
    /// Its line.
    pub origin: Origin,
    /// What is wrong with it.
    pub detail: String,
}

/// The rules of one argument.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) at: ArgumentPath,
    /// A path outside every grant is text here.
    pub(super) paths_are_text: bool,
    rule: ArgumentRule,
    within: Option<Folders>,
    pattern: Option<Regex>,
}

/// Why one value is refused: the reason, the rule, its line, and words that follow the argument's name.
struct Broken<'r> {
    reason: Reason,
    rule: &'static str,
    origin: &'r Origin,
    why: Cow<'static, str>,
}

impl Rule {
    pub(super) fn new(rule: &ArgumentRule, ground: &Ground) -> Result<Self, Error> {
        let within = rule.within.as_ref().map(|within| Folders::of(&within.value, &*ground.disk));
        let compile = |pattern: &Stated<String>| {
            let built = RegexBuilder::new(&whole(&pattern.value)).size_limit(PATTERN_SIZE).build();
            built.map_err(|error| Error { origin: pattern.origin.clone(), detail: error.to_string() })
        };
        let pattern = rule.pattern.as_ref().map(compile).transpose()?;
        Ok(Rule {
            at: rule.at.clone(),
            paths_are_text: rule
                .outside_paths
                .as_ref()
                .is_some_and(|paths| paths.value == OutsidePaths::Allow),
            rule: rule.clone(),
            within,
            pattern,
        })
    }

    /// Whether paths are judged here already, more strictly than by the default.
    pub(super) fn judges_paths(&self) -> bool {
        self.within.is_some()
    }

    /// Judges everything below `node`.
    pub(super) fn refuse(&self, tool: &str, tree: &Tree<'_>, node: Node, ground: &Ground) -> Option<Refusal> {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            let text = match tree.kind(node) {
                Kind::Null => continue,
                Kind::Array => {
                    open.extend(tree.elements(node));
                    continue;
                }
                Kind::Object => {
                    open.extend(tree.members(node).map(|(_, value)| value));
                    continue;
                }
                Kind::String => tree.string(node).unwrap_or_default(),
                Kind::Boolean | Kind::Number => Cow::Borrowed(tree.raw(node)),
            };
            if let Some(broken) = self.judge(&text, ground) {
                return Some(self.refusal(tool, &tree.pointer(node), &broken));
            }
        }
        None
    }

    fn judge(&self, text: &str, ground: &Ground) -> Option<Broken<'_>> {
        self.too_long(text)
            .or_else(|| self.prefixed(text))
            .or_else(|| self.not_one_of(text))
            .or_else(|| self.unmatched(text))
            .or_else(|| self.unlisted(text, ground))
            .or_else(|| self.elsewhere(text, ground))
            .or_else(|| self.extension(text))
    }

    fn too_long(&self, text: &str) -> Option<Broken<'_>> {
        let most = self.rule.max_length.as_ref()?;
        let length = text.chars().count();
        (length > most.value as usize).then(|| Broken {
            reason: Reason::ArgsTooLong,
            rule: "max_length",
            origin: &most.origin,
            why: format!("has {length} characters, and may have {}", most.value).into(),
        })
    }

    fn prefixed(&self, text: &str) -> Option<Broken<'_>> {
        let prefixes = self.rule.deny_prefix.as_ref()?;
        let trimmed = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
        let found = prefixes
            .value
            .iter()
            .find(|prefix| text.starts_with(prefix.as_str()) || trimmed.starts_with(prefix.as_str()))?;
        Some(Broken {
            reason: Reason::ArgsPrefix,
            rule: "deny_prefix",
            origin: &prefixes.origin,
            why: format!("begins with \"{found}\"").into(),
        })
    }

    fn not_one_of(&self, text: &str) -> Option<Broken<'_>> {
        let values = self.rule.one_of.as_ref()?;
        (!values.value.iter().any(|value| value == text)).then(|| Broken {
            reason: Reason::ArgsNotOneOf,
            rule: "one_of",
            origin: &values.origin,
            why: "is none of the values that there may be".into(),
        })
    }

    fn unmatched(&self, text: &str) -> Option<Broken<'_>> {
        let (pattern, stated) = (self.pattern.as_ref()?, self.rule.pattern.as_ref()?);
        (!pattern.is_match(text)).then(|| Broken {
            reason: Reason::ArgsPattern,
            rule: "pattern",
            origin: &stated.origin,
            why: "does not match the pattern as a whole".into(),
        })
    }

    fn unlisted(&self, text: &str, ground: &Ground) -> Option<Broken<'_>> {
        let hosts = self.rule.hosts.as_ref()?;
        let why = url::refuse(text, &hosts.value, &ground.network)?;
        Some(Broken { reason: Reason::ArgsHost, rule: "hosts", origin: &hosts.origin, why: why.into() })
    }

    fn elsewhere(&self, text: &str, ground: &Ground) -> Option<Broken<'_>> {
        let (folders, stated) = (self.within.as_ref()?, self.rule.within.as_ref()?);
        let why = within::refuse(text, folders, ground)?;
        Some(Broken {
            reason: Reason::ArgsPathOutside,
            rule: "within",
            origin: &stated.origin,
            why: why.into(),
        })
    }

    fn extension(&self, text: &str) -> Option<Broken<'_>> {
        let endings = self.rule.extensions.as_ref()?;
        let name = text.rsplit('/').next().unwrap_or_default();
        let ends = |ending: &String| {
            name.len() > ending.len() && name.ends_with(ending.as_str()) && !name.contains('\0')
        };
        (!endings.value.iter().any(ends)).then(|| Broken {
            reason: Reason::ArgsExtension,
            rule: "extensions",
            origin: &endings.origin,
            why: "has none of the endings that it may have".into(),
        })
    }

    fn refusal(&self, tool: &str, pointer: &str, broken: &Broken<'_>) -> Refusal {
        let Broken { reason, rule, origin, why } = broken;
        let argument = pointer.strip_prefix('/').unwrap_or(pointer);
        let name = format!("tools.rule.{}.argument.{}.{rule}", key(tool), key(&self.at.to_string()));
        Refusal::new(
            *reason,
            format!("the argument \"{argument}\" {why} ({rule}, {origin})"),
            Remedy::WhyNot(format!(
                "the profile has a rule for this argument; whoever owns it can change {name} ({origin})"
            )),
        )
    }
}

/// A name as a key of TOML: bare where it may be, else quoted.
pub(in crate::mcp) fn key(name: &str) -> Cow<'_, str> {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_bare) {
        return Cow::Borrowed(name);
    }
    // JSON's strings are TOML's, but for the one control character that JSON does not escape.
    Cow::Owned(serde_json::Value::from(name).to_string().replace('\u{7f}', "\\u007F"))
}
