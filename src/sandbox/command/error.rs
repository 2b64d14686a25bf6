//! Why a command cannot be started, what was looked for where, and what to do about it.
//!
//! Names and paths come from outside: they are shown quoted and escaped.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::sandbox::command::env_line::Unclear;
use crate::sandbox::command::launcher::Launcher;
use crate::sandbox::{program, shims};

/// Exit status for a program that does not exist.
const NOT_FOUND: u8 = 127;
/// Exit status for one that cannot be executed.
const NOT_EXECUTABLE: u8 = 126;

/// Why there is nothing to start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No word, or an empty one.
    #[error("there is no command to run")]
    NoCommand,
    /// In none of the folders; or only something that cannot be executed.
    #[error("{}", not_found(.name, .searched, .script.as_ref(), .obstacle.as_ref()))]
    NotFound {
        /// What was looked for.
        name: OsString,
        /// Where, in order.
        searched: Vec<PathBuf>,
        /// The script whose `#!` line asks for it.
        script: Option<PathBuf>,
        /// Something of this name that is no program.
        obstacle: Option<program::Error>,
    },
    /// The file itself.
    #[error(transparent)]
    Program(#[from] program::Error),
    /// Built for another machine.
    #[error("{path:?} is a program for another kind of machine (ELF machine {machine})")]
    Foreign {
        /// The program.
        path: PathBuf,
        /// `e_machine`.
        machine: u16,
    },
    /// `ENOEXEC`.
    #[error("{path:?} is neither a program of this machine nor a script with a #! line")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// A `#!` without an interpreter.
    #[error("{path:?} starts with #!, but names no interpreter within 256 bytes")]
    BrokenScript {
        /// The script.
        path: PathBuf,
    },
    /// The interpreter of a script cannot be executed.
    #[error("the interpreter {interpreter:?} of the script {script:?} cannot be executed: {source}")]
    Interpreter {
        /// The script.
        script: PathBuf,
        /// As its `#!` line names it.
        interpreter: PathBuf,
        /// Why not.
        source: program::Error,
    },
    /// The dynamic loader of a program cannot be executed.
    #[error("the dynamic loader {loader:?} of {program:?} cannot be executed: {source}")]
    Loader {
        /// The program.
        program: PathBuf,
        /// As the program names it.
        loader: PathBuf,
        /// Why not.
        source: program::Error,
    },
    /// More scripts in a row than the kernel goes through, or a circle of them.
    #[error("{path:?} leads through too many interpreters that are scripts themselves")]
    TooDeep {
        /// The first script.
        path: PathBuf,
    },
    /// A script for a shell.
    #[error("{script:?} is a shell script (its interpreter is {shell:?}), and there is no shell in the pen")]
    ShellScript {
        /// The script.
        script: PathBuf,
        /// Its interpreter.
        shell: PathBuf,
        /// The launcher that it is.
        launcher: Option<Launcher>,
    },
    /// `#!/usr/bin/env …` that cannot be told.
    #[error("the #! line of {script:?} {why}, so the program that it starts cannot be told before the start")]
    EnvLine {
        /// The script.
        script: PathBuf,
        /// What is the matter.
        why: Unclear,
    },
    /// A version manager's shim.
    #[error(transparent)]
    Shim(#[from] shims::Error),
    /// Shims that lead to shims.
    #[error("{path:?} is the end of a long row of version managers' shims that lead to one another")]
    TooManyShims {
        /// The last one.
        path: PathBuf,
    },
}

impl Error {
    /// 127 for what does not exist, 126 for what exists and cannot be executed.
    pub fn exit_code(&self) -> u8 {
        let by_source =
            |source: &program::Error| if source.is_missing() { NOT_FOUND } else { NOT_EXECUTABLE };
        match self {
            Error::NoCommand | Error::NotFound { obstacle: None, .. } => NOT_FOUND,
            Error::NotFound { obstacle: Some(_), .. } => NOT_EXECUTABLE,
            Error::Program(source) | Error::Interpreter { source, .. } | Error::Loader { source, .. } => {
                by_source(source)
            }
            Error::Shim(shims::Error::Unusable { .. }) => NOT_EXECUTABLE,
            Error::Shim(_) => NOT_FOUND,
            Error::Foreign { .. }
            | Error::Unknown { .. }
            | Error::BrokenScript { .. }
            | Error::TooDeep { .. }
            | Error::ShellScript { .. }
            | Error::EnvLine { .. }
            | Error::TooManyShims { .. } => NOT_EXECUTABLE,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Error::NoCommand => "write the server's command after `--`".into(),
            Error::NotFound { name, script: Some(_), .. } if name.as_encoded_bytes().contains(&b' ') => {
                "without -S, env takes the whole rest of the line for one name: write `#!/usr/bin/env -S …`".into()
            }
            Error::NotFound { name, .. } if name.as_encoded_bytes().ends_with(b"\r") => WINDOWS_LINE.into(),
            Error::NotFound { obstacle: None, name, .. } if is_line(name) => ONE_WORD.into(),
            Error::Program(program::Error::Missing { path }) if is_line(path.as_os_str()) => ONE_WORD.into(),
            // Not here is not the reason: where it is installed, it is refused.
            Error::NotFound { name, obstacle: None, .. } if Launcher::is_container(name) => container(),
            Error::NotFound { obstacle: None, .. } => {
                "give the program's full path: clients that are not started from a terminal often have a short PATH"
                    .into()
            }
            Error::NotFound { obstacle: Some(source), .. } | Error::Program(source) => about(source),
            Error::Interpreter { interpreter, .. } if interpreter.as_os_str().as_encoded_bytes().ends_with(b"\r") => {
                WINDOWS_LINE.into()
            }
            Error::Interpreter { .. } => {
                "install the interpreter, or name it in the command: `INTERPRETER SCRIPT`; a moved virtual environment \
                 has to be created again"
                    .into()
            }
            Error::Loader { .. } => {
                "the program was built for another system (musl and glibc, or NixOS and others): install a build for \
                 this one"
                    .into()
            }
            Error::Foreign { .. } => "install a build for this machine".into(),
            Error::Unknown { .. } => {
                "name the interpreter in the command (`python FILE`, `node FILE`), or give the file a #! line".into()
            }
            Error::BrokenScript { .. } => "mend the #! line, or name the interpreter in the command".into(),
            Error::TooDeep { .. } => "name the last interpreter in the command".into(),
            Error::ShellScript { launcher: Some(Launcher::Docker), .. } => container(),
            Error::ShellScript { launcher: Some(launcher), .. } => launcher.help().into(),
            Error::ShellScript { .. } => {
                "run what the script starts: look for its last line, often `exec …`, and give that as the command"
                    .into()
            }
            Error::EnvLine { .. } => "name the interpreter in the command: `INTERPRETER SCRIPT`".into(),
            Error::Shim(error) => error.help(),
            Error::TooManyShims { .. } => "give the program's full path".into(),
        }
    }
}

/// For the client of a container daemon: what to do, and why no grant changes it.
fn container() -> String {
    format!("{}: {}", Launcher::Docker.help(), Launcher::Docker.why_not())
}

const ONE_WORD: &str = "this is one word with blanks in it: give the command and each of its arguments as words of their own, \
                        without quotes around all of them";

/// Whether it looks like a whole command line.
fn is_line(word: &OsStr) -> bool {
    word.as_encoded_bytes().contains(&b' ')
}

const WINDOWS_LINE: &str = "the line ends with a carriage return: save the script with Unix line ends";

fn about(error: &program::Error) -> String {
    match error {
        program::Error::Missing { .. } => {
            "check the path; relative paths are relative to the working directory".into()
        }
        program::Error::Dangling { .. } => "install what the link leads to, or make it anew".into(),
        program::Error::Folder { .. } => "give the path of a program in it".into(),
        program::Error::NotRegular { .. } => "give the path of a program".into(),
        program::Error::NotExecutable { path, .. } => format!(
            "name the interpreter in the command, or make the file executable (`chmod +x {}`); a file system that is \
             mounted noexec executes nothing",
            path.display().to_string().escape_debug()
        ),
        program::Error::OutOfReach { .. } => "check the permissions of the folders on the way".into(),
        program::Error::Unreadable { .. } => {
            "a program has to be readable too, so that what it starts can be told beforehand".into()
        }
    }
}

fn not_found(
    name: &OsString,
    searched: &[PathBuf],
    script: Option<&PathBuf>,
    obstacle: Option<&program::Error>,
) -> String {
    let folders: Vec<_> = searched.iter().map(|folder| format!("{folder:?}")).collect();
    let folders = if folders.is_empty() { "no folder at all".into() } else { folders.join(", ") };
    let script =
        script.map_or(String::new(), |script| format!(", which the #! line of {script:?} asks for,"));
    match obstacle {
        None => format!("{name:?}{script} is not in PATH; searched: {folders}"),
        Some(obstacle) => {
            format!("{name:?}{script} is in PATH only as something else: {obstacle}; searched: {folders}")
        }
    }
}
