//! What an attack said on stderr; the form is told in `attacks/attack.h`.

use std::collections::BTreeSet;

/// The lines, read.
pub(crate) struct Reports {
    /// Step, and the errno when it was blocked.
    pub(crate) steps: Vec<(String, Option<String>)>,
    /// Every process that named itself.
    pub(crate) pids: BTreeSet<u64>,
}

impl Reports {
    /// Reads them; other lines are caponier's own words to the user.
    pub(crate) fn parse(stderr: &str) -> Reports {
        let mut reports = Reports { steps: Vec::new(), pids: BTreeSet::new() };
        for line in stderr.lines() {
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("PID"), Some(pid), None) => {
                    reports.pids.insert(pid.parse().expect("a number"));
                }
                (Some("OPEN"), Some(step), None) => reports.steps.push((step.into(), None)),
                (Some("BLOCKED"), Some(step), Some(errno)) => {
                    reports.steps.push((step.into(), Some(errno.into())));
                }
                (Some("BROKEN"), ..) => panic!("the attack could not be staged:\n{stderr}"),
                _ => {}
            }
        }
        reports
    }
}
