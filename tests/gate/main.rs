//! The gate in front of real servers: what their own schemas say, what their lists show, which paths they may be asked for,
//! and what becomes of messages that two readers could take for different ones. A server that breaks the protocol is a script
//! of ours: no real one does it on demand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the session is shared with the tests of pins")]

mod ambiguous;
mod lists;
mod odd_servers;
mod paths;
#[path = "../interop/peers.rs"]
mod peers;
mod schemas;
mod session;
