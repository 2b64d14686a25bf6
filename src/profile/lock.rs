//! `caponier profile lock`: a production profile that stays as it was approved.
//!
//! A lock holds the digest of every file that the profile is made of. It is kept by what was asked for (`--profile`), so
//! that a file which is gone, and another which takes its place, is a change too. Under a lock nothing widens: not a flag
//! of `run`, and not a repository's file, whoever approved it.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::policy::Environment;
use crate::policy::directories::Directories;
use crate::policy::grant::Origin;
use crate::profile::inherit::Member;
use crate::profile::problem::Problem;
use crate::profile::{Flags, Request, Resolved, record, source};

/// One file of a locked profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// As origins show it.
    pub file: String,
    /// The digest of its text.
    pub sha256: String,
}

/// A lock, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    v: u32,
    /// What `--profile` says: a name, or the file's real path.
    pub profile: String,
    /// When it was locked.
    pub locked: String,
    /// The digest of all files together, as `session.start` has it.
    pub sha256: String,
    /// Each file, in the order of composition.
    pub files: Vec<LockedFile>,
}

/// What a lock says of a profile as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// When it was locked.
    pub locked: String,
    /// What was changed since, one line for each file; empty when it is as it was approved.
    pub changed: Vec<String>,
}

/// The lock of what is asked for; locks are for production.
pub(super) fn state(
    request: &Request,
    members: &[Member],
    sha256: &str,
    dirs: &Directories,
) -> Result<Option<State>, Problem> {
    if request.environment != Environment::Prod {
        return Ok(None);
    }
    let unusable = |error: io::Error| {
        let message = format!("the lock of `{}` cannot be read: {error}", request.profile.escape_debug());
        Problem::new(Origin::command_line(), message).help(format!(
            "look into it; caponier profile lock {} makes a new one",
            request.profile.escape_debug()
        ))
    };
    let key = source::key(&request.profile).map_err(unusable)?;
    let Some(lock) = record::read::<Lock>(&path(dirs, &key)).map_err(unusable)? else { return Ok(None) };
    if lock.v != 1 || lock.profile != key {
        return Err(unusable(io::Error::other("it is not this profile's, or of another version")));
    }
    let mut changed = differences(&lock.files, &files(members));
    if changed.is_empty() && lock.sha256 != sha256 {
        changed.push("the order of its files".to_owned());
    }
    Ok(Some(State { locked: lock.locked, changed }))
}

fn files(members: &[Member]) -> Vec<LockedFile> {
    let file = |member: &Member| LockedFile {
        file: member.source.file.clone(),
        sha256: record::sha256(member.source.text.as_bytes()),
    };
    members.iter().map(file).collect()
}

fn differences(then: &[LockedFile], now: &[LockedFile]) -> Vec<String> {
    let of = |files: &[LockedFile], name: &str| files.iter().find(|file| file.file == name).cloned();
    let mut found = Vec::new();
    for old in then {
        match of(now, &old.file) {
            None => found.push(format!("{} does not take part any more", old.file)),
            Some(new) if new.sha256 != old.sha256 => found.push(format!("{} was changed", old.file)),
            Some(_) => {}
        }
    }
    for new in now.iter().filter(|new| of(then, &new.file).is_none()) {
        found.push(format!("{} takes part now", new.file));
    }
    found
}

/// Locks what is asked for, as it is now.
///
/// # Errors
/// It cannot be kept.
pub(super) fn lock(
    request: &Request,
    members: &[Member],
    sha256: &str,
    dirs: &Directories,
) -> io::Result<Lock> {
    let profile = source::key(&request.profile)?;
    let locked = jiff::Timestamp::now().round(jiff::Unit::Second).map_err(io::Error::other)?.to_string();
    let lock = Lock { v: 1, profile, locked, sha256: sha256.to_owned(), files: files(members) };
    record::write(&path(dirs, &lock.profile), &lock)?;
    Ok(lock)
}

/// Takes a lock away; whether there was one.
///
/// # Errors
/// It cannot be removed.
pub fn unlock(profile: &str, dirs: &Directories) -> io::Result<bool> {
    record::remove(&path(dirs, &source::key(profile)?))
}

/// Refuses what a lock does not let start: another profile than was approved, or flags that add to it.
///
/// # Errors
/// Why not: exit status 78.
pub fn refuse(request: &Request, resolved: &Resolved) -> Result<(), Vec<Problem>> {
    let Some(state) = &resolved.lock else { return Ok(()) };
    let name = request.profile.escape_debug();
    let mut problems = Vec::new();
    for change in &state.changed {
        let message = format!("`{name}` was locked on {}, and {change} since", state.locked);
        let help = format!("look at it, then: caponier profile lock {name} approves it as it is now");
        problems.push(Problem::new(Origin::command_line(), message).help(help));
    }
    let Flags { read, write, execute, host, launcher, pass_env: _ } = &request.flags;
    for (flag, is_given) in [
        ("--read", !read.is_empty()),
        ("--write", !write.is_empty()),
        ("--exec", !execute.is_empty()),
        ("--host", !host.is_empty()),
        ("--no-resolve", launcher.is_some()),
    ] {
        if is_given {
            let message = format!("`{name}` is locked: {flag} cannot add to it");
            let help = "put it into the profile and lock that again, or say --env dev";
            problems.push(Problem::new(Origin::command_line(), message).help(help));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A name has no `%` in it; a path can be anything.
fn path(dirs: &Directories, key: &str) -> PathBuf {
    let file = match key.starts_with('/') {
        true => format!("%{}.json", record::sha256(key.as_bytes())),
        false => format!("{}.json", key.replace('/', "%")),
    };
    dirs.state.join("locks").join(file)
}
