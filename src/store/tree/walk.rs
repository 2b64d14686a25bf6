//! Every file and link below a folder, by what the folders themselves say: no link is followed.
//!
//! More than one may look: what waits is a list of folders, from which each walker takes one, looks into it, and puts
//! those that it found there back. It goes only when the list is empty and nothing of its own is left to put back, so
//! that every folder is looked into by somebody, be it the last one alone. What they saw is then put together in the
//! order of its paths, and of what is wrong the smallest path is told: who came across what, and when, does not show.

use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::panic;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};

use crate::store::tree::{Error, unreadable};

/// Most files of one tree.
const MOST: usize = 400_000;
/// Deepest folder.
const DEEPEST: usize = 100;
/// What a package is that goes beyond either.
const TOO_MANY: &str = "a package with more files than any has";

/// One file or link, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Below the tree, with `/`.
    pub(super) name: String,
    /// Whether it is a link.
    pub(super) link: bool,
    pub(super) stat: Stat,
}

/// What tells one state of a file from another (`inode(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// Permission bits.
    pub(super) mode: u32,
    /// Bytes.
    pub(super) size: u64,
    pub(super) ino: u64,
    /// Seconds and nanoseconds.
    pub(super) mtime: (i64, i64),
    pub(super) ctime: (i64, i64),
}

impl From<&Metadata> for Stat {
    fn from(metadata: &Metadata) -> Stat {
        Stat {
            mode: metadata.mode() & 0o7777,
            size: metadata.len(),
            ino: metadata.ino(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// All of it, by path.
pub(super) fn files(root: &Path) -> Result<Vec<Found>, Error> {
    let walk = Walk::new(root);
    let seen = walk.look();
    walk.outcome(seen)
}

/// The same while something is done that takes as long; whoever did that then looks at what is left. A tree that `is_small`
/// is looked at sooner than a thread is there.
pub(crate) fn files_while<T>(
    root: &Path,
    is_small: bool,
    work: impl FnOnce() -> T,
) -> (T, Result<Vec<Found>, Error>) {
    let walk = Walk::new(root);
    let (done, seen) = thread::scope(|scope| {
        let look = || Builder::new().name("store".into()).spawn_scoped(scope, || walk.look());
        // No thread to be had: we look at everything.
        let other = if is_small { None } else { look().ok() };
        let done = work();
        let ours = walk.look();
        let theirs = other.map(|other| other.join().unwrap_or_else(|cause| panic::resume_unwind(cause)));
        (done, theirs.unwrap_or_default().and(ours))
    });
    let found = walk.outcome(seen);
    (done, found)
}

/// One look at a tree.
struct Walk<'r> {
    root: &'r Path,
    /// Most files.
    most: usize,
    left: Mutex<Left>,
}

/// What is left to look into.
struct Left {
    folders: Vec<Folder>,
    /// How much was seen in the others.
    seen: usize,
}

struct Folder {
    /// Below the root; the root is nothing, or ends in `/`.
    prefix: String,
    depth: usize,
}

/// What one walker saw.
#[derive(Default)]
struct Seen {
    found: Vec<Found>,
    /// Of what is wrong, the smallest path.
    wrong: Option<Error>,
}

impl Seen {
    fn wrong(&mut self, error: Error) {
        if self.wrong.as_ref().is_none_or(|known| error.path() < known.path()) {
            self.wrong = Some(error);
        }
    }

    fn and(mut self, other: Seen) -> Seen {
        self.found.extend(other.found);
        other.wrong.into_iter().for_each(|error| self.wrong(error));
        self
    }
}

impl<'r> Walk<'r> {
    fn new(root: &'r Path) -> Walk<'r> {
        let root_itself = Folder { prefix: String::new(), depth: 0 };
        Walk { root, most: MOST, left: Mutex::new(Left { folders: vec![root_itself], seen: 0 }) }
    }

    /// Nothing panics while it is held; a list from which somebody took a folder is whole all the same.
    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One walker, until there is nothing left for it. What it saw is sorted, so that putting two together is one merge.
    fn look(&self) -> Seen {
        let mut seen = Seen::default();
        while self.step(&mut seen) {}
        seen.found.sort_by(|a, b| a.name.cmp(&b.name));
        seen
    }

    /// Looks into one folder. `false`: none waits, or there are more files than there may be.
    fn step(&self, seen: &mut Seen) -> bool {
        let mut left = self.left();
        let room = self.most.saturating_sub(left.seen);
        let Some(folder) = left.folders.pop().filter(|_| left.seen <= self.most) else { return false };
        drop(left);
        let mut below = Vec::new();
        let entries = self.look_into(&folder, room, &mut below, seen);
        let mut left = self.left();
        left.seen = left.seen.saturating_add(entries);
        left.folders.append(&mut below);
        true
    }

    /// How many entries a folder has; once they are more than there is room for, no more are looked at.
    fn look_into(&self, folder: &Folder, room: usize, below: &mut Vec<Folder>, seen: &mut Seen) -> usize {
        let path = match folder.prefix.is_empty() {
            true => self.root.to_owned(),
            false => self.root.join(&folder.prefix[..folder.prefix.len() - 1]),
        };
        let listing = match fs::read_dir(&path) {
            Ok(listing) => listing,
            Err(error) => {
                seen.wrong(unreadable(&path)(error));
                return 0;
            }
        };
        let mut entries = 0;
        for entry in listing {
            entries += 1;
            if entries > room {
                break;
            }
            match entry.map_err(unreadable(&path)).and_then(|entry| one(folder, &entry)) {
                Ok(One::Folder(found)) => below.push(found),
                Ok(One::File(found)) => seen.found.push(found),
                Err(error) => seen.wrong(error),
            }
        }
        entries
    }

    /// What all walkers saw together. How much there is, is the same whoever counts, and comes before all else.
    fn outcome(&self, seen: Seen) -> Result<Vec<Found>, Error> {
        if self.left().seen > self.most {
            return Err(Error::Odd { path: self.root.to_owned(), what: TOO_MANY });
        }
        let Seen { mut found, wrong } = seen;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        wrong.map_or(Ok(found), Err)
    }
}

/// What an entry of a folder is.
enum One {
    Folder(Folder),
    File(Found),
}

fn one(folder: &Folder, entry: &DirEntry) -> Result<One, Error> {
    let odd = |what| Error::Odd { path: entry.path(), what };
    if folder.depth > DEEPEST {
        return Err(odd(TOO_MANY));
    }
    let name = entry.file_name();
    let name = name.to_str().ok_or_else(|| odd("a name that is not UTF-8"))?;
    // By the descriptor of the folder.
    let metadata = entry.metadata().map_err(|error| unreadable(&entry.path())(error))?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Ok(One::Folder(Folder {
            prefix: format!("{}{name}/", folder.prefix),
            depth: folder.depth + 1,
        }));
    }
    if !kind.is_file() && !kind.is_symlink() {
        return Err(odd("neither a file nor a folder nor a link"));
    }
    let name = [&folder.prefix, name].concat();
    Ok(One::File(Found { name, link: kind.is_symlink(), stat: Stat::from(&metadata) }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::store::tree::{check, lock};

    const FOLDERS: [&str; 7] = ["", "a", "a/b", "a/b/c", "a.b", "d", "d/e"];

    /// Folders in folders, with a few files each.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in FOLDERS {
            fs::create_dir_all(root.path().join(folder)).unwrap();
            for file in ["x", "y", "é"] {
                fs::write(root.path().join(folder).join(file), folder).unwrap();
            }
        }
        root
    }

    /// Two walkers; the first looks into so many folders, then the second into as many, then the first again.
    fn in_turns(root: &Path, many: usize) -> Result<Vec<Found>, Error> {
        let walk = Walk::new(root);
        let (mut one, mut other) = (Seen::default(), Seen::default());
        for seen in [&mut one, &mut other] {
            for _ in 0..many {
                walk.step(seen);
            }
        }
        assert_eq!(one.found.is_empty(), many == 0);
        assert_eq!(other.found.is_empty(), many == 0 || many >= FOLDERS.len());
        walk.outcome(one.and(walk.look()).and(other))
    }

    fn told(outcome: Result<Vec<Found>, Error>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn whoever_looks_finds_the_same_in_the_same_order() {
        let root = tree();
        let alone = files(root.path()).unwrap();
        assert_eq!(alone.len(), 21);
        assert!(alone.is_sorted_by(|a, b| a.name < b.name), "{alone:?}");
        for many in 0..=8 {
            assert_eq!(in_turns(root.path(), many).unwrap(), alone, "{many}");
        }
        for is_small in [false, true] {
            let (done, both) = files_while(root.path(), is_small, || 7);
            assert_eq!((done, both.unwrap()), (7, alone.clone()));
        }
    }

    #[test]
    fn a_change_is_found_whoever_comes_across_it() {
        for folder in FOLDERS {
            let root = tree();
            let entries = lock(root.path(), &|_| false).unwrap();
            let file = root.path().join(folder).join("y");
            fs::remove_file(&file).unwrap();
            fs::write(&file, "other").unwrap();
            let expected = format!("{} was changed since it was installed", file.display());
            for many in 0..=8 {
                let found = in_turns(root.path(), many).unwrap();
                let error = check(root.path(), &entries, &found).unwrap_err();
                assert_eq!(error.to_string(), expected, "{many}");
            }
        }
    }

    /// Whatever the other does meanwhile: it takes as long as it takes, and nothing is left out.
    #[test]
    fn one_that_is_slow_leaves_everything_to_the_other() {
        let root = tree();
        let (seen, found) = files_while(root.path(), false, || files(root.path()).unwrap());
        assert_eq!(found.unwrap(), seen);
    }

    #[test]
    fn of_several_that_are_wrong_the_smallest_path_is_told_whoever_found_it() {
        let root = tree();
        let _sockets: Vec<_> = ["d/e/s", "a/b/c/s", "a.b/s", "d/s"]
            .map(|name| UnixListener::bind(root.path().join(name)))
            .into();
        let expected =
            format!("{}: neither a file nor a folder nor a link", root.path().join("a/b/c/s").display());
        for many in 0..=8 {
            assert_eq!(told(in_turns(root.path(), many)), expected, "{many}");
        }
        assert_eq!(told(files_while(root.path(), false, || ()).1), expected);
    }

    #[test]
    fn too_many_files_are_told_of_the_tree_whatever_else_is_wrong() {
        let root = tree();
        let _socket = UnixListener::bind(root.path().join("a/s")).unwrap();
        // Six folders, 21 files and a socket.
        for (most, fits) in [(28, true), (27, false), (5, false), (0, false)] {
            let walk = Walk { most, ..Walk::new(root.path()) };
            let seen = walk.look();
            let told = told(walk.outcome(seen));
            assert_eq!(told.contains("/a/s: "), fits, "{most}: {told}");
            assert_eq!(told.ends_with(TOO_MANY), !fits, "{most}: {told}");
        }
    }

    #[test]
    fn a_tree_that_is_too_deep_or_not_there_is_none() {
        let root = tempfile::tempdir().unwrap();
        let deepest = root.path().join(vec!["d"; DEEPEST].join("/"));
        fs::create_dir_all(&deepest).unwrap();
        fs::write(deepest.join("x"), "").unwrap();
        assert_eq!(files(root.path()).unwrap().len(), 1);
        fs::create_dir(deepest.join("d")).unwrap();
        assert_eq!(files(root.path()).unwrap().len(), 1, "an empty folder is nothing");
        fs::write(deepest.join("d/x"), "").unwrap();
        assert_eq!(told(files(root.path())), format!("{}: {TOO_MANY}", deepest.join("d/x").display()));
        let none = root.path().join("none");
        assert_eq!(told(files(&none)), format!("{}: No such file or directory (os error 2)", none.display()));
    }
}
