//! The keys that a profile may have by its format and that nothing enforces yet: their form is checked, and then they
//! are refused.
//!
//! A rule that is accepted and not enforced is worse than none: its author believes in it.

use crate::policy::grant::Origin;
use crate::profile::problem::Problem;
use crate::profile::tree::{Node, Reading, Table};

/// Refuses a key that nothing enforces.
pub(super) fn report(reading: &Reading<'_>, origin: Origin, what: &str) {
    report_with(reading, origin, what, "leave it out; it is refused so that nobody relies on it");
}

/// Refuses a key that nothing enforces, with its own help.
pub(super) fn report_with(reading: &Reading<'_>, origin: Origin, what: &str, help: &str) {
    reading.report(Problem::new(origin, format!("{what} is not enforced by this version")).help(help));
}

/// `[confirm]`.
pub(super) fn confirm(mut table: Table<'_>) {
    let reading = table.reading();
    let items = table.list("channels");
    if let Some(first) = items.first() {
        report(reading, reading.origin(&first.span()), "`confirm.channels`");
    }
    for item in items {
        channel(&table, item);
    }
    if let Some(found) = table.duration("timeout") {
        report(reading, found.origin, "`confirm.timeout`");
    }
    table.finish();
}

fn channel<'t>(table: &Table<'t>, node: Node<'t>) {
    let Some(found) = table.as_string("channels", node) else { return };
    if !["elicitation", "desktop", "terminal"].contains(&found.value.as_str()) {
        let message = format!("`confirm.channels` cannot hold \"{}\"", found.value.escape_debug());
        let help = "it holds: elicitation, desktop, terminal";
        table.reading().report(Problem::new(found.origin, message).help(help));
    }
}
