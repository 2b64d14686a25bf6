//! Takes old sessions out of the log, and leaves in `heads.jsonl` what they were.
//!
//! The order that matters: the line `pruned` is on the disk before the first file of the session goes. Whatever stops
//! this in between leaves files that are still vouched for. A session that does not verify is evidence, and stays; so
//! does one that somebody writes.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::audit::chain::Digest;
use crate::audit::condition::Standing;
use crate::audit::folder::Folder;
use crate::audit::heads::{self, Head, Kind, Wait};
use crate::audit::query::filter::Filter;
use crate::audit::query::moment::Moment;
use crate::audit::query::{self, is_over_before};
use crate::audit::verify::report::SessionReport;
use crate::audit::verify::{self, Scope};

/// Why nothing more was taken out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be read.
    #[error(transparent)]
    Query(#[from] query::Error),
    /// The log cannot be verified.
    #[error(transparent)]
    Verify(#[from] verify::Error),
    /// `heads.jsonl` cannot be written, or is not ours alone.
    #[error(transparent)]
    Heads(#[from] crate::audit::folder::Error),
    /// A file could not be removed.
    #[error("cannot remove {path}: {source}", path = path.display())]
    Remove {
        /// Which.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// What was done with one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Its name.
    pub session: String,
    /// Its server's.
    pub server: Option<String>,
    /// The time of its first line.
    pub started: Option<String>,
    /// Its lines.
    pub lines: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Why it stays; `null` when it was taken out.
    pub kept: Option<String>,
}

/// Takes out every session that was over before `before`, and tells of each. With `only_tell` nothing is changed.
pub fn prune(dir: &Path, before: &Moment, only_tell: bool) -> Result<Vec<Pruned>, Error> {
    let old: Vec<_> = query::sessions(dir, &Filter::default())?
        .into_iter()
        .filter(|files| is_over_before(dir, files, before))
        .collect();
    if old.is_empty() {
        return Ok(Vec::new());
    }
    let mut reports: HashMap<String, SessionReport> = HashMap::new();
    let scope = Scope { dir, session: None, expect: None };
    verify::verify(&scope, |report| {
        // Of a session with two reports (files in two folders) the first break stays.
        let known = reports.entry(report.session.clone()).or_insert_with(|| report.clone());
        known.breaks.extend(report.breaks.iter().take(1).cloned());
        Ok(())
    })?;
    let root = Folder::create(dir)?;
    let mut pruned = Vec::new();
    for files in old {
        let paths: Vec<PathBuf> = files.parts.iter().map(|part| dir.join(files.name(*part))).collect();
        let bytes = paths.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
        let report = reports.get(&files.session);
        let kept = keeps(report);
        let lines = report.map_or(0, |report| report.lines);
        let told = Pruned {
            session: files.session.clone(),
            server: report.and_then(|report| report.server.clone()),
            started: report.and_then(|report| report.started.clone()),
            lines,
            bytes,
            kept,
        };
        let last = report.and_then(|report| Digest::parse(report.last.as_bytes()));
        if let (None, false, Some(last)) = (&told.kept, only_tell, last) {
            let file = files.name(files.parts.last().copied().unwrap_or(0));
            let head = Head { session: &files.session, file: &file, lines, last, kind: Kind::Pruned };
            let written = heads::append(&root, &head, Wait::Patiently)?;
            if let Some(heads) = written {
                let path = dir.join(heads::FILE);
                heads.sync_data().map_err(crate::audit::folder::io_error("sync", &path))?;
            }
            // The last file first: what is left of a session that is cut short here has all its beginnings.
            for path in paths.iter().rev() {
                remove(path)?;
            }
            // Not empty: others lie there.
            let _ = std::fs::remove_dir(dir.join(&files.day));
        }
        pruned.push(told);
    }
    Ok(pruned)
}

fn keeps(report: Option<&SessionReport>) -> Option<String> {
    let Some(report) = report else { return Some("it was not verified".to_owned()) };
    if report.standing == Standing::Running {
        return Some("it is running".to_owned());
    }
    let broken = report.breaks.first()?;
    Some(format!("it does not verify, and is evidence: {}", broken.detail))
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Remove { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{denied, session, settings};
    use crate::audit::writer::{Settings, Writer};

    fn verified(dir: &Path) -> verify::report::Summary {
        verify::verify(&Scope { dir, session: None, expect: None }, |_| Ok(())).unwrap()
    }

    #[test]
    fn old_sessions_go_and_the_log_still_verifies() {
        let root = tempfile::tempdir().unwrap();
        let all: Vec<Settings> = (0..3).map(|_| settings(root.path())).collect();
        for one in &all {
            session(one, &[denied("/x"), denied("/y")]);
        }
        let dir = &all[0].dir;
        let kept = verified(dir).head;
        let future = b"2999-01-01T00:00:00.000000Z";
        assert_eq!(prune(dir, b"2000-01-01T00:00:00.000000Z", false).unwrap(), []);
        assert!(prune(dir, future, true).unwrap().iter().all(|told| told.kept.is_none()));
        assert_eq!(verified(dir).sessions, 3);
        // One that was changed stays.
        let files = crate::audit::session::find(dir, &all[1].session).unwrap();
        let file = dir.join(files.name(0));
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("/y", "/z")).unwrap();
        // And one that runs.
        let live = settings(root.path());
        let writer = Writer::open(&live).unwrap();
        crate::event::Sink::append(&writer, &denied("/z")).unwrap();
        let told = prune(dir, future, false).unwrap();
        let stays: Vec<(&str, bool)> = told.iter().map(|one| (&*one.session, one.kept.is_some())).collect();
        for (session, stays) in stays {
            assert_eq!(stays, session == all[1].session || session == live.session);
        }
        drop(writer);
        std::fs::remove_file(&file).unwrap();
        let summary = verified(dir);
        assert_eq!((summary.pruned, summary.broken), (2, 1), "{summary:?}");
        // What was kept elsewhere is still found: the heads are all there.
        let scope = Scope { dir, session: None, expect: Some(kept) };
        assert!(verify::verify(&scope, |_| Ok(())).unwrap().breaks.is_empty());
        // Taking the line back accuses.
        let heads = dir.join(heads::FILE);
        let text = std::fs::read_to_string(&heads).unwrap();
        let without: String =
            text.lines().filter(|line| !line.contains("pruned")).map(|line| format!("{line}\n")).collect();
        std::fs::write(&heads, without).unwrap();
        assert_eq!(verified(dir).broken, 3);
    }
}
