//! What is made of the log for people and for other programs: the HTML page in a real browser,
//! exports read by programs that read such formats, an incident from the first question to the answer, and what
//! `explain` proposes, tried by `replay` and in a real rerun.
//!
//! The peers come from `scripts/peers.sh`, the browser is the system's Chromium.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod browser;
mod denials;
mod export;
mod incident;
mod peers;
#[path = "../pen/mod.rs"]
mod pen;
mod report;
mod walk;
