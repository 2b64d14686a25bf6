//! The wide plan of `run --observe`: reading and executing everywhere, but for the places that nothing is ever granted
//! in and the folders that may be written.
//!
//! Landlock only adds up: a rule on a folder reaches all that lies in it, and no rule takes anything away again. So a
//! folder with a hole in it gets no rule; each of its entries gets one instead, and the folder on the way to the hole
//! is split again. What follows: such a folder itself (`/`, a home) cannot be listed, and what is created in it later
//! cannot be read. Folders that may be written are holes too, because writable is never executable. `landlock(7)`.

use std::path::{Path, PathBuf};

use crate::policy::grant::{Access, Grant, Origin};

/// Secrets of the machine's, which user 0 could read.
const SECRETS: &[&str] = &[
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/var/lib/docker",
    "/var/lib/containers",
];

/// Read and execute for everything outside `holes`: real paths, in which nothing is granted.
///
/// Folders that cannot be listed are left out: the server cannot list them either.
pub fn wide(holes: impl IntoIterator<Item = PathBuf>) -> Vec<(Access, Grant)> {
    // The five devices that a server may have are the profile's to grant.
    let always = SECRETS.iter().chain(&["/dev"]).map(PathBuf::from);
    let holes: Vec<PathBuf> = holes.into_iter().chain(always).collect();
    let mut grants = Vec::new();
    split(Path::new("/"), &holes, &mut grants);
    grants
}

fn split(folder: &Path, holes: &[PathBuf], grants: &mut Vec<(Access, Grant)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        // What a link leads to has a rule, or none, by its own name. Pipes, sockets and devices are nobody's to read.
        if !kind.is_dir() && !kind.is_file() {
            continue;
        }
        let path = entry.path();
        if holes.contains(&path) {
            continue;
        }
        if kind.is_dir() && holes.iter().any(|hole| hole.starts_with(&path)) {
            split(&path, holes, grants);
            continue;
        }
        grants.push((Access::Execute, whatever_is_there(path)));
    }
}

/// A grant of the program's own; it may be gone before it is opened.
fn whatever_is_there(path: PathBuf) -> Grant {
    let reason = Some("everything is read and executed under --observe".to_owned());
    Grant { path, reason, optional: true, origin: Origin::caponier() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(root: &Path, holes: &[&str]) -> Vec<String> {
        let holes: Vec<PathBuf> = holes.iter().map(|hole| root.join(hole)).collect();
        let mut grants = Vec::new();
        split(root, &holes, &mut grants);
        let mut paths: Vec<String> = grants
            .iter()
            .map(|(_, grant)| grant.path.strip_prefix(root).unwrap().display().to_string())
            .collect();
        paths.sort();
        paths
    }

    #[test]
    fn siblings_of_a_hole_are_granted_and_the_folders_above_it_are_not() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["home/me/.ssh", "home/me/notes/deep", "home/you", "srv"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        std::fs::write(root.path().join("home/me/file"), "").unwrap();
        std::os::unix::fs::symlink("/", root.path().join("home/me/all")).unwrap();
        assert_eq!(
            granted(root.path(), &["home/me/.ssh"]),
            ["home/me/file", "home/me/notes", "home/you", "srv"]
        );
        assert_eq!(granted(root.path(), &["home"]), ["srv"]);
        assert_eq!(granted(root.path(), &[]), ["home", "srv"]);
    }

    #[test]
    fn a_hole_that_does_not_exist_yet_still_splits_the_folders_above_it() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("home/me/notes")).unwrap();
        assert_eq!(granted(root.path(), &["home/me/.aws/credentials"]), ["home/me/notes"]);
    }

    #[test]
    fn a_name_that_begins_like_a_hole_is_none() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(".ssh")).unwrap();
        std::fs::create_dir_all(root.path().join(".sshx")).unwrap();
        assert_eq!(granted(root.path(), &[".ssh"]), [".sshx"]);
    }
}
