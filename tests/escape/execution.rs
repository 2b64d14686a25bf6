//! C: running programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::pen::ground::Ground;
use crate::pen::{launch, log};
use crate::trial::{Open, Record, Trial, install};

const NOT_GRANTED: &str = "exec.not-granted";

fn executed(reason: &str, path: &str) -> Record {
    Record::file("execute", reason, path)
}

#[test]
fn c01_only_what_is_granted_is_executed() {
    let outside = || executed(NOT_GRANTED, "{outside}/tool");
    let events = Trial::new("c01_execute", &["{ground}/granted-tool", "{outside}/tool", "{reading}/tool"])
        .stage(|ground| {
            install(ground, "tool", "granted-tool");
            install(ground, "tool", "reading/tool");
        })
        .execute("{ground}/granted-tool")
        .works("granted-execve")
        .works("granted-descriptor")
        .works("granted-spawn")
        .blocked("execve", "EACCES", outside())
        .blocked("descriptor", "EACCES", outside())
        .blocked("magic", "EACCES", outside())
        // A spawned child has a number of its own, and never says it: vfork lends it our memory.
        .blocked("spawn", "EACCES", outside().any_process())
        .blocked("readable", "EACCES", executed(NOT_GRANTED, "{reading}/tool"))
        .run();
    let started = |event: &&Value| event["exe"].as_str().is_some_and(|exe| exe.ends_with("/granted-tool"));
    assert_eq!(log::of(&events, "process.start").filter(started).count(), 3, "what ran is on record");
}

#[test]
fn c02_writable_is_never_executable() {
    Trial::new("c02_write_then_execute", &["{workspace}", "{reading}/tool"])
        .stage(|ground| install(ground, "tool", "reading/tool"))
        .blocked("workspace", "EACCES", executed(NOT_GRANTED, "{workspace}/payload"))
        // TMPDIR has a name of the session's; the next test of this kind is the nameless file.
        .blocked_unrecorded("tmpdir", "EACCES")
        .blocked_unrecorded("nameless", "EACCES")
        .blocked("memory", "EPERM", Record::syscall("memfd_create", "syscall.not-allowed"))
        .blocked_unrecorded("memory-sealed", "EACCES")
        .in_the_open(Open::Refused("EACCES"))
        .run();
}

#[test]
fn c03_the_loader_runs_nothing() {
    let loader = loader();
    let loader = loader.to_str().expect("UTF-8").to_owned();
    let canonical = fs::read_link("/proc/self/exe").map(|_| real(&loader)).expect("proc");
    Trial::new("c03_loader", &[&loader, "{reading}/payload", "{ground}/dynamic"])
        .stage(|ground| {
            let dynamic = compile_dynamic(ground);
            fs::copy(&dynamic, ground.path("reading/payload")).expect("payload");
            fs::set_permissions(ground.path("reading/payload"), fs::Permissions::from_mode(0o644))
                .expect("mode");
        })
        .read("/usr/lib")
        .read("/etc/ld.so.cache")
        .execute(&loader)
        .execute("{ground}/dynamic")
        .works("granted")
        .blocked("loader", "EACCES", executed("exec.loader", &canonical).or("path", &loader))
        .run();
}

/// A program that is linked dynamically and says 42.
fn compile_dynamic(ground: &Ground) -> PathBuf {
    let target = ground.path("dynamic");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/escape/attacks/tool.c");
    let built = std::process::Command::new("cc").arg("-o").arg(&target).arg(source).status().expect("cc");
    assert!(built.success(), "cc -o {}", target.display());
    target
}

fn loader() -> PathBuf {
    let places = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    places.into_iter().map(PathBuf::from).find(|path| path.exists()).expect("a dynamic loader")
}

/// Where symlinks end, asked of the kernel.
fn real(path: &str) -> String {
    use std::os::fd::AsRawFd;
    let file = fs::File::open(path).expect("open");
    let link = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("proc");
    link.to_str().expect("UTF-8").to_owned()
}

#[test]
fn c05_c06_no_shell_is_executed() {
    const SHELL: &str = "exec.shell";
    let sh = real("/bin/sh");
    let shell = || executed(SHELL, &sh);
    Trial::new("c05_shell", &["{ground}/script"])
        .stage(|ground| {
            fs::write(ground.path("script"), "#!/bin/sh\nexit 42\n").expect("script");
            fs::set_permissions(ground.path("script"), fs::Permissions::from_mode(0o755)).expect("mode");
        })
        .execute("{ground}/script")
        .blocked("sh", "EACCES", shell())
        .blocked("usr-bin-sh", "EACCES", shell())
        .blocked("bash", "EACCES", executed(SHELL, &real("/bin/bash")))
        .blocked("script", "EACCES", shell().or("path", "{ground}/script"))
        .blocked_unrecorded("system", "ENOEXEC")
        .run();
}

#[test]
fn c08_d03_d05_injection_variables_are_removed() {
    const NAMES: &[&str] = &[
        "LD_PRELOAD",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "NODE_OPTIONS",
        "NODE_PATH",
        "PYTHONSTARTUP",
        "PYTHONPATH",
        "PERL5OPT",
        "RUBYOPT",
        "BASH_ENV",
        "ENV",
        "JAVA_TOOL_OPTIONS",
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "GCONV_PATH",
        "SSH_AUTH_SOCK",
        "GPG_AGENT_INFO",
        "TMUX",
        "VSCODE_IPC_HOOK_CLI",
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "DOCKER_HOST",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
    ];
    let mut trial = Trial::new("c08_environment", NAMES);
    for name in NAMES {
        trial = trial.env(name, "{ground}/nothing-there").blocked_unrecorded(name, "ENOENT");
    }
    let events = trial.run();
    let removed = events[0]["env_removed"].as_array().expect("names");
    for name in NAMES {
        assert!(removed.iter().any(|removed| removed == name), "{name} is not among {removed:?}");
    }
    assert!(!events[0].to_string().contains("nothing-there"), "a value of a removed variable was recorded");
}

#[test]
fn c10_no_privilege_is_left_or_gained() {
    let root = nix::unistd::geteuid().is_root();
    // Only root can make a program that belongs to somebody else.
    let words: &[&str] = if root { &["{ground}/set-user-id"] } else { &[] };
    let mut trial = Trial::new("c10_privilege", words)
        .blocked_unrecorded("no-new-privs", "EPERM")
        .blocked_unrecorded("effective", "EPERM")
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked_unrecorded("permitted", "EPERM")
        .in_the_open(Open::RefusedForUser("EPERM"));
    trial = if root { trial.blocked_unrecorded("bounding", "EPERM") } else { trial.works("bounding") };
    if root {
        trial = trial
            .stage(|ground| {
                install(ground, "tool", "set-user-id");
                let nobody = Some(nix::unistd::Uid::from_raw(65534));
                nix::unistd::chown(&ground.path("set-user-id"), nobody, None).expect("chown");
                fs::set_permissions(ground.path("set-user-id"), fs::Permissions::from_mode(0o4755))
                    .expect("mode");
                // Its folder is a private one: somebody else could not even reach it.
                fs::set_permissions(ground.path(""), fs::Permissions::from_mode(0o755)).expect("mode");
            })
            .execute("{ground}/set-user-id")
            .blocked_unrecorded("set-user-id", "EPERM");
    }
    let events = trial.run();
    // An ordinary user has nothing to empty the bounding set with; no_new_privs makes up for it, and it is told.
    let caps = events[0]["enforced"]["caps"].as_str().expect("a word");
    assert_eq!(caps.contains("bounding: kept"), !root, "{caps}");
}

#[test]
fn c11_protections_are_not_taken_away() {
    let refused = || Record::syscall("personality", "syscall.not-allowed");
    Trial::new("c11_personality", &[])
        .works("query")
        .blocked("no-randomize", "EPERM", refused())
        .blocked("read-implies-exec", "EPERM", refused())
        .run();
}

#[test]
fn c12_i11_caponier_itself_is_out_of_reach() {
    // A copy, so that the run in the open can write to it at all.
    let not_writable = |path: &str| Record::file("write", "fs.write.not-granted", path);
    Trial::new("c12_own_binary", &["{ground}/caponier", "{audit}", "{ground}/profile.toml"])
        .stage(|ground| {
            fs::copy(launch::binary(), ground.path("caponier")).expect("copy");
        })
        .blocked("parent-exe", "EACCES", Record::file("write", "fs.proc.not-served", "").without("path"))
        .in_the_open(Open::RefusedSomehow)
        .blocked("binary", "EACCES", not_writable("{ground}/caponier"))
        .blocked("log", "EACCES", not_writable("{audit}/heads.jsonl").or("access", "create"))
        .blocked(
            "log-folder",
            "EACCES",
            Record::file("list", "fs.read.not-granted", "{audit}").or("reason", "fs.read.secret"),
        )
        .blocked("profile", "EACCES", not_writable("{ground}/profile.toml").or("access", "create"))
        .run();
}
