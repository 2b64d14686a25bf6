//! A proposal as a file.
//!
//! Paths are written with the variable that they follow from: an argument of the command, the workspace, the home. Every
//! string goes through one TOML encoder.

use std::collections::BTreeSet;
use std::path::Path;

use crate::audit::count::counted;
use crate::learn::Surroundings;
use crate::learn::grants::Given;
use crate::learn::trace::Trace;
use crate::policy::grant::Access;
use crate::policy::profile_line::quoted;
use crate::policy::sensitive::is_sensitive_name;
use crate::policy::{EnvironmentRules, Home};
use crate::profile::Resolved;

/// A file, and which grant stands on which line.
pub(super) struct Rendered {
    pub text: String,
    lines: Vec<(u32, usize)>,
}

impl Rendered {
    /// The grant on a line.
    pub(super) fn grant_at(&self, line: u32) -> Option<usize> {
        self.lines.iter().find(|(at, _)| *at == line).map(|(_, grant)| *grant)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn next(&self) -> u32 {
        u32::try_from(self.text.lines().count() + 1).unwrap_or(u32::MAX)
    }
}

pub(super) fn render(trace: &Trace, around: &Surroundings<'_>, base: &Resolved, given: &[Given]) -> Rendered {
    let mut out = Rendered { text: String::new(), lines: Vec::new() };
    header(&mut out, trace, around);
    let of = |access| given.iter().enumerate().filter(move |(_, grant)| grant.access == access);
    if of(Access::Read).chain(of(Access::Write)).next().is_some() {
        out.line("\n[filesystem]");
        list(&mut out, "read", of(Access::Read), around);
        list(&mut out, "write", of(Access::Write), around);
    }
    let environment = around.current.map(|current| carried(current, base)).unwrap_or_default();
    let home = around.current.is_some_and(|current| current.policy.process.home == Home::Private);
    let executes = of(Access::Execute).next().is_some();
    if executes || home || !environment.is_empty() {
        out.line("\n[process]");
        list(&mut out, "execute", of(Access::Execute), around);
        if home {
            out.line("home = \"private\"");
        }
        for line in environment {
            out.line(&line);
        }
    }
    removed(&mut out, trace);
    hosts(&mut out, trace);
    out
}

fn header(out: &mut Rendered, trace: &Trace, around: &Surroundings<'_>) {
    let server = trace.sessions.first().map(|begun| begun.server.as_str()).unwrap_or_default();
    let observed = trace.sessions.iter().filter(|begun| begun.observe).count();
    let count = counted(trace.sessions.len(), "session");
    out.line("version = 1");
    out.line(&format!(
        "description = {}",
        quoted(&format!("Learned from {count} of {server}, {observed} of them observed"))
    ));
    out.line(&format!("extends = [{}]", quoted(around.base)));
}

fn list<'g>(
    out: &mut Rendered,
    key: &str,
    grants: impl Iterator<Item = (usize, &'g Given)>,
    around: &Surroundings<'_>,
) {
    let grants: Vec<_> = grants.collect();
    if grants.is_empty() {
        return;
    }
    out.line(&format!("{key} = ["));
    for (index, grant) in grants {
        let line = out.next();
        out.lines.push((line, index));
        out.line(&format!(
            "  {{ path = {}, reason = {} }},",
            quoted(&written(&grant.path, around)),
            quoted(&grant.reason)
        ));
    }
    out.line("]");
}

/// The path with the variable that it follows from.
fn written(path: &Path, around: &Surroundings<'_>) -> String {
    let below = |root: &Path, name: &str| -> Option<String> {
        let rest = path.strip_prefix(root.canonicalize().ok()?).ok()?;
        let rest = rest.to_string_lossy();
        Some(if rest.is_empty() { name.to_owned() } else { format!("{name}/{rest}") })
    };
    let arguments = crate::profile::server_arguments(around.context);
    let argument = around.argv.and_then(|_| {
        arguments.iter().enumerate().find_map(|(index, word)| {
            let word = Path::new(word);
            word.is_absolute().then(|| below(word, &format!("${{server.args[{index}]}}"))).flatten()
        })
    });
    argument
        .or_else(|| below(around.workspace?, "${workspace}"))
        .or_else(|| below(&around.context.home, "~"))
        .unwrap_or_else(|| path.to_string_lossy().into_owned())
}

/// What the profile of the sessions says of the environment, beyond the base: the server ran with it.
fn carried(current: &Resolved, base: &Resolved) -> Vec<String> {
    let (now, known): (&EnvironmentRules, &EnvironmentRules) =
        (&current.policy.process.env, &base.policy.process.env);
    let names = |now: &[String], known: &[String]| -> Vec<String> {
        now.iter().filter(|name| !known.contains(name)).map(|name| quoted(name)).collect()
    };
    let mut lines = Vec::new();
    for (key, names) in
        [("pass", names(&now.pass, &known.pass)), ("secret", names(&now.secret, &known.secret))]
    {
        if !names.is_empty() {
            lines.push(format!("env.{key} = [{}]", names.join(", ")));
        }
    }
    let set: Vec<String> = now
        .set
        .iter()
        .filter(|(name, value)| known.set.get(*name) != Some(value))
        .map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)))
        .collect();
    if !set.is_empty() {
        lines.push(format!("env.set = {{ {} }}", set.join(", ")));
    }
    lines
}

/// Variables that look like credentials and were not passed on: only their names are known.
fn removed(out: &mut Rendered, trace: &Trace) {
    let names: BTreeSet<&str> = trace
        .sessions
        .iter()
        .flat_map(|begun| &begun.env_removed)
        .map(String::as_str)
        .filter(|name| is_sensitive_name(name))
        .collect();
    if names.is_empty() {
        return;
    }
    let names: Vec<String> = names.into_iter().map(comment).collect();
    out.line(&format!(
        "\n# Not passed on to the server: {}. One that it needs goes to process.env.secret.",
        names.join(", ")
    ));
}

fn hosts(out: &mut Rendered, trace: &Trace) {
    if trace.hosts.is_empty() {
        return;
    }
    out.line("\n[network]");
    let hosts: Vec<String> =
        trace.hosts.keys().map(|(host, port)| quoted(&format!("{host}:{port}"))).collect();
    out.line(&format!("allow = [{}]", hosts.join(", ")));
}

/// Text that cannot leave its comment.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
