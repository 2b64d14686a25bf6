//! Whether the folders can be made without which nothing starts: the log's, and that of the servers' own folders.
//!
//! The kernel is asked (`faccessat(2)`, with the rights that a run has): looking makes nothing, not even for a moment.

use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::audit::folder::Folder;
use crate::cli::doctor::costs::Missing;
use crate::cli::surroundings::Surroundings;
use crate::sys::path;

/// What is said of them.
#[derive(Debug, Serialize)]
pub(super) struct Folders {
    /// Where the log is kept, unless `--audit-dir` says otherwise.
    log: Place,
    /// Where each server's TMPDIR and HOME, and the packages, are.
    servers: Place,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Place {
    /// `null` where there is no HOME to find it by.
    path: Option<PathBuf>,
    ok: bool,
    why_not: Option<String>,
}

impl Folders {
    /// Looks, and makes nothing.
    pub(super) fn look() -> Folders {
        match Surroundings::find() {
            Ok(around) => Folders {
                log: Place::look(around.directories.audit(), kept),
                servers: Place::look(around.directories.tmp(), writable),
            },
            Err(error) => {
                let nowhere = || Place { path: None, ok: false, why_not: Some(error.to_string()) };
                Folders { log: nowhere(), servers: nowhere() }
            }
        }
    }

    /// Why nothing can be run, in one sentence.
    pub(super) fn why_not(&self) -> Option<String> {
        let whys = [&self.servers, &self.log].into_iter().find_map(|place| place.why_not.as_ref());
        whys.cloned()
    }

    /// What each that cannot be made costs, and what to do.
    pub(super) fn missing(&self) -> Vec<Missing> {
        let Folders { log, servers } = self;
        let place = |place: &Place| match &place.path {
            Some(path) => path.display().to_string(),
            None => "a HOME".to_owned(),
        };
        let said = [
            (
                servers,
                format!("servers' own folders ({})", place(servers)),
                "nothing can be run or installed: each server gets a TMPDIR and a HOME there; make it \
                 writable, or set XDG_DATA_HOME to a folder that is",
            ),
            (
                log,
                format!("the log ({})", place(log)),
                "nothing runs without a log; run --audit-dir puts it elsewhere, and XDG_STATE_HOME moves the \
                 log and what is pinned of servers",
            ),
        ];
        let missing = said.into_iter().filter(|(place, ..)| !place.ok);
        missing.map(|(_, what, costs)| Missing { what, costs: costs.to_owned() }).collect()
    }
}

#[cfg(test)]
impl Folders {
    /// Both can be made.
    pub(super) fn fine() -> Folders {
        let fine = |path: &str| Place { path: Some(path.into()), ok: true, why_not: None };
        Folders {
            log: fine("/home/me/.local/state/caponier/audit"),
            servers: fine("/home/me/.local/share/caponier/tmp"),
        }
    }
}

impl Place {
    fn look(path: PathBuf, tried: fn(&Path) -> Result<(), String>) -> Place {
        let tried = tried(&path);
        Place { path: Some(path), ok: tried.is_ok(), why_not: tried.err() }
    }
}

/// Whether the log can be kept in this folder: where it is there, it also has to be ours alone.
fn kept(path: &Path) -> Result<(), String> {
    writable(path)?;
    if path.is_dir() {
        Folder::create(path).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Whether something can be made in this folder, or the folder itself and what is missing above it.
fn writable(path: &Path) -> Result<(), String> {
    let cannot = |at: &Path, error: &io::Error| match at == path {
        true => format!("{} cannot be written: {error}", path.display()),
        false => format!("{} cannot be made, in {}: {error}", path.display(), at.display()),
    };
    for at in path.ancestors() {
        match at.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(cannot(at, &error)),
            Ok(_) => {}
        }
        let folder = path::look_through(at.as_os_str().as_encoded_bytes());
        let may = folder.and_then(|folder| {
            if !path::stat(folder.as_fd())?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            path::may(folder.as_fd(), libc::W_OK | libc::X_OK)
        });
        return may.map_err(|error| cannot(at, &error));
    }
    Err(format!("{} cannot be made: nothing of its path is there", path.display()))
}
