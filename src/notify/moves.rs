//! Calls with two names: `link` and `rename`, with their `…at` forms.
//!
//! Landlock demands rights of both folders, and that nothing gains rights by the move (`landlock(7)`, `REFER`). Between
//! two places of guarded grants it is performed here; across the border between those and the server's own folders
//! it is refused, for on the other side anything could be prepared.

use std::os::fd::AsFd;

use crate::event::{Evidence, FileAccessKind};
use crate::notify::entry::Entry;
use crate::notify::judge::Survey;
use crate::notify::place::{Found, Manner, Place};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::sandbox::rules::Rights;
use crate::sys::names;
use crate::sys::path::Stat;
use crate::sys::seccomp::{Answer, Notification};

const RENAME_NOREPLACE: u64 = 1;
const RENAME_EXCHANGE: u64 = 2;

/// Two places, and what is asked of their folders.
#[derive(Clone, Copy)]
struct Move<'a> {
    kind: FileAccessKind,
    from: &'a Place,
    to: &'a Place,
    /// Of the first folder.
    leaves: Rights,
    /// Of the second.
    arrives: Rights,
    /// Whether folders or links are moved.
    whole: bool,
}

/// What is known of both folders.
struct Folders {
    source: Survey,
    destination: Survey,
}

impl Broker {
    /// `link`, `linkat`: a second name for something that exists.
    pub(super) fn link(
        &mut self,
        notification: &Notification,
        (old_dirfd, old): (i32, u64),
        (new_dirfd, new): (i32, u64),
        flags: u64,
    ) -> Reply {
        let flags = flags as i32;
        if flags & !(libc::AT_SYMLINK_FOLLOW | libc::AT_EMPTY_PATH) != 0 {
            return Reply::CONTINUE;
        }
        let base = if flags & libc::AT_SYMLINK_FOLLOW != 0 { Manner::FOLLOW } else { Manner::NOT_LAST };
        let manner = Manner { empty: flags & libc::AT_EMPTY_PATH != 0, ..base };
        let kind = FileAccessKind::Link;
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let places = self
            .place(notification, old_dirfd, old, manner)
            .and_then(|from| Ok((from, self.entry(notification, new_dirfd, new)?)));
        let (from, entry) = match places {
            Ok(places) => places,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        let Found::Existing { fd, stat } = &from.found else { return nothing_to_move(&from) };
        let to = &entry.place;
        let surveys = self
            .survey_above(&from.path)
            .and_then(|source| Ok(Folders { source, destination: self.survey_around(&entry)? }));
        let folders = match surveys {
            Ok(folders) => folders,
            Err(error) => return self.unjudged(&asker, &from, kind, &error),
        };
        let is_there = !matches!(to.found, Found::Missing { .. });
        let guarded = folders.destination.guarded.is_some();
        if is_there && (!guarded || self.protected_name(&folders.destination, &to.path).is_some()) {
            // EEXIST, before any rule.
            return Reply::CONTINUE;
        }
        let (leaves, arrives) = (Rights::default(), made_by(&from));
        let whole = stat.is_dir() || stat.is_symlink();
        let step = Move { kind, from: &from, to, leaves, arrives, whole };
        match self.refused_move(&asker, step, &folders) {
            Some(refused) => refused,
            None if guarded => self.perform_move(&asker, step, || names::add_name(fd.as_fd(), entry.name())),
            None => self.predict_move(&asker, step),
        }
    }

    /// `rename`, `renameat`, `renameat2`.
    pub(super) fn rename(
        &mut self,
        notification: &Notification,
        (old_dirfd, old): (i32, u64),
        (new_dirfd, new): (i32, u64),
        flags: u64,
    ) -> Reply {
        let flags = u64::from(flags as u32);
        if flags & !(RENAME_NOREPLACE | RENAME_EXCHANGE) != 0 {
            // Whiteouts are devices: Landlock lets none be made.
            return Reply::CONTINUE;
        }
        let kind = FileAccessKind::Rename;
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let entries = self.entry(notification, old_dirfd, old).and_then(|from| {
            let to = self.entry_beside(notification, (old_dirfd, &from), new_dirfd, new)?;
            Ok((from, to))
        });
        let (from, to) = match entries {
            Ok(entries) => entries,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        if from.place.found.stat().is_none() {
            return nothing_to_move(&from.place);
        }
        let folders = match self.folders_of(&from, &to) {
            Ok(folders) => folders,
            Err(error) => return self.unjudged(&asker, &from.place, kind, &error),
        };
        let exchanged = flags & RENAME_EXCHANGE != 0;
        let mut leaves = removed_by(&from.place);
        let mut arrives = made_by(&from.place);
        if to.place.found.stat().is_some() {
            if exchanged {
                leaves = leaves.and(made_by(&to.place));
            }
            arrives = arrives.and(removed_by(&to.place));
        }
        let whole = from.is_whole() || exchanged && to.is_whole();
        let step = Move { kind, from: &from.place, to: &to.place, leaves, arrives, whole };
        match self.refused_move(&asker, step, &folders) {
            Some(refused) => refused,
            None if folders.source.guarded.is_some() => {
                self.perform_move(&asker, step, || names::rename(from.name(), to.name(), flags as u32))
            }
            None => self.predict_move(&asker, step),
        }
    }

    fn folders_of(&mut self, from: &Entry, to: &Entry) -> std::io::Result<Folders> {
        Ok(Folders { source: self.survey_around(from)?, destination: self.survey_around(to)? })
    }

    /// What Landlock demands of both folders, that nothing gains rights by the move, and that no protected name is
    /// made or taken away by it.
    fn refused_move(&mut self, asker: &Asker, step: Move<'_>, folders: &Folders) -> Option<Reply> {
        let Move { kind, from, to, leaves, arrives, whole } = step;
        let (source, destination) = (folders.source.held.granted, folders.destination.held.granted);
        let same_folder = from.path.parent() == to.path.parent();
        if !source.cover(leaves) {
            return Some(self.refuse_change(asker, from, kind, source));
        }
        if !destination.cover(arrives) || same_folder && !destination.cover(leaves) {
            return Some(self.refuse_change(asker, to, kind, destination));
        }
        let own = from.found.stat().map(|stat| self.rules.at(stat.inode).granted).unwrap_or_default();
        let both_refer = source.cover(Rights::REFER) && destination.cover(Rights::REFER);
        let keeps_rights = both_refer && source.and(own).cover(destination);
        if !same_folder && !keeps_rights {
            let denial = self.context.across(&from.path, &to.path);
            let access = Access::of(from, kind, libc::EXDEV, Evidence::Performed);
            return Some(self.refuse(asker, access, &denial));
        }
        for (place, survey) in [(from, &folders.source), (to, &folders.destination)] {
            if let Some(name) = self.protected_name(survey, &place.path) {
                return Some(self.refuse_protected(asker, place, kind, name));
            }
            if self.covers_protected(survey, &place.path, whole) {
                return Some(self.refuse_protected_parent(asker, place, kind));
            }
        }
        if folders.source.guarded.is_some() != folders.destination.guarded.is_some() {
            return Some(self.refuse_border(asker, from, kind));
        }
        None
    }

    /// Both ends are told.
    fn perform_move(
        &mut self,
        asker: &Asker,
        step: Move<'_>,
        act: impl FnOnce() -> std::io::Result<()>,
    ) -> Reply {
        let Move { kind, from, to, whole, .. } = step;
        if whole {
            self.surveyed.forget();
        }
        match self.perform_change(asker, from, kind, act) {
            Reply::Answer(Answer::Value(0)) => {
                let done = Reply::Answer(Answer::Value(0));
                self.allow(asker, Access::of(to, kind, 0, Evidence::Performed), done)
            }
            failed => failed,
        }
    }

    fn predict_move(&mut self, asker: &Asker, step: Move<'_>) -> Reply {
        let Move { kind, from, to, whole, .. } = step;
        if whole {
            self.surveyed.forget();
        }
        match self.allow(asker, Access::of(from, kind, 0, Evidence::Predicted), Reply::CONTINUE) {
            Reply::Answer(Answer::Continue) => {
                self.allow(asker, Access::of(to, kind, 0, Evidence::Predicted), Reply::CONTINUE)
            }
            refused => refused,
        }
    }
}

/// The first name is of nothing that could be moved.
fn nothing_to_move(from: &Place) -> Reply {
    match from.found {
        Found::Proc { .. } => Reply::errno(libc::EXDEV),
        _ => Reply::CONTINUE,
    }
}

/// What making a thing of this kind asks for.
fn made_by(place: &Place) -> Rights {
    match place.found.stat().map_or(0, |stat| stat.mode & libc::S_IFMT) {
        libc::S_IFDIR => Rights::MAKE_DIR,
        libc::S_IFLNK => Rights::MAKE_SYM,
        libc::S_IFSOCK => Rights::MAKE_SOCK,
        libc::S_IFIFO => Rights::MAKE_FIFO,
        libc::S_IFCHR => Rights::MAKE_CHAR,
        libc::S_IFBLK => Rights::MAKE_BLOCK,
        _ => Rights::MAKE_REG,
    }
}

fn removed_by(place: &Place) -> Rights {
    if place.found.stat().is_some_and(Stat::is_dir) { Rights::REMOVE_DIR } else { Rights::REMOVE_FILE }
}
