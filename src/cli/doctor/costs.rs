//! What each thing that is not there costs: what a server can do here that it could not elsewhere, or what the log then
//! lacks.

use serde::Serialize;

use crate::cli::doctor::Report;
use crate::cli::doctor::machine::Cgroups;

/// A thing that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Missing {
    /// Its name.
    pub(super) what: String,
    /// What one does without.
    pub(super) costs: String,
}

/// Everything that is missing, the worst first.
pub(super) fn of(report: &Report) -> Vec<Missing> {
    let landlock = &report.landlock;
    let least = landlock.least;
    let abi = landlock.abi.unwrap_or_default();
    let all: [(bool, String, &str); 9] = [
        (
            landlock.abi.is_none(),
            "Landlock".into(),
            "nothing can be run: it is the wall around files; a kernel that has it, or lsm=landlock,... at boot, is needed",
        ),
        (
            landlock.abi.is_some() && abi < least,
            format!("Landlock ABI {least}"),
            "nothing can be run: older ones let TCP through; Linux 6.7 has it",
        ),
        (
            !report.notify.ok,
            "seccomp notifications".into(),
            "nothing can be run: nothing that a server does would be seen",
        ),
        (
            !report.pidfd_getfd.ok,
            "pidfd_getfd".into(),
            "no server reaches a network, whatever its profile lists",
        ),
        (
            abi >= least && !landlock.scopes,
            "Landlock scopes (ABI 6)".into(),
            "signals are checked by the broker, and a tree is ended process by process; with require.kill_scope = \"required\" nothing starts",
        ),
        (
            abi >= least && abi < 7,
            "Landlock audit flags (ABI 7)".into(),
            "the kernel's own audit log says less of what programs of a server are refused; caponier's log has it",
        ),
        (
            report.notify.ok && !report.notify_wakes_at_once,
            "wake-up at once after a notification (Linux 6.6)".into(),
            "every recorded access takes longer",
        ),
        (
            !report.network.counts_direct_bytes,
            "byte counts of direct connections".into(),
            "network.close has no bytes where a server spoke to an address or a local port",
        ),
        (
            report.machine.cgroups == Cgroups::None,
            "cgroups".into(),
            "runtimes cannot see how much memory a container has; caponier's limits do not need them",
        ),
    ];
    let missing = all.into_iter().filter(|(missing, ..)| *missing);
    let missing = missing.map(|(_, what, costs)| Missing { what, costs: costs.to_owned() });
    report.folders.missing().into_iter().chain(missing).collect()
}
