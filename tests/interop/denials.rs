//! The real filesystem server, told on its own command line that it may read a folder that the profile does not
//! grant: the server agrees, the gate was told not to look, the kernel does not, and the log says what, why, by which layer, and what would allow it.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::peers;

/// A stage: what is granted (`project`), its sibling with the same prefix, and a secret above both.
struct Scene {
    root: tempfile::TempDir,
}

impl Scene {
    fn set() -> Scene {
        let root = tempfile::Builder::new().prefix("denials-").tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for folder in ["files/project", "files/project-secret", "home"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("files/project/open.txt"), "open").unwrap();
        fs::write(at("files/secret.txt"), "classified").unwrap();
        fs::write(at("files/project-secret/key.txt"), "next door").unwrap();
        std::os::unix::fs::symlink(at("files/secret.txt"), at("files/project/link.txt")).unwrap();
        let profile = format!(
            "version = 1\nextends = [\"runtime/node\"]\n[filesystem]\nread = [\"{}\"]\n\
             [tools]\noutside_paths = \"allow\"\n",
            at("files/project").display()
        );
        fs::write(at("profile.toml"), profile).unwrap();
        Scene { root }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Reads the files one after the other; what each answer says.
    fn read(&self, penned: bool, files: &[&str]) -> Vec<Value> {
        let server = [
            peers::program("node").into_os_string(),
            peers::npm_server("filesystem").into_os_string(),
            self.at("files").into_os_string(),
        ];
        let mut command = Command::new(if penned { peers::caponier() } else { server[0].clone().into() });
        if penned {
            command.args(["run", "--name", "filesystem", "--profile"]).arg(self.at("profile.toml"));
            command.arg("--audit-dir").arg(self.at("audit")).arg("--").args(&server);
        } else {
            command.args(&server[1..]);
        }
        self.at_home(&mut command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut messages = vec![
            json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
                   "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        ];
        for (at, file) in files.iter().enumerate() {
            // Joined by hand: `..` must arrive as it is written.
            let path = format!("{}/{file}", self.at("files").display());
            messages.push(json!({"jsonrpc": "2.0", "id": at + 1, "method": "tools/call",
                "params": {"name": "read_text_file", "arguments": {"path": path}}}));
        }
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let mut answers: Vec<Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|answer: &Value| answer["id"].as_u64().is_some_and(|id| id > 0))
            .collect();
        answers.sort_by_key(|answer| answer["id"].as_u64());
        answers.into_iter().map(|answer| answer["result"].clone()).collect()
    }

    /// `audit query --denied --json` for this log.
    fn denied(&self) -> Vec<Value> {
        let mut query = Command::new(peers::caponier());
        query.args(["audit", "query", "--denied", "--event", "file.access", "--json", "--audit-dir"]);
        self.at_home(query.arg(self.at("audit")));
        let output = query.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["events"].as_array().unwrap().clone()
    }

    fn at_home(&self, command: &mut Command) {
        command.env("HOME", self.at("home"));
        for variable in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
            command.env_remove(variable);
        }
    }
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}"))
}

/// Asked for, what it is without the pen, and where it really is.
const ASKED: [(&str, &str, &str); 3] = [
    ("project/../secret.txt", "classified", "files/secret.txt"),
    ("project/link.txt", "classified", "files/secret.txt"),
    ("project-secret/key.txt", "next door", "files/project-secret/key.txt"),
];

#[test]
fn the_kernel_refuses_what_the_server_allows() {
    let scene = Scene::set();
    let mut files = vec!["project/open.txt"];
    files.extend(ASKED.iter().map(|(asked, _, _)| *asked));

    let bare = scene.read(false, &files);
    assert_eq!(text(&bare[0]), "open");
    for ((asked, content, _), answer) in ASKED.iter().zip(&bare[1..]) {
        assert_eq!(text(answer), *content, "{asked}: the attack has to work without the pen");
    }

    let penned = scene.read(true, &files);
    assert_eq!(text(&penned[0]), "open");
    for ((asked, content, _), answer) in ASKED.iter().zip(&penned[1..]) {
        assert_eq!(answer["isError"], true, "{asked}: {answer}");
        assert!(text(answer).contains("EACCES") && !text(answer).contains(content), "{asked}: {answer}");
    }

    let denied = scene.denied();
    for (asked, _, place) in ASKED {
        let place = canonical(&scene.at(place));
        let events: Vec<&Value> = denied.iter().filter(|event| event["path"] == place.as_str()).collect();
        assert!(!events.is_empty(), "{asked}: no event for {place} in {denied:#?}");
        for event in events {
            assert_eq!(event["reason"], "fs.read.not-granted", "{asked}: {event}");
            assert_eq!(event["layer"], "landlock", "{asked}: {event}");
            assert_eq!(event["verdict"], "deny", "{asked}: {event}");
            assert_eq!(event["result"], "EACCES", "{asked}: {event}");
            assert_eq!(event["remedy"], format!("filesystem.read = [\"{place}\"]"), "{asked}: {event}");
            assert!(event["calls"].as_array().is_some_and(|calls| !calls.is_empty()), "{asked}: {event}");
        }
    }
}

/// The kernel's own name for a path: temporary folders can lie behind links.
fn canonical(path: &Path) -> String {
    let opened = fs::File::open(path).unwrap();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&opened));
    String::from_utf8(fs::read_link(link).unwrap().as_os_str().as_bytes().to_vec()).unwrap()
}
