//! The attacks: what each does, what a profile would have to grant for it, and how its refusal looks.
//!
//! Each does the real thing, on what the doctor planted: it works where there is no pen, or it proves nothing.

mod files;
mod kernel;
mod limits;
mod metadata;
mod network;
mod processes;
mod programs;

use std::io;
use std::path::PathBuf;

use crate::cli::prove::mission::Mission;
use crate::policy::grant::Access;

/// Where an attack has something to attack.
#[derive(Debug, Clone, Copy)]
pub(super) enum On {
    /// Everywhere.
    Anything,
    /// In the folder that the server is for, where the profile grants it for reading only.
    ReadOnlyWork,
    /// In the same, where the profile grants writing it.
    WritableWork,
    /// In any folder that the profile grants for reading only.
    ReadOnly,
    /// In the user's own secret stores, where there are some.
    Stores,
    /// Where the profile has a network, and so a resolver.
    Network,
    /// Where the profile sets this limit.
    Limit(fn(&Mission) -> bool),
}

/// What would have to be granted for it to be no attack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wants {
    /// Nothing that a profile can say.
    Never,
    /// A path.
    Path(Access, fn(&Mission) -> PathBuf),
    /// The TCP port of 127.0.0.1 that somebody listens on.
    Port,
    /// To listen on a port of 127.0.0.1 that the kernel chooses.
    Listen,
    /// A Unix socket.
    Socket(fn(&Mission) -> PathBuf),
    /// Filters of its own.
    Filters,
    /// The secret's name in the environment.
    Secret,
}

/// Who refuses, where no line of the log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silent {
    /// Nobody does so silently: there must be a line.
    No,
    /// Landlock's scope, which asks nobody.
    Scope,
    /// A limit that the kernel holds by itself.
    Limit,
    /// It is removed before anything runs.
    Removed,
}

/// One attack.
#[derive(Debug)]
pub(super) struct Attack {
    /// Its name, for the log and for scripts.
    pub(super) name: &'static str,
    /// What it does, for people.
    pub(super) title: &'static str,
    run: fn(&Mission) -> io::Result<String>,
    pub(super) on: On,
    pub(super) wants: Wants,
    /// The answers that are a refusal; any other is none.
    pub(super) refusals: &'static [&'static str],
    pub(super) silent: Silent,
}

impl Attack {
    /// Does it: what it got, in a few words.
    pub(super) fn run(&self, mission: &Mission) -> io::Result<String> {
        (self.run)(mission)
    }
}

const EACCES: &[&str] = &["EACCES"];
const EPERM: &[&str] = &["EPERM"];

/// An attack that no profile allows, answered like this.
const fn never(
    name: &'static str,
    title: &'static str,
    refusals: &'static [&'static str],
    run: fn(&Mission) -> io::Result<String>,
) -> Attack {
    Attack { name, title, run, on: On::Anything, wants: Wants::Never, refusals, silent: Silent::No }
}

/// An attack that a grant of this path would allow.
const fn path(
    name: &'static str,
    title: &'static str,
    access: Access,
    place: fn(&Mission) -> PathBuf,
    run: fn(&Mission) -> io::Result<String>,
) -> Attack {
    let wants = Wants::Path(access, place);
    Attack { name, title, run, on: On::Anything, wants, refusals: EACCES, silent: Silent::No }
}

impl Attack {
    const fn on(mut self, on: On) -> Attack {
        self.on = on;
        self
    }

    const fn wants(mut self, wants: Wants) -> Attack {
        self.wants = wants;
        self
    }

    const fn refused_by(mut self, refusals: &'static [&'static str]) -> Attack {
        self.refusals = refusals;
        self
    }

    const fn silent(mut self, silent: Silent) -> Attack {
        self.silent = silent;
        self
    }
}

/// All of them, in the order in which they are tried: what takes everything away from others comes last.
pub(super) fn all() -> impl Iterator<Item = &'static Attack> {
    [
        files::ATTACKS,
        metadata::ATTACKS,
        programs::ATTACKS,
        processes::ATTACKS,
        network::ATTACKS,
        kernel::ATTACKS,
        limits::ATTACKS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_titles_fit() {
        let mut seen = BTreeSet::new();
        for attack in all() {
            assert!(seen.insert(attack.name), "{}", attack.name);
            assert!(attack.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", attack.name);
            assert!(attack.title.len() <= 44, "{}", attack.title);
            assert!(!attack.refusals.is_empty() || attack.silent == Silent::Removed, "{}", attack.name);
        }
        assert!(seen.len() >= 60, "{}", seen.len());
    }
}
