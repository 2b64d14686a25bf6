//! A: the content of files.

use std::fs;

use crate::pen::ground::SECRET;
use crate::trial::{Open, Record, Trial};

const NOT_READABLE: &str = "fs.read.not-granted";
const NOT_WRITABLE: &str = "fs.write.not-granted";
const READ_ONLY: &str = "fs.write.read-only";
const ACROSS: &str = "fs.link.across";

#[test]
fn a01_a_secret_is_not_read() {
    let secret = "{outside}/secret.txt";
    let read = || Record::file("read", NOT_READABLE, secret);
    let events = Trial::new("a01_read_secret", &[secret])
        .blocked("open", "EACCES", read())
        .blocked("openat", "EACCES", read())
        .blocked("openat2", "EACCES", read())
        .blocked("read-write", "EACCES", Record::file("write", NOT_WRITABLE, secret))
        .run();
    // Repeats may be one line with a count, but none is lost.
    let counted: u64 = events
        .iter()
        .filter(|event| event["event"] == "file.access" && event["reason"] == NOT_READABLE)
        .filter_map(|event| event["count"].as_u64())
        .sum();
    assert_eq!(counted, 3, "three refused reads");
    assert_eq!(events.last().expect("end")["denied"], 4, "session.end counts them");
}

#[test]
fn a02_nothing_is_truncated() {
    let (outside, page) = ("{outside}/secret.txt", "{reading}/page.txt");
    let written = |reason, path| Record::file("write", reason, path).or("access", "truncate");
    Trial::new("a02_truncate", &[outside, page])
        .blocked("truncate-outside", "EACCES", Record::file("truncate", NOT_WRITABLE, outside))
        .blocked("o-trunc-outside", "EACCES", written(NOT_WRITABLE, outside))
        .blocked("creat-outside", "EACCES", written(NOT_WRITABLE, outside))
        .blocked("truncate-read-only", "EACCES", Record::file("truncate", READ_ONLY, page))
        .blocked("read-trunc-read-only", "EACCES", written(READ_ONLY, page))
        .blocked("write-read-only", "EACCES", Record::file("write", READ_ONLY, page))
        .blocked("append-read-only", "EACCES", Record::file("write", READ_ONLY, page))
        .run();
}

#[test]
fn a04_h09_no_race_is_won() {
    // Which path a racing open is recorded under is a matter of luck; that refusals are recorded is not.
    let refused = || Record::file("read", NOT_READABLE, "{outside}/secret.txt").or("evidence", "predicted");
    Trial::new("a04_flip", &["{workspace}", "{outside}"])
        .blocked("pointer", "EACCES", refused())
        .blocked("symlink", "EACCES", refused())
        .blocked("folder", "EACCES", refused())
        .run();
}

#[test]
fn a05_no_second_name_is_given() {
    let (secret, page) = ("{outside}/secret.txt", "{reading}/page.txt");
    // A link has two ends; the record may name either.
    let across = |from: &str, to: &str| Record::file("link", ACROSS, from).or("path", to);
    Trial::new("a05_hard_link", &[secret, page, "{workspace}", "{outside}"])
        .blocked("link", "EXDEV", across(secret, "{workspace}/one"))
        .blocked("link-by-magic", "EXDEV", across(secret, "{workspace}/two"))
        .blocked("link-by-descriptor", "EXDEV", across(secret, "{workspace}/three"))
        .blocked("link-read-only", "EXDEV", across(page, "{workspace}/four"))
        .blocked(
            "link-out",
            "EACCES",
            Record::file("link", NOT_WRITABLE, "{outside}/planted").or("path", "{workspace}/mine"),
        )
        .run();
}

/// Open by design: the name lies in the grant. It is on the record all the same.
#[test]
fn a06_an_existing_hard_link_is_what_its_folder_says() {
    Trial::new("a06_existing_hard_link", &["{workspace}/second-name"])
        .stage(|ground| {
            fs::hard_link(ground.path("outside/secret.txt"), ground.path("workspace/second-name"))
                .expect("link");
        })
        .works("read")
        .recorded(Record::allowed("read", "{workspace}/second-name"))
        .run();
}

#[test]
fn a07_nothing_is_renamed_across_the_border() {
    let renamed = |reason: &str, from: &str, to: &str| Record::file("rename", reason, from).or("path", to);
    Trial::new("a07_rename", &["{workspace}", "{outside}", "{reading}"])
        .works("within")
        .blocked("out", "EACCES", renamed(NOT_WRITABLE, "{workspace}/a", "{outside}/planted"))
        .blocked("exchange", "EACCES", renamed(NOT_WRITABLE, "{workspace}/b", "{outside}/secret.txt"))
        .blocked("over", "EACCES", renamed(NOT_WRITABLE, "{workspace}/b", "{outside}/target.txt"))
        // In the open `b` is the old secret by then, and the rename works just the same.
        .blocked(
            "folder-out",
            "EACCES",
            renamed(NOT_WRITABLE, "{workspace}/folder", "{outside}/folder-planted"),
        )
        .blocked("into", "EACCES", renamed(NOT_WRITABLE, "{outside}/victim.txt", "{workspace}/stolen"))
        .blocked("to-read-only", "EACCES", renamed(READ_ONLY, "{workspace}/c", "{reading}/planted"))
        .blocked("from-read-only", "EACCES", renamed(READ_ONLY, "{reading}/page.txt", "{workspace}/page.txt"))
        .run();
}

#[test]
fn a08_nothing_is_removed() {
    Trial::new("a08_remove", &["{workspace}", "{outside}", "{reading}"])
        .works("own")
        .recorded(Record::allowed("delete", "{workspace}/note.txt"))
        .blocked("unlink-outside", "EACCES", Record::file("delete", NOT_WRITABLE, "{outside}/secret.txt"))
        .blocked("unlinkat-outside", "EACCES", Record::file("delete", NOT_WRITABLE, "{outside}/target.txt"))
        .blocked("rmdir-outside", "EACCES", Record::file("delete", NOT_WRITABLE, "{outside}/empty"))
        .blocked("unlink-read-only", "EACCES", Record::file("delete", READ_ONLY, "{reading}/page.txt"))
        .run();
}

#[test]
fn a11_a12_f15_no_descriptor_is_inherited() {
    Trial::new("a11_inherited", &[])
        .launched_by("with_descriptors", &["{outside}", "{outside}/secret.txt"])
        .blocked_unrecorded("folder", "EBADF")
        .blocked_unrecorded("file", "EBADF")
        .blocked_unrecorded("socket", "EBADF")
        .never("file.access")
        .run();
}

#[test]
fn a13_the_streams_are_pipes_of_our_own() {
    Trial::new("a13_streams", &[])
        .launched_by("with_sockets", &[])
        .blocked_unrecorded("stdin", "ENOTSOCK")
        .blocked_unrecorded("stdout", "ENOTSOCK")
        .blocked_unrecorded("stderr", "ENOTSOCK")
        .run();
}

#[test]
fn a14_a_descriptor_is_not_reopened_with_more_rights() {
    let page = "{reading}/page.txt";
    let write = || Record::file("write", READ_ONLY, page);
    Trial::new("a14_reopen", &[page, "{outside}/secret.txt"])
        .works("same-right")
        .blocked("self", "EACCES", write())
        .blocked("dev-fd", "EACCES", write())
        .blocked("thread-self", "EACCES", write())
        .blocked("by-pid", "EACCES", write())
        .blocked("truncate", "EACCES", Record::file("truncate", READ_ONLY, page))
        .blocked("path-only", "EACCES", Record::file("read", NOT_READABLE, "{outside}/secret.txt"))
        .blocked("dev-stdin", "EACCES", write())
        .run();
}

#[test]
fn a15_e07_e08_proc_tells_nothing_of_others() {
    const PROC: &str = "fs.proc.not-served";
    let of = |file: &str| Record::file("read", PROC, &format!("/proc/{{victim}}/{file}"));
    // Behind a magic link lies a path of its own; whether it is followed that far is not what matters.
    let behind = |file: &str, access: &'static str, target: &str| {
        Record::file(access, PROC, &format!("/proc/{{victim}}/{file}"))
            .or("path", target)
            .or("reason", NOT_READABLE)
    };
    Trial::new("a15_proc_root", &["{victim}"])
        .blocked("environ", "EACCES", of("environ"))
        .blocked("cmdline", "EACCES", of("cmdline"))
        .blocked("status", "EACCES", of("status"))
        .blocked("maps", "EACCES", of("maps"))
        .blocked("mem", "EACCES", Record::file("write", PROC, "/proc/{victim}/mem"))
        .blocked("task", "EACCES", Record::file("list", PROC, "/proc/{victim}/task"))
        .blocked("root", "EACCES", behind("root/etc", "list", "/etc"))
        .blocked("cwd", "EACCES", behind("cwd/secret.txt", "read", "{outside}/secret.txt"))
        .blocked("fd", "EACCES", behind("fd/8", "read", "{outside}/secret.txt"))
        .blocked("dot-dot", "EACCES", of("environ"))
        .blocked("relative", "EACCES", of("environ"))
        .blocked("relative-cwd", "EACCES", behind("cwd/secret.txt", "read", "{outside}/secret.txt"))
        .blocked("descriptor", "EACCES", of("environ"))
        .blocked("init-cmdline", "EACCES", Record::file("read", PROC, "/proc/1/cmdline"))
        .blocked("init-environ", "EACCES", Record::file("read", PROC, "/proc/1/environ"))
        .in_the_open(Open::Depends("EACCES"))
        .blocked("kmsg", "EACCES", Record::file("read", PROC, "/proc/kmsg"))
        .in_the_open(Open::RefusedForUser("EACCES"))
        .run();
}

#[test]
fn a16_no_file_is_opened_by_handle() {
    const REASON: &str = "syscall.not-allowed";
    Trial::new("a16_handle", &["{workspace}/note.txt", "{workspace}"])
        .blocked("name", "EPERM", Record::syscall("name_to_handle_at", REASON))
        .blocked("open", "EPERM", Record::syscall("open_by_handle_at", REASON))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .run();
}

#[test]
fn a17_no_node_is_made() {
    let made = |reason, path: &str| Record::file("create", reason, path);
    Trial::new("a17_nodes", &["{workspace}", "{reading}", "{outside}"])
        .works("own-folder")
        .recorded(Record::allowed("create", "{workspace}/made"))
        .works("own-symlink")
        .blocked("fifo-read-only", "EACCES", made(READ_ONLY, "{reading}/pipe"))
        .blocked("node-read-only", "EACCES", made(READ_ONLY, "{reading}/node"))
        .blocked("folder-read-only", "EACCES", made(READ_ONLY, "{reading}/made"))
        .blocked("symlink-read-only", "EACCES", made(READ_ONLY, "{reading}/arrow"))
        .blocked("file-read-only", "EACCES", made(READ_ONLY, "{reading}/new"))
        .blocked("fifo-outside", "EACCES", made(NOT_WRITABLE, "{outside}/pipe"))
        .blocked("socket-outside", "EACCES", made(NOT_WRITABLE, "{outside}/socket"))
        .blocked("folder-outside", "EACCES", made(NOT_WRITABLE, "{outside}/made"))
        .blocked("symlink-outside", "EACCES", made(NOT_WRITABLE, "{outside}/arrow"))
        .blocked("file-outside", "EACCES", made(NOT_WRITABLE, "{outside}/new"))
        .blocked("exclusive-outside", "EACCES", made(NOT_WRITABLE, "{outside}/newer"))
        .run();
}

#[test]
fn a18_no_device_is_made_or_opened() {
    let made = |path: &str| Record::file("create", NOT_WRITABLE, path).with("remedy", "null");
    Trial::new("a18_devices", &["{workspace}"])
        .write("/dev/null")
        .blocked("character", "EACCES", made("{workspace}/null"))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("block", "EACCES", made("{workspace}/disk"))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .works("null")
        .blocked("kmsg", "EACCES", Record::file("read", NOT_READABLE, "/dev/kmsg"))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked(
            "ptmx",
            "EACCES",
            Record::file("write", NOT_WRITABLE, "/dev/ptmx").or("path", "/dev/pts/ptmx"),
        )
        .run();
}

#[test]
fn a19_shared_folders_are_no_drop_zones() {
    let dropped = |folder: &str| Record::file("create", NOT_WRITABLE, &format!("{folder}/{{unique}}"));
    Trial::new("a19_drop_zones", &["{unique}"])
        .works("tmpdir")
        .blocked("tmp", "EACCES", dropped("/tmp"))
        .blocked("var-tmp", "EACCES", dropped("/var/tmp"))
        .blocked("dev-shm", "EACCES", dropped("/dev/shm"))
        .run();
}

#[test]
fn a20_a_sibling_with_the_same_prefix_is_outside() {
    let (granted, secret) = ("{ground}/app/file", "{ground}/app-secret/file");
    Trial::new("a20_prefix", &[granted, secret, "{ground}/app-secret/new"])
        .write("{ground}/app")
        .stage(|ground| {
            for folder in ["app", "app-secret"] {
                fs::create_dir(ground.path(folder)).expect(folder);
                fs::write(ground.path(folder).join("file"), "content").expect(folder);
            }
        })
        .works("granted")
        .blocked("read", "EACCES", Record::file("read", NOT_READABLE, secret))
        .blocked("write", "EACCES", Record::file("write", NOT_WRITABLE, secret))
        .blocked("create", "EACCES", Record::file("create", NOT_WRITABLE, "{ground}/app-secret/new"))
        .run();
}

#[test]
fn a24_a_nameless_file_gets_no_name_outside() {
    let linked = |path: &str| Record::file("link", NOT_WRITABLE, path).or("access", "create");
    Trial::new("a24_nameless", &["{workspace}", "{outside}"])
        .blocked("by-descriptor", "EACCES", linked("{outside}/planted"))
        .blocked("by-magic", "EACCES", linked("{outside}/planted-too"))
        .blocked(
            "tmpfile-outside",
            "EACCES",
            Record::file("create", NOT_WRITABLE, "{outside}").or("access", "write"),
        )
        .run();
}

#[test]
fn a25_roundabout_spellings_mean_what_they_mean() {
    let secret = "{outside}/secret.txt";
    let read = || Record::file("read", NOT_READABLE, secret);
    // Repeats of one path are one line, with what was asked first: each of these has a file of its own.
    let of = |file: &str, asked: &str| {
        Record::file("read", NOT_READABLE, &format!("{{outside}}/{file}")).with("asked", asked)
    };
    Trial::new("a25_roundabout", &["{workspace}", "{outside}"])
        .stage(|ground| {
            for file in ["outside/third.txt", "outside/fourth.txt"] {
                fs::write(ground.path(file), SECRET).expect(file);
            }
        })
        .blocked("dot-dot", "EACCES", of("secret.txt", "{workspace}/sub/../../outside/./secret.txt"))
        .blocked("slashes", "EACCES", read())
        .blocked("symlink", "EACCES", of("target.txt", "{workspace}/first"))
        .blocked("symlink-chain", "EACCES", of("victim.txt", "{workspace}/second"))
        .blocked("symlink-folder", "EACCES", of("third.txt", "{workspace}/door/third.txt"))
        .blocked("symlink-create", "EACCES", Record::file("create", NOT_WRITABLE, "{outside}/planted"))
        .blocked("descriptor", "EACCES", read())
        .blocked("in-root", "EACCES", read())
        .blocked("list", "EACCES", Record::file("list", NOT_READABLE, "{outside}"))
        .blocked("relative", "EACCES", of("fourth.txt", "fourth.txt"))
        .blocked("fchdir", "EACCES", read())
        .run();
}

#[test]
fn a28_of_itself_a_process_sees_what_it_needs() {
    const PROC: &str = "fs.proc.not-served";
    let refused = |access: &'static str, path: &str| Record::file(access, PROC, path);
    // `self` has the number of the run in it.
    let own = |access: &'static str| Record::file(access, PROC, "").without("path");
    Trial::new("a28_own_proc", &[])
        .works("self-status")
        .works("thread-status")
        .works("pid-status")
        .works("maps")
        .works("fds")
        .works("exe")
        .works("child-status")
        .works("cpuinfo")
        .blocked("mem-read", "EACCES", own("read"))
        .blocked("mem-write", "EACCES", own("write"))
        .blocked("root", "EACCES", own("list"))
        .blocked("namespace", "EACCES", own("read"))
        .blocked("oom", "EACCES", own("write"))
        .blocked("list", "EACCES", refused("list", "/proc"))
        .blocked("parent", "EACCES", own("read"))
        .blocked("net", "EACCES", own("read"))
        .blocked("keys", "EACCES", refused("read", "/proc/keys"))
        .blocked("sysctl", "EACCES", refused("read", "/proc/sys/kernel/core_pattern"))
        .run();
}
