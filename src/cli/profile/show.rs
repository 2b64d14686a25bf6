//! `profile show` for people: the resolved policy, each line with the file and line that it came from.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::cli::diagnostic::{Style, escape};
use crate::policy::grant::{Grant, Origin};
use crate::profile::{Resolved, tool_lines};

/// Where a line comes from that no file wrote.
const DEFAULT: &str = "default";

/// The whole report.
pub(super) fn text(resolved: &Resolved, style: Style) -> String {
    let policy = &resolved.policy;
    let mut report = Report { resolved, style, text: String::new() };
    report.identity();
    report.section("filesystem");
    report.grants("read", &policy.filesystem.read);
    report.grants("write", &policy.filesystem.write);
    report.plain("unprotected", &policy.filesystem.unprotected);
    report.section("process");
    report.grants("execute", &policy.process.execute);
    if !policy.process.execute_writable.is_empty() {
        // Wider than the column of the keys, on purpose: it is meant to be seen.
        report.grants("execute_writable", &policy.process.execute_writable);
    }
    let arguments = policy.process.arguments_as_paths.map_or_else(|| "none".to_owned(), |kind| word(&kind));
    report.scalar("process", "arguments_as_paths", &arguments);
    report.plain("env.pass", &policy.process.env.pass);
    report.plain("env.secret", &policy.process.env.secret);
    for (name, value) in &policy.process.env.set {
        report.scalar("process", &format!("env.set.{name}"), value);
    }
    report.scalar("process", "nested_seccomp", &policy.process.nested_seccomp.to_string());
    report.scalar("process", "home", &word(&policy.process.home));
    report.limits();
    report.network();
    report.tools();
    report.section("protocol");
    report.scalar("protocol", "max_message", &bytes(Some(policy.protocol.max_message)));
    report.scalar("protocol", "max_depth", &policy.protocol.max_depth.to_string());
    report.scalar("protocol", "stdout", &word(&policy.protocol.stdout));
    report.scalar("protocol", "unknown_fields", &word(&policy.protocol.unknown_fields));
    report.scalar("protocol", "pins", &word(&policy.pins));
    let asked = &policy.protocol.server_requests;
    report.scalar("protocol", "server_requests.roots", &word(&asked.roots));
    report.scalar("protocol", "server_requests.elicitation", &word(&asked.elicitation));
    report.scalar("protocol", "server_requests.sampling", &word(&asked.sampling));
    report.section("confirm");
    let channels: Vec<&str> = policy.confirm.channels.iter().map(|channel| channel.word()).collect();
    report.scalar("confirm", "channels", &channels.join(" "));
    report.scalar("confirm", "timeout", &time(Some(policy.confirm.timeout)));
    report.section("audit");
    report.scalar("audit", "arguments", &word(&policy.audit.arguments));
    report.scalar("audit", "stderr", &policy.audit.stderr.to_string());
    report.scalar("audit", "sync", &word(&policy.audit.sync));
    report.scalar("audit", "on_failure", &word(&policy.audit.on_failure));
    report.scalar("audit", "file_reads", &policy.audit.file_reads.to_string());
    report.section("require");
    report.scalar("require", "landlock_abi", &policy.require.landlock_abi.to_string());
    report.scalar("require", "kill_scope", &word(&policy.require.kill_scope));
    report.text
}

struct Report<'r> {
    resolved: &'r Resolved,
    style: Style,
    text: String,
}

impl Report<'_> {
    fn identity(&mut self) {
        let identity = &self.resolved.policy.profile;
        let name = escape(&identity.name);
        let _ = writeln!(self.text, "profile {} ({})", self.style.paint(&name, 36), identity.env.as_str());
        let _ = writeln!(self.text, "sha256  {}", identity.sha256);
        for file in self.resolved.files.iter().rev() {
            let _ = writeln!(self.text, "file    {}", escape(&file.file));
        }
        if let Some(found) = &self.resolved.repository {
            let how = if found.approved { "approved" } else { "it can only narrow" };
            let file = found.file.to_string_lossy();
            let _ = writeln!(self.text, "and     {} ({how}), sha256 {}", escape(&file), found.sha256);
        }
        if let Some(lock) = &self.resolved.lock {
            let _ = writeln!(self.text, "locked  {}", lock.locked);
            for change in &lock.changed {
                let _ = writeln!(self.text, "        since then {}", escape(change));
            }
        }
    }

    fn section(&mut self, name: &str) {
        let _ = writeln!(self.text, "\n{}", self.style.paint(&format!("[{name}]"), 34));
    }

    fn grants(&mut self, key: &str, grants: &[Grant]) {
        if grants.is_empty() {
            let _ = writeln!(self.text, "{key:8} nothing");
        }
        for grant in grants {
            let path = escape(&grant.path.to_string_lossy()).into_owned();
            let absent = grant.optional && grant.path.is_absolute() && !grant.path.exists();
            let optional = if absent { " (absent)" } else { "" };
            let reason =
                grant.reason.as_deref().map_or(String::new(), |reason| format!("  # {}", escape(reason)));
            let origin = place(grant.origin.line, &grant.origin.file);
            let origin = escape(&origin);
            let _ = writeln!(self.text, "{key:8} {:44} {origin}{reason}", path + optional);
        }
    }

    fn plain(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            let _ = writeln!(self.text, "{key} = {}", escape(&values.join(" ")));
        }
    }

    fn scalar(&mut self, section: &str, key: &str, value: &str) {
        let line = self.resolved.lines.get(&format!("{section}.{key}"));
        let origin = line.map_or_else(|| DEFAULT.to_owned(), |line| place(line.line, &line.file));
        let _ = writeln!(self.text, "{:53} {}", format!("{key} = {}", escape(value)), escape(&origin));
    }

    fn limits(&mut self) {
        let limits = self.resolved.policy.limits.clone();
        let number =
            |number: Option<u64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
        self.section("limits");
        self.scalar("limits", "memory", &bytes(limits.memory));
        self.scalar("limits", "processes", &number(limits.processes.map(u64::from)));
        self.scalar("limits", "open_files", &number(limits.open_files));
        self.scalar("limits", "file_size", &bytes(limits.file_size));
        self.scalar("limits", "cpu_time", &time(limits.cpu_time));
        self.scalar("limits", "wall_time", &time(limits.wall_time));
    }

    fn network(&mut self) {
        let network = &self.resolved.policy.network;
        self.section("network");
        if network.allow.is_empty() {
            let _ = writeln!(self.text, "{:8} nothing", "allow");
        }
        for grant in &network.allow {
            let private = if grant.private { " (private)" } else { "" };
            let host = format!("{}:{}{private}", grant.host, grant.port);
            self.entry("allow", &host, grant.reason.as_deref(), &grant.origin);
        }
        for (key, list) in [("local", &network.local), ("listen", &network.listen)] {
            for grant in list {
                let host = format!("{}:{}", grant.host, grant.port);
                self.entry(key, &host, grant.reason.as_deref(), &grant.origin);
            }
        }
        for grant in &network.unix {
            self.entry("unix", &grant.path.display().to_string(), grant.reason.as_deref(), &grant.origin);
        }
        self.scalar("network", "connections", &network.connections.to_string());
        let rate = network.rate.map_or_else(|| "none".to_owned(), |rate| rate.to_string());
        self.scalar("network", "rate", &rate);
        self.scalar("network", "idle_timeout", &time(network.idle_timeout));
    }

    fn entry(&mut self, key: &str, what: &str, reason: Option<&str>, origin: &Origin) {
        let reason = reason.map_or(String::new(), |reason| format!("  # {}", escape(reason)));
        let origin = place(origin.line, &origin.file);
        let _ = writeln!(self.text, "{key:8} {what:44} {}{reason}", escape(&origin));
    }

    fn tools(&mut self) {
        let tools = &self.resolved.policy.tools;
        self.section("tools");
        self.scalar("tools", "default", &word(&tools.default));
        for line in tool_lines::lines(tools) {
            let origin = place(line.origin.line, &line.origin.file);
            let text = format!("{} = {}", line.key, line.value);
            let _ = writeln!(self.text, "{:53} {}", escape(&text), escape(&origin));
        }
        for (word, patterns) in [("allow", &tools.allow), ("ask", &tools.ask), ("deny", &tools.deny)] {
            for pattern in patterns {
                let origin = place(pattern.origin.line, &pattern.origin.file);
                let origin = escape(&origin);
                let _ = writeln!(self.text, "{:53} {origin}", format!("{word} {}", escape(&pattern.glob)));
            }
        }
    }
}

fn place(line: u32, file: &str) -> String {
    if line == 0 { file.to_owned() } else { format!("{file}:{line}") }
}

/// A word of the format, as serde writes it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn bytes(amount: Option<u64>) -> String {
    let Some(amount) = amount else { return "none".into() };
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| amount >= *size && amount % size == 0) {
        Some((unit, size)) => format!("{}{unit}", amount / size),
        None => format!("{amount}B"),
    }
}

fn time(time: Option<Duration>) -> String {
    match time {
        None => "none".into(),
        Some(time) if time.subsec_millis() == 0 => format!("{}s", time.as_secs()),
        Some(time) => format!("{}ms", time.as_millis()),
    }
}
