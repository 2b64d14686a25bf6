//! A HOME for one test, and caponier run in it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program under test.
pub(crate) fn caponier() -> PathBuf {
    std::env::var_os("CAPONIER_BIN").map_or_else(|| env!("CARGO_BIN_EXE_caponier").into(), PathBuf::from)
}

/// As configurations name it.
pub(crate) fn program() -> String {
    fs::canonicalize(caponier()).unwrap().into_os_string().into_string().unwrap()
}

/// The peers of `scripts/peers.sh`, checked to be there: a client that was not asked has not agreed.
pub(crate) fn peers() -> PathBuf {
    let folder = std::env::var_os("CAPONIER_PEERS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers"), PathBuf::from);
    let clients = folder.join("npm/clients/node_modules");
    assert!(clients.is_dir(), "{} is not there: run scripts/peers.sh first", clients.display());
    folder
}

/// Where programs are: the system's, and node where the tester has it.
fn path() -> String {
    let tester = std::env::var_os("PATH").unwrap_or_default();
    let node = std::env::split_paths(&tester).find(|folder| folder.join("node").is_file());
    let node = node.map(|folder| format!("{}:", folder.display())).unwrap_or_default();
    format!("{node}/usr/local/bin:/usr/bin:/bin")
}

/// A home with a project in it; gone when dropped.
pub(crate) struct Home {
    root: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        let base = if Path::new("/var/tmp").is_dir() { "/var/tmp".into() } else { std::env::temp_dir() };
        let root = tempfile::Builder::new().prefix("clients-").tempdir_in(base).unwrap();
        fs::create_dir_all(root.path().join("project")).unwrap();
        Home { root }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn read(&self, relative: &str) -> Vec<u8> {
        fs::read(self.path(relative)).unwrap()
    }

    pub(crate) fn text(&self, relative: &str) -> String {
        String::from_utf8(self.read(relative)).unwrap()
    }

    /// A program in the project, with nothing of the tester's around it.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command
            .env_clear()
            .env("PATH", path())
            .env("HOME", self.root.path())
            .env("LANG", "C.UTF-8")
            .current_dir(self.path("project"))
            .stdin(Stdio::null());
        command
    }

    /// `caponier client …`.
    pub(crate) fn client(&self, words: &[&str]) -> Done {
        Done::of(self.command(caponier()).arg("client").args(words).output().unwrap())
    }

    /// What `client list --json` says of the servers: `client/server` with the state.
    pub(crate) fn states(&self) -> Vec<(String, String)> {
        let report = self.client(&["list", "--json"]).json();
        let servers = report["servers"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        servers
            .map(|it| (format!("{}/{}", text(&it["client"]), text(&it["server"])), text(&it["state"])))
            .collect()
    }

    /// Files in our state folder, with their modes.
    pub(crate) fn kept(&self) -> Vec<(String, u32)> {
        let folder = self.path(".local/state/caponier/clients");
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut found: Vec<(String, u32)> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                (entry.file_name().into_string().unwrap(), mode)
            })
            .collect();
        found.sort();
        found
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn of(output: Output) -> Done {
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn ended(self, code: i32) -> Done {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Everything that it said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
