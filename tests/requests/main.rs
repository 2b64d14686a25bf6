//! What servers ask of the client: by the profile, on the record, and survived by both.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the session of the gate's tests has more than these need")]

mod asked;
mod everything;
mod floods;
#[path = "../interop/peers.rs"]
mod peers;
#[path = "../gate/session.rs"]
mod session;
mod tasks;
