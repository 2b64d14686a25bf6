//! The comparison: each call of a real server bare under `strace`, and the same call in the pen, on two copies of the same
//! files. What the runtime reads for itself is outside the folder that is compared.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::peers;
use crate::session::{self, Call, at_home};
use crate::strace;

/// One touch, as coarse as both witnesses tell it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Touch {
    Read(PathBuf),
    Write(PathBuf),
}

impl Touch {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Touch::Read(path) | Touch::Write(path) => path,
        }
    }

    /// Below `root`, with the names that are drawn by chance or made from the clock left out.
    fn relative(&self, root: &Path) -> String {
        let path = self.path().strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let parts: Vec<&str> = path
            .split('/')
            .map(|part| match part {
                part if part.starts_with("tmp_obj_") => "tmp_obj",
                // The temporary files of git's Python library: `obj` and eight letters.
                part if part.starts_with("obj") && part.len() == 11 => "tmp_obj",
                part if part.ends_with(".tmp") => "*.tmp",
                part if part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()) => "#",
                part => part,
            })
            .collect();
        let kind = if matches!(self, Touch::Read(_)) { "read" } else { "write" };
        format!("{kind} {}", parts.join("/"))
    }
}

struct Stage {
    root: tempfile::TempDir,
}

impl Stage {
    /// `bare/` and `penned/`, laid out alike by `lay`; a home for each.
    fn set(lay: impl Fn(&Path)) -> Stage {
        let root = tempfile::Builder::new().prefix("timeline-").tempdir_in("/var/tmp").expect("a folder");
        let stage = Stage { root };
        for side in ["bare", "penned"] {
            fs::create_dir_all(stage.at(side).join("files")).expect(side);
            fs::create_dir_all(stage.at(side).join("home")).expect(side);
            lay(&stage.at(side).join("files"));
        }
        stage
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn files(&self, side: &str) -> PathBuf {
        self.at(side).join("files")
    }

    /// What strace saw, call by call.
    fn bare(&self, server: &[OsString], calls: &[Call]) -> Vec<BTreeSet<String>> {
        let trace = self.at("trace");
        let files = self.files("bare");
        let words = strace::words(server, &trace);
        let flights = session::run(&mut at_home(&words, &self.at("bare/home"), &files), calls);
        let trace = String::from_utf8_lossy(&fs::read(trace).expect("trace")).into_owned();
        let touches = strace::touches(&trace, &files, &files);
        flights
            .iter()
            .map(|(begun, ended)| {
                let within = touches.iter().filter(|(moment, _)| begun <= moment && moment <= ended);
                within.map(|(_, touch)| touch.relative(&files)).collect()
            })
            .collect()
    }

    /// What the log says, call by call; its `call.end.summary` has to agree.
    fn penned(&self, profile: &str, server: &[OsString], calls: &[Call]) -> Vec<BTreeSet<String>> {
        let files = self.files("penned");
        let file = self.at("profile.toml");
        fs::write(&file, profile).expect("profile");
        let mut words: Vec<OsString> = vec![peers::caponier().into_os_string()];
        words.extend(["run", "--name", "witness", "--profile"].map(OsString::from));
        words.extend([file.into_os_string(), "--".into()]);
        words.extend_from_slice(server);
        session::run(&mut at_home(&words, &self.at("penned/home"), &files), calls);
        (1..=calls.len()).map(|call| self.told(call, &files)).collect()
    }

    fn told(&self, call: usize, files: &Path) -> BTreeSet<String> {
        let mut query = Command::new(peers::caponier());
        query.args(["audit", "query", "--server", "witness", "--call", &call.to_string(), "--json"]);
        let output = query.env_clear().env("HOME", self.at("penned/home")).output().expect("query");
        assert!(output.status.success(), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let events = report["events"].as_array().expect("events");
        // None of these tools does what it declares not to do.
        let broken: Vec<&Value> = events.iter().filter(|event| event["event"] == "tool.mismatch").collect();
        assert!(broken.is_empty(), "{broken:?}");
        let mut told = BTreeSet::new();
        let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
        for event in events.iter().filter(|event| event["event"] == "file.access" && event["result"] == "ok")
        {
            assert_eq!(event["calls"], json!([call]), "{event}");
            assert!(
                ["sole", "overlap"].contains(&event["attribution"].as_str().expect("attribution")),
                "{event}"
            );
            let path = PathBuf::from(event["path"].as_str().expect("a path"));
            let reads = matches!(event["access"].as_str(), Some("read" | "list"));
            if reads {
                read.insert(path.clone())
            } else {
                written.insert(path.clone())
            };
            let touch = if reads { Touch::Read(path) } else { Touch::Write(path) };
            if touch.path().starts_with(files) {
                told.insert(touch.relative(files));
            }
        }
        let end = events.iter().find(|event| event["event"] == "call.end").expect("call.end");
        assert_eq!(end["summary"]["files_read"], read.len(), "{end}\n{read:#?}");
        assert_eq!(end["summary"]["files_written"], written.len(), "{end}\n{written:#?}");
        told
    }
}

fn compare(calls: &[Call], bare: &[BTreeSet<String>], penned: &[BTreeSet<String>]) {
    assert_eq!((bare.len(), penned.len()), (calls.len(), calls.len()));
    for (((tool, _), seen), told) in calls.iter().zip(bare).zip(penned) {
        assert!(!seen.is_empty(), "{tool} touched nothing: nothing was compared");
        assert_eq!(seen, told, "{tool}: strace saw the left, the log tells the right");
    }
}

#[test]
fn every_file_that_the_filesystem_server_touches_is_told_with_its_call() {
    let stage = Stage::set(|files| {
        fs::create_dir_all(files.join("notes/deep")).expect("notes");
        fs::write(files.join("notes/a.md"), "alpha\n").expect("a");
        fs::write(files.join("notes/deep/b.md"), "beta\n").expect("b");
    });
    let calls = |side: &str| -> Vec<Call> {
        let at = |name: &str| stage.files(side).join(name);
        vec![
            ("read_text_file", json!({"path": at("notes/a.md")})),
            ("write_file", json!({"path": at("notes/new.md"), "content": "new"})),
            (
                "edit_file",
                json!({"path": at("notes/new.md"), "edits": [{"oldText": "new", "newText": "newer"}]}),
            ),
            ("move_file", json!({"source": at("notes/new.md"), "destination": at("notes/deep/moved.md")})),
            ("create_directory", json!({"path": at("notes/made")})),
            ("directory_tree", json!({"path": at("")})),
        ]
    };
    let server = |side: &str| -> Vec<OsString> {
        vec![peers::program("node").into(), peers::npm_server("filesystem").into(), stage.files(side).into()]
    };
    let profile =
        "version = 1\nextends = [\"runtime/node\"]\n[process]\narguments_as_paths = \"filesystem.write\"\n";
    let bare = stage.bare(&server("bare"), &calls("bare"));
    let penned = stage.penned(profile, &server("penned"), &calls("penned"));
    compare(&calls("bare"), &bare, &penned);
}

#[test]
fn every_file_that_git_touches_for_its_server_is_told_with_its_call() {
    let stage = Stage::set(|files| {
        let git = |words: &[&str]| {
            let done = Command::new("git")
                .args(["-c", "init.defaultBranch=main"])
                .args(words)
                .current_dir(files)
                .env("HOME", files)
                .output()
                .expect("git");
            assert!(done.status.success(), "{done:?}");
        };
        git(&["init", "--quiet"]);
        git(&["config", "user.name", "Vauban"]);
        git(&["config", "user.email", "vauban@caponier.invalid"]);
        git(&["config", "gc.auto", "0"]);
        git(&["config", "maintenance.auto", "false"]);
        fs::write(files.join("wall.txt"), "stone\n").expect("wall");
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "A wall"]);
        fs::write(files.join("wall.txt"), "stone\nbrick\n").expect("wall");
    });
    let calls = |side: &str| -> Vec<Call> {
        let repository = stage.files(side);
        vec![
            ("git_add", json!({"repo_path": repository, "files": ["wall.txt"]})),
            ("git_diff_staged", json!({"repo_path": repository})),
            ("git_commit", json!({"repo_path": repository, "message": "A thicker wall"})),
        ]
    };
    let server = |side: &str| -> Vec<OsString> {
        let program = peers::python_of_servers().with_file_name("mcp-server-git");
        vec![program.into(), "--repository".into(), stage.files(side).into()]
    };
    let bare = stage.bare(&server("bare"), &calls("bare"));
    let penned = stage.penned("version = 1\nextends = [\"git\"]\n", &server("penned"), &calls("penned"));
    compare(&calls("bare"), &bare, &penned);
}

#[test]
fn every_file_that_the_memory_server_touches_is_told_with_its_call() {
    let stage = Stage::set(|_| {});
    let entity = |name: &str| json!({"name": name, "entityType": "work", "observations": ["covered"]});
    let calls: Vec<Call> = vec![
        ("create_entities", json!({"entities": [entity("caponier")]})),
        ("create_entities", json!({"entities": [entity("ravelin")]})),
        ("read_graph", json!({})),
    ];
    let server: Vec<OsString> = vec![peers::program("node").into(), peers::npm_server("memory").into()];
    let bare = {
        let words: Vec<OsString> = [
            "env".into(),
            format!("MEMORY_FILE_PATH={}", stage.files("bare").join("memory.jsonl").display()).into(),
        ]
        .into_iter()
        .chain(server.iter().cloned())
        .collect();
        stage.bare(&words, &calls)
    };
    let files = stage.files("penned");
    let profile = format!(
        "version = 1\nextends = [\"runtime/node\"]\n[filesystem]\nwrite = [{files:?}]\n[process]\nenv.set = {{ MEMORY_FILE_PATH = {:?} }}\n",
        files.join("memory.jsonl")
    );
    let penned = stage.penned(&profile, &server, &calls);
    compare(&calls, &bare, &penned);
}
