//! `lock.json` beside an installed tree: what was installed, how it is started, and every file of it.
//!
//! Written last: a tree without one was never finished, and is never used. The name of the folder is the digest of what
//! stands in it, so that neither a file nor this list can change alone.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::profile::packages::Registry;
use crate::store::package::{Package, prefix};
use crate::store::tree::{self, Entry};

/// Its name.
pub(crate) const NAME: &str = "lock.json";
/// The folder beside it.
pub(crate) const TREE: &str = "tree";
/// Largest file that is read.
const MAX_BYTES: u64 = 256 << 20;
/// Digits of a digest that name a folder.
const DIGITS: usize = 32;

/// How one program of a package is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// By what.
    pub(crate) by: Runtime,
    /// Options of that, from its `#!` line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) options: Vec<String>,
    /// Below the tree.
    pub(crate) file: String,
}

/// What runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Runtime {
    /// The first `node` on PATH.
    Node,
    /// The interpreter of the tree's own virtual environment.
    Python,
    /// Nothing: it is a program of the machine's own kind.
    Native,
}

/// One package of the tree, as its registry knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// The digest of its archive, as the registry and the package manager write it: checked when it was fetched.
    pub(crate) integrity: String,
}

/// What stands in it, but for the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    v: u32,
    registry: String,
    /// The package's name.
    pub(crate) package: String,
    /// Its version.
    pub(crate) version: String,
    /// What else was asked for.
    pub(crate) with: Vec<String>,
    /// The version of Python that was asked for.
    pub(crate) python: Option<String>,
    /// Programs by name.
    pub(crate) programs: BTreeMap<String, Program>,
    /// The one that is started when none is named.
    pub(crate) main: Option<String>,
    /// Everything that was fetched.
    pub(crate) packages: Vec<Source>,
}

/// A locked tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    /// What it is.
    pub(crate) head: Head,
    /// Its files.
    pub(crate) files: Vec<Entry>,
}

/// Why there is no lock to go by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what we wrote, or not for this folder.
    #[error("{}: {detail}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

impl Head {
    /// For a package that was installed.
    pub(crate) fn new(package: &Package, version: String) -> Head {
        Head {
            v: 1,
            registry: prefix(package.registry).to_owned(),
            package: package.name.clone(),
            version,
            with: Vec::new(),
            python: None,
            programs: BTreeMap::new(),
            main: None,
            packages: Vec::new(),
        }
    }

    /// The package.
    pub(crate) fn package(&self) -> Package {
        let registry = if self.registry == prefix(Registry::Npm) { Registry::Npm } else { Registry::PyPi };
        Package { registry, name: self.package.clone() }
    }

    /// The program of this name, or the package's own.
    pub(crate) fn program(&self, name: Option<&str>) -> Option<&Program> {
        self.programs.get(name.or(self.main.as_deref())?)
    }
}

impl Lock {
    /// What names its folder.
    pub(crate) fn digest(&self) -> String {
        // A struct of strings, maps and lists is always JSON.
        let head = serde_json::to_string(&self.head).unwrap_or_default();
        let mut digest = tree::digest(&head, &self.files);
        digest.truncate(DIGITS);
        digest
    }

    /// Writes it into a folder, whole and durable.
    ///
    /// # Errors
    /// The disk is full, or broken.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(NAME);
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            let mut out = io::BufWriter::new(&mut file);
            serde_json::to_writer(&mut out, self).map_err(io::Error::from)?;
            out.flush()?;
            drop(out);
            file.sync_all()
        };
        write().map_err(|source| Error::Unusable { path: path.clone(), source })
    }

    /// Reads the one of a folder, through the descriptor that the caller holds.
    ///
    /// # Errors
    /// It cannot be read, is none of ours, or belongs to another folder.
    pub(crate) fn read(folder: &Path, file: &File) -> Result<Lock, Error> {
        let path = folder.join(NAME);
        let unusable = |source| Error::Unusable { path: path.clone(), source };
        // As long as it says that it is: read in one go, and to its end all the same.
        let bytes = file.metadata().map_err(unusable)?.len().min(MAX_BYTES);
        let mut text = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(unusable)?;
        let broken = |detail: String| Error::Broken { path: path.clone(), detail };
        if text.len() as u64 > MAX_BYTES {
            return Err(broken(format!("more than {MAX_BYTES} bytes")));
        }
        let lock: Lock = serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        if lock.head.v != 1 {
            return Err(broken(format!("version {} is not known", lock.head.v)));
        }
        let named = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match lock.digest() == named {
            true => Ok(lock),
            false => Err(broken("it was changed: its digest is not the name of its folder".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lock() -> Lock {
        let package = Package { registry: Registry::Npm, name: "@a/b".into() };
        let mut head = Head::new(&package, "1.2.3".into());
        let program = Program { by: Runtime::Node, options: Vec::new(), file: "index.js".into() };
        head.programs.insert("b".into(), program);
        head.main = Some("b".into());
        Lock { head, files: Vec::new() }
    }

    #[test]
    fn a_lock_is_read_as_it_was_written_and_belongs_to_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join(lock().digest());
        let other = root.path().join("0".repeat(DIGITS));
        for folder in [&own, &other] {
            fs::create_dir(folder).unwrap();
            lock().write(folder).unwrap();
        }
        let read = |folder: &Path| Lock::read(folder, &File::open(folder.join(NAME)).unwrap());
        assert_eq!(read(&own).unwrap(), lock());
        assert!(matches!(read(&other), Err(Error::Broken { .. })));
    }

    #[test]
    fn an_edited_lock_is_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(lock().digest());
        fs::create_dir(&folder).unwrap();
        lock().write(&folder).unwrap();
        let file = folder.join(NAME);
        let text = fs::read_to_string(&file).unwrap().replace("index.js", "evil.js");
        fs::write(&file, text).unwrap();
        let error = Lock::read(&folder, &File::open(&file).unwrap()).unwrap_err();
        assert!(error.to_string().contains("was changed"), "{error}");
        fs::write(&file, "{").unwrap();
        assert!(Lock::read(&folder, &File::open(&file).unwrap()).is_err());
    }

    #[test]
    fn a_program_is_found_by_name_or_is_the_main_one() {
        let lock = lock();
        assert!(lock.head.program(None).is_some() && lock.head.program(Some("b")).is_some());
        assert!(lock.head.program(Some("c")).is_none());
    }
}
