//! From the words of a command line to the program that will be executed, and every file that the kernel needs for it.
//!
//! There is no shell: `PATH` is searched once, and **the path as found is what is executed**, with `argv[0]` as given.
//! Symbolic links are resolved only to know what to grant and record: `venv/bin/python` by its real path would have
//! another `sys.prefix`, and programs that choose by their name would be other programs.
//!
//! Invariant: whatever the kernel will execute on the way (interpreters of `#!` lines, `env` and what it finds, the
//! dynamic loader) is in the result, or the result is an error that says what to do. Nothing is run, and no digest is
//! made: this is on the start path.
//!
//! Rests on `execve(2)`, `execvp(3)`, `env(1)`.

mod chain;
mod env_line;
mod error;
mod launcher;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use crate::sandbox::command::error::Error;
pub use crate::sandbox::command::launcher::Launcher;
use crate::sandbox::program::{self, Kind, Program};
use crate::sandbox::search::{self, Lookup};
use crate::sandbox::shims::{self, Shim, trampoline};

/// Shims that may lead to one another.
const MAX_SHIMS: usize = 8;

/// A file by two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Absolute, as written or found, links kept.
    pub path: PathBuf,
    /// The file itself.
    pub target: PathBuf,
}

/// What will be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The words as given.
    pub given: Vec<OsString>,
    /// What is executed: absolute, as found, never with links resolved.
    pub path: PathBuf,
    /// What it is executed with: the words as given, except that a shim's or console script's program is called by
    /// its own path, as the shim would have called it.
    pub argv: Vec<OsString>,
    /// The file behind `path`.
    pub target: PathBuf,
    /// Every program that the kernel or `env` starts on the way, in order. Each has to be granted to execute.
    pub interpreters: Vec<Interpreter>,
    /// The dynamic loaders of all these programs. Each has to be granted to execute.
    pub loaders: Vec<Interpreter>,
    /// A console script that became an argument of its interpreter. It has to be granted to read.
    pub script: Option<Interpreter>,
    /// Folders that have to come first in the server's `PATH`, so that it finds programs and not shims.
    pub path_first: Vec<PathBuf>,
    /// The shim that was resolved on the way.
    pub shim: Option<Shim>,
    /// A package manager or container client that would start the server, in place of the server itself.
    pub launcher: Option<Launcher>,
    /// How many words behind the program are the launcher's own; 0 until somebody has read them.
    pub launched: usize,
    /// The virtual environment that it was asked to run in, and that it is to find as the active one.
    pub venv: Option<PathBuf>,
    /// The folder of the project that it belongs to, where a launcher's line says that.
    pub project: Option<PathBuf>,
    /// Whether the program itself is a shell (`sh -c …`): refused as `exec.shell` unless the profile names it.
    pub shell: bool,
}

impl Command {
    /// What tells this server from others by the same interpreter: the program as it was found, and the script or
    /// module that it runs. Never a path to open.
    pub fn identity(&self, cwd: &Path) -> PathBuf {
        let words = self.argv.get(1..).unwrap_or_default();
        let module = words.iter().position(|word| word == "-m").and_then(|at| words.get(at + 1));
        let script = words.iter().find(|word| !word.as_bytes().starts_with(b"-"));
        let script = script.map(|word| cwd.join(word)).filter(|path| path.is_file());
        let runs = module.map(PathBuf::from).or(script).unwrap_or_default();
        let mut identity = self.path.clone().into_os_string();
        identity.push("\n");
        identity.push(runs);
        PathBuf::from(identity)
    }
}

/// Resolves a command.
///
/// # Errors
/// When there is no such program, or it could not be executed in the pen; [`Error::exit_code`] is 127 or 126.
pub fn resolve(words: &[OsString], lookup: &Lookup) -> Result<Command, Error> {
    let Some((word, rest)) = words.split_first().filter(|(word, _)| !word.is_empty()) else {
        return Err(Error::NoCommand);
    };
    let found = locate(word, &lookup.folders(), lookup, None)?;
    let launcher = Launcher::detect(&found.program, rest);
    let first_word = if found.shim.is_some() { found.program.path.clone().into() } else { word.clone() };
    let Found { mut program, shim, mut path_first } = found;
    let mut argv = vec![first_word];
    let mut script = None;
    if let Some(interpreter) = console_script(&program, lookup) {
        let interpreter = Program::open(&interpreter).map_err(|source| Error::Interpreter {
            script: program.path.clone(),
            interpreter,
            source,
        })?;
        argv = vec![interpreter.path.clone().into(), program.path.clone().into()];
        script = Some(Interpreter { path: program.path, target: program.target });
        program = interpreter;
    }
    argv.extend_from_slice(rest);
    let chain = chain::walk(&program, lookup, launcher, &mut path_first)?;
    Ok(Command {
        given: words.to_vec(),
        shell: program.is_shell(),
        path: program.path,
        argv,
        target: program.target,
        interpreters: chain.interpreters,
        loaders: chain.loaders,
        script,
        path_first,
        shim,
        launcher,
        launched: 0,
        venv: None,
        project: None,
    })
}

/// Whether a path is a shell, by its own name and by the name of the file that it leads to.
pub fn is_shell(path: &Path) -> bool {
    match Program::open(path) {
        Ok(program) => program.is_shell(),
        Err(_) => program::named_shell(path, path),
    }
}

/// A program, and how it was reached.
struct Found {
    program: Program,
    shim: Option<Shim>,
    path_first: Vec<PathBuf>,
}

/// Finds a word in these folders, or at its path when it has a `/`, and sees through shims. `script` is whose `#!`
/// line asks for it.
fn locate(word: &OsStr, folders: &[PathBuf], lookup: &Lookup, script: Option<&Path>) -> Result<Found, Error> {
    let mut program = if word.as_bytes().contains(&b'/') {
        Program::open(&lookup.absolute(Path::new(word)))?
    } else {
        search::find(word, folders).map_err(|obstacle| Error::NotFound {
            name: word.to_owned(),
            searched: folders.to_vec(),
            script: script.map(Path::to_owned),
            obstacle,
        })?
    };
    let mut shim = None;
    let mut path_first = Vec::new();
    for _ in 0..MAX_SHIMS {
        let Some(recognised) = shims::recognise(&program) else {
            return Ok(Found { program, shim, path_first });
        };
        let resolved = recognised.resolve(lookup, folders)?;
        program = Program::open(&resolved.path)?;
        path_first.splice(0..0, resolved.path_first);
        shim = shim.or(Some(resolved.shim));
    }
    Err(Error::TooManyShims { path: program.path })
}

/// The interpreter of a console script that only looks like a shell script.
fn console_script(program: &Program, lookup: &Lookup) -> Option<PathBuf> {
    let Kind::Script(line) = &program.kind else { return None };
    is_shell(&lookup.absolute(&line.interpreter)).then_some(())?;
    trampoline::interpreter(program)
}

#[cfg(test)]
mod tests;
