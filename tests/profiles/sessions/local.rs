//! Servers that need nothing but this machine.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::Session;
use crate::driven::{Plan, official, python, there};
use crate::peers;
use crate::stage::Stage;

pub(super) fn everything(stage: &Stage) {
    let plan = Plan {
        calls: vec![
            ("echo", json!({"message": "a ditch and a wall"})),
            ("get-sum", json!({"a": 2, "b": 40})),
            ("get-structured-content", json!({"location": "Chicago"})),
        ],
        resources: vec!["demo://resource/static/document/features.md"],
        prompts: vec![json!({"name": "args-prompt", "arguments": {"city": "Skopje"}})],
        ..Plan::default()
    };
    let seen = Session::of("everything", official("everything"), plan).play(stage);
    seen.says(&["a ditch and a wall", "42", "conditions"]);
    assert!(seen.value["resources"][0]["answer"]["contents"][0]["text"].is_string(), "{seen}");
    assert!(seen.value["prompts"][0]["answer"].to_string().contains("Skopje"), "{seen}");
}

pub(super) fn filesystem(stage: &Stage) {
    let work = stage.at("w");
    fs::create_dir(work.join("plans")).unwrap();
    fs::write(work.join("plans/ditch.md"), "# A ditch\n").unwrap();
    let plan = Plan {
        calls: vec![
            ("list_allowed_directories", json!({})),
            ("directory_tree", json!({"path": work})),
            ("read_text_file", json!({"path": work.join("plans/ditch.md")})),
            ("search_files", json!({"path": work, "pattern": "**/*.md"})),
            ("write_file", json!({"path": work.join("wall.md"), "content": "/stone\n"})),
            (
                "edit_file",
                json!({"path": work.join("wall.md"), "edits": [{"oldText": "stone", "newText": "brick"}]}),
            ),
            ("create_directory", json!({"path": work.join("built")})),
            ("move_file", json!({"source": work.join("wall.md"), "destination": work.join("built/wall.md")})),
            ("read_text_file", json!({"path": work.join("built/wall.md")})),
        ],
        ..Plan::default()
    };
    let mut server = official("filesystem");
    server.push(work.clone().into());
    let seen = Session::of("filesystem", server, plan).option("--write", &work).play(stage);
    let folder = work.to_str().unwrap();
    seen.says(&[
        folder,
        "ditch.md",
        "# A ditch",
        "ditch.md",
        "wall.md",
        "brick",
        "built",
        "wall.md",
        "/brick",
    ]);
    assert_eq!(fs::read_to_string(work.join("built/wall.md")).unwrap(), "/brick\n");
}

pub(super) fn git(stage: &Stage) {
    let work = stage.at("w");
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&work).args([
            "-c",
            "user.name=S\u{e9}bastien",
            "-c",
            "user.email=s@caponier.invalid",
        ]);
        let done = stage.at_home(command.args(words)).output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    fs::write(work.join("wall.txt"), "stone\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "A wall"]);
    fs::write(work.join("ditch.txt"), "water\n").unwrap();
    let at = |more: serde_json::Value| {
        let mut arguments = json!({"repo_path": &work});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let plan = Plan {
        // HOME is private: who commits is said by the client's configuration.
        env: json!({"GIT_AUTHOR_NAME": "S\u{e9}bastien", "GIT_AUTHOR_EMAIL": "s@caponier.invalid",
            "GIT_COMMITTER_NAME": "S\u{e9}bastien", "GIT_COMMITTER_EMAIL": "s@caponier.invalid"}),
        calls: vec![
            ("git_status", at(json!({}))),
            ("git_add", at(json!({"files": ["ditch.txt"]}))),
            ("git_diff_staged", at(json!({}))),
            ("git_commit", at(json!({"message": "A ditch"}))),
            ("git_log", at(json!({"max_count": 2}))),
            ("git_create_branch", at(json!({"branch_name": "lunette"}))),
            ("git_checkout", at(json!({"branch_name": "lunette"}))),
            ("git_show", at(json!({"revision": "HEAD"}))),
            ("git_branch", at(json!({"branch_type": "local"}))),
        ],
        ..Plan::default()
    };
    let mut server = python("servers", "mcp_server_git");
    server.extend(["--repository".into(), work.clone().into()]);
    let seen = Session::of("git", server, plan).play(stage);
    seen.says(&[
        "ditch.txt",
        "staged",
        "+water",
        "committed",
        "A ditch",
        "lunette",
        "lunette",
        "+water",
        "lunette",
    ]);
    assert_eq!(
        git(&["log", "--format=%an: %s", "lunette"]),
        "S\u{e9}bastien: A ditch\nS\u{e9}bastien: A wall\n"
    );
}

pub(super) fn memory(stage: &Stage) {
    let plan = |calls| Plan { calls, ..Plan::default() };
    let entities = json!({"entities": [
        {"name": "Vauban", "entityType": "engineer", "observations": ["/died in 1707"]},
        {"name": "caponier", "entityType": "work", "observations": ["a covered passage"]},
    ]});
    let relations = json!({"relations": [{"from": "Vauban", "to": "caponier", "relationType": "used"}]});
    let calls =
        vec![("create_entities", entities), ("create_relations", relations), ("read_graph", json!({}))];
    let seen = Session::of("memory", official("memory"), plan(calls)).play(stage);
    seen.says(&["Vauban", "used", "a covered passage"]);
    // The next session remembers.
    let calls =
        vec![("search_nodes", json!({"query": "1707"})), ("open_nodes", json!({"names": ["caponier"]}))];
    let seen = Session::of("memory", official("memory"), plan(calls)).play(stage);
    seen.says(&["Vauban", "a covered passage"]);
}

pub(super) fn sequential_thinking(stage: &Stage) {
    let thought = |text: &str, number: u32, more: bool| json!({"thought": text, "thoughtNumber": number, "totalThoughts": 2, "nextThoughtNeeded": more});
    let plan = Plan {
        calls: vec![
            ("sequentialthinking", thought("/first a ditch", 1, true)),
            ("sequentialthinking", thought("then a passage", 2, false)),
        ],
        ..Plan::default()
    };
    let seen = Session::of("sequential-thinking", official("sequential-thinking"), plan).play(stage);
    seen.says(&["\"thoughtHistoryLength\": 1", "\"thoughtHistoryLength\": 2"]);
}

pub(super) fn sqlite(stage: &Stage) {
    let script = there(peers::folder().join("python/sqlite/bin/mcp-server-sqlite"));
    let server = vec![script, "--db-path".into(), stage.at("w/walls.db").into()];
    let plan = Plan {
        calls: vec![
            ("create_table", json!({"query": "CREATE TABLE wall (stone TEXT)"})),
            ("write_query", json!({"query": "INSERT INTO wall VALUES ('ashlar')"})),
            ("read_query", json!({"query": "SELECT stone FROM wall"})),
            ("list_tables", json!({})),
            ("describe_table", json!({"table_name": "wall"})),
            ("append_insight", json!({"insight": "/stone is hard"})),
        ],
        resources: vec!["memo://insights"],
        ..Plan::default()
    };
    let seen = Session::of("sqlite", server, plan).play(stage);
    seen.says(&["", "1", "ashlar", "wall", "stone", ""]);
    assert!(seen.value["resources"][0]["answer"].to_string().contains("stone is hard"), "{seen}");
    assert!(stage.at("w/walls.db").exists());
}

pub(super) fn time(stage: &Stage) {
    let plan = Plan {
        calls: vec![
            ("get_current_time", json!({"timezone": "Asia/Kathmandu"})),
            (
                "convert_time",
                json!({"source_timezone": "Asia/Tokyo", "time": "09:30", "target_timezone": "Asia/Kathmandu"}),
            ),
        ],
        ..Plan::default()
    };
    let seen = Session::of("time", python("servers", "mcp_server_time"), plan).play(stage);
    seen.says(&["Asia/Kathmandu", "06:15"]);
}
