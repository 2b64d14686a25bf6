//! The managed store: packages are installed once, in a pen of their own, whole and locked, and are run from there.
//!
//! ```text
//! words → asked → wish ─┬─ in the store → check → words that start the program itself
//!                       └─ install phase → lock → into the store
//! ```
//!
//! Invariants: a later start needs no network, no package manager and no shell; a tree is used only when it is finished
//! and is what was locked; a tree is never changed, and not removed while a session runs from it; whatever breaks, the
//! tree that was in use stays in use.

pub(crate) mod asked;
mod hosts;
pub(crate) mod install;
pub(crate) mod lockfile;
mod npm;
mod npmrc;
pub(crate) mod package;
pub(crate) mod phase;
mod pipconf;
pub(crate) mod project;
pub(crate) mod python;
pub(crate) mod record;
pub(crate) mod script;
pub(crate) mod server;
mod settings;
mod specifier;
pub(crate) mod staged;
mod staging;
mod tree;
pub(crate) mod unresolved;
pub(crate) mod uv_options;
pub(crate) mod uv_run;

pub use crate::store::server::Held;

pub(crate) use crate::store::hosts::network;
