//! Fail closed: where something is missing, wrong or broken, nothing is started or nothing is forwarded, and the
//! message says why.
//!
//! Each refusal has its positive control: the same run without the one fault starts the server, which leaves a mark.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

#[path = "refusals/broken.rs"]
mod broken;
#[path = "refusals/floods.rs"]
mod floods;
#[path = "refusals/kernel.rs"]
mod kernel;
#[path = "refusals/profiles.rs"]
mod profiles;
#[path = "refusals/workspace.rs"]
mod workspace;

use std::path::Path;
use std::process::Command;

use pen::ground::Ground;
use pen::launch::{self, Finished};
use pen::words;

/// The mark of a server that was started.
const MARK: &str = "workspace/started";

/// The words of a server that leaves its mark.
fn marking(ground: &Ground) -> Vec<String> {
    words("server", &["mark", &ground.text(MARK)])
}

/// The control: it starts.
fn assert_starts(ground: &Ground, profile: &Path) {
    let finished = launch::start(launch::run(ground, profile, &marking(ground))).finish();
    assert_eq!(finished.code(), Some(0), "the control must start: {finished:?}");
    assert!(ground.path(MARK).exists(), "the control left no mark");
    std::fs::remove_file(ground.path(MARK)).expect("mark");
}

/// The refusal: this status, these words, nothing started.
fn assert_refused(ground: &Ground, command: Command, status: i32, said: &[&str]) -> Finished {
    let shown = format!("{command:?}");
    let finished = launch::start(command).finish();
    assert_eq!(finished.code(), Some(status), "{shown}\n{finished:?}");
    assert!(!ground.path(MARK).exists(), "something was started: {shown}");
    assert!(finished.stdout.is_empty(), "{finished:?}");
    for word in said {
        assert!(finished.stderr.contains(word), "no {word:?} in\n{}\nof {shown}", finished.stderr);
    }
    finished
}

/// `run` under this profile, for [`assert_refused`].
fn run(ground: &Ground, profile: &Path) -> Command {
    launch::run(ground, profile, &marking(ground))
}
