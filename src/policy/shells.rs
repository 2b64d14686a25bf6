//! Which programs are shells, by file name.
//!
//! A shell turns one granted program into every command line there is, so it is never granted by accident: a profile
//! has to name it. The name only chooses the explanation (`exec.shell`); what may run is decided by the list of
//! granted programs, so a shell under another name is still refused as `exec.not-granted`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Shells by their usual names, without versions. Restricted and static builds are the same program.
pub const SHELLS: &[&str] = &[
    "ash", "bash", "csh", "dash", "elvish", "fish", "hush", "ksh", "lksh", "mksh", "nu", "oksh", "osh",
    "pdksh", "posh", "pwsh", "rbash", "rksh", "rzsh", "sash", "sh", "tcsh", "xonsh", "yash", "ysh", "zsh",
];

/// Programs that hold a shell among many others and choose by `argv[0]`. Under their own name they are a shell
/// (`busybox sh`); under the name of another of their programs (`/usr/bin/env` on Alpine) they are not.
pub const MULTI_CALL: &[&str] = &["busybox", "toybox"];

/// Endings of other builds of the same shell.
const BUILDS: &[&str] = &["-static", "-preview"];

/// Whether a program of this file name is a shell: `bash`, `bash-static`, `zsh-5.9`, `ksh93`, `busybox`.
pub fn is_shell_name(name: &OsStr) -> bool {
    listed(SHELLS, name) || is_multi_call_name(name)
}

/// Whether this is the own name of a program that holds a shell among others.
pub fn is_multi_call_name(name: &OsStr) -> bool {
    listed(MULTI_CALL, name)
}

/// Compares with and without version and build, so that no name on the list can be hidden behind a number.
fn listed(list: &[&str], name: &OsStr) -> bool {
    let mut name = name.as_bytes();
    loop {
        if list.iter().any(|listed| listed.as_bytes() == name) {
            return true;
        }
        let shorter =
            BUILDS.iter().find_map(|build| name.strip_suffix(build.as_bytes())).or_else(|| unversioned(name));
        match shorter {
            Some(shorter) if !shorter.is_empty() => name = shorter,
            _ => return false,
        }
    }
}

/// The name without its last character of a version (`ksh93u` → no; `zsh-5.9` → `zsh-5.`).
fn unversioned(name: &[u8]) -> Option<&[u8]> {
    match name {
        [rest @ .., b'0'..=b'9' | b'.' | b'-'] => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_are_known_with_versions_and_builds() {
        for name in [
            "sh",
            "bash",
            "bash5.2",
            "zsh-5.9",
            "ksh93",
            "bash-static",
            "pwsh-preview",
            "busybox",
            "mksh-static",
        ] {
            assert!(is_shell_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn other_programs_are_not() {
        for name in ["node", "python3.11", "env", "ssh", "shred", "fishing", "bashful", "", "-", "5", "sh.py"]
        {
            assert!(!is_shell_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn only_boxes_are_multi_call() {
        assert!(is_multi_call_name(OsStr::new("busybox")));
        assert!(is_multi_call_name(OsStr::new("busybox-static")));
        assert!(!is_multi_call_name(OsStr::new("sh")));
    }
}
