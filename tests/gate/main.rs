//! The gate in front of real servers: what their own schemas say, what their lists show.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod lists;
#[path = "../interop/peers.rs"]
mod peers;
mod schemas;
mod session;
