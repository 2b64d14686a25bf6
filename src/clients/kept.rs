//! What we keep of changed files, in our own state folder (`clients/`, 0700; every file 0600).
//!
//! - `STAMP-CLIENT-NAME.backup`: the file as it was before a change. Never removed by us.
//! - `restore-DIGEST.json`: what undoes the changes that stand in a file now ([`Undo`]). DIGEST is that of its path.
//! - `preview-DIGEST-ACTION.json`: the digest of the file whose change was shown last.
//! - `lock`: held while files are changed, so that two of us do not work at once (`flock(2)`).
//!
//! Nothing of ours is ever written into a client's file: some refuse keys that they do not know.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clients::change::Undo;
use crate::clients::file::{LARGEST, Opened, digest};

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// Others can reach it.
    #[error("{} is not this user's alone: it would hold copies of configurations with secrets in them", .0.display())]
    Exposed(PathBuf),
    /// Not what we wrote.
    #[error("{} cannot be understood: {detail}", path.display())]
    Broken {
        /// What.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// What is known of a file that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    v: u32,
    /// The file.
    pub file: PathBuf,
    /// Its digest after our last change.
    pub after: String,
    /// What it was before our first one, when all changes since are ours.
    pub origin: Option<Origin>,
    /// What undoes them.
    pub entries: Vec<Undo>,
}

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Its digest.
    pub sha256: String,
    /// The name of its copy.
    pub backup: String,
}

impl Record {
    /// A new one.
    pub fn new(file: &Path, after: String, origin: Option<Origin>, entries: Vec<Undo>) -> Self {
        Record { v: 1, file: file.to_owned(), after, origin, entries }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Preview {
    v: u32,
    file: PathBuf,
    sha256: String,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// In this state folder of ours.
    pub fn new(state: &Path) -> Self {
        Kept { folder: state.join("clients") }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder, and holds its lock while the answer lives.
    ///
    /// # Errors
    /// A folder that cannot be made, or that others can reach.
    pub fn lock(&self) -> Result<Flock<File>, Error> {
        let failed = |source| Error::Io { path: self.folder.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)?;
        let found = fs::symlink_metadata(&self.folder).map_err(failed)?;
        if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() || found.mode() & 0o077 != 0 {
            return Err(Error::Exposed(self.folder.clone()));
        }
        let path = self.folder.join("lock");
        let failed = |source| Error::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&path).map_err(failed)?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| failed(errno.into()))
    }

    fn restore(&self, file: &Path) -> PathBuf {
        self.folder.join(format!("restore-{}.json", key(file)))
    }

    fn preview(&self, file: &Path, action: &str) -> PathBuf {
        self.folder.join(format!("preview-{}-{action}.json", key(file)))
    }

    /// What is known of a file; `None`: we have not changed it.
    ///
    /// # Errors
    /// A record that cannot be read or understood.
    pub fn record(&self, file: &Path) -> Result<Option<Record>, Error> {
        let path = self.restore(file);
        let record: Option<Record> = self.read(&path)?;
        match record {
            Some(record) if record.v != 1 => {
                Err(Error::Broken { path, detail: format!("version {} is not known", record.v) })
            }
            Some(record) if record.file != file => {
                Err(Error::Broken { path, detail: "it is about another file".into() })
            }
            other => Ok(other),
        }
    }

    /// Keeps a record; one without entries is forgotten. Under the lock.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_record(&self, record: &Record) -> Result<(), Error> {
        let path = self.restore(&record.file);
        match record.entries.is_empty() {
            true => self.remove(&path),
            false => self.write(&path, &json(record)),
        }
    }

    /// Keeps a copy of a file as it was read; its name. Under the lock.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn back_up(&self, client: &str, file: &Opened) -> Result<String, Error> {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%6fZ");
        let name = file.real.file_name().unwrap_or_default().to_string_lossy();
        let name: String =
            name.chars().map(|c| if c.is_control() || c == '/' { '_' } else { c }).take(80).collect();
        let name = format!("{stamp}-{client}-{name}.backup");
        self.write(&self.folder.join(&name), file.text.as_bytes())?;
        Ok(name)
    }

    /// A copy, if it is what its record says.
    ///
    /// # Errors
    /// It is not there, or is another text.
    pub fn backup(&self, origin: &Origin) -> Result<String, Error> {
        let path = self.folder.join(&origin.backup);
        let broken = |detail: &str| Error::Broken { path: path.clone(), detail: detail.to_owned() };
        if origin.backup.contains('/') {
            return Err(broken("its name leads elsewhere"));
        }
        let bytes = self.bytes(&path)?.ok_or_else(|| broken("it is gone"))?;
        if digest(&bytes) != origin.sha256 {
            return Err(broken("it is not what was kept"));
        }
        String::from_utf8(bytes).map_err(|_| broken("it is not UTF-8"))
    }

    /// Notes which text of a file was shown for `action`. Under the lock.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_preview(&self, file: &Opened, action: &str) -> Result<(), Error> {
        let preview = Preview { v: 1, file: file.real.clone(), sha256: file.sha256.clone() };
        self.write(&self.preview(&file.real, action), &json(&preview))
    }

    /// Whether another text of the file was shown last than stands there now.
    ///
    /// # Errors
    /// The note cannot be read.
    pub fn is_stale(&self, file: &Opened, action: &str) -> Result<bool, Error> {
        let shown: Option<Preview> = self.read(&self.preview(&file.real, action))?;
        Ok(shown.is_some_and(|shown| shown.file == file.real && shown.sha256 != file.sha256))
    }

    /// Forgets what was shown. Under the lock.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget_previews(&self, file: &Path) -> Result<(), Error> {
        ["wrap", "unwrap"].into_iter().try_for_each(|action| self.remove(&self.preview(file, action)))
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, Error> {
        let Some(bytes) = self.bytes(path)? else { return Ok(None) };
        // Its own message would show a part of the file.
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).map_err(|error| Error::Broken {
            path: path.to_owned(),
            detail: format!("line {}, column {}", error.line(), error.column()),
        })
    }

    fn bytes(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(4 * LARGEST).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }

    /// Replaces a file of ours as a whole.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        // What one of us that was killed left behind would be in the way.
        self.remove(&new)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)
    }

    fn remove(&self, path: &Path) -> Result<(), Error> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::Io { path: path.to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }
}

fn key(file: &Path) -> String {
    let mut digest = digest(file.as_os_str().as_encoded_bytes());
    digest.truncate(32);
    digest
}

/// Our own values: they have a JSON form.
fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
