//! H: the filter, the broker, and the kernel around them.

use std::fs;

use serde_json::Value;

use crate::pen::log;
use crate::trial::{Open, Record, Trial};

const NAMESPACE: &str = "syscall.namespace";
const SECRET: &str = "{outside}/secret.txt";

#[cfg(target_arch = "x86_64")]
#[test]
fn h01_a_foreign_architecture_is_killed() {
    let events = Trial::new("h01_int80", &["{workspace}/made-by-int80"])
        .blocked_unrecorded("int80", "SIGSYS")
        .killed(128 + 31)
        .run();
    assert_eq!(events.last().expect("end")["status"]["signal"], 31);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn h02_other_numbers_are_on_no_list() {
    // They have no name: the record is found by the number. ENOSYS is what a kernel says that does not know a call,
    // so that a newer C library falls back.
    let events = Trial::new("h02_x32", &[SECRET])
        .blocked_unrecorded("open", "ENOSYS")
        .in_the_open(Open::Depends("ENOSYS"))
        .blocked_unrecorded("getpid", "ENOSYS")
        .in_the_open(Open::Depends("ENOSYS"))
        .blocked_unrecorded("execve", "ENOSYS")
        .in_the_open(Open::Depends("ENOSYS"))
        .blocked_unrecorded("unknown", "ENOSYS")
        .in_the_open(Open::Refused("ENOSYS"))
        .run();
    for nr in [0x4000_0002, 0x4000_0027, 0x4000_0208, 4095] {
        let found = log::of(&events, "syscall.denied").any(|event| {
            event["nr"] == nr && event["reason"] == "syscall.unsupported" && event["errno"] == "ENOSYS"
        });
        assert!(found, "{nr:#x} is not on record");
    }
}

#[test]
fn h04_h16_no_namespace_is_entered() {
    let refused = |call: &str| Record::syscall(call, NAMESPACE);
    let unsupported = || Record::syscall("clone3", "syscall.unsupported");
    Trial::new("h04_clone", &[])
        .works("thread")
        .works("fork")
        .blocked("clone3", "ENOSYS", unsupported())
        .blocked("clone3-user", "ENOSYS", unsupported())
        .blocked("clone-user", "EPERM", refused("clone"))
        .blocked("clone-user-net", "EPERM", refused("clone"))
        .blocked("clone-pid", "EPERM", refused("clone"))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("unshare-user", "EPERM", refused("unshare"))
        .blocked("unshare-mount", "EPERM", refused("unshare"))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("setns", "EPERM", refused("setns"))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("chroot", "EPERM", refused("chroot"))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("mount", "EPERM", refused("mount"))
        .in_the_open(Open::RefusedFor("ENOENT", "ENOENT"))
        .blocked("umount", "EPERM", refused("umount2"))
        .in_the_open(Open::Refused("ENOENT"))
        .blocked("pivot-root", "EPERM", refused("pivot_root"))
        .in_the_open(Open::RefusedFor("EPERM", "ENOENT"))
        .blocked("fsopen", "EPERM", refused("fsopen"))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("open-tree", "EPERM", refused("open_tree"))
        .blocked("move-mount", "EPERM", refused("move_mount"))
        .in_the_open(Open::RefusedFor("EPERM", "ENOENT"))
        .run();
}

#[test]
fn h05_h06_no_filter_hides_later_calls() {
    Trial::new("h05_own_filter", &[])
        .blocked("filter", "EPERM", Record::syscall("seccomp", "syscall.seccomp"))
        .blocked("listener", "EPERM", Record::syscall("seccomp", "syscall.seccomp"))
        .blocked("prctl", "EPERM", Record::syscall("prctl", "syscall.seccomp"))
        .blocked("ask", "EPERM", Record::syscall("seccomp", "syscall.seccomp"))
        .run();
}

/// The call is answered as if it had been done; the proof that it was not is the path in the record.
#[test]
fn h08_memory_is_not_hidden() {
    Trial::new("h08_dumpable", &[SECRET])
        .works("set")
        .blocked("read", "EACCES", Record::file("read", "fs.read.not-granted", SECRET))
        .run();
}

#[test]
fn h10_a_fork_storm_confuses_nobody() {
    Trial::new("h10_fork_storm", &["{workspace}/note.txt", SECRET])
        .limit("processes", "64")
        .blocked_unrecorded("storm", "EACCES")
        .run();
}

#[test]
fn h11_a_signal_storm_interrupts_nothing() {
    Trial::new("h11_signal_storm", &["{workspace}"]).works("restarting").works("trying-again").run();
}

#[test]
fn h13_odd_paths_are_read_and_written_down_whole() {
    const ESCAPES: &str = "\x1b[2J\x1b]0;owned\x07\nline\r\t\"quoted\\.txt";
    const UNICODE: &str = "\u{202e}txt.exe\u{2028}.txt";
    let read = |path: &str| Record::file("read", "fs.read.not-granted", path);
    let named = |name: &str| read(&format!("{{outside}}/{name}"));
    Trial::new("h13_odd_paths", &["{outside}"])
        .stage(|ground| {
            use std::os::unix::ffi::OsStrExt;
            let outside = ground.path("outside");
            let stray = std::ffi::OsStr::from_bytes(b"caf\xe9\xff.txt");
            for name in [stray, std::ffi::OsStr::new(ESCAPES), std::ffi::OsStr::new(UNICODE)] {
                fs::write(outside.join(name), "SECRET").expect("file");
            }
        })
        .blocked_unrecorded("too-long", "ENAMETOOLONG")
        .in_the_open(Open::Refused("ENAMETOOLONG"))
        .blocked("longest", "EACCES", read(SECRET))
        .blocked_unrecorded("unmapped", "EFAULT")
        .in_the_open(Open::Refused("EFAULT"))
        .blocked_unrecorded("kernel-pointer", "EFAULT")
        .in_the_open(Open::Refused("EFAULT"))
        .blocked("page-end", "EACCES", read(SECRET))
        .blocked_unrecorded("into-hole", "EFAULT")
        .in_the_open(Open::Refused("EFAULT"))
        .blocked("not-utf-8", "EACCES", named("caf\\xe9\\xff.txt"))
        .blocked("escapes", "EACCES", named(ESCAPES))
        .blocked("unicode", "EACCES", named(UNICODE))
        .blocked_unrecorded("empty", "ENOENT")
        .in_the_open(Open::Refused("ENOENT"))
        .run();
}

#[test]
fn h18_without_a_free_number_nothing_is_let_through() {
    Trial::new("h18_no_descriptors", &["{workspace}/note.txt", "1"])
        .works("served")
        .blocked_unrecorded("status", "EMFILE")
        .in_the_open(Open::Refused("EMFILE"))
        .blocked_unrecorded("granted", "EMFILE")
        .in_the_open(Open::Refused("EMFILE"))
        .works("again")
        .run();
}

#[test]
fn h22_calls_that_no_server_needs_never_reach_the_kernel() {
    #[rustfmt::skip]
    const CALLS: &[&str] = &[
        "bpf", "perf_event_open", "userfaultfd", "init_module", "finit_module", "delete_module", "swapon", "swapoff",
        "reboot", "quotactl", "acct", "settimeofday", "clock_settime", "adjtimex", "sethostname", "setdomainname",
        "syslog", 
        #[cfg(target_arch = "x86_64")] "iopl",
        #[cfg(target_arch = "x86_64")] "ioperm",
    ];
    let mut trial = Trial::new("h22_calls", &[]);
    let uring = [("io_uring_setup", Open::Succeeds), ("io_uring_enter", Open::Refused("EBADF"))];
    for (name, open) in uring.into_iter().chain([("io_uring_register", Open::Refused("EINVAL"))]) {
        trial = trial.blocked(name, "ENOSYS", Record::syscall(name, "syscall.unsupported")).in_the_open(open);
    }
    for name in CALLS {
        trial = trial
            .blocked(name, "EPERM", Record::syscall(name, "syscall.not-allowed"))
            .in_the_open(Open::RefusedSomehow);
    }
    let events = trial.run();
    let denied: Vec<&Value> = log::of(&events, "syscall.denied").collect();
    assert_eq!(denied.len(), 3 + CALLS.len(), "one record each");
}
