//! Endings: whatever ends the session, nothing of the tree is left within two seconds, and the log tells the end or
//! says that its tail is missing.
//!
//! The server is `hopper.c`: daemons of their own session that ignore every signal and hop from process to process.
//! The tester looks from outside, by a marker in their words.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use pen::ground::Ground;
use pen::launch::{self, Running};
use pen::{log, plain_profile, processes, program, words};

/// What the product promises.
const PROMISE: Duration = Duration::from_secs(2);

/// A session with a tree that does not want to end.
struct Session {
    ground: Ground,
    marker: String,
    running: Running,
}

impl Session {
    fn start(server: &str, rest: &[&str]) -> Session {
        let ground = Ground::new();
        let profile = plain_profile(&ground, "[limits]\nprocesses = 128\n");
        let marker = marker(&ground);
        let mut all = words(server, rest);
        all.push(marker.clone());
        let running = launch::start(launch::run(&ground, &profile, &all));
        running.wait_for("ready");
        let session = Session { ground, marker, running };
        assert!(!processes::marked(&session.marker).is_empty(), "the tree is there before it is ended");
        session
    }

    /// Ends it in this way and looks that nothing is left; the events, and what `audit verify` says.
    fn end(mut self, by: impl FnOnce(&mut Running)) -> (Option<i32>, Vec<Value>, Ground) {
        by(&mut self.running);
        assert_gone(&self.marker, Some(self.running.pid()), Instant::now() + PROMISE);
        let finished = self.running.finish_within(PROMISE);
        let events = log::events(&self.ground.path("audit"));
        (finished.code(), events, self.ground)
    }
}

/// The ground's folder is a name that nothing else has.
fn marker(ground: &Ground) -> String {
    let name = ground.path("");
    format!("marker-{}", name.file_name().expect("name").to_str().expect("UTF-8"))
}

/// `supervisor` is caponier itself, which is not of the tree; its own end is awaited apart.
fn assert_gone(marker: &str, supervisor: Option<u32>, deadline: Instant) {
    let left = processes::gone_by(marker, supervisor, deadline);
    for (pid, _) in &left {
        // Nothing of a failed test stays behind; these are ours, by their marker.
        let _ = kill(Pid::from_raw(i32::try_from(*pid).expect("a process id")), Signal::SIGKILL);
    }
    assert!(left.is_empty(), "still there after {PROMISE:?}: {left:?}");
}

fn assert_ended(ground: &Ground, events: &[Value], cause: &str) {
    log::assert_whole(ground, events);
    assert_eq!(events.last().expect("end")["cause"], cause);
}

/// After a SIGKILL of the writer: what is there is a valid chain, and the missing end is reported.
fn assert_reported(ground: &Ground, events: &[Value]) {
    assert!(!log::of(events, "session.start").collect::<Vec<_>>().is_empty(), "the start was written");
    let (code, said) = log::verify(ground);
    if log::of(events, "session.end").count() == 0 {
        let told = ["unclean", "torn", "no session.end", "not ended", "missing"];
        assert!(told.iter().any(|word| said.contains(word)), "verify is silent on the missing end: {said}");
    }
    assert_eq!(code, Some(0), "a killed writer is no forgery: {said}");
}

#[test]
fn the_client_closes_its_end() {
    let (code, events, ground) = Session::start("hopper", &["4"]).end(Running::close_stdin);
    assert!(matches!(code, Some(137 | 143)), "{code:?}");
    assert_ended(&ground, &events, "client_closed");
}

#[test]
fn sigterm() {
    let (code, events, ground) = Session::start("hopper", &["4"]).end(|it| it.signal(Signal::SIGTERM));
    assert!(matches!(code, Some(137 | 143)), "{code:?}");
    assert_ended(&ground, &events, "killed");
}

#[test]
fn sigkill_of_caponier() {
    let (code, events, ground) = Session::start("hopper", &["4"]).end(|it| it.signal(Signal::SIGKILL));
    assert_eq!(code, None, "killed itself");
    assert_reported(&ground, &events);
}

#[test]
fn sigkill_of_the_client() {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "[limits]\nprocesses = 128\n");
    let marker = marker(&ground);
    let mut server = words("hopper", &["4"]);
    server.push(marker.clone());
    let mut command = launch::at_home(Command::new(program::program("client")), &ground);
    command.arg(launch::binary()).args(launch::run_words(&ground, &profile, &server));
    let client = launch::start(command);
    client.wait_for("ready");
    assert!(!processes::marked(&marker).is_empty(), "the tree is there before it is ended");
    client.signal(Signal::SIGKILL);
    assert_gone(&marker, None, Instant::now() + PROMISE);
    drop(client.finish());
    assert_ended(&ground, &log::events(&ground.path("audit")), "client_closed");
}

/// The server is the first to go; what it leaves holds its stdout.
#[test]
fn the_server_leaves_an_orphan_that_holds_its_pipes() {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "");
    let marker = marker(&ground);
    let running = launch::start(launch::run(&ground, &profile, &words("server", &["orphan", &marker])));
    let finished = running.finish_within(PROMISE + PROMISE);
    assert_gone(&marker, None, Instant::now() + PROMISE);
    assert_eq!(finished.code(), Some(5), "the server's own code: {finished:?}");
    assert_ended(&ground, &log::events(&ground.path("audit")), "server_exit");
}

/// A server that ignores the end of its stdin and SIGTERM gets SIGKILL in time.
#[test]
fn a_stubborn_server() {
    let (code, events, ground) = Session::start("server", &["stubborn"]).end(Running::close_stdin);
    assert_eq!(code, Some(137));
    assert_ended(&ground, &events, "client_closed");
}

/// `init` is the server's parent; out of its reach, or nobody would be left to end the tree.
#[test]
fn the_server_cannot_kill_its_reaper() {
    let session = Session::start("server", &["kill-parent"]);
    session.running.wait_for("killed EPERM");
    let (_, events, ground) = session.end(Running::close_stdin);
    assert_ended(&ground, &events, "client_closed");
}

/// The hidden process between caponier and the server is killed from outside: nothing goes on unwatched.
#[test]
fn sigkill_of_the_reaper() {
    let session = Session::start("hopper", &["2"]);
    let below = processes::children(session.running.pid());
    assert_eq!(below.len(), 1, "one child: {below:?}");
    let (code, events, ground) = session.end(|_| {
        kill(Pid::from_raw(i32::try_from(below[0]).expect("a process id")), Signal::SIGKILL).expect("kill");
    });
    assert!(matches!(code, Some(125 | 137)), "{code:?}");
    log::assert_whole(&ground, &events);
}

/// Another process of the same user and the tester itself live on: the end reaches the tree and nothing else.
#[test]
fn nobody_else_is_ended() {
    let mut bystander = Bystander::start("threads", &["1"]);
    let (_, events, ground) = Session::start("hopper", &["2"]).end(|it| it.signal(Signal::SIGTERM));
    assert_ended(&ground, &events, "killed");
    assert!(bystander.child.try_wait().expect("wait").is_none(), "the bystander is gone");
}

/// Limits are of the tree, not of the user: 300 threads elsewhere neither use them up nor loosen them.
#[test]
fn limits_count_the_tree_alone() {
    let _busy = Bystander::start("threads", &["300"]);
    for (wanted, code) in [("20", 0), ("200", 91)] {
        let ground = Ground::new();
        let profile = plain_profile(&ground, "[limits]\nprocesses = 64\n");
        let finished =
            launch::start(launch::run(&ground, &profile, &words("server", &["forks", wanted]))).finish();
        assert_eq!(finished.code(), Some(code), "{wanted} forks: {finished:?}");
        let events = log::events(&ground.path("audit"));
        log::assert_whole(&ground, &events);
        let limited = events.iter().filter(|event| event["reason"] == "process.limit").count();
        assert_eq!(limited, usize::from(code != 0), "{wanted} forks");
        let limits = &events[0]["enforced"]["limits"];
        assert!(
            limits.as_array().is_some_and(|names| names.iter().any(|name| name == "processes")),
            "{limits}"
        );
    }
}

/// A process of the user's that has nothing to do with the session; it ends when dropped.
struct Bystander {
    child: Child,
}

impl Bystander {
    fn start(name: &str, rest: &[&str]) -> Bystander {
        let mut child = Command::new(program::program(name))
            .args(rest)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bystander");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped").by_ref()).read_line(&mut line).expect("ready");
        assert_eq!(line, "ready\n");
        Bystander { child }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
