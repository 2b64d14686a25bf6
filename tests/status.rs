//! Exit statuses of `caponier run`: the server's own code, 128 + n when signal n ended it, and a number of our own for
//! everything that kept the server from running. Never 0 when the policy could not be applied.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use pen::ground::Ground;
use pen::launch::{self, Finished};
use pen::{log, plain_profile, program, words};

/// Runs a server under the plain profile until it ends.
fn run(server: &[String], more: &str) -> (Finished, Vec<Value>) {
    let ground = Ground::new();
    let profile = plain_profile(&ground, more);
    let finished = launch::start(launch::run(&ground, &profile, server)).finish();
    let events = log::events(&ground.path("audit"));
    if !events.is_empty() {
        log::assert_whole(&ground, &events);
    }
    (finished, events)
}

/// Where nothing may have been started: the status, what the message says, and no log of a server.
fn refused(server: &[String], status: i32, said: &[&str]) {
    let (finished, events) = run(server, "");
    assert_eq!(finished.code(), Some(status), "{server:?}: {finished:?}");
    for word in said {
        assert!(finished.stderr.contains(word), "{server:?}: no {word:?} in\n{}", finished.stderr);
    }
    assert!(finished.stdout.is_empty(), "{finished:?}");
    assert_eq!(log::of(&events, "process.start").count(), 0, "something was started: {events:?}");
}

#[test]
fn the_servers_own_code_is_passed_on() {
    for code in [0, 1, 3, 42, 64, 125, 255] {
        let (finished, events) = run(&words("server", &["exit", &code.to_string()]), "");
        assert_eq!(finished.code(), Some(code), "{finished:?}");
        let end = events.last().expect("session.end");
        assert_eq!(
            (&end["status"], &end["cause"]),
            (&json!({ "exit": code }), &json!("server_exit")),
            "{end}"
        );
    }
}

#[test]
fn a_signal_that_ended_the_server_is_128_and_its_number() {
    for signal in [Signal::SIGSEGV, Signal::SIGABRT, Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSYS] {
        let number = signal as i32;
        let (finished, events) = run(&words("server", &["signal", &number.to_string()]), "");
        assert_eq!(finished.code(), Some(128 + number), "{signal}: {finished:?}");
        assert_eq!(events.last().expect("session.end")["status"], json!({ "signal": number }));
    }
}

#[test]
fn a_signal_to_caponier_is_forwarded_and_told() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let ground = Ground::new();
        let profile = plain_profile(&ground, "");
        let running = launch::start(launch::run(&ground, &profile, &words("server", &["wait"])));
        running.wait_for("ready");
        running.signal(signal);
        let finished = running.finish();
        assert_eq!(finished.code(), Some(128 + signal as i32), "{signal}: {finished:?}");
        let events = log::events(&ground.path("audit"));
        log::assert_whole(&ground, &events);
        assert_eq!(events.last().expect("end")["cause"], "killed");
    }
}

#[test]
fn the_end_of_the_client_ends_the_server() {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "");
    let mut running = launch::start(launch::run(&ground, &profile, &words("server", &["wait"])));
    running.wait_for("ready");
    running.close_stdin();
    let finished = running.finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    assert!(finished.stderr.contains("received 0"), "the server saw the end: {finished:?}");
    assert_eq!(log::events(&ground.path("audit")).last().expect("end")["cause"], "client_closed");
}

#[test]
fn wall_time_is_124() {
    let (finished, events) = run(&words("server", &["stubborn"]), "[limits]\nwall_time = \"1s\"\n");
    assert_eq!(finished.code(), Some(124), "{finished:?}");
    assert_eq!(events.last().expect("end")["cause"], "timeout");
}

#[test]
fn wrong_usage_is_64() {
    let ground = Ground::new();
    let cases: [&[&str]; 6] = [
        &["run", "--no-such-flag", "--", "/bin/true"],
        &["run"],
        &["run", "--"],
        &["run", "--env", "staging", "--", "/bin/true"],
        &["no-such-command"],
        &[],
    ];
    for case in cases {
        let mut command = launch::caponier(&ground);
        command.args(case);
        let finished = launch::start(command).finish();
        assert_eq!(finished.code(), Some(64), "{case:?}: {finished:?}");
        assert!(!finished.stderr.is_empty() && finished.stdout.is_empty(), "{case:?}: {finished:?}");
    }
}

#[test]
fn a_wrong_profile_is_78() {
    let ground = Ground::new();
    let server = words("server", &["exit", "0"]);
    let unknown = launch::caponier(&ground)
        .args(["run", "--profile", "no-such-profile", "--"])
        .args(&server)
        .output()
        .expect("run");
    assert_eq!(unknown.status.code(), Some(78), "{unknown:?}");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no-such-profile"), "{unknown:?}");
    for (toml, said) in [
        ("version = 1\nnonsense = 1\n", "nonsense"),
        ("version = 1\n[filesystem]\nread = [\n", "profile.toml"),
        ("version = 2\n", "version"),
        ("description = \"no version\"\n", "version"),
    ] {
        let profile = ground.profile(toml);
        let finished = launch::start(launch::run(&ground, &profile, &server)).finish();
        assert_eq!(finished.code(), Some(78), "{toml}: {finished:?}");
        assert!(finished.stderr.contains(said), "{toml}: {finished:?}");
    }
}

#[test]
fn a_pen_that_cannot_be_set_up_is_125() {
    program::require("strace");
    let ground = Ground::new();
    let profile = plain_profile(&ground, "");
    let mut command = launch::at_home(Command::new("strace"), &ground);
    command
        .args(["-f", "-o", "/dev/null", "-e", "inject=landlock_create_ruleset:error=ENOSYS"])
        .arg(launch::binary())
        .args(launch::run_words(&ground, &profile, &words("server", &["exit", "0"])));
    let finished = launch::start(command).finish();
    assert_eq!(finished.code(), Some(125), "{finished:?}");
}

#[test]
fn what_cannot_be_executed_is_126() {
    let ground = Ground::new();
    let plain = ground.path("workspace/note.txt");
    let script = ground.path("reading/script");
    fs::write(&script, "#!/bin/sh\nexit 0\n").expect("script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("mode");
    let word = |path: &std::path::Path| vec![path.to_str().expect("UTF-8").to_owned()];
    refused(&word(&plain), 126, &["note.txt"]);
    refused(&word(&ground.path("workspace")), 126, &["workspace"]);
    refused(&word(&script), 126, &["script", "shell"]);
}

#[test]
fn what_is_not_there_is_127() {
    refused(&["/no/such/program".to_owned()], 127, &["/no/such/program"]);
    refused(&["no-such-program-on-the-path".to_owned()], 127, &["no-such-program-on-the-path"]);
}
