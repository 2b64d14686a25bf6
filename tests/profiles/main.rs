//! The shipped profiles: real servers do their work under them, hostile ones get nowhere.
//!
//! `sessions`: a real server, driven by the official Python client under `--env prod`, and what its log refuses.
//! `attacks`: for each profile the same attacks, open without the pen, each refused in it by the named reason.
//!
//! The servers come from `scripts/peers.sh`; those that `tests/interop` and `tests/network` drive are not repeated here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod attacks;
#[allow(dead_code, reason = "shared with the tests of interoperability, which use more of it")]
#[path = "../interop/peers.rs"]
mod peers;
mod sessions;
mod stage;
