//! What the commands of uv that start something have in common: options that change nothing about what that is.
//!
//! Rests on the help of `uv run` and `uv tool run`.

use std::ffi::OsString;

/// Options of uv's, whatever it is to do, that change nothing about what is run: how it looks, where it keeps what it
/// fetched, whom it trusts (the user's configuration says that), how it finds a Python (on PATH, here), and that it runs
/// nothing of a package that is installed.
pub(crate) const IGNORED: &[&str] = &[
    "-q",
    "-qq",
    "--quiet",
    "-v",
    "-vv",
    "--verbose",
    "--no-progress",
    "--isolated",
    "--no-env-file",
    "--native-tls",
    "--system-certs",
    "-n",
    "--no-cache",
    "--no-cache-dir",
    "--no-build",
    "--no-python-downloads",
    "--no-managed-python",
    "--compile-bytecode",
    "--require-build-hashes",
    "--no-require-build-hashes",
];

/// The same, with a value.
pub(crate) const IGNORED_VALUES: &[&str] = &["--cache-dir", "--color", "--link-mode"];

/// Options of uv's that have it look for newer packages.
pub(crate) const ANEW: &[&str] = &["--refresh", "-U", "--upgrade", "--reinstall", "--force-reinstall"];

/// Options of uv's before its subcommand whose value is a word of its own.
const VALUES: &[&str] = &[
    "--directory",
    "--project",
    "--cache-dir",
    "--color",
    "--config-file",
    "--allow-insecure-host",
    "--python-preference",
    "--python-fetch",
];

/// The first word that is no option, and where it stands; options before it may have values.
pub(crate) fn subcommand(words: &[OsString]) -> Option<(&str, usize)> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.to_str() {
            Some(option) if option.starts_with('-') => at += if VALUES.contains(&option) { 2 } else { 1 },
            _ => return Some((word.to_str()?, at)),
        }
    }
    None
}

/// What is said where an option asks for newer packages.
pub(crate) fn nothing_anew(option: &str) -> String {
    format!(
        "{option} fetches nothing: what is in the store stays in use until another version is staged and promoted \
         (`caponier server stage NAME`)"
    )
}
