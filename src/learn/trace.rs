//! What recorded sessions did, folded: which path in which way, how often, for which tools.
//!
//! A log is read as it stands; what cannot be read is counted and told, so that a proposal never looks more complete
//! than its log.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Deserialize;

use crate::audit::condition::Condition;
use crate::audit::query::filter::{Filter, Pattern};
use crate::audit::query::{self, Answer, Match, Note};

/// Most distinct things of one trace: a server that opens a million files teaches nothing with the last of them.
const MOST: usize = 200_000;

/// A way to touch a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// A file was read.
    Read,
    /// A folder was listed or watched.
    List,
    /// A file that is there was written, cut, or its metadata changed.
    Write,
    /// A name came, went or moved: the folder changed.
    Change,
}

/// How often, and for which tools (`None`: between calls).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// All together.
    pub count: u64,
    /// By tool.
    pub tools: BTreeMap<String, u64>,
}

impl Uses {
    fn add(&mut self, count: u64, tools: &BTreeSet<String>) {
        self.count = self.count.saturating_add(count);
        for tool in tools {
            let of_tool = self.tools.entry(tool.clone()).or_default();
            *of_tool = of_tool.saturating_add(count);
        }
    }

    /// Both.
    pub fn join(&mut self, other: &Uses) {
        self.count = self.count.saturating_add(other.count);
        for (tool, count) in &other.tools {
            let of_tool = self.tools.entry(tool.clone()).or_default();
            *of_tool = of_tool.saturating_add(*count);
        }
    }
}

/// How one session began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its name.
    pub session: String,
    /// The server's name.
    pub server: String,
    /// The words of the command.
    pub argv: Vec<String>,
    /// The program.
    pub exe: String,
    /// Where it ran.
    pub cwd: String,
    /// The profile.
    pub profile: String,
    /// Its file, when it is no shipped one.
    pub profile_file: Option<String>,
    /// `dev` or `prod`.
    pub env: String,
    /// `${workspace}`.
    pub workspace: Option<String>,
    /// Whether it ran under `--observe`.
    pub observe: bool,
    /// Variables that were not passed on.
    pub env_removed: Vec<String>,
}

/// What sessions did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// The sessions, in order.
    pub sessions: Vec<Begun>,
    /// Paths that were touched.
    pub paths: BTreeMap<(String, Way), Uses>,
    /// Names that came into being in a session: a grant cannot rest on them.
    pub created: BTreeSet<String>,
    /// Programs that were executed.
    pub programs: BTreeMap<String, Uses>,
    /// Hosts that were reached: name and port.
    pub hosts: BTreeMap<(String, u16), Uses>,
    /// What was refused: reason and target.
    pub refused: BTreeMap<(String, String), u64>,
    /// What of the log could not be read, and what it says it lost.
    pub gaps: Vec<String>,
}

/// Reads the sessions of one server, or one session.
///
/// # Errors
/// The folder of the log cannot be read.
pub fn read(dir: &Path, session: Option<&str>, server: Option<Pattern>) -> Result<Trace, query::Error> {
    let filter = Filter { session: session.map(str::to_owned), server, ..Filter::default() };
    let mut reading = Reading { filter: &filter, trace: Trace::default(), calls: HashMap::new() };
    query::scan(dir, &filter, &mut reading)?;
    Ok(reading.trace)
}

struct Reading<'f> {
    filter: &'f Filter,
    trace: Trace,
    /// Tools by session and call.
    calls: HashMap<(String, u64), String>,
}

/// The fields of the events that teach something (docs/AUDIT.md).
#[derive(Deserialize)]
struct Line {
    session: String,
    server: String,
    event: String,
    path: Option<String>,
    access: Option<String>,
    verdict: Option<String>,
    reason: Option<String>,
    result: Option<String>,
    exe: Option<String>,
    #[serde(default)]
    calls: serde_json::Value,
    call: Option<u64>,
    tool: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    address: Option<String>,
    syscall: Option<String>,
    method: Option<String>,
    count: Option<u64>,
    argv: Option<Vec<String>>,
    cwd: Option<String>,
    profile: Option<String>,
    profile_file: Option<String>,
    env: Option<String>,
    workspace: Option<String>,
    observe: Option<bool>,
    env_removed: Option<Vec<String>>,
}

impl Answer for Reading<'_> {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        match serde_json::from_str::<Line>(found.line) {
            Ok(line) => self.line(line),
            Err(error) => self.trace.gaps.push(format!("a line that is no event: {error}")),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn session(&mut self, condition: Condition) -> io::Result<()> {
        // A scan looks at the sessions of other servers too.
        if self.filter.takes_server(&condition.server) && !condition.is_whole() {
            let told = condition.notices();
            self.trace.gaps.extend(told.into_iter().map(|notice| format!("{}: {notice}", condition.session)));
        }
        Ok(())
    }

    fn note(&mut self, note: Note) -> io::Result<()> {
        self.trace.gaps.push(format!("{}: {}", note.file, note.detail));
        Ok(())
    }
}

impl Reading<'_> {
    fn line(&mut self, line: Line) {
        match line.event.as_str() {
            "session.start" => self.begun(line),
            "call.start" => {
                if let (Some(call), Some(tool)) = (line.call, line.tool) {
                    self.calls.insert((line.session, call), tool);
                }
            }
            _ if is_denied(&line) => self.refused(line),
            "file.access" => self.access(line),
            "process.start" => {
                let tools = self.tools(&line);
                if let Some(exe) = line.exe {
                    touch(&mut self.trace.programs, exe, 1, &tools);
                }
            }
            "network.connect" => {
                let tools = self.tools(&line);
                if let (Some(host), Some(port)) = (line.host.or(line.address), line.port) {
                    touch(&mut self.trace.hosts, (host, port), line.count.unwrap_or(1), &tools);
                }
            }
            _ => {}
        }
    }

    fn begun(&mut self, line: Line) {
        self.trace.sessions.push(Begun {
            session: line.session,
            server: line.server,
            argv: line.argv.unwrap_or_default(),
            exe: line.exe.unwrap_or_default(),
            cwd: line.cwd.unwrap_or_default(),
            profile: line.profile.unwrap_or_default(),
            profile_file: line.profile_file,
            env: line.env.unwrap_or_default(),
            workspace: line.workspace,
            observe: line.observe.unwrap_or_default(),
            env_removed: line.env_removed.unwrap_or_default(),
        });
    }

    fn access(&mut self, line: Line) {
        // What was missing needs no grant: the kernel says so before any rule is asked.
        if line.result.as_deref() != Some("ok") {
            return;
        }
        let tools = self.tools(&line);
        let (Some(path), Some(access)) = (line.path, line.access) else { return };
        let way = match access.as_str() {
            "read" => Way::Read,
            "list" => Way::List,
            "write" | "truncate" | "metadata" => Way::Write,
            "create" | "delete" | "rename" | "link" => Way::Change,
            _ => return,
        };
        if access == "create" && self.trace.created.len() < MOST {
            self.trace.created.insert(path.clone());
        }
        touch(&mut self.trace.paths, (path, way), line.count.unwrap_or(1), &tools);
    }

    fn refused(&mut self, line: Line) {
        let what = line.path.or(line.host).or(line.tool).or(line.syscall).or(line.method).or(line.address);
        let key = (line.reason.unwrap_or_default(), what.unwrap_or_default());
        if self.trace.refused.len() < MOST || self.trace.refused.contains_key(&key) {
            *self.trace.refused.entry(key).or_default() += line.count.unwrap_or(1);
        }
    }

    fn tools(&self, line: &Line) -> BTreeSet<String> {
        let calls = line.calls.as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64);
        calls.filter_map(|call| self.calls.get(&(line.session.clone(), call)).cloned()).collect()
    }
}

fn is_denied(line: &Line) -> bool {
    line.verdict.as_deref() == Some("deny")
        || matches!(line.event.as_str(), "syscall.denied" | "message.denied")
}

fn touch<K: Ord>(all: &mut BTreeMap<K, Uses>, key: K, count: u64, tools: &BTreeSet<String>) {
    if all.len() < MOST || all.contains_key(&key) {
        all.entry(key).or_default().add(count, tools);
    }
}
