//! A server with or without caponier in front of it, asked one thing at a time.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::peers;

/// The member of `_meta` and `data` that names a decision of ours.
const DECISION: &str = "io.github.caponier/decision";

/// A real server, by the name of its shipped profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Filesystem,
    Everything,
    Memory,
    SequentialThinking,
    Git,
    Time,
}

impl Server {
    pub(crate) const ALL: [Server; 6] = [
        Server::Filesystem,
        Server::Everything,
        Server::Memory,
        Server::SequentialThinking,
        Server::Git,
        Server::Time,
    ];

    pub(crate) fn profile(self) -> &'static str {
        match self {
            Server::Filesystem => "filesystem",
            Server::Everything => "everything",
            Server::Memory => "memory",
            Server::SequentialThinking => "sequential-thinking",
            Server::Git => "git",
            Server::Time => "time",
        }
    }

    /// The command, with the folder that the filesystem server is told to serve.
    fn command(self, work: &Path) -> Vec<OsString> {
        let node = || vec![peers::program("node").into(), peers::npm_server(self.profile()).into()];
        let python = |module: &str| vec![peers::python_of_servers().into(), "-m".into(), module.into()];
        match self {
            Server::Filesystem => [node(), vec![work.into()]].concat(),
            Server::Git => [python("mcp_server_git"), vec!["--repository".into(), work.into()]].concat(),
            Server::Time => python("mcp_server_time"),
            _ => node(),
        }
    }
}

/// A folder with HOME, a workspace and the log in it; removed when dropped.
pub(crate) struct Stage(tempfile::TempDir);

impl Stage {
    pub(crate) fn set() -> Stage {
        // Not /tmp: a grant that lies on a folder for everyone is one of the things that are refused.
        let base =
            if Path::new("/var/tmp").is_dir() { PathBuf::from("/var/tmp") } else { std::env::temp_dir() };
        let stage = Stage(tempfile::Builder::new().prefix("gate-").tempdir_in(base).unwrap());
        for folder in ["home", "work"] {
            fs::create_dir(stage.at(folder)).unwrap();
        }
        stage
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A repository in the workspace, with nothing in it.
    pub(crate) fn make_repository(&self) {
        let mut git = Command::new("git");
        git.args(["-c", "init.defaultBranch=main", "init", "--quiet"]).arg(self.at("work"));
        self.at_home(&mut git);
        assert!(git.status().unwrap().success());
    }

    /// The server as its user would start it without caponier.
    pub(crate) fn bare(&self, server: Server) -> Session {
        let words = server.command(&self.at("work"));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("MEMORY_FILE_PATH", self.at("memory.jsonl"));
        self.start(command)
    }

    /// The same, serving another folder.
    pub(crate) fn bare_serving(&self, server: Server, folder: &Path) -> Session {
        let words = server.command(folder);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        self.start(command)
    }

    /// The same through caponier.
    pub(crate) fn penned_serving(&self, server: Server, toml: &str, folder: &Path) -> Session {
        self.start(self.pen(server, toml, folder))
    }

    /// The same through caponier, with the shipped profile and what `toml` adds to it.
    pub(crate) fn penned(&self, server: Server, toml: &str) -> Session {
        self.start(self.pen(server, toml, &self.at("work")))
    }

    fn pen(&self, server: Server, toml: &str, folder: &Path) -> Command {
        let profile = self.at("profile.toml");
        fs::write(&profile, format!("version = 1\nextends = [\"{}\"]\n{toml}\n", server.profile())).unwrap();
        let mut command = Command::new(peers::caponier());
        command.args(["run", "--name", server.profile(), "--profile"]).arg(profile).arg("--audit-dir");
        command.arg(self.at("audit")).arg("--").args(server.command(folder));
        command
    }

    /// A real server through caponier, with the shipped profile and what `toml` adds to it; it is not greeted.
    pub(crate) fn penned_silent(&self, server: Server, toml: &str) -> Session {
        self.start_silent(self.pen(server, toml, &self.at("work")))
    }

    /// A server of Python's, `script`, without caponier; it is not greeted.
    pub(crate) fn bare_scripted(&self, script: &str) -> Session {
        let file = self.at("server.py");
        fs::write(&file, script).unwrap();
        let mut command = Command::new(peers::program("python3"));
        command.arg(file);
        self.start_silent(command)
    }

    /// A server of Python's, `script`, through caponier; it is not greeted.
    pub(crate) fn scripted(&self, script: &str, toml: &str) -> Session {
        self.start_silent(self.scripted_command(script, toml))
    }

    /// The command of that.
    pub(crate) fn scripted_command(&self, script: &str, toml: &str) -> Command {
        let (file, profile) = (self.at("server.py"), self.at("profile.toml"));
        fs::write(&file, script).unwrap();
        fs::write(&profile, format!("version = 1\nextends = [\"runtime/python\"]\n{toml}\n")).unwrap();
        let mut command = Command::new(peers::caponier());
        command.args(["run", "--name", "scripted", "--profile"]).arg(profile).arg("--audit-dir");
        command.arg(self.at("audit")).arg("--").arg(peers::program("python3")).arg(file);
        command
    }

    /// A server of these words through caponier, under a name and the shipped profile of that name.
    pub(crate) fn penned_as(&self, name: &str, words: &[OsString]) -> Session {
        let mut command = Command::new(peers::caponier());
        command.args(["run", "--name", name, "--profile", name, "--audit-dir"]).arg(self.at("audit"));
        command.arg("--").args(words);
        self.start(command)
    }

    fn start(&self, command: Command) -> Session {
        let mut session = self.start_silent(command);
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
        let answer = session.ask("initialize", &hello);
        assert!(answer["result"]["serverInfo"].is_object(), "{answer}");
        session.tell(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        session
    }

    pub(crate) fn start_silent(&self, mut command: Command) -> Session {
        self.at_home(&mut command);
        command.current_dir(self.at("work"));
        let stderr = fs::File::create(self.at("stderr")).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Session { child, to: Some(to), from, asked: 0, stderr: self.at("stderr") }
    }

    fn at_home(&self, command: &mut Command) {
        command.env("HOME", self.at("home"));
        for variable in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
            command.env_remove(variable);
        }
    }

    /// `audit query --json` for the events of this kind.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let mut query = Command::new(peers::caponier());
        query.args(["audit", "query", "--event", event, "--json", "--audit-dir"]).arg(self.at("audit"));
        self.at_home(&mut query);
        let output = query.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["events"].as_array().unwrap().clone()
    }
}

/// A server that was greeted.
pub(crate) struct Session {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    asked: u64,
    stderr: PathBuf,
}

impl Session {
    fn tell(&mut self, message: &Value) {
        self.tell_raw(&message.to_string());
    }

    /// The process that the client started.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line as it is.
    pub(crate) fn tell_raw(&mut self, line: &str) {
        let to = self.to.as_mut().unwrap();
        to.write_all(format!("{line}\n").as_bytes()).unwrap();
        to.flush().unwrap();
    }

    /// Asks, and returns the whole answer; what else arrives meanwhile is passed over.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.tell(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            let read = self.from.read_line(&mut line).unwrap();
            let said = || fs::read_to_string(&self.stderr).unwrap_or_default();
            assert!(read > 0, "no answer to {method} {params}: {}", said());
            let message: Value =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
    }

    /// The next line that comes, as it is.
    pub(crate) fn hears(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'), "the stream ended: {}", fs::read_to_string(&self.stderr).unwrap());
        line
    }

    /// The next line that comes, as JSON.
    pub(crate) fn hears_json(&mut self) -> Value {
        serde_json::from_str(&self.hears()).unwrap()
    }

    /// All tools, page by page.
    pub(crate) fn tools(&mut self) -> Vec<Value> {
        let (mut tools, mut params) = (Vec::new(), json!({}));
        loop {
            let answer = self.ask("tools/list", &params);
            tools.extend(answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}")).clone());
            match &answer["result"]["nextCursor"] {
                Value::String(next) => params = json!({ "cursor": next }),
                _ => return tools,
            }
        }
    }

    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Ends it as a client does; its exit status.
    pub(crate) fn end_with(&mut self, status: Option<i32>) {
        self.to = None;
        assert_eq!(
            self.child.wait().unwrap().code(),
            status,
            "{}",
            fs::read_to_string(&self.stderr).unwrap()
        );
    }

    /// Ends it as a client does.
    pub(crate) fn end(mut self) {
        self.to = None;
        self.child.wait().unwrap();
    }
}

/// The reason of a decision of ours in an answer.
pub(crate) fn reason(answer: &Value) -> Option<&str> {
    let decision = answer["result"]["_meta"].get(DECISION).or(answer["error"]["data"].get(DECISION))?;
    decision["reason"].as_str()
}
