//! The [`Context`] of a profile that is only looked at: this user, this folder, no session.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::policy::directories::Directories;
use crate::policy::grant::Origin;
use crate::profile::context::{Command, Context};
use crate::profile::problem::Problem;

/// The longest `#!` line that the kernel reads (execve(2)).
const SHEBANG: u64 = 256;

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
    let variable = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = variable
        .or_else(|| passwd.clone())
        .ok_or_else(|| problem("HOME is not set, and the password file has no home either".into()))?;
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|cache| cache.is_absolute());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let command = match words.first() {
        Some(_) => Some(command(words, &path, &cwd)?),
        None => None,
    };
    Ok(Context {
        workspace: workspace.map(|workspace| cwd.join(workspace)),
        other_homes: passwd.into_iter().filter(|other| *other != home).collect(),
        cache: cache.unwrap_or_else(|| home.join(".cache")),
        home,
        cwd,
        path,
        program,
        directories: dirs.clone(),
        audit_dir: None,
        command,
        session: None,
    })
}

/// The command as `run` would find it: by path, or on PATH; with the interpreters of a script.
fn command(words: &[OsString], path: &OsString, cwd: &Path) -> Result<Command, Problem> {
    let name = words.first().cloned().unwrap_or_default();
    let found = if name.as_bytes().contains(&b'/') {
        Some(cwd.join(&name)).filter(|path| is_executable(path))
    } else {
        std::env::split_paths(path)
            .map(|folder| cwd.join(folder).join(&name))
            .find(|path| is_executable(path))
    };
    let Some(exe) = found else {
        let message = format!("there is no program `{}`", name.to_string_lossy());
        return Err(Problem::new(Origin::command_line(), message));
    };
    Ok(Command { argv: words.to_vec(), interpreters: interpreters(&exe, path), exe })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// What the kernel starts for a script; for `#!/usr/bin/env NAME`, what env then finds.
fn interpreters(exe: &Path, path: &OsString) -> Vec<PathBuf> {
    let mut line = Vec::new();
    let Ok(file) = File::open(exe) else { return Vec::new() };
    if BufReader::new(file.take(SHEBANG)).read_until(b'\n', &mut line).is_err() {
        return Vec::new();
    }
    let Some(line) = line.strip_prefix(b"#!") else { return Vec::new() };
    let mut parts = line
        .split(u8::is_ascii_whitespace)
        .filter(|part| !part.is_empty())
        .map(|part| PathBuf::from(std::ffi::OsStr::from_bytes(part)));
    let Some(first) = parts.next() else { return Vec::new() };
    let mut found = vec![first];
    if found[0].file_name().is_some_and(|name| name == "env")
        && let Some(name) = parts.find(|part| !part.as_os_str().as_bytes().starts_with(b"-"))
    {
        let program =
            std::env::split_paths(path).map(|folder| folder.join(&name)).find(|path| is_executable(path));
        found.extend(program);
    }
    found
}
