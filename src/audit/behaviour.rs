//! What a session did, as sets: which files, hosts, programs and tools, and what was refused; and what one session did
//! that another one did not.
//!
//! What differs from run to run without meaning anything is made equal: the session's own name in its folders, process
//! numbers in `/proc`, ports that the kernel chose.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use crate::audit::days::Files;
use crate::audit::query::filter::Filter;
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Match, Note};

/// Different things of one session that are kept; beyond it the comparison says that it is not complete.
const MOST: usize = 500_000;

/// What kind of thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A tool was called.
    Tools,
    /// A program was executed.
    Processes,
    /// A file was read, written, made, removed.
    Files,
    /// A host was looked up or connected to, a socket used.
    Hosts,
    /// Something was refused.
    Denials,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Deed {
    /// What kind.
    pub kind: Kind,
    /// How: `read`, `connect`, a reason.
    pub how: String,
    /// To what.
    pub what: String,
}

/// How often, and where it stands first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Times {
    /// How often.
    pub count: u64,
    /// The number of the first line.
    pub seq: u64,
}

/// What a session did.
#[derive(Debug)]
pub struct Behaviour {
    /// Everything, sorted.
    pub deeds: BTreeMap<Deed, Times>,
    /// Whether there was more than is kept.
    pub is_cut: bool,
    session: String,
}

impl Behaviour {
    /// Reads it.
    pub fn of(dir: &Path, files: &Files) -> io::Result<Behaviour> {
        let mut behaviour =
            Behaviour { deeds: BTreeMap::new(), is_cut: false, session: files.session.clone() };
        let _ = query::scan_session(dir, files, &Filter::default(), &mut behaviour)?;
        Ok(behaviour)
    }

    /// What this session did and `other` did not.
    pub fn beyond<'a>(&'a self, other: &Behaviour) -> Vec<(&'a Deed, &'a Times)> {
        self.deeds.iter().filter(|(deed, _)| !other.deeds.contains_key(deed)).collect()
    }

    fn add(&mut self, kind: Kind, how: &str, what: &str, record: &Record<'_>) {
        let deed = Deed { kind, how: how.to_owned(), what: self.made_equal(what) };
        let count = record.count.unwrap_or(1);
        if let Some(times) = self.deeds.get_mut(&deed) {
            times.count = times.count.saturating_add(count);
        } else if self.deeds.len() < MOST {
            self.deeds.insert(deed, Times { count, seq: record.seq });
        } else {
            self.is_cut = true;
        }
    }

    fn made_equal(&self, what: &str) -> String {
        let what = what.replace(&self.session, "${session}");
        match what.strip_prefix("/proc/").and_then(|rest| rest.split_once('/')) {
            Some((pid, rest)) if pid.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("/proc/${{pid}}/{rest}")
            }
            _ => match what.split_once(":[") {
                // `pipe:[4711]`: the number is nobody's.
                Some((kind @ ("pipe" | "socket"), _)) => format!("{kind}:[]"),
                _ => what,
            },
        }
    }
}

impl Answer for Behaviour {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let record = found.record()?;
        let target = target(&record);
        if record.is_denied() {
            let reason = record.reason.as_deref().unwrap_or("?");
            self.add(Kind::Denials, reason, &target, &record);
            return Ok(ControlFlow::Continue(()));
        }
        match &*record.event {
            "call.start" => self.add(Kind::Tools, "called", &target, &record),
            "process.start" => {
                self.add(Kind::Processes, "executed", record.exe.as_deref().unwrap_or("?"), &record);
            }
            "file.access" => self.add(Kind::Files, record.access.as_deref().unwrap_or("?"), &target, &record),
            "network.resolve" => self.add(Kind::Hosts, "resolved", &target, &record),
            "network.connect" => self.add(Kind::Hosts, "connected", &target, &record),
            "socket.unix" => self.add(Kind::Hosts, "unix", &target, &record),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Note) -> io::Result<()> {
        Ok(())
    }
}

fn target(record: &Record<'_>) -> String {
    let of = record.path.as_deref().or(record.tool.as_deref());
    let host = record.host.as_deref().or(record.address.as_deref());
    match (of, host, record.port) {
        (Some(of), _, _) => of.to_owned(),
        (None, Some(host), Some(port)) => format!("{host}:{port}"),
        (None, Some(host), None) => host.to_owned(),
        (None, None, _) => record.syscall.as_deref().or(record.method.as_deref()).unwrap_or("?").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{allowed, call_end, call_start, denied, session, settings};
    use crate::audit::session::find;

    #[test]
    fn what_is_new_is_told_and_what_only_has_another_name_is_not() {
        let root = tempfile::tempdir().unwrap();
        let behaviour = |events: &[&str], tool: &str, secret: bool| {
            let settings = settings(root.path());
            let mut all: Vec<_> =
                events.iter().map(|path| allowed(&path.replace('$', &settings.session))).collect();
            all.extend([call_start(1, tool), call_end(1, tool)]);
            all.extend(secret.then(|| denied("/home/me/.ssh/id")));
            session(&settings, &all);
            Behaviour::of(&settings.dir, &find(&settings.dir, &settings.session).unwrap()).unwrap()
        };
        let one = behaviour(&["/a", "/a", "/tmp/$/x", "/proc/71/maps", "pipe:[1]"], "read", false);
        let two = behaviour(&["/a", "/tmp/$/x", "/proc/72/maps", "pipe:[2]", "/b"], "write", true);
        let told = |list: Vec<(&Deed, &Times)>| -> Vec<String> {
            list.into_iter().map(|(deed, _)| format!("{:?} {} {}", deed.kind, deed.how, deed.what)).collect()
        };
        let new = ["Tools called write", "Files read /b", "Denials fs.read.not-granted /home/me/.ssh/id"];
        assert_eq!(told(two.beyond(&one)), new);
        assert_eq!(told(one.beyond(&two)), ["Tools called read"]);
        let a = Deed { kind: Kind::Files, how: "read".into(), what: "/a".into() };
        assert_eq!(one.deeds[&a].count, 2);
    }
}
