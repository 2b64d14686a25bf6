//! The official clients in every mode, before a real server whose tool waits for a yes.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::clients::Client;
use crate::peers;
use crate::servers::{Server, Stage};

const DECISION: &str = "io.github.caponier/decision";
/// Text that hides and reorders, as an argument.
const HOSTILE: &str = "one\n\u{202e}two\u{200b}\u{1b}[2J";

/// The server behind caponier, with what `toml` adds to its shipped profile.
fn penned(server: Server, stage: &Stage, confirm: &str) -> Vec<OsString> {
    let (section, tool) = match server {
        Server::Filesystem => {
            (format!("[filesystem]\nwrite = [\"{}\"]\n", stage.workspace().display()), "write_file")
        }
        _ => (String::new(), "git_create_branch"),
    };
    let profile = stage.path().join("profile.toml");
    let toml = format!(
        "version = 1\nextends = [\"{}\"]\n{section}[tools]\nask = [\"{tool}\"]\n[confirm]\n{confirm}\n",
        server.profile()
    );
    fs::write(&profile, toml).unwrap();
    let mut command = vec![peers::caponier().into_os_string(), "run".into(), "--name".into(), "asked".into()];
    command.extend(["--profile".into(), profile.into(), "--".into()]);
    command.extend(server.command(stage).into_iter().map(OsString::from));
    command
}

/// A call that leaves something behind under this name.
fn call(server: Server, stage: &Stage, name: &str) -> Value {
    let work = stage.workspace();
    match server {
        Server::Filesystem => {
            json!({"tool": "write_file", "arguments": {"path": work.join(name), "content": HOSTILE}})
        }
        _ => json!({"tool": "git_create_branch", "arguments": {"repo_path": work, "branch_name": name}}),
    }
}

/// Whether the server did what the call says.
fn is_done(server: Server, stage: &Stage, name: &str) -> bool {
    let work = stage.workspace();
    match server {
        Server::Filesystem => work.join(name).exists(),
        _ => work.join(".git/refs/heads").join(name).exists(),
    }
}

fn plan(says: &[&str], calls: Vec<Value>) -> Value {
    json!({"env": {}, "roots": [], "calls": calls, "together": [], "resources": [], "prompts": [],
        "says": says, "late_s": 4})
}

/// How a call ended, as far as the client tells: the reason of our decision, or the code of an error.
fn decision(answer: &Value) -> Value {
    let reason = &answer["_meta"][DECISION]["reason"];
    if reason.is_null() { answer["code"].clone() } else { reason.clone() }
}

/// Whether the client cannot speak to this server at all.
fn is_strange(client: Client, server: Server) -> bool {
    client == Client::Node("2026-07-28") && server == Server::Filesystem
}

fn is_modern(client: Client, server: Server) -> bool {
    match client {
        Client::Python("2026-07-28") | Client::Node("2026-07-28") => true,
        Client::Python("auto") | Client::Node("auto") => server == Server::Git,
        _ => false,
    }
}

/// The log: it verifies, and holds these answers.
fn recorded(stage: &Stage, event: &str, field: &str) -> Vec<String> {
    let run = |words: &[&str]| {
        let mut command = Command::new(peers::caponier());
        let done = command.args(words).env_clear().env("HOME", stage.home()).output().unwrap();
        assert!(done.status.success(), "{words:?}: {done:?}");
        done.stdout
    };
    run(&["audit", "verify"]);
    let report: Value =
        serde_json::from_slice(&run(&["audit", "query", "--event", event, "--json"])).unwrap();
    let events = report["events"].as_array().unwrap();
    events.iter().map(|event| event[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// Yes, no, closed, a bare yes; each call leaves something behind, or not.
fn answers_decide(client: Client, server: Server) {
    let stage = Stage::set(server);
    let says = ["accept", "decline", "cancel", "bare"];
    let calls = says.iter().map(|word| call(server, &stage, word)).collect();
    let command = penned(server, &stage, "timeout = \"10m\"");
    let seen = client.ask(&plan(&says, calls), server, &stage, &command);
    if is_strange(client, server) {
        assert_eq!(seen["not connected"]["code"], "ERA_NEGOTIATION_FAILED", "{seen:#}");
        assert_eq!(recorded(&stage, "confirm.asked", "tool"), [""; 0]);
        return;
    }
    for (n, word) in says.iter().enumerate() {
        let answer = &seen["calls"][n]["answer"];
        assert_eq!(is_done(server, &stage, word), *word == "accept", "{client:?} {word}: {seen:#}");
        if *word != "accept" {
            assert_eq!(decision(answer), "confirm.refused", "{client:?} {word}: {answer:#}");
        }
    }
    let asked = seen["questions"].as_array().unwrap();
    assert_eq!(asked.len(), says.len(), "{seen:#}");
    let message = asked[0].as_str().unwrap();
    assert!(message.starts_with("caponier asks: may the server \"asked\" run its tool "), "{message}");
    if server == Server::Filesystem {
        let shown = "content: \"one\\n\\u{202e}two\\u{200b}\\u{1b}[2J\"";
        assert!(message.contains(shown), "{message}");
        assert!(!message.contains(['\u{202e}', '\u{200b}', '\u{1b}']), "{message:?}");
        let path = stage.workspace().join("accept");
        assert!(message.contains(&format!("path: \"{}\"", path.display())), "{message}");
        assert_eq!(fs::read_to_string(path).unwrap(), HOSTILE);
    }
    let channel = if is_modern(client, server) { "input_required" } else { "elicitation" };
    assert_eq!(recorded(&stage, "confirm.asked", "channel"), [channel; 4]);
    let answers = recorded(&stage, "confirm.answered", "answer");
    assert_eq!(answers[..3], ["accept", "decline", "cancel"], "{answers:?}");
    // A client that checks the form itself sends an error instead of it.
    assert!(["unset", "error"].contains(&answers[3].as_str()), "{answers:?}");
}

/// An answer that comes after the time is none.
fn late_answers_are_none(client: Client, server: Server) {
    if is_strange(client, server) {
        return answers_decide(client, server);
    }
    let stage = Stage::set(server);
    let command = penned(server, &stage, "timeout = \"1s\"");
    let calls = vec![call(server, &stage, "late")];
    let seen = client.ask(&plan(&["late"], calls), server, &stage, &command);
    assert!(!is_done(server, &stage, "late"), "{client:?}: {seen:#}");
    let expected = if is_modern(client, server) { json!(-32_602) } else { json!("confirm.timeout") };
    assert_eq!(decision(&seen["calls"][0]["answer"]), expected, "{client:?}: {seen:#}");
    assert_eq!(recorded(&stage, "confirm.answered", "answer"), ["timeout"]);
}

/// Without a form, and without another way, a call is not made; nor does it leave anybody waiting.
fn without_forms_nothing_is_done(client: Client, server: Server) {
    if is_strange(client, server) {
        return answers_decide(client, server);
    }
    let stage = Stage::set(server);
    let calls = || vec![call(server, &stage, "never")];
    let command = penned(server, &stage, "channels = [\"elicitation\"]");
    let seen = client.ask(&plan(&[], calls()), server, &stage, &command);
    assert_eq!(decision(&seen["calls"][0]["answer"]), "confirm.unavailable", "{client:?}: {seen:#}");
    let command = penned(server, &stage, "channels = [\"elicitation\", \"terminal\"]\ntimeout = \"1s\"");
    let seen = client.ask(&plan(&[], calls()), server, &stage, &command);
    assert_eq!(decision(&seen["calls"][0]["answer"]), "confirm.timeout", "{client:?}: {seen:#}");
    assert!(!is_done(server, &stage, "never"));
    assert_eq!(recorded(&stage, "confirm.asked", "channel"), ["terminal"]);
}

fn all(client: Client, server: Server) {
    answers_decide(client, server);
    late_answers_are_none(client, server);
    without_forms_nothing_is_done(client, server);
}

macro_rules! official {
    ($($name:ident: $server:expr;)*) => {$(
        mod $name {
            use super::{Client, Server, all};

            #[test]
            fn python_legacy_asks_first() {
                all(Client::Python("legacy"), $server);
            }

            #[test]
            fn python_auto_asks_first() {
                all(Client::Python("auto"), $server);
            }

            #[test]
            fn python_pinned_asks_first() {
                all(Client::Python("2026-07-28"), $server);
            }

            #[test]
            fn sdk_asks_first() {
                all(Client::Sdk, $server);
            }

            #[test]
            fn node_legacy_asks_first() {
                all(Client::Node("legacy"), $server);
            }

            #[test]
            fn node_auto_asks_first() {
                all(Client::Node("auto"), $server);
            }

            #[test]
            fn node_pinned_asks_first() {
                all(Client::Node("2026-07-28"), $server);
            }
        }
    )*};
}

official! {
    filesystem: Server::Filesystem;
    git: Server::Git;
}

/// A probe, as clients start a server to see what it is: nobody is asked, and nothing of it stays behind.
#[test]
fn a_run_without_a_call_asks_nobody() {
    let stage = Stage::set(Server::Filesystem);
    let command = penned(Server::Filesystem, &stage, "");
    let seen = Client::Node("auto").ask(&plan(&["accept"], Vec::new()), Server::Filesystem, &stage, &command);
    assert_eq!(seen["questions"], json!([]), "{seen:#}");
    assert_eq!(recorded(&stage, "confirm.asked", "tool"), [""; 0]);
    let left = fs::read_dir(stage.home().join(".local/state/caponier/run")).unwrap().count();
    assert_eq!(left, 0, "a socket stayed behind");
}

/// The runtime folder of a client's session on this stage.
pub(crate) fn runtime(home: &Path) -> std::path::PathBuf {
    home.join(".local/state/caponier/run")
}
