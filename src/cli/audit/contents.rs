//! What lies in a folder, by kind: what a grant of it would hand out. Names are counted, nothing is opened.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::audit::count::counted;
use crate::audit::suggestion::is_secret_name;

/// Entries that are looked at; a folder with more is said to have more.
const MOST: u64 = 20_000;
/// Secrets, and kinds, that are named.
const NAMED: usize = 5;

/// See the module.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Contents {
    folder: PathBuf,
    files: u64,
    folders: u64,
    links: u64,
    /// Whether there is more than was looked at.
    more: bool,
    /// Files by the ending of their names; `""` for those without.
    kinds: BTreeMap<String, u64>,
    /// Files whose names say that they hold secrets.
    secrets: Vec<PathBuf>,
}

impl Contents {
    /// `None` for what is no folder.
    pub(super) fn of(folder: &Path) -> Option<Contents> {
        if !folder.is_dir() {
            return None;
        }
        let mut contents = Contents { folder: folder.to_owned(), ..Contents::default() };
        let mut pending = vec![folder.to_owned()];
        let mut seen = 0;
        while let Some(folder) = pending.pop() {
            // A folder that cannot be listed by us cannot be listed by the server.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                seen += 1;
                if seen > MOST {
                    contents.more = true;
                    return Some(contents);
                }
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    contents.folders += 1;
                    pending.push(entry.path());
                } else if kind.is_symlink() {
                    contents.links += 1;
                } else {
                    contents.file(&entry.path());
                }
            }
        }
        Some(contents)
    }

    fn file(&mut self, path: &Path) {
        self.files += 1;
        let ending =
            path.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
        *self.kinds.entry(ending).or_default() += 1;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if is_secret_name(&name) {
            self.secrets.push(path.to_owned());
        }
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.more { "more than " } else { "" };
        let (files, folders) = (counted(self.files, "file"), counted(self.folders, "folder"));
        write!(f, "{} holds {more}{files} in {folders}", self.folder.display())?;
        let mut kinds: Vec<(&String, &u64)> =
            self.kinds.iter().filter(|(kind, _)| !kind.is_empty()).collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (at, (kind, count)) in kinds.into_iter().take(NAMED).enumerate() {
            write!(f, "{} {count} {kind}", if at == 0 { ":" } else { "," })?;
        }
        if self.secrets.is_empty() {
            return Ok(());
        }
        match self.secrets.len() {
            1 => f.write_str("; 1 looks like a secret")?,
            count => write!(f, "; {count} look like secrets")?,
        }
        for (at, secret) in self.secrets.iter().take(NAMED).enumerate() {
            write!(f, "{} {}", if at == 0 { ":" } else { "," }, secret.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_there_is_counted_and_secrets_are_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("sub")).unwrap();
        for name in ["a.md", "b.md", "sub/c.txt", "sub/.env", "plain"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("/", root.path().join("sub/all")).unwrap();
        let contents = Contents::of(root.path()).unwrap();
        let told = contents.to_string();
        let expected = format!(
            "{root} holds 5 files in 1 folder: 2 .md, 1 .txt; 1 looks like a secret: {root}/sub/.env",
            root = root.path().display()
        );
        assert_eq!(told, expected);
        assert_eq!(contents.links, 1);
        assert_eq!(Contents::of(&root.path().join("plain")), None);
    }
}
