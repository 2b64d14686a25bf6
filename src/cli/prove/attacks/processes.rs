//! Processes outside of the pen: their memory, descriptors, secrets, signals and settings. The victim is a process that
//! the doctor started for this, and nothing is done to it that it would notice.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;

use crate::cli::prove::attacker::MEMORY;
use crate::cli::prove::attacks::{Attack, EACCES, EPERM, Silent, never};
use crate::cli::prove::mission::Mission;
use crate::sys::{descriptor, hostile, memory, process};

pub(super) const ATTACKS: &[Attack] = &[
    never("read-environment", "reads /proc/PID/environ of a process", EACCES, |it| {
        let read = fs::read(format!("/proc/{}/environ", it.victim.pid))?;
        Ok(format!("{} bytes", read.len()))
    }),
    never("read-command-line", "reads /proc/PID/cmdline of a process", EACCES, |it| {
        let read = fs::read(format!("/proc/{}/cmdline", it.victim.pid))?;
        Ok(format!("{} bytes", read.len()))
    }),
    never("open-memory", "opens /proc/PID/mem of a process", EACCES, |it| {
        let path = format!("/proc/{}/mem", it.victim.pid);
        OpenOptions::new().read(true).write(true).open(path).map(|_| "it is open for writing".into())
    }),
    never("trace-process", "attaches to a process (ptrace)", EPERM, |it| {
        hostile::trace(it.victim.pid).map(|()| "it is traced".into())
    }),
    never("read-memory", "reads the memory of a process", EPERM, |it| {
        let mut secret = vec![0; it.victim.length.min(4096)];
        memory::read_exact(it.victim.pid, it.victim.address, &mut secret)?;
        match secret == MEMORY.as_bytes() {
            true => Ok(format!("{} bytes", secret.len())),
            false => Err(io::Error::other("something else was read")),
        }
    }),
    never("write-memory", "writes into the memory of a process", EPERM, |it| {
        // What stands there already.
        memory::write(it.victim.pid, it.victim.address, MEMORY.get(..1).unwrap_or_default().as_bytes())
            .or_else(|error| match error.raw_os_error() {
                // It was let in; the secret lies in memory that nobody may write.
                Some(libc::EFAULT) => Ok(()),
                _ => Err(error),
            })
            .map(|()| "it was written".into())
    }),
    never("take-descriptor", "copies a descriptor of a process", EPERM, |it| {
        let process = descriptor::pidfd_open(it.victim.pid)?;
        descriptor::pidfd_getfd(process.as_fd(), 0).map(|_| "its stdin is open".into())
    }),
    never("read-supervisor", "reads the memory of what started it", EPERM, |it| {
        let mut byte = [0];
        match memory::read_exact(above(it)?, 4096, &mut byte) {
            // Whether it may is asked before whether there is anything.
            Err(error) if error.raw_os_error() != Some(libc::EFAULT) => Err(error),
            _ => Ok("it may".into()),
        }
    }),
    never("take-from-supervisor", "copies a descriptor of what started it", EPERM, |it| {
        let process = descriptor::pidfd_open(above(it)?)?;
        descriptor::pidfd_getfd(process.as_fd(), 0).map(|_| "its stdin is open".into())
    }),
    // Continuing what runs already is a signal like any other, and does nothing.
    never("signal-process", "sends a signal to a process", EPERM, |it| {
        process::signal(it.victim.pid, libc::SIGCONT).map(|()| "it was delivered".into())
    })
    .silent(Silent::Scope),
    never("own-signals", "has the kernel signal a process", EPERM, |it| {
        let (one, _other) = io::pipe()?;
        hostile::own_signals(one.as_fd(), it.victim.pid).map(|()| "it will".into())
    }),
    never("set-limit", "sets the limits of a process", EPERM, |it| {
        hostile::set_limit_of(it.victim.pid).map(|()| "they are set".into())
    }),
    never("set-priority", "sets the priority of a process", EPERM, |it| {
        hostile::make_nice(it.victim.pid).map(|()| "it is nicer now".into())
    }),
];

/// What started the attacker: the doctor, or in the pen the first process of the tree. An attack's own parent is the
/// attacker.
fn above(_: &Mission) -> io::Result<u32> {
    let attacker = nix::unistd::getppid().as_raw().unsigned_abs();
    let standing = crate::sys::tree::standing(attacker);
    standing.map(|it| it.ppid).ok_or_else(|| io::Error::other("what started it cannot be told"))
}
