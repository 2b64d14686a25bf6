//! `pins/<server>.json`: what a server was first seen to be, and what it said last.
//!
//! Replaced as a whole, under a lock of its own (`flock(2)`): of two sessions that see a server for the first time, the
//! first one's pins hold. A file that cannot be understood is an error and never an absent one. Every definition stands
//! beside its digest, one a line, so that people and `diff` can read it.
//!
//! The name of the server is the key, and nothing else is: an upgrade moves the program, another profile is about the
//! same server. Two servers need two names (`--name`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::mcp::pins::known::Known;
use crate::mcp::pins::{Kind, Pins, Value};

/// The version of the format that is written. Version 1, which knew of lists of tools alone, is read too.
const VERSION: u32 = 2;
/// Largest file that is read.
const MAX_BYTES: u64 = 64 << 20;
/// Most values and names in one definition.
const MAX_NODES: usize = 4 << 20;
/// Longest file name that is made of a server's name as it is.
const LONGEST: usize = 150;

/// Why there are no pins to go by.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read or written.
    #[error("the pins of this server, {}: {source}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It is not what we wrote.
    #[error("the pins of this server cannot be understood: {}: {detail}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// The pin file of one server.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    server: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDisk {
    v: u32,
    server: String,
    whole: Whole,
    pinned: Kinds,
    seen_whole: Whole,
    seen: Kinds,
}

/// Of which kinds a list was whole.
#[derive(Deserialize)]
#[serde(untagged)]
enum Whole {
    /// Version 1 knew of lists of tools alone.
    OfTools(bool),
    /// By their names.
    Of(Vec<String>),
}

impl Whole {
    fn kinds(&self, v: u32) -> Result<BTreeSet<Kind>, String> {
        match self {
            Whole::OfTools(whole) if v == 1 => Ok(whole.then_some(Kind::Tool).into_iter().collect()),
            Whole::Of(names) if v == VERSION => names.iter().map(|name| kind(name)).collect(),
            _ => Err(format!("a list is whole in another way than version {v} says it")),
        }
    }
}

type Kinds = BTreeMap<String, BTreeMap<String, Entry>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    sha256: String,
    definition: Box<RawValue>,
}

impl Store {
    /// The file for the server of this name.
    pub fn new(state: &Path, server: &str) -> Self {
        Store {
            path: state.join("pins").join(format!("{}.json", file_name(server))),
            server: server.to_owned(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known; `None`: the server was never seen.
    ///
    /// # Errors
    /// A file that cannot be read, or that is none of ours.
    pub fn read(&self) -> Result<Option<Known>, Error> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unusable(error)),
        };
        let mut text = String::new();
        let bytes = file.take(MAX_BYTES + 1).read_to_string(&mut text);
        let bytes = bytes.map_err(|error| self.unusable(error))?;
        if bytes as u64 > MAX_BYTES {
            return Err(self.broken(format!("more than {MAX_BYTES} bytes")));
        }
        self.understand(&text).map(Some).map_err(|detail| self.broken(detail))
    }

    fn understand(&self, text: &str) -> Result<Known, String> {
        let disk: OnDisk = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if !(1..=VERSION).contains(&disk.v) {
            return Err(format!("version {} is not known", disk.v));
        }
        if disk.server != self.server {
            return Err("it is about a server of another name".to_owned());
        }
        Ok(Known {
            pinned: pins(&disk.pinned)?,
            whole: disk.whole.kinds(disk.v)?,
            seen: pins(&disk.seen)?,
            seen_whole: disk.seen_whole.kinds(disk.v)?,
        })
    }

    /// Replaces what is known by what `change` makes of it; what that is.
    ///
    /// # Errors
    /// A file that cannot be read, understood or replaced. It is as it was then.
    pub fn update(&self, change: impl FnOnce(Option<Known>) -> Known) -> Result<Known, Error> {
        let _lock = self.lock().map_err(|error| self.unusable(error))?;
        let known = change(self.read()?);
        self.replace(&self.text(&known)).map_err(|error| self.unusable(error))?;
        Ok(known)
    }

    /// Forgets everything that is known of the server; whether anything was.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(&self) -> Result<bool, Error> {
        let _lock = self.lock().map_err(|error| self.unusable(error))?;
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.unusable(error)),
        }
    }

    fn lock(&self) -> io::Result<Flock<File>> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(self.path.with_extension("lock"))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
    }

    /// Under the lock, so that the new file's name is nobody else's.
    fn replace(&self, text: &str) -> io::Result<()> {
        let new = self.path.with_extension("new");
        // What a session that was killed left behind would be in the way.
        let _ = fs::remove_file(&new);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
        let replaced = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            fs::rename(&new, &self.path)
        });
        if replaced.is_err() {
            let _ = fs::remove_file(&new);
        }
        replaced
    }

    fn text(&self, known: &Known) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let kinds = |pins: &Pins| {
            let kinds = Kind::ALL.map(|kind| {
                let entries: Vec<String> = pins
                    .of(kind)
                    .map(|(name, definition)| {
                        let sha256 = definition.sha256();
                        format!(
                            "\n   {}: {{\"sha256\":\"{sha256}\",\"definition\":{definition}}}",
                            quoted(name)
                        )
                    })
                    .collect();
                format!("\n  \"{}\": {{{}}}", kind.plural(), entries.join(","))
            });
            kinds.join(",")
        };
        let whole = |kinds: &BTreeSet<Kind>| {
            serde_json::Value::from_iter(kinds.iter().map(|kind| kind.plural())).to_string()
        };
        format!(
            "{{\n \"v\": {VERSION},\n \"server\": {},\n \"whole\": {},\n \"pinned\": {{{}}},\n \"seen_whole\": {},\n \"seen\": \
             {{{}}}\n}}\n",
            quoted(&self.server),
            whole(&known.whole),
            kinds(&known.pinned),
            whole(&known.seen_whole),
            kinds(&known.seen)
        )
    }

    fn unusable(&self, source: io::Error) -> Error {
        Error::Unusable { path: self.path.clone(), source }
    }

    fn broken(&self, detail: String) -> Error {
        Error::Broken { path: self.path.clone(), detail }
    }
}

/// The kind that a member of the file names.
fn kind(plural: &str) -> Result<Kind, String> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.plural() == plural);
    kind.ok_or_else(|| format!("`{}` is no kind of definition", plural.escape_debug()))
}

fn pins(kinds: &Kinds) -> Result<Pins, String> {
    let mut pins = Pins::default();
    for (plural, entries) in kinds {
        let kind = kind(plural)?;
        for (name, entry) in entries {
            let at = || format!("{plural}, `{}`", name.escape_debug());
            let value = Value::parse(entry.definition.get(), MAX_NODES)
                .map_err(|error| format!("{}: {error}", at()))?;
            if value.sha256() != entry.sha256 {
                return Err(format!("{}: the definition is not the one of its digest", at()));
            }
            pins.put(kind, name, value);
        }
    }
    Ok(pins)
}

/// A server's name as the name of a file: letters and digits stay, the rest is spelled in hex.
fn file_name(server: &str) -> String {
    let mut name = String::with_capacity(server.len());
    for (n, byte) in server.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            b'.' if n > 0 => name.push('.'),
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(name, "%{byte:02x}");
            }
        }
    }
    if name.is_empty() {
        name.push('%');
    }
    if name.len() > LONGEST {
        let digest = Sha256::digest(server);
        name.truncate(LONGEST);
        name.push('%');
        for byte in digest.iter().take(16) {
            let _ = write!(name, "{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn known(tools: &[(&str, &str)]) -> Known {
        let mut known = Known { whole: [Kind::Tool].into(), ..Known::default() };
        for (name, definition) in tools {
            known.pinned.put(Kind::Tool, name, Value::parse(definition, 100).unwrap());
        }
        known
    }

    #[test]
    fn what_was_written_is_read_and_nobody_else_can() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path(), "a/../b \u{202e}");
        assert_eq!(store.read().unwrap(), None);
        let mut written = known(&[("t\u{1b}", r#"{"name":"t","n":1.50,"é":"\u0000"}"#)]);
        written.pinned.put(Kind::Instructions, "", Value::Null);
        written.pinned.put(Kind::Resource, "a://{b}", Value::parse(r#"{"uri":"a://{b}"}"#, 100).unwrap());
        written.whole.insert(Kind::ResourceTemplate);
        store
            .update(|before| {
                assert_eq!(before, None);
                written.clone()
            })
            .unwrap();
        assert_eq!(store.read().unwrap(), Some(written));
        assert_eq!(fs::metadata(store.path()).unwrap().mode() & 0o777, 0o600);
        assert_eq!(store.path().parent().unwrap(), root.path().join("pins"));
    }

    #[test]
    fn a_file_that_was_touched_is_no_file_of_ours() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path(), "s");
        store.update(|_| known(&[("t", r#"{"name":"t","description":"good"}"#)])).unwrap();
        let text = fs::read_to_string(store.path()).unwrap();
        let long = text.replace("good", "bad");
        for bad in [
            "",
            "{",
            &text[..text.len() / 2],
            &long,
            &text.replace("\"v\": 2", "\"v\": 3"),
            &text.replace("\"v\": 2", "\"v\": 1"),
            &text.replace("[\"tools\"]", "[\"tool\"]"),
            &text.replace("\"s\"", "\"x\""),
        ] {
            fs::write(store.path(), bad).unwrap();
            assert!(matches!(store.read(), Err(Error::Broken { .. })), "{bad}");
            assert!(store.update(|_| known(&[])).is_err());
            assert_eq!(fs::read_to_string(store.path()).unwrap(), bad, "kept for whoever looks into it");
        }
    }

    #[test]
    fn a_file_of_the_first_version_is_read_and_written_anew() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path(), "s");
        store.update(|_| known(&[("t", r#"{"name":"t"}"#)])).unwrap();
        let text = fs::read_to_string(store.path()).unwrap();
        let whole = text.replace("\"seen_whole\": []", "\"seen_whole\": false");
        let first =
            whole.replace("\"v\": 2", "\"v\": 1").replace("\"whole\": [\"tools\"]", "\"whole\": true");
        assert_ne!(first, text);
        fs::write(store.path(), &first).unwrap();
        let read = store.read().unwrap().unwrap();
        assert_eq!(read, known(&[("t", r#"{"name":"t"}"#)]));
        store.update(|known| known.unwrap()).unwrap();
        assert_eq!(fs::read_to_string(store.path()).unwrap(), text);
    }

    #[test]
    fn no_two_servers_share_a_file() {
        let names = ["a", "A", "a/b", "a%2fb", "..", ".", "", "%", "a.lock", "a.new"];
        let files: BTreeSet<String> = names.iter().map(|name| file_name(name)).collect();
        assert_eq!(files.len(), names.len());
        assert!(files.iter().all(|name| !name.contains('/') && !name.starts_with('.')));
        assert!(file_name(&"x/".repeat(500)).len() < 200);
    }
}
