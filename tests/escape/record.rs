//! A line that the log must hold, and what every such line must say.
//!
//! A refusal names who asked (process and program), what they got (the errno of the step), which layer answered, and
//! either the exact line that would allow it or the reason why there is none.

use serde_json::Value;

use crate::pen::log;
use crate::reports::Reports;

/// A line that the log must hold. Values may have places in braces; see [`crate::scene::Scene::fill`].
#[derive(Debug, Clone)]
pub(crate) struct Record {
    event: &'static str,
    /// Field and what it must be; several values: any of them.
    fields: Vec<(&'static str, Vec<String>)>,
    denied: bool,
    /// Whether the process need not have named itself.
    any_process: bool,
}

/// Landlock refuses these by itself, and the broker says so first; everything else is the broker's own answer.
const LANDLOCK: &[&str] = &[
    "fs.read.not-granted",
    "fs.read.secret",
    "fs.write.not-granted",
    "fs.write.read-only",
    "fs.link.across",
    "exec.not-granted",
    "exec.shell",
];

impl Record {
    /// A refused `file.access`.
    pub(crate) fn file(access: &'static str, reason: &str, path: &str) -> Record {
        Record::new("file.access", true)
            .with("access", access)
            .with("reason", reason)
            .with("path", path)
            .with("evidence", "performed")
    }

    /// An allowed `file.access`.
    pub(crate) fn allowed(access: &'static str, path: &str) -> Record {
        Record::new("file.access", false)
            .with("access", access)
            .with("path", path)
            .with("verdict", "allow")
            .with("result", "ok")
    }

    /// A `syscall.denied`.
    pub(crate) fn syscall(name: &str, reason: &str) -> Record {
        Record::new("syscall.denied", true).with("syscall", name).with("reason", reason)
    }

    /// A refused `network.connect`.
    pub(crate) fn network(address: &str, port: &str) -> Record {
        Record::new("network.connect", true)
            .with("reason", "net.none")
            .with("address", address)
            .with("port", port)
    }

    /// A refused `socket.unix`.
    pub(crate) fn unix(path: &str) -> Record {
        Record::new("socket.unix", true).with("reason", "unix.not-listed").with("path", path)
    }

    /// An allowed `socket.unix`.
    pub(crate) fn allowed_socket(path: &str) -> Record {
        Record::new("socket.unix", false).with("path", path).with("verdict", "allow").with("result", "ok")
    }

    fn new(event: &'static str, denied: bool) -> Record {
        Record { event, fields: Vec::new(), denied, any_process: false }
    }

    /// Requires one more field, or another value for one.
    pub(crate) fn with(mut self, field: &'static str, value: &str) -> Record {
        self.fields.retain(|(name, _)| *name != field);
        self.fields.push((field, vec![value.to_owned()]));
        self
    }

    /// Takes a requirement back, where the value has a number of the run's in it.
    pub(crate) fn without(mut self, field: &'static str) -> Record {
        self.fields.retain(|(name, _)| *name != field);
        self
    }

    /// For a process that cannot name itself: it is refused before it exists, or says nothing.
    pub(crate) fn any_process(mut self) -> Record {
        self.any_process = true;
        self
    }

    /// Accepts another value for a field that is there.
    pub(crate) fn or(mut self, field: &'static str, value: &str) -> Record {
        for (name, values) in &mut self.fields {
            if *name == field {
                values.push(value.to_owned());
            }
        }
        self
    }

    /// Finds the line among `events`, or says what is wrong. `fill` fills in places; `errno` is what the step got.
    pub(crate) fn find(
        &self,
        fill: &dyn Fn(&str) -> String,
        errno: Option<&str>,
        events: &[Value],
        reports: &Reports,
        program: &str,
    ) -> Result<(), String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let wanted: Vec<(&str, Vec<String>)> = self
            .fields
            .iter()
            .map(|(name, values)| (*name, values.iter().map(|value| fill(value)).collect()))
            .collect();
        let fits = |event: &&Value| wanted.iter().all(|(name, values)| values.contains(&text(&event[name])));
        let mut wrong = format!("{} with {wanted:?}", self.event);
        for event in log::of(events, self.event).filter(fits) {
            match self.check(errno, event, reports, program) {
                Ok(()) => return Ok(()),
                Err(what) => wrong = format!("wrong {what}: {event}"),
            }
        }
        Err(wrong)
    }

    fn check(
        &self,
        errno: Option<&str>,
        event: &Value,
        reports: &Reports,
        program: &str,
    ) -> Result<(), String> {
        let check = |fine: bool, what: &str| if fine { Ok(()) } else { Err(what.to_owned()) };
        let pid = event["pid"].as_u64();
        check(pid.is_some_and(|pid| self.any_process || reports.pids.contains(&pid)), "pid")?;
        check(event["count"].as_u64() >= Some(1), "count")?;
        check(event["attribution"] == "none" && event["calls"] == Value::Array(Vec::new()), "attribution")?;
        check(event["exe"] == program, "exe")?;
        if !self.denied {
            return Ok(());
        }
        let (result, verdict) = match self.event {
            "syscall.denied" => (&event["errno"], true),
            _ => (&event["result"], event["verdict"] == "deny"),
        };
        check(verdict, "verdict")?;
        check(errno.is_none_or(|errno| result == errno), "errno")?;
        let landlock = event["reason"].as_str().is_some_and(|reason| LANDLOCK.contains(&reason));
        check(event["layer"] == if landlock { "landlock" } else { "broker" }, "layer")?;
        let remedy = event["remedy"].as_str().is_some_and(|text| !text.is_empty());
        let why_not = event["why_not"].as_str().is_some_and(|text| !text.is_empty());
        check(remedy != why_not, "remedy: one of it and of why_not must be there")
    }
}
