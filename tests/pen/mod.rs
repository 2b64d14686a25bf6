//! What the tests of the whole program share: a piece of ground with known files, the C programs that run on it, the
//! binary under test in an environment of its own, and its log.
//!
//! Nothing here touches the real HOME. The binary under test is `$CAPONIER_BIN`, or the one that cargo built.

#![allow(dead_code, reason = "each test program uses its own part of this module")]

pub(crate) mod ground;
pub(crate) mod launch;
pub(crate) mod log;
pub(crate) mod processes;
pub(crate) mod program;
