//! What lies in the folder of the log: a folder for each day, in it the files of the sessions that began on it.
//!
//! Names alone decide; what does not have the form of ours is a stray, and told. Only plain files are opened, and no
//! link is followed (`open(2)`, `O_NOFOLLOW`; `O_NONBLOCK`, so that a pipe put there does not hold us).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::audit::heads;
use crate::audit::segment::file_name;
use crate::audit::session_id::{self, is_session_id};
use crate::audit::stamp::is_day;

/// The files of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// The session's name.
    pub session: String,
    /// Numbers of its files, ascending; 0 is the first.
    pub parts: Vec<u32>,
}

impl Files {
    /// A part's name relative to the folder of the log.
    pub fn name(&self, part: u32) -> String {
        format!("{}/{}", self.day, file_name(&self.session, part))
    }

    /// Opens a part for reading.
    pub fn open(&self, dir: &Path, part: u32) -> io::Result<File> {
        open_plain(&dir.join(self.name(part)))
    }
}

/// What a folder holds: what has the form of ours, and what does not.
#[derive(Debug)]
pub struct Listing<T> {
    /// Ours, sorted.
    pub ours: Vec<T>,
    /// Strays.
    pub strays: Vec<PathBuf>,
}

/// The days' folders, oldest first.
pub fn days(dir: &Path) -> io::Result<Listing<String>> {
    let (mut ours, mut strays) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        match name.to_str() {
            Some(day) if is_day(day.as_bytes()) => ours.push(day.to_owned()),
            Some(heads::FILE) => {}
            _ => strays.push(entry.path()),
        }
    }
    ours.sort_unstable();
    strays.sort_unstable();
    Ok(Listing { ours, strays })
}

/// The sessions that began on a day, oldest first.
pub fn sessions(dir: &Path, day: &str) -> io::Result<Listing<Files>> {
    let mut parts: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut strays = Vec::new();
    for entry in std::fs::read_dir(dir.join(day))? {
        let entry = entry?;
        match parse_name(entry.file_name().as_bytes()) {
            Some((session, part)) => parts.entry(session.to_owned()).or_default().push(part),
            None => strays.push(entry.path()),
        }
    }
    strays.sort_unstable();
    let ours = parts.into_iter().map(|(session, mut parts)| {
        parts.sort_unstable();
        Files { day: day.to_owned(), session, parts }
    });
    Ok(Listing { ours: ours.collect(), strays })
}

/// Opens a plain file for reading; a link, a pipe, a device is an error.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file")),
    }
}

fn parse_name(name: &[u8]) -> Option<(&str, u32)> {
    let (session, rest) = name.split_at_checked(session_id::LENGTH)?;
    let stem = rest.strip_suffix(b".jsonl")?;
    let session =
        is_session_id(session).then_some(session).and_then(|name| std::str::from_utf8(name).ok())?;
    if stem.is_empty() {
        return Some((session, 0));
    }
    let part: u32 = std::str::from_utf8(stem.strip_prefix(b".")?).ok()?.parse().ok()?;
    // `.0`, `.01`, `.+1` are other spellings of names that we do not write.
    (part > 0 && file_name(session, part).as_bytes() == name).then_some((session, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_strict() {
        let session = "01JDXZ0000000000000000000A";
        assert_eq!(parse_name(format!("{session}.jsonl").as_bytes()), Some((session, 0)));
        assert_eq!(parse_name(format!("{session}.12.jsonl").as_bytes()), Some((session, 12)));
        for wrong in [".0.jsonl", ".01.jsonl", ".+1.jsonl", ".jsonl.gz", "", ".4294967296.jsonl"] {
            assert_eq!(parse_name(format!("{session}{wrong}").as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", root.path().join("link")).unwrap();
        assert!(open_plain(&root.path().join("file")).is_ok());
        assert!(open_plain(&root.path().join("link")).is_err());
        assert!(open_plain(root.path()).is_err());
    }
}
