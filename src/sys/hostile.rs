//! System calls that no server gets: for the demonstration that it does not.
//!
//! Each of these is harmless where it works: it acts on its caller, on something that the kernel has just made for it,
//! or changes nothing of the process that it is aimed at. Whoever calls them ends soon after.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU8;

/// Attaches to a process without stopping it: `ptrace(2)`, PTRACE_SEIZE. It is let go when the caller ends.
pub fn trace(pid: u32) -> io::Result<()> {
    // SAFETY: plain integers and null pointers.
    done(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, std::ptr::null::<u8>(), std::ptr::null::<u8>()) })
}

/// Lets every process of this user attach to the caller, where Yama would only let its parents.
pub fn allow_tracers() -> io::Result<()> {
    // SAFETY: plain integers.
    done(unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY, 0, 0, 0) }.into())
}

/// Opens the file whose name is in `path` at the moment when the kernel reads it, and not when somebody else did: others
/// may change its bytes meanwhile. The last byte must be NUL.
pub fn open_changing(path: &[AtomicU8], flags: i32) -> io::Result<OwnedFd> {
    match path.last() {
        Some(end) if end.load(std::sync::atomic::Ordering::Relaxed) == 0 => {}
        _ => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
    }
    // SAFETY: the kernel reads at most up to the NUL at the end, which lives through the call; what it reads before it
    // is its own copy, whatever the bytes are by then.
    opened(unsafe { libc::open(path.as_ptr().cast(), flags | libc::O_CLOEXEC) }.into())
}

/// `execveat(2)` of the file behind a descriptor, with one word and no environment; returns only when it fails.
pub fn execute_descriptor(fd: BorrowedFd<'_>) -> io::Error {
    let argv = [c"attack".as_ptr(), std::ptr::null()];
    let envp: [*const libc::c_char; 1] = [std::ptr::null()];
    // SAFETY: an empty name, and two lists that end in a null pointer and live through the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

/// A socket of any kind.
pub fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    opened(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) }.into())
}

/// Sends to `port` of 127.0.0.1 with `MSG_FASTOPEN`: a connection without `connect(2)`.
pub fn fast_open(socket: BorrowedFd<'_>, port: u16, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: all zero is a valid address.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    let place = std::ptr::from_ref(&address).cast();
    // SAFETY: the buffer and the address live through the call, with the lengths that are told.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL,
            place,
            length,
        )
    };
    if sent >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the signals of a descriptor sent to a process: `fcntl(2)`, F_SETOWN.
pub fn own_signals(fd: BorrowedFd<'_>, pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    // SAFETY: plain integers.
    done(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETOWN, pid) }.into())
}

/// Sets a process's limit of open files to what it is.
pub fn set_limit_of(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both places live through the calls.
    unsafe {
        done(libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &mut now).into())?;
        done(libc::prlimit(pid, libc::RLIMIT_NOFILE, &now, std::ptr::null_mut()).into())
    }
}

/// Raises this process's own soft limit to its hard one.
pub fn raise_limit(resource: u32) -> io::Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both places live through the calls.
    unsafe {
        done(libc::getrlimit(resource, &mut now).into())?;
        now.rlim_cur = now.rlim_max;
        done(libc::setrlimit(resource, &now).into())
    }
}

/// Makes a process nice, one step more than it may be already.
pub fn make_nice(pid: u32) -> io::Result<()> {
    // SAFETY: plain integers.
    done(unsafe { libc::setpriority(libc::PRIO_PROCESS, pid, 1) }.into())
}

/// Asks for so much private memory, and touches none of it.
pub fn map(bytes: usize) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping wherever the kernel likes; nobody refers to it when it is given back.
    unsafe {
        let place = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        libc::munmap(place, bytes);
    }
    Ok(())
}

/// Has a signal ignored that would end the process.
pub fn ignore(signal: i32) {
    // SAFETY: SIG_IGN installs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// `userfaultfd(2)` for the caller's own memory, in user mode only.
pub fn user_faults() -> io::Result<OwnedFd> {
    const USER_MODE_ONLY: libc::c_int = 1;
    // SAFETY: plain integers.
    opened(unsafe { libc::syscall(libc::SYS_userfaultfd, USER_MODE_ONLY | libc::O_CLOEXEC) })
}

/// Adds a key to the caller's own process keyring: `add_key(2)`.
pub fn add_key() -> io::Result<()> {
    const PROCESS_KEYRING: libc::c_int = -2;
    let (kind, name) = (c"user".as_ptr(), c"caponier-doctor".as_ptr());
    let bytes = c"x".as_ptr();
    // SAFETY: NUL-terminated strings, and one byte of payload; all live through the call.
    number(unsafe { libc::syscall(libc::SYS_add_key, kind, name, bytes, 1usize, PROCESS_KEYRING) })
}

/// Makes the smallest BPF map: `bpf(2)`, BPF_MAP_CREATE of an array.
pub fn bpf_map() -> io::Result<OwnedFd> {
    const MAP_CREATE: libc::c_int = 0;
    const ARRAY: u32 = 2;
    // type, key size, value size, entries; the rest of the union is zero.
    let mut attr = [0u32; 32];
    attr[..4].copy_from_slice(&[ARRAY, 4, 4, 1]);
    // SAFETY: the union lives through the call, as long as is told.
    opened(unsafe { libc::syscall(libc::SYS_bpf, MAP_CREATE, attr.as_ptr(), size_of_val(&attr)) })
}

/// Counts the caller's own instructions, in user mode: `perf_event_open(2)`.
pub fn count_events() -> io::Result<OwnedFd> {
    // type PERF_TYPE_SOFTWARE, size, config PERF_COUNT_SW_TASK_CLOCK; bits exclude_kernel and exclude_hv.
    let mut attr = [0u64; 8];
    attr[0] = 1 | 64 << 32;
    attr[1] = 1;
    attr[5] = 1 << 5 | 1 << 6;
    // SAFETY: the structure lives through the call and has the size that it names.
    opened(unsafe { libc::syscall(libc::SYS_perf_event_open, attr.as_ptr(), 0, -1, -1, 0) })
}

/// Memory that reads as executable from now on: `personality(2)`.
pub fn read_implies_exec() -> io::Result<()> {
    // SAFETY: plain integers.
    number(unsafe { libc::personality(libc::READ_IMPLIES_EXEC as libc::c_ulong) }.into())
}

/// A filter of the caller's own that allows everything: `seccomp(2)`.
pub fn own_filter() -> io::Result<()> {
    const ALLOW: u32 = 0x7fff_0000;
    const SET_MODE_FILTER: libc::c_ulong = 1;
    let step = libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: ALLOW };
    let program = libc::sock_fprog { len: 1, filter: std::ptr::from_ref(&step).cast_mut() };
    // SAFETY: the program and its one step live through the call; the kernel copies them.
    unsafe {
        done(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
        number(libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, 0, &program))
    }
}

/// A handle of a file, by which it could be opened past every folder: `name_to_handle_at(2)`.
pub fn handle_of(path: &[u8]) -> io::Result<()> {
    let path = CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // `struct file_handle`: its room in bytes, a type, and the room.
    let mut handle = [0u32; 2 + 128 / 4];
    handle[0] = 128;
    let mut mount: libc::c_int = 0;
    // SAFETY: a NUL-terminated string, a structure with the room that it names, and an integer; all live through the call.
    number(unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            handle.as_mut_ptr(),
            std::ptr::from_mut(&mut mount),
            0,
        )
    })
}

/// A piece of System V memory of the caller's own, removed at once: `shmget(2)`.
pub fn shared_memory() -> io::Result<()> {
    // SAFETY: plain integers; nobody else knows the piece.
    unsafe {
        let id = libc::shmget(libc::IPC_PRIVATE, 4096, libc::IPC_CREAT | 0o600);
        number(id.into())?;
        libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut());
    }
    Ok(())
}

/// A watch on a folder: `inotify(7)`.
pub fn watch(path: &[u8]) -> io::Result<()> {
    let path = CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: a NUL-terminated string that lives through the calls.
    unsafe {
        let instance = opened(libc::inotify_init1(libc::IN_CLOEXEC).into())?;
        number(libc::inotify_add_watch(instance.as_raw_fd(), path.as_ptr(), libc::IN_CREATE).into())
    }
}

/// Sets an extended attribute by path: `setxattr(2)`.
pub fn set_attribute(path: &[u8]) -> io::Result<()> {
    let path = CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let (name, value) = (c"user.caponier".as_ptr(), c"x".as_ptr());
    // SAFETY: NUL-terminated strings, and one byte of value; all live through the call.
    done(unsafe { libc::setxattr(path.as_ptr(), name, value.cast(), 1, 0) }.into())
}

/// Types a byte into a terminal, as if its user had: `ioctl_tty(2)`, TIOCSTI. First makes the terminal behind `fd` the
/// caller's own, in a session of its own, where it can.
pub fn type_into(fd: BorrowedFd<'_>) -> io::Result<()> {
    let byte = b' ';
    // SAFETY: plain integers, and one byte that lives through the call.
    unsafe {
        libc::setsid();
        libc::ioctl(fd.as_raw_fd(), libc::TIOCSCTTY, 0);
        done(libc::ioctl(fd.as_raw_fd(), libc::TIOCSTI, std::ptr::from_ref(&byte)).into())
    }
}

/// A terminal of the caller's own: both ends (`pty(7)`).
pub fn own_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    // SAFETY: a descriptor that the kernel has just made, and an integer that lives through the call.
    unsafe {
        let leader = opened(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC).into())?;
        let mut locked: libc::c_int = 0;
        done(libc::ioctl(leader.as_raw_fd(), libc::TIOCSPTLCK, std::ptr::from_mut(&mut locked)).into())?;
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let follower = opened(libc::ioctl(leader.as_raw_fd(), libc::TIOCGPTPEER, flags).into())?;
        Ok((leader, follower))
    }
}

/// Joins the mount namespace of this very process: `setns(2)`.
pub fn join_own_namespace(process: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: plain integers.
    done(unsafe { libc::setns(process.as_raw_fd(), libc::CLONE_NEWUTS) }.into())
}

/// Mounts an empty file system on a folder, in a mount namespace of the caller's own. With `anyway` it is tried where
/// there is none to be had, too, and what was mounted is taken off again.
pub fn mount(folder: &[u8], anyway: bool) -> io::Result<()> {
    let folder = CString::new(folder).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: NUL-terminated strings that live through the calls, and null pointers where the kernel reads none.
    unsafe {
        // With a user namespace what is mounted stays in it by itself; without one, what `/` shares is cut first.
        let apart = || {
            done(libc::unshare(libc::CLONE_NEWNS).into())?;
            done(libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()).into())
        };
        let own = done(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).into()).or_else(|_| apart());
        if !anyway {
            own?;
        }
        let tmpfs = c"tmpfs".as_ptr();
        done(libc::mount(tmpfs, folder.as_ptr(), tmpfs, libc::MS_NOSUID, none.cast()).into())?;
        libc::umount2(folder.as_ptr(), libc::MNT_DETACH);
    }
    Ok(())
}

fn done(returned: libc::c_long) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn number(returned: libc::c_long) -> io::Result<()> {
    if returned >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn opened(fd: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(fd) {
        // SAFETY: the kernel just made it for us.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
