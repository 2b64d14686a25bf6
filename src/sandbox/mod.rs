//! Policy × what the kernel offers → [`plan::Plan`] → kernel objects, and the child side that enforces them.
//!
//! Landlock and seccomp are two walls with one purpose each: Landlock decides about files whatever the server's memory
//! says; the seccomp program decides what is asked of the supervisor. Rests on `landlock(7)`, `seccomp(2)`,
//! `seccomp_unotify(2)`.

pub mod allowlist;
pub mod cache;
pub mod command;
pub mod control;
pub mod environment;
pub mod filter;
pub mod folders;
pub mod init;
pub mod observe;
pub mod plan;
pub mod program;
pub mod rules;
pub mod search;
pub mod shims;
pub mod support;
pub mod wire;
