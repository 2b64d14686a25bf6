//! Everything that is on no list: refused, with the errno that lets programs fall back where there is a fall-back.

use crate::notify::denial::never;
use crate::notify::{Broker, Reply};
use crate::policy::reason::Reason;
use crate::sys::seccomp::Notification;
use crate::sys::syscall;

/// Callers have an older call to fall back to: glibc, libuv, tokio do.
const UNSUPPORTED: &[&str] = &["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"];

const NAMESPACES: &[&str] = &[
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "open_tree",
    "open_tree_attr",
    "move_mount",
    "mount_setattr",
    "statmount",
    "listmount",
];

const FOREIGN: &[&str] = &[
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "pidfd_getfd",
    "kcmp",
    "move_pages",
    "migrate_pages",
];

/// Terminal commands that type for, or take over, a terminal; answered EPERM. All others are "no terminal".
const DANGEROUS_COMMANDS: &[u32] = &[
    0x5412, // TIOCSTI
    0x541c, // TIOCLINUX
    0x5423, // TIOCSETD
    0x540e, // TIOCSCTTY
    0x8901, // FIOSETOWN
    0x8902, // SIOCSPGRP
];

impl Broker {
    pub(super) fn refuse_unlisted(&mut self, notification: &Notification) -> Reply {
        let name = syscall::name(notification.nr);
        let (errno, reason, why) = match name {
            None => (libc::ENOSYS, Reason::SyscallUnsupported, "this program does not know the call"),
            Some(name) if UNSUPPORTED.contains(&name) => {
                let why =
                    "its arguments lie in memory that can change after they were judged; callers fall back";
                (libc::ENOSYS, Reason::SyscallUnsupported, why)
            }
            Some(name) if NAMESPACES.contains(&name) => {
                let why =
                    "namespaces and mounts would give the server new powers, or move files under its grants";
                (libc::EPERM, Reason::SyscallNamespace, why)
            }
            Some(name) if FOREIGN.contains(&name) => (
                libc::EPERM,
                Reason::SyscallForeignProcess,
                "other processes' memory and descriptors are theirs",
            ),
            Some(_) => (libc::EPERM, Reason::SyscallNotAllowed, "no server needs this call"),
        };
        self.refuse_call(notification, errno, &never(reason, why))
    }

    pub(super) fn refuse_ioctl(&mut self, notification: &Notification) -> Reply {
        // The low 32 bits are the command; the kernel drops the rest, and so do we.
        let command = notification.args[1] as u32;
        let dangerous = DANGEROUS_COMMANDS.contains(&command);
        let errno = if dangerous { libc::EPERM } else { libc::ENOTTY };
        let why = "device and terminal commands are a list; this one is not on it";
        self.refuse_call(notification, errno, &never(Reason::SyscallIoctl, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_exists_and_none_is_allowed() {
        for name in UNSUPPORTED.iter().chain(NAMESPACES).chain(FOREIGN) {
            assert!(syscall::number(name).is_some(), "{name}");
            assert!(!crate::sandbox::allowlist::ALWAYS.contains(name), "{name}");
        }
    }
}
