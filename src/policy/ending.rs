//! How a process ended, and what it used.

use serde::Serialize;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// By itself, with this code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

impl Status {
    /// From a wait status (`wait(2)`).
    pub fn of_wait(raw: i32) -> Status {
        match raw & 0x7f {
            0 => Status::Exit(raw >> 8 & 0xff),
            signal => Status::Signal(signal),
        }
    }
}

/// Resources that a process used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rusage {
    /// User CPU time.
    pub user_us: u64,
    /// System CPU time.
    pub system_us: u64,
    /// Largest resident set.
    pub max_rss_kib: u64,
}
