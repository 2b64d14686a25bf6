//! `execve(2)`, `execveat(2)`: the program, its hash-bang interpreters, its words.
//!
//! The first of a session is the server itself: `session.start` is written before it is answered.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::event::{Evidence, FileAccessKind, ProcessStart, text};
use crate::notify::denial::never;
use crate::notify::place::{Found, Manner, Place};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::policy::reason::Reason;
use crate::policy::verdict::Denial;
use crate::sandbox::rules::Rights;
use crate::sys::path::{self, Follow};
use crate::sys::seccomp::Notification;
use crate::sys::{errno, memory, tree};

/// Words and bytes of an argument list that are kept for the record.
const MOST_WORDS: usize = 64;
const MOST_BYTES: usize = 1024;
/// As many interpreters of interpreters as the kernel follows.
const MOST_INTERPRETERS: usize = 5;
/// The kernel reads this much of a script (`BINPRM_BUF_SIZE`).
const FIRST_LINE: usize = 256;

impl Broker {
    pub(super) fn execve(&mut self, notification: &Notification) -> Reply {
        let [path, argv, ..] = notification.args;
        self.exec(notification, libc::AT_FDCWD, path, argv, Manner::FOLLOW)
    }

    pub(super) fn execveat(&mut self, notification: &Notification) -> Reply {
        let [dirfd, path, argv, _, flags, _] = notification.args;
        let flags = flags as i32;
        let not_last = flags & libc::AT_SYMLINK_NOFOLLOW != 0;
        let base = if not_last { Manner::NOT_LAST } else { Manner::FOLLOW };
        let manner = Manner { empty: flags & libc::AT_EMPTY_PATH != 0, ..base };
        self.exec(notification, dirfd as i32, path, argv, manner)
    }

    fn exec(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        path: u64,
        argv: u64,
        manner: Manner,
    ) -> Reply {
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        self.targets.executes(asker.pid);
        if let Some(first) = self.first.take()
            && first().is_err()
        {
            return Reply::errno(libc::EIO);
        }
        let kind = FileAccessKind::Execute;
        let asked = match self.read_path(notification, path) {
            Ok(asked) if self.is_settled_missing(&asked) => return Reply::CONTINUE,
            Ok(asked) => asked,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        let place = match self.look_up(notification, dirfd, asked, manner) {
            Ok(place) => place,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        let stat = match &place.found {
            Found::Existing { stat, .. } if stat.is_file() => *stat,
            // A missing program is searched for along PATH: the kernel says ENOENT.
            Found::Missing { .. } => return Reply::CONTINUE,
            _ => return self.not_executable(&asker, &place),
        };
        if stat.mode & 0o111 == 0 {
            return Reply::CONTINUE;
        }
        if let Err(denial) = self.may_execute(&place) {
            return self.refuse(&asker, Access::of(&place, kind, libc::EACCES, Evidence::Performed), &denial);
        }
        if let Some((interpreter, denial)) = self.refused_interpreter(&place) {
            let shown = text(interpreter.as_os_str().as_encoded_bytes()).into_owned();
            let access = Access {
                place: None,
                path: shown,
                asked: None,
                kind,
                errno: libc::EACCES,
                evidence: Evidence::Performed,
            };
            return self.refuse(&asker, access, &denial);
        }
        let argv = self.read_words(notification, argv);
        if self.still_waits(notification).is_err() {
            return Reply::Gone;
        }
        let (calls, attribution) = self.emitter.calls().by(asker.pid);
        self.executed(ProcessStart {
            pid: asker.pid,
            ppid: tree::standing(asker.pid).map_or(0, |standing| standing.ppid),
            exe: place.shown(),
            argv,
            would: self.would(&place, kind, 0),
            calls,
            attribution,
        })
    }

    fn not_executable(&mut self, asker: &Asker, place: &Place) -> Reply {
        let denial = never(Reason::ExecNotGranted, "only files are programs");
        let access = Access::of(place, FileAccessKind::Execute, libc::EACCES, Evidence::Performed);
        self.refuse(asker, access, &denial)
    }

    fn may_execute(&self, place: &Place) -> Result<(), Denial> {
        let held = self.rights_at(place, Rights::EXECUTE).map_err(|error| {
            never(Reason::FsUnreadable, &format!("the program could not be judged: {error}"))
        })?;
        if place.path.as_os_str().as_encoded_bytes().first() != Some(&b'/') || self.is_memory(place) {
            return Err(never(
                Reason::ExecNotGranted,
                "a program in memory has no name that a grant could hold",
            ));
        }
        if !held.cover(Rights::EXECUTE) {
            return Err(self.context.explain(&place.path, FileAccessKind::Execute, held));
        }
        if is_loader(place) {
            let why = "the dynamic loader started by name would run any file that can be read";
            return Err(never(Reason::ExecLoader, why));
        }
        Ok(())
    }

    fn is_memory(&self, place: &Place) -> bool {
        place.path.as_os_str().as_encoded_bytes().starts_with(b"/memfd:")
    }

    /// The first interpreter of a script's chain that may not be executed, and why.
    fn refused_interpreter(&mut self, script: &Place) -> Option<(PathBuf, Denial)> {
        let mut line = first_line(script)?;
        for _ in 0..MOST_INTERPRETERS {
            let interpreter = interpreter(&line)?;
            let fd = path::look(
                self.root.as_fd(),
                interpreter.as_os_str().as_encoded_bytes(),
                Follow::Links,
                nix::fcntl::ResolveFlag::empty(),
            );
            // A missing interpreter is the kernel's to report.
            let fd = fd.ok()?;
            let stat = path::stat(fd.as_fd()).ok()?;
            let place = crate::notify::place::existing(fd, stat).ok()?;
            if let Err(denial) = self.may_execute(&place) {
                return Some((place.path, denial));
            }
            line = first_line(&place)?;
        }
        None
    }

    /// The words of a new program, as far as they are kept.
    fn read_words(&self, notification: &Notification, mut address: u64) -> Vec<String> {
        let mut words = Vec::new();
        while words.len() < MOST_WORDS && address != 0 {
            let mut pointer = [0u8; 8];
            if memory::read_exact(notification.tid, address, &mut pointer).is_err() {
                break;
            }
            let pointer = u64::from_le_bytes(pointer);
            if pointer == 0 {
                break;
            }
            match memory::read_c_string(notification.tid, pointer, MOST_BYTES) {
                Ok(word) => words.push(text(&word).into_owned()),
                Err(error) => words.push(format!("({})", errno::name(errno::of(&error)))),
            }
            address += 8;
        }
        words
    }
}

/// The program interpreter of dynamically linked programs: executed by the kernel for them, never by name.
fn is_loader(place: &Place) -> bool {
    let name = place.path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b"ld-linux")
        || name.starts_with(b"ld-musl")
        || name.starts_with(b"ld.so")
        || (name.starts_with(b"ld-") && name.ends_with(b".so"))
}

fn first_line(place: &Place) -> Option<Vec<u8>> {
    let Found::Existing { fd, .. } = &place.found else { return None };
    let opened = crate::notify::procfs::open_for_reading(fd.as_fd(), libc::O_NONBLOCK).ok()?;
    let mut line = Vec::with_capacity(FIRST_LINE);
    File::from(opened).take(FIRST_LINE as u64).read_to_end(&mut line).ok()?;
    line.starts_with(b"#!").then_some(line)
}

fn interpreter(line: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let line = line.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let word = line.split(|byte| matches!(byte, b' ' | b'\t' | 0)).find(|word| !word.is_empty())?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(word.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_bang_lines_name_their_interpreter() {
        assert_eq!(interpreter(b"#!/bin/sh\nx"), Some("/bin/sh".into()));
        assert_eq!(interpreter(b"#! \t/usr/bin/env  python3 -I\n"), Some("/usr/bin/env".into()));
        assert_eq!(interpreter(b"#!\n"), None);
        assert_eq!(interpreter(b"\x7fELF"), None);
    }
}
