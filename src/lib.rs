//! caponier runs a local MCP server in a pen: confined by the kernel, judged at every message, recorded on one timeline.
//!
//! The floors, from the top: `cli` → `session` → `notify learn store` → `supervisor relay network audit` → `sandbox mcp profile
//! event clients` → `policy jsonrpc sys`. A module imports only from floors below it; `tests/architecture.rs` enforces that, and
//! `docs/ARCHITECTURE.md` tells why.

pub mod audit;
pub mod cli;
pub mod clients;
pub mod event;
pub mod jsonrpc;
pub mod learn;
pub mod mcp;
pub mod network;
pub mod notify;
pub mod policy;
pub mod profile;
pub mod relay;
pub mod sandbox;
pub mod session;
pub mod store;
pub mod supervisor;
pub mod sys;
