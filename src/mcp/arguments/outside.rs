//! The default path rule: an argument that is a path outside every grant is refused, whatever it is called.
//!
//! It judges every string of a call and every name of an object in it, so it must let text be text. A path that is
//! only a guess (decoded from look-alike characters, with spaces in it, beginning with `//`) counts when it leads to
//! something that exists.

use std::path::{Component, Path};

use crate::mcp::arguments::ground::{Folders, Ground, normal};
use crate::mcp::arguments::spelling::{self, Reading};

/// Bytes of a path that the kernel takes (PATH_MAX): what is longer is a path only to whoever shortens it first.
const LONGEST: usize = 4095;

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// It is a path outside every grant.
    Path,
    /// It lies inside one by its text, and leads out of it by a symbolic link.
    Link,
    /// It cannot be looked at.
    Unreadable,
}

/// Whether a text is a path outside every grant, in any reading.
pub(super) fn outside(text: &str, granted: &Folders, ground: &Ground) -> Option<Outside> {
    spelling::readings(text).iter().find_map(|reading| judge(reading, granted, ground))
}

fn judge(reading: &Reading, granted: &Folders, ground: &Ground) -> Option<Outside> {
    let text: &str = &reading.path;
    let is_guess = reading.guessed
        || text.len() > LONGEST
        || text.starts_with("//")
        || text.contains(char::is_whitespace);
    let path = if spelling::is_home(text) {
        match text.strip_prefix('~').and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) => ground.home.join(rest.trim_start_matches('/')),
            None if text == "~" => ground.home.clone(),
            // Another user's home, or a directory stack that only a shell knows.
            None => return Some(Outside::Path),
        }
    } else {
        ground.cwd.join(trimmed(text))
    };
    if is_guess && !leads_anywhere(text, &path, ground) {
        return None;
    }
    match granted.reach(&path, &*ground.disk) {
        Ok(true) => None,
        Ok(false) if granted.name(&normal(&path)) => Some(Outside::Link),
        Ok(false) => Some(Outside::Path),
        Err(_) if granted.name(&normal(&path)) => Some(Outside::Unreadable),
        Err(_) => Some(Outside::Path),
    }
}

/// A path whose parts have no white space around them: `.. /x` is `../x` to whoever trims.
fn trimmed(text: &str) -> String {
    let parts: Vec<&str> =
        text.split('/').map(|part| if part.trim() == ".." { ".." } else { part }).collect();
    parts.join("/")
}

/// Whether the head of an absolute path is there, or the whole of a relative one.
fn leads_anywhere(text: &str, path: &Path, ground: &Ground) -> bool {
    let path = normal(path);
    if !text.starts_with('/') {
        return ground.disk.exists(&path);
    }
    match path.components().nth(1) {
        Some(Component::Normal(head)) => ground.disk.exists(&Path::new("/").join(head)),
        _ => true,
    }
}
