//! The network broker, proven from outside: unmodified clients reach what the profile lists, attackers reach nothing
//! else, and a socket in the pen behaves as a socket does.
//!
//! Each test runs in a network of its own ([`world`]), tries in the open what it tries in the pen, and reads the log
//! afterwards. C programs and scripts lie in `programs/`; real clients come from Debian and from `scripts/peers.sh`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../pen/mod.rs"]
mod pen;

#[path = "../interop/peers.rs"]
#[allow(dead_code, reason = "shared with the interoperability tests")]
mod peers;

mod addresses;
mod certificates;
mod clients;
mod grammar;
mod ground;
mod hello;
mod limits;
mod names;
mod own;
mod resolver;
mod semantics;
mod servers;
mod site;
mod sockets;
mod talk;
mod visit;
mod world;
