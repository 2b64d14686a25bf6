//! JSON-RPC 2.0 over lines: framing ([`frame`]) and messages ([`scan`]), sans I/O.
//!
//! The invariant: a message that two readers could take for different things is not a message. What [`scan`] lets
//! through has one meaning for JavaScript, Python, Go and Rust alike: every name once (case folded, because Go does),
//! valid UTF-8, no lone surrogate, nothing before or after, an object where an object belongs. One pass over the
//! bytes, nothing is copied that has no escape in it, and the bytes themselves are what is forwarded.
//!
//! Rests on RFC 8259 (JSON), the JSON-RPC 2.0 specification, and MCP's stdio transport (one message a line).

mod block;
mod envelope;
mod fault;
mod fold;
pub mod frame;
mod id;
mod members;
mod message;
mod outline;
mod scan;
mod strings;
#[cfg(test)]
mod tests;
mod tree;

pub use envelope::scan;
pub use fault::{Class, Fault, ScanError};
pub use fold::folded;
pub use id::{Id, IdKey};
pub use members::{length, members, replaced};
pub use message::{Body, Invocation, Limits, Message, Params, Payload, Raw, Reply, Response, TOOLS_LIST};
pub use outline::Outline;
pub use tree::{Elements, Kind, Members, Node, Tree, TreeError};
