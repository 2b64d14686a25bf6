//! Shims of version managers, resolved by reading their layout and never by running them.
//!
//! A shim is a small program (mostly a shell script) that picks an installed version and executes it. Running it in
//! the pen would need a shell; so the choice is made here, from the same files and variables. Invariants: nothing is
//! executed; every file that is read has a cap and is a regular file; a version that a file names can only choose
//! among what is installed below the version manager's own root.
//!
//! Rests on the version managers' own sources: pyenv 2.5 (`libexec/pyenv-which`, `pyenv-version-name`), nodenv and
//! rbenv (the same layout), asdf 0.18 (`internal/shims`, `internal/resolve`), mise (`src/shims.rs`, configuration
//! reference), volta 2 (`volta-layout` v4, `run/binary.rs`), distlib and uv (console scripts).

mod asdf;
mod env_family;
mod layout;
mod mise;
pub mod trampoline;
mod versions;
mod volta;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::sandbox::program::Program;
use crate::sandbox::search::{self, Lookup};

/// Version managers whose shims are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// pyenv.
    Pyenv,
    /// nodenv.
    Nodenv,
    /// rbenv.
    Rbenv,
    /// asdf.
    Asdf,
    /// mise.
    Mise,
    /// volta.
    Volta,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Pyenv => "pyenv",
            Family::Nodenv => "nodenv",
            Family::Rbenv => "rbenv",
            Family::Asdf => "asdf",
            Family::Mise => "mise",
            Family::Volta => "volta",
        })
    }
}

/// Who chose a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// Nobody: it is the only one installed.
    OnlyOne,
    /// Nobody: without a choice the version manager stands aside.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path) => write!(f, "{path:?}"),
            Origin::Variable(name) => write!(f, "the environment variable {name}"),
            Origin::OnlyOne => f.write_str("being the only one installed"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A shim that was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shim {
    /// Whose it is.
    pub family: Family,
    /// The shim, as it was found.
    pub path: PathBuf,
    /// The version that was chosen; `system` when the version manager stands aside.
    pub version: String,
    /// Who chose it.
    pub origin: Origin,
}

/// Why a shim could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A version is demanded that is not there.
    #[error(
        "{family} is told to use version {version:?} for `{name}` (set by {origin}), which is not installed; installed: {}",
        list(.installed)
    )]
    NotInstalled {
        /// Whose shim.
        family: Family,
        /// The program.
        name: String,
        /// The version demanded.
        version: String,
        /// Who demanded it.
        origin: Origin,
        /// What is installed.
        installed: Vec<String>,
    },
    /// Versions are installed, and nothing says which.
    #[error("{family} has no version set for `{name}` here, and more than one to choose from: {}", list(.installed))]
    NoVersion {
        /// Whose shim.
        family: Family,
        /// The program.
        name: String,
        /// What is installed.
        installed: Vec<String>,
    },
    /// The chosen version has no such program.
    #[error("`{name}` is not part of {family}'s version {} (set by {origin}); it is part of: {}", list(.versions), list(.elsewhere))]
    NoProgram {
        /// Whose shim.
        family: Family,
        /// The program.
        name: String,
        /// The versions that were chosen.
        versions: Vec<String>,
        /// Who chose them.
        origin: Origin,
        /// Versions that have the program.
        elsewhere: Vec<String>,
    },
    /// A file of the layout cannot be used.
    #[error("{path:?} {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is the matter with it.
        why: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Error::NotInstalled { family, origin, .. } => {
                format!(
                    "install it with {family}, choose an installed version in {origin}, or give the program's full path"
                )
            }
            Error::NoVersion { family, .. } => {
                format!("choose a version with {family} for this folder, or give the program's full path")
            }
            Error::NoProgram { family, .. } => {
                format!("choose a version that has it with {family}, or give the program's full path")
            }
            Error::Unusable { .. } => "mend the file, or give the program's full path".into(),
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// What a shim stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The program.
    pub path: PathBuf,
    /// How it was chosen.
    pub shim: Shim,
    /// Folders that the version manager would put at the head of `PATH`, the program's own first.
    pub path_first: Vec<PathBuf>,
}

/// A shim that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    family: Family,
    /// The folder of the version manager.
    root: PathBuf,
    /// The name that it was called by.
    name: OsString,
    path: PathBuf,
}

/// Whether a program is a shim, by where it lies, what it links to and what it says.
pub fn recognise(program: &Program) -> Option<Recognised> {
    let name = program.path.file_name()?.to_owned();
    let (family, root) = volta::recognise(program)
        .or_else(|| mise::recognise(program))
        .or_else(|| in_shims_folder(program))?;
    Some(Recognised { family, root, name, path: program.path.clone() })
}

/// pyenv and asdf keep scripts in `ROOT/shims`; a link to one from elsewhere is one too.
fn in_shims_folder(program: &Program) -> Option<(Family, PathBuf)> {
    let root =
        [&program.path, &program.target].into_iter().find_map(|path| layout::root_of(path, "shims"))?;
    let text = layout::read(&program.target).ok()??;
    let family = asdf::recognise(&text).or_else(|| env_family::recognise(&text))?;
    Some((family, root.to_owned()))
}

impl Recognised {
    /// Finds what it stands for; `folders` is where to go on when the version manager stands aside.
    ///
    /// # Errors
    /// When the version is missing or unclear, or a file of the layout cannot be used.
    pub fn resolve(&self, lookup: &Lookup, folders: &[PathBuf]) -> Result<Resolved, Error> {
        match self.family {
            Family::Pyenv => env_family::PYENV.resolve(self, lookup, folders),
            Family::Nodenv => env_family::NODENV.resolve(self, lookup, folders),
            Family::Rbenv => env_family::RBENV.resolve(self, lookup, folders),
            Family::Asdf => asdf::resolve(self, lookup, folders),
            Family::Mise => mise::resolve(self, lookup, folders),
            Family::Volta => volta::resolve(self, lookup, folders),
        }
    }

    fn found(&self, path: PathBuf, version: &str, origin: Origin) -> Resolved {
        let path_first = path.parent().map(Path::to_owned).into_iter().collect();
        let shim = Shim { family: self.family, path: self.path.clone(), version: version.into(), origin };
        Resolved { path, shim, path_first }
    }

    /// The next program of this name that is not this shim.
    fn system(&self, folders: &[PathBuf], origin: &Origin) -> Option<Resolved> {
        let shims = self.path.parent();
        let others: Vec<_> =
            folders.iter().filter(|folder| Some(folder.as_path()) != shims).cloned().collect();
        let next = search::find(&self.name, &others).ok()?;
        Some(self.found(next.path, "system", origin.clone()))
    }

    fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    fn not_installed(&self, version: &str, origin: Origin, installed: Vec<String>) -> Error {
        Error::NotInstalled {
            family: self.family,
            name: self.name(),
            version: version.into(),
            origin,
            installed,
        }
    }

    fn no_program(&self, versions: Vec<String>, origin: Origin, elsewhere: Vec<String>) -> Error {
        Error::NoProgram { family: self.family, name: self.name(), versions, origin, elsewhere }
    }

    fn unusable(&self, path: &Path, why: &str) -> Error {
        Error::Unusable { path: path.to_owned(), why: why.into() }
    }

    /// `folder/NAME`, when it can be executed.
    fn program_in(&self, folder: &Path) -> Option<PathBuf> {
        layout::program_in(folder, OsStr::new(&self.name))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    //! Layouts in a temporary folder, for the tests of every family.

    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A home with a project in it, and the system's own programs beside it.
    pub(crate) struct Layout {
        folder: tempfile::TempDir,
        pub(crate) lookup: Lookup,
    }

    impl Layout {
        pub(crate) fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().to_owned();
            fs::create_dir_all(root.join("project/below")).unwrap();
            fs::create_dir_all(root.join("system")).unwrap();
            let lookup = Lookup { cwd: root.join("project/below"), home: Some(root), ..Lookup::default() };
            Layout { folder, lookup }
        }

        pub(crate) fn at(&self, path: &str) -> PathBuf {
            self.folder.path().join(path)
        }

        pub(crate) fn file(&self, path: &str, content: &str) -> PathBuf {
            let path = self.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            path
        }

        pub(crate) fn program(&self, path: &str) -> PathBuf {
            self.script(path, "#!/bin/true\n")
        }

        pub(crate) fn script(&self, path: &str, content: &str) -> PathBuf {
            let path = self.file(path, content);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        }

        pub(crate) fn link(&self, path: &str, to: &str) -> PathBuf {
            let path = self.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(to, &path).unwrap();
            path
        }

        pub(crate) fn set(&mut self, name: &str, value: &str) {
            self.lookup.variables.insert(name.into(), value.into());
        }

        /// Resolves a shim, with its folder and `system` on the `PATH`.
        pub(crate) fn resolve(&self, shim: &Path) -> Result<Resolved, Error> {
            let recognised = recognise(&Program::open(shim).unwrap()).expect("a shim");
            recognised.resolve(&self.lookup, &[shim.parent().unwrap().to_owned(), self.at("system")])
        }
    }

    #[test]
    fn an_ordinary_program_is_no_shim() {
        let layout = Layout::new();
        for path in ["bin/node", "shims/node"] {
            assert_eq!(recognise(&Program::open(&layout.program(path)).unwrap()), None, "{path}");
        }
    }
}
