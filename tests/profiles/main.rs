//! The shipped profiles: real servers do their work under them, hostile ones get nowhere.
//!
//! `sessions`: for each profile of a server the real one, driven by the official Python client under `--env prod`, and what its log
//! refuses: nothing, but for what is named with a reason.
//! `attacks`: for each profile the same attacks, open without the pen, each refused in it by the named reason.
//! `npx`: the same for a package that npx itself runs in the pen.
//! `beyond`: what a real server is asked for that its profile does not grant.
//! `shadowing`: a module that lies in the workspace does not take the place of the server's own.
//!
//! The servers come from `scripts/peers.sh`. Those that speak with hosts of the Internet do so in the world of the network tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod attacks;
mod beyond;
mod cluster;
mod driven;
mod npx;
mod page;
#[allow(dead_code, reason = "shared with the tests of interoperability, which use more of it")]
#[path = "../interop/peers.rs"]
mod peers;
#[path = "../pen/mod.rs"]
mod pen;
mod sessions;
mod shadowing;
mod stage;

#[allow(dead_code, reason = "shared with the tests of the network, which use more of it")]
#[path = "../network/certificates.rs"]
mod certificates;
#[allow(dead_code, reason = "shared with the tests of the network, which use more of it")]
#[path = "../network/resolver.rs"]
mod resolver;
#[allow(dead_code, reason = "shared with the tests of the network, which use more of it")]
#[path = "../network/site.rs"]
mod site;
#[allow(dead_code, reason = "shared with the tests of the network, which use more of it")]
#[path = "../network/world.rs"]
mod world;
