//! Calls that make and remove one name: `unlink`, `rmdir`, `mkdir`, `mknod`, `symlink`, with their `…at` forms, and
//! `truncate`.
//!
//! In a guarded grant they are performed here; elsewhere predicted as Landlock decides them (`landlock(7)`), then
//! continued.

use crate::event::{Evidence, FileAccessKind};
use crate::notify::metadata::SET_ID;
use crate::notify::place::{Found, Manner, Place};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::sandbox::rules::Rights;
use crate::sys::seccomp::Notification;
use crate::sys::{names, process};

use std::os::fd::AsFd;

/// What is done to a name.
#[derive(Debug, Clone, Copy)]
enum Change {
    Remove {
        folder: bool,
    },
    MakeFolder {
        mode: u32,
    },
    MakeNode {
        mode: u32,
    },
    /// A symbolic link; where its text lies in the caller's memory.
    MakeLink {
        text: u64,
    },
}

impl Change {
    /// What Landlock asks of the folder.
    fn rights(self) -> Rights {
        match self {
            Change::Remove { folder: true } => Rights::REMOVE_DIR,
            Change::Remove { folder: false } => Rights::REMOVE_FILE,
            Change::MakeFolder { .. } => Rights::MAKE_DIR,
            Change::MakeLink { .. } => Rights::MAKE_SYM,
            Change::MakeNode { mode } => match mode & libc::S_IFMT {
                libc::S_IFIFO => Rights::MAKE_FIFO,
                libc::S_IFSOCK => Rights::MAKE_SOCK,
                libc::S_IFCHR => Rights::MAKE_CHAR,
                libc::S_IFBLK => Rights::MAKE_BLOCK,
                _ => Rights::MAKE_REG,
            },
        }
    }

    fn kind(self) -> FileAccessKind {
        match self {
            Change::Remove { .. } => FileAccessKind::Delete,
            _ => FileAccessKind::Create,
        }
    }

    /// Nothing to remove, or something there already: an errno of the kernel's, before any rule.
    fn is_settled(self, place: &Place) -> bool {
        match self {
            Change::Remove { .. } => matches!(place.found, Found::Missing { .. }),
            _ => place.found.stat().is_some(),
        }
    }

    fn sets_id(self) -> bool {
        matches!(self, Change::MakeNode { mode } if mode & SET_ID != 0)
    }
}

impl Broker {
    pub(super) fn unlink(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        path: u64,
        folder: bool,
    ) -> Reply {
        self.change(notification, dirfd, path, Change::Remove { folder })
    }

    pub(super) fn make_folder(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        path: u64,
        mode: u64,
    ) -> Reply {
        self.change(notification, dirfd, path, Change::MakeFolder { mode: mode as u32 })
    }

    /// `mknod`, of any kind.
    pub(super) fn make_node(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        path: u64,
        mode: u64,
    ) -> Reply {
        // The kernel takes 16 bits of it.
        self.change(notification, dirfd, path, Change::MakeNode { mode: u32::from(mode as u16) })
    }

    pub(super) fn make_symlink(
        &mut self,
        notification: &Notification,
        text: u64,
        dirfd: i32,
        path: u64,
    ) -> Reply {
        self.change(notification, dirfd, path, Change::MakeLink { text })
    }

    fn change(&mut self, notification: &Notification, dirfd: i32, path: u64, change: Change) -> Reply {
        let (kind, rights) = (change.kind(), change.rights());
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let entry = match self.entry(notification, dirfd, path) {
            Ok(entry) => entry,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        let place = &entry.place;
        let survey = match self.survey_around(&entry) {
            Ok(survey) => survey,
            Err(error) => return self.unjudged(&asker, place, kind, &error),
        };
        let protected = self.protected_name(&survey, &place.path);
        if change.is_settled(place) && (protected.is_some() || !survey.is_ours(rights)) {
            return Reply::CONTINUE;
        }
        if rights == Rights::MAKE_CHAR || rights == Rights::MAKE_BLOCK {
            return self.refuse_device(&asker, place, kind);
        }
        if !survey.held.granted.cover(rights) {
            return self.refuse_change(&asker, place, kind, survey.held.granted);
        }
        if let Some(name) = protected {
            return self.refuse_protected(&asker, place, kind, name);
        }
        if change.sets_id() {
            return self.refuse_set_id(&asker, place, kind);
        }
        // A finished thing under the name of a folder that holds protected names would bring its own along.
        let brings = kind == FileAccessKind::Create && !matches!(change, Change::MakeFolder { .. });
        let whole = matches!(change, Change::MakeLink { .. });
        if brings && self.covers_protected(&survey, &place.path, whole) {
            return self.refuse_protected_parent(&asker, place, kind);
        }
        if !survey.is_ours(rights) {
            let access = Access::of(place, kind, 0, Evidence::Predicted);
            return self.allow(&asker, access, Reply::CONTINUE);
        }
        if matches!(change, Change::Remove { folder: true }) {
            self.surveyed.forget();
        }
        let name = entry.name();
        match change {
            Change::Remove { folder } => {
                self.perform_change(&asker, place, kind, || names::remove(name, folder))
            }
            Change::MakeLink { text } => match self.read_path(notification, text) {
                Ok(text) => self.perform_change(&asker, place, kind, || names::make_link(name, &text)),
                Err(stop) => self.stopped(notification, &asker, stop, kind),
            },
            Change::MakeFolder { mode } => match self.adopt_umask(notification) {
                Ok(()) => self.perform_change(&asker, place, kind, || names::make_folder(name, mode)),
                Err(reply) => reply,
            },
            Change::MakeNode { mode } => match self.adopt_umask(notification) {
                Ok(()) => self.perform_change(&asker, place, kind, || names::make_node(name, mode)),
                Err(reply) => reply,
            },
        }
    }

    pub(super) fn truncate(&mut self, notification: &Notification) -> Reply {
        let kind = FileAccessKind::Truncate;
        let [path, length, ..] = notification.args;
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let place = match self.place(notification, libc::AT_FDCWD, path, Manner::FOLLOW) {
            Ok(place) => place,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        if matches!(place.found, Found::Missing { .. }) {
            return Reply::CONTINUE;
        }
        let survey = match self.survey_of(&place) {
            Ok(survey) => survey,
            Err(error) => return self.unjudged(&asker, &place, kind, &error),
        };
        if !survey.held.granted.cover(Rights::TRUNCATE) {
            return self.refuse_change(&asker, &place, kind, survey.held.granted);
        }
        if let Some(name) = self.protected_name(&survey, &place.path) {
            return self.refuse_protected(&asker, &place, kind, name);
        }
        if self.leads_elsewhere(&survey, &place) {
            return self.refuse_protected_parent(&asker, &place, kind);
        }
        match &place.found {
            Found::Existing { fd, .. } if survey.is_ours(Rights::TRUNCATE) => {
                // The limit is the caller's, and the kernel would ask ours.
                let limit = match process::limit_of(asker.pid, libc::RLIMIT_FSIZE) {
                    Ok(limit) => limit,
                    Err(error) => return self.unjudged(&asker, &place, kind, &error),
                };
                if self.still_waits(notification).is_err() {
                    return Reply::Gone;
                }
                let length = length.cast_signed();
                self.perform_change(&asker, &place, kind, || {
                    if u64::try_from(length).is_ok_and(|length| length > limit) {
                        return Err(std::io::Error::from_raw_os_error(libc::EFBIG));
                    }
                    names::truncate(fd.as_fd(), length)
                })
            }
            _ => self.allow(&asker, Access::of(&place, kind, 0, Evidence::Predicted), Reply::CONTINUE),
        }
    }

    pub(super) fn refuse_change(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
        held: Rights,
    ) -> Reply {
        let denial = self.context.explain(&place.path, kind, held);
        self.refuse(asker, Access::of(place, kind, libc::EACCES, Evidence::Performed), &denial)
    }
}
