//! `caponier server stage`, `promote`, `rollback`: a new version beside the one in use, looked at, and switched to.
//!
//! The switch is one `rename(2)` of the server's record. What follows it (pins) can be done again: until then the gate
//! holds back what changed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::audit::count::counted;
use crate::cli::diagnostic::{self, escape, written};
use crate::cli::run::refused;
use crate::cli::server::change::changed;
use crate::cli::server::managed::with_around;
use crate::cli::server::probe::{self, As};
use crate::cli::server::{fail, report, store};
use crate::cli::surroundings::Surroundings;
use crate::cli::term::Terminal;
use crate::mcp::pins::known::Known;
use crate::mcp::pins::{Change, Pins, compare};
use crate::policy::directories::Directories;
use crate::store::install;
use crate::store::package::{self, Wanted, Wish};
use crate::store::record::Record;
use crate::store::server::{self, Server};
use crate::store::staged::Report;

/// Install another version beside the one in use, and probe both
#[derive(Debug, Args)]
pub(super) struct StageArgs {
    /// The server's name, and the version [default: the newest]
    #[arg(value_name = "NAME[@VERSION]")]
    server: String,
    /// The profile of the probe [default: the one that the server ran under last]
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// The server's own arguments in the probe [default: those of its last session]
    #[arg(last = true, value_name = "ARG")]
    arguments: Vec<OsString>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Make the staged version the one in use; the one before is kept
#[derive(Debug, Args)]
pub(super) struct PromoteArgs {
    /// The server's name
    server: String,
    /// Although its tools changed, or it did something that the version in use did not
    #[arg(long)]
    accept: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Go back to the version that was in use before
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The server's name
    server: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What is said of a server that is not there.
fn nothing(name: &str) -> ExitCode {
    fail(&format!("there is no server \"{name}\" in the store"), "`caponier server list` shows what there is")
}

/// Stages a version. 1 when somebody has to look at it.
pub(super) fn stage(args: &StageArgs, around: &Surroundings) -> ExitCode {
    let (name, version) = match args.server.split_once('@') {
        Some((name, version)) => (name, version),
        None => (args.server.as_str(), ""),
    };
    let server = Server::new(&around.directories.data, name);
    if server.record().ok().flatten().is_some_and(|record| record.is_of_script()) {
        let message = format!("\"{name}\" is a script, which names its packages itself");
        return fail(&message, "change the versions that it names: its next start installs those");
    }
    let installed = (|| -> Result<Option<(Record, String)>, install::Error> {
        let Some(record) = server.record()? else { return Ok(None) };
        let right = server.exclusive()?;
        let wish = wish(&record, version);
        let present = match wish.wanted {
            Wanted::Exact(_) => record.find(&wish).map(str::to_owned),
            Wanted::Any | Wanted::Fitting(_) => None,
        };
        let digest = match present {
            Some(digest) => digest,
            None => with_around(around, |with| install::add(&server, &right, &wish, with))?,
        };
        let Some(mut record) = server.record()? else { return Ok(None) };
        record.staged = (digest != record.current).then(|| digest.clone());
        server.replace(&right, &record)?;
        Ok(Some((record, digest)))
    })();
    let (record, digest) = match installed {
        Ok(Some(installed)) => installed,
        Ok(None) => return nothing(name),
        Err(error) => return refused(&error, name).tell(),
    };
    if digest == record.current {
        let said = format!("{} of {} is the one in use", record.version(&digest), record.package);
        let mut out = io::stdout().lock();
        let result = match args.json {
            true => writeln!(out, "{}", json!({"v": 1, "server": name, "staged": null})),
            false => writeln!(out, "{}", escape(&said)),
        };
        drop(out);
        return written(result, 0);
    }
    match look(args, around, &server, &record, &digest) {
        Ok(()) => {
            let staged = match staged(&server, &record, &around.directories) {
                Ok(Some(staged)) => staged,
                Ok(None) => return nothing(name),
                Err(error) => return fail(&error.to_string(), "stage it again"),
            };
            let stdout = io::stdout();
            let terminal = Terminal::of(&stdout);
            let mut out = stdout.lock();
            let result = match args.json {
                true => writeln!(out, "{}", json!({"v": 1, "server": name, "staged": staged.as_json()})),
                false => staged.as_text(terminal, &mut out),
            };
            drop(out);
            written(result, u8::from(staged.needs_acceptance()))
        }
        Err(error) => fail(&error, "it is staged, and was not probed; stage it again"),
    }
}

/// The version that is asked for, with everything else as the one in use was asked for.
fn wish(record: &Record, version: &str) -> Wish {
    let current = record.versions.get(&record.current);
    let sign = if record.package.starts_with("npm:") { "@" } else { "==" };
    let word = match version {
        "" => record.package.clone(),
        version => format!("{}{sign}{version}", record.package),
    };
    // The record has the package as it was read once; a version that is none is told by whoever fetches it.
    let (package, wanted) = package::reference(&word).unwrap_or_else(|_| {
        let registry = match sign {
            "@" => crate::profile::packages::Registry::Npm,
            _ => crate::profile::packages::Registry::PyPi,
        };
        let name = record.package.split_once(':').map_or("", |(_, name)| name).to_owned();
        (package::Package { registry, name }, Wanted::Exact(version.to_owned()))
    });
    Wish {
        with: current.map(|current| current.with.clone()).unwrap_or_default(),
        python: current.and_then(|current| current.python.clone()),
        ..Wish::of(package, wanted)
    }
}

/// Probes both versions, and writes down what only the new one did.
fn look(
    args: &StageArgs,
    around: &Surroundings,
    server: &Server,
    record: &Record,
    digest: &str,
) -> Result<(), String> {
    let hold = |digest: &str| server.hold(digest).map_err(|error| error.to_string());
    let (current, staged) = (hold(&record.current)?, hold(digest)?);
    let how = As::last(around, server, &current, args.profile.as_deref(), &args.arguments);
    diagnostic::note(&format!(
        "probing {} and {} in their pens",
        escape(record.version(&record.current)),
        escape(record.version(digest))
    ));
    let before = how.run(around, server, &current)?;
    let after = how.run(around, server, &staged)?;
    let mut report = Report::new(digest, &record.current);
    report.failed = match (&before.failed, after.failed) {
        (_, None) => None,
        (None, Some(failed)) => Some(failed),
        (Some(_), Some(failed)) => Some(format!("neither version answered: {failed}")),
    };
    report.sessions = [before.session, after.session];
    report.beyond(
        after.deeds.iter().filter(|(deed, _)| !before.deeds.contains_key(deed)).map(|(d, c)| (d, *c)),
    );
    report.write(server).map_err(|error| error.to_string())
}

/// What is known of the tools of a version, by its probe.
pub(super) fn pins_of(server: &Server, digest: &str, directories: &Directories) -> Option<Pins> {
    store(directories, &probe::name(server, digest)).read().ok().flatten().map(|known| known.pinned)
}

/// What the staged version says otherwise than the one in use.
pub(super) fn changes(
    server: &Server,
    record: &Record,
    digest: &str,
    directories: &Directories,
) -> Vec<Change> {
    let before = pins_of(server, &record.current, directories).unwrap_or_default();
    let after = pins_of(server, digest, directories).unwrap_or_default();
    compare(&before, &after)
}

/// Promotes what is staged. 1 when it is not, for want of `--accept`.
pub(super) fn promote(args: &PromoteArgs, around: &Surroundings) -> ExitCode {
    let name = args.server.as_str();
    let server = Server::new(&around.directories.data, name);
    let directories = &around.directories;
    let promoted = (|| -> Result<Result<(Record, String), ExitCode>, install::Error> {
        if server.record()?.is_none() {
            return Ok(Err(nothing(name)));
        }
        let right = server.exclusive()?;
        let Some(mut record) = server.record()? else { return Ok(Err(nothing(name))) };
        let Some(digest) = record.staged.clone() else {
            let help = format!("`caponier server stage {name}` installs and probes the newest");
            return Ok(Err(fail(&format!("no version of \"{name}\" is staged"), &help)));
        };
        // Checked now: what is switched to is what was locked.
        drop(server.hold(&digest)?);
        let report = Report::read(&server, &digest, &record.current)?;
        let reasons = match &report {
            Some(report) => reasons(&changes(&server, &record, &digest, directories), report),
            None => vec!["it was not probed beside the version that is in use now".to_owned()],
        };
        if !reasons.is_empty() && !args.accept {
            let said =
                format!("{} of \"{name}\" is not promoted: {}", record.version(&digest), reasons.join("; "));
            let help = format!(
                "`caponier server diff {name}` shows what it is; `caponier server promote {name} --accept` takes it"
            );
            let _ = fail(&said, &help);
            return Ok(Err(ExitCode::FAILURE));
        }
        let before = std::mem::replace(&mut record.current, digest.clone());
        record.previous = Some(before.clone());
        record.staged = None;
        server.replace(&right, &record)?;
        Ok(Ok((record, before)))
    })();
    switched(promoted, &server, directories, "promoted", args.json)
}

/// Why somebody has to accept it.
pub(super) fn reasons(changes: &[Change], report: &Report) -> Vec<String> {
    let mut reasons = Vec::new();
    let waiting = changes.iter().filter(|change| change.class.needs_approval()).count();
    if waiting > 0 {
        let (allow, say) = if waiting == 1 { ("allows", "says") } else { ("allow", "say") };
        reasons.push(format!("{waiting} of its tools and texts {allow} or {say} something else"));
    }
    if let Some(failed) = &report.failed {
        reasons.push(format!("it did not answer ({failed})"));
    }
    for (kind, one, what) in [
        ("hosts", "host", "it speaks to"),
        ("denials", "thing", "it was refused"),
        ("processes", "program", "it runs"),
        ("files", "file", "it uses"),
    ] {
        let count = report.new.iter().filter(|new| new.kind == kind).count();
        if count > 0 {
            let is = if count == 1 { "is" } else { "are" };
            reasons.push(format!("{} that {what} {is} new", counted(count, one)));
        }
    }
    reasons
}

/// Goes back.
pub(super) fn rollback(args: &RollbackArgs, around: &Surroundings) -> ExitCode {
    let name = args.server.as_str();
    let server = Server::new(&around.directories.data, name);
    let rolled = (|| -> Result<Result<(Record, String), ExitCode>, install::Error> {
        if server.record()?.is_none() {
            return Ok(Err(nothing(name)));
        }
        let right = server.exclusive()?;
        let Some(mut record) = server.record()? else { return Ok(Err(nothing(name))) };
        let Some(digest) = record.previous.clone() else {
            let help = "a version that was in use before is kept by `promote`";
            return Ok(Err(fail(&format!("no version of \"{name}\" was in use before"), help)));
        };
        drop(server.hold(&digest)?);
        let before = std::mem::replace(&mut record.current, digest);
        record.previous = Some(before.clone());
        server.replace(&right, &record)?;
        Ok(Ok((record, before)))
    })();
    switched(rolled, &server, &around.directories, "rolled back", args.json)
}

/// After the switch: the pins of the version in use are the server's, and those that were are kept with their version.
fn switched(
    done: Result<Result<(Record, String), ExitCode>, install::Error>,
    server: &Server,
    directories: &Directories,
    what: &str,
    as_json: bool,
) -> ExitCode {
    let (record, before) = match done {
        Ok(Ok(done)) => done,
        Ok(Err(status)) => return status,
        Err(error) => return refused(&error, server.name()).tell(),
    };
    let pins = || -> Result<(), crate::relay::pinned::Error> {
        let own = store(directories, server.name());
        let kept = |digest: &str| store(directories, &probe::name(server, digest));
        if let Some(known) = own.read()? {
            kept(&before).update(|_| known)?;
        }
        match kept(&record.current).read()? {
            Some(known) => {
                let known = Known { seen: Pins::default(), seen_whole: BTreeSet::new(), ..known };
                own.update(|_| known).map(drop)
            }
            None => Ok(()),
        }
    };
    if let Err(error) = pins() {
        diagnostic::note(&format!(
            "{}; tools that changed are held back until `caponier server approve {}`",
            escape(&error.to_string()),
            escape(server.name())
        ));
    }
    let (now, before) = (record.version(&record.current), record.version(&before));
    let mut out = io::stdout().lock();
    let result = match as_json {
        true => writeln!(
            out,
            "{}",
            json!({"v": 1, "server": server.name(), "package": record.package, "version": now, "before": before})
        ),
        false => {
            let said = format!("{what}: {} is at {now}; sessions that run now keep {before}", server.name());
            writeln!(out, "{}", escape(&said))
        }
    };
    drop(out);
    written(result, 0)
}

/// The version of a server that waits, with what is known of it.
///
/// # Errors
/// The report of its probe cannot be understood.
pub(super) fn staged<'r>(
    server: &Server,
    record: &'r Record,
    directories: &Directories,
) -> Result<Option<Staged<'r>>, server::Error> {
    let Some(digest) = record.staged.clone() else { return Ok(None) };
    let report = Report::read(server, &digest, &record.current)?;
    let changes = changes(server, record, &digest, directories);
    Ok(Some(Staged { record, digest, report, changes }))
}

/// A staged version, as `diff` shows it.
pub(super) struct Staged<'a> {
    pub(super) record: &'a Record,
    pub(super) digest: String,
    pub(super) report: Option<Report>,
    pub(super) changes: Vec<Change>,
}

impl Staged<'_> {
    /// Whether `promote` wants `--accept`.
    pub(super) fn needs_acceptance(&self) -> bool {
        self.report.as_ref().is_none_or(|report| !reasons(&self.changes, report).is_empty())
    }

    /// For programs.
    pub(super) fn as_json(&self) -> Value {
        let changes: Vec<Value> = self.changes.iter().map(report).collect();
        json!({
            "current": self.record.version(&self.record.current),
            "version": self.record.version(&self.digest),
            "digest": self.digest,
            "probed": self.report.is_some(),
            "failed": self.report.as_ref().and_then(|report| report.failed.clone()),
            "sessions": self.report.as_ref().map(|report| report.sessions.clone()),
            "changes": changes,
            "new": self.report.as_ref().map(|report| report.new.clone()),
            "needs_acceptance": self.needs_acceptance(),
        })
    }

    /// For people.
    pub(super) fn as_text(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        let (record, name) = (self.record, escape(&self.record.server));
        let (from, to) = (record.version(&record.current), record.version(&self.digest));
        writeln!(out, "{name}: {} is staged beside {}", escape(to), escape(from))?;
        let Some(report) = &self.report else {
            return writeln!(out, "it was not probed beside the version in use: stage it again");
        };
        if let Some(failed) = &report.failed {
            writeln!(out, "it did not answer: {}", escape(failed))?;
        }
        for change in &self.changes {
            changed(change, &[], terminal, out)?;
        }
        if self.changes.is_empty() {
            writeln!(out, "its tools and texts are those of {}", escape(from))?;
        }
        for new in &report.new {
            let times = if new.count > 1 { format!(" ({} times)", new.count) } else { String::new() };
            let line = format!("new in {}: {} {}{times}", new.kind, new.how, new.what);
            writeln!(out, "{}", escape(&line))?;
        }
        if report.new.is_empty() {
            writeln!(out, "at its start it uses no file, host or program that {} did not", escape(from))?;
        }
        let accept = if self.needs_acceptance() { " --accept" } else { "" };
        writeln!(out, "to switch to it: caponier server promote {name}{accept}")
    }
}
