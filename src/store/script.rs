//! What a Python script says of itself: the packages that it needs, and which Python.
//!
//! ```text
//! # /// script
//! # requires-python = ">=3.11"
//! # dependencies = ["mcp>=1.2", "httpx"]
//! # ///
//! ```
//!
//! Only read; nothing of the script is run for it. Rests on "Inline script metadata" of packaging.python.org (PEP 723).

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::store::package::{self, Requirement};
use crate::store::settings;
use crate::store::specifier::admits;

const OPENING: &str = "# /// script";
const CLOSING: &str = "# ///";

/// What stands in the block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Inline {
    /// Requirements, as they were written.
    pub(crate) dependencies: Vec<Requirement>,
    /// Which versions of Python it runs with.
    pub(crate) requires_python: Option<String>,
}

/// Why a script's own word cannot be gone by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The script.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The block.
    #[error("{}: its block `# /// script` cannot be understood: {detail}", path.display())]
    Unclear {
        /// Which script.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// A requirement that is none of an index.
    #[error("{}: {source}", path.display())]
    Package {
        /// Which script.
        path: PathBuf,
        /// Why not.
        source: package::Error,
    },
    /// Something that would change what is installed.
    #[error("{}: {what} is not something that caponier can take over", path.display())]
    More {
        /// Which script.
        path: PathBuf,
        /// What.
        what: String,
    },
}

impl Error {
    /// What to do about it.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Error::Unreadable { .. } => "name a script that you may read",
            Error::Unclear { .. } => {
                "it is TOML behind `# `, with `dependencies` (a list of texts) and `requires-python` (a text)"
            }
            Error::Package { .. } => {
                "only packages of a registry can be locked and kept: NAME, NAME[EXTRA], NAME>=VERSION"
            }
            Error::More { .. } => {
                "write the versions that are meant into `dependencies`, as in \"mcp==1.2.3\"; where packages come from \
                 is read from your own pip and uv configuration"
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Block {
    #[serde(default)]
    dependencies: Vec<String>,
    requires_python: Option<String>,
    #[serde(default)]
    tool: toml::Table,
}

/// Reads a script; `None`: it says nothing of itself.
///
/// # Errors
/// It cannot be read, or says something that cannot be gone by.
pub(crate) fn read(path: &Path) -> Result<Option<Inline>, Error> {
    let text = settings::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let unclear = |detail: String| Error::Unclear { path: path.to_owned(), detail };
    let Some(block) = block(&String::from_utf8_lossy(&text)).map_err(|detail| unclear(detail.to_owned()))?
    else {
        return Ok(None);
    };
    let block: Block = toml::from_str(&block).map_err(|error| unclear(error.message().to_owned()))?;
    if let Some(requires) = &block.requires_python
        && admits(requires, &[3]).is_none()
    {
        return Err(unclear(format!("requires-python = {requires:?} is no list of versions")));
    }
    let more = |what: String| Error::More { path: path.to_owned(), what };
    if let Some(key) = block.tool.get("uv").and_then(toml::Value::as_table).and_then(|uv| uv.keys().next()) {
        return Err(more(format!("tool.uv.{key}")));
    }
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    if Path::new(&lock).exists() {
        return Err(more(format!("the lock beside it ({})", Path::new(&lock).display())));
    }
    let requirement = |word: &String| {
        package::requirement(word).map_err(|source| Error::Package { path: path.to_owned(), source })
    };
    let dependencies = block.dependencies.iter().map(requirement).collect::<Result<_, _>>()?;
    Ok(Some(Inline { dependencies, requires_python: block.requires_python }))
}

/// The text of the block, without what makes it a comment. It ends at the last closing line of the comment that it
/// stands in.
fn block(text: &str) -> Result<Option<String>, &'static str> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut found: Option<String> = None;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if *line != OPENING {
            continue;
        }
        let comment = lines[at..].iter().take_while(|line| **line == "#" || line.starts_with("# "));
        let inside: Vec<&str> = comment.copied().collect();
        let Some(end) = inside.iter().rposition(|line| *line == CLOSING) else { continue };
        if found.is_some() {
            return Err("there are two");
        }
        let bare = |line: &&str| line.strip_prefix("# ").unwrap_or_default().to_owned();
        found = Some(inside[..end].iter().map(bare).collect::<Vec<_>>().join("\n"));
        at += end + 1;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of(text: &str) -> Result<Option<Inline>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.py");
        fs::write(&path, text).unwrap();
        read(&path)
    }

    const HEAD: &str = "#!/usr/bin/env -S uv run --script\n# /// script\n";

    #[test]
    fn what_scripts_say_of_themselves() {
        let text = format!(
            "{HEAD}# requires-python = \">=3.11\"\n# dependencies = [\n#   \"mcp[cli]>=1.2,<2\",\n#\n#   \"httpx; python_version < '4'\",\n# ]\n# ///\nimport mcp\n"
        );
        let inline = of(&text).unwrap().unwrap();
        assert_eq!(inline.requires_python.as_deref(), Some(">=3.11"));
        let words: Vec<_> =
            inline.dependencies.iter().map(|it| (it.name.as_str(), it.word.as_str())).collect();
        assert_eq!(words, [("mcp", "mcp[cli]>=1.2,<2"), ("httpx", "httpx; python_version < '4'")]);
        assert_eq!(of(&text.replace('\n', "\r\n")).unwrap(), Some(inline));
    }

    #[test]
    fn what_is_no_block() {
        for text in [
            "import mcp\n",
            "# /// script\n# dependencies = []\n",
            "# /// script\n# dependencies = []\nx = 1\n# ///\n",
            "# /// other\n# dependencies = []\n# ///\n",
            "x = '''\n  # /// script\n  # ///\n'''\n",
        ] {
            assert_eq!(of(text).unwrap(), None, "{text}");
        }
        assert_eq!(of("# /// script\n# ///\n").unwrap(), Some(Inline::default()));
        // The last closing line of the comment ends it.
        assert!(of("# /// script\n# a = 1\n# ///\n# b = 2\n# ///\n").is_err());
    }

    #[test]
    fn what_cannot_be_gone_by_is_refused() {
        for (body, why) in [
            ("# dependencies = \"mcp\"\n", "cannot be understood"),
            ("# dependencies = [\n", "cannot be understood"),
            ("# dependency = []\n", "cannot be understood"),
            ("# requires-python = \"^3.11\"\n", "is no list of versions"),
            ("# dependencies = [\"x @ https://h/x.whl\"]\n", "no package of a registry"),
            ("# dependencies = [\"-r\"]\n", "no name of a package"),
            ("# dependencies = []\n# [tool.uv]\n# exclude-newer = \"2026-01-01\"\n", "tool.uv.exclude-newer"),
            ("# dependencies = []\n# ///\n\n# /// script\n", "there are two"),
        ] {
            let error = of(&format!("{HEAD}{body}# ///\n")).expect_err(body);
            assert!(error.to_string().contains(why), "{body}: {error}");
            assert!(!error.help().is_empty());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.py");
        fs::write(&path, "# /// script\n# dependencies = [\"mcp\"]\n# ///\n").unwrap();
        read(&path).unwrap();
        fs::write(folder.path().join("server.py.lock"), "").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("the lock beside it"));
    }
}
