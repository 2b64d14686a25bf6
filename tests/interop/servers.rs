//! The six servers: how each is started, on what, and what it is asked.
//!
//! Everything asked is about a fresh stage, or the server's own memory, and has one right answer: what
//! differs between two runs is the clock and the name of the stage, which `transcript` takes out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::clients::Client;
use crate::peers;

/// A server, by the name of its shipped profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Filesystem,
    Memory,
    Everything,
    SequentialThinking,
    Git,
    Time,
}

/// What one run is played on: a folder of its own, with HOME and the workspace in it.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    /// A fresh stage with the files, or the repository, that `server` is asked about.
    pub(crate) fn set(server: Server) -> Self {
        let stage = Stage { folder: tempfile::Builder::new().prefix("interop-").tempdir().unwrap() };
        for folder in [stage.home(), stage.workspace()] {
            fs::create_dir(folder).unwrap();
        }
        match server {
            Server::Filesystem => write_files(&stage.workspace()),
            Server::Git => make_repository(&stage.workspace()),
            Server::Memory | Server::Everything | Server::SequentialThinking | Server::Time => {}
        }
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.path().join("work")
    }
}

impl Server {
    /// The name of the shipped profile.
    pub(crate) fn profile(self) -> &'static str {
        match self {
            Server::Filesystem => "filesystem",
            Server::Memory => "memory",
            Server::Everything => "everything",
            Server::SequentialThinking => "sequential-thinking",
            Server::Git => "git",
            Server::Time => "time",
        }
    }

    /// The command as it would stand in a client's configuration.
    pub(crate) fn command(self, stage: &Stage) -> Vec<PathBuf> {
        let node = |name: &str| vec![peers::program("node"), peers::npm_server(name)];
        let python = |module: &str| vec![peers::python_of_servers(), "-m".into(), module.into()];
        match self {
            Server::Filesystem => [node("filesystem"), vec![stage.workspace()]].concat(),
            Server::Memory => node("memory"),
            Server::Everything => node("everything"),
            Server::SequentialThinking => node("sequential-thinking"),
            Server::Git => {
                [python("mcp_server_git"), vec!["--repository".into(), stage.workspace()]].concat()
            }
            Server::Time => python("mcp_server_time"),
        }
    }

    /// What it is asked: `{env, roots, calls, together, resources, prompts}`, read by the drivers.
    /// Only what is legal: what caponier refuses is asked in `refusals`.
    pub(crate) fn plan(self, stage: &Stage, client: Client) -> Value {
        let mut plan =
            json!({"env": {}, "roots": [], "calls": [], "together": [], "resources": [], "prompts": []});
        let mut calls = self.calls(&stage.workspace());
        if client == Client::Python("2026-07-28") {
            // It never says to a legacy server that it has roots, or can ask its user: so these are not on the list.
            let absent = ["get-roots-list", "trigger-elicitation-request"];
            calls.retain(|call| !absent.iter().any(|tool| call["tool"] == *tool));
        }
        plan["calls"] = Value::Array(calls);
        match self {
            // Without it the server writes into its own package; under caponier the profile sets it.
            Server::Memory => plan["env"]["MEMORY_FILE_PATH"] = json!(stage.path().join("memory.jsonl")),
            Server::Everything => {
                plan["roots"] = json!([format!("file://{}", npm_package())]);
                plan["resources"] = json!(["demo://resource/static/document/features.md", "demo://no/such"]);
                plan["prompts"] = json!([
                    {"name": "simple-prompt", "arguments": {}},
                    {"name": "args-prompt", "arguments": {"city": "Skopje"}},
                ]);
            }
            _ => {}
        }
        plan
    }

    fn calls(self, work: &Path) -> Vec<Value> {
        let call = |tool: &str, arguments: Value| json!({"tool": tool, "arguments": arguments});
        match self {
            Server::Filesystem => vec![
                call("list_allowed_directories", json!({})),
                call("list_directory", json!({"path": work})),
                call("list_directory_with_sizes", json!({"path": work})),
                call("directory_tree", json!({"path": work})),
                call("read_text_file", json!({"path": work.join("plain.txt")})),
                call("read_text_file", json!({"path": work.join("plain.txt"), "head": 1})),
                call("read_text_file", json!({"path": work.join("Grüße \u{1f99c}.md")})),
                call("read_multiple_files", json!({"paths": [work.join("plain.txt"), work.join("absent")]})),
                call("read_media_file", json!({"path": work.join("pixel.png")})),
                call("search_files", json!({"path": work, "pattern": "**/*.md"})),
                call("get_file_info", json!({"path": work.join("plain.txt")})),
            ],
            Server::Memory => vec![
                call("read_graph", json!({})),
                call(
                    "create_entities",
                    json!({"entities": [
                        {"name": "Vauban", "entityType": "engineer", "observations": ["built Neuf-Brisach"]},
                        {"name": "caponier", "entityType": "work", "observations": ["\u{2028} \u{0000} \" \\ é"]},
                    ]}),
                ),
                call(
                    "create_relations",
                    json!({"relations": [{"from": "Vauban", "to": "caponier", "relationType": "used"}]}),
                ),
                call(
                    "add_observations",
                    json!({"observations": [{"entityName": "Vauban", "contents": ["died in 1707"]}]}),
                ),
                call("search_nodes", json!({"query": "1707"})),
                call("open_nodes", json!({"names": ["caponier"]})),
                call("delete_entities", json!({"entityNames": ["caponier"]})),
                call("read_graph", json!({})),
            ],
            Server::Everything => vec![
                call("echo", json!({"message": "h\u{e9}llo \u{1f99c} \u{7f} \"quoted\" \\ / \u{2028}"})),
                call("get-sum", json!({"a": 1e15, "b": -0.5})),
                call("get-structured-content", json!({"location": "Chicago"})),
                call("get-annotated-message", json!({"messageType": "error", "includeImage": true})),
                call("get-tiny-image", json!({})),
                call("get-resource-links", json!({"count": 3})),
                // These two make the server ask the client something while the call is in flight.
                call("get-roots-list", json!({})),
                call("trigger-elicitation-request", json!({})),
            ],
            Server::SequentialThinking => vec![
                call(
                    "sequentialthinking",
                    json!({"thought": "a ditch", "thoughtNumber": 1, "totalThoughts": 2, "nextThoughtNeeded": true}),
                ),
                call(
                    "sequentialthinking",
                    json!({"thought": "a passage", "thoughtNumber": 2, "totalThoughts": 2, "nextThoughtNeeded": false,
                        "branchFromThought": 1, "branchId": "b"}),
                ),
            ],
            Server::Git => vec![
                call("git_status", json!({"repo_path": work})),
                call("git_log", json!({"repo_path": work, "max_count": 5})),
                call("git_diff_unstaged", json!({"repo_path": work})),
                call("git_diff_staged", json!({"repo_path": work})),
                call("git_diff", json!({"repo_path": work, "target": "HEAD~1"})),
                call("git_show", json!({"repo_path": work, "revision": "HEAD"})),
                call("git_branch", json!({"repo_path": work, "branch_type": "all"})),
                call("git_show", json!({"repo_path": work, "revision": "no-such-revision"})),
                call("git_add", json!({"repo_path": work, "files": ["wall.txt"]})),
                call("git_diff_staged", json!({"repo_path": work})),
                call("git_reset", json!({"repo_path": work})),
                call("git_create_branch", json!({"repo_path": work, "branch_name": "lunette"})),
                call("git_checkout", json!({"repo_path": work, "branch_name": "lunette"})),
                call("git_status", json!({"repo_path": work})),
            ],
            Server::Time => vec![
                call("get_current_time", json!({"timezone": "Asia/Kathmandu"})),
                call(
                    "convert_time",
                    json!({"source_timezone": "Asia/Tokyo", "time": "09:30", "target_timezone": "Asia/Kathmandu"}),
                ),
                call("get_current_time", json!({"timezone": "Nowhere/At_All"})),
            ],
        }
    }
}

fn write_files(work: &Path) {
    fs::create_dir(work.join("folder")).unwrap();
    fs::write(work.join("plain.txt"), "first\nsecond\r\nthird").unwrap();
    fs::write(work.join("folder/deep.md"), "# deep\n").unwrap();
    fs::write(work.join("Grüße \u{1f99c}.md"), "\u{feff}na\u{ef}ve \u{2028} \u{0000}\t\"\\\n").unwrap();
    fs::write(work.join("pixel.png"), b"\x89PNG\r\n\x1a\n").unwrap();
}

/// Two commits and a changed file, with fixed names and dates: the object ids are the same in every run.
fn make_repository(work: &Path) {
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .args(["-C".as_ref(), work.as_os_str()])
            .args(["-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false"])
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", work)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(["AUTHOR", "COMMITTER"].iter().flat_map(|who| {
                [
                    (format!("GIT_{who}_NAME"), "S\u{e9}bastien"),
                    (format!("GIT_{who}_EMAIL"), "test@caponier.invalid"),
                    (format!("GIT_{who}_DATE"), "2026-01-02T03:04:05+05:45"),
                ]
            }))
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "--quiet"]);
    fs::write(work.join("wall.txt"), "stone\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "A wall"]);
    fs::write(work.join("wall.txt"), "stone\nbrick\n").unwrap();
    git(&["commit", "--quiet", "--all", "--message", "A thicker wall"]);
    git(&["branch", "ravelin"]);
    fs::write(work.join("wall.txt"), "stone\nbrick\nearth\n").unwrap();
    fs::write(work.join("ditch.txt"), "water\n").unwrap();
    git(&["add", "ditch.txt"]);
}

/// The folder of server-everything's program, which its profile grants: a root elsewhere is not shown to it.
fn npm_package() -> String {
    peers::npm_server("everything").parent().unwrap().display().to_string()
}
