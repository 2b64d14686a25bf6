//! The keys that a profile may have by its format and that nothing enforces yet: their form is checked, and then they
//! are refused.
//!
//! A rule that is accepted and not enforced is worse than none: its author believes in it.

use crate::policy::grant::Origin;
use crate::profile::problem::Problem;
use crate::profile::tree::Reading;

/// Refuses a key that nothing enforces.
pub(super) fn report(reading: &Reading<'_>, origin: Origin, what: &str) {
    report_with(reading, origin, what, "leave it out; it is refused so that nobody relies on it");
}

/// Refuses a key that nothing enforces, with its own help.
pub(super) fn report_with(reading: &Reading<'_>, origin: Origin, what: &str, help: &str) {
    reading.report(Problem::new(origin, format!("{what} is not enforced by this version")).help(help));
}
