//! `run --no-resolve -- npx …`: the launcher itself is started, in the pen, as it was before there was a store.
//!
//! It needs what no server is given otherwise: a shell, and a cache that is written and executed from. So it is refused in
//! production, and each start says what is given up and how to have it back.

use std::path::Path;

use crate::cli::diagnostic::{self, escape};
use crate::cli::exit;
use crate::cli::run::managed::refused;
use crate::cli::run::{Refused, RunArgs};
use crate::cli::surroundings::Surroundings;
use crate::policy::grant::{Grant, Origin};
use crate::policy::{Environment, Policy};
use crate::profile::UNRESOLVED;
use crate::profile::packages::for_package;
use crate::profile::problem::{Code, Warning};
use crate::sandbox::command::{Command, Launcher};
use crate::store;
use crate::store::install::Around;
use crate::store::unresolved::{Cache, Filling, Line, Told, look, offline, online};

/// Reads the line, where it is to be run as it is; the words of the launcher are counted into `command`.
pub(super) fn line(args: &RunArgs, command: &mut Command) -> Result<Option<Line>, Refused> {
    if !args.no_resolve {
        return Ok(None);
    }
    // Whoever says both wants two things that cannot be had together. The flag alone is somebody's own will.
    if args.env == Some(Environment::Prod) {
        let help = "leave --no-resolve out: the package is then installed once and locked, and started without npx; or leave \
                    out --env prod";
        let message =
            "--no-resolve is refused with --env prod: the server would execute what it wrote itself";
        return Err(Refused::new(exit::CONFIGURATION, message, Some(help)));
    }
    let shown = escape(&args.command[0].to_string_lossy()).into_owned();
    let Some(launcher) = command.launcher else {
        let message = format!("--no-resolve is about npx and uvx, and {shown} is neither");
        return Err(Refused::new(
            exit::USAGE,
            message,
            Some("leave it out: the command is started as it stands"),
        ));
    };
    let Some(line) = Line::read(launcher, &args.command) else {
        let message =
            format!("--no-resolve runs npx (npm exec) and uvx (uv tool run), not {}", launcher.name());
        let help = match launcher {
            Launcher::Docker => launcher.help(),
            _ => {
                "leave it out: the package is then installed once and locked, and started without the launcher"
            }
        };
        return Err(Refused::new(exit::NOT_EXECUTABLE, message, Some(help)));
    };
    command.launched = line.launched;
    Ok(Some(line))
}

/// The profile for a line without `--profile`, and why.
pub(super) fn profile(line: &Line) -> (&'static str, String) {
    let made = line.wish.as_ref().and_then(|wish| for_package(wish.package.registry, &wish.package.name));
    match (made, &line.wish) {
        (Some(profile), Some(wish)) => (profile, format!("the one that was made for {}", wish.package.name)),
        _ => (UNRESOLVED, "it grants what the launcher needs, and none of your folders".to_owned()),
    }
}

/// A server would execute what it wrote, and nobody asked for that.
#[derive(Debug)]
pub(in crate::cli) struct Unasked {
    /// A shipped profile says so, and not one of the user's.
    pub(in crate::cli) is_shipped: bool,
    /// Which line, and why it does not hold.
    pub(in crate::cli) message: String,
}

/// Whether a profile lets a server execute what it wrote where nobody asked for that: in production, and where only a
/// shipped profile says so.
pub(in crate::cli) fn unasked(policy: &Policy, is_line: bool) -> Option<Unasked> {
    policy.process.execute_writable.iter().find_map(|grant| {
        let is_shipped = grant.origin.file.starts_with("<shipped>");
        let why = match (is_shipped, is_line, policy.profile.env) {
            (true, true, _) | (false, _, Environment::Dev) => return None,
            (true, false, _) => "of a shipped profile is for --no-resolve alone",
            (false, _, Environment::Prod) => "is refused in production",
        };
        let message = format!("{}: `process.execute_writable` {why}", grant.origin);
        Some(Unasked { is_shipped, message })
    })
}

/// Refuses it.
pub(super) fn refuse_unasked(policy: &Policy, line: Option<&Line>) -> Result<(), Refused> {
    let Some(Unasked { is_shipped, message }) = unasked(policy, line.is_some()) else { return Ok(()) };
    let help = match is_shipped {
        true => "say --no-resolve before an npx or uvx line; or write the key in a profile of your own",
        false => {
            "install what the server executes where it cannot write, and take the key out; or say --env dev"
        }
    };
    Err(Refused::new(exit::CONFIGURATION, escape(&message), Some(help)))
}

/// Whether a warning says what [`tell`] says.
pub(super) fn is_told(warning: &Warning, line: Option<&Line>) -> bool {
    let of_launcher = warning.origin.file == format!("<shipped>/{UNRESOLVED}.toml");
    line.is_some() && of_launcher && matches!(warning.code, Code::ExecuteShell | Code::ExecuteWritable)
}

/// What is given up, and how to have it back, in one line.
fn tell(args: &RunArgs, cache: &Path, warm: bool) {
    // Its name alone: what stands behind it may be a secret.
    let launcher = escape(&args.command[0].to_string_lossy()).into_owned();
    let fetched = if warm { " (it is filled: nothing is fetched; remove it to fetch anew)" } else { "" };
    diagnostic::note(&format!(
        "--no-resolve: the server has a shell, and executes what it wrote in {}{fetched}; what one start plants there, the \
         next one runs. Without it the package is locked and read-only: caponier run -- {launcher} …",
        escape(&cache.to_string_lossy()),
    ));
}

/// Looks at the cache, and says what is given up: what the launcher is told, and what this process has to hold while the
/// cache is filled.
pub(super) fn provide(
    args: &RunArgs,
    around: &Surroundings,
    line: &Line,
    cache: &Path,
    tmp: &Path,
) -> Result<(Told, Option<Filling>), Refused> {
    let not_set_up = |error: std::io::Error| {
        let message = format!("the server's cache {} cannot be used: {error}", cache.display());
        Refused::new(exit::NOT_SET_UP, escape(&message), None)
    };
    let wait = || diagnostic::note("waiting for another start that fills the same cache");
    let filling = match look(line.registry, cache, &wait).map_err(not_set_up)? {
        Cache::Warm => {
            tell(args, cache, true);
            return Ok((offline(line.registry), None));
        }
        Cache::Cold(filling) => filling,
    };
    tell(args, cache, false);
    let environment: Vec<_> = std::env::vars_os().collect();
    let install = Around {
        audit_dir: tmp,
        lookup: &around.lookup(),
        environment: &environment,
        tell: &|line| diagnostic::note(&escape(line)),
    };
    let name = args.name.as_deref().or(line.server()).unwrap_or_default();
    let told = online(line, &install, tmp).map_err(|error| refused(&error, name))?;
    if told.withheld {
        diagnostic::note(
            "the package manager's configuration holds credentials; the server could read them, so they are not passed \
             on, and what needs them cannot be fetched (without --no-resolve they stay in the install phase)",
        );
    }
    Ok((told, filling))
}

/// Adds what the launcher may reach and read while its cache is cold.
pub(super) fn widen(policy: &mut Policy, told: &Told) -> Result<(), Refused> {
    let network = store::network(&told.hosts).map_err(|host| {
        let message = format!("the package manager's configuration names a host that cannot be one: {host}");
        Refused::new(exit::CONFIGURATION, message, None)
    })?;
    policy.network.allow.extend(network.allow);
    policy.network.local.extend(network.local);
    policy.filesystem.read.extend(told.reads.iter().map(|path| Grant {
        path: path.clone(),
        reason: Some("the package manager's own configuration names it".to_owned()),
        optional: true,
        origin: Origin::caponier(),
    }));
    Ok(())
}
