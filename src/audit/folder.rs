//! The folders and files of the log, opened so that nobody else can have a hand in them (`open(2)`).
//!
//! Each is opened once and looked at through its descriptor: ours, out of reach of others, no symbolic link below the
//! folder that the user named. Names are taken relative to the descriptor of the folder above.

use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};

/// Why the log cannot be kept there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// `create`, `open`, `lock`, `write` …
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// Somebody else's.
    #[error("{path} belongs to user {owner}, not to user {user}; a log is kept only where nobody else can change it", path = path.display())]
    Foreign {
        /// What.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// Our number.
        user: u32,
    },
    /// Within reach of others.
    #[error("{path} is open to others (mode {mode:04o}); try: chmod go= {path}", path = path.display())]
    Exposed {
        /// What.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A device, a pipe, a socket.
    #[error("{path} is not a plain file", path = path.display())]
    NotAFile {
        /// What.
        path: PathBuf,
    },
    /// Not made by `session_id`.
    #[error("{session:?} is not the name of a session")]
    BadSession {
        /// What was given.
        session: String,
    },
    /// The server's name has no JSON form.
    #[error("the server's name cannot be written: {detail}")]
    BadServer {
        /// Why.
        detail: String,
    },
}

/// A folder of the log.
#[derive(Debug)]
pub struct Folder {
    dir: File,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder that the user named, creating it and what is missing above it (0700). A symbolic link is
    /// followed here, and only here: what counts is whose folder it leads to.
    pub fn create(path: &Path) -> Result<Self, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error("create", path))?;
        let dir = open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(errno("open", path))?;
        Self::checked(dir.into(), path.to_owned())
    }

    /// Opens a folder in this one, creating it (0700) when it is missing.
    pub fn child(&self, name: &str) -> Result<Self, Error> {
        let path = self.path.join(name);
        match mkdirat(&self.dir, name, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(io_error("create", &path)(errno.into())),
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = openat(&self.dir, name, flags, Mode::empty()).map_err(errno("open", &path))?;
        Self::checked(dir.into(), path)
    }

    fn checked(dir: File, path: PathBuf) -> Result<Self, Error> {
        let metadata = dir.metadata().map_err(io_error("look at", &path))?;
        check(&metadata, &path)?;
        Ok(Folder { dir, path })
    }

    /// Creates a file to append to (0600). That it exists already is an error.
    pub fn create_file(&self, name: &str) -> Result<File, Error> {
        let flags = OFlag::O_WRONLY | OFlag::O_EXCL;
        self.file("create", name, flags)
    }

    /// Opens a file to read and to append to, creating it (0600) when it is missing.
    pub fn open_file(&self, name: &str) -> Result<File, Error> {
        let file = self.file("open", name, OFlag::O_RDWR | OFlag::O_NONBLOCK)?;
        let path = self.path.join(name);
        let metadata = file.metadata().map_err(io_error("look at", &path))?;
        if !metadata.is_file() {
            return Err(Error::NotAFile { path });
        }
        check(&metadata, &path)?;
        Ok(file)
    }

    fn file(&self, action: &'static str, name: &str, flags: OFlag) -> Result<File, Error> {
        let flags = flags | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let file = openat(&self.dir, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(errno(action, &self.path.join(name)))?;
        Ok(file.into())
    }

    /// Makes the names in it durable.
    pub fn sync(&self) -> io::Result<()> {
        self.dir.sync_all()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn check(metadata: &Metadata, path: &Path) -> Result<(), Error> {
    let user = nix::unistd::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(Error::Foreign { path: path.to_owned(), owner: metadata.uid(), user });
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(Error::Exposed { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    Ok(())
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

fn errno(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> Error {
    let path = path.to_owned();
    move |errno| Error::Io { action, path, source: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn folders_and_files_are_ours_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("a/b")).unwrap();
        let day = folder.child("2026-11-23").unwrap();
        let file = day.create_file("x").unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(day.path()).unwrap().mode() & 0o777, 0o700);
        assert!(matches!(day.create_file("x"), Err(Error::Io { action: "create", .. })));
    }

    #[test]
    fn what_others_can_reach_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let exposed = root.path().join("exposed");
        fs::create_dir(&exposed).unwrap();
        fs::set_permissions(&exposed, Permissions::from_mode(0o755)).unwrap();
        let error = Folder::create(&exposed).unwrap_err();
        assert!(matches!(error, Error::Exposed { mode: 0o755, .. }), "{error}");
        assert!(error.to_string().contains(exposed.to_str().unwrap()));
    }

    #[test]
    fn links_below_the_named_folder_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("audit")).unwrap();
        let elsewhere = root.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.path().join("2026-11-23")).unwrap();
        std::os::unix::fs::symlink(elsewhere.join("x"), folder.path().join("heads.jsonl")).unwrap();
        assert!(matches!(folder.child("2026-11-23"), Err(Error::Io { action: "open", .. })));
        assert!(matches!(folder.open_file("heads.jsonl"), Err(Error::Io { action: "open", .. })));
        assert!(!elsewhere.join("x").exists());
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        // Root owns `/`, an ordinary user does not: each of the two meets one of the refusals.
        let error = Folder::create(Path::new("/")).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. } | Error::Exposed { .. }), "{error}");
    }

    #[test]
    fn a_pipe_is_not_a_log() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("audit")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("heads.jsonl"), Mode::S_IRWXU).unwrap();
        assert!(matches!(folder.open_file("heads.jsonl"), Err(Error::NotAFile { .. })));
    }
}
