//! `caponier ps`: sessions that run now.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::audit::condition::Condition;
use crate::audit::query::filter::Filter;
use crate::audit::query::{self, Answer, Match, Note};
use crate::audit::running::{Running, running};
use crate::cli::audit::{fail, finish, what};
use crate::cli::diagnostic;
use crate::cli::term::table::{Column, Table};
use crate::cli::term::{Style, Terminal};
use crate::policy::directories::Directories;

/// List the sessions that run now
#[derive(Debug, Args)]
pub struct PsArgs {
    /// One JSON object (docs/AUDIT.md)
    #[arg(long)]
    json: bool,
    /// The folder of the log [default: $XDG_STATE_HOME/caponier/audit]
    #[arg(long = "audit-dir", value_name = "DIR")]
    audit_dir: Option<PathBuf>,
}

/// What is known of one session so far.
#[derive(Debug, Default)]
struct Now {
    start: Map<String, Value>,
    calls: u64,
    in_flight: u64,
    denied: u64,
    degraded: bool,
}

impl Answer for Now {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let record = found.record()?;
        match &*record.event {
            "session.start" if self.start.is_empty() => self.start = serde_json::from_str(found.line)?,
            "call.start" => {
                self.calls += 1;
                self.in_flight += 1;
            }
            "call.end" => self.in_flight = self.in_flight.saturating_sub(1),
            _ if record.is_denied() => self.denied += record.count.unwrap_or(1),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Note) -> io::Result<()> {
        // A line that is being written now is torn for a moment.
        Ok(())
    }

    fn session(&mut self, condition: Condition) -> io::Result<()> {
        self.degraded = !condition.degraded.is_empty() || condition.lost > 0;
        Ok(())
    }
}

impl Now {
    fn of(dir: &Path, running: &Running) -> io::Result<Now> {
        let mut now = Now::default();
        let _ = query::scan_session(dir, &running.files, &Filter::default(), &mut now)?;
        Ok(now)
    }

    fn text(&self, field: &str) -> &str {
        self.start.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Microseconds since its start.
    fn since(&self) -> Option<u64> {
        let began: Timestamp = self.text("time").parse().ok()?;
        u64::try_from(Timestamp::now().duration_since(began).as_micros()).ok()
    }
}

/// Runs it; 1 when the log cannot be read. That there was no session yet is no error.
pub fn run(args: &PsArgs, directories: &Directories) -> ExitCode {
    let dir = args.audit_dir.clone().unwrap_or_else(|| directories.audit());
    let found = match running(&dir) {
        Ok(found) => found,
        Err(query::Error::Unreadable { source, .. })
            if source.kind() == io::ErrorKind::NotFound && args.audit_dir.is_none() =>
        {
            Vec::new()
        }
        Err(error) => return fail(&error, &dir),
    };
    let sessions: io::Result<Vec<(Running, Now)>> =
        found.into_iter().map(|running| Now::of(&dir, &running).map(|now| (running, now))).collect();
    let is_idle = matches!(&sessions, Ok(sessions) if sessions.is_empty());
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let written = sessions.and_then(|sessions| match args.json {
        true => as_json(&sessions, &mut out),
        false => as_table(&sessions, terminal, &mut out),
    });
    let written = written.and_then(|()| out.flush());
    drop(out);
    if is_idle && !args.json {
        diagnostic::note("no session runs");
    }
    finish(written, &dir)
}

fn as_json(sessions: &[(Running, Now)], out: &mut impl Write) -> io::Result<()> {
    let sessions: Vec<Value> = sessions
        .iter()
        .map(|(running, now)| {
            json!({
                "session": running.files.session,
                "server": now.text("server"),
                "pid": running.pid,
                "profile": now.text("profile"),
                "env": now.text("env"),
                "started": now.text("time"),
                "running_us": now.since(),
                "calls": now.calls,
                "in_flight": now.in_flight,
                "denied": now.denied,
                "degraded": now.degraded,
                "client": now.start.get("client"),
                "command": now.text("command"),
            })
        })
        .collect();
    serde_json::to_writer(&mut *out, &json!({"v": 1, "sessions": sessions}))?;
    out.write_all(b"\n")
}

const COLUMNS: &[Column] = &[
    Column::short("session"),
    Column::short("server"),
    Column::short("pid"),
    Column::short("profile"),
    Column::short("started"),
    Column::short("for"),
    Column::short("calls"),
    Column::short("denied"),
    Column::detail("client"),
    Column::detail("command"),
];

fn as_table(sessions: &[(Running, Now)], terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let zone = TimeZone::system();
    let mut table = Table::new(COLUMNS, terminal);
    for (running, now) in sessions {
        let pid = running.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
        let profile = format!("{} ({})", now.text("profile"), now.text("env"));
        let started = what::local(now.text("time"), &zone);
        let since = now.since().map(what::duration).unwrap_or_default();
        let (calls, denied) = (now.calls.to_string(), now.denied.to_string());
        let style = if now.degraded { Style::Yellow } else { Style::Plain };
        let cells = [
            &*running.files.session,
            now.text("server"),
            &*pid,
            &*profile,
            &*started,
            &*since,
            &*calls,
            &*denied,
            now.text("client"),
            now.text("command"),
        ];
        table.row(out, style, &cells)?;
    }
    table.finish(out)
}
