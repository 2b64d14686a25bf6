//! Every program between a script and the native program at its end.
//!
//! The kernel follows `#!` lines by itself; `env` starts another program by looking along the `PATH` that the server
//! gets. Both are followed here with the same rules and the same limits. Where the server's `PATH` would lead `env` to
//! a version manager's shim, the folder of what the shim stands for is put before it, and everything is looked up
//! once more: what was found must be what will be found.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::sandbox::command::{Error, Interpreter, Launcher, env_line, locate};
use crate::sandbox::program::script::{Line, MAX_NESTED};
use crate::sandbox::program::{Kind, Program};
use crate::sandbox::search::Lookup;

/// Times that `env` may lead to a script that leads to `env`.
const MAX_ENV: usize = 8;

/// What is executed on the way to the end.
#[derive(Default)]
pub(super) struct Chain {
    /// Interpreters, in order.
    pub(super) interpreters: Vec<Interpreter>,
    /// Dynamic loaders.
    pub(super) loaders: Vec<Interpreter>,
}

/// Follows a program to its end. `first` are the folders before the server's `PATH`; it grows where it has to.
pub(super) fn walk(
    program: &Program,
    lookup: &Lookup,
    launcher: Option<Launcher>,
    first: &mut Vec<PathBuf>,
) -> Result<Chain, Error> {
    for _ in 0..MAX_ENV {
        let mut walk =
            Walk { start: program, lookup, launcher, first, before: Vec::new(), chain: Chain::default() };
        walk.follow()?;
        let Walk { before, chain, .. } = walk;
        if before.is_empty() {
            return Ok(chain);
        }
        first.splice(0..0, before);
    }
    Err(Error::TooDeep { path: program.path.clone() })
}

struct Walk<'a> {
    start: &'a Program,
    lookup: &'a Lookup,
    launcher: Option<Launcher>,
    first: &'a [PathBuf],
    /// Folders that have to come before `first`.
    before: Vec<PathBuf>,
    chain: Chain,
}

impl Walk<'_> {
    fn follow(&mut self) -> Result<(), Error> {
        let mut current = self.start.clone();
        for _ in 0..MAX_ENV {
            match self.execute(current)? {
                Some(next) => current = next,
                None => return Ok(()),
            }
        }
        Err(self.too_deep())
    }

    /// One `execve`: through `#!` lines to a native program; `Some` is what `env` starts next.
    fn execute(&mut self, mut current: Program) -> Result<Option<Program>, Error> {
        for scripts in 0..=MAX_NESTED {
            let line = match &current.kind {
                Kind::Native { loader } => {
                    self.load(&current, loader.as_deref())?;
                    return Ok(None);
                }
                Kind::Foreign(machine) => {
                    return Err(Error::Foreign { path: current.path, machine: *machine });
                }
                Kind::Unknown => return Err(Error::Unknown { path: current.path }),
                Kind::BrokenScript => return Err(Error::BrokenScript { path: current.path }),
                Kind::Script(_) if scripts == MAX_NESTED => break,
                Kind::Script(line) => line.clone(),
            };
            let interpreter = self.interpreter(&current, &line)?;
            if let Kind::Native { loader } = &interpreter.kind
                && is_env(&interpreter)
            {
                self.load(&interpreter, loader.as_deref())?;
                return self.started_by_env(&current.path, line.argument.as_deref()).map(Some);
            }
            current = interpreter;
        }
        Err(self.too_deep())
    }

    fn interpreter(&mut self, script: &Program, line: &Line) -> Result<Program, Error> {
        // The kernel takes a relative interpreter as relative to the working directory.
        let path = self.lookup.absolute(&line.interpreter);
        let interpreter = Program::open(&path).map_err(|source| Error::Interpreter {
            script: script.path.clone(),
            interpreter: line.interpreter.clone(),
            source,
        })?;
        self.start(&script.path, &interpreter)?;
        Ok(interpreter)
    }

    fn started_by_env(&mut self, script: &Path, argument: Option<&OsStr>) -> Result<Program, Error> {
        let unclear = |why| Error::EnvLine { script: script.to_owned(), why };
        let name = env_line::program(argument).map_err(unclear)?;
        let folders = self.lookup.server_folders(self.first);
        let found = locate(&name, &folders, self.lookup, Some(script))?;
        self.start(script, &found.program)?;
        self.before.extend(found.path_first);
        Ok(found.program)
    }

    fn start(&mut self, script: &Path, program: &Program) -> Result<(), Error> {
        if program.is_shell() {
            let (script, shell) = (script.to_owned(), program.path.clone());
            return Err(Error::ShellScript { script, shell, launcher: self.launcher });
        }
        remember(&mut self.chain.interpreters, program);
        Ok(())
    }

    fn load(&mut self, program: &Program, loader: Option<&Path>) -> Result<(), Error> {
        let Some(loader) = loader else { return Ok(()) };
        let opened = Program::open(&self.lookup.absolute(loader)).map_err(|source| Error::Loader {
            program: program.path.clone(),
            loader: loader.to_owned(),
            source,
        })?;
        remember(&mut self.chain.loaders, &opened);
        Ok(())
    }

    fn too_deep(&self) -> Error {
        Error::TooDeep { path: self.start.path.clone() }
    }
}

fn is_env(program: &Program) -> bool {
    [&program.path, &program.target].into_iter().any(|path| path.file_name() == Some(OsStr::new("env")))
}

fn remember(list: &mut Vec<Interpreter>, program: &Program) {
    let interpreter = Interpreter { path: program.path.clone(), target: program.target.clone() };
    if !list.contains(&interpreter) {
        list.push(interpreter);
    }
}
