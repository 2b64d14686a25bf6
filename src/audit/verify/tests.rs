//! Every change to a log is found, at its place; a log that nobody changed is never accused.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::audit::sample::{allowed, call_end, call_start, denied, ending, lost, noise, session, settings};
use crate::audit::writer::{Settings, Writer};
use crate::event::{Event, Sink};

/// A log of three sessions in a folder of its own.
struct Log {
    root: TempDir,
    sessions: Vec<String>,
}

impl Log {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let events: Vec<Event> = (0..9).map(|at| denied(&format!("/secret/{at}"))).collect();
        let sessions = (0..3).map(|_| session(&settings(root.path()), &events)).collect();
        Log { root, sessions }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("audit")
    }

    fn day(&self) -> PathBuf {
        let listing = days::days(&self.dir()).unwrap();
        self.dir().join(listing.ours.last().unwrap())
    }

    fn file(&self, session: usize) -> PathBuf {
        self.day().join(format!("{}.jsonl", self.sessions[session]))
    }

    fn edit(&self, file: PathBuf, edit: impl FnOnce(&mut Vec<String>)) {
        let mut lines: Vec<String> = fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
        edit(&mut lines);
        fs::write(file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }

    fn verify(&self) -> (Summary, Vec<SessionReport>) {
        verify_all(&self.dir(), None)
    }

    /// The breaks of one session as `line kind`.
    fn breaks(&self, session: usize) -> Vec<String> {
        let (summary, reports) = self.verify();
        assert!(!summary.ok);
        let report = reports.iter().find(|report| report.session == self.sessions[session]).unwrap();
        told(&report.breaks)
    }
}

fn told(breaks: &[Break]) -> Vec<String> {
    let kind = |told: &Break| serde_json::to_value(told.kind).unwrap().as_str().unwrap().to_owned();
    breaks.iter().map(|told| format!("{} {}", told.line.unwrap_or(0), kind(told))).collect()
}

fn verify_all(dir: &Path, expect: Option<Digest>) -> (Summary, Vec<SessionReport>) {
    let mut reports = Vec::new();
    let scope = Scope { dir, session: None, expect };
    let summary = verify(&scope, |report| {
        reports.push(report.clone());
        Ok(())
    })
    .unwrap();
    (summary, reports)
}

#[test]
fn an_untouched_log_is_in_order() {
    let log = Log::new();
    let (summary, reports) = log.verify();
    assert!(summary.ok, "{summary:?} {reports:?}");
    assert_eq!((summary.sessions, summary.lines, summary.not_covered, summary.heads), (3, 30, 0, 6));
    assert_eq!(reports[0].server.as_deref(), Some("sample"));
    assert_eq!(reports[0].notes, [""; 0]);
}

#[test]
fn changes_of_lines_are_found_at_their_place() {
    type Edit = fn(&mut Vec<String>);
    let cases: [(&str, Edit, &[&str]); 9] = [
        ("edited", |lines| lines[4] = lines[4].replace("secret", "public"), &["5 edited"]),
        (
            "edited, last",
            |lines| lines[9] = lines[9].replace("\"denied\":9", "\"denied\":0"),
            &["10 head-mismatch"],
        ),
        ("deleted", |lines| drop(lines.remove(4)), &["5 lines-missing"]),
        ("deleted, first", |lines| drop(lines.remove(0)), &["1 lines-missing"]),
        ("swapped", |lines| lines.swap(4, 5), &["5 lines-missing", "6 line-misplaced"]),
        ("repeated", |lines| lines.insert(5, lines[4].clone()), &["6 line-misplaced"]),
        ("cut off", |lines| lines.truncate(7), &["7 truncated"]),
        ("put in", |lines| lines.insert(3, "{}".into()), &["4 malformed"]),
        ("added", |lines| lines.push(lines[9].replace("\"seq\":10,", "\"seq\":11,")), &["11 after-end"]),
    ];
    for (name, edit, expected) in cases {
        let log = Log::new();
        log.edit(log.file(1), edit);
        assert_eq!(log.breaks(1), expected, "{name}");
        assert_eq!(log.verify().0.broken, 1, "{name}");
    }
}

#[test]
fn two_changes_are_both_found() {
    let log = Log::new();
    log.edit(log.file(0), |lines| {
        lines[2] = lines[2].replace("secret", "public");
        lines.remove(6);
    });
    assert_eq!(log.breaks(0), ["3 edited", "7 lines-missing"]);
}

#[test]
fn files_that_are_swapped_missing_moved_or_unknown_are_found() {
    let log = Log::new();
    let aside = log.root.path().join("aside");
    fs::rename(log.file(0), &aside).unwrap();
    assert_eq!(log.breaks(0), ["0 file-missing"]);
    fs::rename(log.file(1), log.file(0)).unwrap();
    fs::rename(&aside, log.file(1)).unwrap();
    assert!(log.breaks(0).contains(&"1 foreign-line".to_owned()));
    assert!(log.breaks(1).contains(&"1 foreign-line".to_owned()));

    let log = Log::new();
    let other = log.dir().join("2020-01-01");
    fs::create_dir(&other).unwrap();
    let file = log.file(2);
    fs::rename(&file, other.join(file.file_name().unwrap())).unwrap();
    assert_eq!(log.breaks(2), ["0 file-misplaced"]);

    // A whole day of another log, with its chains in order.
    let (log, other) = (Log::new(), Log::new());
    let day = log.day();
    fs::rename(&day, log.root.path().join("aside")).unwrap();
    fs::rename(other.day(), &day).unwrap();
    let (summary, reports) = log.verify();
    assert_eq!((summary.ok, summary.broken), (false, 6));
    let kinds: Vec<String> = reports.iter().flat_map(|report| told(&report.breaks)).collect();
    assert_eq!(kinds, [["0 not-in-heads"; 3], ["0 file-missing"; 3]].concat());
}

#[test]
fn changes_of_heads_are_found() {
    let heads = |log: &Log| log.dir().join("heads.jsonl");
    // Removed in the middle, changed, removed at the end, removed altogether.
    let log = Log::new();
    log.edit(heads(&log), |lines| drop(lines.remove(2)));
    assert_eq!(told(&log.verify().0.breaks), ["2 edited"]);
    let log = Log::new();
    log.edit(heads(&log), |lines| lines[3] = lines[3].replace("\"lines\":10", "\"lines\":9"));
    assert_eq!(told(&log.verify().0.breaks), ["4 edited"]);
    assert_eq!(log.breaks(1), ["9 head-mismatch"]);
    let log = Log::new();
    log.edit(heads(&log), |lines| drop(lines.pop()));
    assert_eq!(log.breaks(2), ["0 end-not-in-heads"]);
    let log = Log::new();
    fs::remove_file(heads(&log)).unwrap();
    let (summary, reports) = log.verify();
    assert_eq!(told(&summary.breaks), ["0 file-missing"]);
    assert!(reports.iter().all(|report| told(&report.breaks) == ["0 not-in-heads"]));
}

#[test]
fn a_log_written_anew_is_found_by_a_digest_kept_elsewhere_only() {
    let log = Log::new();
    let kept = log.verify().0.head;
    session(&settings(log.root.path()), &[denied("/more")]);
    assert!(verify_all(&log.dir(), Some(kept)).0.ok);
    let anew = Log::new();
    assert!(anew.verify().0.ok);
    let (summary, _) = verify_all(&anew.dir(), Some(kept));
    assert_eq!(told(&summary.breaks), ["0 not-expected"]);
}

#[test]
fn a_digest_of_one_session_is_found_in_it() {
    let log = Log::new();
    let text = fs::read_to_string(log.file(0)).unwrap();
    let (dir, line) = (log.dir(), text.lines().nth(3).unwrap());
    let ask = |session: usize| {
        let scope = Scope {
            dir: &dir,
            session: Some(&log.sessions[session]),
            expect: Some(Digest::of(line.as_bytes())),
        };
        verify(&scope, |_| Ok(())).unwrap().ok
    };
    assert!(ask(0));
    assert!(!ask(1));
    let scope = Scope { dir: &dir, session: Some("01JDXZ0000000000000000000A"), expect: None };
    assert!(matches!(verify(&scope, |_| Ok(())), Err(Error::NoSuchSession { .. })));
}

#[test]
fn a_killed_session_is_told_and_not_accused() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let writer = Writer::open(&settings).unwrap();
    writer.append(&denied("/x")).unwrap();
    let path = writer.path().to_owned();
    drop(writer);
    // Killed within a write.
    let mut text = fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"v\":1,\"seq\":2,\"ti");
    fs::write(&path, text).unwrap();
    let (summary, reports) = verify_all(&settings.dir, None);
    assert_eq!((summary.ok, summary.killed, summary.not_covered), (true, 1, 1));
    let notes = reports[0].notes.join("\n");
    for expected in
        ["up to 100 ms of allowed accesses may be missing", "torn", "1 lines after its last checkpoint"]
    {
        assert!(notes.contains(expected), "{notes}");
    }
    // The next session of another process goes on in heads.jsonl.
    session(&Settings { session: crate::audit::session_id().unwrap(), ..settings.clone() }, &[]);
    assert!(verify_all(&settings.dir, None).0.ok);
}

#[test]
fn two_lines_glued_together_are_blamed_on_the_first() {
    let log = Log::new();
    let file = log.file(0);
    let mut bytes = fs::read(&file).unwrap();
    let newline = memchr::memchr_iter(b'\n', &bytes).nth(3).unwrap();
    bytes[newline] = b' ';
    fs::write(&file, bytes).unwrap();
    assert_eq!(log.breaks(0), ["4 edited", "5 lines-missing"]);
}

#[test]
fn strays_are_told() {
    let log = Log::new();
    fs::write(log.day().join("notes.txt"), "").unwrap();
    let (summary, _) = log.verify();
    assert!(summary.ok && summary.notes[0].contains("notes.txt"));
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        ".{0,30}".prop_map(|path| allowed(&path)),
        ".{0,30}".prop_map(|path| denied(&path)),
        (1u64..9, ".{0,9}").prop_map(|(call, tool)| call_start(call, &tool)),
        (1u64..9, ".{0,9}").prop_map(|(call, tool)| call_end(call, &tool)),
        ".{0,30}".prop_map(|excerpt| noise(&excerpt)),
        (1u64..9).prop_map(lost),
    ];
    prop::collection::vec(event, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_events_verify(events in events(), rotate_at in 500u64..5000, finish: bool) {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings { rotate_at, ..settings(root.path()) };
        let writer = Writer::open(&settings).unwrap();
        for event in &events {
            writer.append(event).unwrap();
        }
        writer.flush().unwrap();
        if finish {
            writer.finish(&ending()).unwrap();
        }
        drop(writer);
        let (summary, reports) = verify_all(&settings.dir, None);
        prop_assert!(summary.ok, "{:?}", reports);
        prop_assert_eq!(summary.lines, events.len() as u64 + u64::from(finish));
        prop_assert_eq!(summary.killed, u64::from(!finish));
    }

    #[test]
    fn any_changed_byte_is_found_at_its_line(events in events(), rotate_at in 500u64..5000, at: prop::sample::Index, to: u8) {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings { rotate_at, ..settings(root.path()) };
        session(&settings, &events);
        let day = days::days(&settings.dir).unwrap().ours.remove(0);
        let files = days::sessions(&settings.dir, &day).unwrap().ours.remove(0);
        let name = files.name(files.parts[at.index(files.parts.len())]);
        let path = settings.dir.join(&name);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes[at] = to;
        fs::write(&path, bytes).unwrap();
        let (summary, reports) = verify_all(&settings.dir, None);
        prop_assert!(!summary.ok);
        let first = &reports[0].breaks[0];
        prop_assert_eq!((&first.file, first.line), (&name, Some(line)), "{:?}", reports[0].breaks);
    }
}
