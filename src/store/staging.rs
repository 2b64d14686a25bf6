//! A folder in which something is being installed: locked (`flock(2)`) while somebody works in it, and removed with him; what
//! a crash left behind is swept by whoever comes next.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::sandbox::folders::private_folder;

/// A folder in which something is being made; removed when dropped.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    _file: Flock<File>,
}

impl Staging {
    /// A fresh one in `folder`.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn make(folder: &Path) -> io::Result<Staging> {
        private_folder(folder)?;
        sweep(folder);
        let path = nix::unistd::mkdtemp(&folder.join("XXXXXX"))?;
        let file = lock_file(&path.join(".lock"), FlockArg::LockExclusiveNonblock)?;
        Ok(Staging { path, _file: file })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "what was being installed could not be removed");
        }
    }
}

/// Removes what nobody works in any more.
fn sweep(staging: &Path) {
    let Ok(entries) = fs::read_dir(staging) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        // Without a lock yet it is somebody's who begins this moment; he has it in the next.
        if let Ok(file) = OpenOptions::new().read(true).open(path.join(".lock"))
            && let Ok(_lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Opens a file to lock, and locks it.
pub(super) fn lock_file(path: &Path, how: FlockArg) -> io::Result<Flock<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    Flock::lock(options.open(path)?, how).map_err(|(_, errno)| errno.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_works_in_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let living = Staging::make(root.path()).unwrap();
        let left = root.path().join("left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(".lock"), "").unwrap();
        let next = Staging::make(root.path()).unwrap();
        assert!(living.path().exists() && next.path().exists() && !left.exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
