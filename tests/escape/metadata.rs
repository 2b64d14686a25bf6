//! B: what Landlock does not mediate.

use std::process::Command;

use serde_json::Value;

use crate::pen::ground::Ground;
use crate::pen::log;
use crate::trial::{Open, Record, Trial};

const METADATA: &str = "fs.metadata.not-granted";
const PRIVILEGED: &str = "fs.metadata.privileged";
const SECRET: &str = "{outside}/secret.txt";
const PAGE: &str = "{reading}/page.txt";
const NOTE: &str = "{workspace}/note.txt";
const PLACES: &[&str] = &["{workspace}", SECRET, PAGE];

fn changed(path: &str) -> Record {
    Record::file("metadata", METADATA, path)
}

#[test]
fn b01_no_mode_is_changed() {
    Trial::new("b01_chmod", PLACES)
        .works("own")
        .recorded(Record::allowed("metadata", NOTE))
        .blocked("chmod", "EACCES", changed(SECRET))
        .blocked("fchmodat", "EACCES", changed(SECRET))
        .blocked("fchmodat2", "EACCES", changed(SECRET))
        .blocked("fchmodat2-empty", "EACCES", changed(SECRET))
        .blocked("by-magic", "EACCES", changed(SECRET))
        .blocked("fchmod-read-only", "EACCES", changed(PAGE))
        .blocked("chmod-read-only", "EACCES", changed(PAGE))
        .blocked("by-symlink", "EACCES", changed(SECRET).with("asked", "{workspace}/arrow"))
        .run();
}

#[test]
fn b02_no_set_id_bit_is_given() {
    let privileged = |path: &str| Record::file("metadata", PRIVILEGED, path).or("access", "create");
    let events = Trial::new("b02_set_id", &["{workspace}"])
        .works("ordinary")
        .blocked("chmod-setuid", "EPERM", privileged(NOTE))
        .blocked("chmod-setgid", "EPERM", privileged(NOTE))
        .blocked("fchmod", "EPERM", privileged(NOTE))
        .blocked("fchmodat", "EPERM", privileged(NOTE))
        .blocked("open", "EPERM", privileged("{workspace}/born"))
        .blocked("mknod", "EPERM", privileged("{workspace}/node"))
        .run();
    let allowed = |event: &&Value| event["access"] == "metadata" && event["verdict"] == "allow";
    assert_eq!(
        log::of(&events, "file.access").filter(allowed).count(),
        1,
        "what was refused is not told as done"
    );
}

#[test]
fn b03_no_owner_is_changed() {
    Trial::new("b03_owner", PLACES)
        .works("own")
        .blocked("chown", "EACCES", changed(SECRET))
        .blocked("lchown", "EACCES", changed(SECRET))
        .blocked("fchownat", "EACCES", changed(SECRET))
        .blocked("fchown-read-only", "EACCES", changed(PAGE))
        .blocked("empty-path-read-only", "EACCES", changed(PAGE))
        .run();
}

#[test]
fn b04_no_time_is_changed() {
    Trial::new("b04_times", PLACES)
        .works("own")
        .blocked("utimensat", "EACCES", changed(SECRET))
        .blocked("nofollow", "EACCES", changed(SECRET))
        .blocked("utime", "EACCES", changed(SECRET))
        .blocked("utimes", "EACCES", changed(SECRET))
        .blocked("futimesat", "EACCES", changed(SECRET))
        .blocked("descriptor-read-only", "EACCES", changed(PAGE))
        .run();
}

#[test]
fn b05_no_attribute_is_changed() {
    Trial::new("b05_attributes", PLACES)
        .stage(stage_attributes)
        .works("own")
        .works("own-remove")
        .works("own-setxattrat")
        .works("own-setxattrat-read")
        .blocked("own-file_setattr", "EPERM", Record::file("metadata", PRIVILEGED, NOTE))
        .blocked("own-setxattrat-trusted", "EPERM", Record::file("metadata", PRIVILEGED, NOTE))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("setxattr", "EACCES", changed(SECRET))
        .blocked("lsetxattr", "EACCES", changed(SECRET))
        .blocked("setxattrat", "EACCES", changed(SECRET))
        .blocked("removexattr", "EACCES", changed(SECRET))
        .blocked("lremovexattr", "EACCES", changed(SECRET))
        .blocked("removexattrat", "EACCES", changed(SECRET))
        .blocked("file_setattr", "EACCES", changed(SECRET))
        .blocked("fsetxattr-read-only", "EACCES", changed(PAGE))
        .blocked("fremovexattr-read-only", "EACCES", changed(PAGE))
        .blocked("trusted", "EPERM", Record::file("metadata", PRIVILEGED, NOTE))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("security", "EPERM", Record::file("metadata", PRIVILEGED, NOTE))
        .in_the_open(Open::RefusedForUser("EPERM"))
        .run();
}

/// Attributes to take away, set from outside.
fn stage_attributes(ground: &Ground) {
    for (file, names) in
        [("outside/secret.txt", &["staged1", "staged2", "staged3"][..]), ("reading/page.txt", &["staged1"])]
    {
        for name in names {
            let staged = Command::new(crate::pen::program::attack("set_attribute"))
                .arg(ground.path(file))
                .arg(format!("user.{name}"))
                .status()
                .expect("set_attribute");
            assert!(staged.success(), "user attributes do not work on {}", ground.path(file).display());
        }
    }
}

/// Documented, not promised: existence and metadata can be seen, content cannot.
#[test]
fn b06_b07_what_stays_visible() {
    Trial::new("b06_documented", &[SECRET, "{outside}"])
        .works("stat")
        .works("access")
        .works("path-only")
        .works("chdir")
        .blocked_unrecorded("read-path-only", "EBADF")
        .in_the_open(Open::Refused("EBADF"))
        .run();
}

#[test]
fn b08_nothing_outside_is_watched() {
    let watched = |path: &str| Record::file("list", "fs.watch.not-granted", path);
    Trial::new("b08_watch", &["{reading}", "{outside}"])
        .works("granted")
        .blocked("folder", "EACCES", watched("{outside}"))
        .blocked("file", "EACCES", watched(SECRET))
        .blocked("root", "EACCES", watched("/"))
        .blocked("fanotify", "EPERM", Record::syscall("fanotify_init", "syscall.not-allowed"))
        .run();
}

#[test]
fn b10_no_attribute_is_set_by_ioctl() {
    Trial::new("b10_file_ioctl", &[PAGE])
        .blocked("setflags", "ENOTTY", Record::syscall("ioctl", "syscall.ioctl"))
        .run();
}
