//! Our own folders, by role. No server is ever granted access to them.

use std::path::PathBuf;

/// The four roots of the XDG base directory specification, already ending in `caponier`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// `$XDG_CONFIG_HOME/caponier`: `config.toml`, `profiles/`.
    pub config: PathBuf,
    /// `$XDG_STATE_HOME/caponier`: `audit/`, `pins/`, `clients/`.
    pub state: PathBuf,
    /// `$XDG_DATA_HOME/caponier`: `servers/`, `homes/`, `caches/`, `tmp/`.
    pub data: PathBuf,
    /// `$XDG_RUNTIME_DIR/caponier`, or `run` in the state folder.
    pub runtime: PathBuf,
}

impl Directories {
    /// Where the user's profiles are.
    pub fn profiles(&self) -> PathBuf {
        self.config.join("profiles")
    }

    /// Where logs are, unless `--audit-dir` says otherwise.
    pub fn audit(&self) -> PathBuf {
        self.state.join("audit")
    }

    /// Where each session's TMPDIR is made.
    pub fn tmp(&self) -> PathBuf {
        self.data.join("tmp")
    }

    /// Where the caches are in which servers execute what they wrote.
    pub fn caches(&self) -> PathBuf {
        self.data.join("caches")
    }

    /// Where lasting private homes are.
    pub fn homes(&self) -> PathBuf {
        self.data.join("homes")
    }
}
