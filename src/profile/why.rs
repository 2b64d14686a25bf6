//! `profile why`: would this be allowed, and which line decides?
//!
//! The answer is found as the kernel finds it, by inode on the way up from the path, so it holds through symlinks and
//! for paths that do not exist yet. The nearest grant that gives the access is the line that decides.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::policy::Policy;
use crate::policy::address::{Place, place};
use crate::policy::grant::{Access, Grant, Origin, Taken};
use crate::policy::host::{self, Host};
use crate::policy::network::Network;
use crate::policy::profile_line::{adding, quoted};
use crate::policy::protected::{depth, is_protected};
use crate::policy::reason::Reason;
use crate::policy::shells::is_shell_name;
use crate::policy::tools::ToolDefault;
use crate::policy::verdict::{Denial, Layer, Remedy, Ruling};
use crate::profile::Resolved;
use crate::profile::context::Context;
use crate::profile::lint;
use crate::profile::place::{Place as PathPlace, Places};
use crate::profile::refusal::Refusals;
use crate::profile::runtime;
use crate::profile::tool_lines;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Allowed or refused.
    pub verdict: Ruling,
    /// Why it is refused; `None` when it is allowed.
    pub denial: Option<Denial>,
    /// The line that decides; `None` when it is the lack of one.
    pub line: Option<Origin>,
    /// The answer in words.
    pub because: String,
    /// What could make the answer another one: grants that are not known without the server's command.
    pub note: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path cannot be looked at.
    #[error("cannot look at {path}: {source}")]
    Unreadable {
        /// The path, or a place it is compared with.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// What was asked is no host with a port.
    #[error("{host} {error}")]
    NotAHost {
        /// As it was typed.
        host: String,
        /// What is wrong with it.
        error: host::Error,
    },
}

impl Answer {
    fn allow(line: Option<Origin>, because: String) -> Self {
        Answer { verdict: Ruling::Allow, denial: None, line, because, note: None }
    }

    fn deny(reason: Reason, layer: Layer, remedy: Remedy, line: Option<Origin>, because: String) -> Self {
        let denial = Some(Denial { reason, layer, remedy });
        Answer { verdict: Ruling::Deny, denial, line, because, note: None }
    }
}

/// Whether a path may be read, written or executed.
///
/// # Errors
/// The path, or a place that it is compared with, cannot be looked at.
pub fn path(resolved: &Resolved, context: &Context, access: Access, asked: &Path) -> Result<Answer, Error> {
    Paths::new(resolved, context)?.ask(access, asked)
}

/// Answers for any number of paths: every grant and every refused place is looked at once.
#[derive(Debug)]
pub struct Paths<'p> {
    resolved: &'p Resolved,
    context: &'p Context,
    places: Places,
    refusals: Refusals,
    /// Grants that are in the plan: those that exist.
    grants: Vec<(Access, &'p Grant, PathPlace)>,
}

impl<'p> Paths<'p> {
    /// Looks at all grants.
    ///
    /// # Errors
    /// A place that a path is compared with cannot be looked at.
    pub fn new(resolved: &'p Resolved, context: &'p Context) -> Result<Self, Error> {
        let places = Places::default();
        let refusals = Refusals::new(context, &places).map_err(|(path, error)| unreadable(&path, error))?;
        let policy = &resolved.policy;
        let lists = [
            (Access::Read, &policy.filesystem.read),
            (Access::Write, &policy.filesystem.write),
            (Access::Execute, &policy.process.execute),
            (Access::Write, &policy.process.execute_writable),
            (Access::Execute, &policy.process.execute_writable),
        ];
        let mut grants = Vec::new();
        for (access, grant) in
            lists.into_iter().flat_map(|(access, list)| list.iter().map(move |grant| (access, grant)))
        {
            // A grant that does not exist was left out of the plan.
            let place =
                places.find(&grant.path).ok().filter(|place| grant.path.is_absolute() && place.exists());
            grants.extend(place.map(|place| (access, grant, place)));
        }
        Ok(Paths { resolved, context, places, refusals, grants })
    }

    /// Whether a path may be read, written or executed.
    ///
    /// # Errors
    /// The path cannot be looked at.
    pub fn ask(&self, access: Access, asked: &Path) -> Result<Answer, Error> {
        let asked = &located(access, asked, self.context);
        let place = self.places.find(asked).map_err(|error| unreadable(asked, error))?;
        if place.path.starts_with("/proc") {
            let because = "the broker serves the server's own part of /proc, and nothing else".to_owned();
            let remedy = Remedy::WhyNot("no profile can grant /proc".into());
            return Ok(Answer::deny(Reason::FsProc, Layer::Broker, remedy, None, because));
        }
        let query = Query { paths: self, place: &place, access };
        match query.nearest(access) {
            Some((grant, granted)) => Ok(query.granted(grant, granted)),
            None => Ok(Answer { note: open(self.resolved, access), ..query.refused(&self.refusals) }),
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Unreadable { path: path.display().to_string(), source }
}

/// The path that is meant: relative to the current folder, or a program's name, looked up on PATH.
fn located(access: Access, asked: &Path, context: &Context) -> PathBuf {
    let named = asked.components().count() == 1 && !asked.is_absolute();
    let program = asked.to_str().filter(|_| access == Access::Execute && named);
    program.and_then(|name| runtime::program(name, context)).unwrap_or_else(|| context.cwd.join(asked))
}

/// Grants that still have a variable in them, in words.
fn open(resolved: &Resolved, access: Access) -> Option<String> {
    let policy = &resolved.policy;
    let open: Vec<String> = giving(policy, access)
        .into_iter()
        .flatten()
        .filter(|grant| !grant.path.is_absolute())
        .map(|grant| format!("{} ({})", grant.path.display(), grant.origin))
        .collect();
    let arguments = policy.process.arguments_as_paths.is_some() && !open.is_empty();
    let more = if arguments { ", and the command's path arguments" } else { "" };
    (!open.is_empty()).then(|| format!("not counted: {}{more}; give the command after `--`", open.join(", ")))
}

/// The lists whose grants give this access: what is writable or executable is readable too.
fn giving(policy: &Policy, access: Access) -> Vec<&[Grant]> {
    match access {
        Access::Read => vec![&policy.filesystem.read, &policy.filesystem.write, &policy.process.execute],
        Access::Write => vec![&policy.filesystem.write],
        Access::Execute => vec![&policy.process.execute],
    }
}

struct Query<'q> {
    paths: &'q Paths<'q>,
    place: &'q PathPlace,
    access: Access,
}

impl<'q> Query<'q> {
    /// The nearest grant that gives `access` to the path, and where it is.
    fn nearest(&self, access: Access) -> Option<(&'q Grant, &'q PathPlace)> {
        self.paths
            .grants
            .iter()
            // What is writable or executable is readable too.
            .filter(|(given, _, _)| access == Access::Read || *given == access)
            .filter_map(|(_, grant, place)| Some((place.distance(self.place)?, *grant, place)))
            .min_by_key(|(distance, grant, _)| (*distance, grant.origin.clone()))
            .map(|(_, grant, place)| (grant, place))
    }

    fn granted(&self, grant: &Grant, granted: &PathPlace) -> Answer {
        let path = self.place.path.display();
        let line = Some(grant.origin.clone());
        if self.access == Access::Write
            && let Some(name) = self.protected(granted)
        {
            let because = format!("{path} is a protected name (`{name}`) inside a write grant");
            let remedy = Remedy::Line(adding("filesystem.unprotected", name));
            return Answer::deny(Reason::FsWriteProtected, Layer::Broker, remedy, line, because);
        }
        let because = match &grant.reason {
            Some(reason) => format!("{} is granted: {reason}", grant.path.display()),
            None => format!("{} is granted", grant.path.display()),
        };
        Answer::allow(line, because)
    }

    fn protected(&self, granted: &PathPlace) -> Option<&'static str> {
        self.place.path.strip_prefix(&granted.path).ok()?;
        let unprotected = &self.paths.resolved.policy.filesystem.unprotected;
        is_protected(&self.place.path, depth(&granted.path), unprotected)
    }

    fn refused(&self, refusals: &Refusals) -> Answer {
        let path = self.place.path.display();
        let never = refusals.of(self.access, self.place);
        let shell = self.access == Access::Execute && self.place.path.file_name().is_some_and(is_shell_name);
        let taken = self.taken().filter(|_| never.is_empty());
        let remedy = match (never.first(), taken) {
            (Some(never), _) => Remedy::WhyNot(format!("no profile can grant it: {}", never.what)),
            (None, Some(taken)) => Remedy::WhyNot(taken.why()),
            (None, None) if shell => {
                Remedy::WhyNot("a shell runs any text that it is given; name the program it is for".into())
            }
            (None, None) => Remedy::Line(adding(self.access.key(), &self.place.path.to_string_lossy())),
        };
        let (reason, line, because) = match self.access {
            Access::Read if never.is_empty() => {
                (Reason::FsReadNotGranted, None, format!("no grant reaches {path}"))
            }
            Access::Read => (Reason::FsReadSecret, None, format!("{path} is never granted")),
            Access::Execute => {
                let reason = if shell { Reason::ExecShell } else { Reason::ExecNotGranted };
                (reason, None, format!("no line of `process.execute` names {path}"))
            }
            Access::Write => match self.nearest(Access::Read) {
                Some((grant, _)) => {
                    let because = format!("{} is granted for reading only", grant.path.display());
                    (Reason::FsWriteReadOnly, Some(grant.origin.clone()), because)
                }
                None => (Reason::FsWriteNotGranted, None, format!("no grant reaches {path}")),
            },
        };
        let (line, because) = match taken {
            Some(taken) => {
                let because = format!("{} is granted, and taken away again", taken.grant.path.display());
                (Some(taken.by.clone()), because)
            }
            None => (line, because),
        };
        Answer::deny(reason, Layer::Landlock, remedy, line, because)
    }

    /// The grant of the profile's that the workspace's own file takes away, when it would give this.
    fn taken(&self) -> Option<&'q Taken> {
        let reaches = |taken: &&Taken| {
            let place = self.paths.places.find(&taken.grant.path).ok();
            taken.gives(self.access) && place.is_some_and(|place| place.distance(self.place).is_some())
        };
        self.paths.resolved.taken.iter().find(reaches)
    }
}

/// Whether a tool may be called, and what holds for its calls.
pub fn tool(resolved: &Resolved, tool: &str) -> Answer {
    let answer = named(resolved, tool);
    if answer.verdict == Ruling::Deny {
        return answer;
    }
    let holding: Vec<String> = tool_lines::lines(&resolved.policy.tools)
        .into_iter()
        .filter(|line| line.tool.as_deref().is_none_or(|of| of == tool))
        .map(|line| format!("tools.{} = {} ({})", line.key, line.value, line.origin))
        .collect();
    let note = (!holding.is_empty()).then(|| format!("its calls are judged by {}", holding.join("; ")));
    Answer { note, ..answer }
}

/// Whether its name may be called.
fn named(resolved: &Resolved, tool: &str) -> Answer {
    let tools = &resolved.policy.tools;
    if let Some(pattern) = tools.deny.iter().find(|pattern| lint::matches(&pattern.glob, tool)) {
        let because = format!("`tools.deny` names it with \"{}\"", pattern.glob);
        let remedy =
            Remedy::Line(format!("take \"{}\" out of tools.deny at {}", pattern.glob, pattern.origin));
        return Answer::deny(Reason::ToolDenied, Layer::Gate, remedy, Some(pattern.origin.clone()), because);
    }
    let line = tools.default_origin.clone();
    if let Some(pattern) = tools.ask.iter().find(|pattern| lint::matches(&pattern.glob, tool)) {
        let because =
            format!("`tools.ask` names it with \"{}\": each call waits for a person's yes", pattern.glob);
        return Answer::allow(Some(pattern.origin.clone()), because);
    }
    let allowed = tools.allow.iter().find(|pattern| lint::matches(&pattern.glob, tool));
    match (tools.default, allowed) {
        (_, Some(pattern)) => {
            let because = format!("`tools.allow` names it with \"{}\"", pattern.glob);
            Answer::allow(Some(pattern.origin.clone()), because)
        }
        (ToolDefault::Allow, None) => {
            Answer::allow(line, "`tools.default` is allow, and no list names it".into())
        }
        (ToolDefault::Ask, None) => {
            let because = "`tools.default` is ask, and no list names it: each call waits for a person's yes";
            Answer::allow(line, because.to_owned())
        }
        (ToolDefault::Deny, None) => {
            let because = "`tools.default` is deny, and `tools.allow` does not name it".to_owned();
            let taken = tools.taken.as_ref().and_then(|taken| {
                taken.why(taken.allow.iter().find(|pattern| lint::matches(&pattern.glob, tool)))
            });
            let remedy = match taken {
                Some(why) => Remedy::WhyNot(why),
                None => Remedy::Line(adding("tools.allow", &globset::escape(tool))),
            };
            Answer::deny(Reason::ToolNotListed, Layer::Gate, remedy, line, because)
        }
    }
}

/// Whether a host may be reached, as far as a name or an address tells: where a name leads is looked at when it is
/// looked up.
pub fn host(resolved: &Resolved, asked: &str) -> Result<Answer, Error> {
    let network = &resolved.policy.network;
    let not_a_host = |error| Error::NotAHost { host: asked.to_owned(), error };
    let (text, port) = host::split_port(asked, 1).map_err(not_a_host)?;
    let host = match Host::parse(text) {
        Ok(host) => host,
        Err(error) => {
            let remedy = Remedy::WhyNot("no entry can name what could be read in two ways".into());
            let because = format!("{text} {error}");
            return Ok(Answer::deny(Reason::NetHostMalformed, Layer::Network, remedy, None, because));
        }
    };
    let because = |reason: &Option<String>, what: String| match reason {
        Some(reason) => format!("{what} is granted: {reason}"),
        None => format!("{what} is granted"),
    };
    if network.is_empty() {
        let because = format!("{asked}: the profile has no network");
        let remedy = allowing(network, &host, port);
        return Ok(Answer::deny(Reason::NetNone, Layer::Network, remedy, None, because));
    }
    let granted = match &host {
        Host::Name(name) if name.as_str() == "localhost" => {
            let local = network.is_local(Ipv4Addr::LOCALHOST.into(), port);
            local.map(|grant| (&grant.origin, because(&grant.reason, format!("{}:{port}", grant.host))))
        }
        Host::Name(name) => network
            .allows(name, port)
            .map(|grant| (&grant.origin, because(&grant.reason, format!("{}:{port}", grant.host)))),
        Host::Address(address) => network
            .literal(*address, port)
            .map(|grant| (&grant.origin, because(&grant.reason, format!("{}:{port}", grant.host))))
            .or_else(|| {
                let local = network.is_local(*address, port);
                local.map(|grant| (&grant.origin, because(&grant.reason, format!("{}:{port}", grant.host))))
            }),
    };
    if let Some((line, because)) = granted {
        return Ok(Answer::allow(Some(line.clone()), because));
    }
    let (reason, because) = match &host {
        Host::Name(name) if !network.ports(name).is_empty() => {
            let ports: Vec<String> = network.ports(name).iter().map(u16::to_string).collect();
            let because = format!("{name} is listed for port {}, not for {port}", ports.join(", "));
            (Reason::NetHostNotListed, because)
        }
        Host::Name(name) => (Reason::NetHostNotListed, format!("no line of `network.allow` names {name}")),
        Host::Address(address) if place(*address) != Place::Public => {
            (Reason::NetAddressPrivate, format!("{address} is not an address on the internet"))
        }
        Host::Address(address) => {
            (Reason::NetAddressNotResolved, format!("{address} is not listed, and no name was looked up"))
        }
    };
    Ok(Answer::deny(reason, Layer::Network, allowing(network, &host, port), None, because))
}

/// The line that would allow a host, if a profile may have it.
fn allowing(network: &Network, host: &Host, port: u16) -> Remedy {
    let taken = match host {
        Host::Name(name) => network.why_taken(name, Some(port)),
        Host::Address(address) => network.why_address_taken(*address, port),
    };
    if let Some(why) = taken {
        return Remedy::WhyNot(why);
    }
    let own = match host {
        Host::Name(name) => name.is_localhost(),
        Host::Address(address) => match place(*address) {
            Place::Never => {
                return Remedy::WhyNot(
                    "no profile can grant it: it is link-local, a metadata service, or no host's address"
                        .into(),
                );
            }
            Place::Loopback => true,
            Place::Private => {
                let entry = quoted(&format!("{host}:{port}"));
                return Remedy::Line(format!("network.allow = [{{ host = {entry}, private = true }}]"));
            }
            Place::Public => false,
        },
    };
    let key = if own { "network.local" } else { "network.allow" };
    Remedy::Line(adding(key, &format!("{host}:{port}")))
}
