//! The log of a run, read as any reader outside the repository would: lines of JSON in day folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::pen::ground::Ground;
use crate::pen::launch;

/// The session files of a log folder, oldest first.
pub(crate) fn sessions(audit: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(audit)
        .expect("log folder")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_dir())
        .flat_map(|day| fs::read_dir(day).expect("day").map(|entry| entry.expect("entry").path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    found.sort();
    found
}

/// Every event of the one session in the folder. A torn last line is left out; any other line that is not JSON fails.
pub(crate) fn events(audit: &Path) -> Vec<Value> {
    let files = sessions(audit);
    let mut events = Vec::new();
    for file in &files {
        let bytes = fs::read(file).expect("session file");
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            events.push(serde_json::from_slice(line).unwrap_or_else(|error| {
                panic!("{}: {error}: {}", file.display(), String::from_utf8_lossy(line))
            }));
        }
    }
    events
}

/// Events of one kind.
pub(crate) fn of<'a>(events: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["event"] == name)
}

/// `caponier audit verify`: status and what it said.
pub(crate) fn verify(ground: &Ground) -> (Option<i32>, String) {
    let mut command: Command = launch::caponier(ground);
    command.args(["audit", "verify", "--audit-dir"]).arg(ground.path("audit"));
    let finished = launch::start(command).finish();
    (finished.code(), format!("{}{}", String::from_utf8_lossy(&finished.stdout), finished.stderr))
}

/// A whole session: its chain holds, it begins with `session.start`, numbers run on, and it ends with `session.end`.
pub(crate) fn assert_whole(ground: &Ground, events: &[Value]) {
    let (code, said) = verify(ground);
    assert_eq!(code, Some(0), "audit verify: {said}");
    let first = events.first().unwrap_or_else(|| panic!("the log is empty"));
    assert_eq!((&first["event"], &first["seq"]), (&"session.start".into(), &1.into()), "{first}");
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], Value::from(index + 1), "{event}");
    }
    let last = events.last().expect("not empty");
    assert_eq!(last["event"], "session.end", "{last}");
}
