//! Which call a file belongs to: alone, or one of several, also for what a process does that an earlier call left
//! behind.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

use serde_json::{Value, json};

use pen::ground::Ground;
use pen::launch::{self, Running};
use pen::{log, plain_profile, words};

/// A session with `lingering.c`; calls are numbered as they are sent.
struct Session {
    ground: Ground,
    running: Running,
    sent: u64,
}

impl Session {
    fn start() -> Session {
        let ground = Ground::new();
        let profile = plain_profile(&ground, "[limits]\nprocesses = 16\n");
        let running = launch::start(launch::run(&ground, &profile, &words("lingering", &[])));
        Session { ground, running, sent: 0 }
    }

    fn send(&mut self, tool: &str) -> u64 {
        self.sent += 1;
        let params = json!({ "name": tool, "arguments": {} });
        let message = json!({ "jsonrpc": "2.0", "id": self.sent, "method": "tools/call", "params": params });
        assert!(self.running.send(format!("{message}\n").as_bytes()), "the session is there");
        self.sent
    }

    fn answered(&self, id: u64) {
        self.running.wait_for_line(|message| message["id"] == id && message.get("result").is_some());
    }

    fn call(&mut self, tool: &str) -> u64 {
        let id = self.send(tool);
        self.answered(id);
        id
    }

    /// Ends it; what the log says of each file that was made: the calls, and how sure that is.
    fn end(mut self) -> impl Fn(&str) -> (Value, String) {
        self.running.close_stdin();
        let finished = self.running.finish();
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
        let events = log::events(&self.ground.path("audit"));
        log::assert_whole(&self.ground, &events);
        move |name: &str| {
            let suffix = format!("/workspace/{name}");
            let made = |event: &&Value| {
                event["access"] == "create"
                    && event["path"].as_str().is_some_and(|path| path.ends_with(&suffix))
            };
            let mut found = log::of(&events, "file.access").filter(made);
            let event = found.next().unwrap_or_else(|| panic!("{name} is not in the log"));
            assert!(found.next().is_none(), "{name} is there twice");
            (event["calls"].clone(), event["attribution"].as_str().expect("text").to_owned())
        }
    }
}

fn sole(call: u64) -> (Value, String) {
    (json!([call]), "sole".into())
}

fn overlap(calls: &[u64]) -> (Value, String) {
    (json!(calls), "overlap".into())
}

#[test]
fn calls_one_after_the_other_have_their_files_to_themselves() {
    let mut session = Session::start();
    for tool in ["write", "spawn", "write", "spawn", "spawn"] {
        session.call(tool);
    }
    let made = session.end();
    assert_eq!(made("write-1"), sole(1));
    assert_eq!(made("spawned-2"), sole(2), "a child's work is the call's");
    assert_eq!(made("write-3"), sole(3));
    assert_eq!(made("spawned-4"), sole(4));
    assert_eq!(made("spawned-5"), sole(5));
}

#[test]
fn calls_at_one_time_overlap() {
    let mut session = Session::start();
    let held = session.send("hold");
    // It is with the server once the second one is answered: one line comes after the other.
    let release = session.call("release");
    session.answered(held);
    let after = session.call("write");
    let made = session.end();
    assert_eq!(made("release-2"), overlap(&[held, release]));
    assert_eq!(made("write-3"), sole(after));
}

#[test]
fn work_that_a_call_left_behind_is_not_the_next_ones_alone() {
    let mut session = Session::start();
    let left = session.call("leave");
    let between = session.call("write");
    let wake = session.call("wake");
    let made = session.end();
    assert_eq!(made("write-2"), sole(between), "the server's own process was there before");
    assert_eq!(made("late-3"), overlap(&[left, wake]));
    assert_eq!(made("later-3"), overlap(&[left, wake]), "its children are no less");
    assert_eq!(made("woken-3"), sole(wake));
}
