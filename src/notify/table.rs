//! Which call goes to which room. What is not here is refused: a number without a row is never continued.

use crate::notify::metadata::{Which, read_timespecs, read_timevals, read_utimbuf};
use crate::notify::{Broker, Reply};
use crate::sys::seccomp::Notification;
use crate::sys::syscall;

const CWD: i32 = libc::AT_FDCWD;

impl Broker {
    /// Judges one call.
    pub(super) fn judge(&mut self, n: &Notification) -> Reply {
        let Some(name) = syscall::name(n.nr) else { return self.refuse_unlisted(n) };
        let [a, b, c, d, e, _] = n.args;
        match name {
            "open" => self.open(n),
            "openat" => self.openat(n),
            "openat2" => self.openat2(n),
            "creat" => self.creat(n),
            "execve" => self.execve(n),
            "execveat" => self.execveat(n),
            "fork" | "vfork" => self.fork(n, 0),
            "clone" => self.fork(n, a),

            "unlink" => self.unlink(n, CWD, a, false),
            "rmdir" => self.unlink(n, CWD, a, true),
            // Other flags than the one that there is: EINVAL, whatever they are said of.
            "unlinkat" if c as i32 & !libc::AT_REMOVEDIR != 0 => Reply::CONTINUE,
            "unlinkat" => self.unlink(n, a as i32, b, c as i32 & libc::AT_REMOVEDIR != 0),
            "mkdir" => self.make_folder(n, CWD, a, b),
            "mkdirat" => self.make_folder(n, a as i32, b, c),
            "mknod" => self.make_node(n, CWD, a, b),
            "mknodat" => self.make_node(n, a as i32, b, c),
            "symlink" => self.make_symlink(n, a, CWD, b),
            "symlinkat" => self.make_symlink(n, a, b as i32, c),
            "truncate" => self.truncate(n),
            "link" => self.link(n, (CWD, a), (CWD, b), 0),
            "linkat" => self.link(n, (a as i32, b), (c as i32, d), e),
            "rename" => self.rename(n, (CWD, a), (CWD, b), 0),
            "renameat" => self.rename(n, (a as i32, b), (c as i32, d), 0),
            "renameat2" => self.rename(n, (a as i32, b), (c as i32, d), e),

            "chmod" => self.change_mode(n, Which::follow(a), b),
            "fchmod" => self.change_mode(n, Which::Descriptor(a as i32), b),
            "fchmodat" => self.change_mode(n, Which::flagged(a as i32, b, 0), c),
            "fchmodat2" => self.change_mode(n, Which::flagged(a as i32, b, d), c),
            "chown" => self.change_owner(n, Which::follow(a), b, c),
            "lchown" => self.change_owner(n, Which::link_itself(a), b, c),
            "fchown" => self.change_owner(n, Which::Descriptor(a as i32), b, c),
            "fchownat" => self.change_owner(n, Which::flagged(a as i32, b, e), c, d),
            "utime" => self.change_times(n, Which::follow(a), read_utimbuf(n.tid, b)),
            "utimes" => self.change_times(n, Which::follow(a), read_timevals(n.tid, b)),
            "futimesat" if b == 0 => {
                self.change_times(n, Which::Descriptor(a as i32), read_timevals(n.tid, c))
            }
            "futimesat" => self.change_times(n, Which::flagged(a as i32, b, 0), read_timevals(n.tid, c)),
            "utimensat" if b == 0 => {
                self.change_times(n, Which::Descriptor(a as i32), read_timespecs(n.tid, c))
            }
            "utimensat" => self.change_times(n, Which::flagged(a as i32, b, d), read_timespecs(n.tid, c)),
            "setxattr" => self.set_attribute(n, Which::follow(a), b, (c, d), e),
            "lsetxattr" => self.set_attribute(n, Which::link_itself(a), b, (c, d), e),
            "fsetxattr" => self.set_attribute(n, Which::Descriptor(a as i32), b, (c, d), e),
            "setxattrat" => self.set_attribute_at(n),
            "file_setattr" => self.set_file_flags(n, Which::flagged(a as i32, b, e)),
            "removexattr" => self.remove_attribute(n, Which::follow(a), b),
            "lremovexattr" => self.remove_attribute(n, Which::link_itself(a), b),
            "fremovexattr" => self.remove_attribute(n, Which::Descriptor(a as i32), b),
            "removexattrat" => self.remove_attribute(n, Which::flagged(a as i32, b, c), d),

            "inotify_add_watch" => self.add_watch(n),
            "connect" => self.connect(n),
            "bind" => self.bind(n),
            "listen" => self.listen_any(n),
            "getpeername" => self.peer_name(n),
            "sendto" | "sendmsg" | "sendmmsg" => self.refuse_fast_open(n),
            "socket" | "socketpair" => self.refuse_kind(n),

            "kill" | "tkill" | "tgkill" | "rt_sigqueueinfo" | "rt_tgsigqueueinfo" | "pidfd_send_signal" => {
                self.signal(n)
            }
            "umask" => self.change_umask(n),
            "prlimit64" | "sched_setaffinity" | "sched_setscheduler" | "sched_setparam" | "sched_setattr" => {
                self.foreign_setting(n, a)
            }
            // PRIO_PROCESS is 0, IOPRIO_WHO_PROCESS is 1.
            "setpriority" => self.wide_setting(n, a as i32 == 0),
            "ioprio_set" => self.wide_setting(n, a as i32 == 1),
            "fcntl" => self.fcntl(n),
            "prctl" => self.prctl(n),
            "seccomp" => self.refuse_own_filter(n),
            "ioctl" => self.refuse_ioctl(n),
            _ => self.refuse_unlisted(n),
        }
    }
}
