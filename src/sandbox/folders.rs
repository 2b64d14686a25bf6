//! The server's own folders: TMPDIR for one session, HOME for the session or for good.
//!
//! A session's folder is locked while the session lives (`flock(2)`) and removed with it; what a crash left behind
//! is swept by the next start. Names in it come from the server: removal never follows a link.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

/// The folder of second names, in the runtime folder.
const LINKS: &str = "t";
/// A folder younger than this may belong to a session that has not locked it yet.
const FRESH: Duration = Duration::from_secs(10);

/// The folders of one session; removed when dropped, a lasting HOME aside.
#[derive(Debug)]
pub struct Folders {
    tmp: PathBuf,
    home: PathBuf,
    /// Another name of `tmp`, a shorter one.
    short: Option<PathBuf>,
    _lock: Flock<File>,
}

/// A folder could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the server's own folder {} could not be made: {source}", .path.display())]
pub struct Error {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl Folders {
    /// Makes `<tmp>/<session>`, and HOME in it or at `lasting`.
    pub fn make(tmp: &Path, session: &str, lasting: Option<&Path>) -> Result<Folders, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error { path, source }
        };
        private_folder(tmp).map_err(failed(tmp))?;
        sweep(tmp);
        let own = tmp.join(session);
        fs::DirBuilder::new().mode(0o700).create(&own).map_err(failed(&own))?;
        let lock = lock(&own).map_err(failed(&own))?;
        let home = lasting.map_or_else(|| own.join("home"), Path::to_owned);
        private_folder(&home).map_err(failed(&home))?;
        Ok(Folders { tmp: own, home, short: None, _lock: lock })
    }

    /// Gives TMPDIR a second name in `runtime`, where that is shorter: a socket's path has 107 bytes at most (`unix(7)`),
    /// and browsers put one below two folders of their own. The name is a link that only we can change.
    ///
    /// # Errors
    /// It could not be made; the server has the long name then.
    pub fn shorten(&mut self, runtime: &Path) -> io::Result<()> {
        let folder = runtime.join(LINKS);
        let session = self.tmp.file_name().unwrap_or_default().as_encoded_bytes();
        let name = OsStr::from_bytes(&session[session.len().saturating_sub(8)..]);
        let link = folder.join(name);
        if link.as_os_str().len() >= self.tmp.as_os_str().len() {
            return Ok(());
        }
        private_folder(&folder)?;
        sweep_links(&folder);
        std::os::unix::fs::symlink(&self.tmp, &link)?;
        self.short = Some(link);
        Ok(())
    }

    /// TMPDIR as the server is told it.
    pub fn tmpdir(&self) -> &Path {
        self.short.as_deref().unwrap_or(&self.tmp)
    }

    /// TMPDIR.
    pub fn tmp(&self) -> &Path {
        &self.tmp
    }

    /// HOME.
    pub fn home(&self) -> &Path {
        &self.home
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        if let Some(link) = &self.short {
            let _ = fs::remove_file(link);
        }
        if let Err(error) = remove(&self.tmp) {
            tracing::debug!(path = %self.tmp.display(), %error, "a session's folder could not be removed");
        }
    }
}

/// `homes/<name>-<digest>`: the same entry point finds its HOME again, another one of the same name does not.
pub fn lasting_home(homes: &Path, server: &str, entry_point: &Path) -> PathBuf {
    let digest = Sha256::digest(entry_point.as_os_str().as_encoded_bytes());
    let mut name: String = server
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
        .take(40)
        .collect();
    name.push('-');
    for byte in &digest[..6] {
        name.push_str(&format!("{byte:02x}"));
    }
    homes.join(name)
}

/// A folder that only the user may enter; parents are made alike.
pub fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn lock(folder: &Path) -> io::Result<Flock<File>> {
    let opened =
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(folder)?;
    Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
}

/// Removes what sessions that crashed left behind. What cannot be removed now is tried again at the next start.
fn sweep(tmp: &Path) {
    let Ok(entries) = fs::read_dir(tmp) else { return };
    for entry in entries.flatten() {
        let old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > FRESH));
        if !old {
            continue;
        }
        let path = entry.path();
        if let Ok(lock) = lock(&path) {
            let _ = remove(&path);
            drop(lock);
        }
    }
}

/// Removes the names of folders that are gone.
fn sweep_links(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_symlink() && !path.exists() {
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes a tree in which the server may have closed folders to us.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            reopen(folder);
            fs::remove_dir_all(folder)
        }
        done => done,
    }
}

fn reopen(folder: &Path) {
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        // file_type does not follow links.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            reopen(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let outside = root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        let tmp = root.path().join("tmp");
        let folders = Folders::make(&tmp, "one", None).unwrap();
        assert!(folders.home().is_dir());
        let closed = folders.tmp().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::write(closed.join("f"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, folders.tmp().join("link")).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o0)).unwrap();
        drop(folders);
        assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
        assert!(outside.join("kept").exists());
    }

    #[test]
    fn a_second_name_is_shorter_and_goes_with_the_session() {
        let root = tempfile::tempdir().unwrap();
        let tmp = root.path().join("a/long/way/to/the/folder/of/all/sessions");
        let runtime = root.path().join("r");
        let mut folders = Folders::make(&tmp, "01M8FQKBJME50N2SGBR6FZJNYY", None).unwrap();
        assert_eq!(folders.tmpdir(), folders.tmp());
        folders.shorten(&runtime).unwrap();
        assert_eq!(folders.tmpdir(), runtime.join("t/R6FZJNYY"));
        assert_eq!(folders.tmpdir().canonicalize().unwrap(), folders.tmp().canonicalize().unwrap());
        drop(folders);
        assert_eq!(fs::read_dir(runtime.join("t")).unwrap().count(), 0);
        // What a crash left is swept by the next; a name that would be longer is none.
        std::os::unix::fs::symlink(tmp.join("gone"), runtime.join("t/left")).unwrap();
        let mut folders = Folders::make(&tmp, "two", None).unwrap();
        folders.shorten(&runtime).unwrap();
        assert!(!runtime.join("t/left").is_symlink());
        let mut near = Folders::make(&root.path().join("t"), "x", None).unwrap();
        near.shorten(&tmp).unwrap();
        assert_eq!(near.tmpdir(), near.tmp());
    }

    #[test]
    fn a_lasting_home_stays_and_belongs_to_its_entry_point() {
        let root = tempfile::tempdir().unwrap();
        let home = lasting_home(root.path(), "a/b", Path::new("/x"));
        assert_ne!(home, lasting_home(root.path(), "a/b", Path::new("/y")));
        assert_eq!(home.parent(), Some(root.path()));
        let folders = Folders::make(&root.path().join("tmp"), "one", Some(&home)).unwrap();
        fs::write(folders.home().join("state"), "x").unwrap();
        drop(folders);
        assert!(home.join("state").exists());
    }

    #[test]
    fn only_what_no_session_holds_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - Duration::from_secs(60);
        let living = Folders::make(root.path(), "living", None).unwrap();
        fs::create_dir(root.path().join("left")).unwrap();
        for name in ["living", "left"] {
            File::open(root.path().join(name)).unwrap().set_modified(old).unwrap();
        }
        sweep(root.path());
        assert!(living.tmp().exists());
        assert!(!root.path().join("left").exists());
    }
}
