//! The validator of argument schemas against the official test suite and against another implementation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod generated;
mod scope;
mod suite;
