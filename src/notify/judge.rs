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
use crate::policy::protected;
use crate::sandbox::rules::{Held, Rights, Rules};
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

/// All that holds in a folder: for changes, where more counts than whether enough is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Survey {
    /// The rights of every rule on the way up.
    pub(super) held: Held,
    /// How many components of a path below the folder are the outermost guarded grant itself; `None`: no guarded
    /// grant lies around it.
    pub(super) guarded: Option<usize>,
}

impl Survey {
    /// What no path leads to: Landlock does not know it.
    const NAMELESS: Survey =
        Survey { held: Held { granted: Rights(u32::MAX), kernel: Rights(u32::MAX) }, guarded: None };

    /// Whether the broker has to do it: it is granted, and the kernel does not know.
    pub(super) fn is_ours(&self, rights: Rights) -> bool {
        self.held.granted.cover(rights) && !self.held.kernel.cover(rights)
    }
}

impl Broker {
    /// Surveys the folder that `start` is, up to the root.
    pub(super) fn survey(&self, start: OwnedFd) -> io::Result<Survey> {
        let names = protected::depth(&path::path_of(start.as_fd())?);
        let mut survey = Survey { held: Held::default(), guarded: None };
        let mut at = start;
        let mut inode = path::stat(at.as_fd())?.inode;
        let mut steps = 0;
        loop {
            survey.held = survey.held.and(self.rules.at(inode));
            if self.rules.guards(inode) {
                // A name and a walk that disagree were looked at while somebody moved a folder.
                let below = names.checked_sub(steps).ok_or(io::ErrorKind::StaleNetworkFileHandle)?;
                survey.guarded = Some(below);
            }
            let above = path::look(at.as_fd(), b"..", Follow::Links, ResolveFlag::empty())?;
            let next = path::stat(above.as_fd())?.inode;
            if next == inode {
                return Ok(survey);
            }
            (at, inode) = (above, next);
            steps += 1;
        }
    }

    /// Surveys a place: the folder that it is, or that it lies in.
    pub(super) fn survey_of(&self, place: &Place) -> io::Result<Survey> {
        match &place.found {
            Found::Missing { parent } => self.survey(parent.try_clone()?),
            Found::Proc { .. } => Ok(Survey { held: Held::default(), guarded: None }),
            Found::Existing { .. } if self.is_nameless(place) => Ok(Survey::NAMELESS),
            Found::Existing { fd, stat } if stat.is_dir() => self.survey(fd.try_clone()?),
            Found::Existing { stat, .. } => {
                let mut survey = self.survey(folder_of(self.root.as_fd(), &place.path)?)?;
                survey.held = survey.held.and(self.rules.at(stat.inode));
                Ok(survey)
            }
        }
    }

    /// As [`Broker::rights_at`], for an open that only reads a file.
    pub(super) fn rights_to_read(&mut self, place: &Place) -> io::Result<Rights> {
        let wanted = Rights::READ_FILE;
        let (Found::Existing { stat, .. }, Some(folder)) = (&place.found, place.path.parent()) else {
            return self.rights_at(place, wanted);
        };
        let own = self.rules.at(stat.inode).granted;
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
                let own = rules.at(stat.inode).granted;
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
        rights = rights.and(rules.at(inode).granted);
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
