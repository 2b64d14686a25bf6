//! `[tools]` of one file, as it was written: lists, caps, and the rules of single tools and arguments.
//!
//! The form of everything is checked here, a regular expression and a glob too: what the gate compiles has compiled
//! before. A tool's rule is for one exact name, and an argument's for the place that
//! [`ArgumentPath`](crate::policy::argument::ArgumentPath) reads from its key.

use std::collections::BTreeMap;
use std::time::Duration;

use globset::Glob;

use crate::policy::argument::{self, ArgumentPath, HostRule, OutsidePaths};
use crate::policy::grant::Origin;
use crate::policy::tools::{OnMismatch, Rate, ToolDefault, UnknownFields};
use crate::profile::entry::{self, Entry};
use crate::profile::problem::Problem;
use crate::profile::tree::{Maybe, Node, Sourced, Table};

/// `[tools]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ToolKeys {
    pub default: Maybe<ToolDefault>,
    pub allow: Vec<Sourced<String>>,
    pub ask: Vec<Sourced<String>>,
    pub deny: Vec<Sourced<String>>,
    pub caps: CapKeys,
    pub outside_paths: Maybe<OutsidePaths>,
    pub mismatch: Maybe<OnMismatch>,
    pub rule: BTreeMap<String, RuleKeys>,
}

/// `calls`, `concurrent`, `timeout`, `result_size`; `Some(None)` is a written `"none"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CapKeys {
    pub calls: Maybe<Option<Rate>>,
    pub concurrent: Maybe<Option<u32>>,
    pub timeout: Maybe<Option<Duration>>,
    pub result_size: Maybe<Option<u64>>,
}

/// `tools.rule.NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RuleKeys {
    pub caps: CapKeys,
    pub outside_paths: Maybe<OutsidePaths>,
    pub unknown_fields: Maybe<UnknownFields>,
    pub argument: BTreeMap<ArgumentPath, ArgumentKeys>,
}

/// A list that may be absent, its items, and the place of its key's value.
pub(super) type MaybeList<T> = Maybe<Vec<T>>;

/// `tools.rule.NAME.argument.NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ArgumentKeys {
    pub within: MaybeList<Entry>,
    pub extensions: MaybeList<String>,
    pub deny_prefix: MaybeList<String>,
    pub one_of: MaybeList<String>,
    pub hosts: MaybeList<HostRule>,
    pub pattern: Maybe<String>,
    pub max_length: Maybe<u32>,
    pub outside_paths: Maybe<OutsidePaths>,
}

/// Reads `[tools]`.
pub(super) fn read(mut table: Table<'_>) -> ToolKeys {
    let default = table.choice(
        "default",
        &[("allow", ToolDefault::Allow), ("ask", ToolDefault::Ask), ("deny", ToolDefault::Deny)],
    );
    let allow = globs(&mut table, "allow");
    let ask = globs(&mut table, "ask");
    let deny = globs(&mut table, "deny");
    let caps = caps(&mut table);
    let outside_paths = outside_paths(&mut table);
    let mismatch = table.choice("mismatch", &[("log", OnMismatch::Log), ("deny-next", OnMismatch::DenyNext)]);
    let mut rule = BTreeMap::new();
    if let Some(rules) = table.table("rule") {
        for (tool, node) in rules.entries() {
            if let Some(found) = rules.as_table(&tool.value, node) {
                rule.insert(tool.value, tool_rule(found));
            }
        }
    }
    table.finish();
    ToolKeys { default, allow, ask, deny, caps, outside_paths, mismatch, rule }
}

/// Globs on tool names.
fn globs(table: &mut Table<'_>, key: &'static str) -> Vec<Sourced<String>> {
    let found = table.strings(key);
    for glob in &found {
        if let Err(error) = Glob::new(&glob.value) {
            let message = format!("`{}` is no pattern: {}", glob.value.escape_debug(), error.kind());
            table.reading().report(Problem::new(glob.origin.clone(), message));
        }
    }
    found
}

fn caps(table: &mut Table<'_>) -> CapKeys {
    CapKeys {
        calls: table.rate_or_none("calls"),
        concurrent: table.integer_or_none("concurrent", 1),
        timeout: table.duration_or_none("timeout"),
        result_size: table.bytes_or_none("result_size"),
    }
}

fn outside_paths(table: &mut Table<'_>) -> Maybe<OutsidePaths> {
    table.choice("outside_paths", &[("refuse", OutsidePaths::Refuse), ("allow", OutsidePaths::Allow)])
}

/// Of one tool, and of `[protocol]` for all.
pub(super) fn unknown_fields(table: &mut Table<'_>) -> Maybe<UnknownFields> {
    table.choice("unknown_fields", &[("reject", UnknownFields::Reject), ("allow", UnknownFields::Allow)])
}

fn tool_rule(mut rule: Table<'_>) -> RuleKeys {
    let caps = caps(&mut rule);
    let outside_paths = outside_paths(&mut rule);
    let unknown_fields = unknown_fields(&mut rule);
    let mut argument = BTreeMap::new();
    if let Some(arguments) = rule.table("argument") {
        for (name, node) in arguments.entries() {
            match ArgumentPath::parse(&name.value) {
                Ok(at) => {
                    let keys = arguments.as_table(&name.value, node).map(argument_rule);
                    argument.extend(keys.map(|keys| (at, keys)));
                }
                Err(error) => {
                    let message = format!("`{}` names no argument: {error}", arguments.dotted(&name.value));
                    let help =
                        "write the argument's name, `name[]` for each element, `name.member` for a member";
                    arguments.reading().report(Problem::new(name.origin, message).help(help));
                }
            }
        }
    }
    rule.finish();
    RuleKeys { caps, outside_paths, unknown_fields, argument }
}

fn argument_rule(mut argument: Table<'_>) -> ArgumentKeys {
    let keys = ArgumentKeys {
        within: within(&mut argument),
        extensions: strings(&mut argument, "extensions"),
        deny_prefix: strings(&mut argument, "deny_prefix"),
        one_of: strings(&mut argument, "one_of"),
        hosts: hosts(&mut argument),
        pattern: argument.string("pattern"),
        max_length: argument.integer("max_length", 0),
        outside_paths: outside_paths(&mut argument),
    };
    check(&argument, &keys);
    argument.finish();
    keys
}

/// The pattern as the gate reads it: of the whole value.
fn whole(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::Regex::new(&argument::whole(pattern))
}

/// What a list or a pattern could not mean.
fn check(argument: &Table<'_>, keys: &ArgumentKeys) {
    let report = |key: &str, found: &str, origin: &Origin, why: &str| {
        let message = format!("`{}`: \"{}\" {why}", argument.dotted(key), found.escape_debug());
        argument.reading().report(Problem::new(origin.clone(), message));
    };
    if let Some(list) = &keys.extensions {
        for ending in list.value.iter().filter(|ending| !ending.starts_with('.') || ending.contains('/')) {
            report("extensions", ending, &list.origin, "is no ending like \".md\"");
        }
    }
    if let Some(list) = &keys.deny_prefix {
        for prefix in list.value.iter().filter(|prefix| prefix.is_empty()) {
            report("deny_prefix", prefix, &list.origin, "is how every text begins");
        }
    }
    if let Some(pattern) = &keys.pattern
        && let Err(error) = regex::Regex::new(&pattern.value).and_then(|_| whole(&pattern.value))
    {
        let error = error.to_string();
        let why = format!("is no pattern: {}", error.lines().last().unwrap_or_default());
        report("pattern", &pattern.value, &pattern.origin, &why);
    }
}

/// A list of folders, each a string or a table as in `filesystem.read`.
fn within(argument: &mut Table<'_>) -> MaybeList<Entry> {
    let node = argument.get("within")?;
    let items = argument.as_list("within", node);
    let value = items.into_iter().filter_map(|item| entry::read(argument, "within", item)).collect();
    Some(sourced(argument, node, value))
}

/// A list of hosts.
fn hosts(argument: &mut Table<'_>) -> MaybeList<HostRule> {
    let node = argument.get("hosts")?;
    let items = argument.as_list("hosts", node);
    let texts = items.into_iter().filter_map(|item| argument.as_string("hosts", item));
    let read = |text: Sourced<String>| match HostRule::parse(&text.value) {
        Ok(host) => Some(host),
        Err(error) => {
            let message =
                format!("`{}`: \"{}\" {error}", argument.dotted("hosts"), text.value.escape_debug());
            argument.reading().report(Problem::new(text.origin, message));
            None
        }
    };
    let value = texts.filter_map(read).collect();
    Some(sourced(argument, node, value))
}

fn strings(argument: &mut Table<'_>, key: &'static str) -> MaybeList<String> {
    let node = argument.get(key)?;
    let items = argument.as_list(key, node);
    let texts = items.into_iter().filter_map(|item| argument.as_string(key, item));
    let value = texts.map(|text| text.value).collect();
    Some(sourced(argument, node, value))
}

fn sourced<T>(table: &Table<'_>, node: Node<'_>, value: T) -> Sourced<T> {
    Sourced { value, origin: table.reading().origin(&node.span()) }
}
