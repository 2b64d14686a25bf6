//! From a policy and a command to what `init` is sent, and to what the broker predicts with.
//!
//! Everything that can be refused is refused here, before anything of the server exists.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::policy::Policy;
use crate::policy::grant::{Access, Grant, Origin};
use crate::relay::Pinning;
use crate::sandbox::filter::Choices;
use crate::sandbox::observe;
use crate::sandbox::plan::Plan;
use crate::sandbox::rules::{self, Rules};
use crate::sandbox::support::{Enforceable, Support};
use crate::session::{Error, Request};

/// What is ready to be launched.
pub(super) struct Assembly {
    pub(super) plan: Plan,
    pub(super) rules: Arc<Rules>,
    /// Under `--observe`: the profile's own grants, which decide nothing.
    pub(super) narrow: Option<Arc<Rules>>,
    pub(super) inner: OwnedFd,
    pub(super) outer: Option<OwnedFd>,
    pub(super) enforceable: Enforceable,
    /// What is pinned of the server.
    pub(super) pins: Option<Pinning>,
}

pub(super) fn assemble(request: &Request) -> Result<Assembly, Error> {
    let pins = Pinning::of(&request.policy, &request.state_dir, &request.server)?;
    let enforceable = Support::probe().meet(&request.policy.require)?;
    let own = own_grants(request);
    let cache = cache_grants(request);
    let wide = wide_grants(request)?;
    let opened = |policy, wide| {
        let grants = granted(policy).chain(each(&own)).chain(each(wide));
        Rules::open(grants)?.and_exactly(each(&cache))
    };
    let rules = opened(&request.policy, &wide)?;
    let narrow = request.observe.as_ref().map(|observe| opened(&observe.profile, &[])).transpose()?;
    let inner = rules.ruleset(enforceable.landlock_abi)?;
    let outer = rules::scopes(enforceable.landlock_abi)?;
    let filter = Choices {
        signal_scope: enforceable.scopes,
        nested_seccomp: request.policy.process.nested_seccomp,
        // Two files are served by the broker where there is a network: it has to see every open.
        file_reads: request.policy.audit.file_reads || !request.policy.network.is_empty(),
        network: !request.policy.network.is_empty(),
    };
    let limits = &request.policy.limits;
    let plan = Plan {
        program: request.command.path.as_os_str().as_bytes().to_vec(),
        argv: request.command.argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        environment: request.environment.vars.iter().map(variable).collect(),
        cwd: request.cwd.as_os_str().as_bytes().to_vec(),
        memory: limits.memory,
        open_files: limits.open_files,
        file_size: limits.file_size,
        // RLIMIT_CPU counts whole seconds, and 0 would be none at all.
        cpu_time: limits.cpu_time.map(|time| time.as_secs().max(1)),
        scopes: outer.is_some(),
        log_new_exec: enforceable.landlock_abi >= 7,
        supervisor: std::process::id(),
        filter,
    };
    Ok(Assembly {
        plan,
        rules: Arc::new(rules),
        narrow: narrow.map(Arc::new),
        inner,
        outer,
        enforceable,
        pins,
    })
}

fn each(list: &[(Access, Grant)]) -> impl Iterator<Item = (Access, &Grant)> {
    list.iter().map(|(access, grant)| (*access, grant))
}

fn variable((name, value): &(std::ffi::OsString, std::ffi::OsString)) -> Vec<u8> {
    [name.as_bytes(), b"=", value.as_bytes()].concat()
}

/// What `--observe` adds: reading and executing outside what is never granted and what may be written.
fn wide_grants(request: &Request) -> Result<Vec<(Access, Grant)>, Error> {
    let Some(observe) = &request.observe else { return Ok(Vec::new()) };
    // Each rule holds a descriptor, and a home can have hundreds of entries.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(std::io::Error::from)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(std::io::Error::from)?;
    let written = request.policy.filesystem.write.iter().map(|grant| real(&grant.path));
    let never = observe.never.iter().map(|path| real(path));
    Ok(observe::wide(never.chain(written)))
}

/// The kernel's name for a path; as it is where it does not exist.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

pub(super) fn granted(policy: &Policy) -> impl Iterator<Item = (Access, &Grant)> {
    let read = policy.filesystem.read.iter().map(|grant| (Access::Read, grant));
    let write = policy.filesystem.write.iter().map(|grant| (Access::Write, grant));
    let execute = policy.process.execute.iter().map(|grant| (Access::Execute, grant));
    read.chain(write).chain(execute)
}

/// The cache, where there is one: the server writes in all of it, and executes in the folders that the profile names.
/// Both are its own, so Landlock is told all of it.
pub(super) fn cache_grants(request: &Request) -> Vec<(Access, Grant)> {
    let Some(cache) = &request.cache else { return Vec::new() };
    let whole = Grant {
        path: cache.clone(),
        reason: Some("the server's own cache".to_owned()),
        optional: false,
        origin: Origin::caponier(),
    };
    let executed = request.policy.process.execute_writable.iter();
    std::iter::once((Access::Write, whole))
        .chain(executed.map(|grant| (Access::Execute, grant.clone())))
        .collect()
}

/// What every server gets: its own folders, and the files of its own command.
pub(super) fn own_grants(request: &Request) -> Vec<(Access, Grant)> {
    let grant = |access, path: &Path, reason: &str| {
        let grant = Grant {
            path: path.to_owned(),
            reason: Some(reason.to_owned()),
            optional: false,
            origin: Origin::caponier(),
        };
        (access, grant)
    };
    let command = &request.command;
    let mut own = vec![
        grant(Access::Write, request.folders.tmp(), "the session's own TMPDIR"),
        grant(Access::Write, request.folders.home(), "the server's own HOME"),
        grant(Access::Execute, &command.target, "the command that is run"),
    ];
    for interpreter in command.interpreters.iter().chain(&command.loaders) {
        own.push(grant(Access::Execute, &interpreter.target, "what the command is executed with"));
    }
    if let Some(script) = &command.script {
        own.push(grant(Access::Read, &script.target, "the script that the command is"));
    }
    own
}
