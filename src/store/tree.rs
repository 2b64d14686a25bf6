//! Every file of an installed package, as it was when it was installed; and whether it still is.
//!
//! A file that has the inode, size and both times that it had is the file that it was: no server has a grant to write
//! here, and a change of contents or mode changes `ctime`, which nobody can set. A file that differs in any of them (a
//! restored backup) is hashed again. What is missing, what is new and what leads elsewhere is as wrong as what changed:
//! a module that nobody installed would be loaded all the same. Rests on `inode(7)`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Most files of one tree.
const MOST: usize = 400_000;
/// Deepest folder.
const DEEPEST: usize = 100;

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

/// Looks at a whole tree, files without write permission from now on, sorted by path. Links stay inside, or lead to
/// `outside` (the interpreter of a virtual environment).
pub(crate) fn lock(root: &Path, outside: &dyn Fn(&Path) -> bool) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    walk(root, &mut |path, name, metadata| {
        if metadata.file_type().is_symlink() {
            let target = fs::read_link(path).map_err(unreadable(path))?;
            if !stays_inside(name, &target) && !outside(path) {
                return Err(Error::Odd {
                    path: path.to_owned(),
                    what: "a link that leads out of the package",
                });
            }
            entries.push(entry(name, link(path, &target)?, metadata));
            return Ok(());
        }
        let mode = metadata.permissions().mode() & 0o555 | 0o400;
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(unreadable(path))?;
        let metadata = fs::symlink_metadata(path).map_err(unreadable(path))?;
        entries.push(entry(name, sha256(path)?, &metadata));
        Ok(())
    })?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Copies a tree, links as links; `to` is not there yet. Who shares blocks on the disk, the file system decides.
///
/// # Errors
/// Something cannot be read or written.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(unreadable(to))?;
    walk(from, &mut |path, name, metadata| {
        let copy = to.join(name);
        let folder = copy.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(unreadable(folder))?;
        let copied = match metadata.file_type().is_symlink() {
            true => fs::read_link(path).and_then(|target| symlink(target, &copy)),
            false => fs::copy(path, &copy).map(drop),
        };
        copied.map_err(unreadable(path))
    })
}

/// Whether a tree is still what was locked.
///
/// # Errors
/// The first thing that is not.
pub(crate) fn check(root: &Path, entries: &[Entry]) -> Result<(), Error> {
    let mut known: HashMap<&str, &Entry> = entries.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    walk(root, &mut |path, name, metadata| {
        let tampered = |how| Error::Tampered { path: path.to_owned(), how };
        let locked = known.remove(name).ok_or_else(|| tampered("is new: it was not installed"))?;
        if *locked == entry(name, locked.is.clone(), metadata) {
            return Ok(());
        }
        let is = match metadata.file_type().is_symlink() {
            true => link(path, &fs::read_link(path).map_err(unreadable(path))?)?,
            false => sha256(path)?,
        };
        if is != locked.is || metadata.mode() & 0o7777 != locked.mode {
            return Err(tampered("was changed since it was installed"));
        }
        Ok(())
    })?;
    match known.into_keys().min() {
        Some(missing) => Err(Error::Tampered { path: root.join(missing), how: "is missing" }),
        None => Ok(()),
    }
}

/// The digest of what was installed: names, modes and contents; not when, nor on which disk.
pub(crate) fn digest(head: &str, entries: &[Entry]) -> String {
    let mut digest = Sha256::new();
    digest.update(head.as_bytes());
    for entry in entries {
        digest.update(format!("\n{}\0{:o}\0{}", entry.path, entry.mode, entry.is));
    }
    hex(&digest.finalize())
}

fn entry(name: &str, is: String, metadata: &fs::Metadata) -> Entry {
    Entry {
        path: name.to_owned(),
        is,
        mode: metadata.mode() & 0o7777,
        size: metadata.len(),
        ino: metadata.ino(),
        mtime: (metadata.mtime(), metadata.mtime_nsec()),
        ctime: (metadata.ctime(), metadata.ctime_nsec()),
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

type Visit<'a> = dyn FnMut(&Path, &str, &fs::Metadata) -> Result<(), Error> + 'a;

/// Every file and link below `root`, by what the folder itself says: no link is followed.
fn walk(root: &Path, visit: &mut Visit<'_>) -> Result<(), Error> {
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    let mut seen = 0;
    while let Some((folder, prefix, depth)) = folders.pop() {
        for found in fs::read_dir(&folder).map_err(unreadable(&folder))? {
            let found = found.map_err(unreadable(&folder))?;
            let path = found.path();
            let odd = |what| Error::Odd { path: path.clone(), what };
            seen += 1;
            if seen > MOST || depth > DEEPEST {
                return Err(odd("a package with more files than any has"));
            }
            let name = found.file_name();
            let name = name.to_str().ok_or_else(|| odd("a name that is not UTF-8"))?;
            let name = format!("{prefix}{name}");
            let metadata = found.metadata().map_err(unreadable(&path))?;
            let kind = metadata.file_type();
            if kind.is_dir() {
                folders.push((path, format!("{name}/"), depth + 1));
            } else if kind.is_file() || kind.is_symlink() {
                visit(&path, &name, &metadata)?;
            } else {
                return Err(odd("neither a file nor a folder nor a link"));
            }
        }
    }
    Ok(())
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
