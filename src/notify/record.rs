//! From what was judged to an event, and from the log's answer to the caller's.
//!
//! Denials are with the kernel before the caller hears of them. When the log cannot be written the caller gets EIO:
//! nothing is allowed that could not be told.

use crate::event::{Event, Evidence, FileAccess, FileAccessKind, ProcessStart, SyscallDenied};
use crate::notify::denial::never;
use crate::notify::place::Place;
use crate::notify::{Broker, Reply, Stop};
use crate::policy::calls::{Attribution, Touch};
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Ruling};
use crate::sys::errno;
use crate::sys::seccomp::Notification;
use crate::sys::syscall;

/// Numbers of calls that are counted until the end; beyond it repeats fold as any other denial does.
const MOST_FALLBACKS: usize = 64;

/// Who asked, for an event.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) pid: u32,
    pub(super) exe: String,
}

impl Broker {
    /// Who made a call. `None`: it died meanwhile.
    pub(super) fn asker(&mut self, notification: &Notification) -> Option<Asker> {
        let (pid, exe, first) = self.targets.ask(notification.tid).ok()?;
        if first {
            self.note_process(pid, &exe);
        }
        Some(Asker { pid, exe })
    }

    /// Records an allowed access, then replies.
    pub(super) fn allow(&mut self, asker: &Asker, access: Access<'_>, reply: Reply) -> Reply {
        let touch = match access.kind {
            FileAccessKind::Read | FileAccessKind::List => Touch::Read(&access.path),
            FileAccessKind::Execute => Touch::Process,
            _ => Touch::Write(&access.path, asker.pid),
        };
        if access.errno == 0 {
            self.emitter.calls().touch(touch);
        }
        self.record(&self.access_event(asker, &access, None), reply)
    }

    /// Records a refused access, then answers with its errno.
    pub(super) fn refuse(&mut self, asker: &Asker, access: Access<'_>, denial: &Denial) -> Reply {
        let reply = Reply::errno(access.errno);
        self.emitter.calls().touch(Touch::Denied);
        self.record(&self.access_event(asker, &access, Some(denial)), reply)
    }

    /// A look-up that ended early.
    pub(super) fn stopped(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        stop: Stop,
        kind: FileAccessKind,
    ) -> Reply {
        let nowhere = |errno, evidence, path: &str| Access {
            place: None,
            path: path.to_owned(),
            asked: None,
            kind,
            errno,
            evidence,
        };
        match stop {
            Stop::Gone => Reply::Gone,
            // The kernel answers this itself before any rule: ENOTDIR, ELOOP, EACCES of the permission bits …
            Stop::Natural(libc::EFAULT | libc::ENAMETOOLONG) => Reply::CONTINUE,
            Stop::Natural(_) => Reply::CONTINUE,
            Stop::Unreadable(errno) => {
                tracing::debug!(tid = notification.tid, errno, "a path could not be read");
                // Landlock decides; the record says that we could not look.
                self.allow(asker, nowhere(0, Evidence::Unreadable, "?"), Reply::CONTINUE)
            }
            Stop::Foreign(path) => {
                let why = "another process's files in /proc are that process's secrets";
                let denial = never(Reason::FsProc, why);
                let shown = crate::event::text(path.as_os_str().as_encoded_bytes());
                let access = nowhere(libc::EACCES, Evidence::Performed, &shown);
                self.refuse(asker, access, &denial)
            }
        }
    }

    /// Something broke while looking: refused.
    pub(super) fn unjudged(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
        error: &std::io::Error,
    ) -> Reply {
        let denial = never(Reason::FsUnreadable, &format!("the path could not be judged: {error}"));
        self.refuse(asker, Access::of(place, kind, libc::EACCES, Evidence::Performed), &denial)
    }

    /// Records a refused system call, then answers with its errno.
    pub(super) fn refuse_call(&mut self, notification: &Notification, errno: i32, denial: &Denial) -> Reply {
        if let Some(known) = self.fallbacks.get_mut(&notification.nr) {
            known.count += 1;
            return Reply::errno(errno);
        }
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        self.emitter.calls().touch(Touch::Denied);
        let (calls, attribution) = self.emitter.calls().by(asker.pid);
        let denied = SyscallDenied {
            syscall: syscall::name(notification.nr).unwrap_or("unknown"),
            nr: notification.nr,
            args: notification.args,
            reason: denial.reason,
            layer: denial.layer,
            remedy: denial.remedy.line().map(str::to_owned),
            why_not: denial.remedy.why_not().map(str::to_owned),
            errno: errno::name(errno),
            pid: asker.pid,
            exe: asker.exe,
            calls,
            attribution,
            count: 1,
        };
        if denial.reason == Reason::SyscallUnsupported && self.fallbacks.len() < MOST_FALLBACKS {
            // Every new thread of every program tries clone3 first: one line, and a count in the end.
            // The repeats are many calls' and nobody's.
            let repeats = SyscallDenied {
                count: 0,
                calls: Vec::new(),
                attribution: Attribution::None,
                ..denied.clone()
            };
            self.fallbacks.insert(notification.nr, repeats);
        }
        self.record(&Event::SyscallDenied(Box::new(denied)), Reply::errno(errno))
    }

    /// Nobody is left: how often calls were tried that programs do without.
    pub(super) fn tell_fallbacks(&mut self) {
        for (_, denied) in std::mem::take(&mut self.fallbacks) {
            if denied.count > 0 {
                let told = self.emitter.emit(&Event::SyscallDenied(Box::new(denied)));
                tracing::debug!(?told, "repeats of a call that programs do without");
            }
        }
        // An unwritable log is the session's to report.
        let _ = self.emitter.flush();
    }

    /// Records that a program is about to be executed.
    pub(super) fn executed(&mut self, start: ProcessStart) -> Reply {
        self.emitter.calls().touch(Touch::Process);
        self.exits.executes(start.pid, &start.exe);
        self.record(&Event::ProcessStart(start), Reply::CONTINUE)
    }

    /// Writes an event; the reply stands only if the log took it.
    pub(super) fn record(&self, event: &Event, reply: Reply) -> Reply {
        match self.emitter.emit(event) {
            Ok(_) => reply,
            // A refusal stays a refusal; whatever would have been let through is not.
            Err(_) if event.is_denial() => reply,
            Err(_) => Reply::errno(libc::EIO),
        }
    }

    fn access_event(&self, asker: &Asker, access: &Access<'_>, denial: Option<&Denial>) -> Event {
        let (calls, attribution) = self.emitter.calls().by(asker.pid);
        let mut event = FileAccess {
            path: access.path.clone(),
            asked: access.asked.clone(),
            access: access.kind,
            verdict: Ruling::Allow,
            reason: None,
            layer: None,
            remedy: None,
            why_not: None,
            result: errno::name(access.errno),
            pid: asker.pid,
            exe: asker.exe.clone(),
            calls,
            attribution,
            evidence: access.evidence,
            would: access.place.and_then(|place| self.would(place, access.kind, access.errno)),
            count: 1,
        };
        if let Some(denial) = denial {
            event.deny(denial);
        }
        Event::FileAccess(Box::new(event))
    }
}

/// One access, before it is told.
#[derive(Debug)]
pub(super) struct Access<'a> {
    /// Where, when it was looked up.
    pub(super) place: Option<&'a Place>,
    /// As it is shown.
    pub(super) path: String,
    /// As the server wrote it, when that reads differently.
    pub(super) asked: Option<String>,
    pub(super) kind: FileAccessKind,
    /// 0 for "ok".
    pub(super) errno: i32,
    pub(super) evidence: Evidence,
}

impl<'a> Access<'a> {
    pub(super) fn of(place: &'a Place, kind: FileAccessKind, errno: i32, evidence: Evidence) -> Self {
        let asked = place.asked_differently();
        Access { place: Some(place), path: place.shown(), asked, kind, errno, evidence }
    }
}
