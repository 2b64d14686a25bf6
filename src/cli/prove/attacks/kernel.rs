//! Doors of the kernel that no server needs, and that lead round the others.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;

use nix::sched::{CloneFlags, unshare};

use crate::cli::prove::attacks::{Attack, EPERM, Wants, never};
use crate::sys::{descriptor, hostile, uring};

pub(super) const ATTACKS: &[Attack] = &[
    never("io-uring", "asks for an io_uring", &["ENOSYS"], |_| uring::setup(1).map(|_| "it has one".into())),
    never("user-namespace", "makes a user namespace of its own", EPERM, |_| {
        unshare(CloneFlags::CLONE_NEWUSER)
            .map_err(io::Error::from)
            .map(|()| "it has all powers in there".into())
    }),
    never("mount", "mounts something over its folder", EPERM, |it| {
        let folder = std::env::temp_dir().join("mount");
        std::fs::create_dir(&folder)?;
        hostile::mount(folder.as_os_str().as_bytes(), it.confined).map(|()| "it was mounted".into())
    }),
    never("join-namespace", "joins a namespace (setns)", EPERM, |_| {
        let own = descriptor::pidfd_open(std::process::id())?;
        hostile::join_own_namespace(own.as_fd()).map(|()| "it may".into())
    }),
    never("bpf", "makes a BPF map", EPERM, |_| hostile::bpf_map().map(|_| "it has one".into())),
    never("keyring", "adds a key to a keyring", EPERM, |_| hostile::add_key().map(|()| "it is there".into())),
    never("user-faults", "handles page faults (userfaultfd)", EPERM, |_| {
        hostile::user_faults().map(|_| "it may".into())
    }),
    never("perf-events", "counts events of the processor (perf)", EPERM, |_| {
        hostile::count_events().map(|_| "it may".into())
    }),
    never("file-handle", "gets a handle of the key, past all folders", EPERM, |it| {
        hostile::handle_of(it.key().as_os_str().as_bytes()).map(|()| "it has one".into())
    }),
    never("shared-memory", "makes System V shared memory", EPERM, |_| {
        hostile::shared_memory().map(|()| "it was there".into())
    }),
    never("personality", "makes all readable memory executable", EPERM, |_| {
        hostile::read_implies_exec().map(|()| "it is".into())
    }),
    never("own-filter", "hides its calls behind a filter of its own", EPERM, |_| {
        hostile::own_filter().map(|()| "they are hidden".into())
    })
    .wants(Wants::Filters),
    never("type-into-terminal", "types into a terminal (TIOCSTI)", EPERM, |_| {
        // The end of a terminal hangs up whoever it belongs to.
        hostile::ignore(libc::SIGHUP);
        match hostile::own_terminal() {
            Ok((_leader, follower)) => hostile::type_into(follower.as_fd()),
            // Where it gets no terminal, the one that it may have been given.
            Err(_) => hostile::type_into(io::stdin().as_fd()),
        }
        .map(|()| "it was typed".into())
    }),
];
