//! The filesystem server behind caponier, asked by hand by a client without forms.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peers;
use crate::servers::{Server, Stage};

/// How long something may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for something that must come.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A session, and the stage that it is played on.
pub(crate) struct Session {
    stage: Stage,
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    asked: u64,
}

impl Session {
    /// With these channels; `display` is what the supervisor finds as DISPLAY.
    pub(crate) fn start(channels: &str, display: Option<&str>) -> Session {
        Session::start_on(Stage::set(Server::Filesystem), channels, display)
    }

    pub(crate) fn start_on(stage: Stage, channels: &str, display: Option<&str>) -> Session {
        let work = stage.workspace();
        let toml = format!(
            "version = 1\nextends = [\"filesystem\"]\n[filesystem]\nwrite = [\"{}\"]\n[tools]\nask = [\"write_file\"]\n\
             [confirm]\nchannels = {channels}\ntimeout = \"30m\"\n",
            work.display()
        );
        let words = Server::Filesystem.command(&stage);
        Session::run(stage, &toml, &words, display)
    }

    /// A server of Python's, which is answered for in a terminal.
    pub(crate) fn scripted(script: &str) -> Session {
        let stage = Stage::set(Server::Time);
        let file = stage.path().join("server.py");
        fs::write(&file, script).unwrap();
        let toml = "version = 1\nextends = [\"runtime/python\"]\n[tools]\noutside_paths = \"allow\"\nask = [\"write_file\"]\n[confirm]\n\
                    channels = [\"terminal\"]\ntimeout = \"30m\"\n";
        Session::run(stage, toml, &[peers::program("python3"), file], None)
    }

    fn run(stage: Stage, toml: &str, words: &[PathBuf], display: Option<&str>) -> Session {
        let (work, profile) = (stage.workspace(), stage.path().join("profile.toml"));
        fs::write(&profile, toml).unwrap();
        let mut command = Command::new(peers::caponier());
        command.args(["run", "--name", "notes", "--profile"]).arg(profile).arg("--");
        command.args(words).current_dir(&work);
        clean(&mut command, &stage.home());
        command.envs(display.map(|display| ("DISPLAY", display)));
        let stderr = fs::File::create(stage.path().join("stderr")).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut session = Session { stage, child, to, from, asked: 0 };
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        session.ask("initialize", &hello);
        let _ = session.hears();
        session.tell(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        session
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.stage.home()
    }

    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.stage.workspace().join(name)
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.stage.path().join("stderr")).unwrap()
    }

    fn tell(&mut self, message: &Value) {
        let to = self.to.as_mut().unwrap();
        to.write_all(format!("{message}\n").as_bytes()).unwrap();
        to.flush().unwrap();
    }

    /// Asks; the id.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> u64 {
        self.asked += 1;
        let id = self.asked;
        self.tell(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// A call that writes this file.
    pub(crate) fn writes(&mut self, name: &str, content: &str) -> u64 {
        let path = self.work(name);
        self.ask(
            "tools/call",
            &json!({"name": "write_file", "arguments": {"path": path, "content": content}}),
        )
    }

    /// Takes a request back.
    pub(crate) fn takes_back(&mut self, id: u64) {
        self.tell(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}),
        );
    }

    /// The next answer that comes.
    pub(crate) fn hears(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "it ended: {}", self.stderr());
            let message: Value = serde_json::from_str(&line).unwrap();
            if message.get("id").is_some() && message.get("method").is_none() {
                return message;
            }
        }
    }

    /// Runs caponier as this session's user.
    pub(crate) fn caponier(&self, words: &[&str]) -> Output {
        let mut command = Command::new(peers::caponier());
        command.args(words);
        clean(&mut command, &self.home());
        command.output().unwrap()
    }

    /// What waits, as soon as so many calls do.
    pub(crate) fn waiting(&self, count: usize) -> Vec<Value> {
        until("a call that waits", || {
            let done = self.caponier(&["approve", "--list", "--json"]);
            assert!(done.status.success(), "{done:?}");
            let report: Value = serde_json::from_slice(&done.stdout).unwrap();
            let pending = report["pending"].as_array().unwrap().clone();
            (pending.len() == count).then_some(pending)
        })
    }

    /// The events of this kind.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let done = self.caponier(&["audit", "query", "--event", event, "--json"]);
        let report: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
        report["events"].as_array().unwrap().clone()
    }

    /// Ends it as a client does; the stage stays for who looks at it.
    pub(crate) fn end(mut self) -> Stage {
        self.to = None;
        self.child.wait().unwrap();
        self.stage
    }
}

fn clean(command: &mut Command, home: &Path) {
    command.env_clear().env("HOME", home).env("LANG", "C.UTF-8");
    for name in ["PATH", "USER", "LOGNAME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
}

/// The reason of a decision of ours.
pub(crate) fn reason(answer: &Value) -> &str {
    answer["result"]["_meta"]["io.github.caponier/decision"]["reason"].as_str().unwrap_or_default()
}
