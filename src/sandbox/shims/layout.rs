//! Reading the files and folders of a version manager, each with a cap.
//!
//! A repository can put anything where a version file is expected: a pipe that never ends, a gigabyte, a link to a
//! device. Only regular files of a reasonable size are read, without blocking.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use crate::sandbox::program::Program;
use crate::sandbox::shims::{Error, versions};

/// Longest file that is read, in bytes. The longest in earnest, a large `package.json`, has a tenth of that.
const MAX_FILE: u64 = 256 * 1024;

/// Most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 4096;

/// The text of a file; `None` when there is none. Bytes that are not UTF-8 become U+FFFD and match nothing.
///
/// # Errors
/// When it cannot be read, is not a regular file, or is too long.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    let unusable = |why: String| Error::Unusable { path: path.to_owned(), why };
    // O_NONBLOCK: a pipe with no writer must not hold up the start.
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
    {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(unusable(format!("cannot be read: {error}"))),
    };
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(unusable("is not a regular file".into())),
        Err(error) => return Err(unusable(format!("cannot be read: {error}"))),
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unusable(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(unusable(format!("is longer than {MAX_FILE} bytes")));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}

/// The folder `ROOT` of a path `ROOT/FOLDER/NAME`.
pub(super) fn root_of<'a>(path: &'a Path, folder: &str) -> Option<&'a Path> {
    let parent = path.parent()?;
    (parent.file_name() == Some(OsStr::new(folder))).then_some(())?;
    parent.parent()
}

/// The versions installed in a folder, newest first. Links (aliases, virtual environments) count.
pub(super) fn installed(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .take(MAX_ENTRIES)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && folder.join(name).is_dir())
        .collect();
    names.sort_by(|a, b| versions::newest_first(a, b));
    names
}

/// `folder/name`, when it can be executed.
pub(super) fn program_in(folder: &Path, name: &OsStr) -> Option<PathBuf> {
    Program::open(&folder.join(name)).ok().map(|program| program.path)
}

/// `folder/below`, when `below` cannot lead out of `folder`: a version file may only choose among what is installed.
pub(super) fn below(folder: &Path, below: &str) -> Option<PathBuf> {
    let inside =
        !below.is_empty() && Path::new(below).components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| folder.join(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::shims::tests::Layout;

    #[test]
    fn only_regular_files_of_reasonable_size_are_read() {
        let layout = Layout::new();
        assert_eq!(read(&layout.at("missing")).unwrap(), None);
        assert_eq!(read(&layout.file("file", "3.11\n")).unwrap().as_deref(), Some("3.11\n"));
        assert_eq!(read(&layout.at("file/below")).unwrap(), None);
        assert!(read(&layout.file("long", &"a".repeat(300_000))).unwrap_err().to_string().contains("longer"));
        let pipe = layout.at("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read(&pipe).unwrap_err().to_string().contains("not a regular file"));
        assert!(read(Path::new("/dev/zero")).is_err());
        assert!(read(&layout.at("project")).is_err());
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let folder = Path::new("/root/versions");
        assert_eq!(below(folder, "3.11.7"), Some(folder.join("3.11.7")));
        assert_eq!(below(folder, "3.11.7/envs/mine"), Some(folder.join("3.11.7/envs/mine")));
        for hostile in ["", "..", "../x", "a/../../x", "/etc", "."] {
            assert_eq!(below(folder, hostile), None, "{hostile:?}");
        }
    }
}
