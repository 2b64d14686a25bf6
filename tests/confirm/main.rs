//! A person's yes: real clients and servers, a real terminal, a real dialog. What counts is what the server did.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the stages of other tests have more than these need")]

#[path = "../interop/clients.rs"]
mod clients;
mod desktop;
mod official;
#[path = "../interop/peers.rs"]
mod peers;
#[path = "../interop/servers.rs"]
mod servers;
mod session;
mod terminal;
