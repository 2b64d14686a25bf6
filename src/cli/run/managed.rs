//! `run -- npx …`: from a launcher's command line to the words that start the program itself, out of the store.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::diagnostic::{self, escape};
use crate::cli::exit;
use crate::cli::run::name::{of_script, served};
use crate::cli::run::{Refused, RunArgs};
use crate::cli::surroundings::{OWN_FOLDERS, Surroundings};
use crate::store::asked::{self, Asked};
use crate::store::install::{Around, Error, command_line, provide};
use crate::store::package::Wish;
use crate::store::server::{self, Server};
use crate::store::{Held, lockfile, phase, python};

/// What a launcher stood for.
pub(super) struct Managed {
    /// The words in its place.
    pub(super) words: Vec<OsString>,
    /// The server's name, unless the user gave one.
    pub(super) name: String,
    /// The package, which stays where it is while this lives.
    pub(super) held: Option<Held>,
    /// Where it starts, when not here.
    pub(super) cwd: Option<PathBuf>,
    /// The virtual environment that it is to find as the active one.
    pub(super) venv: Option<PathBuf>,
    /// The folder of the project that it is run in.
    pub(super) project: Option<PathBuf>,
}

/// Understands the command line; `None` when it is no launcher's. Installs where the package is not in the store.
pub(super) fn managed(args: &RunArgs, around: &Surroundings) -> Result<Option<Managed>, Refused> {
    let asked = asked::asked(&args.command).map_err(|error| not_understood(&error))?;
    let Some(Asked { wish, program, arguments, notes }) = asked else { return Ok(None) };
    notes.iter().for_each(|note| diagnostic::note(&escape(note)));
    let called = program.as_deref().unwrap_or(&wish.package.name);
    let served = served(called, &arguments).map(|script| around.cwd.join(script));
    let by_itself = || served.as_deref().map_or_else(|| wish.package.server().to_owned(), of_script);
    let name = args.name.clone().unwrap_or_else(by_itself);
    let held = provided(&name, &wish, args, around)?;
    let words =
        command_line(&held, program.as_deref(), &arguments).map_err(|error| refused(&error, &name))?;
    let project = served.and_then(|script| script.parent().map(Path::to_owned));
    Ok(Some(Managed { words, name, held: Some(held), cwd: None, venv: None, project }))
}

/// Where the server is started: elsewhere, when the line says so. Paths on our own command line are still seen from here.
pub(super) fn elsewhere<'a>(
    managed: Option<&Managed>,
    mut args: RunArgs,
    around: &'a Surroundings,
) -> (RunArgs, Cow<'a, Surroundings>) {
    let Some(elsewhere) = managed.and_then(|managed| managed.cwd.clone()) else {
        return (args, Cow::Borrowed(around));
    };
    let cwd = &around.cwd;
    let lists = [&mut args.read, &mut args.write, &mut args.exec].into_iter().flatten();
    for path in lists.chain(&mut args.workspace).chain(&mut args.audit_dir).chain(&mut args.proof) {
        *path = cwd.join(&path);
    }
    // What can only be a path.
    let file = args
        .profile
        .as_ref()
        .filter(|name| name.contains('/') && (name.starts_with('.') || name.ends_with(".toml")));
    if let Some(file) = file.and_then(|file| cwd.join(file).into_os_string().into_string().ok()) {
        args.profile = Some(file);
    }
    (args, Cow::Owned(around.at(elsewhere)))
}

/// The tree of a wish, out of the store.
pub(super) fn provided(
    name: &str,
    wish: &Wish,
    args: &RunArgs,
    around: &Surroundings,
) -> Result<Held, Refused> {
    let server = Server::new(&around.directories.data, name);
    let audit_dir =
        args.audit_dir.as_ref().map_or_else(|| around.directories.audit(), |dir| around.cwd.join(dir));
    let environment: Vec<_> = std::env::vars_os().collect();
    let install = Around {
        audit_dir: &audit_dir,
        lookup: &around.lookup(),
        environment: &environment,
        tell: &|line| diagnostic::note(&escape(line)),
    };
    provide(&server, wish, &install).map_err(|error| refused(&error, name))
}

/// A launcher's line that is refused.
pub(super) fn not_understood(error: &asked::Error) -> Refused {
    Refused::new(exit::NOT_EXECUTABLE, escape(&error.to_string()), Some(error.help()))
}

/// What went wrong, what to do, and the exit status.
pub(in crate::cli) fn refused(error: &Error, name: &str) -> Refused {
    let again = format!("`caponier server remove {name}` removes it; the next start installs it anew");
    let (status, help) = match error {
        Error::Server(server::Error::Tampered(_) | server::Error::Lock(_))
        | Error::Lock(lockfile::Error::Broken { .. }) => {
            let help = format!("nothing was started. Look into who changed it. {again}");
            (exit::NOT_SET_UP, Some(help))
        }
        Error::Server(server::Error::Taken { .. }) => {
            (exit::CONFIGURATION, Some("give this server another name: caponier run --name NAME".to_owned()))
        }
        Error::Server(server::Error::Unusable { .. }) | Error::Disk(_) => {
            (exit::NOT_SET_UP, Some(OWN_FOLDERS.to_owned()))
        }
        Error::Server(server::Error::Broken { .. }) => (exit::CONFIGURATION, Some(again)),
        Error::NoTool { tool, .. } => {
            (exit::NOT_FOUND, Some(format!("install {tool}, or put it on PATH; it is needed once")))
        }
        Error::Python(python::Error::Version { .. }) => {
            let help = "put such a Python on PATH, as python3 or with its version in its name (python3.12)";
            (exit::NOT_FOUND, Some(help.to_owned()))
        }
        Error::Configuration { .. } => (exit::CONFIGURATION, None),
        Error::Phase(phase::Error::Failed { said, .. }) => {
            let said: String = said.iter().map(|line| format!("\n  {}", escape(line))).collect();
            let help = format!(
                "nothing was started, and what was installed before is as it was. `caponier audit timeline` of the \
                 server {name}:install shows what it did. Its last words:{said}"
            );
            (exit::NOT_SET_UP, Some(help))
        }
        Error::NoProgram { programs, .. } if !programs.is_empty() => {
            let programs: Vec<_> = programs.iter().map(|program| escape(program).into_owned()).collect();
            let help = format!(
                "name one of them: {} (npx -y -p PACKAGE PROGRAM, uvx --from PACKAGE PROGRAM, uv run --with PACKAGE \
                 PROGRAM)",
                programs.join(", ")
            );
            (exit::NOT_SET_UP, Some(help))
        }
        Error::NoProgram { .. } => (exit::NOT_EXECUTABLE, None),
        _ => (exit::NOT_SET_UP, None),
    };
    Refused::new(status, escape(&error.to_string()), help.as_deref())
}
