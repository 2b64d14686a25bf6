//! What the gate compares the paths of arguments with: everything that the server may use, and the disk as it is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::mcp::arguments::ground::{Disk, Ground};
use crate::policy::Environment;
use crate::profile;
use crate::session::{Request, assemble};

/// The disk of this machine, followed link by link.
struct ThisDisk;

impl Disk for ThisDisk {
    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        profile::real(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }
}

/// The grants of the policy, and what every server gets.
pub(super) fn ground(request: &Request) -> Ground {
    let own = [assemble::own_grants(request), assemble::cache_grants(request)].concat();
    let granted =
        assemble::granted(&request.policy).chain(own.iter().map(|(access, grant)| (*access, grant)));
    Ground {
        granted: granted.map(|(_, grant)| grant.path.clone()).collect(),
        cwd: request.cwd.clone(),
        home: request.home.clone(),
        network: request.policy.network.clone(),
        refuse_outside: request.policy.profile.env == Environment::Prod,
        disk: Arc::new(ThisDisk),
    }
}
