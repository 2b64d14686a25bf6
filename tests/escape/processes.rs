//! E: other processes, signals, limits, the terminal.

use serde_json::Value;

use crate::pen::log;
use crate::trial::{Open, Record, Trial};

const FOREIGN: &str = "syscall.foreign-process";

fn foreign(call: &str) -> Record {
    Record::syscall(call, FOREIGN)
}

#[test]
fn e01_e02_no_process_is_debugged() {
    Trial::new("e01_ptrace", &["{victim}"])
        .blocked("attach", "EPERM", foreign("ptrace"))
        .blocked("seize", "EPERM", foreign("ptrace"))
        .blocked("trace-me", "EPERM", foreign("ptrace"))
        .blocked("vm-read", "EPERM", foreign("process_vm_readv"))
        .blocked("vm-write", "EPERM", foreign("process_vm_writev"))
        .blocked("kcmp", "EPERM", foreign("kcmp"))
        .run();
}

#[test]
fn e03_no_descriptor_is_copied_from_another_process() {
    Trial::new("e03_pidfd", &["{victim}"])
        .blocked("victim", "EPERM", foreign("pidfd_getfd"))
        .blocked("parent", "EPERM", foreign("pidfd_getfd"))
        .run();
}

#[test]
fn e05_the_kernel_signals_nobody_for_us() {
    Trial::new("e05_owner_signal", &["{victim}"])
        .works("self")
        .blocked("setown", "EPERM", foreign("fcntl"))
        .blocked("setown-group", "EPERM", foreign("fcntl"))
        .blocked("setown-ex", "EPERM", foreign("fcntl"))
        .blocked("fiosetown", "EPERM", Record::syscall("ioctl", "syscall.ioctl"))
        .blocked("siocspgrp", "EPERM", Record::syscall("ioctl", "syscall.ioctl"))
        .run();
}

#[test]
fn e06_nobody_elses_limits_are_changed() {
    Trial::new("e06_foreign_limits", &["{victim}"])
        .works("own-limit")
        .works("own-limit-set")
        .works("own-limit-by-pid")
        .works("own-affinity")
        .works("own-priority")
        .blocked("prlimit-read", "EPERM", foreign("prlimit64"))
        .blocked("prlimit", "EPERM", foreign("prlimit64"))
        .blocked("priority", "EPERM", foreign("setpriority"))
        .blocked("affinity", "EPERM", foreign("sched_setaffinity"))
        .blocked("scheduler", "EPERM", foreign("sched_setscheduler"))
        .blocked("param", "EPERM", foreign("sched_setparam"))
        .blocked("attr", "EPERM", foreign("sched_setattr"))
        .blocked("io-priority", "EPERM", foreign("ioprio_set"))
        .run();
}

/// Refused by Landlock's scope, which asks nobody: there is no record.
#[test]
fn e09_no_signal_leaves_the_tree() {
    Trial::new("e09_signal", &["{victim}"])
        .works("own-child")
        .blocked_unrecorded("kill", "EPERM")
        .blocked_unrecorded("tkill", "EPERM")
        .blocked_unrecorded("tgkill", "EPERM")
        .blocked_unrecorded("queue", "EPERM")
        .blocked_unrecorded("thread-queue", "EPERM")
        .blocked_unrecorded("pidfd", "EPERM")
        .blocked_unrecorded("group", "EPERM")
        .run();
}

/// As root too: the limit is of the tree, not of the user. 16 with the server itself; one or two places may be taken by
/// what is on its way out.
fn bomb(how: &str) -> Vec<Value> {
    Trial::new("e11_fork_bomb", &["64", "13", how])
        .limit("processes", "16")
        .blocked("bomb", "EAGAIN", Record::syscall("clone", "process.limit").any_process())
        .works("afterwards")
        .run()
}

#[test]
fn e11_a_fork_bomb_is_stopped() {
    let events = bomb("plain");
    let at_limit =
        log::of(&events, "syscall.denied").filter(|event| event["reason"] == "process.limit").count();
    // The attack tries again until a place is free: repeats are folded, a few lines at most.
    assert!((1..=10).contains(&at_limit), "{at_limit} records of the limit");
}

#[test]
fn e11_daemons_and_siblings_are_counted_too() {
    bomb("daemons");
    bomb("siblings");
}

#[test]
fn e13_h03_nothing_is_typed_into_a_terminal() {
    let ioctl = || Record::syscall("ioctl", "syscall.ioctl");
    Trial::new("e13_terminal", &[])
        .blocked("sti", "EPERM", ioctl())
        .in_the_open(Open::Depends("EIO"))
        .blocked("sti-bit-32", "EPERM", ioctl())
        .in_the_open(Open::Depends("EIO"))
        .blocked("sti-bit-63", "EPERM", ioctl())
        .in_the_open(Open::Depends("EIO"))
        .blocked("line-discipline", "EPERM", ioctl())
        .blocked("linux", "EPERM", ioctl())
        .in_the_open(Open::Refused("ENOTTY"))
        .blocked("unknown", "ENOTTY", ioctl())
        .in_the_open(Open::Refused("ENOTTY"))
        .blocked_unrecorded("window-size", "ENOTTY")
        .run();
}
