//! What is made of the log for people and for other programs: the HTML page in a real browser,
//! exports read by programs that read such formats, and an incident from the first question to the answer.
//!
//! The peers come from `scripts/peers.sh`, the browser is the system's Chromium.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod browser;
mod export;
mod incident;
mod peers;
mod report;
mod walk;
