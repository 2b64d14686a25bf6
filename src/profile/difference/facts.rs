//! A policy as a list of facts: each a key, a value as TOML writes it, how strict that is, and the line that states it.

use crate::policy::confirm::Confirm;
use crate::policy::grant::{Access, Grant};
use crate::policy::network::{LocalGrant, Network};
use crate::policy::tools::UnknownFields;
use crate::policy::{
    Arguments, Audit, EnvironmentRules, Filesystem, Home, OnFailure, PathArguments, Pins, Policy, Process,
    Protocol, Require, Requirement, Stdout, Sync,
};
use crate::profile::Resolved;
use crate::profile::difference::list::{Fact, List, json, list as words, or_none, quoted, rate_weight};
use crate::profile::difference::tool_facts::Ruled;
use crate::profile::difference::weight::Weight;

/// Everything that a policy says. What identifies it says nothing of what it allows.
pub(super) fn of(resolved: &Resolved, ruled: &Ruled) -> Vec<Fact> {
    let Policy {
        profile,
        filesystem,
        process,
        limits,
        network,
        tools,
        protocol,
        pins,
        confirm,
        audit,
        require,
    } = &resolved.policy;
    let mut list = List { resolved, facts: Vec::new() };
    list.filesystem(filesystem);
    list.process(process);
    let crate::policy::limits::Limits { memory, processes, open_files, file_size, cpu_time, wall_time } =
        limits;
    list.number("limits.memory", *memory);
    list.number("limits.processes", processes.map(u64::from));
    list.number("limits.open_files", *open_files);
    list.number("limits.file_size", *file_size);
    list.time("limits.cpu_time", *cpu_time);
    list.time("limits.wall_time", *wall_time);
    list.network(network);
    list.tools(tools, protocol.unknown_fields, profile.env, ruled);
    list.protocol(protocol);
    list.word(
        "protocol.pins",
        pins,
        match pins {
            Pins::Enforce => 0,
            Pins::Warn => 1,
            Pins::Off => 2,
        },
    );
    let Confirm { channels, timeout } = confirm;
    let ways = Weight::OneOf(channels.iter().map(ToString::to_string).collect());
    list.scalar("confirm.channels", words(channels), ways);
    list.time("confirm.timeout", Some(*timeout));
    list.audit(audit);
    let Require { landlock_abi, kill_scope } = require;
    let missing = u128::from(u32::MAX - landlock_abi);
    list.scalar("require.landlock_abi", landlock_abi.to_string(), Weight::Loose(vec![missing]));
    list.word("require.kill_scope", kill_scope, u128::from(*kill_scope == Requirement::BestEffort));
    list.facts
}

impl List<'_> {
    fn grants(&mut self, access: Access, grants: &[Grant]) {
        for grant in grants {
            let value = quoted(&grant.path.display());
            let weight = Weight::Path(access, grant.path.clone());
            self.push(access.key(), value, weight, Some(grant.origin.clone()));
        }
    }

    fn filesystem(&mut self, filesystem: &Filesystem) {
        let Filesystem { read, write, unprotected } = filesystem;
        self.grants(Access::Read, read);
        self.grants(Access::Write, write);
        self.names("filesystem.unprotected", unprotected, &Weight::Allowed);
    }

    fn names(&mut self, key: &str, names: &[String], weight: &Weight) {
        for name in names {
            self.push(key, quoted(name), weight.clone(), None);
        }
    }

    fn process(&mut self, process: &Process) {
        let Process { execute, execute_writable, arguments_as_paths, env, nested_seccomp, home } = process;
        self.grants(Access::Execute, execute);
        for grant in execute_writable {
            let value = quoted(&grant.path.display());
            self.push("process.execute_writable", value, Weight::Allowed, Some(grant.origin.clone()));
        }
        let kind = arguments_as_paths.as_ref().map_or_else(|| quoted("none"), json);
        let looseness = match arguments_as_paths {
            None => 0,
            Some(PathArguments::Read) => 1,
            Some(PathArguments::Write) => 2,
        };
        self.scalar("process.arguments_as_paths", kind, Weight::Loose(vec![looseness]));
        let EnvironmentRules { pass, set, secret } = env;
        self.names("process.env.pass", pass, &Weight::Allowed);
        self.names("process.env.secret", secret, &Weight::Allowed);
        for (name, value) in set {
            self.scalar(&format!("process.env.set.{name}"), quoted(value), Weight::Word);
        }
        self.word("process.nested_seccomp", nested_seccomp, u128::from(*nested_seccomp));
        self.word("process.home", home, u128::from(*home == Home::Private));
    }

    fn network(&mut self, network: &Network) {
        // What was taken away allows nothing.
        let Network { allow, local, listen, unix, connections, rate, idle_timeout, taken: _ } = network;
        for grant in allow {
            let private = if grant.private { " (private)" } else { "" };
            let value = format!("{}{private}", quoted(&format!("{}:{}", grant.host, grant.port)));
            self.push("network.allow", value, Weight::Host(grant.clone()), Some(grant.origin.clone()));
        }
        for (key, list, weight) in [
            ("network.local", local, Weight::Local as fn(LocalGrant) -> Weight),
            ("network.listen", listen, Weight::Listen),
        ] {
            for grant in list {
                let value = quoted(&format!("{}:{}", grant.host, grant.port));
                self.push(key, value, weight(grant.clone()), Some(grant.origin.clone()));
            }
        }
        for grant in unix {
            let value = quoted(&grant.path.display());
            self.push("network.unix", value, Weight::Allowed, Some(grant.origin.clone()));
        }
        self.number("network.connections", Some(u64::from(*connections)));
        self.scalar("network.rate", or_none(rate.map(|rate| quoted(&rate))), rate_weight(*rate));
        self.time("network.idle_timeout", *idle_timeout);
    }

    fn protocol(&mut self, protocol: &Protocol) {
        let Protocol { max_message, max_depth, stdout, unknown_fields, server_requests } = protocol;
        self.number("protocol.max_message", Some(*max_message));
        self.number("protocol.max_depth", Some(u64::from(*max_depth)));
        self.word("protocol.stdout", stdout, u128::from(*stdout == Stdout::Relaxed));
        let open = u128::from(*unknown_fields == UnknownFields::Allow);
        self.word("protocol.unknown_fields", unknown_fields, open);
        let crate::policy::requests::ServerRequests { roots, elicitation, sampling } = server_requests;
        for (name, permission) in [("roots", roots), ("elicitation", elicitation), ("sampling", sampling)] {
            let key = format!("protocol.server_requests.{name}");
            self.word(&key, permission, u128::from(permission.allowed));
        }
    }

    /// The stricter record is the fuller and the more durable one, as long as no secret is in it.
    fn audit(&mut self, audit: &Audit) {
        let Audit { arguments, stderr, sync, on_failure, file_reads } = audit;
        self.word(
            "audit.arguments",
            arguments,
            match arguments {
                Arguments::Redacted => 0,
                Arguments::Shape => 1,
                Arguments::None => 2,
                Arguments::Full => 3,
            },
        );
        self.word("audit.stderr", stderr, u128::from(!stderr));
        self.word(
            "audit.sync",
            sync,
            match sync {
                Sync::Event => 0,
                Sync::Call => 1,
                Sync::Session => 2,
            },
        );
        self.word("audit.on_failure", on_failure, u128::from(*on_failure == OnFailure::Continue));
        self.word("audit.file_reads", file_reads, u128::from(!file_reads));
    }
}
