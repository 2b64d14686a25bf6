//! The folder in which the demo takes place: two homes alike, one for the bare run and one for the run in the pen, the
//! demo's own XDG folders, its profile and its log.
//!
//! Only the user can enter it. It is removed when it is dropped, after the daemons that could still write into it were
//! ended; with `--keep` it stays.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::cli::demo::daemon;
use crate::cli::demo::home::Home;
use crate::cli::diagnostic;
use crate::sys::path;

/// Bytes of the folder for temporary files, so that what lies below still fits into the address of a Unix socket.
const LONGEST_PARENT: usize = 64;

/// The profile of the run in the pen.
const PROFILE: &str = include_str!("profile.toml");

/// The demo's folder.
#[derive(Debug)]
pub(super) struct Stage {
    root: PathBuf,
    keep: bool,
    /// Where the server runs without a pen.
    pub(super) bare: Home,
    /// Where it runs in its pen.
    pub(super) pen: Home,
}

impl Stage {
    /// Makes the folder, for nobody but this user.
    ///
    /// # Errors
    /// There is no room for it, or no right to make it.
    pub(super) fn set(keep: bool) -> io::Result<Stage> {
        let parent = std::env::temp_dir();
        let short = parent.to_str().is_some_and(|parent| parent.len() <= LONGEST_PARENT);
        let parent = if short { parent } else { "/tmp".into() };
        // By the kernel's name for it, as the log will have it.
        let parent = path::look_through(parent.as_os_str().as_encoded_bytes())
            .and_then(|parent| path::path_of(parent.as_fd()))?;
        let root = nix::unistd::mkdtemp(&parent.join("caponier-demo-XXXXXX"))?;
        let planted = Home::plant(&root.join("bare")).and_then(|bare| {
            let pen = Home::plant(&root.join("pen"))?;
            fs::write(root.join("demo.toml"), PROFILE)?;
            Ok((bare, pen))
        });
        match planted {
            Ok((bare, pen)) => Ok(Stage { root, keep, bare, pen }),
            Err(error) => {
                let _ = fs::remove_dir_all(&root);
                Err(error)
            }
        }
    }

    /// Where everything is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The profile's file.
    pub(super) fn profile(&self) -> PathBuf {
        self.root.join("demo.toml")
    }

    /// The folder of the log.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// What stands for an XDG folder.
    pub(super) fn xdg(&self, name: &str) -> PathBuf {
        self.root.join("xdg").join(name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let ended = [&self.bare, &self.pen].map(|home| daemon::end(&home.victim.daemon_lock()));
        let removed = if self.keep { Ok(()) } else { fs::remove_dir_all(&self.root) };
        for error in ended.into_iter().chain([removed]).filter_map(Result::err) {
            let root = diagnostic::escape(&self.root.to_string_lossy()).into_owned();
            diagnostic::note(&format!("{root} could not be cleaned up: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_folder_is_private_and_goes_away() {
        let stage = Stage::set(false).unwrap();
        let root = stage.root().to_owned();
        assert_eq!(root.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        assert!(stage.pen.victim.key().is_file() && stage.profile().is_file());
        drop(stage);
        assert!(!root.exists());
    }

    #[test]
    fn what_is_kept_stays() {
        let stage = Stage::set(true).unwrap();
        let root = stage.root().to_owned();
        drop(stage);
        assert!(root.is_dir());
        fs::remove_dir_all(root).unwrap();
    }
}
