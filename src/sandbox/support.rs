//! What this kernel offers: asked of the kernel by trying, once, and kept in one value.
//!
//! Never derived from a version number. The policy decides what to do without a thing.

use std::os::fd::AsFd as _;

use crate::policy::{Require, Requirement};
use crate::sys::{descriptor, errno, landlock, seccomp};

/// ABI 6 scopes signals and abstract sockets.
pub const SCOPED: u32 = 6;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Landlock's ABI, or the errno's name of asking for it.
    pub landlock_abi: Result<u32, &'static str>,
}

/// What holds in one run, after policy and kernel were compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enforceable {
    /// Landlock's ABI.
    pub landlock_abi: u32,
    /// Signals and abstract sockets end at the tree's edge.
    pub scopes: bool,
    /// What the profile would have liked and does not get.
    pub degraded: Vec<String>,
}

/// A requirement that this kernel does not meet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// No Landlock at all.
    #[error("this kernel offers no Landlock ({errno})")]
    NoLandlock {
        /// What asking for it said.
        errno: &'static str,
    },
    /// Too old.
    #[error("this kernel's Landlock is too old: ABI {found}, the profile requires {required}")]
    TooOld {
        /// Found.
        found: u32,
        /// Required.
        required: u32,
    },
    /// No signal scope, and the profile insists.
    #[error(
        "this kernel's Landlock (ABI {found}) has no signal scope (ABI 6), and require.kill_scope is \"required\""
    )]
    NoScope {
        /// Found.
        found: u32,
    },
}

/// Whether notifications can be had: a thread that ends at once installs a program that allows everything, with a
/// listener. `true`: answers wake the caller at once (Linux 6.6).
///
/// # Errors
/// Why not, in words.
pub fn may_be_notified() -> Result<bool, String> {
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const ALLOW: u32 = 0x7fff_0000;
    let tried = std::thread::spawn(|| {
        nix::sys::prctl::set_no_new_privs()?;
        seccomp::install_with_listener(&[seccomp::Instruction { code: RETURN, jt: 0, jf: 0, k: ALLOW }])
    });
    match tried.join() {
        Ok(Ok(listener)) => Ok(seccomp::set_sync_wake_up(listener.as_fd()).is_ok()),
        Ok(Err(error)) => {
            let name = errno::name(errno::of(&error));
            Err(format!(
                "a seccomp listener is refused ({name}): another one is above us, or a container forbids it"
            ))
        }
        Err(_) => Err("a seccomp listener could not be tried".to_owned()),
    }
}

/// Whether a descriptor of `pid`'s, a process below us, can be copied: the network rests on it.
///
/// # Errors
/// Why not, in words.
pub fn may_copy_descriptors(pid: u32) -> Result<(), String> {
    let pidfd = descriptor::pidfd_open(pid)
        .map_err(|error| format!("pidfd_open is refused ({})", errno::name(errno::of(&error))))?;
    match descriptor::pidfd_getfd(pidfd.as_fd(), 0) {
        Ok(_) => Ok(()),
        // It has no stdin: whether we may is asked first.
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(()),
        Err(error) => {
            let name = errno::name(errno::of(&error));
            Err(format!(
                "pidfd_getfd is refused ({name}), by a container's filter or by kernel.yama.ptrace_scope"
            ))
        }
    }
}

impl Support {
    /// Asks the kernel.
    pub fn probe() -> Self {
        Support { landlock_abi: landlock::abi().map_err(|error| errno::name(errno::of(&error))) }
    }

    /// Compares with what a policy requires.
    pub fn meet(&self, require: &Require) -> Result<Enforceable, Unmet> {
        let found = self.landlock_abi.map_err(|errno| Unmet::NoLandlock { errno })?;
        if found < require.landlock_abi {
            return Err(Unmet::TooOld { found, required: require.landlock_abi });
        }
        let scopes = found >= SCOPED;
        let mut degraded = Vec::new();
        if !scopes {
            if require.kill_scope == Requirement::Required {
                return Err(Unmet::NoScope { found });
            }
            degraded.push(format!(
                "Landlock ABI {found} has no scopes: signals are checked by the broker, the tree is ended by a loop, \
                 abstract sockets are refused by the broker alone"
            ));
        }
        Ok(Enforceable { landlock_abi: found, scopes, degraded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn require(landlock_abi: u32, kill_scope: Requirement) -> Require {
        Require { landlock_abi, kill_scope }
    }

    #[test]
    fn a_missing_or_old_landlock_is_refused() {
        let none = Support { landlock_abi: Err("EOPNOTSUPP") };
        assert_eq!(
            none.meet(&require(4, Requirement::BestEffort)),
            Err(Unmet::NoLandlock { errno: "EOPNOTSUPP" })
        );
        let old = Support { landlock_abi: Ok(3) };
        assert_eq!(
            old.meet(&require(4, Requirement::BestEffort)),
            Err(Unmet::TooOld { found: 3, required: 4 })
        );
    }

    #[test]
    fn without_scopes_the_profile_decides() {
        let five = Support { landlock_abi: Ok(5) };
        assert_eq!(five.meet(&require(4, Requirement::Required)), Err(Unmet::NoScope { found: 5 }));
        let held = five.meet(&require(4, Requirement::BestEffort)).unwrap();
        assert!(!held.scopes);
        assert_eq!(held.degraded.len(), 1);
        assert!(
            Support { landlock_abi: Ok(7) }
                .meet(&require(6, Requirement::Required))
                .unwrap()
                .degraded
                .is_empty()
        );
    }
}
