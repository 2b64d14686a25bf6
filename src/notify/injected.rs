//! Two files that a server with a network finds other than they are: `/etc/resolv.conf` leads to our resolver, `/etc/hosts` has
//! the profile's own names. `resolv.conf(5)`, `hosts(5)`, `nsswitch.conf(5)`.
//!
//! They are put into the caller as a descriptor of sealed memory (`SECCOMP_IOCTL_NOTIF_ADDFD`). When that fails the open fails:
//! it is never continued. What is seen through `stat` is the real file.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use crate::event::{Evidence, FileAccessKind};
use crate::network::{self, RESOLV_CONF};
use crate::notify::place::Place;
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::sys::descriptor::sealed_memory;
use crate::sys::errno;
use crate::sys::path::{self, Inode};
use crate::sys::seccomp::{self, Answer, Notification};

const RESOLV: &[u8] = b"/etc/resolv.conf";
const HOSTS: &[u8] = b"/etc/hosts";

/// The real files: one of them may be opened by the name that a link leads to.
#[derive(Debug, Default)]
pub(super) struct Files {
    resolv: Option<Inode>,
    hosts: Option<Inode>,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Resolv,
    Hosts,
}

impl Files {
    pub(super) fn find() -> Files {
        let inode = |name: &[u8]| {
            let file = path::open(name, libc::O_PATH).ok()?;
            path::stat(file.as_fd()).ok().map(|stat| stat.inode)
        };
        Files { resolv: inode(RESOLV), hosts: inode(HOSTS) }
    }

    /// Whether a path is the name of one of them.
    pub(super) fn is_named(&self, path: &[u8]) -> bool {
        path == RESOLV || path == HOSTS
    }

    /// Whether a path, or the file that it leads to, is one of them.
    pub(super) fn has(&self, path: &[u8], inode: Inode) -> bool {
        self.is_named(path) || [self.resolv, self.hosts].contains(&Some(inode))
    }

    /// Which file a place is, by its name or by what the name leads to.
    pub(super) fn which(&self, place: &Place) -> Option<File> {
        use std::os::unix::ffi::OsStrExt as _;
        let canonical = place.path.as_os_str().as_bytes();
        let named = |name: &[u8]| place.asked == name || canonical == name;
        let inode = place.found.stat().map(|stat| stat.inode);
        let is = |own: Option<Inode>| own.is_some() && own == inode;
        if named(RESOLV) || is(self.resolv) {
            Some(File::Resolv)
        } else if named(HOSTS) || is(self.hosts) {
            Some(File::Hosts)
        } else {
            None
        }
    }
}

impl Broker {
    /// Puts one of the files into the caller.
    pub(super) fn inject(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        place: &Place,
        (file, close_on_exec): (File, bool),
        network: &Arc<network::Broker>,
    ) -> Reply {
        let access = Access::of(place, FileAccessKind::Read, 0, Evidence::Performed);
        match file {
            File::Resolv => match content(RESOLV_CONF) {
                Ok(fd) => self.allow(asker, access, Reply::Descriptor { fd, close_on_exec }),
                Err(error) => Reply::errno(errno::of(&error)),
            },
            File::Hosts => {
                // The names are resolved now, which takes as long as it takes: not here.
                let reply = self.allow(asker, access, Reply::Handed);
                if !matches!(reply, Reply::Handed) {
                    return reply;
                }
                let (listener, id) = (Arc::clone(&self.listener), notification.id);
                let asker = network::Asker { pid: asker.pid, exe: asker.exe.clone() };
                network.hosts(
                    asker,
                    Box::new(move |text| {
                        let listener = listener.as_fd();
                        let sent = content(&text).and_then(|fd| {
                            seccomp::respond_with_descriptor(listener, id, fd.as_fd(), close_on_exec)
                        });
                        if let Err(error) = sent {
                            // ENOENT: the caller died meanwhile.
                            let _ = seccomp::respond(listener, id, Answer::Errno(errno::of(&error)));
                        }
                    }),
                );
                Reply::Handed
            }
        }
    }
}

/// A file with this text: opened anew for each reader, for whoever shares an open file shares its position.
fn content(text: &str) -> io::Result<OwnedFd> {
    let memory = sealed_memory("caponier", text.as_bytes())?;
    let name = format!("/proc/self/fd/{}", memory.as_raw_fd());
    path::open(name.as_bytes(), libc::O_RDONLY | libc::O_CLOEXEC)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn the_content_is_read_from_its_start_and_cannot_be_written() {
        let mut file = std::fs::File::from(content("127.0.0.1 localhost\n").unwrap());
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "127.0.0.1 localhost\n");
        assert!(file.write(b"x").is_err());
    }
}
