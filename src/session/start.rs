//! The first line of a session: what runs, under what, and what is enforced.

use std::path::Path;

use crate::event::{Enforced, Redact, RepositoryFile, SessionStart, text};
use crate::sandbox::support::Enforceable;
use crate::session::Request;

/// What a server reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Network {
    /// Nothing.
    None,
    /// What its profile lists.
    AllowList,
    /// Nothing, though its profile lists something.
    Unavailable(String),
}

/// Everything that is known before the server's first program runs.
pub(super) fn session_start(
    request: &Request,
    redact: &dyn Redact,
    enforceable: &Enforceable,
    bounding_dropped: bool,
    exe_sha256: Option<String>,
    network: &Network,
) -> SessionStart {
    let argv = request.command.given.iter().map(|word| text(word.as_encoded_bytes()).into_owned()).collect();
    // Before they are joined: where a word ends is lost then.
    let argv = redact.words(argv);
    let policy = &request.policy;
    let mut degraded = enforceable.degraded.clone();
    if let Network::Unavailable(why) = network {
        degraded.push(format!("network: none, although the profile has hosts: {why}"));
    }
    if policy.process.nested_seccomp {
        degraded
            .push("process.nested_seccomp: the server's own filters can hide calls from the record".into());
    }
    for grant in &policy.process.execute_writable {
        let folder = grant.path.display();
        degraded.push(format!("process.execute_writable: the server executes what it wrote in {folder}"));
    }
    if !policy.audit.file_reads && policy.network.is_empty() {
        degraded
            .push("audit.file_reads = false: what is read is not recorded, and /proc is not served".into());
    }
    if request.observe.is_some() {
        degraded.push(
            "--observe: what the profile would refuse to read or execute is let through, and marked".into(),
        );
    }
    SessionStart {
        command: argv.join(" "),
        argv,
        exe: shown(&request.command.target),
        exe_sha256,
        package: request.package.as_ref().map(|held| held.package()),
        package_digest: request.package.as_ref().map(|held| held.digest().to_owned()),
        cwd: shown(&request.cwd),
        profile: policy.profile.name.clone(),
        profile_file: match policy.profile.file.starts_with("<shipped>") {
            true => shown(&policy.profile.file),
            false => shown(&request.cwd.join(&policy.profile.file)),
        },
        profile_sha256: policy.profile.sha256.clone(),
        locked: request.locked,
        repository: request.repository.as_ref().map(|found| RepositoryFile {
            file: shown(&found.file),
            sha256: found.sha256.clone(),
            approved: found.approved,
        }),
        flags: request.flags.iter().map(|word| text(word.as_encoded_bytes()).into_owned()).collect(),
        workspace: shown(&request.workspace),
        env: policy.profile.env.as_str(),
        observe: request.observe.is_some(),
        client: request.client.clone(),
        user: user(),
        kernel: kernel(),
        enforced: enforced(request, enforceable, bounding_dropped, network),
        degraded,
        env_removed: request.environment.removed.clone(),
        caponier: env!("CARGO_PKG_VERSION"),
    }
}

fn enforced(
    request: &Request,
    enforceable: &Enforceable,
    bounding_dropped: bool,
    network: &Network,
) -> Enforced {
    let limits = &request.policy.limits;
    let held = [
        ("memory", limits.memory.is_some()),
        ("processes", limits.processes.is_some()),
        ("open_files", limits.open_files.is_some()),
        ("file_size", limits.file_size.is_some()),
        ("cpu_time", limits.cpu_time.is_some()),
        ("wall_time", limits.wall_time.is_some()),
    ];
    Enforced {
        landlock_abi: enforceable.landlock_abi,
        fs: true,
        net: if matches!(network, Network::AllowList) { "allow-list" } else { "none" },
        scopes: if enforceable.scopes { vec!["signal", "abstract-unix"] } else { Vec::new() },
        seccomp: true,
        notify: true,
        caps: if bounding_dropped { "dropped" } else { "bounding: kept" },
        limits: held.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect(),
        kill: if enforceable.scopes { "scope" } else { "loop" },
        gate: vec!["tools", "framing"],
    }
}

fn shown(path: &Path) -> String {
    text(path.as_os_str().as_encoded_bytes()).into_owned()
}

/// The program that started us. To be asked while we still have the rights of the user who started it.
pub fn client() -> Option<String> {
    let exe = std::fs::read_link(format!("/proc/{}/exe", nix::unistd::getppid())).ok()?;
    Some(shown(&exe))
}

fn user() -> String {
    let uid = nix::unistd::getuid();
    match nix::unistd::User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

fn kernel() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    read.trim().to_owned()
}
