//! Configurations of clients: listed, wrapped, unwrapped; what the clients themselves make of that; and what goes wrong.
//!
//! Every test has a HOME of its own below a temporary folder. `fixtures/` holds a configuration of each client as it may
//! look in the wild (comments, odd blanks, CRLF, BOM, remote servers, wrappers of others), and below `wrapped/` what
//! `client wrap` makes of it: `CAPONIER_UPDATE=1 cargo test --test clients golden` writes the latter anew. Every
//! value in them that nobody may see begins with `Secret`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the paths here are the test's own")]

mod attacks;
mod fixtures;
mod golden;
mod home;
mod official;
mod options;
mod previews;
mod started;
