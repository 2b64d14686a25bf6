//! From entries to grants: variables expanded, programs found by name, arguments and flags added.
//!
//! Every grant is absolute and has no `..`; each path stands once per kind of access.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::policy::PathArguments;
use crate::policy::grant::{Access, Grant, Origin};
use crate::profile::context::Context;
use crate::profile::entry::Entry;
use crate::profile::packages::Registry;
use crate::profile::problem::{Code, Problem, Warning};
use crate::profile::runtime;
use crate::profile::suggest;
use crate::profile::variables::{self, Expansion, Variables, shown};

/// What the flags of `run` add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--read`.
    pub read: Vec<PathBuf>,
    /// `--write`.
    pub write: Vec<PathBuf>,
    /// `--exec`.
    pub execute: Vec<PathBuf>,
    /// `--host`.
    pub host: Vec<String>,
    /// `--no-resolve`: the launcher that is run as it is, by where its packages come from.
    pub launcher: Option<Registry>,
    /// `--pass-env`: whatever the profile says of these names gives way; the caller passes them on itself.
    pub pass_env: Vec<String>,
}

/// The three lists, and what was noticed on the way.
#[derive(Debug, Default)]
pub(super) struct Grants {
    pub read: Vec<Grant>,
    pub write: Vec<Grant>,
    pub execute: Vec<Grant>,
    /// What may be written and executed: in none of the lists above, for it is judged by a law of its own.
    pub written: Vec<Grant>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Warning>,
}

impl Grants {
    /// The list of one kind.
    pub(super) fn of(&mut self, access: Access) -> &mut Vec<Grant> {
        match access {
            Access::Read => &mut self.read,
            Access::Write => &mut self.write,
            Access::Execute => &mut self.execute,
        }
    }

    /// All grants with their kinds.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Access, &Grant)> {
        let kind = |access| move |grant| (access, grant);
        self.read
            .iter()
            .map(kind(Access::Read))
            .chain(self.write.iter().map(kind(Access::Write)))
            .chain(self.execute.iter().map(kind(Access::Execute)))
    }

    /// Adds the entries of one list.
    pub(super) fn entries(
        &mut self,
        access: Access,
        entries: &[Entry],
        variables: &Variables<'_>,
        context: &Context,
    ) {
        for entry in entries {
            match expand(access, entry, variables, context) {
                Ok(Some(path)) => self.of(access).push(Grant {
                    path,
                    reason: entry.reason.clone(),
                    optional: entry.optional,
                    origin: entry.path.origin.clone(),
                }),
                Ok(None) => {}
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    /// Adds what the command needs to start at all: the program, and what runs it when it is a script.
    pub(super) fn command(&mut self, context: &Context) {
        let Some(command) = &context.command else { return };
        let grant = |path: &PathBuf, reason: &str| Grant {
            path: path.clone(),
            reason: Some(reason.into()),
            optional: false,
            origin: Origin::caponier(),
        };
        let programs = std::iter::once(&command.exe).chain(&command.interpreters).chain(&command.loaders);
        self.execute.extend(programs.map(|path| grant(path, "the command that is run")));
        self.read.extend(command.script.iter().map(|path| grant(path, "the script that is run")));
    }

    /// Adds the flags of `run`.
    pub(super) fn flags(&mut self, flags: &Flags, context: &Context) {
        for (access, paths) in
            [(Access::Read, &flags.read), (Access::Write, &flags.write), (Access::Execute, &flags.execute)]
        {
            for path in paths {
                match absolute(context.cwd.join(path).as_os_str()) {
                    Ok(path) => self.of(access).push(Grant {
                        path,
                        reason: Some(format!("{} on the command line", access.flag())),
                        optional: false,
                        origin: Origin::command_line(),
                    }),
                    Err(why) => {
                        let message = format!("{} `{}` {why}", access.flag(), shown(path.as_os_str()));
                        self.problems.push(Problem::new(Origin::command_line(), message));
                    }
                }
            }
        }
    }

    /// Adds the absolute path arguments of the server: `/abs` and `--flag=/abs`.
    ///
    /// A word of its own that names nothing is an error, for it is most likely a folder that is meant to be there;
    /// after `--flag=` it may as well be the path of a URL, so it only gets a warning. So does a relative path.
    pub(super) fn arguments(&mut self, kind: PathArguments, variables: &Variables<'_>, context: &Context) {
        let access = match kind {
            PathArguments::Read => Access::Read,
            PathArguments::Write => Access::Write,
        };
        for argument in variables.arguments() {
            let Some((path, whole)) = path_in(argument) else {
                self.relative(argument, context);
                continue;
            };
            let exists = Path::new(path).symlink_metadata().is_ok();
            match absolute(path) {
                Ok(path) if exists => self.of(access).push(Grant {
                    path,
                    reason: Some(format!("argument `{}` of the command", shown(argument))),
                    optional: false,
                    origin: Origin::command_line(),
                }),
                Err(why) if exists => {
                    let message = format!("argument `{}` {why}", shown(argument));
                    self.problems.push(Problem::new(Origin::command_line(), message));
                }
                _ if whole => {
                    let message = format!("argument `{}` of the command does not exist", shown(argument));
                    let help = format!("create it first; the profile makes it a `{}` grant", access.key());
                    self.problems.push(Problem::new(Origin::command_line(), message).help(help));
                }
                _ => self.not_granted(argument, "names nothing that exists, so it grants nothing"),
            }
        }
    }

    fn relative(&mut self, argument: &OsStr, context: &Context) {
        let is_option = argument.as_bytes().starts_with(b"-");
        if !is_option && !argument.is_empty() && context.cwd.join(argument).is_dir() {
            self.not_granted(argument, "is a relative path, so it grants nothing");
        }
    }

    fn not_granted(&mut self, argument: &OsStr, why: &str) {
        let message = format!("argument `{}` of the command {why}", shown(argument));
        let warning = Warning::new(Origin::command_line(), Code::ArgumentNotGranted, message);
        self.warnings.push(warning.help("write the absolute path of a folder that exists"));
    }

    /// Sorts each list and keeps every path once: the strictest about existence first, then the one with a reason.
    pub(super) fn settle(&mut self) {
        for access in [Access::Read, Access::Write, Access::Execute] {
            let list = self.of(access);
            list.sort_by(|a, b| key(a).cmp(&key(b)));
            list.dedup_by(|next, kept| next.path == kept.path);
        }
    }
}

fn key(grant: &Grant) -> (&Path, bool, bool, &Option<String>, &Origin) {
    (&grant.path, grant.optional, grant.reason.is_none(), &grant.reason, &grant.origin)
}

/// The path of one entry; `None` when it is optional and its variable has no value.
fn expand(
    access: Access,
    entry: &Entry,
    variables: &Variables<'_>,
    context: &Context,
) -> Result<Option<PathBuf>, Problem> {
    if access == Access::Execute && !entry.path.value.contains(['/', '$', '~']) {
        return by_name(entry, context);
    }
    expand_path(entry, variables, context)
}

/// The same for an entry that is a path and never a bare name.
pub(super) fn expand_path(
    entry: &Entry,
    variables: &Variables<'_>,
    context: &Context,
) -> Result<Option<PathBuf>, Problem> {
    let written = &entry.path.value;
    let at = |message: String| Problem::new(entry.path.origin.clone(), message);
    let text = match variables.path(written) {
        Ok(Expansion::Text(text)) => text,
        Ok(Expansion::Later) => return Ok(Some(PathBuf::from(written))),
        Err(variables::Error::Absent { .. }) if entry.optional => return Ok(None),
        Err(error) => {
            let problem = at(format!("`{}`: {error}", written.escape_debug()));
            return Err(match error.help() {
                Some(help) => problem.help(help),
                None => problem,
            });
        }
    };
    match absolute(&text) {
        Ok(path) => Ok(Some(path)),
        Err(why) => {
            let problem = at(format!("`{}` {why}", written.escape_debug()));
            Err(match context.cwd.join(&text).exists() && !text.is_empty() {
                true => problem.help(format!("perhaps `${{workspace}}/{}`", shown(&text))),
                false => problem,
            })
        }
    }
}

/// A program by its name alone: the first on PATH.
fn by_name(entry: &Entry, context: &Context) -> Result<Option<PathBuf>, Problem> {
    let name = &entry.path.value;
    match runtime::program(name, context) {
        Some(path) => Ok(Some(path)),
        None if entry.optional => Ok(None),
        None => {
            let message = format!("there is no program `{}` on PATH", name.escape_debug());
            let help = match suggest::nearest(name, ["${runtime.node}", "${runtime.python}", "${runtime.uv}"])
            {
                Some(near) => format!("did you mean `{near}`?"),
                None => "install it, give its absolute path, or mark the entry `optional = true`".into(),
            };
            Err(Problem::new(entry.path.origin.clone(), message).help(help))
        }
    }
}

/// A path that can be granted: absolute, without `..`, which would mean another folder behind a symlink.
fn absolute(text: &OsStr) -> Result<PathBuf, &'static str> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err("is not an absolute path");
    }
    if text.as_bytes().contains(&0) {
        return Err("has a NUL byte in it");
    }
    if path.components().any(|component| component == Component::ParentDir) {
        return Err("has `..` in it");
    }
    Ok(path.components().collect())
}

/// The absolute path in an argument, and whether the argument is nothing else.
fn path_in(argument: &OsString) -> Option<(&OsStr, bool)> {
    let bytes = argument.as_bytes();
    if bytes.starts_with(b"/") {
        return Some((argument, true));
    }
    let at = bytes.iter().position(|byte| *byte == b'=')?;
    let value = &bytes[at + 1..];
    (bytes.starts_with(b"-") && value.starts_with(b"/")).then(|| (OsStr::from_bytes(value), false))
}
