//! `profile show --plan`: what this kernel would be told. Grants become rules by inode with Landlock's rights, the rest of
//! the profile a seccomp program and limits; what the broker performs itself is named.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::diagnostic::escape;
use crate::cli::exit;
use crate::cli::profile::{fail, json, print, refused};
use crate::policy::Policy;
use crate::policy::grant::{Access, Grant};
use crate::profile::Resolved;
use crate::sandbox::filter::{self, Choices};
use crate::sandbox::rules::{Rights, Rules};
use crate::sandbox::support::{Enforceable, Support};

/// Landlock's names for its rights.
const NAMES: &[(Rights, &str)] = &[
    (Rights::EXECUTE, "execute"),
    (Rights::WRITE_FILE, "write_file"),
    (Rights::READ_FILE, "read_file"),
    (Rights::READ_DIR, "read_dir"),
    (Rights::REMOVE_DIR, "remove_dir"),
    (Rights::REMOVE_FILE, "remove_file"),
    (Rights::MAKE_CHAR, "make_char"),
    (Rights::MAKE_DIR, "make_dir"),
    (Rights::MAKE_REG, "make_reg"),
    (Rights::MAKE_SOCK, "make_sock"),
    (Rights::MAKE_FIFO, "make_fifo"),
    (Rights::MAKE_BLOCK, "make_block"),
    (Rights::MAKE_SYM, "make_sym"),
    (Rights::REFER, "refer"),
    (Rights::TRUNCATE, "truncate"),
    (Rights::IOCTL_DEV, "ioctl_dev"),
];

#[derive(Serialize)]
struct Plan<'p> {
    profile: &'p str,
    env: &'static str,
    landlock_abi: u32,
    scopes: bool,
    degraded: Vec<String>,
    rules: Vec<Rule>,
    /// Grants whose path still has a variable in it, or is not there.
    open: Vec<String>,
    seccomp: Seccomp,
    limits: Limits,
    network: &'static str,
}

#[derive(Serialize)]
struct Rule {
    path: String,
    dev: u64,
    ino: u64,
    /// What Landlock is told.
    rights: Vec<&'static str>,
    /// Changes that the broker performs, because names below may be protected.
    broker: Vec<&'static str>,
    line: String,
}

#[derive(Serialize)]
struct Seccomp {
    steps: usize,
    allowed: Vec<&'static str>,
    by_argument: Vec<&'static str>,
}

#[derive(Serialize)]
struct Limits {
    memory: Option<u64>,
    processes: Option<u32>,
    open_files: Option<u64>,
    file_size: Option<u64>,
    cpu_seconds: Option<u64>,
    wall_seconds: Option<u64>,
}

/// Prints the plan; 125 where this kernel cannot enforce the profile.
pub(super) fn show(resolved: &Resolved, as_json: bool) -> ExitCode {
    let policy = &resolved.policy;
    let enforceable = match Support::probe().meet(&policy.require) {
        Ok(enforceable) => enforceable,
        Err(unmet) => {
            fail(&refused(unmet.to_string()).into());
            return ExitCode::from(exit::NOT_SET_UP);
        }
    };
    match plan(policy, enforceable) {
        Ok(plan) if as_json => print(&json(&plan)),
        Ok(plan) => print(&text(&plan)),
        Err(message) => {
            fail(&refused(message).into());
            ExitCode::from(exit::NOT_SET_UP)
        }
    }
}

fn plan(policy: &Policy, enforceable: Enforceable) -> Result<Plan<'_>, String> {
    let kinds = [
        (Access::Read, &policy.filesystem.read),
        (Access::Write, &policy.filesystem.write),
        (Access::Execute, &policy.process.execute),
        // Where there is no session there is no cache yet: these stand among what is not there.
        (Access::Write, &policy.process.execute_writable),
        (Access::Execute, &policy.process.execute_writable),
    ];
    let grants: Vec<(Access, &Grant)> =
        kinds.into_iter().flat_map(|(access, list)| list.iter().map(move |grant| (access, grant))).collect();
    let is_there = |grant: &Grant| grant.path.is_absolute() && grant.path.exists();
    let open = grants
        .iter()
        .filter(|(_, grant)| !is_there(grant))
        .map(|(access, grant)| format!("{} {} ({})", access.key(), grant.path.display(), grant.origin))
        .collect();
    let there = grants.iter().filter(|(_, grant)| is_there(grant)).copied();
    let opened = Rules::open(there).map_err(|error| error.to_string())?;
    let has_network = !policy.network.is_empty();
    let choices = Choices {
        signal_scope: enforceable.scopes,
        nested_seccomp: policy.process.nested_seccomp,
        file_reads: policy.audit.file_reads || has_network,
        network: has_network,
    };
    let limits = &policy.limits;
    Ok(Plan {
        profile: &policy.profile.name,
        env: policy.profile.env.as_str(),
        landlock_abi: enforceable.landlock_abi,
        scopes: enforceable.scopes,
        degraded: enforceable.degraded,
        rules: opened.iter().map(rule).collect(),
        open,
        seccomp: seccomp(choices).map_err(|error| error.to_string())?,
        limits: Limits {
            memory: limits.memory,
            processes: limits.processes,
            open_files: limits.open_files,
            file_size: limits.file_size,
            cpu_seconds: limits.cpu_time.map(|time| time.as_secs().max(1)),
            wall_seconds: limits.wall_time.map(|time| time.as_secs()),
        },
        network: if has_network { "allow-list" } else { "none" },
    })
}

fn rule(rule: &crate::sandbox::rules::Rule) -> Rule {
    let names = |rights: Rights| {
        let held = NAMES.iter().filter(move |(right, _)| rights.cover(*right));
        held.map(|(_, name)| *name).collect()
    };
    Rule {
        path: rule.path.display().to_string(),
        dev: rule.inode.dev,
        ino: rule.inode.ino,
        rights: names(rule.held.kernel),
        broker: names(Rights(rule.held.granted.0 & !rule.held.kernel.0)),
        line: rule.origin.to_string(),
    }
}

fn seccomp(choices: Choices) -> Result<Seccomp, filter::Error> {
    let steps = filter::compile(choices)?.len();
    let (allowed, by_argument) = filter::names(choices)?;
    Ok(Seccomp { steps, allowed, by_argument })
}

fn text(plan: &Plan<'_>) -> String {
    let mut text = format!("profile {} ({})\n\n[landlock]\n", escape(plan.profile), plan.env);
    let scopes = if plan.scopes { "signals and abstract sockets" } else { "none" };
    let _ = writeln!(
        text,
        "abi {}, scopes: {scopes}, TCP: nothing; connections are the broker's",
        plan.landlock_abi
    );
    for lost in &plan.degraded {
        let _ = writeln!(text, "degraded: {}", escape(lost));
    }
    for rule in &plan.rules {
        let inode = format!("{}:{}", rule.dev, rule.ino);
        let _ = writeln!(text, "{inode:16} {:44} {}", escape(&rule.path), escape(&rule.line));
        let _ = writeln!(text, "{:16}   {}", "", rule.rights.join(" "));
        if !rule.broker.is_empty() {
            let _ = writeln!(text, "{:16}   by the broker: {}", "", rule.broker.join(" "));
        }
    }
    for open in &plan.open {
        let _ = writeln!(text, "{:16} {}", "not there", escape(open));
    }
    let Seccomp { steps, allowed, by_argument } = &plan.seccomp;
    let _ = writeln!(text, "\n[seccomp]\n{steps} steps; what is not named here is asked of the broker");
    let _ = writeln!(text, "allowed: {}", allowed.join(" "));
    let _ = writeln!(text, "allowed by their arguments: {}", by_argument.join(" "));
    let limits = &plan.limits;
    let number = |number: Option<u64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let _ = writeln!(text, "\n[limits]");
    for (name, value) in [
        ("RLIMIT_DATA", number(limits.memory)),
        ("processes", number(limits.processes.map(u64::from))),
        ("RLIMIT_NOFILE", number(limits.open_files)),
        ("RLIMIT_FSIZE", number(limits.file_size)),
        ("RLIMIT_CPU", number(limits.cpu_seconds)),
        ("wall seconds", number(limits.wall_seconds)),
    ] {
        let _ = writeln!(text, "{name:16} {value}");
    }
    let _ = writeln!(text, "\n[network]\n{}", plan.network);
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::cli::surroundings::Surroundings;
    use crate::policy::Environment;
    use crate::profile::resolve_text;

    #[test]
    fn grants_become_rules_by_inode_and_the_broker_keeps_what_is_protected() {
        let folder = tempfile::tempdir().unwrap();
        let written = folder.path().canonicalize().unwrap();
        let context = Surroundings::find().unwrap().context(None, None, None, None);
        let body = format!(
            "version = 1\n[filesystem]\nread = [\"/usr/share\", {{ path = \"/no/such\", optional = true }}]\n\
             write = [{:?}]\n[limits]\nprocesses = 3\n",
            written
        );
        let resolved = resolve_text(&body, Environment::Prod, &context).unwrap();
        let enforceable = Enforceable { landlock_abi: 7, scopes: true, degraded: Vec::new() };
        let plan = plan(&resolved.policy, enforceable).unwrap();
        let rule = |path: &str| plan.rules.iter().find(|rule| rule.path == path).unwrap();
        let share = rule("/usr/share");
        assert_eq!((share.rights.as_slice(), share.broker.len()), (&["read_file", "read_dir"][..], 0));
        assert_eq!(share.ino, std::fs::metadata("/usr/share").unwrap().ino());
        assert_eq!(share.line, "proposal:3:9");
        let project = rule(written.to_str().unwrap());
        assert_eq!(project.rights, ["read_file", "read_dir"]);
        assert!(project.broker.contains(&"make_reg") && !project.broker.contains(&"execute"));
        assert_eq!(plan.open, ["filesystem.read /no/such (proposal:3:32)"]);
        assert!(plan.seccomp.allowed.contains(&"read") && plan.seccomp.by_argument.contains(&"socket"));
        for asked in ["openat", "execve", "ptrace", "connect"] {
            assert!(!plan.seccomp.allowed.contains(&asked), "{asked}");
        }
        let shown = text(&plan);
        assert!(
            shown.contains("by the broker: write_file") && shown.contains("processes        3"),
            "{shown}"
        );
    }
}
