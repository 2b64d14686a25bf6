//! Every file of an installed package, as it was when it was installed; and whether it still is.
//!
//! A file that has the inode, size and both times that it had is the file that it was: no server has a grant to write
//! here, and a change of contents or mode changes `ctime`, which nobody can set. A file that differs in any of them (a
//! restored backup) is hashed again. What is missing, what is new and what leads elsewhere is as wrong as what changed:
//! a module that nobody installed would be loaded all the same. Rests on `inode(7)`.

mod walk;

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::tree::walk::{Found, Stat};

pub(crate) use crate::store::tree::walk::files_while;

/// One file or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Below the tree, with `/`.
    path: String,
    /// SHA-256 of its contents in hex; `->` and the target of a link.
    is: String,
    /// Permission bits.
    mode: u32,
    /// Bytes.
    size: u64,
    ino: u64,
    /// Seconds and nanoseconds.
    mtime: (i64, i64),
    ctime: (i64, i64),
}

/// Why a tree cannot be locked, or is not what it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be looked at.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name, a kind of file or a link that no package needs.
    #[error("{}: {what}", path.display())]
    Odd {
        /// What.
        path: PathBuf,
        /// Why not.
        what: &'static str,
    },
    /// It is not what was installed.
    #[error("{} {how}", path.display())]
    Tampered {
        /// What.
        path: PathBuf,
        /// `was changed`, `is new`, `is missing`.
        how: &'static str,
    },
}

impl Error {
    fn path(&self) -> &Path {
        let (Error::Unreadable { path, .. } | Error::Odd { path, .. } | Error::Tampered { path, .. }) = self;
        path
    }
}

/// Looks at a whole tree, files without write permission from now on, sorted by path. Links stay inside, or lead to
/// `outside` (the interpreter of a virtual environment).
pub(crate) fn lock(root: &Path, outside: &dyn Fn(&Path) -> bool) -> Result<Vec<Entry>, Error> {
    let locked = |found: Found| {
        let path = root.join(&found.name);
        if found.link {
            let target = fs::read_link(&path).map_err(unreadable(&path))?;
            if !stays_inside(&found.name, &target) && !outside(&path) {
                return Err(Error::Odd { path, what: "a link that leads out of the package" });
            }
            return Ok(Entry::new(found.name, link(&path, &target)?, &found.stat));
        }
        let mode = found.stat.mode & 0o555 | 0o400;
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(unreadable(&path))?;
        let metadata = fs::symlink_metadata(&path).map_err(unreadable(&path))?;
        Ok(Entry::new(found.name, sha256(&path)?, &Stat::from(&metadata)))
    };
    walk::files(root)?.into_iter().map(locked).collect()
}

/// Copies a tree, links as links; `to` is not there yet. Who shares blocks on the disk, the file system decides.
///
/// # Errors
/// Something cannot be read or written.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(unreadable(to))?;
    for found in walk::files(from)? {
        let (path, copy) = (from.join(&found.name), to.join(&found.name));
        let folder = copy.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(unreadable(folder))?;
        let copied = match found.link {
            true => fs::read_link(&path).and_then(|target| symlink(target, &copy)),
            false => fs::copy(&path, &copy).map(drop),
        };
        copied.map_err(unreadable(&path))?;
    }
    Ok(())
}

/// Whether what was found in a tree is what was locked. Both are in the order of their paths: they agree as long as
/// they are the same one by one, and the first that are not say what is wrong.
///
/// # Errors
/// The smallest path that is not as it was.
pub(crate) fn check(root: &Path, entries: &[Entry], found: &[Found]) -> Result<(), Error> {
    let tampered = |name: &str, how| Err(Error::Tampered { path: root.join(name), how });
    let mut found = found.iter();
    let mut next = found.next();
    for locked in entries {
        match next.map(|there| (there.name.cmp(&locked.path), there)) {
            Some((Ordering::Equal, there)) => same(root, locked, there)?,
            Some((Ordering::Less, there)) => return tampered(&there.name, "is new: it was not installed"),
            Some((Ordering::Greater, _)) | None => return tampered(&locked.path, "is missing"),
        }
        next = found.next();
    }
    match next {
        Some(there) => tampered(&there.name, "is new: it was not installed"),
        None => Ok(()),
    }
}

/// Whether a file is the one that was locked, or has the same contents and mode.
fn same(root: &Path, locked: &Entry, there: &Found) -> Result<(), Error> {
    if locked.stat() == there.stat {
        return Ok(());
    }
    let path = root.join(&there.name);
    let is = match there.link {
        true => link(&path, &fs::read_link(&path).map_err(unreadable(&path))?)?,
        false => sha256(&path)?,
    };
    match is == locked.is && there.stat.mode == locked.mode {
        true => Ok(()),
        false => Err(Error::Tampered { path, how: "was changed since it was installed" }),
    }
}

/// The digest of what was installed: names, modes and contents; not when, nor on which disk.
pub(crate) fn digest(head: &str, entries: &[Entry]) -> String {
    let mut digest = Sha256::new();
    digest.update(head.as_bytes());
    let mut line = String::new();
    for entry in entries {
        line.clear();
        let _ = write!(line, "\n{}\0{:o}\0{}", entry.path, entry.mode, entry.is);
        digest.update(&line);
    }
    hex(&digest.finalize())
}

impl Entry {
    fn new(path: String, is: String, stat: &Stat) -> Entry {
        let Stat { mode, size, ino, mtime, ctime } = *stat;
        Entry { path, is, mode, size, ino, mtime, ctime }
    }

    fn stat(&self) -> Stat {
        let Entry { mode, size, ino, mtime, ctime, .. } = *self;
        Stat { mode, size, ino, mtime, ctime }
    }
}

fn link(path: &Path, target: &Path) -> Result<String, Error> {
    let odd = || Error::Odd { path: path.to_owned(), what: "a link whose target is not UTF-8" };
    Ok(format!("->{}", target.to_str().ok_or_else(odd)?))
}

/// A relative target that never climbs above the tree, seen from the folder of the link.
fn stays_inside(name: &str, target: &Path) -> bool {
    let mut depth = name.matches('/').count();
    target.is_relative()
        && target.components().all(|part| match part {
            Component::Normal(_) => {
                depth += 1;
                true
            }
            Component::ParentDir => {
                let inside = depth > 0;
                depth = depth.saturating_sub(1);
                inside
            }
            Component::CurDir => true,
            Component::RootDir | Component::Prefix(_) => false,
        })
}

fn sha256(path: &Path) -> Result<String, Error> {
    let open = || OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let read = |mut file: File| {
        let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hex(&digest.finalize())),
                read => digest.update(&buffer[..read]),
            }
        }
    };
    open().and_then(read).map_err(unreadable(path))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/b/index.js"), "1").unwrap();
        fs::write(root.path().join("a/package.json"), "{}").unwrap();
        symlink("../a/b/index.js", root.path().join("a/link")).unwrap();
        root
    }

    fn locked(root: &Path) -> Vec<Entry> {
        lock(root, &|_| false).unwrap()
    }

    fn check(root: &Path, entries: &[Entry]) -> Result<(), Error> {
        super::check(root, entries, &walk::files(root)?)
    }

    fn how(root: &Path, entries: &[Entry]) -> &'static str {
        match check(root, entries) {
            Err(Error::Tampered { how, .. }) => how,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_locked_is_what_is_there() {
        let root = tree();
        let entries = locked(root.path());
        check(root.path(), &entries).unwrap();
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[0].mode & 0o222, 0, "nobody writes by accident");
    }

    type Change<'c> = (&'static str, &'c dyn Fn(&Path));

    #[test]
    fn every_change_is_found() {
        let changes: [Change<'_>; 6] = [
            ("was changed since it was installed", &|root| {
                let file = root.join("a/package.json");
                fs::remove_file(&file).unwrap();
                fs::write(&file, "[]").unwrap();
            }),
            ("was changed since it was installed", &|root| {
                fs::set_permissions(root.join("a/package.json"), Permissions::from_mode(0o755)).unwrap();
            }),
            ("is new: it was not installed", &|root| fs::write(root.join("a/b/new.js"), "").unwrap()),
            ("is new: it was not installed", &|root| symlink("/etc/passwd", root.join("x")).unwrap()),
            ("is missing", &|root| fs::remove_file(root.join("a/b/index.js")).unwrap()),
            ("was changed since it was installed", &|root| {
                fs::remove_file(root.join("a/link")).unwrap();
                symlink("package.json", root.join("a/link")).unwrap();
            }),
        ];
        for (expected, change) in changes {
            let root = tree();
            let entries = locked(root.path());
            change(root.path());
            assert_eq!(how(root.path(), &entries), expected);
        }
    }

    /// Not the first that a disk happens to name.
    #[test]
    fn of_several_changes_the_smallest_path_is_told() {
        let change = |root: &Path, name: &str| {
            let file = root.join(name);
            fs::remove_file(&file).unwrap();
            fs::write(&file, "other").unwrap();
        };
        let (changed, new, missing) =
            ("was changed since it was installed", "is new: it was not installed", "is missing");
        let mut changes: [(&str, Change<'_>); 6] = [
            (
                "c/x",
                (new, &|root| {
                    fs::create_dir(root.join("c")).unwrap();
                    fs::write(root.join("c/x"), "").unwrap();
                }),
            ),
            ("a/package.json", (missing, &|root| fs::remove_file(root.join("a/package.json")).unwrap())),
            (
                "a/link",
                (changed, &|root| {
                    fs::remove_file(root.join("a/link")).unwrap();
                    symlink("b", root.join("a/link")).unwrap();
                }),
            ),
            ("a/b/index.js", (changed, &|root| change(root, "a/b/index.js"))),
            ("a/b/a.js", (new, &|root| fs::write(root.join("a/b/a.js"), "").unwrap())),
            ("a-b", (new, &|root| symlink("a", root.join("a-b")).unwrap())),
        ];
        for _ in 0..2 {
            let root = tree();
            let entries = locked(root.path());
            let mut told = Vec::new();
            for (_, (_, change)) in &changes {
                change(root.path());
                told.push(check(root.path(), &entries).unwrap_err().to_string());
            }
            let expected: Vec<_> = (1..=changes.len())
                .filter_map(|so_far| changes[..so_far].iter().min_by_key(|(name, ..)| *name))
                .map(|(name, (how, _))| format!("{} {how}", root.path().join(name).display()))
                .collect();
            assert_eq!(told, expected);
            changes.reverse();
        }
    }

    /// A list that is not in order, or names something twice, is none that was written here.
    #[test]
    fn entries_in_another_order_are_not_what_is_there() {
        let root = tree();
        let mut entries = locked(root.path());
        entries.swap(0, 1);
        assert_eq!(how(root.path(), &entries), "is new: it was not installed");
        entries.swap(0, 1);
        entries.insert(1, entries[0].clone());
        assert_eq!(how(root.path(), &entries), "is missing");
    }

    /// The times are put back, and the size stays: `ctime` is what tells.
    #[test]
    fn a_change_that_puts_its_times_back_is_found() {
        let root = tree();
        let entries = locked(root.path());
        let file = root.path().join("a/b/index.js");
        let before = file.metadata().unwrap().modified().unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        fs::write(&file, "2").unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
        assert_eq!(how(root.path(), &entries), "was changed since it was installed");
    }

    #[test]
    fn a_restored_copy_is_hashed_and_is_the_same() {
        let (root, copy) = (tree(), tempfile::tempdir().unwrap());
        let entries = locked(root.path());
        let done =
            std::process::Command::new("cp").arg("-a").arg(root.path()).arg(copy.path()).status().unwrap();
        assert!(done.success());
        check(&copy.path().join(root.path().file_name().unwrap()), &entries).unwrap();
        assert_eq!(digest("x", &entries), digest("x", &locked(root.path())));
    }

    #[test]
    fn a_copy_has_the_same_digest() {
        let (root, other) = (tree(), tempfile::tempdir().unwrap());
        let entries = locked(root.path());
        let to = other.path().join("copy");
        copy(root.path(), &to).unwrap();
        assert_eq!(digest("x", &locked(&to)), digest("x", &entries));
        check(root.path(), &entries).unwrap();
        assert!(copy(&root.path().join("missing"), &other.path().join("x")).is_err());
    }

    #[test]
    fn links_stay_inside() {
        for (name, target, inside) in [
            ("a/b", "c", true),
            ("a/b", "../c", true),
            ("a/b", "../../c", false),
            ("a", "..", false),
            ("a/b/c", "../../../x/../y", false),
            ("a", "/etc", false),
            ("a", "./b", true),
        ] {
            assert_eq!(stays_inside(name, Path::new(target)), inside, "{name} -> {target}");
        }
        let root = tree();
        symlink("/etc/passwd", root.path().join("out")).unwrap();
        assert!(matches!(lock(root.path(), &|_| false), Err(Error::Odd { .. })));
        lock(root.path(), &|path| path.ends_with("out")).unwrap();
    }
}
