//! Calls that make, remove and move names: `unlink`, `rmdir`, `mkdir`, `mknod`, `symlink`, `link`, `rename`,
//! `truncate`, with their `…at` forms. Predicted as Landlock decides them (`landlock(7)`, `REFER`), then continued.

use std::path::Path;

use crate::event::{Evidence, FileAccessKind};
use crate::notify::denial::denial;
use crate::notify::metadata::SET_ID;
use crate::notify::place::{Found, Manner, Place};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::policy::grant::Access as Grant;
use crate::policy::protected;
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy};
use crate::sandbox::rules::Rights;
use crate::sys::seccomp::Notification;

const RENAME_EXCHANGE: u64 = 2;

/// What a change of one name asks of the folder around it.
#[derive(Debug, Clone, Copy)]
struct Change {
    rights: Rights,
    kind: FileAccessKind,
    /// Whether what is made has a set-user-ID or set-group-ID bit.
    set_id: bool,
}

impl Broker {
    pub(super) fn unlink(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        path: u64,
        folder: bool,
    ) -> Reply {
        let rights = if folder { Rights::REMOVE_DIR } else { Rights::REMOVE_FILE };
        let change = Change { rights, kind: FileAccessKind::Delete, set_id: false };
        self.change(notification, dirfd, path, change)
    }

    pub(super) fn make(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        path: u64,
        rights: Rights,
    ) -> Reply {
        let change = Change { rights, kind: FileAccessKind::Create, set_id: false };
        self.change(notification, dirfd, path, change)
    }

    /// `mknod`, of any kind.
    pub(super) fn make_node(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        path: u64,
        mode: u64,
    ) -> Reply {
        let mode = mode as u32;
        let rights = match mode & libc::S_IFMT {
            libc::S_IFIFO => Rights::MAKE_FIFO,
            libc::S_IFSOCK => Rights::MAKE_SOCK,
            libc::S_IFCHR => Rights::MAKE_CHAR,
            libc::S_IFBLK => Rights::MAKE_BLOCK,
            _ => Rights::MAKE_REG,
        };
        let set_id = mode & SET_ID != 0;
        self.change(notification, dirfd, path, Change { rights, kind: FileAccessKind::Create, set_id })
    }

    fn change(&mut self, notification: &Notification, dirfd: i32, path: u64, change: Change) -> Reply {
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let place = match self.place(notification, dirfd, path, Manner::NOT_LAST) {
            Ok(place) => place,
            Err(stop) => return self.stopped(notification, &asker, stop, change.kind),
        };
        match (&place.found, change.kind) {
            // Nothing to remove: ENOENT. Something there already: EEXIST. Both before any rule.
            (Found::Missing { .. }, FileAccessKind::Delete) => return Reply::CONTINUE,
            (Found::Existing { .. }, FileAccessKind::Create) => return Reply::CONTINUE,
            _ => {}
        }
        let held = match self.rights_in_folder_of(&place, change.rights) {
            Ok(held) => held,
            Err(error) => return self.unjudged(&asker, &place, change.kind, &error),
        };
        if change.rights == Rights::MAKE_CHAR || change.rights == Rights::MAKE_BLOCK {
            return self.refuse_device(&asker, &place);
        }
        if !held.cover(change.rights) {
            return self.refuse_change(&asker, &place, change.kind, held);
        }
        if let Some(name) = self.protected_name(&place) {
            let denial = self.context.protected(name);
            let access = Access::of(&place, change.kind, libc::EACCES, Evidence::Performed);
            return self.refuse(&asker, access, &denial);
        }
        if change.set_id {
            return self.refuse_set_id(&asker, &place, change.kind);
        }
        // A finished thing under the name of a folder that holds protected names would bring its own along.
        let brings = change.kind == FileAccessKind::Create && change.rights != Rights::MAKE_DIR;
        if brings && self.covers_protected(&place) {
            return self.refuse_protected_parent(&asker, &place, change.kind);
        }
        self.allow(&asker, Access::of(&place, change.kind, 0, Evidence::Predicted), Reply::CONTINUE)
    }

    pub(super) fn truncate(&mut self, notification: &Notification) -> Reply {
        let kind = FileAccessKind::Truncate;
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let place = match self.place(notification, libc::AT_FDCWD, notification.args[0], Manner::FOLLOW) {
            Ok(place) => place,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        if matches!(place.found, Found::Missing { .. }) {
            return Reply::CONTINUE;
        }
        let held = match self.rights_at(&place, Rights::TRUNCATE) {
            Ok(held) => held,
            Err(error) => return self.unjudged(&asker, &place, kind, &error),
        };
        if !held.cover(Rights::TRUNCATE) {
            return self.refuse_change(&asker, &place, kind, held);
        }
        if let Some(name) = self.protected_name(&place) {
            let denial = self.context.protected(name);
            return self.refuse(&asker, Access::of(&place, kind, libc::EACCES, Evidence::Performed), &denial);
        }
        self.allow(&asker, Access::of(&place, kind, 0, Evidence::Predicted), Reply::CONTINUE)
    }

    /// `link`, `linkat`: a second name for something that exists.
    pub(super) fn link(
        &mut self,
        notification: &Notification,
        (old_dirfd, old): (i32, u64),
        (new_dirfd, new): (i32, u64),
        flags: u64,
    ) -> Reply {
        let follows = flags & libc::AT_SYMLINK_FOLLOW as u64 != 0;
        let base = if follows { Manner::FOLLOW } else { Manner::NOT_LAST };
        let manner = Manner { empty: flags & libc::AT_EMPTY_PATH as u64 != 0, ..base };
        let kind = FileAccessKind::Link;
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let places = self
            .place(notification, old_dirfd, old, manner)
            .and_then(|from| Ok((from, self.place(notification, new_dirfd, new, Manner::NOT_LAST)?)));
        let (from, to) = match places {
            Ok(places) => places,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        if !matches!(from.found, Found::Existing { .. }) || !matches!(to.found, Found::Missing { .. }) {
            return if matches!(from.found, Found::Proc { .. }) {
                Reply::errno(libc::EXDEV)
            } else {
                Reply::CONTINUE
            };
        }
        self.refer(&asker, &from, &to, Rights::default(), made_by(&from), kind)
    }

    /// `rename`, `renameat`, `renameat2`.
    pub(super) fn rename(
        &mut self,
        notification: &Notification,
        (old_dirfd, old): (i32, u64),
        (new_dirfd, new): (i32, u64),
        flags: u64,
    ) -> Reply {
        let kind = FileAccessKind::Rename;
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let places = self
            .place(notification, old_dirfd, old, Manner::NOT_LAST)
            .and_then(|from| Ok((from, self.place(notification, new_dirfd, new, Manner::NOT_LAST)?)));
        let (from, to) = match places {
            Ok(places) => places,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        if !matches!(from.found, Found::Existing { .. }) {
            return if matches!(from.found, Found::Proc { .. }) {
                Reply::errno(libc::EXDEV)
            } else {
                Reply::CONTINUE
            };
        }
        let exchanged = flags & RENAME_EXCHANGE != 0;
        let mut leaves = removed_by(&from);
        let mut arrives = made_by(&from);
        if matches!(to.found, Found::Existing { .. }) {
            if exchanged {
                leaves = leaves.and(made_by(&to));
            }
            arrives = arrives.and(removed_by(&to));
        }
        self.refer(&asker, &from, &to, leaves, arrives, kind)
    }

    /// Two names in two folders: what Landlock demands of both, and that nothing gains rights by the move.
    fn refer(
        &mut self,
        asker: &Asker,
        from: &Place,
        to: &Place,
        leaves: Rights,
        arrives: Rights,
        kind: FileAccessKind,
    ) -> Reply {
        let everything = Rights(u32::MAX);
        let (source, destination) =
            match (self.rights_in_folder_of(from, everything), self.rights_in_folder_of(to, everything)) {
                (Ok(source), Ok(destination)) => (source, destination),
                (Err(error), _) | (_, Err(error)) => return self.unjudged(asker, from, kind, &error),
            };
        let same_folder = from.path.parent() == to.path.parent();
        if !source.cover(leaves) {
            return self.refuse_change(asker, from, kind, source);
        }
        if !destination.cover(arrives) {
            return self.refuse_change(asker, to, kind, destination);
        }
        if same_folder && !destination.cover(leaves.and(arrives)) {
            return self.refuse_change(asker, to, kind, destination);
        }
        let held = match self.rights_at(from, everything) {
            Ok(held) => held,
            Err(error) => return self.unjudged(asker, from, kind, &error),
        };
        let both_refer = source.cover(Rights::REFER) && destination.cover(Rights::REFER);
        let keeps_rights = both_refer && held.cover(destination);
        if !same_folder && !keeps_rights {
            let denial = self.context.across(&from.path, &to.path);
            return self.refuse(asker, Access::of(from, kind, libc::EXDEV, Evidence::Performed), &denial);
        }
        for place in [from, to] {
            if let Some(name) = self.protected_name(place) {
                let denial = self.context.protected(name);
                let access = Access::of(place, kind, libc::EACCES, Evidence::Performed);
                return self.refuse(asker, access, &denial);
            }
            if self.covers_protected(place) {
                return self.refuse_protected_parent(asker, place, kind);
            }
        }
        match self.allow(asker, Access::of(from, kind, 0, Evidence::Predicted), Reply::CONTINUE) {
            Reply::Answer(crate::sys::seccomp::Answer::Continue) => {
                self.allow(asker, Access::of(to, kind, 0, Evidence::Predicted), Reply::CONTINUE)
            }
            refused => refused,
        }
    }

    /// No grant gives this, so none is proposed.
    fn refuse_device(&mut self, asker: &Asker, place: &Place) -> Reply {
        let why = "a device node is a door to the hardware; no grant lets a server make one".to_owned();
        let denial =
            Denial { reason: Reason::FsWriteNotGranted, layer: Layer::Landlock, remedy: Remedy::WhyNot(why) };
        let access = Access::of(place, FileAccessKind::Create, libc::EACCES, Evidence::Performed);
        self.refuse(asker, access, &denial)
    }

    fn refuse_change(&mut self, asker: &Asker, place: &Place, kind: FileAccessKind, held: Rights) -> Reply {
        let denial = self.context.explain(&place.path, kind, held);
        self.refuse(asker, Access::of(place, kind, libc::EACCES, Evidence::Performed), &denial)
    }

    pub(super) fn refuse_protected_parent(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
    ) -> Reply {
        let name = place.path.file_name().unwrap_or_default();
        let name = crate::event::text(name.as_encoded_bytes()).into_owned();
        let why =
            format!("{name} holds protected names: it is made empty or not at all, and stays where it is");
        let denial = denial(Reason::FsWriteProtected, Remedy::WhyNot(why));
        self.refuse(asker, Access::of(place, kind, libc::EACCES, Evidence::Performed), &denial)
    }

    /// The protected name that a place is, or lies in, below the write grant around it.
    pub(super) fn protected_name(&self, place: &Place) -> Option<&'static str> {
        self.write_grants_around(&place.path)
            .find_map(|relative| protected::is_protected(relative, &self.context.unprotected))
    }

    pub(super) fn covers_protected(&self, place: &Place) -> bool {
        self.write_grants_around(&place.path)
            .any(|relative| protected::covers_protected(relative, &self.context.unprotected))
    }

    /// The rest of a path below each write grant that it lies in. Our own folders of a session are not a project:
    /// nobody outside reads what the server leaves there.
    fn write_grants_around<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Path> {
        self.rules
            .iter()
            .filter(|rule| rule.access == Grant::Write && rule.is_dir && rule.origin.file != "caponier")
            .filter_map(move |rule| path.strip_prefix(&rule.path).ok())
    }
}

/// What making a thing of this kind asks for.
fn made_by(place: &Place) -> Rights {
    match &place.found {
        Found::Existing { stat, .. } => match stat.mode & libc::S_IFMT {
            libc::S_IFDIR => Rights::MAKE_DIR,
            libc::S_IFLNK => Rights::MAKE_SYM,
            libc::S_IFSOCK => Rights::MAKE_SOCK,
            libc::S_IFIFO => Rights::MAKE_FIFO,
            libc::S_IFCHR => Rights::MAKE_CHAR,
            libc::S_IFBLK => Rights::MAKE_BLOCK,
            _ => Rights::MAKE_REG,
        },
        _ => Rights::MAKE_REG,
    }
}

fn removed_by(place: &Place) -> Rights {
    match &place.found {
        Found::Existing { stat, .. } if stat.is_dir() => Rights::REMOVE_DIR,
        _ => Rights::REMOVE_FILE,
    }
}
