//! What no profile can grant, whoever wrote it: the refusal table.
//!
//! Compared by inode on the way up, as Landlock does, so neither a symlink, a bind mount nor another spelling gets
//! round it. A refused place that does not exist yet is refused all the same: the grant would cover it once it does.

use std::io;
use std::path::{Path, PathBuf};

use crate::policy::grant::Access;
use crate::profile::context::Context;
use crate::profile::place::{Place, Places};
use crate::profile::secrets::{CLIENT_FILES, SECRET_STORES};

/// Which grants a place refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Every kind, on it, above it or in it.
    Any,
    /// Every kind, on it or above it: what lies in it is its own matter.
    AnyAbove,
    /// Writing, on it, above it or in it.
    Write,
    /// Writing, on it or above it.
    WriteAbove,
}

/// One refused place.
#[derive(Debug, Clone)]
struct Refused {
    place: Place,
    scope: Scope,
    /// What it is, for the message: `a secret store`.
    what: &'static str,
}

/// The table, for one user and one session.
#[derive(Debug)]
pub(super) struct Refusals {
    refused: Vec<Refused>,
    /// Places inside refused ones that are the server's own, with the highest access that they may be granted for.
    own: Vec<(Place, Access)>,
}

/// Why one grant is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The place that refuses it.
    pub place: PathBuf,
    /// What that is.
    pub what: &'static str,
    /// Whether the grant lies in it (else it is it, or lies above it).
    pub inside: bool,
}

/// The device files that a server may be granted; every other one is hardware.
pub(super) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

impl Refusals {
    /// The table of `context`.
    ///
    /// # Errors
    /// A place that cannot be looked at: then nothing can be said of any grant.
    pub(super) fn new(context: &Context, places: &Places) -> Result<Self, (PathBuf, io::Error)> {
        let find = |path: &Path| places.find(path).map_err(|error| (path.to_owned(), error));
        let mut refused = Vec::new();
        let mut add = |path: &Path, scope: Scope, what: &'static str| {
            find(path).map(|place| refused.push(Refused { place, scope, what }))
        };
        let dirs = &context.directories;
        for folder in [&dirs.config, &dirs.state, &dirs.data, &dirs.runtime] {
            add(folder, Scope::Any, "one of caponier's own folders")?;
        }
        add(&dirs.audit(), Scope::Any, "where the log is")?;
        if let Some(folder) = &context.audit_dir {
            add(folder, Scope::Any, "where the log is")?;
        }
        add(&context.program, Scope::WriteAbove, "caponier's own program")?;
        for home in context.homes() {
            for store in SECRET_STORES {
                add(&home.join(store), Scope::Any, "a secret store")?;
            }
            for file in CLIENT_FILES {
                add(&home.join(file), Scope::Any, "a client's configuration")?;
            }
        }
        add(Path::new("/proc"), Scope::Any, "served by the broker, and never granted")?;
        add(Path::new("/dev"), Scope::AnyAbove, "the folder of all devices")?;
        add(Path::new("/sys"), Scope::Write, "the kernel's own settings")?;
        for folder in ["/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/run", "/var"] {
            add(Path::new(folder), Scope::WriteAbove, "a folder of the system")?;
        }
        for folder in ["/tmp", "/var/tmp", "/dev/shm", "/run/user"] {
            add(Path::new(folder), Scope::WriteAbove, "a folder that all programs share")?;
        }
        let mut own = vec![(find(&dirs.data.join("servers"))?, Access::Execute)];
        if let Some(session) = &context.session {
            for folder in [&session.tmp, &session.session_home, &session.private_home] {
                own.push((find(folder)?, Access::Write));
            }
        }
        Ok(Refusals { refused, own })
    }

    /// The places that nothing is ever granted in, with what they are: what explains a denial at run time.
    pub(super) fn never(self) -> impl Iterator<Item = (PathBuf, &'static str)> {
        let never = self.refused.into_iter().filter(|refused| refused.scope == Scope::Any);
        never.map(|refused| (refused.place.path, refused.what))
    }

    /// Every place that refuses such a grant, the nearest first.
    pub(super) fn of(&self, access: Access, grant: &Place) -> Vec<Refusal> {
        let own = self
            .own
            .iter()
            .any(|(place, most)| (access == *most || access == Access::Read) && place.covers(grant));
        let mut found: Vec<(usize, Refusal)> = Vec::new();
        for refused in &self.refused {
            if access != Access::Write && matches!(refused.scope, Scope::Write | Scope::WriteAbove) {
                continue;
            }
            let above = grant.distance(&refused.place);
            let inside = refused.place.distance(grant).filter(|distance| *distance > 0);
            let refuses_inside = matches!(refused.scope, Scope::Any | Scope::Write) && !own;
            let distance = match (above, inside) {
                (Some(distance), _) => distance,
                (None, Some(distance)) if refuses_inside => distance,
                _ => continue,
            };
            let refusal =
                Refusal { place: refused.place.path.clone(), what: refused.what, inside: above.is_none() };
            found.push((distance, refusal));
        }
        found.sort_by_key(|(distance, _)| *distance);
        found.into_iter().map(|(_, refusal)| refusal).collect()
    }

    /// Folders below a refused one that can be granted in its stead: the split. At most eight, none hidden.
    pub(super) fn split(&self, access: Access, grant: &Place, places: &Places) -> Vec<PathBuf> {
        const SHOWN: usize = 8;
        let entries = std::fs::read_dir(&grant.path).into_iter().flatten().flatten();
        let mut children: Vec<PathBuf> = entries
            .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && !path.is_symlink())
            .filter(|path| places.find(path).is_ok_and(|place| self.of(access, &place).is_empty()))
            .collect();
        children.sort();
        children.truncate(SHOWN);
        children
    }
}
