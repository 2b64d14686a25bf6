//! Digests of programs that were run before, so that a start need not read a hundred megabytes.
//!
//! An entry holds while device, inode, size, and both times down to the nanosecond are the same; `ctime` cannot be set
//! back by who owns the file (`inode(7)`). A file that changed within the last two seconds is not remembered: a second
//! change could fall into the same tick of the clock. Anything odd about the cache is a miss, never a digest.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::OFlag;
use sha2::{Digest as _, Sha256};

use crate::audit::chain::Digest;

/// Its name in the state folder.
pub const FILE: &str = "exe-digests";

/// The first line: another format is a miss.
const HEADER: &str = "caponier exe digests 1";
const MAX_ENTRIES: usize = 256;
const MAX_BYTES: u64 = 64 << 10;
const SETTLED_NS: i128 = 2_000_000_000;

/// The cache in one state folder.
#[derive(Debug, Clone)]
pub struct Cache {
    path: PathBuf,
}

impl Cache {
    /// The cache in `state`; nothing is read yet.
    pub fn new(state: &Path) -> Self {
        Cache { path: state.join(FILE) }
    }

    /// The digest, in hex, of the program that `metadata` is of.
    pub fn lookup(&self, metadata: &Metadata) -> Option<String> {
        let key = key(metadata);
        let entries = self.entries();
        let digest = entries.iter().rev().find_map(|entry| entry.strip_prefix(&key)?.strip_prefix(' '))?;
        Some(digest.to_owned())
    }

    /// Remembers a digest. The file is replaced as a whole; of two that do so at once, one is forgotten.
    pub fn store(&self, metadata: &Metadata, digest: &str) -> io::Result<()> {
        if Digest::parse(digest.as_bytes()).is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a digest"));
        }
        if !is_settled(metadata) {
            return Ok(());
        }
        let key = key(metadata);
        let mut entries = self.entries();
        entries.retain(|entry| !entry.strip_prefix(&key).is_some_and(|rest| rest.starts_with(' ')));
        entries.push(format!("{key} {digest}"));
        let begin = entries.len().saturating_sub(MAX_ENTRIES);
        let text = format!("{HEADER}\n{}\n", entries[begin..].join("\n"));
        self.replace(text.as_bytes())
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension(format!("{}.new", std::process::id()));
        // What a process of the same number left behind would be in the way.
        let _ = fs::remove_file(&new);
        let flags = OFlag::O_NOFOLLOW.bits();
        let written =
            OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(&new);
        let replaced =
            written.and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&new, &self.path));
        if replaced.is_err() {
            let _ = fs::remove_file(&new);
        }
        replaced
    }

    /// Valid entries, oldest first.
    fn entries(&self) -> Vec<String> {
        self.read().unwrap_or_default()
    }

    fn read(&self) -> Option<Vec<String>> {
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.path).ok()?;
        let mut text = String::new();
        let bytes = file.take(MAX_BYTES + 1).read_to_string(&mut text).ok()?;
        if bytes as u64 > MAX_BYTES {
            return None;
        }
        let entries = text.strip_prefix(HEADER)?.strip_prefix('\n')?.lines();
        Some(entries.filter(|entry| is_entry(entry)).map(str::to_owned).collect())
    }
}

fn key(metadata: &Metadata) -> String {
    format!(
        "{} {} {} {}.{:09} {}.{:09}",
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    )
}

fn is_entry(entry: &str) -> bool {
    let mut words = entry.split(' ');
    words.by_ref().take(5).filter(|word| !word.is_empty()).count() == 5
        && words.next().is_some_and(|digest| Digest::parse(digest.as_bytes()).is_some())
        && words.next().is_none()
}

fn is_settled(metadata: &Metadata) -> bool {
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
    now - changed > SETTLED_NS
}

/// SHA-256, in hex, of the whole file, read from where it stands (its beginning, when it was just opened). `None` when
/// `abort` was set meanwhile, when it cannot be read, and when it changed while it was read.
pub fn hash_file(file: &File, abort: &AtomicBool) -> Option<String> {
    let before = key(&file.metadata().ok()?);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut reader = file;
    loop {
        if abort.load(Ordering::Relaxed) {
            return None;
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let unchanged = key(&file.metadata().ok()?) == before;
    unchanged.then(|| digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// A file whose last change lies long enough back: this test's own program.
    fn settled() -> Metadata {
        let metadata = fs::metadata("/proc/self/exe").unwrap();
        let old = fs::metadata("/").unwrap();
        if is_settled(&metadata) { metadata } else { old }
    }

    #[test]
    fn what_was_stored_is_found_and_only_that() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let metadata = settled();
        assert_eq!(cache.lookup(&metadata), None);
        cache.store(&metadata, DIGEST).unwrap();
        assert_eq!(cache.lookup(&metadata).as_deref(), Some(DIGEST));
        assert_eq!(cache.lookup(&fs::metadata(root.path()).unwrap()), None);
        assert_eq!(fs::metadata(root.path().join(FILE)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_fresh_file_is_not_remembered() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let path = root.path().join("program");
        fs::write(&path, "x").unwrap();
        cache.store(&fs::metadata(&path).unwrap(), DIGEST).unwrap();
        assert_eq!(cache.lookup(&fs::metadata(&path).unwrap()), None);
    }

    #[test]
    fn damage_is_a_miss_and_is_repaired() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let metadata = settled();
        let entry = format!("{} {DIGEST}", key(&metadata));
        let damaged = [
            String::new(),
            "caponier exe digests 2\n".to_owned() + &entry,
            format!("{HEADER}\n{}", &entry[..entry.len() - 1]),
            format!("{HEADER}\n{entry} more\n"),
            format!("{HEADER}\n{entry}\n{}", "x".repeat(MAX_BYTES as usize)),
        ];
        for text in damaged {
            fs::write(root.path().join(FILE), &text).unwrap();
            assert_eq!(cache.lookup(&metadata), None, "{text:.60}");
            cache.store(&metadata, DIGEST).unwrap();
            assert_eq!(cache.lookup(&metadata).as_deref(), Some(DIGEST));
        }
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let mut text = format!("{HEADER}\n");
        for ino in 0..300 {
            text += &format!("1 {ino} 1 1.000000001 1.000000001 {DIGEST}\n");
        }
        fs::write(root.path().join(FILE), text).unwrap();
        cache.store(&settled(), DIGEST).unwrap();
        assert_eq!(cache.entries().len(), MAX_ENTRIES);
        assert!(cache.lookup(&settled()).is_some());
    }

    #[test]
    fn hashing_can_be_called_off() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        io::Seek::rewind(&mut file).unwrap();
        assert_eq!(hash_file(&file, &AtomicBool::new(true)), None);
        assert_eq!(hash_file(&file, &AtomicBool::new(false)).as_deref(), Some(DIGEST));
    }
}
