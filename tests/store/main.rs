//! The managed store, from outside: launcher lines as people have them, with real packages from the registries that this
//! machine's npm and pip are configured with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the modules that other tests share are used in parts")]

mod faults;
mod launchers;
#[path = "../interop/peers.rs"]
mod peers;
#[path = "../pen/mod.rs"]
mod pen;
mod scene;
mod starts;
mod unresolved;
mod updates;
mod uv;
