//! What a package manager is told of its user's configuration: where packages come from, and whom to trust.
//!
//! The values may hold tokens and passwords. They go into the environment of the install phase, as secrets, or into a
//! file of its own; they are never shown, and [`Settings::redact`] takes them out of what a package manager says.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::store::hosts;

/// Largest file of settings or certificates that is copied.
const MAX_BYTES: u64 = 16 << 20;
/// Shorter values are no secrets, and taking them out would leave holes everywhere.
const SHORTEST_SECRET: usize = 4;

/// For one install phase. Deliberately not `Debug`.
#[derive(Default)]
pub(crate) struct Settings {
    /// Hosts that it may reach.
    pub(crate) hosts: Vec<(String, u16)>,
    /// Variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// Variables whose values are secrets.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Folders that it may read.
    pub(crate) reads: Vec<PathBuf>,
    /// What is not to be shown.
    hidden: Vec<String>,
}

impl Settings {
    /// A registry's URL: its host may be reached.
    pub(crate) fn registry(&mut self, url: &str) {
        self.hosts.extend(hosts::of_url(url));
        self.hide(hosts::password(url));
    }

    /// A variable; one that holds a password is a secret.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let secret = value.split_whitespace().any(|word| hosts::password(word).is_some());
        value.split_whitespace().for_each(|word| self.hide(hosts::password(word)));
        match secret {
            true => self.secrets.insert(name.to_owned(), value.to_owned()),
            false => self.variables.insert(name.to_owned(), value.to_owned()),
        };
    }

    /// A variable that is a secret.
    pub(crate) fn secret(&mut self, name: &str, value: &str) {
        self.hide(Some(value));
        self.secrets.insert(name.to_owned(), value.to_owned());
    }

    /// Something that must not be shown.
    pub(crate) fn hide(&mut self, value: Option<&str>) {
        self.hidden.extend(value.filter(|value| value.len() >= SHORTEST_SECRET).map(str::to_owned));
    }

    /// Text of a package manager's without what must not be shown.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[redacted]"))
    }

    /// Copies a file of certificates, or a key, to where the install phase can read it; where that is.
    ///
    /// # Errors
    /// It cannot be read: nothing could be fetched then.
    pub(crate) fn copy(&self, from: &Path, home: &Path, name: &str) -> io::Result<PathBuf> {
        let text = read(from)?;
        let to = home.join(name);
        fs::write(&to, text)?;
        Ok(to)
    }
}

/// A file, up to a size that no file of this kind has.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any file of this kind"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_password_is_a_secret_and_is_not_shown() {
        let mut settings = Settings::default();
        settings.set("A", "https://r.example/");
        settings.set("B", "https://me:hunter22@r.example/ https://other.example/");
        settings.secret("C", "token-1");
        settings.registry("https://x:sesame@s.example:8443/");
        assert!(settings.variables.contains_key("A") && !settings.variables.contains_key("B"));
        assert!(settings.secrets.contains_key("B"));
        assert_eq!(settings.hosts, [("s.example".to_owned(), 8443)]);
        let shown = settings.redact("failed: https://me:hunter22@r.example with token-1 or sesame");
        assert_eq!(shown, "failed: https://me:[redacted]@r.example with [redacted] or [redacted]");
    }
}
