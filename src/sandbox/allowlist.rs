//! What the server may ask of the kernel without asking the supervisor first.
//!
//! Two tables: calls that are always allowed (their entries cost nothing: the kernel answers constant ones from a
//! bitmap), and calls that are allowed under conditions on their registers. Everything else is a notification.
//! `read`, `write` and `close` are never trapped. Int arguments are compared by their low 32 bits only: the kernel
//! itself drops the rest, so a 64-bit comparison can be slipped past with `command | 1 << 32`.

/// A condition on one register, by its low 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Register `.0` equals `.1`.
    Is(u8, u32),
    /// Register `.0` differs from `.1`.
    Not(u8, u32),
    /// Of register `.0`, the bits `.1` read `.2`.
    Bits(u8, u32, u32),
}

/// Namespace flags of `clone(2)`.
pub const NAMESPACE_FLAGS: u32 = 0x0002_0000 // CLONE_NEWNS
    | 0x0200_0000 // CLONE_NEWCGROUP
    | 0x0400_0000 // CLONE_NEWUTS
    | 0x0800_0000 // CLONE_NEWIPC
    | 0x1000_0000 // CLONE_NEWUSER
    | 0x2000_0000 // CLONE_NEWPID
    | 0x4000_0000; // CLONE_NEWNET

const CLONE_THREAD: u32 = 0x0001_0000;
const MSG_FASTOPEN: u32 = 0x2000_0000;
const MFD_NOEXEC_SEAL: u32 = 0x8;
const SOCK_TYPE: u32 = !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK).cast_unsigned();
const STREAM: u32 = libc::SOCK_STREAM.cast_unsigned();
const SEQPACKET: u32 = libc::SOCK_SEQPACKET.cast_unsigned();
const UNIX: u32 = libc::AF_UNIX.cast_unsigned();
const INET: u32 = libc::AF_INET.cast_unsigned();
const INET6: u32 = libc::AF_INET6.cast_unsigned();
const NETLINK: u32 = libc::AF_NETLINK.cast_unsigned();
const TCP: u32 = libc::IPPROTO_TCP.cast_unsigned();

/// Always allowed: they touch only what the process already holds, or tell it about itself.
#[rustfmt::skip]
pub const ALWAYS: &[&str] = &[
    // Descriptors that are already open: whoever opened them was judged.
    "read", "write", "close", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
    "lseek", "fsync", "fdatasync", "ftruncate", "fallocate", "fadvise64", "readahead", "sync_file_range", "flock",
    "sendfile", "splice", "tee", "vmsplice", "copy_file_range", "dup", "dup2", "dup3", "pipe", "pipe2", "close_range",
    "getdents", "getdents64", "fstat", "fstatfs", "fgetxattr", "flistxattr", "cachestat",
    // Waiting on them.
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "eventfd", "eventfd2", "signalfd", "signalfd4", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "inotify_init", "inotify_init1", "inotify_rm_watch",
    // Metadata by path: visible outside grants, as docs/SECURITY_MODEL.md says.
    "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "statfs",
    "getxattr", "lgetxattr", "listxattr", "llistxattr", "getxattrat", "listxattrat", "file_getattr", "getcwd",
    "chdir", "fchdir",
    // Memory.
    "mmap", "munmap", "mprotect", "mremap", "brk", "madvise", "msync", "mincore", "mlock", "mlock2", "munlock",
    "mlockall", "munlockall", "pkey_alloc", "pkey_free", "pkey_mprotect", "membarrier", "mseal", "get_mempolicy",
    "map_shadow_stack",
    // Threads and their waiting.
    "futex", "futex_waitv", "futex_wake", "futex_wait", "futex_requeue", "set_robust_list", "get_robust_list",
    "set_tid_address", "rseq", "arch_prctl", "sched_yield", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_getattr", "sched_get_priority_max", "sched_get_priority_min",
    "sched_rr_get_interval", "getcpu", "restart_syscall",
    // Time.
    "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time", "times", "alarm",
    "getitimer", "setitimer", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete",
    // Signals to oneself; those to others are in SIGNALS.
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend",
    "sigaltstack", "pause",
    // Who am I.
    "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid", "getresgid",
    "getpgid", "getpgrp", "getsid", "setpgid", "setsid", "getpriority", "ioprio_get", "capget", "uname", "sysinfo",
    "getrlimit", "getrusage", "getrandom",
    // Children.
    "exit", "exit_group", "wait4", "waitid", "pidfd_open", "setrlimit",
    // Sockets that exist already; which ones may exist is decided at `socket`.
    "accept", "accept4", "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown", "recvfrom", "recvmsg",
    "recvmmsg",
];

/// Signals: left to Landlock's signal scope (ABI 6); without it they are notifications.
pub const SIGNALS: &[&str] =
    &["kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"];

/// Allowed when one of the rows holds; all tests of a row must.
#[rustfmt::skip]
pub const CONDITIONAL: &[(&str, &[&[Test]])] = &[
    // Threads are free; new processes are counted, and namespaces refused, by the supervisor.
    ("clone", &[&[Test::Bits(0, NAMESPACE_FLAGS | CLONE_THREAD, CLONE_THREAD)]]),
    // MSG_FASTOPEN connects, past Landlock and past `connect`.
    ("sendto", &[&[Test::Bits(3, MSG_FASTOPEN, 0)]]),
    ("sendmsg", &[&[Test::Bits(2, MSG_FASTOPEN, 0)]]),
    ("sendmmsg", &[&[Test::Bits(3, MSG_FASTOPEN, 0)]]),
    ("socket", &[
        &[Test::Is(0, UNIX), Test::Bits(1, SOCK_TYPE, STREAM)],
        &[Test::Is(0, UNIX), Test::Bits(1, SOCK_TYPE, SEQPACKET)],
        &[Test::Is(0, INET), Test::Bits(1, SOCK_TYPE, STREAM), Test::Is(2, 0)],
        &[Test::Is(0, INET), Test::Bits(1, SOCK_TYPE, STREAM), Test::Is(2, TCP)],
        &[Test::Is(0, INET6), Test::Bits(1, SOCK_TYPE, STREAM), Test::Is(2, 0)],
        &[Test::Is(0, INET6), Test::Bits(1, SOCK_TYPE, STREAM), Test::Is(2, TCP)],
        // getaddrinfo asks the kernel for interfaces.
        &[Test::Is(0, NETLINK), Test::Is(2, 0)],
    ]),
    ("socketpair", &[
        &[Test::Is(0, UNIX), Test::Bits(1, SOCK_TYPE, STREAM)],
        &[Test::Is(0, UNIX), Test::Bits(1, SOCK_TYPE, SEQPACKET)],
    ]),
    ("ioctl", &[
        &[Test::Is(1, 0x5401)], // TCGETS: isatty
        &[Test::Is(1, 0x5413)], // TIOCGWINSZ
        &[Test::Is(1, 0x541b)], // FIONREAD
        &[Test::Is(1, 0x5421)], // FIONBIO: libuv
        &[Test::Is(1, 0x5450)], // FIONCLEX
        &[Test::Is(1, 0x5451)], // FIOCLEX: Python, libuv
        &[Test::Is(1, 0x8910)], // SIOCGIFNAME: getaddrinfo with scopes
        &[Test::Is(1, 0x8933)], // SIOCGIFINDEX
    ]),
    // Everything but making the kernel signal somebody (F_SETOWN, F_SETOWN_EX, F_SETSIG, F_SETLEASE, F_NOTIFY).
    ("fcntl", &[&[
        Test::Not(1, 8), Test::Not(1, 15), Test::Not(1, 10), Test::Not(1, 1024), Test::Not(1, 1026),
    ]]),
    ("prctl", &[
        &[Test::Is(0, 15)], &[Test::Is(0, 16)], // PR_SET_NAME, PR_GET_NAME
        &[Test::Is(0, 0x5356_4d41)], // PR_SET_VMA: names of memory areas
        &[Test::Is(0, 1)], &[Test::Is(0, 2)], // PR_SET_PDEATHSIG, PR_GET_PDEATHSIG
        &[Test::Is(0, 3)], // PR_GET_DUMPABLE
        &[Test::Is(0, 4), Test::Is(1, 1)], // PR_SET_DUMPABLE on; off is a notification
        &[Test::Is(0, 7)], &[Test::Is(0, 8)], // PR_GET_KEEPCAPS, PR_SET_KEEPCAPS: there are none to keep
        &[Test::Is(0, 21)], // PR_GET_SECCOMP
        &[Test::Is(0, 23)], // PR_CAPBSET_READ
        &[Test::Is(0, 27)], // PR_GET_SECUREBITS
        &[Test::Is(0, 29)], &[Test::Is(0, 30)], // timer slack
        &[Test::Is(0, 36)], &[Test::Is(0, 37)], // child subreaper: orphans still end at `init`
        &[Test::Is(0, 38)], &[Test::Is(0, 39)], // no_new_privs
        &[Test::Is(0, 40)], // PR_GET_TID_ADDRESS
        &[Test::Is(0, 41)], &[Test::Is(0, 42)], // transparent huge pages
        &[Test::Is(0, 47), Test::Is(1, 1)], // PR_CAP_AMBIENT_IS_SET
    ]),
    // Oneself only; others are looked at by the supervisor.
    ("prlimit64", &[&[Test::Is(0, 0)]]),
    ("setpriority", &[&[Test::Is(0, 0), Test::Is(1, 0)]]),
    ("ioprio_set", &[&[Test::Is(0, 1), Test::Is(1, 0)]]),
    ("sched_setaffinity", &[&[Test::Is(0, 0)]]),
    ("sched_setscheduler", &[&[Test::Is(0, 0)]]),
    ("sched_setparam", &[&[Test::Is(0, 0)]]),
    ("sched_setattr", &[&[Test::Is(0, 0)]]),
    // The query, and the plain Linux personality.
    ("personality", &[&[Test::Is(0, 0xffff_ffff)], &[Test::Is(0, 0)]]),
    // An executable memory file would be a program that no grant names.
    ("memfd_create", &[&[Test::Bits(1, MFD_NOEXEC_SEAL, MFD_NOEXEC_SEAL)]]),
];

/// For servers with `process.nested_seccomp`: Chromium installs filters of its own.
pub const NESTED_SECCOMP: &[(&str, &[&[Test]])] = &[
    ("seccomp", &[&[Test::Is(0, 1)], &[Test::Is(0, 2)]]),
    // It gives capabilities up, and ends itself where it cannot say so. There are none to keep, and none can be gained.
    ("capset", &[]),
    // prctl has its rows above; these two are added to them.
];

/// For `audit.file_reads = false`: opens that can change nothing are left to Landlock.
pub const UNRECORDED_READS: &[(&str, &[&[Test]])] =
    &[("open", &[&[Test::Bits(1, CHANGING, 0)]]), ("openat", &[&[Test::Bits(2, CHANGING, 0)]])];

/// `O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | __O_TMPFILE`.
const CHANGING: u32 = 0o3 | 0o100 | 0o1000 | 0o2000 | 0o2000_0000;
