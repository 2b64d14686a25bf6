//! One program file: opened once, and what the kernel would make of it.
//!
//! Invariant: what is said of a program is said of the file behind one `O_PATH` descriptor; the path is never walked
//! twice. Nothing here decides what may run: that is for the kernel's rules. This is for finding out *before* the
//! start what would be executed, so that it can be granted, recorded, or refused with an explanation.
//!
//! Rests on `execve(2)`, `open(2)` (`O_PATH`) and `proc_pid_fd(5)`.

pub mod elf;
pub mod script;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::policy::shells;
use crate::sandbox::program::elf::Elf;
use crate::sandbox::program::script::{Hashbang, Line};

/// Why a path is not a program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is there.
    #[error("{path:?} does not exist")]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// A symbolic link is there, and leads nowhere.
    #[error("{path:?} is a symbolic link to {to:?}, which does not exist")]
    Dangling {
        /// The link.
        path: PathBuf,
        /// What it says.
        to: PathBuf,
    },
    /// A folder.
    #[error("{path:?} is a folder")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// A device, socket or pipe.
    #[error("{path:?} is not a regular file")]
    NotRegular {
        /// The thing.
        path: PathBuf,
    },
    /// No execute permission for us.
    #[error("{path:?} is not executable (mode {mode:04o})")]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The way to it is barred: a folder that we may not search, links in a circle.
    #[error("{path:?} is out of reach: {source}")]
    OutOfReach {
        /// What was asked for.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It is there, and may not be read.
    #[error("{path:?} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    /// Whether there is nothing to execute at all, as opposed to something that cannot be.
    pub fn is_missing(&self) -> bool {
        matches!(self, Error::Missing { .. } | Error::Dangling { .. })
    }
}

/// What the kernel would make of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A native program, and the dynamic loader that it names.
    Native {
        /// `PT_INTERP`; `None` for a static program.
        loader: Option<PathBuf>,
    },
    /// An ELF program of another machine: its ELF `e_machine`.
    Foreign(u16),
    /// A script.
    Script(Line),
    /// Starts with `#!`, but the kernel finds no interpreter in the first 256 bytes.
    BrokenScript,
    /// Neither: `ENOEXEC`.
    Unknown,
}

/// A file that can be executed, as far as permissions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Absolute, as found; symbolic links are kept, because programs look at the path that they were started by.
    pub path: PathBuf,
    /// The file itself, links resolved.
    pub target: PathBuf,
    /// What it is.
    pub kind: Kind,
}

impl Program {
    /// Opens an absolute path and looks at the file behind it.
    ///
    /// # Errors
    /// When it is missing, not a regular file, not executable by us, or not readable. An unreadable program could
    /// run, but what it would start could not be judged, so it counts as broken.
    pub fn open(path: &Path) -> Result<Program, Error> {
        let handle = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
            .open(path)
            .map_err(|source| absent(path, source))?;
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let metadata = handle.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Error::Folder { path: path.to_owned() });
        }
        if !metadata.is_file() {
            return Err(Error::NotRegular { path: path.to_owned() });
        }
        let link = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        if access(&link, AccessFlags::X_OK).is_err() {
            return Err(Error::NotExecutable { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
        }
        let target = fs::read_link(&link).map_err(unreadable)?;
        let file = OpenOptions::new().read(true).open(&link).map_err(unreadable)?;
        let kind = identify(&file).map_err(unreadable)?;
        Ok(Program { path: path.to_owned(), target, kind })
    }

    /// Whether it is a shell, by the name that it is started under and by the file that it leads to.
    pub fn is_shell(&self) -> bool {
        named_shell(&self.path, &self.target)
    }
}

/// Whether a path leads to a shell, by its own name and by the name of the file behind it.
pub(crate) fn named_shell(path: &Path, target: &Path) -> bool {
    let by_path = path.file_name().is_some_and(shells::is_shell_name);
    // `/usr/bin/env -> busybox` is not a shell; `/bin/sh -> busybox` is, by its path.
    let by_target = target
        .file_name()
        .is_some_and(|name| shells::is_shell_name(name) && !shells::is_multi_call_name(name));
    by_path || by_target
}

fn absent(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => match fs::read_link(&path) {
            Ok(to) => Error::Dangling { path, to },
            Err(_) => Error::Missing { path },
        },
        _ => Error::OutOfReach { path, source },
    }
}

fn identify(file: &File) -> io::Result<Kind> {
    let mut head = [0u8; script::HEAD];
    let length = read_head(file, &mut head)?;
    if let Some(elf) = elf::read(file, &head[..length]) {
        return Ok(match elf {
            Elf::Native { loader } => Kind::Native { loader },
            Elf::Foreign { machine } => Kind::Foreign(machine),
            Elf::Malformed => Kind::Unknown,
        });
    }
    Ok(match script::parse(&head) {
        Hashbang::Line(line) => Kind::Script(line),
        Hashbang::Broken => Kind::BrokenScript,
        Hashbang::None => Kind::Unknown,
    })
}

fn read_head(file: &File, head: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < head.len() {
        match file.read_at(&mut head[filled..], filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn file(folder: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_native_program_has_a_target_and_a_loader_that_exists() {
        let program = Program::open(Path::new("/usr/bin/env")).unwrap();
        let Kind::Native { loader } = program.kind else { panic!("{:?}", program.kind) };
        assert!(loader.is_none_or(|loader| loader.exists()));
    }

    #[test]
    fn the_path_is_kept_and_the_target_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let real = file(folder.path(), "real", b"#!/bin/true\n", 0o755);
        let link = folder.path().join("link");
        symlink("real", &link).unwrap();
        let program = Program::open(&link).unwrap();
        assert_eq!(program.path, link);
        assert_eq!(program.target.file_name(), real.file_name());
    }

    #[test]
    fn each_thing_that_is_no_program_has_its_own_error() {
        let folder = tempfile::tempdir().unwrap();
        let dangling = folder.path().join("dangling");
        symlink("nowhere", &dangling).unwrap();
        let circle = folder.path().join("circle");
        symlink("circle", &circle).unwrap();
        let plain = file(folder.path(), "plain", b"", 0o644);
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Program::open(&folder.path().join("missing")), Err(Error::Missing { .. })));
        assert!(matches!(Program::open(&plain.join("below")), Err(Error::Missing { .. })));
        assert!(
            matches!(Program::open(&dangling), Err(Error::Dangling { to, .. }) if to == Path::new("nowhere"))
        );
        assert!(matches!(Program::open(&circle), Err(Error::OutOfReach { .. })));
        assert!(matches!(Program::open(folder.path()), Err(Error::Folder { .. })));
        assert!(matches!(Program::open(&plain), Err(Error::NotExecutable { mode: 0o644, .. })));
        assert!(matches!(Program::open(&pipe), Err(Error::NotRegular { .. })), "and a pipe does not block");
    }

    #[test]
    fn content_that_is_nothing_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let text = file(folder.path(), "text", b"echo hello\n", 0o755);
        let empty = file(folder.path(), "empty", b"", 0o755);
        let broken = file(folder.path(), "broken", b"#!   \n", 0o755);
        assert_eq!(Program::open(&text).unwrap().kind, Kind::Unknown);
        assert_eq!(Program::open(&empty).unwrap().kind, Kind::Unknown);
        assert_eq!(Program::open(&broken).unwrap().kind, Kind::BrokenScript);
    }

    #[test]
    fn a_multi_call_box_is_a_shell_only_as_one() {
        let at = |path: &str, target: &str| named_shell(Path::new(path), Path::new(target));
        assert!(at("/bin/sh", "/bin/busybox"));
        assert!(at("/bin/busybox", "/bin/busybox"));
        assert!(!at("/usr/bin/env", "/bin/busybox"));
        assert!(at("/opt/innocent", "/usr/bin/bash"));
        assert!(!at("/usr/bin/node", "/usr/bin/node"));
    }
}
