//! One configuration file: read once, looked at through its descriptor, and replaced as a whole or not at all.
//!
//! A symbolic link is followed on purpose (dotfiles often are links): the file that it leads to is replaced, in its own
//! folder, and the link stays. What replaces it has its mode and group. The new file takes the name's place in one step
//! with the old one (`RENAME_EXCHANGE` of `renameat2(2)`); the old one is then looked at once more, and when it is not
//! the file that was read, both are put back: no change that somebody made meanwhile is lost.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, RenameFlags, open, openat, renameat2};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, UnlinkatFlags, fchown, geteuid, unlinkat};
use sha2::{Digest, Sha256};

use crate::sys::path::{Inode, Stat, look_through, path_of, stat, stat_at};

/// Largest file that is read: Claude Code keeps its history in the same file as its servers.
pub const LARGEST: u64 = 64 << 20;

/// Why a file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused.
    #[error("cannot {action} it: {source}")]
    Io {
        /// `read`, `write` …
        action: &'static str,
        /// Its answer.
        source: io::Error,
    },
    /// A folder, a pipe, a device.
    #[error("it is not a plain file")]
    NotAFile,
    /// Somebody else's.
    #[error(
        "it belongs to user {owner}, and caponier runs as user {user}: only files of one's own are changed"
    )]
    Foreign {
        /// Its owner's number.
        owner: u32,
        /// Our number.
        user: u32,
    },
    /// It has other names, which would keep the old text.
    #[error(
        "it has {0} names (hard links): the others would keep the old text; make it a file of its own, or a symbolic link"
    )]
    Links(u64),
    /// More than [`LARGEST`].
    #[error("it is larger than {} MiB", LARGEST >> 20)]
    TooLarge,
    /// Not UTF-8.
    #[error("it is not UTF-8 (byte {0})")]
    NotText(usize),
    /// Its path is not.
    #[error("its path is not UTF-8")]
    BadPath,
    /// Somebody changed it.
    #[error("it was changed since it was looked at; nothing was written")]
    Changed,
    /// The link leads elsewhere.
    #[error("its path leads to another file since it was looked at ({}); nothing was written", .0.display())]
    Elsewhere(PathBuf),
    /// Its group could not be kept.
    #[error("its group cannot be kept: {0}")]
    Group(io::Error),
}

fn io(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, source }
}

fn errno(action: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::Io { action, source: errno.into() }
}

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The path that was asked for.
    pub asked: PathBuf,
    /// Where it leads.
    pub real: PathBuf,
    /// What stands in it.
    pub text: String,
    /// The SHA-256 of that, in hex.
    pub sha256: String,
    inode: Inode,
    mode: u32,
    gid: u32,
    links: u64,
}

/// The SHA-256 of a text, in hex.
pub fn digest(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Reads a file; `None` when there is none.
///
/// # Errors
/// A file that is there and is not an ordinary text of our own.
pub fn read(asked: &Path) -> Result<Option<Opened>, Error> {
    let real = match leads_to(asked) {
        Ok(real) => real,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            // A link that leads nowhere is there; a client would not get past it either.
            return Ok(None);
        }
        Err(error) => return Err(Error::Io { action: "read", source: error }),
    };
    // What is kept of it names it in JSON.
    real.to_str().ok_or(Error::BadPath)?;
    let (folder, name) = split(&real)?;
    let (file, found) = look(&folder, &name)?;
    let bytes = content(file)?;
    let sha256 = digest(&bytes);
    let text = String::from_utf8(bytes).map_err(|error| Error::NotText(error.utf8_error().valid_up_to()))?;
    Ok(Some(Opened {
        asked: asked.to_owned(),
        real,
        text,
        sha256,
        inode: found.inode,
        mode: found.mode & 0o7777,
        gid: found.gid,
        links: found.links,
    }))
}

/// Where a path leads, by the kernel's word: every link followed.
fn leads_to(path: &Path) -> io::Result<PathBuf> {
    path_of(look_through(path.as_os_str().as_encoded_bytes())?.as_fd())
}

/// Its folder, opened, and its name there.
fn split(real: &Path) -> Result<(OwnedFd, OsString), Error> {
    let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else { return Err(Error::NotAFile) };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = open(folder, flags, Mode::empty()).map_err(errno("open the folder of"))?;
    Ok((folder, name.to_owned()))
}

/// The file of this name, if it is an ordinary one of our own. Looked at before it is opened: opening a device can do
/// something.
fn look(folder: &OwnedFd, name: &OsStr) -> Result<(File, Stat), Error> {
    let check = |found: Stat| {
        let user = geteuid().as_raw();
        match found {
            _ if !found.is_file() => Err(Error::NotAFile),
            _ if found.uid != user => Err(Error::Foreign { owner: found.uid, user }),
            _ => Ok(found),
        }
    };
    check(stat_at(folder.as_fd(), name.as_encoded_bytes()).map_err(io("read"))?)?;
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty()).map_err(errno("read"))?;
    let found = check(stat(file.as_fd()).map_err(io("read"))?)?;
    Ok((file.into(), found))
}

fn content(file: File) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(io("read"))?;
    if bytes.len() as u64 > LARGEST { Err(Error::TooLarge) } else { Ok(bytes) }
}

impl Opened {
    /// Whether it is the same file, by whatever path.
    pub fn is_same_file(&self, other: &Opened) -> bool {
        self.inode == other.inode
    }

    /// What would keep it from being replaced.
    ///
    /// # Errors
    /// That.
    pub fn replaceable(&self) -> Result<(), Error> {
        match self.links {
            0 | 1 => Ok(()),
            links => Err(Error::Links(links)),
        }
    }

    /// Puts `text` in its place, unless it is no longer what was read.
    ///
    /// # Errors
    /// It is as it was then.
    pub fn replace(&self, text: &str) -> Result<(), Error> {
        self.replaceable()?;
        let now = leads_to(&self.asked).map_err(io("find"))?;
        if now != self.real {
            return Err(Error::Elsewhere(now));
        }
        let (folder, name) = split(&self.real)?;
        self.unchanged(&folder, &name)?;
        let new = Fresh::write(&folder, &name, text, self)?;
        self.take_place(&folder, &name, new)
    }

    /// The file of this name is the one that was read, and has the same bytes.
    fn unchanged(&self, folder: &OwnedFd, name: &OsStr) -> Result<(), Error> {
        let (file, found) = look(folder, name)?;
        let is_same = found.inode == self.inode && found.links <= 1 && digest(&content(file)?) == self.sha256;
        if is_same { Ok(()) } else { Err(Error::Changed) }
    }

    fn take_place(&self, folder: &OwnedFd, name: &OsStr, mut new: Fresh<'_>) -> Result<(), Error> {
        let exchange =
            |one: &OsStr, other: &OsStr| renameat2(folder, one, folder, other, RenameFlags::RENAME_EXCHANGE);
        match exchange(&new.name, name) {
            Ok(()) => {}
            // A file system that cannot exchange: one more look, and over it.
            Err(Errno::EINVAL | Errno::ENOSYS) => {
                self.unchanged(folder, name)?;
                nix::fcntl::renameat(folder, new.name.as_os_str(), folder, name).map_err(errno("write"))?;
                new.is_there = false;
                return Ok(());
            }
            Err(errno) => return Err(Error::Io { action: "write", source: errno.into() }),
        }
        // What the name stood for until now has the other name.
        if let Err(changed) = self.unchanged(folder, &new.name) {
            let is_ours =
                stat_at(folder.as_fd(), name.as_encoded_bytes()).is_ok_and(|found| found.inode == new.inode);
            if is_ours {
                exchange(&new.name, name).map_err(errno("put back"))?;
            }
            return Err(match changed {
                Error::Io { .. } | Error::NotAFile | Error::Foreign { .. } => Error::Changed,
                other => other,
            });
        }
        // Dropping removes the old file; that the new name is durable is worth a wait, that it may not be no failure.
        drop(new);
        let _ = nix::unistd::fsync(folder.as_fd());
        Ok(())
    }
}

/// A new file beside the old one; gone when dropped.
struct Fresh<'f> {
    folder: &'f OwnedFd,
    name: OsString,
    inode: Inode,
    is_there: bool,
}

impl<'f> Fresh<'f> {
    fn write(folder: &'f OwnedFd, name: &OsStr, text: &str, like: &Opened) -> Result<Self, Error> {
        let mut fresh_name = OsString::from(".");
        fresh_name.push(name);
        fresh_name.push(format!(".caponier-{}-{}", std::process::id(), &digest(text.as_bytes())[..8]));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let file = openat(folder, fresh_name.as_os_str(), flags, mode).map_err(errno("write beside"))?;
        let mut file = File::from(file);
        let metadata = file.metadata().map_err(io("write beside"))?;
        let inode = Inode { dev: metadata.dev(), ino: metadata.ino() };
        let fresh = Fresh { folder, name: fresh_name, inode, is_there: true };
        file.write_all(text.as_bytes()).map_err(io("write beside"))?;
        if metadata.gid() != like.gid {
            fchown(&file, None, Some(Gid::from_raw(like.gid))).map_err(|errno| Error::Group(errno.into()))?;
        }
        fchmod(&file, Mode::from_bits_truncate(like.mode)).map_err(errno("write beside"))?;
        file.sync_all().map_err(io("write beside"))?;
        Ok(fresh)
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if self.is_there {
            let _ = unlinkat(self.folder, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn opened(path: &Path) -> Opened {
        read(path).unwrap().unwrap()
    }

    #[test]
    fn a_file_takes_its_place_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        fs::write(&path, "old").unwrap();
        opened(&path).replace("new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(read(&root.path().join("none")).unwrap().is_none());
    }

    /// Somebody writes between the last look and the exchange: what they wrote stays.
    #[test]
    fn what_is_written_at_the_last_moment_is_not_lost() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        for is_new_file in [false, true] {
            fs::write(&path, "old").unwrap();
            let file = opened(&path);
            let (folder, name) = split(&file.real).unwrap();
            let fresh = Fresh::write(&folder, &name, "new", &file).unwrap();
            if is_new_file {
                fs::remove_file(&path).unwrap();
            }
            fs::write(&path, "meanwhile").unwrap();
            let error = file.take_place(&folder, &name, fresh).unwrap_err();
            assert!(matches!(error, Error::Changed), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "meanwhile");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        }
    }
}
