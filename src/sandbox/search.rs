//! Where a command is looked for: `PATH`, the working directory, and the variables that version managers obey.
//!
//! Invariant: two searches, two lists. The *user's* command is found as a shell would find it, relative elements and
//! all (POSIX.1 XBD 8.3); what the *server* will look up later (`#!/usr/bin/env node`) is found on the list that the
//! server gets, which holds absolute folders only. Neither runs anything.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::sandbox::program::{self, Program};

/// Where programs are when there is no `PATH`.
pub const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Prefixes of the variables that version managers obey; no other variable is kept.
const VERSION_MANAGERS: &[&str] = &["ASDF_", "MISE_", "NODENV_", "PYENV_", "RBENV_", "VOLTA_", "XDG_"];

/// What the search for a command depends on. Deliberately not `Debug`: it holds values of the environment.
#[derive(Clone, Default)]
pub struct Lookup {
    /// The value of `PATH`; `None` when it is not set.
    pub path: Option<OsString>,
    /// `env.set.PATH` of the profile, when it has one: what the server will find instead.
    pub server_path: Option<OsString>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The user's real home.
    pub home: Option<PathBuf>,
    /// Variables of version managers.
    pub variables: BTreeMap<OsString, OsString>,
}

impl Lookup {
    /// From a process environment. The first of two variables of one name counts, as for `getenv(3)`.
    pub fn new(cwd: PathBuf, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut lookup = Lookup { cwd, ..Lookup::default() };
        for (name, value) in environment {
            match name.as_bytes() {
                b"PATH" => _ = lookup.path.get_or_insert(value),
                b"HOME" if value.is_empty() => {}
                b"HOME" => _ = lookup.home.get_or_insert(value.into()),
                other if VERSION_MANAGERS.iter().any(|prefix| other.starts_with(prefix.as_bytes())) => {
                    lookup.variables.entry(name).or_insert(value);
                }
                _ => {}
            }
        }
        lookup
    }

    /// A variable of a version manager; an empty one counts as not set, as it does for all of them.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The folders in which the user's command is looked for.
    pub fn folders(&self) -> Vec<PathBuf> {
        elements(self.path.as_deref()).map(|element| self.absolute(element)).collect()
    }

    /// The folders in which the server will look, `first` before the rest.
    pub fn server_folders(&self, first: &[PathBuf]) -> Vec<PathBuf> {
        let path = self.server_path.as_deref().or(self.path.as_deref());
        first.iter().cloned().chain(absolute_elements(path)).collect()
    }

    /// A path made absolute against the working directory, `.` removed; `..` and links are left as they are.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.cwd.join(path).components().filter(|part| *part != Component::CurDir).collect()
    }
}

/// The absolute elements of a `PATH`, in order: those that mean the same wherever the server goes.
pub fn absolute_elements(path: Option<&OsStr>) -> impl Iterator<Item = PathBuf> {
    elements(path).filter(|element| element.is_absolute()).map(Path::to_owned)
}

/// An empty element means the working directory.
fn elements(path: Option<&OsStr>) -> impl Iterator<Item = &Path> {
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    path.as_bytes().split(|byte| *byte == b':').map(|element| Path::new(OsStr::from_bytes(element)))
}

/// The first program of this name; `Err` carries what stood in the way and could not be executed, when something did.
///
/// As `execvp(3)` does it: what is missing, a folder or not executable is passed over.
///
/// # Errors
/// The first obstacle, when there is no program.
pub fn find(name: &OsStr, folders: &[PathBuf]) -> Result<Program, Option<program::Error>> {
    let mut obstacle = None;
    for folder in folders {
        match Program::open(&folder.join(name)) {
            Ok(found) => return Ok(found),
            // A folder that we may not search says nothing about the program; a shell passes it over too.
            Err(error) if error.is_missing() || matches!(error, program::Error::OutOfReach { .. }) => {}
            Err(error) => obstacle = obstacle.or(Some(error)),
        }
    }
    Err(obstacle)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn lookup(path: &str) -> Lookup {
        Lookup { path: Some(path.into()), cwd: "/work".into(), ..Lookup::default() }
    }

    #[test]
    fn an_empty_element_is_the_working_directory() {
        assert_eq!(lookup("/a::b:").folders(), ["/a", "/work", "/work/b", "/work"].map(PathBuf::from));
        assert_eq!(lookup("").folders(), [PathBuf::from("/work")]);
    }

    #[test]
    fn without_a_path_there_is_a_default() {
        let lookup = Lookup::default();
        assert_eq!(lookup.folders(), ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from));
        assert_eq!(lookup.server_folders(&[]), lookup.folders());
    }

    #[test]
    fn the_server_gets_absolute_folders_only() {
        assert_eq!(
            lookup("/a::b:/c").server_folders(&["/first".into()]),
            ["/first", "/a", "/c"].map(PathBuf::from)
        );
        let set = Lookup { server_path: Some("/set:x".into()), ..lookup("/a") };
        assert_eq!(set.server_folders(&[]), [PathBuf::from("/set")]);
    }

    #[test]
    fn only_the_variables_of_version_managers_are_kept() {
        let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let environment = [
            pair("PATH", "/first"),
            pair("PATH", "/second"),
            pair("HOME", "/home/me"),
            pair("PYENV_VERSION", "3.11"),
            pair("ASDF_NODEJS_VERSION", ""),
            pair("GITHUB_TOKEN", "secret"),
        ];
        let lookup = Lookup::new("/".into(), environment);
        assert_eq!(lookup.path.as_deref(), Some(OsStr::new("/first")));
        assert_eq!(lookup.home.as_deref(), Some(Path::new("/home/me")));
        assert_eq!(lookup.variable("PYENV_VERSION"), Some(OsStr::new("3.11")));
        assert_eq!(lookup.variable("ASDF_NODEJS_VERSION"), None);
        assert!(!lookup.variables.contains_key(OsStr::new("GITHUB_TOKEN")));
    }

    #[test]
    fn what_cannot_be_executed_is_passed_over_and_remembered() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "c"].map(|name| root.path().join(name));
        fs::create_dir_all(folders[0].join("tool")).unwrap();
        fs::create_dir_all(&folders[1]).unwrap();
        let obstacle = find(OsStr::new("tool"), &folders).unwrap_err();
        assert!(matches!(obstacle, Some(program::Error::Folder { .. })));
        assert!(find(OsStr::new("other"), &folders).unwrap_err().is_none());
        std::os::unix::fs::symlink("circle", folders[1].join("circle")).unwrap();
        assert!(find(OsStr::new("circle"), &folders).unwrap_err().is_none(), "out of reach is not there");
        let tool = folders[1].join("tool");
        fs::write(&tool, "#!/bin/true\n").unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(OsStr::new("tool"), &folders).unwrap().path, tool);
    }
}
