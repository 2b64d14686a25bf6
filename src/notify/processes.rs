//! New processes are counted; signals and settings of processes outside the tree are refused.
//!
//! All decisions here rest on registers and on process numbers, so `Continue` is safe: there is no memory that the
//! server could change afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::notify::denial::{denial, never};
use crate::notify::{Broker, Reply};
use crate::policy::reason::Reason;
use crate::policy::verdict::Remedy;
use crate::sandbox::allowlist::NAMESPACE_FLAGS;
use crate::sys::seccomp::{Answer, Notification};
use crate::sys::tree;

/// How long a full tree is believed to be still full: a fork storm must not make us count all the time.
const STILL_FULL: Duration = Duration::from_millis(2);

const FOREIGN: &str = "processes outside the server's own tree are not its business";

/// How many processes the tree has.
#[derive(Debug)]
pub(super) struct Population {
    limit: Option<u32>,
    init: u32,
    /// Never below the true number: counted once, and every fork since then.
    at_most: u32,
    full_since: Option<Instant>,
    hold: Arc<AtomicBool>,
}

impl Population {
    pub(super) fn new(limit: Option<u32>, init: u32, hold: Arc<AtomicBool>) -> Self {
        Population { limit, init, at_most: 1, full_since: None, hold }
    }

    /// Whether one more may be.
    fn admit(&mut self) -> bool {
        if self.hold.load(Ordering::Acquire) {
            return false;
        }
        let Some(limit) = self.limit else { return true };
        if self.at_most >= limit {
            if self.full_since.is_some_and(|since| since.elapsed() < STILL_FULL) {
                return false;
            }
            // Zombies are not counted: they run nothing, and their number is the parent's to give back.
            let now = tree::descendants(self.init)
                .map_or(u32::MAX, |all| u32::try_from(all.len()).unwrap_or(u32::MAX));
            self.at_most = now;
            if now >= limit {
                self.full_since = Some(Instant::now());
                return false;
            }
        }
        self.full_since = None;
        self.at_most = self.at_most.saturating_add(1);
        true
    }
}

impl Broker {
    /// `fork`, `vfork`, and `clone` without `CLONE_THREAD` or with namespace flags.
    pub(super) fn fork(&mut self, notification: &Notification, flags: u64) -> Reply {
        if flags as u32 & NAMESPACE_FLAGS != 0 {
            let denial =
                never(Reason::SyscallNamespace, "a namespace of its own would give the server new powers");
            return self.refuse_call(notification, libc::EPERM, &denial);
        }
        if self.population.admit() {
            let Some(asker) = self.asker(notification) else { return Reply::Gone };
            self.note_fork(asker.pid);
            if flags & libc::CLONE_FS as u64 != 0 && flags & libc::CLONE_THREAD as u64 == 0 {
                self.targets.share_umask();
            }
            return Reply::CONTINUE;
        }
        let limit = self.population.limit.unwrap_or(0);
        let line = format!("limits.processes = {}", limit.saturating_mul(2).max(1));
        self.refuse_call(notification, libc::EAGAIN, &denial(Reason::ProcessLimit, Remedy::Line(line)))
    }

    /// `kill` and its relatives, only seen where Landlock does not scope signals.
    pub(super) fn signal(&mut self, notification: &Notification) -> Reply {
        let [first, second, ..] = notification.args;
        let inside = match i64::from(notification.nr) {
            libc::SYS_tgkill | libc::SYS_rt_tgsigqueueinfo => {
                self.is_inside(first as i32) && self.is_inside(second as i32)
            }
            libc::SYS_pidfd_send_signal => self.pidfd_is_inside(notification, first as i32),
            libc::SYS_kill => match first as i32 {
                // The caller's own group: init started a session, so all of a group lies in the tree.
                0 => true,
                -1 => false,
                pid if pid < 0 => self.is_inside(pid.saturating_neg()),
                pid => self.is_inside(pid),
            },
            _ => self.is_inside(first as i32),
        };
        if inside && !self.scopes {
            return Reply::CONTINUE;
        }
        self.refuse_call(notification, libc::EPERM, &never(Reason::SignalOutside, FOREIGN))
    }

    /// `prlimit64`, `setpriority`, `sched_set…`, `ioprio_set` on a process number other than 0.
    pub(super) fn foreign_setting(&mut self, notification: &Notification, pid: u64) -> Reply {
        if self.is_inside(pid as i32) {
            return Reply::CONTINUE;
        }
        self.refuse_call(notification, libc::EPERM, &never(Reason::SyscallForeignProcess, FOREIGN))
    }

    /// `setpriority` and `ioprio_set` of a group or a user reach outside.
    pub(super) fn wide_setting(&mut self, notification: &Notification, one_process: bool) -> Reply {
        if one_process {
            return self.foreign_setting(notification, notification.args[1]);
        }
        self.refuse_call(notification, libc::EPERM, &never(Reason::SyscallForeignProcess, FOREIGN))
    }

    /// `fcntl` commands that make the kernel signal somebody.
    pub(super) fn fcntl(&mut self, notification: &Notification) -> Reply {
        let [_, command, argument, ..] = notification.args;
        let owner = argument as i32;
        if command as i32 == libc::F_SETOWN && (owner == 0 || (owner > 0 && self.is_inside(owner))) {
            return Reply::CONTINUE;
        }
        self.refuse_call(notification, libc::EPERM, &never(Reason::SyscallForeignProcess, FOREIGN))
    }

    /// `prctl` options outside the list.
    pub(super) fn prctl(&mut self, notification: &Notification) -> Reply {
        let [option, value, ..] = notification.args;
        match (option as i32, value as i32) {
            // It would hide the caller's memory, and so its paths, from us. The caller believes it was done.
            (libc::PR_SET_DUMPABLE, 0) => Reply::Answer(Answer::Value(0)),
            (libc::PR_SET_DUMPABLE, _) => Reply::errno(libc::EINVAL),
            (libc::PR_SET_SECCOMP, _) => self.refuse_own_filter(notification),
            _ => {
                let denial = never(Reason::SyscallNotAllowed, "no server needs this option of prctl");
                self.refuse_call(notification, libc::EPERM, &denial)
            }
        }
    }

    /// `seccomp`, `prctl(PR_SET_SECCOMP)`.
    pub(super) fn refuse_own_filter(&mut self, notification: &Notification) -> Reply {
        let remedy = Remedy::Line("process.nested_seccomp = true".into());
        self.refuse_call(notification, libc::EPERM, &denial(Reason::SyscallSeccomp, remedy))
    }

    fn is_inside(&self, pid: i32) -> bool {
        let Ok(pid) = u32::try_from(pid) else { return false };
        let group = tree::thread_group(pid).unwrap_or(pid);
        group != self.init && tree::is_below(group, self.init)
    }

    fn pidfd_is_inside(&mut self, notification: &Notification, fd: i32) -> bool {
        let Ok(target) = self.targets.get(notification.tid) else { return false };
        let path = format!("/proc/{}/fdinfo/{fd}", target.pid);
        let Ok(info) = std::fs::read_to_string(path) else { return false };
        info.lines()
            .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
            .is_some_and(|pid| self.is_inside(pid))
    }
}
