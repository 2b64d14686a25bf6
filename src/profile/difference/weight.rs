//! How two values of one key are compared, and which entries of a list another line gives already.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::policy::Policy;
use crate::policy::grant::{Access, Grant};
use crate::policy::host::{Host, Pattern};
use crate::policy::network::{HostGrant, LocalGrant, LocalHost};
use crate::policy::tools::ToolDefault;
use crate::profile::difference::Direction;
use crate::profile::lint;
use crate::profile::place::Places;

/// How two values of one key are compared.
#[derive(Debug, Clone)]
pub(super) enum Weight {
    /// Numbers, each the looser the higher.
    Loose(Vec<u128>),
    /// What may be; a longer list is looser. Absent: anything.
    OneOf(BTreeSet<String>),
    /// What may not be; a longer list is stricter. Absent: nothing.
    NoneOf(BTreeSet<String>),
    /// Folders in which something must lie. Absent: anywhere.
    Within(Vec<PathBuf>),
    /// A value without a stricter side.
    Word,
    /// A rule without a stricter side, but stricter than none.
    Rule,
    /// An entry of a list of grants.
    Path(Access, PathBuf),
    /// An entry of `network.allow`.
    Host(HostGrant),
    /// An entry of `network.local`.
    Local(LocalGrant),
    /// An entry of `network.listen`.
    Listen(LocalGrant),
    /// An entry of `tools.allow`.
    Tool(String),
    /// Another entry of a list of what may be.
    Allowed,
    /// An entry of a list of what may not be.
    Denied,
}

impl Weight {
    /// What it amounts to that this value becomes that one.
    pub(super) fn to(&self, other: &Weight, places: &Places) -> Direction {
        let ordered = |looser: bool, stricter: bool| match (looser, stricter) {
            (false, _) => Direction::Narrower,
            (true, false) => Direction::Wider,
            (true, true) => Direction::Changed,
        };
        match (self, other) {
            (Weight::Loose(from), Weight::Loose(to)) => ordered(
                from.iter().zip(to).any(|(from, to)| to > from),
                from.iter().zip(to).any(|(from, to)| to < from),
            ),
            (Weight::OneOf(from), Weight::OneOf(to)) => ordered(!to.is_subset(from), !from.is_subset(to)),
            (Weight::NoneOf(from), Weight::NoneOf(to)) => ordered(!from.is_subset(to), !to.is_subset(from)),
            (Weight::Within(from), Weight::Within(to)) => {
                let reach = |folders: &[PathBuf], others: &[PathBuf]| {
                    folders.iter().all(|folder| others.iter().any(|other| covers(other, folder, places)))
                };
                ordered(!reach(to, from), !reach(from, to))
            }
            _ => Direction::Changed,
        }
    }

    /// Whether it is one of several entries of its key.
    pub(super) fn is_entry(&self) -> bool {
        match self {
            Weight::Loose(_)
            | Weight::OneOf(_)
            | Weight::NoneOf(_)
            | Weight::Within(_)
            | Weight::Word
            | Weight::Rule => false,
            Weight::Path(..)
            | Weight::Host(_)
            | Weight::Local(_)
            | Weight::Listen(_)
            | Weight::Tool(_)
            | Weight::Allowed
            | Weight::Denied => true,
        }
    }

    /// Whether an entry takes something away.
    pub(super) fn narrows(&self) -> bool {
        matches!(self, Weight::Denied)
    }

    /// What it amounts to that a value is there, and was not.
    pub(super) fn appears(&self) -> Direction {
        match self {
            Weight::OneOf(_) | Weight::NoneOf(_) | Weight::Within(_) | Weight::Loose(_) | Weight::Rule => {
                Direction::Narrower
            }
            _ => Direction::Changed,
        }
    }

    /// Whether a policy gives this already, by another line.
    pub(super) fn is_given_by(&self, policy: &Policy, places: &Places) -> bool {
        match self {
            Weight::Path(access, path) => {
                granting(policy, *access).into_iter().flatten().any(|grant| covers(&grant.path, path, places))
            }
            Weight::Host(wanted) => policy.network.allow.iter().any(|grant| {
                grant.port == wanted.port
                    && (grant.private || !wanted.private)
                    && reaches(&grant.host, &wanted.host)
            }),
            Weight::Local(wanted) => is_local(&policy.network.local, wanted),
            Weight::Listen(wanted) => is_local(&policy.network.listen, wanted),
            Weight::Tool(glob) => {
                policy.tools.default == ToolDefault::Allow
                    || policy
                        .tools
                        .allow
                        .iter()
                        .any(|allowed| globset::escape(glob) == *glob && lint::matches(&allowed.glob, glob))
            }
            _ => false,
        }
    }
}

/// The lists whose grants give this access: what is writable or executable is readable too.
fn granting(policy: &Policy, access: Access) -> Vec<&[Grant]> {
    match access {
        Access::Read => vec![&policy.filesystem.read, &policy.filesystem.write, &policy.process.execute],
        Access::Write => vec![&policy.filesystem.write],
        Access::Execute => vec![&policy.process.execute],
    }
}

/// Whether a grant on `above` reaches `path`. What has a variable in it still, or cannot be looked at, covers itself only.
pub(super) fn covers(above: &Path, path: &Path, places: &Places) -> bool {
    if above == path {
        return true;
    }
    if above.is_relative() || path.is_relative() {
        return false;
    }
    match (places.find(above), places.find(path)) {
        (Ok(above), Ok(place)) => above.covers(&place),
        _ => false,
    }
}

/// Whether every host of the one pattern is one of the other.
fn reaches(wide: &Pattern, narrow: &Pattern) -> bool {
    match (wide, narrow) {
        (wide, narrow) if wide == narrow => true,
        (wide, Pattern::Exact(Host::Name(name))) => wide.covers(name),
        (Pattern::Below(above), Pattern::Below(below)) => Pattern::Below(above.clone()).covers(below),
        _ => false,
    }
}

fn is_local(list: &[LocalGrant], wanted: &LocalGrant) -> bool {
    list.iter().any(|grant| {
        grant.port == wanted.port
            && match wanted.host {
                LocalHost::Localhost => grant.host == LocalHost::Localhost,
                LocalHost::Address(address) => grant.host.is(address),
            }
    })
}
