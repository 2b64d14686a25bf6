//! Reports of logs that were made for it: what they hold, what frames it, what is counted.

use super::*;
use crate::audit::sample::{allowed, call_end, call_start, denied, lost, session, settings};

fn gathered(dir: &Path, filter: &Filter, limit: usize) -> (Report, Vec<serde_json::Value>) {
    let report = gather(dir, filter, limit).unwrap();
    let lines = report.selection.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (report, lines)
}

fn names(lines: &[serde_json::Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

fn log() -> (tempfile::TempDir, std::path::PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let events = [
        allowed("/before"),
        call_start(1, "one"),
        allowed("/a"),
        denied("/b"),
        call_end(1, "one"),
        call_start(2, "two"),
        call_end(2, "two"),
        lost(3),
    ];
    session(&settings, &events);
    (root, settings.dir)
}

#[test]
fn everything_is_held_in_the_order_of_the_log() {
    let (_root, dir) = log();
    let (report, lines) = gathered(&dir, &Filter::default(), 100);
    let seqs: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=9).collect::<Vec<_>>());
    assert_eq!(report.omitted(), Omitted::default());
    assert!(lines.iter().all(|line| line.get("prev").is_none()));
    let totals = Totals { events: 9, calls: 2, read: 2, denied: 1, ..Totals::default() };
    assert_eq!(report.totals, totals);
    assert_eq!(report.sessions[0].standing, Standing::Ended);
    assert!(report.verified.unwrap().ok);
}

#[test]
fn a_filter_keeps_the_frame_of_what_it_finds() {
    let (_root, dir) = log();
    let filter = Filter { denied: true, ..Filter::default() };
    let (report, lines) = gathered(&dir, &filter, 100);
    assert_eq!(names(&lines), ["call.start", "file.access", "call.end", "audit.lost", "session.end"]);
    assert_eq!(lines[1]["path"], "/b");
    assert_eq!(report.totals.events, 1);
}

#[test]
fn what_does_not_fit_is_counted_and_refusals_stay() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let mut events: Vec<_> = (0..50).map(|at| allowed(&format!("/{at}"))).collect();
    events.push(denied("/secret"));
    session(&settings, &events);
    let (report, lines) = gathered(&settings.dir, &Filter::default(), 10);
    assert_eq!(lines.len(), 10);
    assert!(lines.iter().any(|line| line["path"] == "/secret"));
    assert_eq!(report.omitted(), Omitted { allowed: 42, other: 0, frames: 0 });
    assert_eq!((report.totals.read, report.totals.denied), (50, 1));
}

#[test]
fn a_changed_log_is_told() {
    let (_root, dir) = log();
    let day = crate::audit::days::days(&dir).unwrap().ours.remove(0);
    let files = crate::audit::days::sessions(&dir, &day).unwrap().ours.remove(0);
    let file = dir.join(files.name(0));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"/b\"", "\"/c\"")).unwrap();
    let report = gather(&dir, &Filter::default(), 100).unwrap();
    assert!(!report.verified.unwrap().ok);
    assert_eq!(report.sessions[0].breaks[0].line, Some(4));
    std::fs::remove_file(dir.join("heads.jsonl")).unwrap();
    let report = gather(&dir, &Filter::default(), 100).unwrap();
    assert!(!report.verified.unwrap().ok);
}

#[test]
fn nothing_found_is_a_report_too() {
    let (_root, dir) = log();
    let filter = Filter { session: Some("01ZZ".into()), ..Filter::default() };
    let (report, lines) = gathered(&dir, &filter, 100);
    assert!(lines.is_empty() && report.sessions.is_empty());
}
