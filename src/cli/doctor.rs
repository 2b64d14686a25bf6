//! `caponier doctor`: what this kernel, and whatever we run in, let us hold, and what each missing thing costs.
//!
//! Each line was tried, with the rights that a run has, and never derived from a version number. Exit status: 0; 1 where
//! nothing could be run here by this user, or not under the profile that was named. `--prove` is [`crate::cli::prove`]'s.

mod costs;
mod folders;
mod machine;
mod named;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::cli::diagnostic::{self, Style};
use crate::cli::doctor::costs::Missing;
use crate::cli::doctor::folders::Folders;
use crate::cli::doctor::machine::Machine;
use crate::cli::doctor::named::Named;
use crate::cli::profile::environment;
use crate::cli::prove;
use crate::policy::{Environment, MIN_LANDLOCK_ABI};
use crate::sandbox::support::{self, Support};
use crate::session;
use crate::sys::process::{self, Fork};

/// Version of the JSON.
const SCHEMA: u32 = 1;
/// Where Yama says who may look into whom.
const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// `caponier doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Run the attacks that belong to the profile, and tell which were blocked, and by whom
    #[arg(long)]
    prove: bool,
    /// A profile's name, or a file [default with --prove: base]
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// Which environment's files are meant: dev or prod
    #[arg(long, value_name = "ENV", default_value = "prod", value_parser = environment)]
    env: Environment,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    v: u32,
    version: u32,
    kernel: String,
    /// Whether a server can be run at all.
    can_run: bool,
    landlock: Landlock,
    notify: Found,
    /// Answers wake the server's thread at once (Linux 6.6).
    notify_wakes_at_once: bool,
    pidfd_getfd: Found,
    /// `null` without Yama.
    yama_ptrace_scope: Option<u32>,
    network: Network,
    /// Where what every run needs is kept.
    folders: Folders,
    #[serde(flatten)]
    machine: Machine,
    /// What is not there, and what that costs.
    missing: Vec<Missing>,
    /// The profile that was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Named>,
}

#[derive(Debug, Serialize)]
struct Landlock {
    /// `null`: none.
    abi: Option<u32>,
    /// The least that is asked for.
    least: u32,
    /// Signals and abstract sockets end at the pen (ABI 6).
    scopes: bool,
    why_not: Option<String>,
}

/// Something that was tried.
#[derive(Debug, Serialize)]
struct Found {
    ok: bool,
    why_not: Option<String>,
}

/// What a profile with hosts gets here.
#[derive(Debug, Serialize)]
struct Network {
    /// As in `session.start`: `allow-list`, or `none`.
    enforced: &'static str,
    /// Bytes of connections that do not lead through us are counted.
    counts_direct_bytes: bool,
    why_not: Option<String>,
}

impl From<Result<(), String>> for Found {
    fn from(tried: Result<(), String>) -> Self {
        Found { ok: tried.is_ok(), why_not: tried.err() }
    }
}

/// Runs `caponier doctor`.
pub fn run(args: &DoctorArgs) -> ExitCode {
    let named = args.profile.as_deref();
    if args.prove {
        let profile = named.unwrap_or(prove::DEFAULT);
        return prove::run(&prove::Proving { profile, environment: args.env, json: args.json });
    }
    let mut report = look();
    if let Some(name) = named {
        match Named::look(name, args.env, &report) {
            Ok(found) => report.profile = Some(found),
            Err(refused) => return refused.tell(),
        }
    }
    let good = report.can_run && report.profile.as_ref().is_none_or(|named| named.can_run);
    let text = if args.json { json(&report) } else { text(&report) };
    diagnostic::written(std::io::stdout().lock().write_all(text.as_bytes()), u8::from(!good))
}

/// Tries everything with the rights that a supervisor has.
fn look() -> Report {
    let copied = session::give_up_capabilities().map_err(|error| error.to_string()).and_then(|()| copied());
    let machine = Machine::look();
    let folders = Folders::look();
    let notified = support::may_be_notified();
    let notify_wakes_at_once = notified.as_ref().is_ok_and(|at_once| *at_once);
    let notify: Found = notified.map(drop).into();
    let pidfd_getfd: Found = copied.into();
    let support = Support::probe();
    let abi = support.landlock_abi.ok();
    let why_not = pidfd_getfd.why_not.clone().or_else(|| notify.why_not.clone());
    let mut report = Report {
        v: SCHEMA,
        version: SCHEMA,
        kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
        can_run: abi.is_some_and(|abi| abi >= MIN_LANDLOCK_ABI) && notify.ok && folders.why_not().is_none(),
        landlock: Landlock {
            abi,
            least: MIN_LANDLOCK_ABI,
            scopes: abi.is_some_and(|abi| abi >= support::SCOPED),
            why_not: support.landlock_abi.err().map(|errno| format!("the kernel says {errno}")),
        },
        network: Network {
            enforced: if why_not.is_none() { "allow-list" } else { "none" },
            counts_direct_bytes: crate::sys::diag::ends().is_ok(),
            why_not,
        },
        notify,
        notify_wakes_at_once,
        pidfd_getfd,
        folders,
        yama_ptrace_scope: read(YAMA).and_then(|text| text.parse().ok()),
        machine,
        missing: Vec::new(),
        profile: None,
    };
    report.missing = costs::of(&report);
    report
}

/// Whether we may copy a descriptor of a process below us that has no more rights than we have, like a server.
fn copied() -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let (mut ours, theirs) = std::io::pipe().map_err(said)?;
    // There is one thread yet: a fork is whole.
    match process::fork().map_err(said)? {
        Fork::Child => {
            drop(theirs);
            // Until we are asked about, and the other end is closed.
            let _ = std::io::Read::read(&mut ours, &mut [0; 1]);
            process::exit_now(0)
        }
        Fork::Parent(child) => {
            drop(ours);
            let tried = support::may_copy_descriptors(child);
            drop(theirs);
            let _ = process::reap(true);
            tried
        }
    }
}

fn read(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

fn json(report: &Report) -> String {
    serde_json::to_string(report).unwrap_or_default() + "\n"
}

fn text(report: &Report) -> String {
    let style = if std::io::stdout().is_terminal() { Style::stdout() } else { Style::PLAIN };
    let line = |ok: bool, name: &str, what: String| {
        let mark = if ok { style.paint("yes", 32) } else { style.paint("no ", 31) };
        format!("{mark}  {name:12} {}\n", diagnostic::escape(&what))
    };
    let because = |why: &Option<String>, good: &str| why.clone().unwrap_or_else(|| good.to_owned());
    let landlock = &report.landlock;
    let abi = match landlock.abi {
        Some(abi) if landlock.scopes => format!("ABI {abi}: files, TCP, signals"),
        Some(abi) if abi >= landlock.least => format!("ABI {abi}: files, TCP; no signal scope (ABI 6)"),
        Some(abi) => format!("ABI {abi}, {} is the least", landlock.least),
        None => because(&landlock.why_not, "none"),
    };
    let yama = report.yama_ptrace_scope.map_or_else(String::new, |scope| format!(" (Yama: {scope})"));
    let network = &report.network;
    let direct =
        if network.counts_direct_bytes { "" } else { "; bytes of direct connections are not counted" };
    let machine = &report.machine;
    let told = |name: &str, what: String| format!("     {name:12} {}\n", diagnostic::escape(&what));
    let mut lines = [
        format!("caponier {} on Linux {}\n", env!("CARGO_PKG_VERSION"), diagnostic::escape(&report.kernel)),
        line(landlock.abi.is_some_and(|abi| abi >= landlock.least), "landlock", abi),
        line(
            report.notify.ok,
            "seccomp",
            because(&report.notify.why_not, "notifications: every call off the allow-list is seen"),
        ),
        line(
            report.pidfd_getfd.ok,
            "pidfd_getfd",
            because(&report.pidfd_getfd.why_not, "the broker can act on a server's sockets") + &yama,
        ),
        line(
            network.why_not.is_none(),
            "network",
            match &network.why_not {
                None => format!("hosts that a profile lists can be reached, and no others{direct}"),
                Some(why) => format!("none, whatever a profile lists: {why}"),
            },
        ),
        line(
            report.folders.why_not().is_none(),
            "folders",
            because(&report.folders.why_not(), "the log and servers' own folders can be written"),
        ),
        line(
            report.can_run,
            "run",
            if report.can_run { "servers can be run here" } else { "nothing can be run here" }.to_owned(),
        ),
        told(
            "lsm",
            machine.lsm.as_ref().map_or_else(|| "the list cannot be read".into(), |lsm| lsm.join(", ")),
        ),
        told("container", machine.container.clone().unwrap_or_else(|| "none that shows".into())),
        told("cgroups", machine.cgroups.sentence().into()),
        told("io_uring", machine.io_uring.sentence()),
        told("namespaces", machine.user_namespaces.sentence()),
    ]
    .concat();
    for missing in &report.missing {
        let (what, costs) = (diagnostic::escape(&missing.what), diagnostic::escape(&missing.costs));
        lines.push_str(&format!("{} {what}: {costs}\n", style.paint("missing", 33)));
    }
    if let Some(named) = &report.profile {
        lines.push_str(&line(named.can_run, "profile", named.sentence()));
        for degraded in &named.degraded {
            let degraded = diagnostic::escape(degraded);
            lines.push_str(&format!("{} {degraded}\n", style.paint("degraded", 33)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(why_not: Option<String>) -> Report {
        let shut = || machine::Door { open: false, errno: Some("EPERM") };
        let mut report = Report {
            v: SCHEMA,
            version: SCHEMA,
            kernel: "6.18\u{1b}[2J".into(),
            can_run: true,
            landlock: Landlock { abi: Some(5), least: 4, scopes: false, why_not: None },
            notify: Found { ok: true, why_not: None },
            notify_wakes_at_once: true,
            pidfd_getfd: Found { ok: why_not.is_none(), why_not: why_not.clone() },
            yama_ptrace_scope: Some(2),
            network: Network {
                enforced: if why_not.is_none() { "allow-list" } else { "none" },
                counts_direct_bytes: false,
                why_not,
            },
            folders: Folders::fine(),
            machine: Machine {
                lsm: Some(vec!["landlock".into(), "yama".into()]),
                container: None,
                cgroups: machine::Cgroups::V2,
                io_uring: shut(),
                user_namespaces: shut(),
            },
            missing: Vec::new(),
            profile: None,
        };
        report.missing = costs::of(&report);
        report
    }

    #[test]
    fn what_is_missing_is_said_with_its_reason() {
        let told = text(&report(Some("pidfd_getfd is refused (EPERM)".into())));
        assert!(told.contains("no   pidfd_getfd  pidfd_getfd is refused (EPERM) (Yama: 2)\n"), "{told}");
        assert!(
            told.contains("no   network      none, whatever a profile lists: pidfd_getfd is refused"),
            "{told}"
        );
        assert!(told.contains("yes  landlock     ABI 5: files, TCP; no signal scope (ABI 6)\n"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told:?}");
        for (what, costs) in [
            ("Landlock scopes (ABI 6)", "signals are checked by the broker"),
            ("pidfd_getfd", "no server reaches a network"),
            ("byte counts of direct connections", "network.close"),
        ] {
            let line = told.lines().find(|line| line.starts_with(&format!("missing {what}: ")));
            assert!(line.is_some_and(|line| line.contains(costs)), "{what}: {told}");
        }
        assert!(
            !told.contains("missing cgroups") && told.contains("     lsm          landlock, yama\n"),
            "{told}"
        );
        let good = text(&report(None));
        assert!(
            good.contains(
                "yes  network      hosts that a profile lists can be reached, and no others; bytes of direct"
            ),
            "{good}"
        );
    }

    #[test]
    fn the_json_has_its_version() {
        let value: serde_json::Value = serde_json::from_str(&json(&report(None))).unwrap();
        assert_eq!((&value["version"], &value["network"]["enforced"]), (&1.into(), &"allow-list".into()));
        assert_eq!(value["yama_ptrace_scope"], 2);
    }
}
