//! From a session that was watched to a profile that holds it: `run --observe`, `learn`, and the learned profile enforced
//! on the same session and on an attack. With the real servers of `scripts/peers.sh`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../interop/peers.rs"]
mod peers;

mod observed;
mod proposals;
mod scene;
mod servers;
