//! A log of a real run: `caponier demo`, which attacks every layer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::peers;

/// Runs the program in `folder`, as somebody whose HOME that is.
pub(crate) fn caponier(folder: &Path, words: &[&str]) -> Output {
    let mut run = Command::new(peers::caponier());
    run.args(words).env_clear().env("HOME", folder).env("TMPDIR", folder).env("PATH", "/usr/bin:/bin");
    run.current_dir(folder).output().unwrap()
}

/// The same; what it printed. Panics when it fails.
pub(crate) fn told(folder: &Path, words: &[&str]) -> String {
    let done = caponier(folder, words);
    let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{words:?}: {stderr}");
    String::from_utf8(done.stdout).unwrap() + &stderr
}

/// A demo whose log is kept; where it is.
pub(crate) fn log(folder: &Path) -> PathBuf {
    told(folder, &["demo", "--keep", "--json"]);
    let kept = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    kept.map(|root| root.join("log")).find(|log| log.is_dir()).unwrap()
}
