//! Names of environment variables in a profile: which can be one, and which may be passed on.
//!
//! A variable that makes a program run or trust something else ([`injection`]) is never passed on from outside; a
//! profile can only set it to a value that is written down (environ(7), ld.so(8)).

use crate::policy::injection;
use crate::profile::problem::Problem;
use crate::profile::tree::{Reading, Sourced};

/// Whether a variable can have this name (POSIX.1, chapter 8).
fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reports a name that no variable can have.
pub(super) fn check_name(reading: &Reading<'_>, name: &Sourced<String>) {
    if !is_name(&name.value) {
        let message = format!("`{}` cannot be a variable's name", name.value.escape_debug());
        reading.report(Problem::new(name.origin.clone(), message));
    }
}

/// Reports names that may not be passed on.
pub(super) fn check_passed<'a>(reading: &Reading<'_>, names: impl Iterator<Item = &'a Sourced<String>>) {
    for name in names {
        check_name(reading, name);
        if let Some(kind) = injection::kind(&name.value) {
            let message = format!("`{}` is never passed on: it {}", name.value, kind.explanation());
            let help =
                format!("if the server needs it, write its value: env.set = {{ {} = \"…\" }}", name.value);
            reading.report(Problem::new(name.origin.clone(), message).help(help));
        }
    }
}
