//! `caponier demo`: a built-in server, half honest, half hostile, run twice, bare and through a real `run`.
//!
//! The bare run is the positive control: an attack that does not work there proves nothing by failing in the pen. It
//! works on a copy of its own of everything that it could break. Everything is in one private folder; the user's own
//! home, settings and log are not touched, and nothing leaves the machine.

pub(in crate::cli) mod attacks;
pub(in crate::cli) mod client;
mod daemon;
mod home;
mod judge;
mod log;
mod notes;
mod observed;
mod play;
mod report;
pub(in crate::cli) mod server;
mod stage;
mod text;
mod timeline;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::audit::{query, verify};
use crate::cli::demo::log::Log;
use crate::cli::demo::play::{Play, Progress, play};
use crate::cli::demo::report::{Findings, Report};
use crate::cli::demo::stage::Stage;
use crate::cli::term::Terminal;
use crate::cli::{diagnostic, exit};

/// The hidden subcommand of the built-in server.
pub(in crate::cli) const SERVER: &str = "demo-server";

/// What plays the client's credential.
const TOKEN_VALUE: &str = "planted-by-caponier-demo";

/// `caponier demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// One JSON object instead of the report
    #[arg(long)]
    json: bool,
    /// Keep the demo's folder, with the log
    #[arg(long)]
    keep: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the demo's folder could not be made: {0}")]
    Stage(io::Error),
    #[error("caponier cannot start itself: {0}")]
    Program(io::Error),
    #[error("{place}: {source}")]
    Play { place: &'static str, source: client::Error },
    #[error(transparent)]
    Log(#[from] query::Error),
    #[error(transparent)]
    Verify(#[from] verify::Error),
    #[error("interrupted")]
    Interrupted(i32),
}

const BARE: &str = "without the pen";
const PEN: &str = "in the pen";

/// Runs the demo. 0: everything was stopped and recorded; 1: something was not; as `run` when the pen could not be set
/// up; 128 + n when signal n ended it.
pub(super) fn run(args: &DemoArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let performed = match runtime {
        Ok(runtime) => runtime.block_on(interruptible(args.keep)),
        Err(error) => Err(Error::Program(error)),
    };
    match performed {
        Ok(report) => {
            // Whoever stopped reading knows the exit status all the same.
            diagnostic::written(write(&report, args.json), report.status())
        }
        Err(error) => fail(&error),
    }
}

async fn interruptible(keep: bool) -> Result<Report, Error> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Program)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Program)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Program)?;
    let progress = Progress::default();
    // What is dropped here ends its processes and removes its folder.
    tokio::select! {
        _ = interrupt.recv() => Err(Error::Interrupted(libc::SIGINT)),
        _ = terminate.recv() => Err(Error::Interrupted(libc::SIGTERM)),
        _ = hangup.recv() => Err(Error::Interrupted(libc::SIGHUP)),
        never = tell(&progress) => match never {},
        report = perform(keep, &progress) => report,
    }
}

async fn perform(keep: bool, progress: &Progress) -> Result<Report, Error> {
    let begun = Instant::now();
    let program = std::env::current_exe().map_err(Error::Program)?;
    let stage = Stage::set(keep).map_err(Error::Stage)?;
    let at = |place: &'static str| move |source| Error::Play { place, source };
    progress.place.set(BARE);
    let bare: Play = play(play::bare(&program, &stage), &stage.bare, progress).await.map_err(at(BARE))?;
    progress.place.set(PEN);
    let pen: Play = play(play::penned(&program, &stage), &stage.pen, progress).await.map_err(at(PEN))?;
    let log = Log::read(&stage.log())?;
    let scope = verify::Scope { dir: &stage.log(), session: None, expect: None };
    let verified = verify::verify(&scope, |_| Ok(()))?;
    Ok(Report::of(Findings {
        bare,
        pen,
        damage: stage.pen.damage(),
        log,
        verified,
        home: stage.pen.victim.home.clone(),
        kept: keep.then(|| stage.root().to_owned()),
        took: begun.elapsed(),
    }))
}

/// Says on stderr how far it is, when it takes long.
async fn tell(progress: &Progress) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (place, calls) = (progress.place.get(), progress.calls.get());
        diagnostic::note(&format!(
            "{place}: {calls} of {} calls",
            notes::errands().len() + attacks::all().count()
        ));
    }
}

fn write(report: &Report, as_json: bool) -> io::Result<()> {
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    match as_json {
        true => report.write_json(&mut out)?,
        false => text::write(report, terminal, &mut out)?,
    }
    out.flush()
}

fn fail(error: &Error) -> ExitCode {
    let status = match error {
        Error::Interrupted(signal) => {
            return ExitCode::from(exit::of_status(crate::event::Status::Signal(*signal)));
        }
        Error::Play { source: client::Error::Ended { status, stderr }, .. } => {
            // What `run` says of a pen that cannot be set up, as it says it.
            diagnostic::tell(
                &stderr.lines().map(|line| format!("{}\n", diagnostic::escape(line))).collect::<String>(),
            );
            status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0)
        }
        _ => None,
    };
    diagnostic::tell(&format!("error: {}\n", diagnostic::escape(&error.to_string())));
    ExitCode::from(status.unwrap_or(exit::NOT_SET_UP))
}
