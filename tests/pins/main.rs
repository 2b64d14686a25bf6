//! Pins, from outside: a server that says something else of its tools than when it was first seen. The servers are a script
//! of ours: no real one turns on its user on demand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the session is shared with the tests of the gate")]

mod offers;
#[path = "../interop/peers.rs"]
mod peers;
mod real;
mod scene;
#[path = "../gate/session.rs"]
mod session;
mod turns;
mod unwritable;
mod upgrades;
