//! `caponier profile trust`: which repositories' own files the user has read, and approved as they were.
//!
//! An approval is for one folder and one digest: the same file elsewhere, or another file there, is not approved.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::policy::directories::Directories;
use crate::profile::{place, record};

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    v: u32,
    /// The folder, every symlink followed.
    pub folder: PathBuf,
    /// The digest of its `.caponier.toml`.
    pub sha256: String,
    /// When.
    pub approved: String,
}

/// Whether the file with this digest, in this folder, was approved.
///
/// # Errors
/// The approval cannot be read or understood.
pub(super) fn is_approved(dirs: &Directories, folder: &Path, sha256: &str) -> io::Result<bool> {
    let real = place::follow(folder)?.path;
    let kept = record::read::<Approval>(&path(dirs, &real))?;
    Ok(kept.is_some_and(|kept| kept.v == 1 && kept.folder == real && kept.sha256 == sha256))
}

/// Approves the file with this text.
///
/// # Errors
/// The approval cannot be kept.
pub fn approve(dirs: &Directories, folder: &Path, text: &str) -> io::Result<Approval> {
    let sha256 = record::sha256(text.as_bytes());
    let folder = place::follow(folder)?.path;
    let approved = jiff::Timestamp::now().round(jiff::Unit::Second).map_err(io::Error::other)?.to_string();
    let approval = Approval { v: 1, folder, sha256, approved };
    record::write(&path(dirs, &approval.folder), &approval)?;
    Ok(approval)
}

/// Takes an approval back; whether there was one.
///
/// # Errors
/// It cannot be removed.
pub fn revoke(dirs: &Directories, folder: &Path) -> io::Result<bool> {
    record::remove(&path(dirs, &place::follow(folder)?.path))
}

/// A folder's name can be anything, and a file's cannot.
fn path(dirs: &Directories, folder: &Path) -> PathBuf {
    let name = record::sha256(folder.as_os_str().as_encoded_bytes());
    dirs.state.join("trust").join(format!("{name}.json"))
}
