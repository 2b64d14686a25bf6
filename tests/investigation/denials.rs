//! From a refusal to the line that lifts it, and no other: every layer refuses something real, `explain` names what
//! decided, and its suggestion in a copy of the profile makes `replay` and a real rerun allow exactly that.
//!
//! Where nothing may be proposed, `explain` says why, and that is checked to be so.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::pen::ground::Ground;
use crate::pen::{launch, log, program};

/// A piece of ground with a folder for each case, so that a grant for one reaches no other.
struct Stage {
    ground: Ground,
    port: u16,
    _listener: TcpListener,
}

/// What the server does that a line of the profile can allow: the verb, and the thing.
const LIFTABLE: &[(&str, &str)] = &[
    ("read", "out/a1/f"),
    ("list", "out/a2"),
    ("write", "out/a3/f"),
    ("create", "out/a4/new"),
    ("write", "ro/b1/f"),
    ("truncate", "ro/b2/f"),
    ("create", "ro/b3/new"),
    ("mkdir", "ro/b4/new"),
    ("delete", "ro/b5/f"),
    ("rename", "ro/b6/f"),
    ("symlink", "ro/b7/new"),
    ("chmod", "ro/b8/f"),
    ("exec", "out/tool"),
];

/// What no line allows, or none is proposed for.
const NEVER: &[(&str, &str)] = &[
    ("read", "user/home/.ssh/id_rsa"),
    ("read", "user/home/.claude.json"),
    ("read", "out/a5/site.key"),
    ("exec", "/bin/sh"),
    ("unix", "/run/docker.sock"),
    ("mount", "/mnt"),
    ("unshare", "-"),
    ("ptrace", "-"),
    ("read", "/proc/1/environ"),
];

impl Stage {
    fn new() -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stage = Stage { ground: Ground::new(), port, _listener: listener };
        stage.lay();
        let profile = format!(
            "version = 1\n[filesystem]\nread = [{:?}]\n[tools]\ndefault = \"deny\"\ndeny = [\"remove\"]\n[network]\nallow = [\"listed.example:443\"]\n",
            stage.ground.text("ro")
        );
        stage.ground.profile(&profile);
        stage
    }

    /// Everything as it was before the first run.
    fn lay(&self) {
        for folder in ["ro", "out"] {
            let _ = fs::remove_dir_all(self.ground.path(folder));
        }
        for (_, thing) in LIFTABLE.iter().chain(NEVER) {
            let path = self.place(thing);
            if thing.starts_with('/') || *thing == "-" {
                continue;
            }
            let is_new = thing.ends_with("/new");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match *thing {
                "out/a2" => fs::create_dir_all(&path).unwrap(),
                "out/tool" => drop(fs::copy(program::attack("tool"), &path).unwrap()),
                _ if is_new => {}
                _ => fs::write(&path, "x").unwrap(),
            }
        }
    }

    fn place(&self, thing: &str) -> PathBuf {
        if thing.starts_with('/') { PathBuf::from(thing) } else { self.ground.path(thing) }
    }

    /// Runs everything under `profile`; the log's folder.
    fn run(&self, profile: &Path, name: &str) -> PathBuf {
        self.lay();
        let audit = self.ground.path(name);
        let mut command = launch::caponier(&self.ground);
        command
            .args(["run", "--name", "asks", "--profile"])
            .arg(profile)
            .arg("--audit-dir")
            .arg(&audit)
            .arg("--");
        command.arg(program::program("asks"));
        for (verb, thing) in LIFTABLE.iter().chain(NEVER) {
            command.arg(verb).arg(self.place(thing));
        }
        command.args(["filter", "-", "tcp", &self.port.to_string()]);
        let mut running = launch::start(command);
        for message in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"look","arguments":{}}}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"remove","arguments":{}}}"#,
            r#"{"jsonrpc":"2.0","id":4,"id":5,"method":"ping"}"#,
        ] {
            assert!(running.send(format!("{message}\n").as_bytes()));
            let answered = message.contains("tools/list");
            if answered {
                running.wait_for_stdout("\"id\":1");
            }
        }
        running.close_stdin();
        let finished = running.finish();
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
        audit
    }

    fn json(&self, words: &[&str], audit: &Path) -> (Option<i32>, Value) {
        let mut command = launch::caponier(&self.ground);
        command.arg("audit").args(words).arg("--json").arg("--audit-dir").arg(audit);
        let finished = launch::start(command).finish();
        let told = serde_json::from_slice(&finished.stdout)
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", finished.stderr));
        (finished.code(), told)
    }
}

/// What names a refusal, run after run.
fn key(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let what = ["path", "address", "syscall", "tool", "method"].map(text).join(" ");
    format!("{} {what}", event["event"].as_str().unwrap_or_default())
}

fn denials(audit: &Path) -> Vec<Value> {
    let refused = |event: &Value| {
        event["verdict"] == "deny"
            || matches!(event["event"].as_str(), Some("syscall.denied" | "message.denied"))
    };
    log::events(audit).into_iter().filter(refused).collect()
}

fn keys(denials: &[Value]) -> BTreeSet<String> {
    denials.iter().map(key).collect()
}

#[test]
fn a_suggestion_lifts_its_refusal_and_no_other() {
    let stage = Stage::new();
    let profile = stage.ground.path("profile.toml");
    let audit = stage.run(&profile, "audit-first");
    let denied = denials(&audit);
    let all = keys(&denied);
    let session = denied[0]["session"].as_str().unwrap().to_owned();
    // Positive: replayed under its own profile, the same things are refused.
    stage.lay();
    let path = profile.to_str().unwrap();
    let (code, before) = stage.json(&["replay", "--profile", path, "--session", &session], &audit);
    assert_eq!((code, &before["profile"]["is_the_recorded_one"]), (Some(1), &Value::Bool(true)));
    let refused = |replay: &Value| -> BTreeSet<String> {
        replay["refusals"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["event"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = refused(&before);

    let (mut lifted, mut kept, mut layers) = (0, 0, BTreeSet::new());
    let mut seen = BTreeSet::new();
    for event in &denied {
        if !seen.insert(key(event)) {
            continue;
        }
        stage.lay();
        layers.insert(event["layer"].as_str().unwrap().to_owned());
        let id = format!("{session}:{}", event["seq"]);
        let (code, told) = stage.json(&["explain", &id], &audit);
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(told["profile"]["unchanged"], true, "{told}");
        let Some(line) = told["suggestion"]["line"].as_str() else {
            assert!(told["why_not"].as_str().is_some_and(|why| why.len() > 10), "{event} {told}");
            kept += 1;
            continue;
        };
        assert_decided(event, &told, path);
        let copy = stage.ground.path("copy.toml");
        fs::write(&copy, format!("version = 1\nextends = [\"profile.toml\"]\n{line}\n")).unwrap();
        let (_, replayed) =
            stage.json(&["replay", "--profile", copy.to_str().unwrap(), "--session", &session], &audit);
        let mut expected = first.clone();
        assert!(expected.remove(&id), "{id} was not refused by its own profile: {before}");
        assert_eq!(refused(&replayed), expected, "{line} in a replay, for {event}");
        let again = keys(&denials(&stage.run(&copy, &format!("audit-{}", event["seq"]))));
        let mut expected = all.clone();
        expected.remove(&key(event));
        assert_eq!(again, expected, "{line} in a rerun, for {event}");
        lifted += 1;
    }
    assert!(lifted >= LIFTABLE.len(), "{lifted} lifted, {kept} kept");
    assert!(lifted + kept >= 20, "{lifted} lifted, {kept} kept");
    for layer in ["landlock", "broker", "gate", "network"] {
        assert!(layers.contains(layer), "{layers:?}");
    }
}

/// Inside the read grant the line of that grant decides; elsewhere no line does.
fn assert_decided(event: &Value, told: &Value, profile: &str) {
    let line = &told["decision"]["line"];
    match event["reason"].as_str().unwrap() {
        "fs.write.read-only" => {
            assert_eq!((&line["file"], &line["line"]), (&profile.into(), &3.into()), "{told}");
        }
        "tool.not-listed" => assert_eq!(line["line"], 5, "{told}"),
        "fs.metadata.not-granted" => assert_eq!(line["line"], 3, "{told}"),
        _ => assert!(line.is_null(), "{event} {told}"),
    }
}
