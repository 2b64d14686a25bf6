//! sys

pub mod terminal;
