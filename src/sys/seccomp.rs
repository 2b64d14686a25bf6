//! `seccomp(2)` with a listener, and the notification requests of `seccomp_unotify(2)`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// One BPF instruction, as the kernel takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Jump when true.
    pub jt: u8,
    /// Jump when false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// `SECCOMP_RET_USER_NOTIF`.
pub const RET_USER_NOTIF: u32 = 0x7fc0_0000;
/// `SECCOMP_RET_TRACE`.
pub const RET_TRACE: u32 = 0x7ff0_0000;

const SET_MODE_FILTER: libc::c_ulong = 1;
const FLAG_NEW_LISTENER: libc::c_ulong = 1 << 3;
const FLAG_WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;
const USER_NOTIF_FD_SYNC_WAKE_UP: u64 = 1;
const USER_NOTIF_FLAG_CONTINUE: u32 = 1;
const ADDFD_FLAG_SEND: u32 = 2;

/// A call that waits for our answer.
#[derive(Debug, Clone, Copy)]
pub struct Notification {
    /// Names this call until it is answered.
    pub id: u64,
    /// The thread that made it.
    pub tid: u32,
    /// Number.
    pub nr: i32,
    /// Audit architecture.
    pub arch: u32,
    /// The six registers.
    pub args: [u64; 6],
}

/// Installs `program` on the calling thread and returns the listener.
pub fn install_with_listener(program: &[Instruction]) -> io::Result<OwnedFd> {
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let prog = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: Instruction has the layout of sock_filter, `prog` lives through the call, the kernel copies it.
    let fd = unsafe {
        libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV, &prog)
    };
    match i32::try_from(fd) {
        // SAFETY: the kernel just made this descriptor for us.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes answers wake the caller on our own CPU (Linux 6.6): without it, crossing CPUs is most of the cost.
pub fn set_sync_wake_up(listener: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: this request takes its flags by value.
    let done = unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, USER_NOTIF_FD_SYNC_WAKE_UP)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes the next notification. `ENOENT`: its thread died meanwhile; `EINTR`: try again.
pub fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // The kernel demands that the structure is zeroed.
    let mut raw = MaybeUninit::<libc::seccomp_notif>::zeroed();
    // SAFETY: the kernel writes one seccomp_notif at this address.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, raw.as_mut_ptr()) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed is a valid value, and the call succeeded.
    let raw = unsafe { raw.assume_init() };
    Ok(Notification { id: raw.id, tid: raw.pid, nr: raw.data.nr, arch: raw.data.arch, args: raw.data.args })
}

/// Whether the call still waits. Ask after every look at the caller's memory or `/proc` entry.
pub fn is_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads eight bytes at this address.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0 }
}

/// What the caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The kernel goes on with the call itself.
    Continue,
    /// The call returns this value.
    Value(i64),
    /// The call fails with this errno (positive).
    Errno(i32),
}

/// Answers. `ENOENT`: the caller died meanwhile.
pub fn respond(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> io::Result<()> {
    let response = match answer {
        Answer::Continue => {
            libc::seccomp_notif_resp { id, val: 0, error: 0, flags: USER_NOTIF_FLAG_CONTINUE }
        }
        Answer::Value(val) => libc::seccomp_notif_resp { id, val, error: 0, flags: 0 },
        Answer::Errno(errno) => libc::seccomp_notif_resp { id, val: 0, error: -errno, flags: 0 },
    };
    // SAFETY: the kernel reads one seccomp_notif_resp at this address.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &response) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts a copy of `fd` into the caller and makes its number the call's result, in one step.
pub fn respond_with_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: BorrowedFd<'_>,
    close_on_exec: bool,
) -> io::Result<()> {
    let addfd = libc::seccomp_notif_addfd {
        id,
        flags: ADDFD_FLAG_SEND,
        srcfd: fd.as_raw_fd().unsigned_abs(),
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC.unsigned_abs() } else { 0 },
    };
    // SAFETY: the kernel reads one seccomp_notif_addfd at this address.
    let fd = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &addfd) };
    if fd >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
