//! What Landlock will say: rights united along a path, from the thing itself up to the root, compared by inode.
//!
//! Not by name: a rule holds for what was opened when it was made, however it is moved or mounted since.
//! `security/landlock/fs.c`, `is_access_to_paths_allowed`.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::notify::Broker;
use crate::notify::place::{Found, Place, folder_of};
use crate::policy::protected;
use crate::sandbox::rules::{Held, Rights, Rules};
use crate::sys::path::{self, Inode};

/// How long a folder in which reading was granted is not looked at again. A folder that was moved meanwhile makes a
/// *prediction* wrong, in the one direction in which Landlock still decides.
const BELIEVED: Duration = Duration::from_millis(100);
/// Surveys remembered.
const MOST_SURVEYED: usize = 1024;

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

/// Folders that were surveyed a moment ago, by the kernel's own name for each.
///
/// What a survey says of a guarded folder changes when a folder is moved or removed, and in there the broker alone does
/// that, which empties this memory. Elsewhere Landlock decides again. Somebody outside who puts another folder under
/// the same name is overtaken for that moment, as he would be by a call that came first.
#[derive(Debug, Default)]
pub(super) struct Surveyed {
    known: HashMap<PathBuf, Survey>,
    since: Option<Instant>,
}

impl Surveyed {
    fn get(&mut self, folder: &Path) -> Option<Survey> {
        let fresh = self.since.is_some_and(|since| since.elapsed() < BELIEVED);
        if !fresh || self.known.len() > MOST_SURVEYED {
            self.forget();
        }
        self.known.get(folder).copied()
    }

    fn remember(&mut self, folder: &Path, survey: Survey) {
        self.since.get_or_insert_with(Instant::now);
        self.known.insert(folder.to_owned(), survey);
    }

    /// A folder was moved, or is gone.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.since = None;
    }
}

impl Broker {
    /// Surveys the folder that `start` is, up to the root; `folder` is the kernel's name for it.
    pub(super) fn survey(&mut self, folder: &Path, start: BorrowedFd<'_>) -> io::Result<Survey> {
        if let Some(known) = self.surveyed.get(folder) {
            return Ok(known);
        }
        let survey = self.climb(folder, start)?;
        self.surveyed.remember(folder, survey);
        Ok(survey)
    }

    /// Surveys the folder that something lies in, by the kernel's name for the thing.
    pub(super) fn survey_above(&mut self, path: &Path) -> io::Result<Survey> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        if let Some(known) = self.surveyed.get(folder) {
            return Ok(known);
        }
        let start = folder_of(self.root.as_fd(), path)?;
        self.survey(folder, start.as_fd())
    }

    fn climb(&self, folder: &Path, start: BorrowedFd<'_>) -> io::Result<Survey> {
        let names = protected::depth(folder);
        let mut survey = Survey { held: Held::default(), guarded: None };
        let mut climb = Climb::from(start)?;
        loop {
            survey.held = survey.held.and(self.rules.at(climb.inode));
            if self.rules.guards(climb.inode) {
                // A name and a walk that disagree were looked at while somebody moved a folder.
                let below = names.checked_sub(climb.steps).ok_or(io::ErrorKind::StaleNetworkFileHandle)?;
                survey.guarded = Some(below);
            }
            if !climb.up()? {
                return Ok(survey);
            }
        }
    }

    /// Surveys a place: the folder that it is, or that it lies in.
    pub(super) fn survey_of(&mut self, place: &Place) -> io::Result<Survey> {
        match &place.found {
            Found::Missing { parent } => {
                self.survey(place.path.parent().unwrap_or(Path::new("/")), parent.as_fd())
            }
            Found::Proc { .. } => Ok(Survey { held: Held::default(), guarded: None }),
            Found::Existing { .. } if self.is_nameless(place) => Ok(Survey::NAMELESS),
            Found::Existing { fd, stat } if stat.is_dir() => self.survey(&place.path, fd.as_fd()),
            Found::Existing { stat, .. } | Found::Named { stat } => {
                let mut survey = self.survey_above(&place.path)?;
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
        let (held, steps) = rights_above(&self.rules, start.as_fd(), Rights::default(), wanted)?;
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
            Found::Missing { parent } => {
                Ok(rights_above(rules, parent.as_fd(), Rights::default(), enough)?.0)
            }
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
                if stat.is_dir() {
                    return Ok(rights_above(rules, fd.as_fd(), own, enough)?.0);
                }
                let start = folder_of(self.root.as_fd(), &place.path)?;
                Ok(rights_above(rules, start.as_fd(), own, enough)?.0)
            }
            Found::Named { stat } => {
                let own = rules.at(stat.inode).granted;
                let start = folder_of(self.root.as_fd(), &place.path)?;
                Ok(rights_above(rules, start.as_fd(), own, enough)?.0)
            }
        }
    }

    /// What the kernel shows as `pipe:[1]`, `socket:[2]`, `anon_inode:…`, `/memfd:…`: no path leads there.
    fn is_nameless(&self, place: &Place) -> bool {
        let path = place.path.as_os_str().as_encoded_bytes();
        path.first() != Some(&b'/') || path.starts_with(b"/memfd:")
    }
}

/// The way from a folder to the root, one look for each step.
struct Climb<'f> {
    start: BorrowedFd<'f>,
    /// The folder that it has come to.
    inode: Inode,
    /// How many steps that is above the start.
    steps: usize,
    /// `../..`
    above: Vec<u8>,
}

impl<'f> Climb<'f> {
    fn from(start: BorrowedFd<'f>) -> io::Result<Climb<'f>> {
        Ok(Climb { start, inode: path::stat(start)?.inode, steps: 0, above: Vec::new() })
    }

    /// One step up; `false` at the root.
    fn up(&mut self) -> io::Result<bool> {
        self.above.extend_from_slice(if self.steps == 0 { b".." } else { b"/.." });
        let inode = path::stat_at(self.start, &self.above)?.inode;
        self.steps += 1;
        Ok(std::mem::replace(&mut self.inode, inode) != inode)
    }
}

/// Climbs to the root, or until `enough` is found; how many folders up that was.
fn rights_above(
    rules: &Rules,
    start: BorrowedFd<'_>,
    own: Rights,
    enough: Rights,
) -> io::Result<(Rights, usize)> {
    let mut rights = own;
    let mut climb = Climb::from(start)?;
    loop {
        rights = rights.and(rules.at(climb.inode).granted);
        if rights.cover(enough) || !climb.up()? {
            return Ok((rights, climb.steps));
        }
    }
}
