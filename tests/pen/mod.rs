//! What the tests of the whole program share: a piece of ground with known files, the C programs that run on it, the
//! binary under test in an environment of its own, and its log.
//!
//! Nothing here touches the real HOME. The binary under test is `$CAPONIER_BIN`, or the one that cargo built.

#![allow(dead_code, reason = "each test program uses its own part of this module")]

pub(crate) mod apart;
pub(crate) mod ground;
pub(crate) mod launch;
pub(crate) mod log;
pub(crate) mod processes;
pub(crate) mod program;

use std::path::PathBuf;

use ground::Ground;

/// A profile over a ground: what every test that is not about profiles runs under.
pub(crate) fn plain_profile(ground: &Ground, more: &str) -> PathBuf {
    let (reading, workspace) = (ground.text("reading"), ground.text("workspace"));
    ground.profile(&format!(
        "version = 1\ndescription = \"a plain pen\"\n[filesystem]\nread = [{reading:?}]\nwrite = [{workspace:?}]\n{more}"
    ))
}

/// The words that start a program of `tests/pen/programs`.
pub(crate) fn words(program: &str, rest: &[&str]) -> Vec<String> {
    let program = program::program(program).to_str().expect("UTF-8").to_owned();
    [program].into_iter().chain(rest.iter().map(|word| (*word).to_owned())).collect()
}
