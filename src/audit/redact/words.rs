//! The words of a command line: a flag says of the next word that it is a secret.

use crate::audit::redact::{Redactor, mark, names};
use crate::policy::sensitive::{Sensitivity, is_sensitive_name, sensitivity};

/// What the word before says of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// `--token`.
    Secret,
    /// `-u`, `--user`: perhaps with a password after the colon.
    User,
}

/// Each word without its secrets, in order.
pub(super) struct Words<'r> {
    redactor: &'r Redactor,
    before: Before,
    first: bool,
}

impl<'r> Words<'r> {
    pub(super) fn new(redactor: &'r Redactor) -> Self {
        Words { redactor, before: Before::Nothing, first: true }
    }

    pub(super) fn next(&mut self, word: &str) -> String {
        let before = std::mem::replace(&mut self.before, Before::Nothing);
        let first = std::mem::take(&mut self.first);
        if word.starts_with('-') && !first {
            let name = word.trim_start_matches('-');
            self.before = match name {
                "u" | "user" | "proxy-user" => Before::User,
                _ if !name.contains(['=', ' ', ':']) && is_sensitive_name(name) => Before::Secret,
                _ => Before::Nothing,
            };
        }
        let mut out = String::new();
        match before {
            Before::Secret
                if !word.starts_with('-')
                    && self.redactor.named_into(&mut out, word, Sensitivity::Strong) =>
            {
                return out;
            }
            Before::User => {
                if let Some((user, password)) = word.split_once(':')
                    && self.redactor.named_into(&mut out, password, Sensitivity::Strong)
                {
                    return format!("{}:{out}", self.redactor.plain(user));
                }
            }
            _ => {}
        }
        // `NAME=value` as one word is a value to its end, whatever is in it.
        if let Some((name, value)) = word.split_once('=') {
            let bare = name.trim_start_matches('-');
            let named = is_sensitive_name(bare) && !bare.contains(['/', ' ', ':', '?', '&']);
            let strength =
                if sensitivity(bare) == Sensitivity::None { Sensitivity::None } else { Sensitivity::Strong };
            if named && self.redactor.named_into(&mut out, value, strength) {
                return format!("{}={out}", self.redactor.plain(name));
            }
        }
        self.redactor.plain(word)
    }
}

/// Shorter words are no secrets of their own: they would be taken out wherever they stand.
const SHORTEST: usize = 8;

/// The words that their flags certainly call secrets, for a session that looks for them elsewhere too: a server that
/// is given a token on its command line prints it without the flag. A path is none; the file that it names may be.
pub fn named(words: &[String]) -> Vec<String> {
    let strong = |name: &str| {
        let bare = name.trim_start_matches('-');
        !bare.contains(['/', ' ', ':', '?', '&']) && sensitivity(bare) == Sensitivity::Strong
    };
    let pairs = words.windows(2).filter_map(|pair| match pair {
        [flag, value] if flag.starts_with('-') && !flag.contains('=') && strong(flag) => Some(value.as_str()),
        _ => None,
    });
    let assigned = words.iter().filter_map(|word| word.split_once('='));
    let assigned = assigned.filter(|(name, _)| strong(name)).map(|(_, value)| value);
    pairs
        .chain(assigned)
        .filter(|value| {
            value.len() >= SHORTEST && !value.starts_with(['-', '/', '.', '~']) && !value.contains("://")
        })
        .filter(|value| !names::is_placeholder(value.as_bytes()) && mark::mark_at(value.as_bytes()) == 0)
        .map(str::to_owned)
        .collect()
}
