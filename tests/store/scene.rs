//! A home with a store in it, and sessions of servers that are started by launcher lines.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::peers;
use crate::pen::launch::{self, Finished, Running};

/// The package that most tests are about, small and with many dependencies.
pub(crate) const FILESYSTEM: &str = "@modelcontextprotocol/server-filesystem";

/// HOME, a folder to serve, nothing else; removed when dropped.
pub(crate) struct Scene(tempfile::TempDir);

impl Scene {
    pub(crate) fn set() -> Scene {
        // Not /tmp: a grant that lies on a folder for everyone is one of the things that are refused.
        let base =
            if Path::new("/var/tmp").is_dir() { PathBuf::from("/var/tmp") } else { std::env::temp_dir() };
        let scene = Scene(tempfile::Builder::new().prefix("store-").tempdir_in(base).unwrap());
        for folder in ["home", "work"] {
            fs::create_dir(scene.at(folder)).unwrap();
        }
        fs::write(scene.at("work").join("note.txt"), "a note\n").unwrap();
        scene
    }

    /// One with the filesystem server of this year in its store: installed once for all tests, and copied.
    pub(crate) fn with_filesystem() -> Scene {
        static INSTALLED: OnceLock<Scene> = OnceLock::new();
        let installed = INSTALLED.get_or_init(|| {
            let scene = Scene::set();
            let added = scene.caponier(&["server", "add", &format!("npm:{FILESYSTEM}@2026.8.31")]);
            assert_eq!(added.code(), Some(0), "{}", added.stderr);
            scene
        });
        let scene = Scene::set();
        let data = scene.data();
        fs::create_dir_all(data.parent().unwrap()).unwrap();
        let copied = Command::new("cp").arg("-a").arg(installed.data()).arg(&data).status().unwrap();
        assert!(copied.success());
        scene
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn work(&self) -> String {
        self.at("work").to_str().unwrap().to_owned()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.at("home/.local/share/caponier")
    }

    /// The folder of a managed server.
    pub(crate) fn server(&self, name: &str) -> PathBuf {
        self.data().join("servers").join(name)
    }

    /// The folders of its trees.
    pub(crate) fn trees(&self, name: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.server(name)) else { return Vec::new() };
        let mut trees: Vec<PathBuf> =
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        trees.sort();
        trees
    }

    /// A program in this home, with what tells package managers where their registries are and whom to trust.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", self.at("home")).current_dir(self.at("work"));
        for variable in [
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
            "XDG_DATA_HOME",
            "XDG_RUNTIME_DIR",
            "XDG_CACHE_HOME",
            "VIRTUAL_ENV",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// `caponier …`, to its end.
    pub(crate) fn caponier(&self, words: &[&str]) -> Finished {
        let mut command = self.command(&peers::caponier());
        command.args(words);
        launch::start(command).finish()
    }

    /// `caponier … --json`.
    pub(crate) fn report(&self, words: &[&str]) -> Value {
        let finished = self.caponier(words);
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{words:?}: {}", finished.stderr))
    }

    /// `caponier run -- LINE`.
    pub(crate) fn run(&self, line: &str) -> Command {
        self.run_words(&[], &line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    /// `caponier run OPTIONS -- WORDS`.
    pub(crate) fn run_words(&self, options: &[&str], words: &[OsString]) -> Command {
        let mut command = self.command(&peers::caponier());
        command.arg("run").args(options).arg("--").args(words);
        command
    }

    /// The line that most tests start.
    pub(crate) fn filesystem(&self) -> String {
        format!("npx -y {FILESYSTEM} {}", self.work())
    }

    /// Every event of one kind of the sessions of a server, in order.
    pub(crate) fn events(&self, server: &str, event: &str) -> Vec<Value> {
        let report = self.report(&["audit", "query", "--server", server, "--event", event, "--json"]);
        report["events"].as_array().unwrap().clone()
    }

    /// Names of servers of all sessions in the log.
    pub(crate) fn sessions(&self) -> Vec<String> {
        let query = self.caponier(&["audit", "query", "--event", "session.start", "--json"]);
        let report: Value = serde_json::from_slice(&query.stdout).unwrap_or_default();
        let events = report["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| event["server"].as_str().unwrap().to_owned()).collect()
    }
}

/// A session that was greeted.
pub(crate) struct Session {
    pub(crate) running: Running,
    asked: u64,
}

impl Session {
    /// Starts a server and shakes hands.
    pub(crate) fn start(command: Command) -> Session {
        let mut session = Session { running: launch::start(command), asked: 0 };
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
        let answer = session.ask("initialize", &hello);
        assert!(answer["result"]["serverInfo"].is_object(), "{answer}");
        session.running.send(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
        session
    }

    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.running.send(format!("{request}\n").as_bytes());
        self.running.wait_for_line(|message| message["id"] == id)
    }

    /// Names of its tools.
    pub(crate) fn tools(&mut self) -> Vec<String> {
        let answer = self.ask("tools/list", &json!({}));
        let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    pub(crate) fn end(mut self) -> Finished {
        self.running.close_stdin();
        self.running.finish()
    }
}
