//! What one run is played on, and what its log says afterwards.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::peers;

/// A folder of its own, with HOME, a workspace and something outside of both.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn set() -> Stage {
        // Short, and not /tmp: a browser's sockets lie below HOME, and nobody writes in a folder that all share.
        let folder = tempfile::Builder::new().prefix("p").rand_bytes(4).tempdir_in("/var/tmp").unwrap();
        let stage = Stage { folder };
        for folder in ["h", "w", "o"] {
            fs::create_dir(stage.at(folder)).unwrap();
        }
        stage
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The environment that a desktop client leaves.
    pub(crate) fn at_home<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env_clear().current_dir(self.at("w")).env("HOME", self.at("h"));
        for name in ["PATH", "LOGNAME", "USER", "TERM"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("CAPONIER_PEERS", peers::folder())
    }

    /// `caponier run` with these options, and this server.
    pub(crate) fn penned<S: Into<OsString> + Clone>(
        &self,
        options: &[S],
        server: &[OsString],
    ) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![peers::caponier().into(), "run".into()];
        words.extend(options.iter().cloned().map(Into::into));
        words.push("--".into());
        words.extend_from_slice(server);
        words
    }

    pub(crate) fn run(&self, words: &[OsString]) -> Output {
        let mut command = Command::new("timeout");
        self.at_home(command.args(["--kill-after=10", "300"]).args(words));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Its end would end the session while the server still starts.
        let stdin = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        output
    }

    /// Every denial in the log, system calls that programs try and do without aside.
    pub(crate) fn denied(&self) -> Vec<Value> {
        self.events(&["--denied"])
            .into_iter()
            .filter(|event| event["reason"] != "syscall.unsupported")
            .collect()
    }

    pub(crate) fn events(&self, query: &[&str]) -> Vec<Value> {
        let text = self.caponier(&[&["audit", "query", "--jsonl"], query].concat());
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a command of caponier's prints; it has to succeed.
    pub(crate) fn caponier(&self, words: &[&str]) -> Vec<u8> {
        let mut command = Command::new(peers::caponier());
        let done = self.at_home(command.args(words)).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }
}

/// A file of this folder of tests.
pub(crate) fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}
