//! The server's own cache: a lasting folder of ours for one server, in which it may execute what it wrote
//! (`process.execute_writable`).
//!
//! Whatever lies in it is the server's work of an earlier start, or of another session of the same server that runs now.
//! So nothing in it is followed: each folder on the way is opened from the one above, and is a folder or an error. The
//! rules are then made of paths that are opened without any symbolic link (`openat2(2)`, `RESOLVE_NO_SYMLINKS`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::ResolveFlag;

use crate::sandbox::folders::{Error, lasting_home, private_folder};
use crate::sys::names::{self, Name};
use crate::sys::path::{self, Follow};

/// Makes the cache, and these folders in it, where they are not there yet.
///
/// # Errors
/// Something that is no folder stands where one has to be.
pub fn make<'p>(cache: &Path, inside: impl IntoIterator<Item = &'p Path>) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error { path, source }
    };
    private_folder(cache).map_err(failed(cache))?;
    let root = path::open(b"/", libc::O_PATH | libc::O_DIRECTORY).map_err(failed(cache))?;
    let root = path::look(
        root.as_fd(),
        cache.as_os_str().as_bytes(),
        Follow::Links,
        ResolveFlag::RESOLVE_NO_SYMLINKS,
    )
    .map_err(failed(cache))?;
    for folder in inside {
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, "it does not lie in the cache");
        let below = folder.strip_prefix(cache).map_err(|_| failed(folder)(outside()))?;
        descend(&root, below).map_err(|error| failed(folder)(said(error)))?;
    }
    Ok(())
}

/// Opens folder after folder, each made where it is missing.
fn descend(root: &OwnedFd, below: &Path) -> io::Result<()> {
    let mut here = root.try_clone()?;
    for part in below.components() {
        let Component::Normal(name) = part else { return Err(io::ErrorKind::InvalidInput.into()) };
        let at = Name { folder: here.as_fd(), name: name.as_bytes() };
        match names::make_folder(at, 0o700) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let next =
            path::look(here.as_fd(), name.as_bytes(), Follow::Links, ResolveFlag::RESOLVE_NO_SYMLINKS)?;
        if !path::stat(next.as_fd())?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        here = next;
    }
    Ok(())
}

/// A link where a folder was is no accident: who reads it should know whose work it is.
fn said(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::new(
            io::ErrorKind::NotADirectory,
            "the server put a symbolic link in its place: look at it, and remove the cache",
        ),
        _ => error,
    }
}

/// `<caches>/<name>-<digest>`, by the kernel's name of `caches`: no link is followed below it.
pub fn lasting_cache(caches: &Path, server: &str, what: &Path) -> PathBuf {
    let caches = match caches.canonicalize() {
        Ok(real) => real,
        // It is made later, by the name that its nearest folder really has.
        Err(_) => real_parents(caches),
    };
    lasting_home(&caches, server, what)
}

fn real_parents(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            parent.canonicalize().unwrap_or_else(|_| real_parents(parent)).join(name)
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn folders_are_made_and_found_again() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let cache = root.join("caches/x");
        let inside = cache.join("npm/_npx");
        for _ in 0..2 {
            make(&cache, [inside.as_path()]).unwrap();
        }
        assert_eq!(fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(make(&cache, [root.as_path()]).is_err());
    }

    #[test]
    fn what_a_server_put_in_the_place_of_a_folder_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (cache, elsewhere) = (root.join("caches/x"), root.join("elsewhere"));
        fs::create_dir(&elsewhere).unwrap();
        fs::create_dir_all(&cache).unwrap();
        for place in ["npm", "npm/_npx"] {
            let inside = cache.join("npm/_npx");
            let _ = fs::remove_dir_all(cache.join("npm"));
            fs::create_dir_all(cache.join(place).parent().unwrap()).unwrap();
            symlink(&elsewhere, cache.join(place)).unwrap();
            let error = make(&cache, [inside.as_path()]).unwrap_err();
            assert!(error.to_string().contains("symbolic link"), "{error}");
            assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
            fs::remove_file(cache.join(place)).unwrap();
        }
        fs::create_dir_all(&cache).unwrap();
        let _ = fs::remove_dir_all(cache.join("npm"));
        fs::write(cache.join("npm"), "").unwrap();
        assert!(make(&cache, [cache.join("npm/_npx").as_path()]).is_err());
    }
}
