//! One server in the store: `servers/<name>/`, its installed trees by digest, and the record of which one is in use.
//!
//! ```text
//! servers/<name>/server.json        which tree is in use, which one was before, which one waits
//! servers/<name>/<digest>/tree/     immutable
//! servers/<name>/<digest>/lock.json written last; locked (`flock(2)`, shared) by every session that runs from it
//! servers/<name>/.lock              held while any of this changes
//! servers/.staging/<random>/        where installing happens
//! ```
//!
//! The record is replaced by one `rename(2)`: whoever reads it finds the old one or the new one, whenever we die. A
//! tree is moved into place whole by another, before any record names it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use crate::sandbox::folders::private_folder;
use crate::store::lockfile::{self, Lock};
use crate::store::package::Wish;
use crate::store::record::Record;
use crate::store::staging::{Staging, lock_file};
use crate::store::tree;

/// Largest record that is read.
const MAX_BYTES: u64 = 4 << 20;
/// Longest name that is used as it is.
const LONGEST: usize = 80;
/// Bytes of a lock below which its tree has a few hundred files at most.
const SMALL_LOCK: u64 = 64 << 10;

/// What is wrong with a server's folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something cannot be read or written.
    #[error("{}: {source}", path.display())]
    Unusable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The record is none of ours.
    #[error("the record of this server cannot be understood: {}: {detail}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The lock of a tree.
    #[error("store.tampered: the package's lock cannot be gone by: {0}")]
    Lock(#[from] lockfile::Error),
    /// The tree is not what was installed.
    #[error("store.tampered: the installed package is not what was locked: {0}")]
    Tampered(#[from] tree::Error),
    /// A tree that is in use cannot be removed.
    #[error("{version} of {server} is in use by a session that runs now")]
    InUse {
        /// The server.
        server: String,
        /// The version.
        version: String,
    },
    /// Another package has this name.
    #[error("the name {server:?} is that of {package}")]
    Taken {
        /// The server.
        server: String,
        /// Whose it is.
        package: String,
    },
}

/// One server of the store, there or not.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    name: String,
    folder: PathBuf,
    staging: PathBuf,
}

/// A tree that stays where it is while this lives.
#[derive(Debug)]
pub struct Held {
    pub(crate) lock: Lock,
    pub(crate) digest: String,
    /// The tree itself.
    pub(crate) tree: PathBuf,
    _file: Flock<File>,
}

/// The right to change a server's folder.
#[derive(Debug)]
pub(crate) struct Exclusive {
    _file: Flock<File>,
}

impl Server {
    /// The server of this name.
    pub(crate) fn new(data: &Path, name: &str) -> Server {
        let servers = data.join("servers");
        Server {
            name: name.to_owned(),
            folder: servers.join(folder_name(name)),
            staging: servers.join(".staging"),
        }
    }

    /// Every server that has a record, by name.
    pub(crate) fn all(data: &Path) -> io::Result<Vec<Result<(Server, Record), Error>>> {
        let servers = data.join("servers");
        let entries = match fs::read_dir(&servers) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let folder = entry?.path();
            let hidden = folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if hidden || !folder.join("server.json").exists() {
                continue;
            }
            let mut server = Server { name: String::new(), folder, staging: servers.join(".staging") };
            found.push(match server.load() {
                Ok(Some(record)) => {
                    server.name.clone_from(&record.server);
                    Ok((server, record))
                }
                Ok(None) => continue,
                Err(error) => Err(error),
            });
        }
        found.sort_by_key(|found| found.as_ref().map(|(server, _)| server.name.clone()).unwrap_or_default());
        Ok(found)
    }

    /// The other servers of the store, as far as they can be understood.
    pub(crate) fn others(&self) -> Vec<(Server, Record)> {
        let data = self.staging.parent().and_then(Path::parent);
        let all = data.and_then(|data| Server::all(data).ok()).unwrap_or_default();
        all.into_iter().flatten().filter(|(other, _)| other.folder != self.folder).collect()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its record; `None`: it is not in the store.
    ///
    /// # Errors
    /// A record that cannot be read, or that is none of ours.
    pub(crate) fn record(&self) -> Result<Option<Record>, Error> {
        let record = self.load()?;
        match record {
            Some(record) if record.server != self.name => {
                Err(self.broken(format!("it is about a server named {:?}", record.server)))
            }
            record => Ok(record),
        }
    }

    fn load(&self) -> Result<Option<Record>, Error> {
        let path = self.folder.join("server.json");
        let open =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path);
        let file = match open {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path)(error)),
        };
        let mut text = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut text).map_err(unusable(&path))?;
        let record: Record = serde_json::from_slice(&text).map_err(|error| self.broken(error.to_string()))?;
        match record.is_known() {
            true => Ok(Some(record)),
            false => Err(self.broken("its version is not known".to_owned())),
        }
    }

    fn broken(&self, detail: String) -> Error {
        Error::Broken { path: self.folder.join("server.json"), detail }
    }

    /// Waits until nobody else changes this server.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn exclusive(&self) -> Result<Exclusive, Error> {
        let path = self.folder.join(".lock");
        loop {
            private_folder(&self.folder).map_err(unusable(&self.folder))?;
            let file = lock_file(&path, FlockArg::LockExclusive).map_err(unusable(&path))?;
            // Whoever had it before may have removed the server, and this file with it.
            if is_at(&file, &path) {
                return Ok(Exclusive { _file: file });
            }
        }
    }

    /// The same, without waiting; `None`: somebody else does.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn try_exclusive(&self) -> Result<Option<Exclusive>, Error> {
        private_folder(&self.folder).map_err(unusable(&self.folder))?;
        let path = self.folder.join(".lock");
        match lock_file(&path, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(is_at(&file, &path).then_some(Exclusive { _file: file })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(unusable(&path)(error)),
        }
    }

    /// A fresh folder to install into, on the same disk. What others left behind is swept.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn staging(&self) -> Result<Staging, Error> {
        Staging::make(&self.staging).map_err(unusable(&self.staging))
    }

    /// Takes a finished folder (tree and lock) in. The same thing twice is one.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn take(&self, _right: &Exclusive, finished: &Path, lock: &Lock) -> Result<String, Error> {
        let digest = lock.digest();
        let place = self.folder.join(&digest);
        let folder = File::open(finished).map_err(unusable(finished))?;
        // Contents before names: a power cut must not leave a tree with holes under a name that counts.
        nix::unistd::syncfs(&folder).map_err(|errno| unusable(finished)(errno.into()))?;
        if place.exists() {
            match self.hold(&digest) {
                Ok(_) => return Ok(digest),
                // What is broken makes room for what is whole, unless somebody runs from it.
                Err(_) => self.discard(&digest)?,
            }
        }
        fs::rename(finished, &place).map_err(unusable(&place))?;
        self.sync()?;
        Ok(digest)
    }

    /// Replaces the record.
    ///
    /// # Errors
    /// The disk is full, or broken: the record is as it was.
    pub(crate) fn replace(&self, _right: &Exclusive, record: &Record) -> Result<(), Error> {
        let (path, new) = (self.folder.join("server.json"), self.folder.join(".server.json.new"));
        // What somebody who was killed left behind would be in the way.
        let _ = fs::remove_file(&new);
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            let mut text = serde_json::to_vec_pretty(record).map_err(io::Error::from)?;
            text.push(b'\n');
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        if let Err(error) = write() {
            let _ = fs::remove_file(&new);
            return Err(unusable(&path)(error));
        }
        self.sync()
    }

    fn sync(&self) -> Result<(), Error> {
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(unusable(&self.folder))
    }

    /// A record for a first tree.
    pub(crate) fn first(&self, wish: &Wish, digest: &str) -> Record {
        Record::new(&self.name, wish.owner(), digest)
    }

    /// A tree, checked, and kept where it is while the answer lives.
    ///
    /// # Errors
    /// It is not there, or not what was installed.
    pub(crate) fn hold(&self, digest: &str) -> Result<Held, Error> {
        let folder = self.folder.join(digest);
        let path = folder.join(lockfile::NAME);
        let open =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path);
        let file = open.map_err(unusable(&path))?;
        let file = Flock::lock(file, FlockArg::LockSharedNonblock)
            .map_err(|(_, errno)| unusable(&path)(io::Error::from(errno)))?;
        let tree = folder.join(lockfile::TREE);
        let is_small = file.metadata().map_err(unusable(&path))?.len() < SMALL_LOCK;
        // The one takes about as long as the other.
        let (lock, found) = tree::files_while(&tree, is_small, || Lock::read(&folder, &file));
        let lock = lock?;
        tree::check(&tree, &lock.files, &found?)?;
        Ok(Held { lock, digest: digest.to_owned(), tree, _file: file })
    }

    /// Removes one tree; refused while a session runs from it.
    fn discard(&self, digest: &str) -> Result<(), Error> {
        let folder = self.folder.join(digest);
        let path = folder.join(lockfile::NAME);
        let _lock = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&path) {
            Ok(file) => {
                Some(Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| self.in_use(digest))?)
            }
            // Never finished, or broken by somebody: nothing can run from it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unusable(&path)(error)),
        };
        fs::remove_dir_all(&folder).map_err(unusable(&folder))
    }

    fn in_use(&self, digest: &str) -> Error {
        let record = self.load().ok().flatten();
        let version = record.map_or_else(|| digest.to_owned(), |record| record.version(digest).to_owned());
        Error::InUse { server: self.name.clone(), version }
    }

    /// Whether a session runs from a tree.
    pub(crate) fn is_in_use(&self, digest: &str) -> bool {
        let path = self.folder.join(digest).join(lockfile::NAME);
        let Ok(file) = File::open(path) else { return false };
        Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err()
    }

    /// Removes one version.
    ///
    /// # Errors
    /// A session runs from it.
    pub(crate) fn remove_version(
        &self,
        right: &Exclusive,
        mut record: Record,
        digest: &str,
    ) -> Result<(), Error> {
        if self.is_in_use(digest) {
            return Err(self.in_use(digest));
        }
        // The record first: it never names what is not there.
        record.versions.remove(digest);
        record.previous = record.previous.filter(|previous| previous != digest);
        record.staged = record.staged.filter(|staged| staged != digest);
        self.replace(right, &record)?;
        self.discard(digest)
    }

    /// Removes the server with all its trees.
    ///
    /// # Errors
    /// A session runs from one of them: nothing is removed then.
    pub(crate) fn remove(&self, _right: &Exclusive) -> Result<(), Error> {
        let mut trees = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(unusable(&self.folder))? {
            let entry = entry.map_err(unusable(&self.folder))?;
            if let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.'))
                && entry.file_type().is_ok_and(|kind| kind.is_dir())
            {
                trees.push(name.to_owned());
            }
        }
        if let Some(used) = trees.iter().find(|digest| self.is_in_use(digest)) {
            return Err(self.in_use(used));
        }
        let record = self.folder.join("server.json");
        match fs::remove_file(&record) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(&record)(error)),
            _ => {}
        }
        for digest in &trees {
            self.discard(digest)?;
        }
        // The lock that we hold goes last, with its folder.
        fs::remove_dir_all(&self.folder).map_err(unusable(&self.folder))
    }
}

impl Held {
    /// `npm:PKG@V`.
    pub fn package(&self) -> String {
        self.lock.head.package().at(&self.lock.head.version)
    }

    /// The digest of the tree.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Whether the file still has this name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Unusable { path, source }
}

/// A name as it is where it is plain; otherwise what is plain of it, and a digest.
fn folder_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(plain) && !name.starts_with('.') {
        return name.to_owned();
    }
    let digest = Sha256::digest(name.as_bytes());
    let mut folder: String =
        name.chars().map(|c| if plain(c) && c != '.' { c } else { '-' }).take(LONGEST / 2).collect();
    folder.push('~');
    folder.extend(digest[..8].iter().map(|byte| format!("{byte:02x}")));
    folder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::lockfile::{Head, Program, Runtime};
    use crate::store::package;
    use crate::store::record::Version;

    fn wish(word: &str) -> Wish {
        let (package, wanted) = package::reference(word).unwrap();
        Wish::of(package, wanted)
    }

    /// A package of one file.
    fn installed(server: &Server, right: &Exclusive, version: &str) -> String {
        let staging = server.staging().unwrap();
        let finished = staging.path().join("finished");
        fs::create_dir_all(finished.join(lockfile::TREE)).unwrap();
        fs::write(finished.join("tree/index.js"), version).unwrap();
        let mut head = Head::new(&wish("npm:a").package, version.to_owned());
        head.programs
            .insert("a".into(), Program { by: Runtime::Node, options: Vec::new(), file: "index.js".into() });
        head.main = Some("a".into());
        let files = tree::lock(&finished.join("tree"), &|_| false).unwrap();
        let lock = Lock { head, files };
        lock.write(&finished).unwrap();
        server.take(right, &finished, &lock).unwrap()
    }

    fn record(server: &Server, digests: &[(&str, &str)]) -> Record {
        let mut record = server.first(&wish("npm:a"), digests[0].0);
        for (digest, version) in digests {
            let version =
                Version { version: (*version).to_owned(), fitting: None, with: Vec::new(), python: None };
            record.versions.insert((*digest).to_owned(), version);
        }
        record
    }

    #[test]
    fn a_server_is_recorded_held_and_removed() {
        let data = tempfile::tempdir().unwrap();
        let server = Server::new(data.path(), "a");
        assert!(server.record().unwrap().is_none());
        let right = server.exclusive().unwrap();
        let digest = installed(&server, &right, "1.0.0");
        assert_eq!(installed(&server, &right, "1.0.0"), digest, "the same thing is one");
        let written = record(&server, &[(&digest, "1.0.0")]);
        server.replace(&right, &written).unwrap();
        assert_eq!(server.record().unwrap(), Some(written.clone()));
        assert_eq!(Server::all(data.path()).unwrap().len(), 1);
        let held = server.hold(&digest).unwrap();
        assert!(server.is_in_use(&digest));
        assert!(matches!(server.remove(&right), Err(Error::InUse { .. })));
        assert_eq!(server.record().unwrap(), Some(written), "nothing was removed");
        drop(held);
        server.remove(&right).unwrap();
        assert!(!server.folder().exists());
    }

    #[test]
    fn a_tree_that_was_changed_is_not_held_and_a_fresh_one_takes_its_place() {
        let data = tempfile::tempdir().unwrap();
        let server = Server::new(data.path(), "a");
        let right = server.exclusive().unwrap();
        let digest = installed(&server, &right, "1.0.0");
        let file = server.folder().join(&digest).join("tree/index.js");
        fs::remove_file(&file).unwrap();
        fs::write(&file, "evil.").unwrap();
        assert!(matches!(server.hold(&digest), Err(Error::Tampered(tree::Error::Tampered { .. }))));
        assert_eq!(installed(&server, &right, "1.0.0"), digest);
        server.hold(&digest).unwrap();
    }

    #[test]
    fn a_folder_without_a_lock_is_never_used() {
        let data = tempfile::tempdir().unwrap();
        let server = Server::new(data.path(), "a");
        let right = server.exclusive().unwrap();
        let digest = installed(&server, &right, "1.0.0");
        fs::remove_file(server.folder().join(&digest).join(lockfile::NAME)).unwrap();
        assert!(server.hold(&digest).is_err());
        assert_eq!(installed(&server, &right, "1.0.0"), digest);
        server.hold(&digest).unwrap();
    }

    #[test]
    fn a_record_belongs_to_its_name() {
        let data = tempfile::tempdir().unwrap();
        let server = Server::new(data.path(), "a");
        let right = server.exclusive().unwrap();
        let mut other = record(&server, &[("d1", "1.0.0")]);
        other.server = "b".into();
        server.replace(&right, &other).unwrap();
        assert!(matches!(server.record(), Err(Error::Broken { .. })));
        fs::write(server.folder().join("server.json"), "{}").unwrap();
        assert!(matches!(server.record(), Err(Error::Broken { .. })));
    }

    #[test]
    fn names_become_folders_of_their_own() {
        assert_eq!(folder_name("server-filesystem"), "server-filesystem");
        for odd in ["..", ".staging", "a/b", "a b", "", "ä", &"x".repeat(200)] {
            let folder = folder_name(odd);
            assert!(!folder.starts_with('.') && !folder.contains('/') && folder.contains('~'), "{folder}");
        }
        assert_ne!(folder_name("a/b"), folder_name("a b"));
    }
}
