//! What paths are compared with: the folders of the policy, the server's working directory, and what is on the disk.
//!
//! The gate does no I/O, so whoever makes it brings the eyes: a [`Disk`] that follows symbolic links. What it says is
//! advice: the server resolves a path again, and Landlock decides then (landlock(7)).

use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::policy::network::Network;

/// Looks at paths for the gate.
pub trait Disk: Send + Sync {
    /// The path with every symbolic link followed, as far as it exists; the rest as it is written. `path` is absolute,
    /// and `..` in it goes to the parent of what stands before it, as the kernel reads it (path_resolution(7)).
    ///
    /// # Errors
    /// What the kernel says when a folder cannot be searched, or links lead nowhere.
    fn real(&self, path: &Path) -> io::Result<PathBuf>;

    /// Whether there is something at this absolute path.
    fn exists(&self, path: &Path) -> bool;
}

/// What the paths in arguments are compared with.
#[derive(Clone)]
pub struct Ground {
    /// Files and folders that the server may use, whatever for.
    pub granted: Vec<PathBuf>,
    /// The server's working directory, which relative paths begin at.
    pub cwd: PathBuf,
    /// The user's home, which `~` may mean.
    pub home: PathBuf,
    /// The hosts of the profile, for rules that name them.
    pub network: Network,
    /// Paths outside every grant are refused where no rule says anything else: `--env prod`.
    pub refuse_outside: bool,
    /// The eyes.
    pub disk: Arc<dyn Disk>,
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground")
            .field("granted", &self.granted)
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// Folders as they are written, and where they really are: looked at once, before the server could change anything.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Folders {
    written: Vec<PathBuf>,
    real: Vec<PathBuf>,
}

impl Folders {
    /// A folder that cannot be looked at holds nothing.
    pub(in crate::mcp) fn of<'p>(paths: impl IntoIterator<Item = &'p PathBuf>, disk: &dyn Disk) -> Self {
        let mut folders = Folders::default();
        for path in paths.into_iter().filter(|path| path.is_absolute()) {
            if let Ok(real) = disk.real(path) {
                folders.written.push(path.clone());
                folders.real.push(real);
            }
        }
        folders
    }

    /// Whether a path without `..` lies in one of them, going by its text.
    pub(in crate::mcp) fn name(&self, path: &Path) -> bool {
        self.written.iter().chain(&self.real).any(|folder| path.starts_with(folder))
    }

    /// Whether a real path lies in one of them.
    pub(super) fn hold(&self, real: &Path) -> bool {
        self.real.iter().any(|folder| real.starts_with(folder))
    }

    /// Whether a path leads into one of them, read in both ways that there are: the kernel takes `..` after following
    /// what stands before it, programs that normalise a path take it from the text.
    ///
    /// # Errors
    /// The path cannot be looked at.
    pub(in crate::mcp) fn reach(&self, path: &Path, disk: &dyn Disk) -> io::Result<bool> {
        let plain = normal(path);
        if !self.hold(&disk.real(&plain)?) {
            return Ok(false);
        }
        let climbs = path.components().any(|part| part == Component::ParentDir);
        Ok(!climbs || self.hold(&normal(&disk.real(path)?)))
    }
}

/// An absolute path without `.`, `..` and empty parts, going by its text alone.
pub(in crate::mcp) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::Normal(name) => normal.push(name),
            _ => {}
        }
    }
    normal
}

/// A ground for tests that are not about paths: nothing is granted, and the disk is empty.
#[cfg(test)]
pub(crate) fn bare() -> Ground {
    struct Empty;
    impl Disk for Empty {
        fn real(&self, path: &Path) -> io::Result<PathBuf> {
            Ok(normal(path))
        }
        fn exists(&self, _: &Path) -> bool {
            false
        }
    }
    Ground {
        granted: Vec::new(),
        cwd: "/work".into(),
        home: "/home/me".into(),
        network: Network::default(),
        refuse_outside: true,
        disk: Arc::new(Empty),
    }
}
