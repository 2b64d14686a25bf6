//! The gate: a message in, a judgement out. No I/O, no clock: the caller says what time it is.
//!
//! [`gate`] decides, [`catalog`] knows the server's tools, [`pending`] knows what is in flight, [`mismatch`] holds calls against what their tools declare, [`refusal`] says why not, [`answer`] tells whoever asked,
//! [`confirm`] has a person asked, [`pins`] compares what a server says of itself with what it said at first,
//! [`shape`] records arguments without their values, [`visible`] shows hostile text. The invariant: nothing is
//! admitted without a [`gate::Permit`], and only a judgement makes one.
//!
//! Rests on the Model Context Protocol, revisions 2024-11-05 to 2026-07-28.

pub mod answer;
pub mod arguments;
pub mod ask;
mod caps;
pub mod catalog;
pub mod confirm;
mod fields;
pub mod gate;
pub mod mismatch;
pub mod pending;
mod percent;
pub mod pins;
mod rates;
pub mod refusal;
pub mod schema;
pub mod shape;
mod tasks;
mod tools;
pub mod visible;
