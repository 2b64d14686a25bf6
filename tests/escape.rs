//! Escapes: every attack of the checklist, in the open and in the pen.
//!
//! One C program per case lies in `tests/escape/attacks`, its header tells vulnerability, vector and expected result;
//! the tests here say under which profile it runs, the errno of each step, and the record of each refusal. The
//! builder and its rules: `tests/escape/trial.rs`. Attacks on messages, the network broker and the install phase are
//! not here.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

#[path = "escape/containers.rs"]
mod containers;
#[path = "escape/execution.rs"]
mod execution;
#[path = "escape/files.rs"]
mod files;
#[path = "escape/kernel.rs"]
mod kernel;
#[path = "escape/metadata.rs"]
mod metadata;
#[path = "escape/processes.rs"]
mod processes;
#[path = "escape/protected.rs"]
mod protected;
#[path = "escape/record.rs"]
mod record;
#[path = "escape/reports.rs"]
mod reports;
#[path = "escape/scene.rs"]
mod scene;
#[path = "escape/sockets.rs"]
mod sockets;
#[path = "escape/trial.rs"]
mod trial;
