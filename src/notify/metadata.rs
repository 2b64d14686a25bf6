//! Mode, owner, times, attributes: Landlock does not know them, so they are **performed** here and never continued.
//!
//! Allowed where the file may be written; on the very file that was judged. No set-user-ID bit, no attribute
//! outside `user.*`. See `chmod(2)`, `chown(2)`, `utimensat(2)`, `xattr(7)`.

use std::io;
use std::os::fd::AsFd;

use crate::event::{Evidence, FileAccessKind};
use crate::notify::denial::{denial, never};
use crate::notify::place::{Found, Manner, Place};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply, Stop};
use crate::policy::reason::Reason;
use crate::policy::verdict::Remedy;
use crate::sandbox::rules::Rights;
use crate::sys::seccomp::{Answer, Notification};
use crate::sys::{errno, memory, metadata};

const KIND: FileAccessKind = FileAccessKind::Metadata;
/// Longest attribute value (`XATTR_SIZE_MAX`) and name (`XATTR_NAME_MAX`).
const LONGEST_VALUE: usize = 65_536;
const LONGEST_NAME: usize = 255;

/// The set-user-ID and set-group-ID bits.
pub(super) const SET_ID: u32 = 0o6000;
const WHY_NO_SET_ID: &str = "set-user-ID and set-group-ID bits lend rights to whoever runs the file";

const WHY_NO_FLAGS: &str = "a file's flags (immutable, append only …) are the system's";
/// The size of `struct xattr_args`: a value, its size, flags.
const XATTR_ARGUMENTS: usize = 16;

/// Which file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// By path, links followed or not, an empty path allowed or not.
    Path { dirfd: i32, path: u64, manner: Manner },
    /// By descriptor.
    Descriptor(i32),
}

impl Which {
    pub(super) fn follow(path: u64) -> Which {
        Which::Path { dirfd: libc::AT_FDCWD, path, manner: Manner::FOLLOW }
    }

    pub(super) fn link_itself(path: u64) -> Which {
        Which::Path { dirfd: libc::AT_FDCWD, path, manner: Manner::NOT_LAST }
    }

    /// With the `AT_` flags of the newer calls.
    pub(super) fn flagged(dirfd: i32, path: u64, flags: u64) -> Which {
        let base =
            if flags & libc::AT_SYMLINK_NOFOLLOW as u64 != 0 { Manner::NOT_LAST } else { Manner::FOLLOW };
        let empty = flags & libc::AT_EMPTY_PATH as u64 != 0;
        Which::Path { dirfd, path, manner: Manner { empty, ..base } }
    }
}

impl Broker {
    pub(super) fn change_mode(&mut self, notification: &Notification, which: Which, mode: u64) -> Reply {
        let mode = mode as u32 & 0o7777;
        let may = if mode & SET_ID == 0 { Ok(()) } else { Err(Refusal::Privileged(WHY_NO_SET_ID)) };
        self.change_metadata(notification, which, may, |place| {
            act(place, |fd, is_link| match is_link {
                true => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
                false => metadata::change_mode(fd, mode),
            })
        })
    }

    pub(super) fn change_owner(
        &mut self,
        notification: &Notification,
        which: Which,
        uid: u64,
        gid: u64,
    ) -> Reply {
        self.change_metadata(notification, which, Ok(()), |place| {
            act(place, |fd, _| metadata::change_owner(fd, uid as u32, gid as u32))
        })
    }

    /// `times`: already read and converted; `None` is now.
    pub(super) fn change_times(
        &mut self,
        notification: &Notification,
        which: Which,
        times: io::Result<Option<[libc::timespec; 2]>>,
    ) -> Reply {
        let times = match times {
            Ok(times) => times,
            Err(error) => return Reply::errno(errno::of(&error)),
        };
        self.change_metadata(notification, which, Ok(()), |place| {
            act(place, |fd, _| metadata::change_times(fd, times))
        })
    }

    pub(super) fn set_attribute(
        &mut self,
        notification: &Notification,
        which: Which,
        name: u64,
        (value, size): (u64, u64),
        flags: u64,
    ) -> Reply {
        let tid = notification.tid;
        let read = memory::read_c_string(tid, name, LONGEST_NAME).and_then(|name| {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > LONGEST_VALUE {
                return Err(io::Error::from_raw_os_error(libc::E2BIG));
            }
            let mut bytes = vec![0u8; size];
            if size > 0 {
                memory::read_exact(tid, value, &mut bytes)?;
            }
            Ok((name, bytes))
        });
        let (name, value) = match read {
            Ok(read) => read,
            Err(error) => return Reply::errno(errno::of(&error)),
        };
        self.change_metadata(notification, which, may_change(&name), |place| {
            act(place, |fd, is_link| match is_link {
                true => Err(io::Error::from_raw_os_error(libc::EPERM)),
                false => metadata::set_attribute(fd, &name, &value, flags as i32),
            })
        })
    }

    /// `setxattrat(2)`: value, size and flags lie in memory (`struct xattr_args`), and are read once.
    pub(super) fn set_attribute_at(&mut self, notification: &Notification) -> Reply {
        let [dirfd, path, at_flags, name, arguments, length] = notification.args;
        let known = (libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) as u32;
        let mut bytes = [0u8; XATTR_ARGUMENTS];
        match usize::try_from(length).unwrap_or(usize::MAX) {
            ..XATTR_ARGUMENTS => return Reply::errno(libc::EINVAL),
            XATTR_ARGUMENTS => {}
            // Something newer than what is known here.
            _ => return Reply::errno(libc::E2BIG),
        }
        if at_flags as u32 & !known != 0 {
            return Reply::errno(libc::EINVAL);
        }
        if let Err(error) = memory::read_exact(notification.tid, arguments, &mut bytes) {
            return Reply::errno(errno::of(&error));
        }
        let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u32::from_ne_bytes(*word));
        let value = bytes.first_chunk().map_or(0, |value| u64::from_ne_bytes(*value));
        let which = Which::flagged(dirfd as i32, path, at_flags);
        self.set_attribute(notification, which, name, (value, word(8).into()), word(12).into())
    }

    /// `file_setattr(2)`: immutable, append only, project. It is nobody's business in the pen.
    pub(super) fn set_file_flags(&mut self, notification: &Notification, which: Which) -> Reply {
        self.change_metadata(notification, which, Err(Refusal::Privileged(WHY_NO_FLAGS)), |_| {
            Err(libc::EPERM)
        })
    }

    pub(super) fn remove_attribute(&mut self, notification: &Notification, which: Which, name: u64) -> Reply {
        let name = match memory::read_c_string(notification.tid, name, LONGEST_NAME) {
            Ok(name) => name,
            Err(error) => return Reply::errno(errno::of(&error)),
        };
        self.change_metadata(notification, which, may_change(&name), |place| {
            act(place, |fd, is_link| match is_link {
                true => Err(io::Error::from_raw_os_error(libc::EPERM)),
                false => metadata::remove_attribute(fd, &name),
            })
        })
    }

    /// A file that would come into being with such a bit.
    pub(super) fn refuse_set_id(&mut self, asker: &Asker, place: &Place, kind: FileAccessKind) -> Reply {
        let denial = never(Reason::FsMetadataPrivileged, WHY_NO_SET_ID);
        self.refuse(asker, Access::of(place, kind, libc::EPERM, Evidence::Performed), &denial)
    }

    /// Judges the place and what is to be done (`may`), acts on it, records both.
    fn change_metadata(
        &mut self,
        notification: &Notification,
        which: Which,
        may: Result<(), Refusal>,
        action: impl FnOnce(&Place) -> Result<(), i32>,
    ) -> Reply {
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let place = match which {
            Which::Path { dirfd, path, manner } => self.place(notification, dirfd, path, manner),
            Which::Descriptor(fd) => self.place_of_descriptor(notification, fd),
        };
        let place = match place {
            Ok(place) => place,
            // Nothing may be continued here: the kernel would look the path up again.
            Err(Stop::Natural(errno) | Stop::Unreadable(errno)) => return Reply::errno(errno),
            Err(stop) => return self.stopped(notification, &asker, stop, KIND),
        };
        if let Err(refused) = self.may_change_metadata(&asker, &place) {
            return refused;
        }
        match may {
            Ok(()) => {}
            Err(Refusal::Unsupported) => return Reply::errno(libc::EOPNOTSUPP),
            Err(Refusal::Privileged(why)) => {
                let denial = never(Reason::FsMetadataPrivileged, why);
                let access = Access::of(&place, KIND, libc::EPERM, Evidence::Performed);
                return self.refuse(&asker, access, &denial);
            }
        }
        // The log first: what cannot be told is not done.
        let told = self.allow(&asker, Access::of(&place, KIND, 0, Evidence::Performed), Reply::CONTINUE);
        if !matches!(told, Reply::Answer(Answer::Continue)) {
            return told;
        }
        match action(&place) {
            Ok(()) => Reply::Answer(Answer::Value(0)),
            // Told once as allowed, and once more with what the kernel said to it.
            Err(errno) => {
                let access = Access::of(&place, KIND, errno, Evidence::Performed);
                self.allow(&asker, access, Reply::errno(errno))
            }
        }
    }

    fn may_change_metadata(&mut self, asker: &Asker, place: &Place) -> Result<(), Reply> {
        if matches!(place.found, Found::Missing { .. }) {
            return Err(Reply::errno(libc::ENOENT));
        }
        let survey = match self.survey_of(place) {
            Ok(survey) => survey,
            Err(error) => return Err(self.unjudged(asker, place, KIND, &error)),
        };
        let held = survey.held.granted;
        let nameless = held == Rights(u32::MAX);
        if nameless || !held.cover(Rights::WRITE_FILE) {
            let explained = self.context.explain(&place.path, KIND, held);
            let remedy = if nameless {
                Remedy::WhyNot("pipes, sockets and memory files have no path that a grant could hold".into())
            } else {
                explained.remedy
            };
            let denial = denial(Reason::FsMetadata, remedy);
            return Err(self.refuse(
                asker,
                Access::of(place, KIND, libc::EACCES, Evidence::Performed),
                &denial,
            ));
        }
        if let Some(name) = self.protected_name(&survey, &place.path) {
            return Err(self.refuse_protected(asker, place, KIND, name));
        }
        Ok(())
    }
}

/// What is done to nobody's file, not even the server's own.
enum Refusal {
    Unsupported,
    Privileged(&'static str),
}

/// The errno, where the kernel refuses.
fn act(
    place: &Place,
    action: impl FnOnce(std::os::fd::BorrowedFd<'_>, bool) -> io::Result<()>,
) -> Result<(), i32> {
    match &place.found {
        Found::Existing { fd, stat } => {
            action(fd.as_fd(), stat.is_symlink()).map_err(|error| errno::of(&error))
        }
        _ => Err(libc::EACCES),
    }
}

fn may_change(name: &[u8]) -> Result<(), Refusal> {
    if name.starts_with(b"user.") {
        Ok(())
    } else if name.starts_with(b"system.") {
        // As a file system without access control lists answers: copying programs go on without.
        Err(Refusal::Unsupported)
    } else {
        Err(Refusal::Privileged("attributes outside user.* are the system's"))
    }
}

/// Two `timespec`s of the caller's; a null address is "now".
pub(super) fn read_timespecs(tid: u32, address: u64) -> io::Result<Option<[libc::timespec; 2]>> {
    read_times(tid, address, 1)
}

/// Two `timeval`s of the caller's.
pub(super) fn read_timevals(tid: u32, address: u64) -> io::Result<Option<[libc::timespec; 2]>> {
    read_times(tid, address, 1000)
}

/// A `utimbuf` of the caller's: whole seconds.
pub(super) fn read_utimbuf(tid: u32, address: u64) -> io::Result<Option<[libc::timespec; 2]>> {
    if address == 0 {
        return Ok(None);
    }
    let words = read_words::<2>(tid, address)?;
    Ok(Some(words.map(|tv_sec| libc::timespec { tv_sec, tv_nsec: 0 })))
}

fn read_times(tid: u32, address: u64, nanoseconds: i64) -> io::Result<Option<[libc::timespec; 2]>> {
    if address == 0 {
        return Ok(None);
    }
    let [a, b, c, d] = read_words::<4>(tid, address)?;
    let scaled = |fraction: i64| {
        fraction.checked_mul(nanoseconds).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
    };
    Ok(Some([
        libc::timespec { tv_sec: a, tv_nsec: scaled(b)? },
        libc::timespec { tv_sec: c, tv_nsec: scaled(d)? },
    ]))
}

fn read_words<const N: usize>(tid: u32, address: u64) -> io::Result<[i64; N]> {
    let mut bytes = vec![0u8; N * 8];
    memory::read_exact(tid, address, &mut bytes)?;
    let mut words = [0i64; N];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut eight = [0u8; 8];
        eight.copy_from_slice(chunk);
        *word = i64::from_le_bytes(eight);
    }
    Ok(words)
}
