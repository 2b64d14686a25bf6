//! What we run in: the kernel's security modules, a container around us, control groups, and two doors of the kernel
//! that no server gets and other programs may.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use nix::sched::{CloneFlags, unshare};
use serde::Serialize;

use crate::sys::process::{self, Fork};
use crate::sys::{errno, uring};

/// What was found around us.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// In the kernel's order; `null` where `securityfs` cannot be read.
    pub(super) lsm: Option<Vec<String>>,
    /// What kind, and by what it shows; `null` where nothing shows one.
    pub(super) container: Option<String>,
    pub(super) cgroups: Cgroups,
    pub(super) io_uring: Door,
    pub(super) user_namespaces: Door,
}

/// Control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cgroups {
    V2,
    V1,
    None,
}

/// Something that the kernel offers outside a pen. No server gets it, so that it costs nothing when it is shut.
#[derive(Debug, Serialize)]
pub(super) struct Door {
    pub(super) open: bool,
    /// The errno that it is shut with.
    pub(super) errno: Option<&'static str>,
}

impl Cgroups {
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Cgroups::V2 => "version 2; limits are held without them",
            Cgroups::V1 => "version 1; limits are held without them",
            Cgroups::None => "none; limits are held without them",
        }
    }
}

impl Door {
    pub(super) fn sentence(&self) -> String {
        match self.errno {
            None => "programs may; no server may".into(),
            Some(errno) => format!("nobody may ({errno}); no server needs it"),
        }
    }
}

impl From<io::Result<()>> for Door {
    fn from(tried: io::Result<()>) -> Door {
        Door { open: tried.is_ok(), errno: tried.err().map(|error| errno::name(errno::of(&error))) }
    }
}

impl Machine {
    /// Looks. Call while there is one thread: a child is forked.
    pub(super) fn look() -> Machine {
        let lsm = fs::read_to_string("/sys/kernel/security/lsm").ok();
        Machine {
            lsm: lsm.map(|list| list.trim().split(',').map(str::to_owned).collect()),
            container: container(Path::new("/"), std::env::var("container").ok().as_deref()),
            cgroups: cgroups(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()),
            io_uring: uring::setup(1).map(drop).into(),
            user_namespaces: new_user_namespace().into(),
        }
    }
}

/// In a child, with which it ends.
fn new_user_namespace() -> io::Result<()> {
    match process::fork()? {
        Fork::Child => {
            let tried = unshare(CloneFlags::CLONE_NEWUSER);
            process::exit_now(tried.err().map_or(0, |errno| errno as i32))
        }
        Fork::Parent(_) => match process::reap(true)? {
            Some(ended) if libc::WIFEXITED(ended.status) && libc::WEXITSTATUS(ended.status) == 0 => Ok(()),
            Some(ended) if libc::WIFEXITED(ended.status) => {
                Err(io::Error::from_raw_os_error(libc::WEXITSTATUS(ended.status)))
            }
            _ => Err(io::Error::from_raw_os_error(libc::EPERM)),
        },
    }
}

/// A container, by what it leaves in its root folder, by what it says, or by the names of its groups.
fn container(root: &Path, variable: Option<&str>) -> Option<String> {
    let text = |path: &str| fs::read_to_string(root.join(path)).ok();
    for (mark, kind) in [(".dockerenv", "docker"), ("run/.containerenv", "podman")] {
        if root.join(mark).exists() {
            return Some(format!("{kind} (/{mark})"));
        }
    }
    let told = variable.map(str::to_owned).or_else(|| text("run/systemd/container"));
    if let Some(kind) = told.map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty()) {
        return Some(format!("{kind} (it says so)"));
    }
    let groups = text("proc/1/cgroup").unwrap_or_default();
    let kinds = ["docker", "kubepods", "libpod", "lxc", "containerd"];
    kinds.iter().find(|kind| groups.contains(**kind)).map(|kind| format!("{kind} (/proc/1/cgroup)"))
}

fn cgroups(mounts: &str) -> Cgroups {
    let kinds: BTreeSet<&str> =
        mounts.lines().filter_map(|line| line.split_once(" - ")?.1.split(' ').next()).collect();
    match (kinds.contains("cgroup2"), kinds.contains("cgroup")) {
        (_, true) => Cgroups::V1,
        (true, false) => Cgroups::V2,
        (false, false) => Cgroups::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_by_their_marks() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(container(root.path(), None), None);
        assert_eq!(container(root.path(), Some("lxc")).as_deref(), Some("lxc (it says so)"));
        fs::create_dir_all(root.path().join("proc/1")).unwrap();
        fs::write(root.path().join("proc/1/cgroup"), "0::/kubepods/pod1\n").unwrap();
        assert_eq!(container(root.path(), None).as_deref(), Some("kubepods (/proc/1/cgroup)"));
        fs::write(root.path().join(".dockerenv"), "").unwrap();
        assert_eq!(container(root.path(), None).as_deref(), Some("docker (/.dockerenv)"));
    }

    #[test]
    fn groups_are_told_by_what_is_mounted() {
        let two = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let one = "31 24 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
        assert_eq!(cgroups(two), Cgroups::V2);
        assert_eq!(cgroups(&format!("{two}{one}")), Cgroups::V1);
        assert_eq!(cgroups("1 0 8:1 / / rw - ext4 /dev/root rw\n"), Cgroups::None);
    }
}
