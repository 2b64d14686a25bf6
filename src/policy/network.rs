//! `[network]`, resolved: which hosts a server may reach, by name; and what that says of one name or address.
//!
//! An empty list is no network. A name is allowed by an entry for it and for the port; an address by nothing but an
//! entry that is this address. Whether the addresses *behind* an allowed name may be spoken to is [`Network::permits`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::policy::address::{Place, canonical, place};
use crate::policy::grant::{Origin, taken_away};
use crate::policy::host::{Host, Name, Pattern};
use crate::policy::tools::{Period, Rate};

/// What one server may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Hosts that it may connect to.
    pub allow: Vec<HostGrant>,
    /// Ports of this machine that it may connect to.
    pub local: Vec<LocalGrant>,
    /// Addresses that it may listen on.
    pub listen: Vec<LocalGrant>,
    /// Sockets in the file system that it may connect to.
    pub unix: Vec<SocketGrant>,
    /// Connections at a time.
    pub connections: u32,
    /// Connections to one host in a time; `None`: any number.
    pub rate: Option<Rate>,
    /// A connection on which nothing moves for so long is closed; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Entries of the profile that the workspace's own file takes away. They allow nothing, and explain why.
    #[serde(skip)]
    pub taken: TakenEntries,
}

/// What the workspace's own file takes away, list by list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenEntries {
    /// Of `network.allow`.
    pub allow: Vec<TakenEntry<HostGrant>>,
    /// Of `network.local`.
    pub local: Vec<TakenEntry<LocalGrant>>,
    /// Of `network.listen`.
    pub listen: Vec<TakenEntry<LocalGrant>>,
}

/// An entry of a list that the workspace's own file takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenEntry<G> {
    /// The entry.
    pub grant: G,
    /// The line that takes it away.
    pub by: Origin,
}

/// One entry of `network.allow`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct HostGrant {
    /// Which hosts.
    pub host: Pattern,
    /// The port.
    pub port: u16,
    /// It may be on a private address.
    pub private: bool,
    /// Why the profile gives it, in the author's words.
    pub reason: Option<String>,
    /// The line that gave it.
    pub origin: Origin,
}

/// One entry of `network.local` or `network.listen`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LocalGrant {
    /// `localhost`, or one address.
    pub host: LocalHost,
    /// The port; 0 under `listen`: one that the kernel chooses.
    pub port: u16,
    /// Why.
    pub reason: Option<String>,
    /// The line that gave it.
    pub origin: Origin,
}

/// One entry of `network.unix`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SocketGrant {
    /// The socket's real path: no link on the way.
    pub path: PathBuf,
    /// Why.
    pub reason: Option<String>,
    /// The line that gave it.
    pub origin: Origin,
}

/// Whom a local entry means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum LocalHost {
    /// `localhost`: 127.0.0.1 and ::1.
    #[serde(serialize_with = "localhost")]
    Localhost,
    /// This address.
    Address(IpAddr),
}

fn localhost<S: serde::Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("localhost")
}

impl LocalHost {
    /// Whether it means this address.
    pub fn is(self, address: IpAddr) -> bool {
        match self {
            LocalHost::Localhost => {
                address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address == IpAddr::V6(Ipv6Addr::LOCALHOST)
            }
            LocalHost::Address(own) => own == address,
        }
    }
}

impl std::fmt::Display for LocalHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LocalHost::Localhost => f.write_str("localhost"),
            LocalHost::Address(address) => Host::Address(*address).fmt(f),
        }
    }
}

/// Connections at a time, when no file says it.
pub const CONNECTIONS: u32 = 1024;
/// Connections to one host, when no file says it.
pub const RATE: Rate = Rate { count: 6000, per: Period::Minute };
/// How long a connection may be idle, when no file says it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

impl Default for Network {
    fn default() -> Self {
        Network {
            allow: Vec::new(),
            local: Vec::new(),
            listen: Vec::new(),
            unix: Vec::new(),
            connections: CONNECTIONS,
            rate: Some(RATE),
            idle_timeout: Some(IDLE_TIMEOUT),
            taken: TakenEntries::default(),
        }
    }
}

impl Network {
    /// Whether there is no network at all.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.local.is_empty() && self.listen.is_empty()
    }

    /// The entry that allows a name on a port: one that allows private addresses before one that does not.
    pub fn allows(&self, name: &Name, port: u16) -> Option<&HostGrant> {
        self.entries(name).filter(|grant| grant.port == port).max_by_key(|grant| grant.private)
    }

    /// Whether a name may be looked up: some port of it is allowed.
    pub fn resolves(&self, name: &Name) -> Option<&HostGrant> {
        self.entries(name).max_by_key(|grant| grant.private)
    }

    /// The ports that are allowed for a name.
    pub fn ports(&self, name: &Name) -> Vec<u16> {
        let mut ports: Vec<u16> = self.entries(name).map(|grant| grant.port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Why a line of the profile would not help, when the workspace's own file is what a name is missed by.
    /// `None` for the port: any.
    pub fn why_taken(&self, name: &Name, port: Option<u16>) -> Option<String> {
        let own = port.filter(|_| name.is_localhost());
        let own = own.and_then(|port| self.why_local_taken(Ipv4Addr::LOCALHOST.into(), port));
        let is_it = |taken: &&TakenEntry<HostGrant>| {
            taken.grant.host.covers(name) && port.is_none_or(|port| port == taken.grant.port)
        };
        let found = self.taken.allow.iter().find(is_it);
        own.or_else(|| found.map(|taken| taken_away(&taken.grant.origin, &taken.by)))
    }

    /// The same for an address that is listed as it is.
    pub fn why_address_taken(&self, address: IpAddr, port: u16) -> Option<String> {
        let canonical = canonical(address);
        let is_it =
            |taken: &&TakenEntry<HostGrant>| taken.grant.host.is(canonical) && taken.grant.port == port;
        let taken = self.taken.allow.iter().find(is_it);
        let why = taken.map(|taken| taken_away(&taken.grant.origin, &taken.by));
        why.or_else(|| self.why_local_taken(address, port))
    }

    /// The same for an address to listen on.
    pub fn why_listen_taken(&self, address: IpAddr, port: u16) -> Option<String> {
        why_own_taken(&self.taken.listen, address, port)
    }

    fn why_local_taken(&self, address: IpAddr, port: u16) -> Option<String> {
        why_own_taken(&self.taken.local, address, port)
    }

    /// Why there is no network at all, when it is the workspace's own file that leaves none.
    pub fn why_none(&self) -> Option<String> {
        let TakenEntries { allow, local, listen } = &self.taken;
        let hosts = allow.first().map(|taken| ("hosts", &taken.by));
        let own = local.iter().chain(listen).next().map(|taken| ("own ports", &taken.by));
        let (what, by) = hosts.or(own).filter(|_| self.is_empty())?;
        Some(format!("the workspace's own file leaves none of the profile's {what} ({by})"))
    }

    fn entries(&self, name: &Name) -> impl Iterator<Item = &HostGrant> {
        self.allow.iter().filter(|grant| grant.host.covers(name))
    }

    /// The entry that is this address and port.
    pub fn literal(&self, address: IpAddr, port: u16) -> Option<&HostGrant> {
        let address = canonical(address);
        self.allow.iter().find(|grant| grant.host.is(address) && grant.port == port)
    }

    /// The entry of `local` for an address of this machine.
    pub fn is_local(&self, address: IpAddr, port: u16) -> Option<&LocalGrant> {
        let address = canonical(address);
        self.local.iter().find(|grant| grant.host.is(address) && grant.port == port)
    }

    /// The entry of `listen` for an address.
    pub fn listens(&self, address: IpAddr, port: u16) -> Option<&LocalGrant> {
        let address = canonical(address);
        self.listen.iter().find(|grant| grant.host.is(address) && grant.port == port)
    }

    /// Whether an address behind a name that `grant` allows may be spoken to.
    pub fn permits(&self, grant: &HostGrant, address: IpAddr) -> bool {
        match place(address) {
            Place::Public => true,
            Place::Private => grant.private,
            // Which of its ports is judged when it is connected to.
            Place::Loopback => self.local.iter().any(|local| local.host.is(canonical(address))),
            Place::Never => false,
        }
    }

    /// Names that stand in the list as they are, for whoever knows no other way to look them up.
    pub fn exact_names(&self) -> Vec<&Name> {
        let mut names: Vec<&Name> = self
            .allow
            .iter()
            .filter_map(|grant| match &grant.host {
                Pattern::Exact(Host::Name(name)) => Some(name),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn why_own_taken(taken: &[TakenEntry<LocalGrant>], address: IpAddr, port: u16) -> Option<String> {
    let address = canonical(address);
    let found = taken.iter().find(|taken| taken.grant.host.is(address) && taken.grant.port == port);
    found.map(|taken| taken_away(&taken.grant.origin, &taken.by))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(entries: &[(&str, u16, bool)]) -> Network {
        let grant = |(host, port, private): &(&str, u16, bool)| HostGrant {
            host: Pattern::parse(host).unwrap(),
            port: *port,
            private: *private,
            reason: None,
            origin: Origin::caponier(),
        };
        Network { allow: entries.iter().map(grant).collect(), ..Network::default() }
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn an_empty_list_is_no_network() {
        let none = Network::default();
        assert!(none.is_empty() && none.resolves(&name("a.com")).is_none());
        assert!(none.literal("1.1.1.1".parse().unwrap(), 443).is_none());
        assert!(none.is_local("127.0.0.1".parse().unwrap(), 80).is_none());
    }

    #[test]
    fn names_are_allowed_with_their_port() {
        let network = allow(&[("a.com", 443, false), ("*.a.com", 80, false), ("1.1.1.1", 443, false)]);
        assert!(network.allows(&name("a.com"), 443).is_some());
        assert!(network.allows(&name("a.com"), 80).is_none());
        assert!(network.allows(&name("b.a.com"), 80).is_some());
        assert!(network.resolves(&name("b.a.com")).is_some() && network.resolves(&name("a.com.b")).is_none());
        assert!(network.literal("::ffff:1.1.1.1".parse().unwrap(), 443).is_some());
        assert!(network.literal("1.1.1.1".parse().unwrap(), 80).is_none());
        assert_eq!(network.exact_names(), [&name("a.com")]);
    }

    #[test]
    fn private_addresses_need_a_word_and_others_cannot_be_had() {
        let mut network = allow(&[("a.com", 443, false), ("corp.example", 443, true)]);
        let (public, private) = (network.allow[0].clone(), network.allow[1].clone());
        let permits =
            |network: &Network, grant, address: &str| network.permits(grant, address.parse().unwrap());
        assert!(permits(&network, &public, "93.184.216.34") && !permits(&network, &public, "10.0.0.1"));
        assert!(permits(&network, &private, "10.0.0.1") && permits(&network, &private, "fd12::1"));
        for never in ["169.254.169.254", "fd00:ec2::254", "127.0.0.1", "::1", "0.0.0.0", "fe80::1"] {
            assert!(!permits(&network, &private, never), "{never}");
        }
        network.local.push(LocalGrant {
            host: LocalHost::Localhost,
            port: 5432,
            reason: None,
            origin: Origin::caponier(),
        });
        assert!(permits(&network, &public, "127.0.0.1") && !permits(&network, &public, "127.0.0.2"));
        assert!(network.is_local("::1".parse().unwrap(), 5432).is_some());
        assert!(network.is_local("127.0.0.1".parse().unwrap(), 5433).is_none());
    }
}
