//! `[limits]`: resource limits. `None` means "no limit of ours"; what the user already has still holds.

use std::time::Duration;

use serde::Serialize;

/// The least that `open_files` can be: a program is started in the pen over descriptors with numbers above those of any
/// stream, and this is the next power of two.
pub const LEAST_OPEN_FILES: u32 = 128;

/// Limits of the server's whole process tree, or of each process where the kernel counts by process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Bytes of private writable memory per process (`RLIMIT_DATA`; never `RLIMIT_AS`, which kills Node).
    pub memory: Option<u64>,
    /// Processes of the tree at one time (counted at fork; never `RLIMIT_NPROC`, which counts the whole user).
    pub processes: Option<u32>,
    /// File descriptors per process (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
    /// Bytes of the largest file that can be written (`RLIMIT_FSIZE`).
    pub file_size: Option<u64>,
    /// CPU time per process (`RLIMIT_CPU`, whole seconds).
    pub cpu_time: Option<Duration>,
    /// Longest run; then the session ends with status 124.
    pub wall_time: Option<Duration>,
}
