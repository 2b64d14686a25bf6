//! The log: written line by line into a hash chain, verified and queried by plain scans.
//!
//! The invariant: a line is in the file as a whole or not at all, and it names the digest of the line before it. What
//! could not be written is refused or counted, never forgotten ([`writer`]). Secrets are taken out before ([`redact`]). Readers hold one line at a time and
//! tolerate, but report, a torn end ([`read`]). The format is told in `docs/AUDIT.md`.

pub mod behaviour;
pub mod chain;
pub mod condition;
pub mod count;
pub mod days;
#[cfg(test)]
mod documented;
pub mod exe;
pub mod export;
pub mod folder;
pub mod heads;
pub mod line;
pub mod prune;
pub mod query;
pub mod read;
pub mod redact;
pub mod replay;
pub mod report;
pub mod running;
#[cfg(test)]
pub(crate) mod sample;
mod segment;
pub mod session;
mod session_id;
pub mod stamp;
mod state;
pub mod suggestion;
pub mod verify;
pub mod writer;

pub use session_id::session_id;
