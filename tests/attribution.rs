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
        Session::under("")
    }

    /// With more in its profile.
    fn under(more: &str) -> Session {
        let ground = Ground::new();
        let profile = plain_profile(&ground, &format!("[limits]\nprocesses = 16\n{more}"));
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

    /// Asks for the list of tools.
    fn list(&mut self) {
        self.sent += 1;
        let message = json!({ "jsonrpc": "2.0", "id": self.sent, "method": "tools/list" });
        assert!(self.running.send(format!("{message}\n").as_bytes()), "the session is there");
        self.answered(self.sent);
    }

    /// Calls a tool; the reason for which that was refused.
    fn refused(&mut self, tool: &str) -> Option<String> {
        let id = self.send(tool);
        let answer =
            self.running.wait_for_line(|message| message["id"] == id && message.get("result").is_some());
        answer["result"]["_meta"]["io.github.caponier/decision"]["reason"].as_str().map(str::to_owned)
    }

    /// Ends it; the lines of its log.
    fn log(mut self) -> Vec<Value> {
        self.running.close_stdin();
        let finished = self.running.finish();
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
        let events = log::events(&self.ground.path("audit"));
        log::assert_whole(&self.ground, &events);
        events
    }

    /// Ends it; what the log says of each file that was made: the calls, and how sure that is.
    fn end(self) -> impl Fn(&str) -> (Value, String) {
        let events = self.log();
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

/// Of each mismatch: the tool, the call, what it wrote.
fn mismatches(events: &[Value]) -> Vec<(String, u64, String)> {
    let found = log::of(events, "tool.mismatch").map(|event| {
        assert_eq!(
            (&event["declared"], &event["did"]),
            (&json!("readOnlyHint: true"), &json!("write")),
            "{event}"
        );
        let path = event["path"].as_str().expect("a path");
        let (_, name) = path.rsplit_once('/').expect("absolute");
        (
            event["tool"].as_str().expect("text").to_owned(),
            event["call"].as_u64().expect("a number"),
            name.to_owned(),
        )
    });
    found.collect()
}

#[test]
fn a_tool_that_says_it_only_reads_and_writes_is_told_of() {
    let mut session = Session::start();
    session.list();
    // 1, 2: told; 3, 4: in its own folders, that is no change to anybody's.
    session.call("write");
    session.call("spawn");
    session.call("temporary");
    session.call("temporary");
    // 5 says nothing of itself; 6 is not alone.
    let held = session.send("hold");
    session.call("release");
    session.answered(held);
    // 7 leaves a child; 8 wakes it: the child's work is of one of the two, its own is its own.
    session.call("leave");
    session.call("wake");
    let events = session.log();
    let told = |tool: &str, call, id| {
        let what = match tool {
            "spawn" => "spawned",
            "wake" => "woken",
            _ => tool,
        };
        (tool.to_owned(), call, format!("{what}-{id}"))
    };
    assert_eq!(mismatches(&events), [told("write", 1, 2), told("spawn", 2, 3), told("wake", 8, 9)]);
    // Each stands right behind the end of its call.
    for (at, event) in events.iter().enumerate().filter(|(_, event)| event["event"] == "tool.mismatch") {
        assert_eq!((&events[at - 1]["event"], &events[at - 1]["call"]), (&json!("call.end"), &event["call"]));
    }
}

#[test]
fn a_tool_that_was_caught_is_refused_where_the_profile_says_so() {
    let mut session = Session::under("[tools]\nmismatch = \"deny-next\"\n");
    session.list();
    // It might have been somebody else, once.
    assert_eq!(session.refused("write"), None);
    assert_eq!(session.refused("write"), None);
    assert_eq!(session.refused("write").as_deref(), Some("tool.mismatch"));
    // A process that the call itself started leaves no doubt.
    assert_eq!(session.refused("spawn"), None);
    assert_eq!(session.refused("spawn").as_deref(), Some("tool.mismatch"));
    assert_eq!(session.refused("temporary"), None);
    assert_eq!(session.refused("temporary"), None);
    assert_eq!(session.refused("temporary"), None);
    let workspace = session.ground.path("workspace");
    assert!(
        workspace.join("write-3").exists() && !workspace.join("write-4").exists(),
        "a refused call wrote"
    );
    let events = session.log();
    assert_eq!(mismatches(&events).len(), 3);
    let denied: Vec<&Value> = log::of(&events, "message.denied").collect();
    assert_eq!(denied.len(), 2, "{denied:?}");
    assert_eq!((&denied[0]["reason"], &denied[0]["layer"]), (&json!("tool.mismatch"), &json!("gate")));
    assert_eq!(denied[0]["remedy"], "tools.mismatch = \"log\"");
}

/// Whether this kernel tells how a process ended to others than its parent: Linux 6.15.
fn kernel_tells_statuses() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("osrelease");
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|word| word.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

#[test]
fn every_process_has_its_end() {
    let mut session = Session::start();
    for tool in ["spawn", "fail", "crash", "leave", "wake"] {
        session.call(tool);
    }
    let events = session.log();
    let server = log::of(&events, "process.start").next().expect("the server")["pid"].clone();
    let ends: Vec<&Value> = log::of(&events, "process.exit").collect();
    let maker = |name: &str| {
        let made = |event: &&Value| event["path"].as_str().is_some_and(|path| path.ends_with(name));
        log::of(&events, "file.access").find(made).unwrap_or_else(|| panic!("{name}"))["pid"].clone()
    };
    let status = |known: &Value| if kernel_tells_statuses() { known.clone() } else { Value::Null };
    let ended = json!({"exit": 0});
    let cases = [
        ("/spawned-1", &server, json!({"exit": 0})),
        ("/failed-2", &server, json!({"exit": 7})),
        ("/crashed-3", &server, json!({"signal": 6})),
        // Its stdin is a pipe of the server's, which ends first; then it ends, or is ended as what is left of the tree.
        ("/late-5", &server, json!("either")),
        ("/later-5", &maker("/late-5"), json!({"exit": 0})),
    ];
    for (name, parent, expected) in cases {
        let pid = maker(name);
        let own: Vec<&&Value> = ends.iter().filter(|end| end["pid"] == pid).collect();
        let [end] = own.as_slice() else { panic!("{name}: {own:?}") };
        let is_either = expected == "either" && [&ended, &json!({"signal": 9})].contains(&&end["status"]);
        let expected = if is_either { end["status"].clone() } else { status(&expected) };
        assert_eq!(
            (&end["ppid"], &end["status"], &end["rusage"]),
            (parent, &expected, &Value::Null),
            "{name}"
        );
        assert!(end["exe"].as_str().is_some_and(|exe| exe.contains("lingering")), "{end}");
    }
    let own: Vec<&&Value> = ends.iter().filter(|end| end["pid"] == server).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(own[0]["status"], json!({"exit": 0}));
    assert!(own[0]["rusage"]["user_us"].is_u64(), "{}", own[0]);
}
