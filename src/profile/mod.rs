//! From TOML to [`Policy`]: find the files, parse, extend, compose, expand, check.
//!
//! ```text
//! source → schema → inherit → compose → variables, grants → check → Policy
//! ```
//!
//! Invariant: a policy comes out whole or not at all. Whatever is wrong with any file that takes part is reported with
//! its line, as much of it at once as can be said; nothing is guessed, skipped or widened. What a profile may say is
//! `docs/PROFILES.md`; what no profile can grant is `refusal`.

mod check;
mod compose;
pub mod context;
pub mod difference;
mod entry;
mod environment;
mod grants;
mod inherit;
mod laws;
mod lint;
pub mod lock;
mod network;
pub(crate) mod packages;
mod place;
pub mod problem;
mod quantity;
mod record;
mod refusal;
pub mod repository;
mod runtime;
mod schema;
pub mod secrets;
pub mod shipped;
mod source;
mod suggest;
mod tool_keys;
mod tool_laws;
pub mod tool_lines;
mod tree;
pub mod trust;
mod unenforced;
mod variables;
pub mod why;
mod within;
mod written;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::policy::directories::Directories;
use crate::policy::grant::{Access, Origin, Taken};
use crate::policy::network::Network;
use crate::policy::{Environment, EnvironmentRules, Filesystem, Home, Identity, Policy, Process};
use crate::profile::compose::Composed;
use crate::profile::context::Context;
use crate::profile::grants::Grants;
use crate::profile::inherit::Member;
use crate::profile::packages::Registry;
use crate::profile::place::Places;
use crate::profile::problem::{Problem, Problems, Warning};
use crate::profile::refusal::Refusals;
use crate::profile::repository::Repository;
use crate::profile::tree::Sourced;
use crate::profile::variables::{Expansion, Variables};

pub use crate::profile::grants::Flags;
pub use crate::profile::source::{Available, LARGEST};
pub use crate::profile::variables::VARIABLES;

/// What is asked for on the command line.
#[derive(Debug, Clone)]
pub struct Request {
    /// `--profile`: a name, or a path.
    pub profile: String,
    /// `--env`.
    pub environment: Environment,
    /// What the flags add.
    pub flags: Flags,
}

/// One file that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The profile's name.
    pub name: String,
    /// As origins show it.
    pub file: String,
    /// What it says of itself.
    pub description: Option<String>,
}

/// A profile, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// What the server may do. Without a command in the [`Context`], paths that start with `${server.…}` or
    /// `${session.…}` stay as written, and are the only ones that are not absolute.
    pub policy: Policy,
    /// What is worth knowing, in the order of the files.
    pub warnings: Vec<Warning>,
    /// The files that took part, bases first, the profile itself last.
    pub files: Vec<Part>,
    /// The line behind each single value, by its dotted key; a key that no file wrote is absent and has its default.
    pub lines: BTreeMap<String, Origin>,
    /// The workspace's own file, when it has one.
    pub repository: Option<Repository>,
    /// The lock of this profile, when there is one.
    pub lock: Option<lock::State>,
    /// Grants that the workspace's own file takes away.
    #[serde(skip)]
    pub taken: Vec<Taken>,
}

/// Resolves a profile.
///
/// # Errors
/// Everything that is wrong with it, each with its line: exit status 78. Nothing may be started then.
pub fn resolve(request: &Request, context: &Context) -> Result<Resolved, Problems> {
    let root = source::find(&request.profile, request.environment, &context.directories)?;
    let members = members(root, request, context)?;
    narrowed(members, request, context)
}

/// Every file that takes part: those of the profile, and beside it those that `--no-resolve` adds for a launcher.
fn members(root: source::Source, request: &Request, context: &Context) -> Result<Vec<Member>, Problems> {
    let mut beside = Vec::new();
    for name in request.flags.launcher.iter().flat_map(|launcher| unresolved_bases(*launcher)) {
        beside.push(source::find(name, request.environment, &context.directories)?);
    }
    let (members, problems) = inherit::load(root, beside, request.environment, &context.directories);
    refuse(problems)?;
    Ok(members)
}

/// The shipped profiles that a launcher itself needs, under any profile of its server.
fn unresolved_bases(launcher: Registry) -> [&'static str; 2] {
    match launcher {
        Registry::Npm => [UNRESOLVED, "runtime/node"],
        Registry::PyPi => [UNRESOLVED, "runtime/python"],
    }
}

/// The profile of a package manager that is run as it is.
pub const UNRESOLVED: &str = "runtime/npx";

/// Resolves a text that is no file yet; it extends names only.
///
/// # Errors
/// As [`resolve`]; origins have the file `proposal`.
pub fn resolve_text(text: &str, environment: Environment, context: &Context) -> Result<Resolved, Problems> {
    let root = source::Source {
        id: PathBuf::from("proposal"),
        file: "proposal".to_owned(),
        folder: None,
        name: "proposal".to_owned(),
        text: text.to_owned(),
    };
    let request = Request { profile: root.name.clone(), environment, flags: Flags::default() };
    resolve_source(root, &request, context)
}

fn resolve_source(root: source::Source, request: &Request, context: &Context) -> Result<Resolved, Problems> {
    let (members, problems) = inherit::load(root, Vec::new(), request.environment, &context.directories);
    refuse(problems)?;
    compile(&members, request, context, None)
}

/// Locks a profile as it is now: from then on `run` refuses another one in its place, and flags that add to it.
///
/// # Errors
/// What is wrong with it; a lock that cannot be kept.
pub fn lock(request: &Request, context: &Context) -> Result<lock::Lock, Problems> {
    let root = source::find(&request.profile, request.environment, &context.directories)?;
    let (members, problems) = inherit::load(root, Vec::new(), request.environment, &context.directories);
    refuse(problems)?;
    let sha256 = compile(&members, request, context, None)?.policy.profile.sha256;
    lock::lock(request, &members, &sha256, &context.directories).map_err(|error| {
        Problem::new(Origin::command_line(), format!("the lock cannot be kept: {error}")).into()
    })
}

/// The JSON Schema of a profile, made of what [`schema`] asks of a file.
pub const SCHEMA: &str = include_str!("../../docs/profile.schema.json");

/// The name under which [`resolve_adding`] shows where a line is from.
pub const ADDED: &str = "<added>";

/// What the profile would be with these lines of TOML in a file that extends it: a proposal is tried before it is made.
///
/// # Errors
/// As [`resolve`]; also what is wrong with the lines.
pub fn resolve_adding(request: &Request, context: &Context, lines: &str) -> Result<Resolved, Problems> {
    let root = source::find(&request.profile, request.environment, &context.directories)?;
    let mut members = members(root, request, context)?;
    let added = source::Source {
        id: PathBuf::from(ADDED),
        file: ADDED.to_owned(),
        folder: None,
        name: ADDED.to_owned(),
        text: format!("version = 1\n{lines}\n"),
    };
    let (layer, wrong) = schema::parse(&added, request.environment);
    refuse(wrong)?;
    let below = (0..members.len()).collect();
    members.push(Member { source: added, layer, below });
    narrowed(members, request, context)
}

/// The profile, and what the workspace's own file leaves of it.
fn narrowed(members: Vec<Member>, request: &Request, context: &Context) -> Result<Resolved, Problems> {
    let mut own = compile(&members, request, context, None)?;
    own.lock = lock::state(request, &members, &own.policy.profile.sha256, &context.directories)?;
    let Some(found) = repository::find(context, request.environment).map_err(Problems)? else {
        return Ok(own);
    };
    let mut members = members;
    let below = (0..members.len()).collect();
    members.push(Member { source: found.source.clone(), layer: found.layer.clone(), below });
    let mut less = compile(&members, request, context, Some(&found))?;
    refuse(found.widenings(&difference::between(&own, &less), own.lock.is_some()))?;
    less.taken = found.taken(&own.policy, &less.policy);
    less.policy.network.taken = found.taken_entries(&own.policy.network, &less.policy.network);
    less.policy.tools.taken = found.taken_tools(&own.policy);
    less.policy.profile = own.policy.profile;
    less.files = own.files;
    less.lock = own.lock;
    less.repository = Some(found.repository);
    Ok(less)
}

/// `repository` is the last of the members, when there is one.
fn compile(
    members: &[Member],
    request: &Request,
    context: &Context,
    repository: Option<&repository::Found>,
) -> Result<Resolved, Problems> {
    let (mut composed, mut problems) = compose::compose(members);
    let variables = Variables::new(context, composed.home);
    if let Some(found) = repository {
        found.tools(&mut composed.tools, &mut composed.within);
    }
    problems.extend(within::fill(&mut composed.tools, &composed.within, &variables, context));
    let env = environment_rules(&composed, &request.flags, &variables, &mut problems);
    let mut grants = collect(&composed, &variables, request, context);
    let mut network = with_flags(composed.network.clone(), &request.flags, &mut problems);
    if let Some(found) = repository {
        found.grants(&mut grants, &variables, context);
        grants.settle();
        found.network(&mut network);
    }
    problems.append(&mut grants.problems);
    let (refused, noticed) = check::check(&grants, variables.private_home(), context);
    problems.extend(refused);
    refuse(problems)?;
    let mut warnings = std::mem::take(&mut grants.warnings);
    let policy = assemble(members, &composed, grants, env, network, request.environment);
    warnings.extend(noticed);
    warnings.extend(lint::lint(&policy, &composed));
    warnings.sort();
    warnings.dedup();
    Ok(Resolved {
        policy,
        warnings,
        files: members.iter().map(part).collect(),
        lines: composed.lines,
        repository: None,
        lock: None,
        taken: Vec::new(),
    })
}

/// The real paths in which nothing is ever granted to anyone (secret stores, clients' configurations, our own folders,
/// `/proc`), and what each is. For explaining denials; a server's own folders lie in ours and are not listed.
///
/// # Errors
/// A place that cannot be looked at.
pub fn never_granted(context: &Context) -> Result<Vec<(PathBuf, &'static str)>, Problem> {
    let refusals = Refusals::new(context, &Places::default()).map_err(|(path, error)| {
        Problem::new(Origin::caponier(), format!("cannot look at {}: {error}", path.display()))
    })?;
    Ok(refusals.never().collect())
}

/// The server's own arguments, as `${server.args[N]}` counts them.
pub fn server_arguments(context: &Context) -> &[std::ffi::OsString] {
    Variables::new(context, Home::Session).arguments()
}

/// The folder that `${workspace}` stands for.
///
/// # Errors
/// Nobody chose one, and the current folder is everything, a home or above one.
pub fn workspace(context: &Context) -> Result<PathBuf, Problem> {
    let variables = Variables::new(context, Home::Session);
    variables.workspace().map(Path::to_owned).map_err(|error| {
        let problem = Problem::new(Origin::command_line(), error.to_string());
        match error.help() {
            Some(help) => problem.help(help),
            None => problem,
        }
    })
}

/// Where an absolute path leads: every symbolic link followed, as far as it exists; what does not exist is kept as it is
/// written.
///
/// # Errors
/// What the kernel says when a folder on the way cannot be searched, or links go in a circle.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    place::follow(path).map(|followed| followed.path)
}

/// Every profile that can be named: the user's, then the shipped ones that the user does not replace.
pub fn list(dirs: &Directories, env: Environment) -> Vec<(Available, Option<String>)> {
    let mut all = source::available(dirs);
    for shipped in shipped::ALL {
        if !all.iter().any(|user| user.name == shipped.name) {
            all.push(Available {
                name: shipped.name.into(),
                file: format!("<shipped>/{}.toml", shipped.name),
            });
        }
    }
    all.sort();
    all.into_iter()
        .map(|available| {
            let source = source::find(&available.name, env, dirs).ok();
            let description = source.and_then(|source| schema::parse(&source, env).0.description);
            (available, description.map(|description| description.value))
        })
        .collect()
}

fn refuse(mut problems: Vec<Problem>) -> Result<(), Problems> {
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort();
    problems.dedup();
    Err(Problems(problems))
}

fn collect(composed: &Composed, variables: &Variables<'_>, request: &Request, context: &Context) -> Grants {
    let mut grants = Grants::default();
    grants.entries(Access::Read, &composed.read, variables, context);
    grants.entries(Access::Write, &composed.write, variables, context);
    grants.entries(Access::Execute, &composed.execute, variables, context);
    grants.command(context);
    grants.flags(&request.flags, context);
    if let Some(kind) = composed.arguments_as_paths {
        grants.arguments(kind, variables, context);
    }
    grants.settle();
    grants.written = written::grants(&composed.execute_writable, variables, &mut grants.problems);
    grants
}

/// The environment: what is set is expanded. What a profile says of a name gives way to `--pass-env`, which whoever
/// compiles the environment adds.
fn environment_rules(
    composed: &Composed,
    flags: &Flags,
    variables: &Variables<'_>,
    problems: &mut Vec<Problem>,
) -> EnvironmentRules {
    let values = |list: &[Sourced<String>]| -> Vec<String> {
        let kept = list.iter().filter(|name| !flags.pass_env.contains(&name.value));
        kept.map(|name| name.value.clone()).collect()
    };
    let mut set = BTreeMap::new();
    for (name, value) in composed.set.iter().filter(|(name, _)| !flags.pass_env.contains(name)) {
        match expand_value(value, variables) {
            Ok(value) => {
                set.insert(name.clone(), value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let mut pass = values(&composed.pass);
    pass.retain(|name| !set.contains_key(name));
    EnvironmentRules { pass, set, secret: values(&composed.secret) }
}

fn expand_value(value: &Sourced<String>, variables: &Variables<'_>) -> Result<String, Problem> {
    let problem = |message: String| Problem::new(value.origin.clone(), message);
    let written = &value.value;
    match variables.text(written) {
        Ok(Expansion::Later) => Ok(written.clone()),
        Ok(Expansion::Text(text)) => text
            .into_string()
            .map_err(|_| problem(format!("`{written}` expands to a path that is not UTF-8"))),
        Err(error) => {
            let found = problem(format!("`{}`: {error}", written.escape_debug()));
            Err(match error.help() {
                Some(help) => found.help(help),
                None => found,
            })
        }
    }
}

/// What `--host` adds.
fn with_flags(mut network: Network, flags: &Flags, problems: &mut Vec<Problem>) -> Network {
    let (allow, local, wrong) = network::flags(&flags.host);
    problems.extend(wrong);
    network.allow.extend(allow);
    network.local.extend(local);
    network.allow = network::settle_hosts(network.allow);
    network.local = network::settle_local(network.local);
    network
}

fn assemble(
    members: &[Member],
    composed: &Composed,
    grants: Grants,
    env: EnvironmentRules,
    network: Network,
    environment: Environment,
) -> Policy {
    Policy {
        profile: identity(members, environment),
        filesystem: Filesystem {
            read: grants.read,
            write: grants.write,
            unprotected: composed.unprotected.iter().map(|name| name.value.clone()).collect(),
        },
        process: Process {
            execute: grants.execute,
            execute_writable: grants.written,
            arguments_as_paths: composed.arguments_as_paths,
            env,
            nested_seccomp: composed.nested_seccomp,
            home: composed.home,
        },
        limits: composed.limits.clone(),
        network,
        tools: composed.tools.clone(),
        protocol: composed.protocol.clone(),
        pins: composed.pins,
        confirm: composed.confirm.clone(),
        audit: composed.audit.clone(),
        require: composed.require.clone(),
    }
}

fn identity(members: &[Member], env: Environment) -> Identity {
    let mut hasher = Sha256::new();
    for member in members {
        hasher.update(member.source.text.as_bytes());
    }
    let sha256 = record::hex(hasher.finalize());
    let root = members.last().map(|member| &member.source);
    let name = root.map(|source| source.name.clone()).unwrap_or_default();
    let file = root.map(|source| PathBuf::from(&source.file)).unwrap_or_default();
    Identity { name, file, sha256, env }
}

fn part(member: &Member) -> Part {
    Part {
        name: member.source.name.clone(),
        file: member.source.file.clone(),
        description: member.layer.description.as_ref().map(|description| description.value.clone()),
    }
}

#[cfg(test)]
mod tests;
