//! `caponier learn`: from recorded sessions to a proposed profile. The profile goes to stdout, or into a new file; what
//! there is to say about it goes to stderr. Nothing that exists is ever overwritten.
//!
//! Exit status: 0; 1 where there is nothing to learn from, or the file exists; 64 usage; 78 where the command of the
//! sessions cannot be found any more.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::audit::query::filter::Pattern;
use crate::cli::diagnostic::{self, Style, escape};
use crate::cli::run::profile_by_runtime;
use crate::cli::surroundings::Surroundings;
use crate::cli::{exit, profile::json};
use crate::learn::trace::{self, Begun, Trace};
use crate::learn::{self, Change, Error, Given, LeftOut, Proposal};
use crate::policy::Environment;
use crate::profile::{self, Flags, Resolved};

/// Propose a profile from what recorded sessions did
#[derive(Debug, Args)]
pub struct LearnArgs {
    /// One session, or the beginning of its name
    #[arg(long, value_name = "ID", required_unless_present = "server", conflicts_with = "server")]
    session: Option<String>,
    /// All sessions of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Write the profile into this new file, instead of to stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON: the profile, its grants, what is left out, what changes
    #[arg(long)]
    json: bool,
    /// The folder of the log [default: the audit folder of the state folder]
    #[arg(long, value_name = "DIR")]
    audit_dir: Option<PathBuf>,
}

/// What stops it, with its exit status.
struct Stopped {
    status: u8,
    message: String,
    help: Option<String>,
}

impl Stopped {
    fn new(message: impl Into<String>, help: &str) -> Self {
        Stopped { status: 1, message: message.into(), help: Some(help.into()) }
    }
}

/// Runs `caponier learn …`.
pub fn run(args: &LearnArgs, around: &Surroundings) -> ExitCode {
    match propose(args, around)
        .and_then(|(trace, proposal)| tell(args, &trace, &proposal, &around.directories.profiles()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(stopped) => {
            let style = Style::stderr();
            let mut text = format!("{}: {}\n", style.paint("error", 31), escape(&stopped.message));
            if let Some(help) = &stopped.help {
                let _ = writeln!(text, "{}: {}", style.paint("help", 36), escape(help));
            }
            diagnostic::tell(&text);
            ExitCode::from(stopped.status)
        }
    }
}

fn propose(args: &LearnArgs, around: &Surroundings) -> Result<(Trace, Proposal), Stopped> {
    let dir = args.audit_dir.clone().unwrap_or_else(|| around.directories.audit());
    // A name, not a pattern: what it has of a pattern's signs stands for itself.
    let server = args.server.as_deref().map(|name| Pattern::name(&globset::escape(name))).transpose();
    let server = server
        .map_err(|error| Stopped::new(error.to_string(), "give the server's name as the log has it"))?;
    let trace = trace::read(&dir, args.session.as_deref(), server).map_err(|error| {
        Stopped::new(error.to_string(), "no session was recorded there yet, or --audit-dir is another folder")
    })?;
    let first = trace.sessions.first().ok_or_else(|| {
        Stopped::new(
            Error::Nothing.to_string(),
            "caponier audit query --event session.start lists the sessions",
        )
    })?;
    if let Some(other) = trace.sessions.iter().find(|other| other.exe != first.exe) {
        let error = Error::Mixed { first: first.exe.clone(), other: other.exe.clone() };
        return Err(Stopped::new(
            error.to_string(),
            "caponier audit query --event session.start lists the sessions",
        ));
    }
    let proposal = against(&trace, first, around)?;
    Ok((trace, proposal))
}

/// Everything that the sessions are looked at with: their command, in their folder.
fn against(trace: &Trace, begun: &Begun, around: &Surroundings) -> Result<Proposal, Stopped> {
    let mut there = around.clone();
    there.cwd = PathBuf::from(&begun.cwd);
    let words: Vec<OsString> = begun.argv.iter().map(OsString::from).collect();
    let command = there.command(&words, None).map_err(|error| Stopped {
        status: exit::CONFIGURATION,
        message: format!("the command of the session cannot be found any more: {error}"),
        help: Some(error.help()),
    })?;
    if let Some(launcher) = command.launcher {
        let name = launcher.name();
        return Err(Stopped::new(
            format!("the session ran {name} itself: what {name} did cannot be told from what the server did"),
            "run it without --no-resolve (with --env dev --observe), and learn from that session",
        ));
    }
    let context = there.context(begun.workspace.as_deref().map(Path::new), Some(&command), None, None);
    let same = trace.sessions.iter().all(|other| other.argv == begun.argv);
    let current = recorded(begun, &context);
    let one = trace.sessions.iter().all(|other| other.workspace == begun.workspace);
    let workspace =
        begun.workspace.as_deref().filter(|_| one).and_then(|folder| fit_workspace(&there, folder));
    let surroundings = learn::Surroundings {
        context: &context,
        base: profile_by_runtime(&command),
        current: current.as_ref(),
        argv: same.then_some(words.as_slice()),
        workspace: workspace.as_deref(),
    };
    learn::propose(trace, &surroundings).map_err(|error| Stopped {
        status: 1,
        message: error.to_string(),
        help: None,
    })
}

/// The workspace, when a run in that folder would have it without being told.
fn fit_workspace(around: &Surroundings, folder: &str) -> Option<PathBuf> {
    let mut there = around.clone();
    there.cwd = PathBuf::from(folder);
    profile::workspace(&there.context(None, None, None, None)).ok()
}

/// The profile that the sessions ran under, as it is now.
fn recorded(begun: &Begun, context: &profile::context::Context) -> Option<Resolved> {
    let environment = if begun.env == "dev" { Environment::Dev } else { Environment::Prod };
    let own_file = begun.profile_file.as_ref().filter(|file| file.starts_with('/'));
    let profile = own_file.unwrap_or(&begun.profile).clone();
    let request = profile::Request { profile, environment, flags: Flags::default() };
    profile::resolve(&request, context).ok()
}

fn tell(args: &LearnArgs, trace: &Trace, proposal: &Proposal, profiles: &Path) -> Result<(), Stopped> {
    if args.json {
        #[derive(Serialize)]
        struct Report<'r> {
            sessions: Vec<&'r str>,
            profile: &'r str,
            grants: &'r [Given],
            left_out: &'r [LeftOut],
            changes: Option<&'r [Change]>,
            gaps: &'r [String],
        }
        let report = Report {
            sessions: trace.sessions.iter().map(|begun| begun.session.as_str()).collect(),
            profile: &proposal.text,
            grants: &proposal.grants,
            left_out: &proposal.left_out,
            changes: proposal.changes.as_deref(),
            gaps: &trace.gaps,
        };
        write(args, &proposal.text, profiles)?;
        return print(&json(&report));
    }
    write(args, &proposal.text, profiles)?;
    diagnostic::tell(&notes(args, trace, proposal, Style::stderr()));
    if args.output.is_none() { print(&proposal.text) } else { Ok(()) }
}

/// A new file, or none: `O_EXCL` follows no link either. The folder of the user's own profiles is made where it is meant
/// and not there yet.
fn write(args: &LearnArgs, text: &str, profiles: &Path) -> Result<(), Stopped> {
    let Some(path) = &args.output else { return Ok(()) };
    let made = match path.parent() {
        Some(parent) if parent == profiles => DirBuilder::new().recursive(true).mode(0o700).create(profiles),
        _ => Ok(()),
    };
    let created = made.and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path));
    created.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                "learn never overwrites: choose another name, and compare the two"
            }
            _ => "choose a folder that exists and can be written",
        };
        Stopped::new(format!("{}: {error}", path.display()), help)
    })
}

fn notes(args: &LearnArgs, trace: &Trace, proposal: &Proposal, style: Style) -> String {
    let mut text = String::new();
    for gap in &trace.gaps {
        let _ = writeln!(text, "{}: {}", style.paint("incomplete", 33), escape(gap));
    }
    for grant in &proposal.grants {
        let Some(because) = grant.because else { continue };
        let _ = writeln!(text, "{}: {}: {because}", style.paint("widened", 33), escape(&grant.shown()));
        for from in &grant.widened_from {
            let _ = writeln!(text, "  it stands for {}", escape(&from.to_string_lossy()));
        }
    }
    for left in &proposal.left_out {
        let _ = writeln!(
            text,
            "{}: {}\n  {}",
            style.paint("left out", 33),
            escape(&left.what),
            escape(&left.why)
        );
    }
    if let Some(changes) = &proposal.changes {
        let name = trace.sessions.first().map(|begun| begun.profile.as_str()).unwrap_or_default();
        let _ = writeln!(text, "against the profile \"{}\":", escape(name));
        if changes.is_empty() {
            text.push_str("  no difference\n");
        }
        for change in changes {
            let _ = match &change.line {
                None => writeln!(text, "  {} {} {}", style.paint("+", 32), change.key, escape(&change.path)),
                Some(line) => writeln!(
                    text,
                    "  {} {} {}  ({}: not needed)",
                    style.paint("-", 31),
                    change.key,
                    escape(&change.path),
                    escape(line)
                ),
            };
        }
    }
    if let Some(path) = &args.output {
        let _ = writeln!(
            text,
            "written to {}; read it, then: caponier run --profile {} -- …",
            escape(&path.to_string_lossy()),
            escape(&path.to_string_lossy())
        );
    }
    text
}

fn print(text: &str) -> Result<(), Stopped> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Stopped { status: 1, message: format!("cannot write the answer: {error}"), help: None })
        }
        _ => Ok(()),
    }
}
