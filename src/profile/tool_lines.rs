//! The caps and rules of `[tools]`, one line for each value, as `profile show` and `profile why --tool` tell them.

use std::fmt::Display;

use crate::policy::argument::{ArgumentRule, OutsidePaths};
use crate::policy::grant::{Origin, Stated};
use crate::policy::profile_line::quoted;
use crate::policy::tools::{Caps, OnMismatch, Tools, UnknownFields};

/// One value that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolLine {
    /// The tool; `None` for what holds for all.
    pub tool: Option<String>,
    /// The key below `tools`: `timeout`, `rule.read_file.argument.path.within`.
    pub key: String,
    /// The value, as TOML writes it.
    pub value: String,
    /// The line.
    pub origin: Origin,
}

/// Every value, those of the whole server first.
pub fn lines(tools: &Tools) -> Vec<ToolLine> {
    let mut lines = Lines { tool: None, prefix: String::new(), lines: Vec::new() };
    lines.caps(&tools.all);
    lines.outside(tools.outside_paths.as_ref());
    lines.mismatch(tools.mismatch.as_ref());
    for (name, rule) in &tools.rule {
        lines.tool = Some(name.clone());
        lines.prefix = format!("rule.{}.", key(name));
        lines.caps(&rule.caps);
        lines.outside(rule.outside_paths.as_ref());
        lines.unknown_fields(rule.unknown_fields.as_ref());
        for (argument, rule) in &rule.argument {
            lines.prefix = format!("rule.{}.argument.{}.", key(name), key(argument));
            lines.argument(rule);
        }
    }
    lines.lines
}

struct Lines {
    tool: Option<String>,
    prefix: String,
    lines: Vec<ToolLine>,
}

impl Lines {
    fn add<T>(&mut self, name: &str, stated: Option<&Stated<T>>, value: impl Fn(&T) -> String) {
        self.lines.extend(stated.map(|stated| ToolLine {
            tool: self.tool.clone(),
            key: format!("{}{name}", self.prefix),
            value: value(&stated.value),
            origin: stated.origin.clone(),
        }));
    }

    fn caps(&mut self, caps: &Caps) {
        self.add("calls", caps.calls.as_ref(), |rate| {
            or_none(rate.as_ref().map(|rate| quoted(&rate.to_string())))
        });
        self.add("concurrent", caps.concurrent.as_ref(), |number| or_none(number.map(|n| n.to_string())));
        self.add("timeout", caps.timeout.as_ref(), |time| {
            or_none(time.map(|time| match time.subsec_millis() {
                0 => quoted(&format!("{}s", time.as_secs())),
                _ => quoted(&format!("{}ms", time.as_millis())),
            }))
        });
        self.add("result_size", caps.result_size.as_ref(), |bytes| {
            or_none(bytes.map(|bytes| quoted(&format!("{bytes}B"))))
        });
    }

    fn outside(&mut self, outside: Option<&Stated<OutsidePaths>>) {
        self.add("outside_paths", outside, |paths| {
            quoted(match paths {
                OutsidePaths::Refuse => "refuse",
                OutsidePaths::Allow => "allow",
            })
        });
    }

    fn mismatch(&mut self, mismatch: Option<&Stated<OnMismatch>>) {
        self.add("mismatch", mismatch, |mismatch| {
            quoted(match mismatch {
                OnMismatch::Log => "log",
                OnMismatch::DenyNext => "deny-next",
            })
        });
    }

    fn unknown_fields(&mut self, fields: Option<&Stated<UnknownFields>>) {
        self.add("unknown_fields", fields, |fields| {
            quoted(match fields {
                UnknownFields::Reject => "reject",
                UnknownFields::Allow => "allow",
            })
        });
    }

    fn argument(&mut self, rule: &ArgumentRule) {
        self.add("within", rule.within.as_ref(), |paths| list(paths.iter().map(|path| path.display())));
        self.add("extensions", rule.extensions.as_ref(), |items| list(items));
        self.add("deny_prefix", rule.deny_prefix.as_ref(), |items| list(items));
        self.add("one_of", rule.one_of.as_ref(), |items| list(items));
        self.add("hosts", rule.hosts.as_ref(), |items| list(items));
        self.add("pattern", rule.pattern.as_ref(), |pattern| quoted(pattern));
        self.add("max_length", rule.max_length.as_ref(), u32::to_string);
        self.outside(rule.outside_paths.as_ref());
    }
}

fn or_none(value: Option<String>) -> String {
    value.unwrap_or_else(|| "\"none\"".into())
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| quoted(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

/// A name as a key of TOML.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}
