//! `audit diff`, `audit tail` and `ps` over sessions that were really run, and over ones that run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

use std::io::{BufRead, BufReader};
use std::sync::mpsc;

use nix::sys::signal::Signal;
use pen::ground::Ground;
use pen::launch::{self, Finished, PATIENCE};
use pen::{log, plain_profile, words};
use serde_json::Value;

/// Runs the server once, and gives the session's name.
fn session(ground: &Ground, rest: &[&str]) -> String {
    let before = log::sessions(&ground.path("audit"));
    let profile = plain_profile(ground, "");
    let finished = launch::start(launch::run(ground, &profile, &words("server", rest))).finish();
    let after = log::sessions(&ground.path("audit"));
    let new = after.iter().find(|file| !before.contains(file));
    let new = new.unwrap_or_else(|| panic!("no session was recorded: {finished:?}"));
    new.file_stem().unwrap().to_str().unwrap().rsplit('.').next().unwrap().to_owned()
}

/// `caponier WORDS --audit-dir …`.
fn ask(ground: &Ground, words: &[&str]) -> Finished {
    let mut command = launch::caponier(ground);
    command.args(words).arg("--audit-dir").arg(ground.path("audit"));
    launch::start(command).finish()
}

fn json(ground: &Ground, words: &[&str]) -> Value {
    let finished = ask(ground, words);
    assert_eq!((finished.code(), finished.stderr.as_str()), (Some(0), ""), "{words:?}");
    serde_json::from_slice(&finished.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {finished:?}"))
}

/// What is listed of one kind.
fn listed<'v>(report: &'v Value, side: &str, kind: &str) -> Vec<(&'v str, &'v str)> {
    let text = |value: &'v Value| value.as_str().unwrap();
    report[side][kind]
        .as_array()
        .unwrap()
        .iter()
        .map(|deed| (text(&deed["how"]), text(&deed["what"])))
        .collect()
}

#[test]
fn diff_tells_what_only_one_session_did() {
    let ground = Ground::new();
    let (made, refused) = (ground.text("workspace/made.txt"), ground.text("outside/victim.txt"));
    let quiet = session(&ground, &["exit", "0"]);
    let making = session(&ground, &["mark", &made]);
    let attacking = session(&ground, &["mark", &refused]);

    let report = json(&ground, &["audit", "diff", &quiet, &making, "--json"]);
    assert_eq!(
        (&report["v"], &report["same"], &report["complete"]),
        (&1.into(), &false.into(), &true.into())
    );
    assert_eq!(
        (&report["a"]["session"], &report["b"]["session"]),
        (&quiet.as_str().into(), &making.as_str().into())
    );
    assert!(listed(&report, "only_b", "files").iter().any(|(_, what)| *what == made), "{report}");
    assert!(
        listed(&report, "only_a", "files").is_empty() && listed(&report, "only_b", "denials").is_empty(),
        "{report}"
    );

    let report = json(&ground, &["audit", "diff", &making, &attacking, "--json"]);
    let denials = listed(&report, "only_b", "denials");
    assert!(denials.iter().any(|(how, what)| how.starts_with("fs.") && *what == refused), "{report}");
    assert!(listed(&report, "only_a", "files").iter().any(|(_, what)| *what == made), "{report}");
    // Each thing names the line of the log where it stands first.
    let event = report["only_b"]["denials"][0]["event"].as_str().unwrap();
    let explained = json(&ground, &["audit", "explain", event, "--json"]);
    assert_eq!(explained["event"]["verdict"], "deny", "{explained}");

    let text = ask(&ground, &["audit", "diff", &making, &attacking]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&format!("- create  {made}")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("+ fs.") && line.contains(&refused)), "{text}");
}

#[test]
fn diff_answers_by_its_exit_status_where_it_is_asked_to() {
    let ground = Ground::new();
    let first = session(&ground, &["exit", "0"]);
    let same = session(&ground, &["exit", "0"]);
    let other = session(&ground, &["mark", &ground.text("workspace/made.txt")]);
    for (words, status, said) in [
        (&["audit", "diff", &first, &same, "--exit-code"][..], 0, "both did the same"),
        (&["audit", "diff", &first, &other, "--exit-code"], 1, "only in A: 0, only in B: "),
        (&["audit", "diff", &first, &other], 0, "only in A: 0, only in B: "),
    ] {
        let finished = ask(&ground, words);
        let text = String::from_utf8_lossy(&finished.stdout).into_owned();
        assert_eq!(finished.code(), Some(status), "{words:?}: {text}");
        assert!(text.contains(said), "{words:?}: {text}");
    }
    let unknown = ask(&ground, &["audit", "diff", &first, "0000"]);
    assert_eq!(unknown.code(), Some(1));
    assert!(unknown.stderr.starts_with("error: there is no session 0000"), "{unknown:?}");
    assert!(unknown.stderr.contains("\nhelp: "), "{unknown:?}");
    assert!(unknown.stdout.is_empty(), "{unknown:?}");
}

#[test]
fn tail_shows_the_newest_events_of_all_sessions_in_their_order() {
    let ground = Ground::new();
    let (first, second) = (session(&ground, &["exit", "0"]), session(&ground, &["exit", "3"]));
    let report = json(&ground, &["audit", "tail", "--json", "-n", "1000"]);
    assert_eq!(report["v"], 1);
    let events = report["events"].as_array().unwrap();
    let times: Vec<&str> = events.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    for session in [&first, &second] {
        let of_session: Vec<u64> = events
            .iter()
            .filter(|event| event["session"] == session.as_str())
            .map(|event| event["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(of_session, (1..=of_session.len() as u64).collect::<Vec<_>>(), "{session}");
    }
    let two = json(&ground, &["audit", "tail", "--json", "-n", "2"]);
    assert_eq!(two["events"].as_array().unwrap()[..], events[events.len() - 2..], "the newest two");
    let ends = json(&ground, &["audit", "tail", "--json", "--event", "session.end"]);
    let ended: Vec<&Value> =
        ends["events"].as_array().unwrap().iter().map(|event| &event["session"]).collect();
    assert_eq!(ended, [&Value::from(first), &Value::from(second.clone())]);
    // For people: one line each, in the same order, and the filters hold.
    let text = ask(&ground, &["audit", "tail", "-n", "2"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.lines().next_back().unwrap().ends_with(&format!("{second}:{}", events.last().unwrap()["seq"])),
        "{text}"
    );
}

#[test]
fn tail_follows_a_session_that_begins_after_it() {
    let ground = Ground::new();
    let refused = ground.text("outside/victim.txt");
    let before = session(&ground, &["exit", "0"]);
    let mut command = launch::caponier(&ground);
    command
        .args(["audit", "tail", "--follow", "--jsonl", "-n", "1", "--audit-dir"])
        .arg(ground.path("audit"));
    let (running, stdout) = launch::start_unread(command);
    let (said, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = said.send(serde_json::from_str::<Value>(&line).unwrap());
        }
    });
    let next =
        || lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("nothing more is told: {error}"));
    // What was there comes first; only then is it sure that what follows is followed.
    let newest = next();
    assert_eq!((&newest["event"], &newest["session"]), (&"session.end".into(), &before.into()));

    let after = session(&ground, &["mark", &refused]);
    let mut told = Vec::new();
    while told.last().is_none_or(|event: &Value| event["event"] != "session.end") {
        told.push(next());
    }
    assert!(told.iter().all(|event| event["session"] == after.as_str()), "{told:#?}");
    let seqs: Vec<u64> = told.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "each line once, in order");
    assert!(
        told.iter().any(|event| event["verdict"] == "deny" && event["path"] == refused.as_str()),
        "{told:#?}"
    );
    // Only its user ends it.
    running.signal(Signal::SIGINT);
    let finished = running.finish();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&finished.status), Some(2), "{finished:?}");
}

#[test]
fn ps_lists_the_sessions_that_run_and_no_others() {
    let ground = Ground::new();
    let over = session(&ground, &["exit", "0"]);
    let none = json(&ground, &["ps", "--json"]);
    assert_eq!((&none["v"], none["sessions"].as_array().map(Vec::len)), (&1.into(), Some(0)), "{none}");

    let profile = plain_profile(&ground, "");
    let mut running = launch::start(launch::run(&ground, &profile, &words("server", &["wait"])));
    running.wait_for("ready");
    let some = json(&ground, &["ps", "--json"]);
    let [one] = &some["sessions"].as_array().unwrap()[..] else { panic!("{some}") };
    assert_ne!(one["session"], over.as_str());
    assert_eq!(one["pid"], running.child.id(), "{one}");
    assert_eq!(
        (&one["server"], &one["env"], &one["calls"]),
        (&"attack".into(), &"prod".into(), &0.into()),
        "{one}"
    );
    assert!(one["command"].as_str().unwrap().contains("server"), "{one}");
    let table = String::from_utf8(ask(&ground, &["ps"]).stdout).unwrap();
    let pid = running.child.id().to_string();
    assert!(table.lines().any(|line| line.contains("attack") && line.contains(&pid)), "{table}");

    drop(running.stdin.take());
    let session = one["session"].as_str().unwrap().to_owned();
    let finished = running.finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    let none = json(&ground, &["ps", "--json"]);
    assert_eq!(none["sessions"].as_array().map(Vec::len), Some(0), "{session} is over: {none}");
}
