//! Small files of the state folder in which the user's own decisions are kept: what was locked, what was approved.
//!
//! They are only ever replaced as a whole (a new file, renamed), are the user's alone (0600 in 0700), and are not followed
//! through symlinks. What cannot be read or understood is an error and never a decision.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::profile::source;

/// What is kept in a file; `None` when there is none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.is_file() => return Err(io::Error::other("it is not a regular file")),
        Ok(_) => {}
    }
    let text = source::text(path)?;
    serde_json::from_str(&text).map(Some).map_err(io::Error::other)
}

/// Keeps it.
pub(super) fn write(path: &Path, kept: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let text = serde_json::to_string_pretty(kept).map_err(io::Error::other)? + "\n";
    let new = path.with_extension(format!("{}.new", std::process::id()));
    // What a process of the same number left behind would be in the way.
    let _ = fs::remove_file(&new);
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
    let replaced = created.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, path)
    });
    if replaced.is_err() {
        let _ = fs::remove_file(&new);
    }
    replaced
}

/// Forgets it; whether there was anything.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// SHA-256 in lower-case hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
