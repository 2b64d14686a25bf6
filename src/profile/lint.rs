//! What `profile check` warns of: allowed, and wider than its author may think.

use std::path::Path;

use globset::Glob;

use crate::policy::grant::{Access, Grant, Origin};
use crate::policy::host::Pattern;
use crate::policy::protected;
use crate::policy::sensitive::is_sensitive_name;
use crate::policy::service::Service;
use crate::policy::shells;
use crate::policy::{Arguments, OnFailure, Policy};
use crate::profile::compose::Composed;
use crate::profile::network::is_open_to_others;
use crate::profile::place;
use crate::profile::problem::{Code, Warning};

/// Folders whose contents are mixed: a server that reads one of these reads what nobody thought of.
const BROAD: &[&str] = &[
    "/boot", "/etc", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/sys", "/tmp", "/usr",
    "/var",
];

/// Folders of the system, or shared with other users and programs.
const SHARED: &[&str] = &["/etc", "/usr", "/run", "/var", "/tmp", "/dev/shm", "/boot", "/opt", "/srv"];

/// Everything worth a word about a policy.
pub(super) fn lint(policy: &Policy, composed: &Composed) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for grant in &policy.filesystem.read {
        if BROAD.iter().any(|folder| grant.path == Path::new(folder)) {
            warnings.push(of(grant, Code::BroadRead, Access::Read, "holds far more than one server needs"));
        }
    }
    for grant in &policy.filesystem.write {
        let temporary = grant.path.starts_with("/tmp") || grant.path.starts_with("/dev/shm");
        if !is_device(grant) && SHARED.iter().any(|folder| grant.path.starts_with(folder)) {
            let why = if temporary { "is below a folder that all users share" } else { "is the system's" };
            warnings.push(of(grant, Code::WriteShared, Access::Write, why));
        }
    }
    for grant in &policy.process.execute {
        warnings.extend(executable(grant));
    }
    warnings.extend(policy.process.execute_writable.iter().map(written));
    warnings.extend(without_reason(policy));
    warnings.extend(unprotected(composed));
    warnings.extend(settings(policy, composed));
    warnings.extend(hosts(policy));
    warnings
}

fn of(grant: &Grant, code: Code, access: Access, why: &str) -> Warning {
    Warning::new(grant.origin.clone(), code, format!("`{}` of {} {why}", access.key(), grant.path.display()))
}

fn is_device(grant: &Grant) -> bool {
    grant.path.starts_with("/dev") && !grant.path.starts_with("/dev/shm")
}

fn executable(grant: &Grant) -> Option<Warning> {
    if grant.path.is_dir() {
        let why = "is a folder: every program in it may be executed, its shells too";
        let warning = of(grant, Code::ExecuteFolder, Access::Execute, why);
        return Some(warning.help("name the programs that are needed"));
    }
    let target = place::follow(&grant.path).ok()?.path;
    let name = |path: &Path| path.file_name().is_some_and(shells::is_shell_name);
    (name(&grant.path) || name(&target)).then(|| {
        let why = "is a shell: it runs whatever text it is given, within the grants";
        of(grant, Code::ExecuteShell, Access::Execute, why)
    })
}

fn written(grant: &Grant) -> Warning {
    let message = format!(
        "`process.execute_writable` of {}: the server executes what it wrote there; refused under --env prod",
        grant.path.display()
    );
    Warning::new(grant.origin.clone(), Code::ExecuteWritable, message)
}

fn without_reason(policy: &Policy) -> impl Iterator<Item = Warning> {
    let lists = [
        (Access::Read, &policy.filesystem.read),
        (Access::Write, &policy.filesystem.write),
        (Access::Execute, &policy.process.execute),
    ];
    lists.into_iter().flat_map(|(access, grants)| {
        grants.iter().filter(|grant| grant.reason.is_none()).map(move |grant| {
            let warning = of(grant, Code::NoReason, access, "has no reason");
            warning.help("write { path = \"…\", reason = \"…\" }, so that a reviewer can judge it")
        })
    })
}

/// Domains below which anybody can have a name of their own: a wildcard there is a wildcard for everyone.
const MULTI_TENANT: &[&str] = &[
    "amazonaws.com",
    "appspot.com",
    "azureedge.net",
    "azurewebsites.net",
    "blogspot.com",
    "cloudapp.azure.com",
    "cloudfront.net",
    "cloudfunctions.net",
    "core.windows.net",
    "digitaloceanspaces.com",
    "fastly.net",
    "firebaseapp.com",
    "firebaseio.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "glitch.me",
    "googleapis.com",
    "googleusercontent.com",
    "herokuapp.com",
    "hf.space",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.io",
    "onrender.com",
    "pages.dev",
    "r2.dev",
    "railway.app",
    "repl.co",
    "replit.dev",
    "run.app",
    "supabase.co",
    "surge.sh",
    "trycloudflare.com",
    "vercel.app",
    "web.app",
    "wordpress.com",
    "workers.dev",
];

/// What is wide about the hosts.
fn hosts(policy: &Policy) -> Vec<Warning> {
    let network = &policy.network;
    let mut warnings = Vec::new();
    for grant in &network.allow {
        let at = format!("`network.allow` of {}:{}", grant.host, grant.port);
        if let Pattern::Below(name) = &grant.host {
            let is_below = |domain: &&&str| {
                name.as_str() == **domain
                    || name.as_str().strip_suffix(**domain).is_some_and(|front| front.ends_with('.'))
            };
            if let Some(domain) = MULTI_TENANT.iter().find(is_below) {
                let message = format!("{at}: anybody can have a name below {domain}");
                let warning = Warning::new(grant.origin.clone(), Code::MultiTenantHost, message);
                warnings.push(warning.help("name the hosts that are needed"));
            }
        }
        if grant.reason.is_none() {
            warnings.push(no_reason(&grant.origin, &at, "host"));
        }
    }
    for grant in &network.unix {
        let at = format!("`network.unix` of {}", grant.path.display());
        if let Some(service) = Service::of(&grant.path) {
            let message = format!("{at}: {}", service.danger());
            warnings.push(Warning::new(grant.origin.clone(), Code::ServiceSocket, message));
        }
        if grant.reason.is_none() {
            warnings.push(no_reason(&grant.origin, &at, "path"));
        }
    }
    for (key, list) in [("local", &network.local), ("listen", &network.listen)] {
        for grant in list.iter().filter(|grant| grant.reason.is_none()) {
            let at = format!("`network.{key}` of {}:{}", grant.host, grant.port);
            warnings.push(no_reason(&grant.origin, &at, "host"));
        }
    }
    for grant in network.listen.iter().filter(|grant| is_open_to_others(grant.host)) {
        let message =
            format!("`network.listen` of {}:{} can be reached from other machines", grant.host, grant.port);
        warnings.push(Warning::new(grant.origin.clone(), Code::ListenOpen, message));
    }
    for grant in policy.filesystem.read.iter().filter(|_| !network.allow.is_empty()) {
        if matches!(grant.path.to_str(), Some("/home" | "/root" | "/mnt" | "/media" | "/srv" | "/var")) {
            let why = "is much to read for a server that may send it somewhere";
            warnings.push(of(grant, Code::BroadReadNetwork, Access::Read, why));
        }
    }
    warnings
}

fn no_reason(origin: &Origin, at: &str, key: &str) -> Warning {
    let warning = Warning::new(origin.clone(), Code::NoReason, format!("{at} has no reason"));
    warning.help(format!("write {{ {key} = \"…\", reason = \"…\" }}, so that a reviewer can judge it"))
}

fn unprotected(composed: &Composed) -> impl Iterator<Item = Warning> {
    composed.unprotected.iter().map(|name| {
        let (code, what) = if protected::CLIENTS.contains(&name.value.as_str()) {
            (Code::WritableClientConfiguration, "a client believes or runs what is in it, outside the pen")
        } else {
            (Code::UnprotectedName, "something outside the pen runs what is in it")
        };
        Warning::new(name.origin.clone(), code, format!("`{}` can be written: {what}", name.value))
    })
}

fn settings(policy: &Policy, composed: &Composed) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |key: &str, code: Code, message: &str| {
        if let Some(origin) = composed.lines.get(key) {
            warnings.push(Warning::new(origin.clone(), code, message));
        }
    };
    if policy.process.nested_seccomp {
        let message = "the server may install filters that hide its later system calls from the record";
        warn("process.nested_seccomp", Code::NestedSeccomp, message);
    }
    if !policy.audit.file_reads {
        warn("audit.file_reads", Code::AuditGap, "files that are read are not recorded");
    }
    if policy.audit.on_failure == OnFailure::Continue {
        warn("audit.on_failure", Code::AuditGap, "the server goes on when nothing can be recorded");
    }
    if policy.audit.arguments == Arguments::None {
        warn("audit.arguments", Code::AuditGap, "of a call's arguments only the digest is recorded");
    }
    if policy.audit.arguments == Arguments::Full {
        warn("audit.arguments", Code::RecordedSecrets, "arguments are recorded with the secrets in them");
    }
    if policy.limits.memory.is_none() {
        warn("limits.memory", Code::Unlimited, "the server may take all memory");
    }
    if policy.limits.processes.is_none() {
        warn("limits.processes", Code::Unlimited, "the server may start processes without end");
    }
    for name in composed.pass.iter().filter(|name| is_sensitive_name(&name.value)) {
        let message = format!("`{}` looks like a credential and is passed as plain text", name.value);
        let warning = Warning::new(name.origin.clone(), Code::PassedCredential, message);
        warnings.push(warning.help("name it under env.secret: its value is then redacted everywhere"));
    }
    warnings
}

/// Whether a glob of `tools.allow` or `tools.deny` matches a tool's name, exactly as the gate reads it.
pub(super) fn matches(glob: &str, tool: &str) -> bool {
    Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(tool))
}
