//! Nothing but the named answer together with the named event counts as stopped.

use super::*;
use crate::cli::demo::attacks;

fn line(seq: u64, fields: &str) -> String {
    format!(
        r#"{{"v":1,"seq":{seq},"time":"2026-11-23T16:20:00.123456Z","session":"S","server":"demo",{fields},"prev":""}}"#
    )
}

fn log(lines: &[String]) -> Log {
    Log::of(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn attack(tool: &str) -> &'static Attack {
    attacks::all().find(|attack| attack.tool == tool).unwrap()
}

fn worked() -> Observed {
    Observed::Did("it ran".into())
}

const START: &str = r#""event":"call.start","call":4,"tool":"run_shell","id":5"#;
const END: &str = r#""event":"call.end","call":4,"tool":"run_shell","outcome":"tool_error""#;
const DENIED: &str = r#""event":"file.access","path":"/bin/dash","access":"execute","verdict":"deny","reason":"exec.shell","layer":"landlock","calls":[4]"#;

fn shell(bare: &Observed, pen: &Observed, lines: &[String]) -> Verdict {
    judge(attack("run_shell"), bare, pen, &log(lines), 4)
}

fn whole() -> Vec<String> {
    vec![line(10, START), line(11, DENIED), line(12, END)]
}

#[test]
fn the_named_answer_and_the_named_event_are_a_stop() {
    let stop = Stop { layer: "landlock".into(), reason: "exec.shell".into(), seq: Some(11) };
    let eacces = Observed::Errno("EACCES".into());
    assert_eq!(shell(&worked(), &eacces, &whole()), Verdict::Stopped(stop));
}

#[test]
fn an_answer_that_says_it_worked_is_none() {
    let verdict = shell(&worked(), &worked(), &whole());
    assert_eq!(verdict, Verdict::GotThrough { detail: "it worked: it ran".into() });
    let other = shell(&worked(), &Observed::Errno("ENOENT".into()), &whole());
    assert_eq!(other, Verdict::GotThrough { detail: "ENOENT".into() });
}

#[test]
fn an_event_that_is_missing_or_another_one_is_none() {
    let eacces = Observed::Errno("EACCES".into());
    let not_recorded = |lines: &[String]| matches!(shell(&worked(), &eacces, lines), Verdict::NotRecorded { detail } if detail.contains("exec.shell"));
    assert!(not_recorded(&[line(10, START), line(12, END)]));
    for (from, to) in [
        ("exec.shell", "exec.not-granted"),
        ("execute", "read"),
        ("\"deny\"", "\"allow\""),
        ("file.access", "syscall.denied"),
    ] {
        assert!(not_recorded(&[line(10, START), line(11, &DENIED.replace(from, to)), line(12, END)]), "{to}");
    }
    let before_the_call = [line(9, DENIED), line(10, START), line(12, END)];
    assert!(not_recorded(&before_the_call));
    let of_another_call =
        whole().iter().map(|line| line.replace("\"call\":4", "\"call\":5")).collect::<Vec<_>>();
    assert!(not_recorded(&of_another_call));
}

#[test]
fn what_does_not_work_without_the_pen_proves_nothing() {
    let eacces = Observed::Errno("EACCES".into());
    assert_eq!(shell(&eacces, &eacces, &whole()), Verdict::Unproven { detail: "EACCES".into() });
    let no_shell = Observed::Errno("ENOENT".into());
    assert!(shell(&no_shell, &eacces, &whole()).is_stopped(), "a machine without a shell");
}

#[test]
fn a_signal_needs_the_scope_or_a_line() {
    let eperm = Observed::Errno("EPERM".into());
    let start = |scopes: &str| {
        line(1, &format!(r#""event":"session.start","command":"x","enforced":{{"scopes":[{scopes}]}}"#))
    };
    let rest = [
        line(2, r#""event":"call.start","call":1,"tool":"signal_client""#),
        line(4, r#""event":"call.end","call":1,"tool":"signal_client","outcome":"tool_error""#),
    ];
    let judged = |lines: &[String]| judge(attack("signal_client"), &worked(), &eperm, &log(lines), 1);
    let [begin, end] = &rest;
    assert!(judged(&[start("\"signal\""), begin.clone(), end.clone()]).is_stopped());
    let unscoped = judged(&[start(""), begin.clone(), end.clone()]);
    assert!(matches!(unscoped, Verdict::NotRecorded { .. }));
    let denied = line(
        3,
        r#""event":"syscall.denied","syscall":"kill","reason":"process.signal-outside","layer":"broker""#,
    );
    assert!(judged(&[start(""), begin.clone(), denied, end.clone()]).is_stopped());
}

#[test]
fn a_daemon_is_over_when_the_session_is() {
    let lines = [
        line(2, r#""event":"call.start","call":1,"tool":"start_daemon""#),
        line(3, r#""event":"process.start","pid":7,"exe":"/x""#),
        line(4, r#""event":"call.end","call":1,"tool":"start_daemon","outcome":"ok""#),
        line(5, r#""event":"session.end","cause":"client_closed","calls":1"#),
    ];
    let judged =
        |lines: &[String]| judge(attack("start_daemon"), &worked(), &Observed::Ended, &log(lines), 1);
    assert!(judged(&lines).is_stopped());
    assert!(matches!(judged(&lines[..3]), Verdict::NotRecorded { .. }));
    assert!(matches!(
        judged(&[lines[0].clone(), lines[2].clone(), lines[3].clone()]),
        Verdict::NotRecorded { .. }
    ));
}

#[test]
fn a_removed_token_is_named() {
    let judged = |removed: &str| {
        let start = line(1, &format!(r#""event":"session.start","command":"x","env_removed":[{removed}]"#));
        judge(attack("find_token"), &worked(), &Observed::Absent, &log(&[start]), 1)
    };
    assert!(judged("\"A\",\"DEMO_API_TOKEN\"").is_stopped());
    assert!(matches!(judged("\"A\""), Verdict::NotRecorded { .. }));
}
