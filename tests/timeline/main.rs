//! The timeline is true: what the log says a call touched is what `strace` sees the same server touch for the same call.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../interop/peers.rs"]
mod peers;

mod session;
mod strace;
mod witness;
