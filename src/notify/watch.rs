//! `inotify_add_watch(2)`: a watch tells names and activity, which Landlock does not guard. Performed on our copy of
//! the caller's inotify instance, for the very thing that was judged.

use std::os::fd::AsFd;

use crate::event::{Evidence, FileAccessKind};
use crate::notify::denial::denial;
use crate::notify::place::{Found, Manner};
use crate::notify::record::Access;
use crate::notify::{Broker, Reply, Stop, target};
use crate::policy::reason::Reason;
use crate::sandbox::rules::Rights;
use crate::sys::errno;
use crate::sys::seccomp::{Answer, Notification};
use crate::sys::watch::{self, IN_DONT_FOLLOW};

impl Broker {
    pub(super) fn add_watch(&mut self, notification: &Notification) -> Reply {
        let [instance, path, mask, ..] = notification.args;
        let (kind, mask) = (FileAccessKind::List, mask as u32);
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let manner = if mask & IN_DONT_FOLLOW != 0 { Manner::NOT_LAST } else { Manner::FOLLOW };
        let place = match self.place(notification, libc::AT_FDCWD, path, manner) {
            Ok(place) => place,
            Err(Stop::Natural(errno) | Stop::Unreadable(errno)) => return Reply::errno(errno),
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        let Found::Existing { fd, stat } = &place.found else { return Reply::errno(libc::ENOENT) };
        let wanted = if stat.is_dir() { Rights::READ_DIR } else { Rights::READ_FILE };
        let held = match self.rights_at(&place, wanted) {
            Ok(held) => held,
            Err(error) => return self.unjudged(&asker, &place, kind, &error),
        };
        if !held.cover(wanted) {
            let remedy = self.context.explain(&place.path, kind, held).remedy;
            let denial = denial(Reason::FsWatch, remedy);
            return self.refuse(&asker, Access::of(&place, kind, libc::EACCES, Evidence::Performed), &denial);
        }
        let told = self.allow(&asker, Access::of(&place, kind, 0, Evidence::Performed), Reply::CONTINUE);
        if !matches!(told, Reply::Answer(Answer::Continue)) {
            return told;
        }
        let added = target::duplicate(asker.pid, instance as i32)
            .and_then(|instance| watch::add(instance.as_fd(), fd.as_fd(), mask & !IN_DONT_FOLLOW));
        match added {
            Ok(descriptor) => Reply::Answer(Answer::Value(i64::from(descriptor))),
            Err(error) => Reply::errno(errno::of(&error)),
        }
    }
}
