//! From a wish to a locked tree in the store: look, install where there is nothing, record.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::audit::count::counted;
use crate::profile::packages::Registry;
use crate::sandbox::command;
use crate::sandbox::search::Lookup;
use crate::store::lockfile::{self, Head, Lock, Program, Runtime};
use crate::store::package::{Wanted, Wish};
use crate::store::phase::{self, Phase};
use crate::store::record::{Record, Version};
use crate::store::server::{self, Exclusive, Held, Server};
use crate::store::settings::Settings;
use crate::store::{npm, npmrc, pipconf, python, tree};

/// Where we are, and how to speak to whoever waits.
pub(crate) struct Around<'a> {
    /// Where the log goes.
    pub(crate) audit_dir: &'a Path,
    /// How commands are found.
    pub(crate) lookup: &'a Lookup,
    /// Our environment.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// One line for the user.
    pub(crate) tell: &'a dyn Fn(&str),
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The package manager is not on this machine.
    #[error("{what} is not installed, and {tool}, which would install it, cannot be found: {source}")]
    NoTool {
        /// What was to be installed.
        what: String,
        /// Its name.
        tool: &'static str,
        /// Why not.
        source: Box<command::Error>,
    },
    /// Its configuration cannot be read.
    #[error("{tool}'s configuration cannot be read: {detail}")]
    Configuration {
        /// Its name.
        tool: &'static str,
        /// Why.
        detail: String,
    },
    /// The install phase.
    #[error(transparent)]
    Phase(#[from] phase::Error),
    /// What came of it.
    #[error(transparent)]
    Npm(#[from] npm::Error),
    /// The same.
    #[error(transparent)]
    Python(#[from] python::Error),
    /// Files that are no package's.
    #[error("what was installed cannot be locked: {0}")]
    Tree(#[from] tree::Error),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] lockfile::Error),
    /// The server's folder.
    #[error(transparent)]
    Server(#[from] server::Error),
    /// Files of ours.
    #[error("the store cannot be written: {0}")]
    Disk(io::Error),
    /// No such program in the package.
    #[error("{package} has no program {wanted}that can be started directly")]
    NoProgram {
        /// The package with its version.
        package: String,
        /// `NAME `, or nothing.
        wanted: String,
        /// Those that it has.
        programs: Vec<String>,
    },
}

/// A tree for a wish: the one that is in the store, or a fresh one.
///
/// # Errors
/// It is not there and could not be installed, or it is there and is not what was installed.
pub(crate) fn provide(server: &Server, wish: &Wish, around: &Around<'_>) -> Result<Held, Error> {
    if let Some(held) = present(server, wish)? {
        return Ok(held);
    }
    let right = match server.try_exclusive()? {
        Some(right) => right,
        None => {
            (around.tell)(&format!("waiting for another start that is installing {}", wish.shown()));
            server.exclusive()?
        }
    };
    // Whoever held the lock before us may have installed it.
    if let Some(held) = present(server, wish)? {
        return Ok(held);
    }
    let digest = match adopt(server, &right, wish, around)? {
        Some(digest) => digest,
        None => add(server, &right, wish, around)?,
    };
    Ok(server.hold(&digest)?)
}

/// The same packages under another name: copied from there, once what lies there is what was locked. `None`: there are
/// none, or they cannot be had that way.
fn adopt(
    server: &Server,
    right: &Exclusive,
    wish: &Wish,
    around: &Around<'_>,
) -> Result<Option<String>, Error> {
    // Another index may have another package of this name.
    if wish.index.is_some() || server.record()?.is_some() {
        return Ok(None);
    }
    let Some((other, held)) = server.others().into_iter().find_map(|(other, record)| {
        let digest = (record.package == wish.owner()).then(|| record.find(wish)).flatten()?;
        Some((other.name().to_owned(), other.hold(digest).ok()?))
    }) else {
        return Ok(None);
    };
    let staging = server.staging()?;
    let finished = staging.path().join("finished");
    let tree = finished.join(lockfile::TREE);
    tree::copy(&held.tree, &tree)?;
    let python = wish.package.registry == Registry::PyPi;
    let files = tree::lock(&tree, &|link| python && python::is_interpreter(&tree, link))?;
    let lock = Lock { head: held.lock.head.clone(), files };
    // Everything was read again: what is not the same to the last byte is not taken.
    if lock.digest() != held.digest {
        return Ok(None);
    }
    lock.write(&finished)?;
    let digest = server.take(right, &finished, &lock)?;
    record(server, right, wish, &lock, &digest)?;
    (around.tell)(&format!(
        "{} is in the store as \"{other}\": copied from there, and nothing was fetched",
        wish.package.at(&lock.head.version)
    ));
    Ok(Some(digest))
}

/// Names a tree in the server's record; the first one is the one in use.
fn record(server: &Server, right: &Exclusive, wish: &Wish, lock: &Lock, digest: &str) -> Result<(), Error> {
    let mut record = server.record()?.unwrap_or_else(|| server.first(wish, digest));
    let fitting = match &wish.wanted {
        Wanted::Fitting(range) => Some(range.clone()),
        Wanted::Any | Wanted::Exact(_) => None,
    };
    let version = Version {
        version: lock.head.version.clone(),
        fitting,
        with: wish.with.clone(),
        python: wish.python.clone(),
    };
    record.versions.insert(digest.to_owned(), version);
    Ok(server.replace(right, &record)?)
}

fn present(server: &Server, wish: &Wish) -> Result<Option<Held>, Error> {
    let Some(record) = server.record()? else { return Ok(None) };
    taken(server, &record, wish)?;
    Ok(record.find(wish).map(|digest| server.hold(digest)).transpose()?)
}

fn taken(server: &Server, record: &Record, wish: &Wish) -> Result<(), Error> {
    match record.package == wish.owner() {
        true => Ok(()),
        false => {
            Err(server::Error::Taken { server: server.name().to_owned(), package: record.package.clone() }
                .into())
        }
    }
}

/// Installs a wish and records it; the first one of a server is the one in use.
///
/// # Errors
/// The store is as it was.
pub(crate) fn add(
    server: &Server,
    right: &Exclusive,
    wish: &Wish,
    around: &Around<'_>,
) -> Result<String, Error> {
    if let Some(record) = server.record()? {
        taken(server, &record, wish)?;
    }
    let staging = server.staging()?;
    let begun = std::time::Instant::now();
    let lock = make(server, wish, staging.path(), around)?;
    let digest = server.take(right, &staging.path().join("finished"), &lock)?;
    record(server, right, wish, &lock, &digest)?;
    (around.tell)(&format!(
        "installed {} in {} s: {}, {}, locked; later starts need no network",
        match &wish.script {
            Some(_) => wish.shown(),
            None => wish.package.at(&lock.head.version),
        },
        begun.elapsed().as_secs(),
        counted(lock.files.len(), "file"),
        counted(lock.head.packages.len(), "package"),
    ));
    Ok(digest)
}

/// Installs into `<staging>/finished`.
fn make(server: &Server, wish: &Wish, staging: &Path, around: &Around<'_>) -> Result<Lock, Error> {
    let finished = staging.join("finished");
    let tree = finished.join(lockfile::TREE);
    fs::create_dir_all(&tree).map_err(Error::Disk)?;
    let head = match wish.package.registry {
        Registry::Npm => with_npm(server, wish, staging, &tree, around)?,
        Registry::PyPi => with_pip(server, wish, staging, &tree, around)?,
    };
    let python = wish.package.registry == Registry::PyPi;
    let files = tree::lock(&tree, &|link| python && python::is_interpreter(&tree, link))?;
    let lock = Lock { head, files };
    lock.write(&finished)?;
    Ok(lock)
}

fn with_npm(
    server: &Server,
    wish: &Wish,
    staging: &Path,
    tree: &Path,
    around: &Around<'_>,
) -> Result<Head, Error> {
    let configuration = |detail: String| Error::Configuration { tool: "npm", detail };
    let said = ask_npm(&wish.shown(), around)?;
    let settings = npmrc::settings(&said, around.environment, wish.index.as_ref(), staging)
        .map_err(|error| configuration(error.to_string()))?;
    fs::write(tree.join("package.json"), "{\"private\":true}\n").map_err(Error::Disk)?;
    let mut phase = phase_of(server, "runtime/npm-install", staging, &settings, around);
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    for (name, value) in [
        ("npm_config_cache", text(staging.join("cache"))),
        ("npm_config_ignore_scripts", "true".to_owned()),
        ("npm_config_update_notifier", "false".to_owned()),
    ] {
        phase.variables.push((name.to_owned(), value));
    }
    phase.words = npm::words(wish, &tree.to_string_lossy());
    run(&phase, wish, &settings, around)?;
    Ok(npm::head(wish, tree)?)
}

fn with_pip(
    server: &Server,
    wish: &Wish,
    staging: &Path,
    tree: &Path,
    around: &Around<'_>,
) -> Result<Head, Error> {
    let interpreter = python::interpreter(wish.python.as_deref(), wish.requires.as_deref(), around.lookup)?;
    command::resolve(&[OsString::from(&interpreter)], around.lookup)
        .map_err(|source| no_tool(&wish.shown(), "python3", source))?;
    let places = pipconf::Places::new(around.environment);
    let settings = pipconf::settings(&places, around.environment, wish.index.as_ref(), staging)
        .map_err(|error| Error::Configuration { tool: "pip", detail: error.to_string() })?;
    let report = staging.join("report.json");
    let mut phase = phase_of(server, "runtime/pip-install", staging, &settings, around);
    phase.variables.push(("PIP_CONFIG_FILE".to_owned(), "/dev/null".to_owned()));
    phase.words = python::words(wish, &interpreter, tree, &report, &staging.join("cache"));
    run(&phase, wish, &settings, around)?;
    if let Some(requires) = &wish.requires {
        python::check(tree, requires)?;
    }
    Ok(python::head(wish, tree, &report)?)
}

fn no_tool(what: &str, tool: &'static str, source: command::Error) -> Error {
    Error::NoTool { what: what.to_owned(), tool, source: Box::new(source) }
}

fn phase_of(server: &Server, profile: &str, home: &Path, settings: &Settings, around: &Around<'_>) -> Phase {
    Phase::new(server.name(), profile, home, around.audit_dir, settings)
}

fn run(phase: &Phase, wish: &Wish, settings: &Settings, around: &Around<'_>) -> Result<(), Error> {
    let what = wish.shown();
    let tell = |so_far: Duration| match so_far.as_secs() {
        0..3 => (around.tell)(&format!("installing {what}, once; this is the only time that it is fetched")),
        seconds => (around.tell)(&format!("still installing {what} ({seconds} s)")),
    };
    Ok(phase.run(&what, settings, &tell)?)
}

/// `npm config ls`, in a folder where there is no project.
pub(super) fn ask_npm(what: &str, around: &Around<'_>) -> Result<npmrc::Said, Error> {
    let words = ["npm", "config", "ls", "-l", "--json"].map(OsString::from);
    let found = command::resolve(&words, around.lookup).map_err(|source| no_tool(what, "npm", source))?;
    let configuration = |detail: String| Error::Configuration { tool: "npm", detail };
    let path = around.lookup.server_folders(&found.path_first);
    let path = std::env::join_paths(path).map_err(|error| configuration(error.to_string()))?;
    let output = Command::new(&found.path)
        .args(&found.argv[1..])
        .current_dir("/")
        .env("PATH", path)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| configuration(error.to_string()))?;
    npmrc::Said::parse(&output.stdout)
        .map_err(|_| configuration("`npm config ls -l --json` says no JSON".to_owned()))
}

/// The words that start a program of a tree, with its arguments.
///
/// # Errors
/// There is no such program.
pub(crate) fn command_line(
    held: &Held,
    program: Option<&str>,
    arguments: &[OsString],
) -> Result<Vec<OsString>, Error> {
    let head = &held.lock.head;
    let found = head.program(program).ok_or_else(|| Error::NoProgram {
        package: held.package(),
        wanted: program.map(|name| format!("{name:?} ")).unwrap_or_default(),
        programs: head.programs.keys().cloned().collect(),
    })?;
    let Program { by, options, file } = found;
    let file = held.tree.join(file).into_os_string();
    let mut words: Vec<OsString> = match by {
        Runtime::Node => vec!["node".into()],
        Runtime::Python => vec![held.tree.join("bin/python").into_os_string()],
        Runtime::Native => Vec::new(),
    };
    words.extend(options.iter().map(OsString::from));
    words.push(file);
    words.extend(arguments.iter().cloned());
    Ok(words)
}
