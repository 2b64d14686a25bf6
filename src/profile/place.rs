//! Where a path really is: every symlink walked one by one, and the (device, inode) pairs from there up to the root.
//!
//! Landlock compares inodes on the way up, not strings (landlock(7)); so do we. A prefix of text says nothing:
//! `/srv/app` is no prefix of `/srv/app-secret`, and a link or a bind mount makes two texts one folder. The walk also
//! tells in which folders symlinks stood, so that a link that a server could have planted is not followed.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// Symlinks followed in one path before it counts as a loop (as the kernel does, path_resolution(7)).
const MAX_LINKS: usize = 40;

/// What names one file or folder for as long as it exists.
pub(super) type Inode = (u64, u64);

/// A path with its symlinks followed, as far as it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Followed {
    /// The real path; the parts that do not exist are kept as they were written.
    pub path: PathBuf,
    /// How many parts at the end do not exist.
    pub missing: usize,
    /// The folders (real paths) in which a symlink was met.
    pub links: Vec<PathBuf>,
}

/// Follows every symlink of an absolute or relative path; see [`Places::follow`].
///
/// # Errors
/// As [`Places::follow`].
pub(super) fn follow(path: &Path) -> io::Result<Followed> {
    Places::default().follow(path)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

/// A path as Landlock sees it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The real path.
    pub path: PathBuf,
    /// The inodes from the nearest thing that exists up to the root; never empty.
    chain: Vec<Inode>,
    /// The parts below it that do not exist (yet).
    tail: Vec<OsString>,
    /// The folders in which a symlink was met on the way.
    pub links: Vec<PathBuf>,
    /// What it is, when it exists.
    pub metadata: Option<Metadata>,
}

impl Place {
    /// Whether it exists.
    pub(super) fn exists(&self) -> bool {
        self.tail.is_empty()
    }

    /// Whether it exists and is a folder.
    pub(super) fn is_folder(&self) -> bool {
        self.metadata.as_ref().is_some_and(Metadata::is_dir)
    }

    /// Whether a rule on `self` reaches `other`: it is the same, or lies above it.
    pub(super) fn covers(&self, other: &Place) -> bool {
        if self.exists() {
            other.chain.contains(&self.chain[0])
        } else {
            self.chain[0] == other.chain[0] && other.tail.starts_with(&self.tail)
        }
    }

    /// How far above `other` this is, for finding the nearest of several rules; `None` when it does not cover it.
    pub(super) fn distance(&self, other: &Place) -> Option<usize> {
        if !self.covers(other) {
            return None;
        }
        let up = other.chain.iter().position(|inode| *inode == self.chain[0])?;
        Some(up + other.tail.len() - self.tail.len())
    }
}

/// Places, looked at once: the paths of one policy share most of their parents.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// What is at a path whose parents are no symlinks; `None` for nothing. By the bytes of the path: comparing
    /// paths part by part was half the time of resolving a profile.
    seen: RefCell<HashMap<OsString, Option<Seen>>>,
}

/// One look at something that exists.
#[derive(Debug, Clone)]
struct Seen {
    metadata: Metadata,
    /// Where it leads, when it is a symlink.
    target: Option<PathBuf>,
}

impl Places {
    /// Where `path` is.
    ///
    /// # Errors
    /// As [`Places::follow`].
    pub(super) fn find(&self, path: &Path) -> io::Result<Place> {
        let Followed { path, missing, links } = self.follow(path)?;
        let anchor = path.ancestors().nth(missing).unwrap_or(Path::new("/"));
        let tail: Vec<OsString> = path.iter().skip(anchor.iter().count()).map(ToOwned::to_owned).collect();
        let mut chain = Vec::new();
        for above in anchor.ancestors() {
            let inode =
                self.look(above, |seen| seen.map(|seen| (seen.metadata.dev(), seen.metadata.ino())))?;
            chain.push(inode.ok_or(io::ErrorKind::NotFound)?);
        }
        let metadata = if missing == 0 {
            self.look(&path, |seen| seen.map(|seen| seen.metadata.clone()))?
        } else {
            None
        };
        Ok(Place { path, chain, tail, links, metadata })
    }

    /// Follows every symlink of an absolute or relative path. A part that does not exist ends the walk; it is no
    /// error.
    ///
    /// # Errors
    /// `ELOOP` after [`MAX_LINKS`]; what the kernel says when a folder cannot be searched.
    pub(super) fn follow(&self, path: &Path) -> io::Result<Followed> {
        let mut real = PathBuf::from("/");
        let mut links = Vec::new();
        let absolute = std::path::absolute(path)?;
        let mut pending: VecDeque<OsString> = parts(&absolute);
        while let Some(part) = pending.pop_front() {
            if part == ".." {
                real.pop();
                continue;
            }
            let next = real.join(&part);
            match self.look(&next, |seen| seen.map(|seen| seen.target.clone()))? {
                Some(Some(target)) => {
                    links.push(real.clone());
                    if links.len() > MAX_LINKS {
                        return Err(io::Error::from_raw_os_error(libc::ELOOP));
                    }
                    if target.is_absolute() {
                        real = PathBuf::from("/");
                    }
                    for part in parts(&target).into_iter().rev() {
                        pending.push_front(part);
                    }
                }
                Some(None) => real = next,
                None => {
                    let missing = 1 + pending.len();
                    real = next;
                    real.extend(pending);
                    return Ok(Followed { path: real, missing, links });
                }
            }
        }
        Ok(Followed { path: real, missing: 0, links })
    }

    fn look<T>(&self, path: &Path, of: impl FnOnce(Option<&Seen>) -> T) -> io::Result<T> {
        if let Some(seen) = self.seen.borrow().get(path.as_os_str()) {
            return Ok(of(seen.as_ref()));
        }
        let seen = match path.symlink_metadata() {
            Ok(metadata) => {
                let target = if metadata.is_symlink() { Some(path.read_link()?) } else { None };
                Some(Seen { metadata, target })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let told = of(seen.as_ref());
        self.seen.borrow_mut().insert(path.as_os_str().to_owned(), seen);
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_named() {
        let root = tempfile::tempdir().unwrap();
        let real = follow(root.path()).unwrap().path;
        std::fs::create_dir(real.join("target")).unwrap();
        symlink("target", real.join("link")).unwrap();
        let followed = follow(&real.join("link/../link/new/file")).unwrap();
        assert_eq!(followed.path, real.join("target/new/file"));
        assert_eq!(followed.missing, 2);
        assert_eq!(followed.links, [real.clone(), real.clone()]);
    }

    #[test]
    fn a_loop_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert_eq!(follow(&root.path().join("a")).unwrap_err().raw_os_error(), Some(libc::ELOOP));
    }

    #[test]
    fn covering_goes_by_inode_and_component() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["app/sub", "app-secret"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        symlink("app", root.path().join("alias")).unwrap();
        let places = Places::default();
        let at = |path: &str| places.find(&root.path().join(path)).unwrap();
        assert!(at("app").covers(&at("app/sub")));
        assert!(at("alias").covers(&at("app/sub/new")));
        assert!(!at("app").covers(&at("app-secret")));
        assert!(!at("app/sub").covers(&at("app")));
        assert!(at("new/a").covers(&at("new/a/b")));
        assert!(!at("new/a").covers(&at("new/ab")));
        assert!(!at("new/a").covers(&at("new")));
        assert_eq!(at("app").distance(&at("app/sub/x/y")), Some(3));
        assert_eq!(at("app").distance(&at("app")), Some(0));
    }
}
