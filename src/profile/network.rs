//! `[network]` as a file writes it, and `--host`: entries with their line, in their one spelling.
//!
//! No variable is expanded in a host. What could be read in two ways is an error here, so that what enforces a list
//! never has to guess (`policy::host`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::policy::address::{Place, canonical, place};
use crate::policy::grant::Origin;
use crate::policy::host::{self, Host, Pattern};
use crate::policy::network::{HostGrant, LocalGrant, LocalHost, SocketGrant};
use crate::policy::tools::Rate;
use crate::profile::problem::Problem;
use crate::profile::tree::{Node, Sourced, Table};

/// The section as one file wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub allow: Vec<HostGrant>,
    pub local: Vec<LocalGrant>,
    pub listen: Vec<LocalGrant>,
    pub unix: Vec<SocketGrant>,
    pub connections: Option<Sourced<u32>>,
    pub rate: Option<Sourced<Option<Rate>>>,
    pub idle_timeout: Option<Sourced<Option<Duration>>>,
}

/// Reads the section.
pub(super) fn section(mut table: Table<'_>) -> Section {
    let section = Section {
        allow: entries(&mut table, "allow", allowed),
        local: entries(&mut table, "local", |entry| own(entry, Own::Reached)),
        listen: entries(&mut table, "listen", |entry| own(entry, Own::Listened)),
        unix: sockets(&mut table),
        connections: table.integer("connections", 1),
        rate: table.rate_or_none("rate"),
        idle_timeout: table.duration_or_none("idle_timeout"),
    };
    table.finish();
    section
}

/// One entry, before its host is looked at.
struct Written {
    host: Sourced<String>,
    /// Only an entry of `allow` may say it.
    private: Option<Sourced<bool>>,
    reason: Option<String>,
}

fn entries<T>(
    table: &mut Table<'_>,
    key: &'static str,
    read: impl Fn(&Written) -> Result<T, Problem>,
) -> Vec<T> {
    let items = table.list(key);
    let mut found = Vec::new();
    for item in items {
        let Some(entry) = entry(table, key, item) else { continue };
        match read(&entry) {
            Ok(grant) => found.push(grant),
            Err(problem) => table.reading().report(problem),
        }
    }
    found
}

/// A string, or a table `{ host = "...", private = true, reason = "..." }`.
fn entry<'t>(table: &Table<'t>, key: &str, node: Node<'t>) -> Option<Written> {
    if node.get_ref().is_str() {
        return table.as_string(key, node).map(|host| Written { host, private: None, reason: None });
    }
    if !node.get_ref().is_table() {
        return table.mistyped(key, node, "HOST:PORT, or a table like { host = \"…\", reason = \"…\" }");
    }
    let mut fields = table.as_table(key, node)?;
    let host = fields.string("host");
    let reason = fields.string("reason").map(|reason| reason.value);
    let private = if key == "allow" { fields.boolean("private") } else { None };
    if host.is_none() && !fields.entries().any(|(name, _)| name.value == "host") {
        let message = format!("an entry of `{}` has no `host`", table.dotted(key));
        table.reading().report(Problem::new(table.reading().origin(&node.span()), message));
    }
    fields.finish();
    host.map(|host| Written { host, private, reason })
}

fn wrong(entry: &Written, what: impl std::fmt::Display) -> Problem {
    Problem::new(entry.host.origin.clone(), format!("`{}` {what}", entry.host.value.escape_debug()))
}

/// An entry of `allow`.
fn allowed(entry: &Written) -> Result<HostGrant, Problem> {
    let private = entry.private.as_ref().is_some_and(|private| private.value);
    let (host, port) = host::split_port(&entry.host.value, 1)
        .and_then(|(host, port)| Ok((Pattern::parse(host)?, port)))
        .map_err(|error| wrong(entry, error))?;
    let grant =
        HostGrant { host, port, private, reason: entry.reason.clone(), origin: entry.host.origin.clone() };
    match &grant.host {
        Pattern::Exact(Host::Name(name)) | Pattern::Below(name) if name.is_localhost() => {
            Err(wrong(entry, "is this machine").help("write it under `network.local`"))
        }
        Pattern::Exact(Host::Address(address)) => match place(*address) {
            Place::Public => Ok(grant),
            Place::Private if private => Ok(grant),
            Place::Private => Err(wrong(entry, "is a private address")
                .help("write { host = \"…\", private = true, reason = \"…\" } if it is meant")),
            Place::Loopback => Err(wrong(entry, "is this machine").help("write it under `network.local`")),
            Place::Never => Err(wrong(
                entry,
                "can be granted by no profile: it is link-local, a metadata service, or no host's address",
            )),
        },
        _ => Ok(grant),
    }
}

/// Whether an entry is connected to or listened on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    Reached,
    Listened,
}

/// An entry of `local` or `listen`.
fn own(entry: &Written, kind: Own) -> Result<LocalGrant, Problem> {
    let least = u16::from(kind == Own::Reached);
    let (host, port) = host::split_port(&entry.host.value, least)
        .and_then(|(host, port)| Ok((own_host(host)?, port)))
        .map_err(|error| wrong(entry, error))?;
    let Some(host) = host else {
        let help = match kind {
            Own::Reached => {
                "`network.local` is for localhost and loopback addresses; `network.allow` is for others"
            }
            Own::Listened => "write localhost, or the address to listen on",
        };
        return Err(wrong(entry, "is not this machine").help(help));
    };
    if kind == Own::Reached
        && matches!(host, LocalHost::Address(address) if place(address) != Place::Loopback)
    {
        let help = "`network.local` is for localhost and loopback addresses; `network.allow` is for others";
        return Err(wrong(entry, "is not a loopback address").help(help));
    }
    Ok(LocalGrant { host, port, reason: entry.reason.clone(), origin: entry.host.origin.clone() })
}

/// `localhost` or an address; `::` and `0.0.0.0` are addresses here.
fn own_host(text: &str) -> Result<Option<LocalHost>, host::Error> {
    Ok(match Host::parse(text)? {
        Host::Name(name) if name.as_str() == "localhost" => Some(LocalHost::Localhost),
        Host::Name(_) => None,
        Host::Address(address) => Some(LocalHost::Address(address)),
    })
}

/// What the values of `--host` add: this machine to `local`, everything else to `allow`. Whoever types an address that
/// is private means it.
pub(super) fn flags(hosts: &[String]) -> (Vec<HostGrant>, Vec<LocalGrant>, Vec<Problem>) {
    let (mut allow, mut local, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for text in hosts {
        let origin = Origin::command_line();
        let (private, own_machine) = match host::split_port(text, 1).map(|(host, _)| Host::parse(host)) {
            Ok(Ok(Host::Address(address))) => {
                (place(address) == Place::Private, place(address) == Place::Loopback)
            }
            Ok(Ok(Host::Name(name))) => (false, name.as_str() == "localhost"),
            _ => (false, false),
        };
        let entry = Written {
            host: Sourced { value: text.clone(), origin: origin.clone() },
            private: private.then_some(Sourced { value: true, origin }),
            reason: Some("--host on the command line".into()),
        };
        let named = |problem: Problem| Problem { message: format!("--host {}", problem.message), ..problem };
        if own_machine {
            match own(&entry, Own::Reached) {
                Ok(grant) => local.push(grant),
                Err(problem) => problems.push(named(problem)),
            }
        } else {
            match allowed(&entry) {
                Ok(grant) => allow.push(grant),
                Err(problem) => problems.push(named(problem)),
            }
        }
    }
    (allow, local, problems)
}

/// Each entry once, sorted; of two that are the same, the one with a reason.
pub(super) fn settle_hosts(mut grants: Vec<HostGrant>) -> Vec<HostGrant> {
    grants.sort_by(|a, b| {
        let key = |grant: &HostGrant| (grant.host.clone(), grant.port, grant.private, grant.reason.is_none());
        key(a).cmp(&key(b)).then_with(|| (&a.reason, &a.origin).cmp(&(&b.reason, &b.origin)))
    });
    grants.dedup_by(|next, kept| {
        (&next.host, next.port, next.private) == (&kept.host, kept.port, kept.private)
    });
    grants
}

/// The same for entries of this machine.
pub(super) fn settle_local(mut grants: Vec<LocalGrant>) -> Vec<LocalGrant> {
    grants.sort_by(|a, b| {
        let key = |grant: &LocalGrant| (grant.host, grant.port, grant.reason.is_none());
        key(a).cmp(&key(b)).then_with(|| (&a.reason, &a.origin).cmp(&(&b.reason, &b.origin)))
    });
    grants.dedup_by(|next, kept| (next.host, next.port) == (kept.host, kept.port));
    grants
}

/// `unix`: strings, or tables `{ path = "...", reason = "..." }`.
fn sockets(table: &mut Table<'_>) -> Vec<SocketGrant> {
    let mut found = Vec::new();
    for item in table.list("unix") {
        let (path, reason) = if item.get_ref().is_str() {
            (table.as_string("unix", item), None)
        } else {
            let Some(mut fields) = table.as_table("unix", item) else { continue };
            let written = (fields.string("path"), fields.string("reason").map(|reason| reason.value));
            if written.0.is_none() && !fields.entries().any(|(name, _)| name.value == "path") {
                let message = format!("an entry of `{}` has no `path`", table.dotted("unix"));
                table.reading().report(Problem::new(table.reading().origin(&item.span()), message));
            }
            fields.finish();
            written
        };
        let Some(path) = path else { continue };
        let is_plain = path.value.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
        if !path.value.starts_with('/') || !is_plain {
            let message = format!("`{}` is not the path of a socket", path.value.escape_debug());
            let help = "write its real path, absolute, with no link on the way and no `.` or `..`";
            table.reading().report(Problem::new(path.origin, message).help(help));
            continue;
        }
        found.push(SocketGrant { path: path.value.into(), reason, origin: path.origin });
    }
    found
}

/// One entry a path, with the reason of the first that has one.
pub(super) fn settle_sockets(mut grants: Vec<SocketGrant>) -> Vec<SocketGrant> {
    let key = |grant: &SocketGrant| (grant.path.clone(), grant.reason.is_none());
    grants.sort_by(|a, b| {
        key(a).cmp(&key(b)).then_with(|| (&a.reason, &a.origin).cmp(&(&b.reason, &b.origin)))
    });
    grants.dedup_by(|next, kept| next.path == kept.path);
    grants
}

/// Whether an address to listen on is open to other machines.
pub(super) fn is_open_to_others(host: LocalHost) -> bool {
    match host {
        LocalHost::Localhost => false,
        LocalHost::Address(address) => {
            let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
            any.contains(&address) || place(canonical(address)) != Place::Loopback
        }
    }
}
