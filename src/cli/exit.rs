//! Exit statuses, each with its one meaning. Fixed: clients and tests outside this repository rely on them.

use crate::event::Status;
use crate::sandbox::control::Step;

/// The command line is wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// A profile or setting is wrong (`EX_CONFIG`).
pub const CONFIGURATION: u8 = 78;
/// `limits.wall_time` is over.
pub const TIMED_OUT: u8 = 124;
/// The sandbox could not be set up: nothing was started.
pub const NOT_SET_UP: u8 = 125;
/// The command was found, and cannot or may not be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The command was not found.
pub const NOT_FOUND: u8 = 127;

/// The server's own code; 128 + n when signal n ended it.
pub fn of_status(status: Status) -> u8 {
    match status {
        // A wait status has eight bits of code.
        Status::Exit(code) => code.to_le_bytes()[0],
        Status::Signal(signal) => 128u8.saturating_add(signal.to_le_bytes()[0]),
    }
}

/// A step of the launch that failed.
pub fn of_launch(step: Step, errno: i32) -> u8 {
    match (step, errno) {
        (Step::Execute, libc::ENOENT) => NOT_FOUND,
        // The broker answers so when the log cannot be written.
        (Step::Execute, libc::EIO) => NOT_SET_UP,
        (Step::Execute, _) => NOT_EXECUTABLE,
        _ => NOT_SET_UP,
    }
}

/// What to do about a launch that failed.
pub fn help(step: Step, errno: i32) -> Option<&'static str> {
    match (step, errno) {
        (Step::Filter, libc::EBUSY) => Some(
            "another program outside already listens to system calls here (a nested run, or a container's \
                  supervisor): there can be one",
        ),
        (Step::InnerDomain | Step::OuterDomain, libc::E2BIG) => {
            Some("Landlock allows 16 layers, and this process has them already: do not nest runs that deep")
        }
        (Step::Execute, libc::EACCES) => {
            Some("caponier audit query --denied shows what was refused, and the line that would allow it")
        }
        (Step::Execute, libc::EIO) => Some("the log could not be written, so nothing may run"),
        (Step::Fork, libc::EAGAIN) => Some("this user may not start more processes (ulimit -u)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_signals_are_told_as_shells_do() {
        assert_eq!(of_status(Status::Exit(0)), 0);
        assert_eq!(of_status(Status::Exit(255)), 255);
        assert_eq!(of_status(Status::Signal(libc::SIGSEGV)), 139);
        assert_eq!(of_launch(Step::Execute, libc::ENOENT), 127);
        assert_eq!(of_launch(Step::Execute, libc::EACCES), 126);
        assert_eq!(of_launch(Step::Filter, libc::EBUSY), 125);
    }
}
