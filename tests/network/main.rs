//! The network broker, proven from outside: unmodified clients reach what the profile lists, attackers reach nothing
//! else, and a socket in the pen behaves as a socket does.
//!
//! Each test runs in a network of its own ([`world`]), tries in the open what it tries in the pen, and reads the log
//! afterwards. C programs and scripts lie in `programs/`; real clients come from Debian and from `scripts/peers.sh`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what comes next uses the rest")]

#[path = "../pen/mod.rs"]
mod pen;

#[path = "../interop/peers.rs"]
mod peers;

mod certificates;
mod grammar;
mod ground;
mod resolver;
mod site;
mod visit;
mod world;
