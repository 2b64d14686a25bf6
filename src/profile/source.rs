//! Finding and reading the files that a profile is made of.
//!
//! A *name* never leaves the folder that it is looked up in: no `..`, no absolute path, no symlink that leads out
//! (a profile is code that decides; following a planted link would let its author choose the decision). A *path* is
//! what the user typed on the command line, and is followed as typed. At most [`LARGEST`] bytes are read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use crate::policy::Environment;
use crate::policy::directories::Directories;
use crate::policy::grant::Origin;
use crate::profile::place;
use crate::profile::problem::Problem;
use crate::profile::shipped;
use crate::profile::suggest;

/// The longest profile file that is read.
pub const LARGEST: u64 = 256 * 1024;

/// One file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What makes it the same file: its real path, or its shipped name.
    pub id: PathBuf,
    /// As origins show it: the path, or `<shipped>/NAME.toml`.
    pub file: String,
    /// Where relative `extends` are looked up; none for a shipped profile.
    pub folder: Option<PathBuf>,
    /// The name a run is recorded under.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// The place of a byte range: 1-based line and column, columns in characters.
    pub(super) fn origin(&self, span: &Range<usize>) -> Origin {
        let start = self.text.floor_char_boundary(span.start);
        let before = &self.text[..start];
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
        let line_start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |end| end + 1);
        let column = before[line_start..].chars().count() + 1;
        Origin { file: self.file.clone(), line: count(line), column: count(column) }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The file for what `--profile` says: a path if it has a `/`, unless a shipped or user profile has that name
/// (`runtime/node`); else a name.
pub(super) fn find(asked: &str, env: Environment, dirs: &Directories) -> Result<Source, Problem> {
    let here = Origin::command_line();
    if !is_explicit(asked) && (!asked.contains('/') || is_name(asked)) {
        match named(asked, env, dirs, &here, None) {
            Err(_) if asked.contains('/') && Path::new(asked).exists() => {}
            found => return found,
        }
    }
    if !asked.contains('/') {
        let help = format!("a path has a `/` in it: --profile ./{asked}");
        return Err(Problem::new(here, format!("`{asked}` is not a profile's name")).help(help));
    }
    let path = Path::new(asked);
    let stem = path.file_stem().map_or_else(|| asked.to_owned(), |stem| stem.to_string_lossy().into_owned());
    read(path, asked.to_owned(), stem, &here)
}

/// Whether it can be nothing but a path.
fn is_explicit(asked: &str) -> bool {
    asked.starts_with(['.', '/', '~']) || asked.ends_with(".toml")
}

/// What a lock of `asked` is kept by: the name, whichever file it leads to today; the real path of what is a path.
pub(super) fn key(asked: &str) -> io::Result<String> {
    if !is_explicit(asked) && is_name(asked) {
        return Ok(asked.to_owned());
    }
    Ok(place::follow(Path::new(asked))?.path.to_string_lossy().into_owned())
}

/// The file for one entry of `extends`: ending in `.toml`, a file beside the one that says it; else a name.
pub(super) fn extended(
    entry: &str,
    at: &Origin,
    by: &Source,
    env: Environment,
    dirs: &Directories,
) -> Result<Source, Problem> {
    if !entry.ends_with(".toml") {
        return named(entry, env, dirs, at, Some(&by.id));
    }
    let relative = Path::new(entry);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        let help = "put the file beside this one, or into your profiles folder and give its name";
        return Err(
            Problem::new(at.clone(), format!("`{entry}` leads out of the folder of this file")).help(help)
        );
    }
    let Some(folder) = &by.folder else {
        return Err(Problem::new(at.clone(), "a shipped profile extends names only"));
    };
    inside(folder, relative, at)?;
    let path = folder.join(relative.components().collect::<PathBuf>());
    let stem = path.file_stem().map_or_else(|| entry.to_owned(), |stem| stem.to_string_lossy().into_owned());
    read(&path, path.display().to_string(), stem, at)
}

/// The user's profile of that name, with the environment's own file first; then the shipped one, likewise. A file that
/// extends its own name means what it takes the place of: the next in this order (`by` is its id).
fn named(
    name: &str,
    env: Environment,
    dirs: &Directories,
    at: &Origin,
    by: Option<&Path>,
) -> Result<Source, Problem> {
    if !is_name(name) {
        let help = "a name is made of letters, digits, `-`, `_`, `.` and `/`; no part of it is `.` or `..`";
        return Err(Problem::new(at.clone(), format!("`{name}` is not a profile's name")).help(help));
    }
    let folder = dirs.profiles();
    let files = candidates(name, env, &folder);
    let own = by.and_then(|by| files.iter().position(|file| file.id() == by));
    // The last of its name that extends itself is a circle of one, and reported as such.
    let first = own.map_or(0, |own| (own + 1).min(files.len() - 1));
    match files.get(first) {
        Some(Candidate::User { file, .. }) => {
            inside(&folder, file, at)?;
            let path = folder.join(file);
            return read(&path, path.display().to_string(), name.to_owned(), at);
        }
        Some(Candidate::Shipped(file, text)) => {
            let id = PathBuf::from(file);
            let (file, name, text) = (file.clone(), name.to_owned(), (*text).to_owned());
            return Ok(Source { id, file, folder: None, name, text });
        }
        None => {}
    }
    let problem = Problem::new(at.clone(), format!("there is no profile `{name}`"));
    let users = available(dirs);
    let known = users.iter().map(|user| user.name.as_str()).chain(shipped::ALL.iter().map(|s| s.name));
    Err(match suggest::nearest(name, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!(
            "`caponier profile list` shows all; one of your own goes to {}",
            folder.join(format!("{name}.toml")).display()
        )),
    })
}

/// A file that a name can mean.
enum Candidate {
    /// One of the user's, below the profiles folder.
    User { folder: PathBuf, file: PathBuf },
    /// One that is embedded: as origins show it, and its text.
    Shipped(String, &'static str),
}

impl Candidate {
    /// As [`Source::id`].
    fn id(&self) -> PathBuf {
        match self {
            Candidate::User { folder, file } => {
                let path = folder.join(file);
                place::follow(&path).map_or(path, |followed| followed.path)
            }
            Candidate::Shipped(file, _) => PathBuf::from(file),
        }
    }
}

/// What a name can mean, in the order of search.
fn candidates(name: &str, env: Environment, folder: &Path) -> Vec<Candidate> {
    let own = [format!("{name}.{}.toml", env.as_str()), format!("{name}.toml")];
    let users = own.into_iter().filter(|file| folder.join(file).symlink_metadata().is_ok());
    let users = users.map(|file| Candidate::User { folder: folder.to_owned(), file: file.into() });
    users.chain(shipped::files(name, env).map(|(file, text)| Candidate::Shipped(file, text))).collect()
}

/// Whether this can be a profile's name.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        })
}

/// Refuses a file whose symlinks lead out of `folder` (which itself may be a link of the user's own).
fn inside(folder: &Path, relative: &Path, at: &Origin) -> Result<(), Problem> {
    let unreadable = |error: io::Error| {
        Problem::new(at.clone(), format!("cannot read {}: {error}", folder.join(relative).display()))
    };
    let real = place::follow(folder).map_err(unreadable)?;
    let target = place::follow(&real.path.join(relative)).map_err(unreadable)?;
    if target.path.starts_with(&real.path) {
        return Ok(());
    }
    let message = format!("{} is a link that leads out of its folder", folder.join(relative).display());
    Err(Problem::new(at.clone(), message).help("copy the file into the folder"))
}

fn read(path: &Path, file: String, name: String, at: &Origin) -> Result<Source, Problem> {
    let unreadable = |detail: String| Problem::new(at.clone(), format!("cannot read {file}: {detail}"));
    let text = text(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => unreadable("there is no such file".into()),
        io::ErrorKind::InvalidData => unreadable("it is not UTF-8".into()),
        _ => unreadable(error.to_string()),
    })?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let id = place::follow(path).map_err(|error| unreadable(error.to_string()))?.path;
    Ok(Source { id, folder: Some(parent.to_path_buf()), file, name, text })
}

/// The whole text of a regular file of bounded length.
pub(super) fn text(path: &Path) -> io::Result<String> {
    text_of(path, 0)
}

/// The same of a file that is no symlink.
pub(super) fn text_unlinked(path: &Path) -> io::Result<String> {
    text_of(path, libc::O_NOFOLLOW)
}

/// `O_NONBLOCK`, so that a FIFO in its place cannot hang us.
fn text_of(path: &Path, flags: i32) -> io::Result<String> {
    let flags = flags | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it is longer than {LARGEST} bytes")));
    }
    Ok(text)
}

/// A profile that `--profile` can name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Available {
    /// What to give to `--profile`.
    pub name: String,
    /// Its file; `<shipped>/NAME.toml` for one that is embedded.
    pub file: String,
}

/// The user's own profiles, by name. Files for one environment (`NAME.dev.toml`) count as NAME.
pub(super) fn available(dirs: &Directories) -> Vec<Available> {
    // Names have at most a few parts; a link to a folder above cannot make this endless.
    const DEEPEST: usize = 4;
    let root = dirs.profiles();
    let mut found = Vec::new();
    let mut folders = vec![(root.clone(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for path in std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() && depth < DEEPEST {
                folders.push((path, depth + 1));
            } else if let Some(name) = name_of(&root, &path) {
                found.push(Available { name, file: path.display().to_string() });
            }
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.name == b.name);
    found
}

fn name_of(root: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?.to_str()?;
    let stem = relative.strip_suffix(".toml")?;
    let stem = stem.strip_suffix(".dev").or_else(|| stem.strip_suffix(".prod")).unwrap_or(stem);
    is_name(stem).then(|| stem.to_owned())
}
