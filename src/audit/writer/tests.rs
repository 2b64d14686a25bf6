//! The writer against a real folder; where the disk must be full, against a file size limit.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;

use super::*;
use crate::audit::condition::Standing;
use crate::audit::sample::{allowed, call_end, call_start, denied, ending, lost, noise, settings};
use crate::audit::verify::report::Summary;
use crate::audit::verify::{Scope, verify};

fn lines(writer: &Writer) -> Vec<Value> {
    let text = fs::read_to_string(writer.path()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "torn: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(writer: &Writer) -> Vec<String> {
    lines(writer).iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
}

fn verified(dir: &Path) -> Summary {
    let scope = Scope { dir, session: None, expect: None };
    verify(&scope, |report| {
        assert_eq!(report.breaks, []);
        Ok(())
    })
    .unwrap()
}

#[test]
fn urgent_events_are_with_the_kernel_at_once_and_batched_ones_before_them() {
    let root = tempfile::tempdir().unwrap();
    let writer = Writer::open(&settings(root.path())).unwrap();
    assert_eq!(writer.append(&call_start(1, "t")).unwrap(), 1);
    assert_eq!(writer.append(&allowed("/a")).unwrap(), 2);
    assert_eq!(names(&writer), ["call.start"]);
    assert_eq!(writer.append(&call_end(1, "t")).unwrap(), 3);
    assert_eq!(names(&writer), ["call.start", "file.access", "call.end"]);
    writer.append(&noise("x")).unwrap();
    writer.flush().unwrap();
    assert_eq!(names(&writer).len(), 4);
}

#[test]
fn a_large_batch_does_not_wait_for_a_flush() {
    let root = tempfile::tempdir().unwrap();
    let writer = Writer::open(&settings(root.path())).unwrap();
    let path = "x".repeat(1000);
    for _ in 0..100 {
        writer.append(&allowed(&path)).unwrap();
    }
    assert!(fs::metadata(writer.path()).unwrap().len() >= 64 << 10);
}

#[test]
fn the_end_counts_what_was_there() {
    let root = tempfile::tempdir().unwrap();
    let writer = Writer::open(&settings(root.path())).unwrap();
    for event in
        [call_start(1, "t"), denied("/s"), allowed("/a"), lost(4), call_end(1, "t"), call_start(2, "t")]
    {
        writer.append(&event).unwrap();
    }
    assert_eq!(writer.counters().unwrap(), Counters { events: 6, calls: 2, denied: 1, lost: 4 });
    assert_eq!(writer.finish(&ending()).unwrap(), 7);
    let end = lines(&writer).pop().unwrap();
    assert_eq!(end["event"], "session.end");
    for (field, count) in [("events", 6), ("calls", 2), ("denied", 1), ("lost", 4)] {
        assert_eq!(end[field], count, "{field}");
    }
    assert_eq!((&end["cause"], &end["status"]["exit"]), (&Value::from("server_exit"), &Value::from(0)));
    assert!(writer.append(&denied("/late")).is_err());
    assert_eq!(writer.finish(&ending()).unwrap(), 7);
    drop(writer);
    assert!(verified(&root.path().join("audit")).ok);
}

#[test]
fn files_are_rotated_and_the_chain_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { rotate_at: 2000, ..settings(root.path()) };
    let writer = Writer::open(&settings).unwrap();
    for at in 0..40 {
        writer.append(&denied(&format!("/{at}"))).unwrap();
    }
    writer.finish(&ending()).unwrap();
    drop(writer);
    let summary = verified(&settings.dir);
    assert_eq!((summary.ok, summary.lines, summary.not_covered), (true, 41, 0));
    let day =
        fs::read_dir(&settings.dir).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    let sizes: Vec<u64> =
        fs::read_dir(day.unwrap()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
    assert!(sizes.len() > 5 && sizes.iter().all(|size| *size <= 2000), "{sizes:?}");
}

#[test]
fn many_events_get_checkpoints() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let writer = Writer::open(&settings).unwrap();
    for _ in 0..3500 {
        writer.append(&denied("/x")).unwrap();
    }
    let heads = fs::read_to_string(settings.dir.join("heads.jsonl")).unwrap();
    assert_eq!(heads.matches("\"checkpoint\"").count(), 3);
    let summary = verified(&settings.dir);
    assert_eq!((summary.ok, summary.running, summary.lines, summary.not_covered), (true, 1, 3500, 500));
    drop(writer);
    assert_eq!(verified(&settings.dir).killed, 1);
}

#[test]
fn sessions_write_side_by_side() {
    let root = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let writer = Writer::open(&settings(root.path())).unwrap();
                std::thread::scope(|inner| {
                    for _ in 0..2 {
                        inner.spawn(|| (0..600).for_each(|_| assert!(writer.append(&denied("/x")).is_ok())));
                    }
                });
                writer.finish(&ending()).unwrap();
            });
        }
    });
    let summary = verified(&root.path().join("audit"));
    assert_eq!((summary.ok, summary.sessions, summary.lines, summary.not_covered), (true, 4, 4804, 0));
}

#[test]
fn nothing_is_opened_where_others_could_write() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    fs::create_dir(&settings.dir).unwrap();
    fs::set_permissions(&settings.dir, fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(Writer::open(&settings), Err(Error::Exposed { mode: 0o770, .. })));
    assert_eq!(fs::read_dir(&settings.dir).unwrap().count(), 0);
    let named = Settings { session: "../../../../../../etc/x".into(), ..settings };
    assert!(matches!(Writer::open(&named), Err(Error::BadSession { .. })));
}

#[test]
fn a_line_that_is_too_long_is_refused_and_counted() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let writer = Writer::open(&settings).unwrap();
    let huge = denied(&"x".repeat(crate::audit::line::MAX_LINE));
    assert!(writer.append(&huge).is_err());
    assert_eq!(writer.failing_since(), None);
    assert_eq!(writer.append(&denied("/x")).unwrap(), 2);
    assert_eq!(names(&writer), ["audit.lost", "file.access"]);
    writer.finish(&ending()).unwrap();
    assert_eq!(lines(&writer).pop().unwrap()["lost"], 1);
}

/// A file size limit that ends in the middle of a line: the kernel writes a part of it, then says `EFBIG`.
fn limited<T>(bytes: u64, run: impl FnOnce() -> T) -> T {
    let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, bytes, hard).unwrap();
    let outcome = run();
    setrlimit(Resource::RLIMIT_FSIZE, soft, hard).unwrap();
    outcome
}

/// Runs `body` in a process of its own that ignores SIGXFSZ: the limit and the signal are the whole process's.
fn alone(test: &str, body: impl FnOnce()) {
    const ALONE: &str = "CAPONIER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some_and(|name| name == test) {
        return body();
    }
    let script = r#"trap "" XFSZ && exec "$0" --exact "$1" --test-threads 1"#;
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(std::env::current_exe().unwrap());
    let output = command.arg(format!("audit::writer::tests::{test}")).env(ALONE, test).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
fn a_full_disk_tears_no_line_and_what_was_refused_is_told() {
    alone("a_full_disk_tears_no_line_and_what_was_refused_is_told", full_disk_blocks);
}

fn full_disk_blocks() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let writer = Writer::open(&settings).unwrap();
    writer.append(&denied("/first")).unwrap();
    let length = fs::metadata(writer.path()).unwrap().len();
    writer.append(&allowed("/batched")).unwrap();
    limited(length + 100, || {
        let unwritable = writer.append(&denied("/refused")).unwrap_err();
        assert!(unwritable.detail.contains("only 100 of"), "{unwritable}");
        assert_eq!(fs::metadata(writer.path()).unwrap().len(), length);
        assert!(writer.failing_since().is_some());
        assert!(writer.append(&allowed("/refused too")).is_err());
        assert!(writer.append(&lost(5)).is_err());
        assert!(writer.flush().is_err());
        assert!(writer.finish(&ending()).is_err());
        assert_eq!(names(&writer), ["file.access"]);
    });
    writer.retry().unwrap();
    assert_eq!(writer.failing_since(), None);
    assert_eq!(writer.append(&denied("/after")).unwrap(), 4);
    assert_eq!(names(&writer), ["file.access", "file.access", "audit.lost", "file.access"]);
    let all = lines(&writer);
    assert_eq!(
        (&all[1]["path"], &all[2]["count"], &all[3]["path"]),
        (&"/batched".into(), &2.into(), &"/after".into())
    );
    writer.finish(&ending()).unwrap();
    drop(writer);
    assert!(verified(&settings.dir).ok);
}

#[test]
fn a_full_disk_under_continue_is_told_afterwards() {
    alone("a_full_disk_under_continue_is_told_afterwards", full_disk_continues);
}

fn full_disk_continues() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { on_failure: OnFailure::Continue, ..settings(root.path()) };
    let writer = Writer::open(&settings).unwrap();
    let mut dropped = 0;
    limited(0, || {
        assert_eq!(writer.append(&denied("/late")).unwrap(), 1);
        writer.flush().unwrap();
        assert!(writer.failing_since().is_some());
        for _ in 0..2000 {
            dropped += u64::from(writer.append(&denied(&"x".repeat(1000))).unwrap() == 0);
        }
        assert!(writer.retry().is_err());
    });
    assert!(dropped > 0 && dropped < 2000, "{dropped}");
    writer.flush().unwrap();
    writer.finish(&ending()).unwrap();
    let all = lines(&writer);
    let told = |name: &str| all.iter().find(|line| line["event"] == name).unwrap()["count"].clone();
    assert_eq!(told("audit.lost"), dropped);
    assert_eq!(told("audit.degraded"), 2001 - dropped);
    assert_eq!(all.last().unwrap()["lost"], dropped);
    drop(writer);
    assert!(verified(&settings.dir).ok);
}

#[test]
fn a_full_disk_stops_the_start_and_spares_the_heads() {
    alone("a_full_disk_stops_the_start_and_spares_the_heads", full_disk_at_start);
}

fn full_disk_at_start() {
    let root = tempfile::tempdir().unwrap();
    let writer = Writer::open(&settings(root.path())).unwrap();
    writer.finish(&ending()).unwrap();
    drop(writer);
    let heads = root.path().join("audit/heads.jsonl");
    let before = fs::read(&heads).unwrap();
    let failed = limited(before.len() as u64 + 50, || Writer::open(&settings(root.path())));
    assert!(matches!(failed, Err(Error::Io { action: "write", .. })), "{failed:?}");
    assert_eq!(fs::read(&heads).unwrap(), before);
    assert!(verified(&root.path().join("audit")).ok);
}

#[test]
fn a_session_that_runs_is_told_from_one_cut_off() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let writer = Writer::open(&settings).unwrap();
    writer.append(&denied("/x")).unwrap();
    let standing = || {
        let scope = Scope { dir: &settings.dir, session: Some(&settings.session), expect: None };
        let mut standing = None;
        let summary = verify(&scope, |report| {
            standing = Some(report.standing);
            Ok(())
        });
        assert!(summary.unwrap().ok);
        standing.unwrap()
    };
    assert_eq!(standing(), Standing::Running);
    drop(writer);
    assert_eq!(standing(), Standing::Killed);
}
