//! The loop: poll, receive, judge, answer. A std thread of its own, because a notification cannot be awaited.

use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::notify::{Broker, Reply};
use crate::sys::seccomp::{self, Answer, Notification};

impl Broker {
    /// Serves until the last process under the filter is gone.
    pub fn serve(mut self) -> io::Result<()> {
        // Files are created here with the umask of whoever asks.
        crate::sys::process::own_umask()?;
        loop {
            // What waits is written within 100 ms, also when nothing more happens.
            let timeout = match self.emitter.due() {
                Some(due) if due.is_zero() => {
                    // An unwritable log is heard of at the next thing that wants to happen.
                    let _ = self.emitter.flush();
                    continue;
                }
                Some(due) => PollTimeout::try_from(due.as_millis() + 1).unwrap_or(PollTimeout::MAX),
                None => PollTimeout::NONE,
            };
            let mut fds = [
                PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.exits.ready(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            let [events, ended] = fds.each_ref().map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
            if !ended.is_empty() {
                self.tell_ends();
            }
            if events.contains(PollFlags::POLLIN) {
                self.one()?;
            } else if !events.is_empty() {
                // POLLHUP: nobody is left under the filter.
                self.tell_last_ends();
                self.tell_fallbacks();
                return Ok(());
            }
        }
    }

    fn one(&mut self) -> io::Result<()> {
        let notification = match seccomp::receive(self.listener.as_fd()) {
            Ok(notification) => notification,
            // ENOENT: the caller died first.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => return Ok(()),
            Err(error) => return Err(error),
        };
        // A defect of ours in judging one call refuses that call; it neither ends the session nor lets anything through.
        let reply = catch_unwind(AssertUnwindSafe(|| self.judge(&notification))).unwrap_or_else(|_| {
            tracing::error!(nr = notification.nr, "judging a system call failed; it was refused");
            Reply::errno(libc::EPERM)
        });
        self.reply(&notification, reply)
    }

    fn reply(&mut self, notification: &Notification, reply: Reply) -> io::Result<()> {
        let (listener, id) = (self.listener.as_fd(), notification.id);
        let sent = match reply {
            Reply::Gone | Reply::Handed => return Ok(()),
            Reply::Answer(answer) => seccomp::respond(listener, id, answer),
            Reply::Descriptor { fd, close_on_exec } => {
                seccomp::respond_with_descriptor(listener, id, fd.as_fd(), close_on_exec).or_else(|error| {
                    // No room in the caller (EMFILE): it gets that errno, never a Continue.
                    let errno = crate::sys::errno::of(&error);
                    if errno == libc::ENOENT {
                        return Ok(());
                    }
                    seccomp::respond(listener, id, Answer::Errno(errno))
                })
            }
        };
        match sent {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
            _ => Ok(()),
        }
    }
}
