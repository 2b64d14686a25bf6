//! What a profile is resolved against: the command, the folders of the user and of the session. Filled by the caller,
//! so that nothing below reads the environment: no variable of it can loosen a policy behind the caller's back.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::policy::directories::Directories;

/// Everything outside the profile that its variables and checks look at. All paths are absolute.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where we were started.
    pub cwd: PathBuf,
    /// `--workspace`; without it, the workspace is `cwd`.
    pub workspace: Option<PathBuf>,
    /// The user's HOME, for `~/` and `${home}`.
    pub home: PathBuf,
    /// More homes whose secrets are refused: the one of the password file, when HOME says otherwise.
    pub other_homes: Vec<PathBuf>,
    /// `$XDG_CACHE_HOME`, for `${xdg.cache}`.
    pub cache: PathBuf,
    /// PATH: where programs are looked up by name. Relative folders in it are not searched.
    pub path: OsString,
    /// Our own executable, which no server may write.
    pub program: PathBuf,
    /// Our own folders.
    pub directories: Directories,
    /// `--audit-dir`, when it is given.
    pub audit_dir: Option<PathBuf>,
    /// The server's command; `None` while a profile is only shown: `${server.*}` then stays as written.
    pub command: Option<Command>,
    /// The session's folders; `None` while a profile is only shown.
    pub session: Option<Session>,
}

/// The server's command, resolved.
#[derive(Debug, Clone)]
pub struct Command {
    /// Its words as they are executed, the program first.
    pub argv: Vec<OsString>,
    /// The program as it was found: absolute, symlinks not followed.
    pub exe: PathBuf,
    /// For a `#!` script, what the kernel starts for it, in order (`/usr/bin/env`, `/usr/bin/node`); else empty.
    pub interpreters: Vec<PathBuf>,
    /// The dynamic loaders of all these programs.
    pub loaders: Vec<PathBuf>,
    /// A console script that became an argument of its interpreter (`exe`).
    pub script: Option<PathBuf>,
    /// How many words behind the program are a launcher's (`-y PACKAGE`), and not yet the server's.
    pub launched: usize,
    /// The folder of the project that it belongs to, where a launcher's line says that.
    pub project: Option<PathBuf>,
}

/// Folders that belong to the server. The plan makes them writable; no profile needs to.
#[derive(Debug, Clone)]
pub struct Session {
    /// TMPDIR.
    pub tmp: PathBuf,
    /// HOME when `process.home = "session"`.
    pub session_home: PathBuf,
    /// HOME when `process.home = "private"`.
    pub private_home: PathBuf,
    /// The cache that lasts, for the profiles that have one (`process.execute_writable`).
    pub cache: PathBuf,
}

impl Context {
    /// Every home whose secrets are refused.
    pub(super) fn homes(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.home).chain(&self.other_homes).map(PathBuf::as_path)
    }
}
