//! Processes: fork, execute, wait, signal, and the `prctl(2)` switches that std and nix do not offer.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which side of a fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with the new one's number.
    Parent(u32),
}

/// `fork(2)`, for `init` and for others with one thread: the child may go on as if nothing had happened.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: by the contract no other thread exists (`init` is re-executed, and never starts one; `doctor` has not
    // started one yet), so no lock can be held.
    match unsafe { libc::fork() } {
        0 => Ok(Fork::Child),
        pid => u32::try_from(pid).map(Fork::Parent).map_err(|_| io::Error::last_os_error()),
    }
}

/// `execve(2)`; returns only when it fails.
pub fn execute(path: &CString, argv: &[CString], envp: &[CString]) -> io::Error {
    let argv = pointers(argv);
    let envp = pointers(envp);
    // SAFETY: both lists end in a null pointer and point to strings that live through the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// How a child ended, and what it used.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Its number, free to be used again from now on.
    pub pid: u32,
    /// The wait status.
    pub status: i32,
    /// Its resources.
    pub rusage: libc::rusage,
}

/// Takes one ended child if there is one; `ECHILD` when there are no children at all. `block` waits for one.
pub fn reap(block: bool) -> io::Result<Option<Ended>> {
    let mut status = 0;
    let mut rusage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    let options = libc::__WALL | if block { 0 } else { libc::WNOHANG };
    // SAFETY: both addresses are valid for writing; zeroed is a valid rusage.
    let pid = unsafe { libc::wait4(-1, &mut status, options, rusage.as_mut_ptr()) };
    match pid {
        0 => Ok(None),
        // SAFETY: see above.
        _ if pid > 0 => {
            Ok(Some(Ended { pid: pid.unsigned_abs(), status, rusage: unsafe { rusage.assume_init() } }))
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// The wait status of a process that has ended and that was taken note of; `None`: not yet, or this kernel does not tell.
///
/// `PIDFD_GET_INFO` with `PIDFD_INFO_EXIT`: `include/uapi/linux/pidfd.h`, Linux 6.15. An error: the kernel knows no such question.
pub fn status_of(process: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    /// `struct pidfd_info`, as it was first.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        numbers: [u32; 3],
        owners: [u32; 8],
        exit_code: i32,
    }
    const EXIT: u64 = 1 << 3;
    // _IOWR(0xFF, 11, struct pidfd_info)
    const GET_INFO: libc::Ioctl = (3 << 30 | (size_of::<Info>() << 16) | 0xff << 8 | 11) as libc::Ioctl;
    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: the structure lives through the call and has the size that the command names.
    done(unsafe { libc::ioctl(process.as_raw_fd(), GET_INFO, &mut info) })?;
    Ok((info.mask & EXIT != 0).then_some(info.exit_code))
}

/// Sends a signal to one process; `signal` 0 only asks whether it may be sent.
pub fn signal(pid: u32, signal: i32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    if pid == 0 {
        // kill(0) means the caller's whole group, which nobody here ever wants.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: plain integers.
    done(unsafe { libc::kill(pid, signal) })
}

/// `kill(-1, SIGKILL)`: everything that the caller may signal, itself aside. Only ever called inside a Landlock
/// signal scope that was checked, where "everything" is the caller's own tree.
pub fn kill_everything_in_scope() -> io::Result<()> {
    // SAFETY: plain integers.
    match unsafe { libc::kill(-1, libc::SIGKILL) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            // Nobody is left.
            error if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EPERM)) => Ok(()),
            error => Err(error),
        },
    }
}

/// Gives this thread a working directory, a root and a umask of its own: those of the process stay as they are.
pub fn own_umask() -> io::Result<()> {
    // SAFETY: plain integers.
    done(unsafe { libc::unshare(libc::CLONE_FS) })
}

/// The soft limit of another process of the same user.
pub fn limit_of(pid: u32, resource: u32) -> io::Result<u64> {
    let pid = i32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: nothing is set; `now` is valid for writing.
    done(unsafe { libc::prlimit(pid, resource, std::ptr::null(), &mut now) })?;
    Ok(now.rlim_cur)
}

/// A file mode creation mask for this process, or for this thread after [`own_umask`].
pub fn set_umask(mask: u32) {
    // SAFETY: cannot fail, touches no memory.
    unsafe { libc::umask(mask) };
}

/// A resource limit, soft and hard; never above the hard limit that holds already.
pub fn lower_limit(resource: u32, value: u64) -> io::Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `now` is valid for writing.
    done(unsafe { libc::getrlimit(resource, &mut now) })?;
    let value = value.min(now.rlim_max);
    let new = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: `new` lives through the call.
    done(unsafe { libc::setrlimit(resource, &new) })
}

/// Locks the secure bits so that user 0 gets no capabilities by executing something (`capabilities(7)`).
pub fn lock_secure_bits() -> io::Result<()> {
    const NOROOT: libc::c_ulong = 1 << 0;
    const NOROOT_LOCKED: libc::c_ulong = 1 << 1;
    const NO_CAP_AMBIENT_RAISE: libc::c_ulong = 1 << 6;
    const NO_CAP_AMBIENT_RAISE_LOCKED: libc::c_ulong = 1 << 7;
    let bits = NOROOT | NOROOT_LOCKED | NO_CAP_AMBIENT_RAISE | NO_CAP_AMBIENT_RAISE_LOCKED;
    // SAFETY: plain integers.
    done(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits, 0, 0, 0) })
}

/// Asks for `signal` when the thread that started us ends. Check the parent afterwards: a thread's end is not its
/// process's end, and it may have ended before this call.
pub fn signal_on_parent_exit(signal: i32) -> io::Result<()> {
    // SAFETY: plain integers.
    done(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) })
}

/// Makes this thread's share of the processor whatever nobody else wants (`SCHED_IDLE`).
pub fn run_when_idle() -> io::Result<()> {
    let param = libc::sched_param { sched_priority: 0 };
    // SAFETY: `param` lives through the call.
    done(unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &param) })
}

/// A descriptor that reads as one record for each of `signals`, which are blocked from now on in this thread and
/// in all that it starts.
pub fn signal_descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set; the other calls take it initialised.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        done(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
        match libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            fd if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Throws away the records that wait in a signal descriptor.
pub fn drain_signals(fd: BorrowedFd<'_>) {
    let mut record = [0u8; size_of::<libc::signalfd_siginfo>()];
    // SAFETY: the buffer is as long as told; the descriptor does not block.
    while unsafe { libc::read(fd.as_raw_fd(), record.as_mut_ptr().cast(), record.len()) } > 0 {}
}

/// Default action for every signal, none blocked: what a program expects to start with. `SIGPIPE` too, which Rust
/// programs ignore.
pub fn reset_signals() -> io::Result<()> {
    for signal in 1..=64 {
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP | 32 | 33) {
            continue;
        }
        // SAFETY: SIG_DFL installs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set that sigprocmask reads.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        done(libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut()))
    }
}

/// Ends this process at once, without running anything that was registered for its end. For the child side.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(status) }
}

fn done(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
