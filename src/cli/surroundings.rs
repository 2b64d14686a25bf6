//! What the program finds around it: this user, this folder, its own folders, the server's command.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::policy::directories::Directories;
use crate::profile::context::{self, Context};
use crate::sandbox::command::{self, Command};
use crate::sandbox::search::Lookup;
use crate::sys::path;

/// What cannot be done without.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The current folder was removed.
    #[error("the current folder is gone: {0}")]
    Cwd(std::io::Error),
    /// `/proc/self/exe`.
    #[error("caponier cannot find its own program: {0}")]
    Program(std::io::Error),
    /// Neither HOME nor the password file.
    #[error("HOME is not set to an absolute path, and the password file has no home for this user either")]
    Home,
    /// `--workspace` is no folder.
    #[error("--workspace {}: there is no such folder", .0.display())]
    Workspace(PathBuf),
}

/// What to do where one of our folders cannot be made.
pub(in crate::cli) const OWN_FOLDERS: &str = "caponier keeps the log, packages and servers' folders below your HOME, or where \
                                              XDG_STATE_HOME and XDG_DATA_HOME say: you have to be able to write there";

impl Error {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Error::Cwd(_) => "change to a folder that exists",
            Error::Program(_) => {
                "/proc has to be mounted, and the program has to be where it was started from"
            }
            Error::Home => "set HOME",
            Error::Workspace(_) => "create it first, or name another one",
        }
    }
}

/// Everything outside a profile that it may look at.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where we were started.
    pub cwd: PathBuf,
    /// The user's home.
    pub home: PathBuf,
    other_homes: Vec<PathBuf>,
    cache: PathBuf,
    path: OsString,
    program: PathBuf,
    /// Our own folders.
    pub directories: Directories,
}

impl Surroundings {
    /// Looks around.
    ///
    /// # Errors
    /// Without a home there is no place for the log: exit status 78.
    pub fn find() -> Result<Surroundings, Error> {
        let cwd = std::env::current_dir().map_err(Error::Cwd)?;
        let program = std::env::current_exe().map_err(Error::Program)?;
        let passwd = User::from_uid(Uid::current()).ok().flatten().map(|user| user.dir);
        let variable = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let home = variable.or_else(|| passwd.clone()).ok_or(Error::Home)?;
        let directories = directories(&home);
        let cache = xdg::BaseDirectories::new().get_cache_home().unwrap_or_else(|| home.join(".cache"));
        Ok(Surroundings {
            other_homes: passwd.into_iter().filter(|other| *other != home).collect(),
            cache,
            path: std::env::var_os("PATH").unwrap_or_default(),
            program,
            directories,
            cwd,
            home,
        })
    }

    /// The same, had we been started elsewhere.
    pub fn at(&self, cwd: PathBuf) -> Surroundings {
        Surroundings { cwd, ..self.clone() }
    }

    /// The workspace: the folder that was asked for, else the current one.
    ///
    /// # Errors
    /// What was asked for is none.
    pub fn workspace(&self, asked: Option<&Path>) -> Result<PathBuf, Error> {
        let workspace = asked.map_or_else(|| self.cwd.clone(), |asked| self.cwd.join(asked));
        if asked.is_some() && !workspace.is_dir() {
            return Err(Error::Workspace(workspace));
        }
        Ok(workspace)
    }

    /// How commands are found.
    pub fn lookup(&self) -> Lookup {
        Lookup::new(self.cwd.clone(), std::env::vars_os())
    }

    /// The server's command, as `run` finds it.
    ///
    /// # Errors
    /// Exit status 126 or 127.
    pub fn command(
        &self,
        words: &[OsString],
        server_path: Option<OsString>,
    ) -> Result<Command, command::Error> {
        let mut lookup = self.lookup();
        if server_path.is_some() {
            lookup.server_path = server_path;
        }
        command::resolve(words, &lookup)
    }

    /// What a profile is resolved against.
    pub fn context(
        &self,
        workspace: Option<&Path>,
        command: Option<&Command>,
        session: Option<context::Session>,
        audit_dir: Option<&Path>,
    ) -> Context {
        Context {
            cwd: self.cwd.clone(),
            workspace: workspace.map(|workspace| self.cwd.join(workspace)),
            home: self.home.clone(),
            other_homes: self.other_homes.clone(),
            cache: self.cache.clone(),
            path: self.path.clone(),
            program: self.program.clone(),
            directories: self.directories.clone(),
            audit_dir: audit_dir.map(|dir| self.cwd.join(dir)),
            command: command.map(|command| context::Command {
                argv: command.argv.clone(),
                exe: command.path.clone(),
                interpreters: command.interpreters.iter().map(|it| it.path.clone()).collect(),
                loaders: command.loaders.iter().map(|it| it.path.clone()).collect(),
                script: command.script.as_ref().map(|it| it.path.clone()),
                launched: command.launched,
                project: command.project.clone(),
            }),
            session,
        }
    }

    /// Every home, by the kernel's name for it, whose secrets no server is ever granted.
    pub fn homes(&self) -> impl Iterator<Item = PathBuf> {
        std::iter::once(&self.home).chain(&self.other_homes).map(|home| {
            let found = path::look_through(home.as_os_str().as_encoded_bytes());
            found.and_then(|home| path::path_of(home.as_fd())).unwrap_or_else(|_| home.clone())
        })
    }
}

/// Our own folders, as the XDG base directory specification says; relative values count as not set.
fn directories(home: &Path) -> Directories {
    let base = xdg::BaseDirectories::with_prefix("caponier");
    let or = |found: Option<PathBuf>, fallback: &str| {
        found.unwrap_or_else(|| home.join(fallback).join("caponier"))
    };
    let state = or(base.get_state_home(), ".local/state");
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    Directories {
        config: or(base.get_config_home(), ".config"),
        data: or(base.get_data_home(), ".local/share"),
        runtime: runtime.map_or_else(|| state.join("run"), |dir| dir.join("caponier")),
        state,
    }
}
