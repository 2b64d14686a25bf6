//! Which sessions run now, without anybody who keeps a list.
//!
//! A writer holds a lock on its file for as long as it lives (`flock(2)`), whatever ends it: the kernel lets go, and a
//! session that is gone is never shown. Whose lock it is stands in `/proc/locks` (proc_locks(5)).

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::stat::{major, minor};

use crate::audit::condition::is_held;
use crate::audit::days::Files;
use crate::audit::query::{self, filter::Filter};

/// A session that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its files.
    pub files: Files,
    /// The process that writes them; `None` where it cannot be seen, as from another PID namespace.
    pub pid: Option<u32>,
}

/// All of them, oldest first.
///
/// # Errors
/// The folder of the log cannot be read.
pub fn running(dir: &Path) -> Result<Vec<Running>, query::Error> {
    let sessions = query::sessions(dir, &Filter::default())?;
    let held: Vec<(Files, File)> = sessions
        .into_iter()
        .filter_map(|files| {
            let file = files.open(dir, *files.parts.last()?).ok()?;
            is_held(&file).then_some((files, file))
        })
        .collect();
    let locks = if held.is_empty() {
        String::new()
    } else {
        std::fs::read_to_string("/proc/locks").unwrap_or_default()
    };
    Ok(held.into_iter().map(|(files, file)| Running { pid: holder(&locks, &file), files }).collect())
}

/// `1: FLOCK  ADVISORY  WRITE 4711 fd:01:131090 0 EOF`
fn holder(locks: &str, file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_ours =
            words.next() == Some("FLOCK") && words.next().is_some() && words.next() == Some("WRITE");
        let pid = words.next().filter(|_| is_ours)?;
        (words.next() == Some(&place)).then(|| pid.parse().ok()).flatten().filter(|pid| *pid > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{denied, session, settings};
    use crate::audit::writer::Writer;
    use crate::event::Sink;

    #[test]
    fn only_who_lives_is_shown() {
        let root = tempfile::tempdir().unwrap();
        let (done, live) = (settings(root.path()), settings(root.path()));
        session(&done, &[]);
        assert_eq!(running(&done.dir).unwrap(), []);
        let writer = Writer::open(&live).unwrap();
        writer.append(&denied("/x")).unwrap();
        let found = running(&live.dir).unwrap();
        assert_eq!(found.iter().map(|one| &one.files.session).collect::<Vec<_>>(), [&live.session]);
        assert_eq!(found[0].pid, Some(std::process::id()));
        // Its writer is gone without an end, as after a SIGKILL.
        drop(writer);
        assert_eq!(running(&live.dir).unwrap(), []);
    }
}
