//! What Landlock will say: rights united along a path, from the thing itself up to the root, compared by inode.
//!
//! Not by name: a rule holds for what was opened when it was made, however it is moved or mounted since.
//! `security/landlock/fs.c`, `is_access_to_paths_allowed`.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::ResolveFlag;

use crate::notify::Broker;
use crate::notify::place::{Found, Place, folder_of};
use crate::sandbox::rules::{Rights, Rules};
use crate::sys::path::{self, Follow};

/// How long a folder in which reading was granted is not looked at again. A folder that was moved meanwhile makes a
/// *prediction* wrong, in the one direction in which Landlock still decides.
const BELIEVED: Duration = Duration::from_millis(100);

/// The granted folders that walks upwards ended at a moment ago: a program that starts reads hundreds of files below a
/// few of them, and the walk is most of the cost of judging one.
#[derive(Debug, Default)]
pub(super) struct Readable {
    folders: HashSet<OsString>,
    since: Option<Instant>,
}

impl Readable {
    /// Whether reading is granted there: for the folder, or for one above it.
    fn holds(&mut self, folder: &Path) -> bool {
        if self.since.is_none_or(|since| since.elapsed() > BELIEVED) {
            self.folders.clear();
            self.since = None;
        }
        folder.ancestors().any(|above| self.folders.contains(above.as_os_str()))
    }

    fn remember(&mut self, folder: &OsStr) {
        self.since.get_or_insert_with(Instant::now);
        self.folders.insert(folder.to_owned());
    }
}

impl Broker {
    /// As [`Broker::rights_at`], for an open that only reads a file.
    pub(super) fn rights_to_read(&mut self, place: &Place) -> io::Result<Rights> {
        let wanted = Rights::READ_FILE;
        let (Found::Existing { stat, .. }, Some(folder)) = (&place.found, place.path.parent()) else {
            return self.rights_at(place, wanted);
        };
        let own = self.rules.at(stat.inode);
        if own.cover(wanted) || self.is_nameless(place) {
            return self.rights_at(place, wanted);
        }
        if self.readable.holds(folder) {
            return Ok(wanted);
        }
        let start = folder_of(self.root.as_fd(), &place.path)?;
        let (held, steps) = climb(&self.rules, start, Rights::default(), wanted)?;
        if let Some(granted) = folder.ancestors().nth(steps).filter(|_| held.cover(wanted)) {
            self.readable.remember(granted.as_os_str());
        }
        Ok(held)
    }

    /// The rights that hold at a place: its own, and those of every folder above it. Stops as soon as all of
    /// `enough` are found.
    pub(super) fn rights_at(&self, place: &Place, enough: Rights) -> io::Result<Rights> {
        self.rights_by(&self.rules, place, enough)
    }

    /// As [`Broker::rights_at`], by other rules than those that are enforced.
    pub(super) fn rights_by(&self, rules: &Rules, place: &Place, enough: Rights) -> io::Result<Rights> {
        match &place.found {
            Found::Missing { parent } => rights_above(rules, parent.try_clone()?, Rights::default(), enough),
            Found::Proc { .. } => Ok(Rights::default()),
            Found::Existing { fd, stat } => {
                let own = rules.at(stat.inode);
                if own.cover(enough) {
                    return Ok(own);
                }
                if self.is_nameless(place) {
                    // Pipes, sockets, memory files: Landlock does not know them.
                    return Ok(Rights(u32::MAX));
                }
                let start =
                    if stat.is_dir() { fd.try_clone()? } else { folder_of(self.root.as_fd(), &place.path)? };
                rights_above(rules, start, own, enough)
            }
        }
    }

    /// The rights that hold in the folder that a place lies in.
    pub(super) fn rights_in_folder_of(&self, place: &Place, enough: Rights) -> io::Result<Rights> {
        let folder = match &place.found {
            Found::Missing { parent } => parent.try_clone()?,
            Found::Existing { .. } | Found::Proc { .. } => folder_of(self.root.as_fd(), &place.path)?,
        };
        rights_above(&self.rules, folder, Rights::default(), enough)
    }

    /// What the kernel shows as `pipe:[1]`, `socket:[2]`, `anon_inode:…`, `/memfd:…`: no path leads there.
    fn is_nameless(&self, place: &Place) -> bool {
        let path = place.path.as_os_str().as_encoded_bytes();
        path.first() != Some(&b'/') || path.starts_with(b"/memfd:")
    }
}

fn rights_above(rules: &Rules, start: OwnedFd, own: Rights, enough: Rights) -> io::Result<Rights> {
    Ok(climb(rules, start, own, enough)?.0)
}

/// Climbs to the root, or until `enough` is found; how many folders up that was.
fn climb(rules: &Rules, start: OwnedFd, own: Rights, enough: Rights) -> io::Result<(Rights, usize)> {
    let mut rights = own;
    let mut at = start;
    let mut inode = path::stat(at.as_fd())?.inode;
    let mut steps = 0;
    loop {
        rights = rights.and(rules.at(inode));
        if rights.cover(enough) {
            return Ok((rights, steps));
        }
        let above = path::look(at.as_fd(), b"..", Follow::Links, ResolveFlag::empty())?;
        let next = path::stat(above.as_fd())?.inode;
        if next == inode {
            return Ok((rights, steps));
        }
        (at, inode) = (above, next);
        steps += 1;
    }
}
