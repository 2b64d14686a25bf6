//! `within`: the argument is a path, and it lies in one of these folders, by its text and on the disk.
//!
//! Here the argument is known to be a path, so every spelling that some program reads as another path is refused,
//! whether or not it would lead out. A relative path begins at the server's working directory.

use crate::mcp::arguments::ground::{Folders, Ground, normal};
use crate::mcp::arguments::{lookalike, spelling};

/// Why a text is refused, in words that follow the argument's name.
pub(super) fn refuse(text: &str, folders: &Folders, ground: &Ground) -> Option<&'static str> {
    if let Some(why) = ambiguous(text) {
        return Some(why);
    }
    let path = ground.cwd.join(text);
    if !folders.name(&normal(&path)) {
        return Some("lies in none of the folders");
    }
    match folders.reach(&path, &*ground.disk) {
        Ok(true) => None,
        Ok(false) => Some("leads out of the folders, by a symbolic link"),
        Err(_) => Some("cannot be looked at"),
    }
}

/// What makes a text mean different paths to different programs.
fn ambiguous(text: &str) -> Option<&'static str> {
    let ends_oddly = |part: &str| {
        !matches!(part, "." | "..") && (part.ends_with('.') || part.ends_with(char::is_whitespace))
    };
    if text.is_empty() {
        return Some("is empty");
    }
    if text.contains(char::is_control) {
        return Some("has a control character in it");
    }
    if text.starts_with('~') {
        return Some("begins with \"~\"");
    }
    if has_scheme(text) {
        return Some("is a URL");
    }
    if spelling::has_escape(text) {
        return Some("is percent-encoded");
    }
    if text.contains('\\') {
        return Some("has a \"\\\" in it");
    }
    if text.chars().any(|c| matches!(lookalike::meant(c), Some("/" | "\\" | "." | ".."))) {
        return Some("has a character in it that looks like \"/\" or \".\"");
    }
    if text.starts_with(char::is_whitespace) || text.split('/').any(ends_oddly) {
        return Some("begins with a space, or a part of it ends with a space or a dot");
    }
    None
}

/// `file:…`, `http://…`.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_word = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_word && (rest.starts_with("//") || scheme.eq_ignore_ascii_case("file"))
}
