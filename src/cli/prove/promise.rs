//! What a profile promises of each attack, and which attacks there are under it. Asked of the same code as
//! `profile why`: an attack that a line of the profile grants is none.

use std::fs::{File, OpenOptions};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::cli::prove::attacks::{Attack, On, Wants};
use crate::cli::prove::mission::{Bounds, Mission, SECRET};
use crate::cli::surroundings::Surroundings;
use crate::policy::grant::Access;
use crate::policy::verdict::Ruling;
use crate::profile::Resolved;
use crate::profile::context::Context;
use crate::profile::secrets::{CLIENT_FILES, SECRET_STORES};
use crate::profile::why::{Error, Paths};

/// What is promised of one attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Promise {
    /// That it does not work.
    Refused,
    /// Nothing: it is granted, by this line.
    Granted(String),
}

/// A profile, asked.
pub(super) struct Promises<'p> {
    resolved: &'p Resolved,
    paths: Paths<'p>,
}

impl<'p> Promises<'p> {
    /// # Errors
    /// A place that a path is compared with cannot be looked at.
    pub(super) fn new(resolved: &'p Resolved, context: &'p Context) -> Result<Self, Error> {
        Ok(Promises { resolved, paths: Paths::new(resolved, context)? })
    }

    /// What is promised of an attack.
    ///
    /// # Errors
    /// The path that it wants cannot be looked at.
    pub(super) fn of(&self, attack: &Attack, mission: &Mission) -> Result<Promise, Error> {
        let policy = &self.resolved.policy;
        let network = &policy.network;
        let granted = match attack.wants {
            Wants::Never => None,
            Wants::Path(access, place) => self.grants(access, &place(mission))?,
            Wants::Port => network
                .is_local(Ipv4Addr::LOCALHOST.into(), mission.tcp)
                .map(|grant| grant.origin.to_string()),
            Wants::Listen => {
                network.listens(Ipv4Addr::LOCALHOST.into(), 0).map(|grant| grant.origin.to_string())
            }
            Wants::Socket(place) => {
                let place = place(mission);
                network.unix.iter().find(|grant| grant.path == place).map(|grant| grant.origin.to_string())
            }
            Wants::Filters => {
                policy.process.nested_seccomp.then(|| "process.nested_seccomp = true".to_owned())
            }
            Wants::Secret => {
                let env = &policy.process.env;
                let named = env.pass.iter().chain(&env.secret).any(|name| name == SECRET);
                named.then(|| "process.env".to_owned())
            }
        };
        Ok(granted.map_or(Promise::Refused, Promise::Granted))
    }

    fn grants(&self, access: Access, path: &Path) -> Result<Option<String>, Error> {
        let answer = self.paths.ask(access, path)?;
        let line = answer.line.map_or_else(|| "the profile".to_owned(), |line| line.to_string());
        Ok((answer.verdict == Ruling::Allow).then_some(line))
    }

    /// Whether there is anything that the attack could attack.
    ///
    /// # Errors
    /// The folder that the server is for cannot be looked at.
    pub(super) fn applies(&self, attack: &Attack, mission: &Mission) -> Result<bool, Error> {
        let file = mission.work.join("file");
        Ok(match attack.on {
            On::Anything => true,
            On::WritableWork => self.grants(Access::Write, &file)?.is_some(),
            On::ReadOnlyWork => {
                self.grants(Access::Read, &file)?.is_some() && self.grants(Access::Write, &file)?.is_none()
            }
            On::ReadOnly => mission.read_only.is_some(),
            On::Network => !self.resolved.policy.network.is_empty(),
            On::Stores => !mission.stores.is_empty(),
            On::Limit(is_set) => is_set(mission),
        })
    }

    /// A folder that is granted for reading only, and that we could write: the one that the server is for before all
    /// others.
    ///
    /// # Errors
    /// One of them cannot be looked at.
    pub(super) fn read_only(&self, work: &Path) -> Result<Option<PathBuf>, Error> {
        let granted = self.resolved.policy.filesystem.read.iter().map(|grant| grant.path.as_path());
        for folder in std::iter::once(work).chain(granted) {
            if is_writable(folder)
                && self.grants(Access::Read, folder)?.is_some()
                && self.grants(Access::Write, folder)?.is_none()
            {
                return Ok(Some(folder.to_owned()));
            }
        }
        Ok(None)
    }

    /// Limits that can be tried.
    pub(super) fn bounds(&self) -> Bounds {
        let limits = &self.resolved.policy.limits;
        Bounds {
            processes: limits.processes,
            open_files: limits.open_files,
            file_size: limits.file_size,
            memory: limits.memory,
        }
    }

    /// Whether every refused read has its line.
    pub(super) fn reads_are_recorded(&self) -> bool {
        self.resolved.policy.audit.file_reads || !self.resolved.policy.network.is_empty()
    }
}

/// Whether we could write there: by a file without a name, which is gone when it is closed.
fn is_writable(folder: &Path) -> bool {
    let flags = libc::O_TMPFILE | libc::O_CLOEXEC;
    OpenOptions::new().write(true).custom_flags(flags).open(folder).is_ok()
}

/// The user's secrets, as far as the user can open them.
pub(super) fn stores(around: &Surroundings) -> Vec<PathBuf> {
    let names = SECRET_STORES.iter().chain(CLIENT_FILES);
    let all = around.homes().flat_map(|home| names.clone().map(move |name| home.join(name)));
    all.filter(|store| File::open(store).is_ok()).collect()
}

/// Caponier's own folders, as far as they are there.
pub(super) fn own(around: &Surroundings) -> Vec<PathBuf> {
    let directories = &around.directories;
    let own = [
        directories.audit(),
        directories.config.clone(),
        directories.state.clone(),
        directories.data.clone(),
    ];
    own.into_iter().filter(|folder| is_writable(folder)).collect()
}
