//! `heads.jsonl`: at each session's start, at checkpoints and at its end, how far its chain had come.
//!
//! One file for all sessions of all processes, itself a chain. Whoever appends holds its lock (`flock(2)`) from
//! reading the last line to having written the next, and never while it waits for the disk. The log of a session can
//! then not be cut, removed or replaced without a line here that contradicts it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use serde::Serialize;

use crate::audit::chain::{self, Digest};
use crate::audit::folder::{Error, Folder, io_error};
use crate::audit::line::number;
use crate::audit::segment::write_once;
use crate::audit::session_id::{self, is_session_id};
use crate::audit::stamp::{self, Stamp};

/// Its name in the folder of the log.
pub const FILE: &str = "heads.jsonl";

/// The longest line of it.
pub const MAX_LINE: usize = 1024;

/// Tries at the lock, a millisecond apart, at a session's start and end: five seconds.
const PATIENCE: u32 = 5000;

/// Why a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The session's file was created.
    Start,
    /// 1 000 events or 10 seconds went by.
    Checkpoint,
    /// `session.end` was written.
    End,
    /// The session was taken out of the log (`audit prune`).
    Pruned,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The session.
    pub session: &'a str,
    /// Its current file, relative to the folder of the log.
    pub file: &'a str,
    /// Lines so far, over all its files.
    pub lines: u64,
    /// Digest of the last one.
    pub last: Digest,
    /// Why now.
    pub kind: Kind,
}

/// Whether to wait for others who append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Up to five seconds.
    Patiently,
    /// Not at all: the relay's messages would wait too.
    No,
}

/// Appends `head`. Gives back the file, unlocked, so that the caller can make it durable; `None` when it was locked
/// and we do not wait.
pub(super) fn append(folder: &Folder, head: &Head<'_>, wait: Wait) -> Result<Option<File>, Error> {
    let path = folder.path().join(FILE);
    // Opened anew each time: whoever replaced the file since must not make us write into a removed one.
    let file = folder.open_file(FILE)?;
    match lock(&file, wait) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => return Err(io_error("lock", &path)(error)),
    }
    append_locked(&file, head).map_err(io_error("write", &path))?;
    file.unlock().map_err(io_error("unlock", &path))?;
    Ok(Some(file))
}

fn lock(file: &File, wait: Wait) -> io::Result<bool> {
    let tries = if wait == Wait::Patiently { PATIENCE } else { 1 };
    for attempt in 0..tries {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    match wait {
        Wait::Patiently => Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds it")),
        Wait::No => Ok(false),
    }
}

fn append_locked(file: &File, head: &Head<'_>) -> io::Result<()> {
    let (length, prev) = tip(file)?;
    let mut line = build(head, Stamp::now(), prev)?;
    line.push(b'\n');
    let written = write_once(file, &line);
    if written.is_err() {
        file.set_len(length)?;
    }
    written
}

/// The length of the whole lines, and the digest of the last one. A torn end (somebody was killed while writing) is
/// cut off: it never was a line.
fn tip(file: &File) -> io::Result<(u64, Digest)> {
    let length = file.metadata()?.len();
    // Room for a torn line, and a whole one with its newline and that of the line before.
    let window = length.min(2 * MAX_LINE as u64 + 2);
    let mut end = vec![0; window as usize];
    file.read_exact_at(&mut end, length - window)?;
    let Some(last_newline) = memchr::memrchr(b'\n', &end) else {
        if length > MAX_LINE as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its end is not a line"));
        }
        file.set_len(0)?;
        return Ok((0, Digest::EMPTY));
    };
    let whole = length - window + last_newline as u64 + 1;
    if whole < length {
        file.set_len(whole)?;
    }
    let begin = match memchr::memrchr(b'\n', &end[..last_newline]) {
        Some(newline) => newline + 1,
        None if window == length => 0,
        None => return Err(io::Error::new(io::ErrorKind::InvalidData, "its last line is too long")),
    };
    Ok((whole, Digest::of(&end[begin..last_newline])))
}

fn build(head: &Head<'_>, time: Stamp, prev: Digest) -> io::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Line<'a> {
        v: u8,
        time: &'a str,
        session: &'a str,
        file: &'a str,
        lines: u64,
        last: &'a str,
        kind: Kind,
        prev: &'a str,
    }
    let (time, last, prev) = (time.text(), head.last.hex(), prev.hex());
    let text = |bytes| std::str::from_utf8(bytes).map_err(io::Error::other);
    let line = Line {
        v: 1,
        time: text(&time)?,
        session: head.session,
        file: head.file,
        lines: head.lines,
        last: text(&last)?,
        kind: head.kind,
        prev: text(&prev)?,
    };
    Ok(serde_json::to_vec(&line)?)
}

/// One line read back: what it says, and the digest of the line before.
pub fn parse(line: &[u8]) -> Option<(Head<'_>, Digest)> {
    let rest = line.strip_prefix(b"{\"v\":1,\"time\":\"")?;
    let (time, rest) = rest.split_at_checked(stamp::LENGTH)?;
    let (session, rest) = rest.strip_prefix(b"\",\"session\":\"")?.split_at_checked(session_id::LENGTH)?;
    let rest = rest.strip_prefix(b"\",\"file\":\"")?;
    let (file, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
    let (lines, rest) = number(rest.strip_prefix(b"\",\"lines\":")?)?;
    let (last, rest) = rest.strip_prefix(b",\"last\":\"")?.split_at_checked(chain::HEX)?;
    let rest = rest.strip_prefix(b"\",\"kind\":\"")?;
    let (kind, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
    let (prev, rest) = rest.strip_prefix(b"\",\"prev\":\"")?.split_at_checked(chain::HEX)?;
    let kind = match kind {
        b"start" => Kind::Start,
        b"checkpoint" => Kind::Checkpoint,
        b"end" => Kind::End,
        b"pruned" => Kind::Pruned,
        _ => return None,
    };
    if rest != b"\"}" || !stamp::is_shaped(time) || !is_session_id(session) || file.contains(&b'\\') {
        return None;
    }
    let head = Head {
        session: std::str::from_utf8(session).ok()?,
        file: std::str::from_utf8(file).ok()?,
        lines,
        last: Digest::parse(last)?,
        kind,
    };
    Some((head, Digest::parse(prev)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SESSION: &str = "01JDXZ0000000000000000000A";

    fn head(lines: u64) -> Head<'static> {
        Head {
            session: SESSION,
            file: "2026-11-23/x.jsonl",
            lines,
            last: Digest::EMPTY,
            kind: Kind::Checkpoint,
        }
    }

    fn folder(root: &tempfile::TempDir) -> Folder {
        Folder::create(&root.path().join("audit")).unwrap()
    }

    /// The `lines` of every line, with the chain checked.
    fn read(folder: &Folder) -> Vec<u64> {
        let bytes = fs::read(folder.path().join(FILE)).unwrap();
        let mut prev = Digest::EMPTY;
        let mut all = Vec::new();
        for line in bytes.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n') {
            let (head, named) = parse(line).unwrap();
            assert_eq!(named, prev);
            prev = Digest::of(line);
            all.push(head.lines);
        }
        all
    }

    #[test]
    fn lines_are_chained() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root);
        for lines in 0..20 {
            append(&folder, &head(lines), Wait::Patiently).unwrap();
        }
        assert_eq!(read(&folder), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn writers_do_not_lose_each_others_lines() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let folder = &folder;
                scope.spawn(move || {
                    for at in 0..50 {
                        append(folder, &head(writer * 100 + at), Wait::Patiently).unwrap();
                    }
                });
            }
        });
        let mut all = read(&folder);
        all.sort_unstable();
        let expected: Vec<u64> = (0..4).flat_map(|writer| (0..50).map(move |at| writer * 100 + at)).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn a_torn_end_is_cut_off() {
        use std::io::Write;
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root);
        folder.open_file(FILE).unwrap().write_all(b"{\"v\":1,\"ti").unwrap();
        append(&folder, &head(1), Wait::Patiently).unwrap();
        folder.open_file(FILE).unwrap().write_all(b"{\"v\":1,\"ti").unwrap();
        append(&folder, &head(2), Wait::Patiently).unwrap();
        assert_eq!(read(&folder), [1, 2]);
    }

    #[test]
    fn what_is_not_ours_is_not_continued() {
        use std::io::Write;
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root);
        folder.open_file(FILE).unwrap().write_all(&vec![b'x'; 8 * MAX_LINE]).unwrap();
        assert!(append(&folder, &head(1), Wait::Patiently).is_err());
    }

    #[test]
    fn a_checkpoint_does_not_wait() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root);
        let held = folder.open_file(FILE).unwrap();
        held.lock().unwrap();
        assert!(append(&folder, &head(1), Wait::No).unwrap().is_none());
        held.unlock().unwrap();
        assert!(append(&folder, &head(1), Wait::No).unwrap().is_some());
    }
}
