//! The laws by which several files become one: lists add, scalars override, `deny` wins, `require` only rises.
//!
//! Invariant: the result depends on the set of files and on who extends whom, never on the order of `extends`; and
//! naming a base again, directly or through another, changes nothing. So a scalar is taken from the file that stands
//! above all others that set it; where two bases stand side by side, the stricter value holds. Values that have no
//! stricter side (`env.set`) and differ are an error that the extending file settles.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::policy::confirm::{Channel, Confirm, TIMEOUT};
use crate::policy::grant::Origin;
use crate::policy::limits::Limits;
use crate::policy::network::{CONNECTIONS, HostGrant, IDLE_TIMEOUT, LocalGrant, Network, RATE};
use crate::policy::requests::{Permission, ServerRequests};
use crate::policy::tools::{Rate, Tools, UnknownFields};
use crate::policy::{
    Arguments, Audit, Home, MIN_LANDLOCK_ABI, OnFailure, PathArguments, Pins, Protocol, Require, Requirement,
    Stdout, Sync,
};
use crate::profile::entry::Entry;
use crate::profile::inherit::Member;
use crate::profile::laws::{Scalars, list, settled};
use crate::profile::network::{Section, settle_hosts, settle_local, settle_sockets};
use crate::profile::problem::Problem;
use crate::profile::schema::Layer;
use crate::profile::tool_laws::{self, Within};
use crate::profile::tree::{Maybe, Sourced};

const GIB: u64 = 1 << 30;

/// All files in one, variables not yet expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Composed {
    pub read: Vec<Entry>,
    pub write: Vec<Entry>,
    pub execute: Vec<Entry>,
    pub execute_writable: Vec<Entry>,
    pub unprotected: Vec<Sourced<String>>,
    pub arguments_as_paths: Option<PathArguments>,
    pub pass: Vec<Sourced<String>>,
    pub secret: Vec<Sourced<String>>,
    pub set: BTreeMap<String, Sourced<String>>,
    pub nested_seccomp: bool,
    pub home: Home,
    pub limits: Limits,
    pub network: Network,
    pub tools: Tools,
    /// The folders of each rule with `within`, not expanded yet.
    pub within: Vec<Within>,
    pub protocol: Protocol,
    pub pins: Pins,
    pub confirm: Confirm,
    pub audit: Audit,
    pub require: Require,
    /// The line behind each scalar, by its dotted key; a key that no file wrote is absent.
    pub lines: BTreeMap<String, Origin>,
}

/// Composes the files of one profile.
pub(super) fn compose(members: &[Member]) -> (Composed, Vec<Problem>) {
    let mut scalars = Scalars { members, lines: BTreeMap::new() };
    let mut problems = Vec::new();
    let set = variables(members, &mut scalars.lines, &mut problems);
    let secret = list(members, |layer| &layer.secret);
    let mut pass = list(members, |layer| &layer.pass);
    // A secret stays one, whoever else passes it on as plain text.
    pass.retain(|name| !secret.iter().any(|secret| secret.value == name.value));
    let (tools, within) = tool_laws::compose(&mut scalars, &mut problems);
    let composed = Composed {
        read: entries(members, |layer| &layer.read),
        write: entries(members, |layer| &layer.write),
        execute: entries(members, |layer| &layer.execute),
        execute_writable: entries(members, |layer| &layer.execute_writable),
        unprotected: list(members, |layer| &layer.unprotected),
        arguments_as_paths: scalars.pick(
            "process.arguments_as_paths",
            |layer| &layer.arguments_as_paths,
            |kind| kind.map(|kind| kind == PathArguments::Write),
            None,
        ),
        pass,
        secret,
        set,
        nested_seccomp: scalars.pick("process.nested_seccomp", |l| &l.nested_seccomp, |on| *on, false),
        home: scalars.pick("process.home", |l| &l.home, |home| *home == Home::Private, Home::Session),
        limits: scalars.limits(),
        network: scalars.network(),
        tools,
        within,
        protocol: scalars.protocol(),
        pins: scalars.pick("protocol.pins", |l| &l.pins, |pins| *pins, Pins::Enforce),
        confirm: scalars.confirm(),
        audit: scalars.audit(),
        require: scalars.require(),
        lines: scalars.lines,
    };
    (composed, problems)
}

impl Scalars<'_> {
    /// What a silent profile gets: the figures of the format's own example. "none" has to be written.
    fn limits(&mut self) -> Limits {
        Limits {
            memory: self.limit("limits.memory", |l| &l.memory, Some(GIB)),
            processes: self.limit("limits.processes", |l| &l.processes, Some(64)),
            open_files: self.limit("limits.open_files", |l| &l.open_files, Some(1024)).map(u64::from),
            file_size: self.limit("limits.file_size", |l| &l.file_size, Some(GIB)),
            cpu_time: self.limit("limits.cpu_time", |l| &l.cpu_time, None::<Duration>),
            wall_time: self.limit("limits.wall_time", |l| &l.wall_time, None::<Duration>),
        }
    }

    /// Hosts add; of the limits the lower is the stricter.
    fn network(&mut self) -> Network {
        let all = |list: fn(&Section) -> &[HostGrant]| -> Vec<HostGrant> {
            self.members.iter().flat_map(|member| list(&member.layer.network).to_vec()).collect()
        };
        let own = |list: fn(&Section) -> &[LocalGrant]| -> Vec<LocalGrant> {
            self.members.iter().flat_map(|member| list(&member.layer.network).to_vec()).collect()
        };
        let allow = settle_hosts(all(|section| &section.allow));
        let unix = self.members.iter().flat_map(|member| member.layer.network.unix.clone()).collect();
        let (local, listen) = (own(|section| &section.local), own(|section| &section.listen));
        Network {
            allow,
            local: settle_local(local),
            listen: settle_local(listen),
            unix: settle_sockets(unix),
            connections: self.pick("network.connections", |l| &l.network.connections, |n| *n, CONNECTIONS),
            rate: self.pick(
                "network.rate",
                |l| &l.network.rate,
                |rate| rate.map_or(u64::MAX, Rate::hourly),
                Some(RATE),
            ),
            taken: crate::policy::network::TakenEntries::default(),
            idle_timeout: self.limit("network.idle_timeout", |l| &l.network.idle_timeout, Some(IDLE_TIMEOUT)),
        }
    }

    fn protocol(&mut self) -> Protocol {
        Protocol {
            max_message: self.pick("protocol.max_message", |l| &l.max_message, |bytes| *bytes, 16 << 20),
            max_depth: self.pick("protocol.max_depth", |l| &l.max_depth, |depth| *depth, 64),
            stdout: self.pick("protocol.stdout", |l| &l.stdout, |s| *s == Stdout::Relaxed, Stdout::Strict),
            unknown_fields: self.pick(
                "protocol.unknown_fields",
                |layer| &layer.unknown_fields,
                |fields| *fields == UnknownFields::Allow,
                UnknownFields::Reject,
            ),
            server_requests: self.server_requests(),
        }
    }

    fn server_requests(&mut self) -> ServerRequests {
        let mut permission = |key: &str, field: fn(&Layer) -> &Maybe<bool>, default: Permission| {
            let key = format!("protocol.server_requests.{key}");
            self.chosen(&key, |layer| field(layer).as_ref(), |allowed| *allowed)
                .map_or(default, |chosen| Permission { allowed: chosen.value, origin: Some(chosen.origin) })
        };
        let ServerRequests { roots, elicitation, sampling } = ServerRequests::default();
        ServerRequests {
            roots: permission("roots", |layer| &layer.ask_roots, roots),
            elicitation: permission("elicitation", |layer| &layer.ask_elicitation, elicitation),
            sampling: permission("sampling", |layer| &layer.ask_sampling, sampling),
        }
    }

    /// Fewer ways to say yes are the stricter, and less time for it.
    fn confirm(&mut self) -> Confirm {
        Confirm {
            channels: self.pick(
                "confirm.channels",
                |layer| &layer.channels,
                |channels: &BTreeSet<Channel>| (channels.len(), channels.clone()),
                Channel::ALL.into(),
            ),
            timeout: self.pick("confirm.timeout", |layer| &layer.confirm_timeout, |time| *time, TIMEOUT),
        }
    }

    /// The stricter record is the fuller and the more durable one, as long as no secret is in it.
    fn audit(&mut self) -> Audit {
        Audit {
            arguments: self.pick(
                "audit.arguments",
                |layer| &layer.arguments,
                |arguments| fullness(*arguments),
                Arguments::Redacted,
            ),
            stderr: self.pick("audit.stderr", |l| &l.stderr, |stderr| !stderr, false),
            sync: self.pick("audit.sync", |l| &l.sync, |sync| Reverse(durability(*sync)), Sync::Session),
            on_failure: self.pick(
                "audit.on_failure",
                |layer| &layer.on_failure,
                |on_failure| *on_failure == OnFailure::Continue,
                OnFailure::Block,
            ),
            file_reads: self.pick("audit.file_reads", |l| &l.file_reads, |reads| !reads, true),
        }
    }

    /// `require` only rises: nobody lowers it, not even the file at the top.
    fn require(&mut self) -> Require {
        let abis = self.members.iter().filter_map(|member| member.layer.landlock_abi.as_ref());
        let abi = abis.max_by_key(|abi| (abi.value, Reverse(abi.origin.clone())));
        let scopes = self.members.iter().filter_map(|member| member.layer.kill_scope.as_ref());
        let scope = scopes.min_by_key(|scope| (scope.value == Requirement::BestEffort, scope.origin.clone()));
        self.lines.extend(abi.map(|abi| ("require.landlock_abi".to_owned(), abi.origin.clone())));
        self.lines.extend(scope.map(|scope| ("require.kill_scope".to_owned(), scope.origin.clone())));
        Require {
            landlock_abi: abi.map_or(MIN_LANDLOCK_ABI, |abi| abi.value),
            kill_scope: scope.map_or(Requirement::BestEffort, |scope| scope.value),
        }
    }
}

fn fullness(arguments: Arguments) -> u8 {
    match arguments {
        Arguments::Redacted => 0,
        Arguments::Shape => 1,
        Arguments::None => 2,
        Arguments::Full => 3,
    }
}

fn durability(sync: Sync) -> u8 {
    match sync {
        Sync::Session => 0,
        Sync::Call => 1,
        Sync::Event => 2,
    }
}

/// All entries of a list. Two of the same path may differ in what else they say; the expansion settles that.
fn entries(members: &[Member], field: impl Fn(&Layer) -> &Vec<Entry>) -> Vec<Entry> {
    members.iter().flat_map(|member| field(&member.layer).clone()).collect()
}

/// `env.set`: each name is a scalar of its own.
fn variables(
    members: &[Member],
    lines: &mut BTreeMap<String, Origin>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Sourced<String>> {
    let names: BTreeSet<&String> = members.iter().flat_map(|member| member.layer.set.keys()).collect();
    let mut set = BTreeMap::new();
    for name in names {
        let key = format!("process.env.set.{name}");
        let Some(found) = settled(&key, members, |layer| layer.set.get(name), problems) else { continue };
        lines.insert(key, found.origin.clone());
        set.insert(name.clone(), Sourced { value: found.value, origin: found.origin });
    }
    set
}
