//! Storms: whatever a server does as fast as it can, the supervisor answers, its memory is bounded, and the count in the log
//! is complete. Forks, signals, odd paths, few descriptors and filters of the server's own are `tests/escape/kernel.rs`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

use std::fs;

use serde_json::{Value, json};

use pen::ground::Ground;
use pen::launch::{self, Running};
use pen::{apart, log, plain_profile, processes, words};

/// Above what a run of this size takes, far below what one line for each access would.
const MOST_KIB: u64 = 64 * 1024;
/// Lines that so many accesses may leave: a handful for each 100 ms that they last.
const A_HANDFUL: usize = 1000;

struct Session {
    ground: Ground,
    running: Running,
    sent: u64,
}

impl Session {
    fn start() -> Session {
        let ground = Ground::new();
        fs::write(ground.path("reading").join("file.txt"), "x").expect("file");
        fs::write(ground.path("outside").join("secret.txt"), "x").expect("file");
        let profile = plain_profile(&ground, "[limits]\nprocesses = 8\n");
        let all = words("storm", &[&ground.text("reading"), &ground.text("outside")]);
        let running = launch::start(launch::run(&ground, &profile, &all));
        Session { ground, running, sent: 0 }
    }

    /// The number that a call answers with.
    fn call(&mut self, tool: &str) -> u64 {
        self.sent += 1;
        let id = self.sent;
        let params = json!({ "name": tool, "arguments": {} });
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        assert!(self.running.send(format!("{message}\n").as_bytes()), "the session is there");
        let answer =
            self.running.wait_for_line(|message| message["id"] == id && message.get("result").is_some());
        answer["result"]["number"].as_u64().expect("a number")
    }

    /// The most memory that caponier took so far.
    fn peak(&self) -> u64 {
        processes::status_kib(self.running.pid(), "VmHWM").expect("the supervisor still runs")
    }

    fn end(mut self) -> Vec<Value> {
        self.running.close_stdin();
        let finished = self.running.finish();
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
        let events = log::events(&self.ground.path("audit"));
        log::assert_whole(&self.ground, &events);
        events
    }
}

/// Lines of accesses to files of this name, and how many accesses they tell of.
fn counted(events: &[Value], name: &str, is: impl Fn(&Value) -> bool) -> (usize, u64) {
    let of_it = |event: &&Value| event["path"].as_str().is_some_and(|path| path.contains(name)) && is(event);
    let lines: Vec<&Value> = log::of(events, "file.access").filter(of_it).collect();
    (lines.len(), lines.iter().map(|event| event["count"].as_u64().expect("a count")).sum())
}

#[test]
fn a_hundred_thousand_opens_in_one_call_are_a_handful_of_lines_and_none_is_lost() {
    let mut session = Session::start();
    assert_eq!(session.call("repeat"), 100_000);
    assert_eq!(session.call("refused"), 100_000);
    assert!(session.peak() < MOST_KIB, "{} KiB", session.peak());
    let events = session.end();
    let of_call =
        |call: u64| move |event: &Value| event["calls"] == json!([call]) && event["attribution"] == "sole";
    let (lines, count) = counted(&events, "/file.txt", of_call(1));
    assert_eq!(count, 100_000);
    assert!(lines < A_HANDFUL, "{lines} lines");
    let (lines, count) = counted(&events, "/secret.txt", |event| {
        of_call(2)(event) && (&event["verdict"], &event["result"]) == (&json!("deny"), &json!("EACCES"))
    });
    assert_eq!(count, 100_000);
    assert!(lines < A_HANDFUL, "{lines} lines");
    let summary = |call: u64| {
        let end = log::of(&events, "call.end").find(|end| end["call"] == call).expect("an end");
        (end["summary"]["files_read"].clone(), end["summary"]["denied"].clone())
    };
    assert_eq!(summary(1), (json!(1), json!(0)));
    assert_eq!(summary(2), (json!(0), json!(100_000)));
    let end = log::of(&events, "session.end").next().expect("an end");
    assert_eq!((&end["denied"], &end["lost"]), (&json!(100_000), &json!(0)));
}

#[test]
fn what_cannot_be_folded_is_written_or_counted() {
    let mut session = Session::start();
    assert_eq!(session.call("distinct"), 20_000);
    assert!(session.peak() < MOST_KIB, "{} KiB", session.peak());
    let events = session.end();
    let end = log::of(&events, "session.end").next().expect("an end");
    let lost = end["lost"].as_u64().expect("a number");
    for access in ["create", "delete"] {
        let (_, count) = counted(&events, "/one-of-many-", |event| event["access"] == access);
        assert!(count <= 20_000 && count + lost >= 20_000, "{access}: {count} and {lost} lost");
    }
    let told: u64 =
        log::of(&events, "audit.lost").map(|event| event["count"].as_u64().expect("a count")).sum();
    assert!(lost == 0 || told > 0, "{lost} lost, and no line says so");
    let call = log::of(&events, "call.end").next().expect("an end");
    assert_eq!(call["summary"]["files_written"], 20_000);
}

#[test]
fn others_are_answered_while_one_opens_without_end() {
    let mut session = Session::start();
    let child = session.call("forever");
    for _ in 0..50 {
        session.call("ping");
    }
    assert_eq!(session.call("repeat"), 100_000);
    assert!(session.peak() < MOST_KIB, "{} KiB", session.peak());
    // The end takes the child along.
    let events = session.end();
    assert!(
        processes::status_kib(u32::try_from(child).expect("a process id"), "VmHWM").is_none(),
        "{child} is there"
    );
    let (lines, count) = counted(&events, "/x", |event| event["path"] == "/x" && event["pid"] == child);
    assert!(count > 1000 && (lines as u64) < count / 10, "{lines} lines for {count} opens");
    let end = log::of(&events, "process.exit").find(|exit| exit["pid"] == child).expect("its end");
    assert!(end["status"].is_null() || end["status"] == json!({"signal": 9}), "{end}");
}

#[test]
fn a_number_that_is_used_again_is_another_process() {
    let own = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    if !apart::is_inside("a_number_that_is_used_again_is_another_process", &own) {
        return;
    }
    let mut session = Session::start();
    let first = session.call("child");
    // The kernel tells the start of a process in ticks of 10 ms: within one, the two could be of either call.
    let tick = std::time::Duration::from_millis(10);
    std::thread::sleep(3 * tick);
    // Whoever else forks meanwhile may take the number: then once more.
    let mut again = 0;
    for _ in 0..100 {
        fs::write("/proc/sys/kernel/ns_last_pid", (first - 1).to_string()).expect("the next number");
        again = session.call("child");
        if again == first {
            break;
        }
        std::thread::sleep(3 * tick);
    }
    assert_eq!(again, first, "the number was never given again");
    let last = session.sent;
    let events = session.end();
    for call in [1, last] {
        let name = format!("/child-{call}");
        let made = log::of(&events, "file.access")
            .find(|event| event["path"].as_str().is_some_and(|path| path.ends_with(&name)));
        let made = made.unwrap_or_else(|| panic!("{name}"));
        assert_eq!((&made["pid"], &made["calls"]), (&json!(first), &json!([call])), "{made}");
        assert_eq!(made["attribution"], "sole", "{made}");
    }
    let ends: Vec<&Value> = log::of(&events, "process.exit").filter(|exit| exit["pid"] == first).collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    let known = |end: &Value, code: u64| end["status"].is_null() || end["status"] == json!({ "exit": code });
    assert!(known(ends[0], 1) && known(ends[1], last), "{ends:?}");
}
