//! The [`Context`] of a profile that is only looked at: this user, this folder, no session.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::policy::directories::Directories;
use crate::policy::grant::Origin;
use crate::profile::context::{Command, Context};
use crate::profile::problem::Problem;
use crate::sandbox::command;
use crate::sandbox::search::Lookup;

/// Everything outside the profile, from the environment of this process.
pub(super) fn context(
    dirs: &Directories,
    workspace: Option<&Path>,
    words: &[OsString],
) -> Result<Context, Problem> {
    let problem = |message: String| Problem::new(Origin::command_line(), message);
    let cwd =
        std::env::current_dir().map_err(|error| problem(format!("the current folder is gone: {error}")))?;
    let program =
        std::env::current_exe().map_err(|error| problem(format!("caponier cannot find itself: {error}")))?;
    let passwd = User::from_uid(Uid::current()).ok().flatten().map(|user| user.dir);
    let home = folder("HOME")
        .or_else(|| passwd.clone())
        .ok_or_else(|| problem("HOME is not set, and the password file has no home either".into()))?;
    let lookup = Lookup::new(cwd.clone(), std::env::vars_os());
    let command = if words.is_empty() { None } else { Some(resolve(words, &lookup)?) };
    Ok(Context {
        workspace: workspace.map(|workspace| cwd.join(workspace)),
        other_homes: passwd.into_iter().filter(|other| *other != home).collect(),
        cache: folder("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache")),
        home,
        cwd,
        path: std::env::var_os("PATH").unwrap_or_default(),
        program,
        directories: dirs.clone(),
        audit_dir: None,
        command,
        session: None,
    })
}

fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute())
}

/// The command as `run` would start it.
fn resolve(words: &[OsString], lookup: &Lookup) -> Result<Command, Problem> {
    let found = command::resolve(words, lookup)
        .map_err(|error| Problem::new(Origin::command_line(), error.to_string()).help(error.help()))?;
    Ok(Command {
        argv: found.argv,
        exe: found.path,
        interpreters: found.interpreters.into_iter().map(|program| program.path).collect(),
        loaders: found.loaders.into_iter().map(|program| program.path).collect(),
        script: found.script.map(|script| script.path),
    })
}
