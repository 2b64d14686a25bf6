//! sandbox

pub mod command;
pub mod environment;
pub mod program;
pub mod search;
pub mod shims;
