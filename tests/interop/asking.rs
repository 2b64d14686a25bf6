//! Servers that ask the client for folders, answers of its user and answers of its model: real ones, with every client, in
//! both eras. Allowed, the client gets what it gets without caponier, and the log has every question; denied, the client is
//! never asked, and the log says why.

use std::ffi::OsString;
use std::fs;

use serde_json::{Value, json};

use crate::clients::Client;
use crate::refusals::CLIENTS;
use crate::servers::{Server, Stage};
use crate::{peers, record, transcript};

const ALL: &str = r#"roots = "allow", elicitation = "allow", sampling = "allow""#;
const NONE: &str = r#"roots = "deny", elicitation = "deny", sampling = "deny""#;
const METHODS: [&str; 3] = ["elicitation/create", "roots/list", "sampling/createMessage"];

/// A server and how it is asked.
struct Asked {
    extends: &'static str,
    command: Vec<OsString>,
    plan: Value,
}

/// npm's server-everything, which knows the legacy era alone.
fn everything(_: &Stage) -> Asked {
    let program = peers::npm_server("everything");
    let calls = json!([
        {"tool": "get-roots-list", "arguments": {}},
        {"tool": "trigger-elicitation-request", "arguments": {}},
        {"tool": "trigger-sampling-request", "arguments": {"prompt": "What is a ditch?", "maxTokens": 20}},
        {"tool": "trigger-url-elicitation", "arguments": {"url": "https://example.com/way", "elicitationId": "e"}},
        {"tool": "echo", "arguments": {"message": "still there"}},
    ]);
    Asked {
        extends: "everything",
        command: vec![peers::program("node").into(), program.clone().into()],
        plan: plan(&[format!("file://{}", program.parent().unwrap().display())], &calls),
    }
}

/// A server of PyPI's SDK, which knows both.
fn of_the_sdk(stage: &Stage) -> Asked {
    let script = stage.workspace().join("asking.py");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/drivers/asking.py"), &script).unwrap();
    let calls: Vec<Value> =
        ["where", "name", "ask", "plain"].map(|tool| json!({"tool": tool, "arguments": {}})).into();
    Asked {
        extends: "runtime/python",
        command: vec![peers::python_of_servers().into(), script.into()],
        plan: plan(&[format!("file://{}", stage.workspace().display())], &json!(calls)),
    }
}

fn plan(roots: &[String], calls: &Value) -> Value {
    json!({
        "env": {}, "roots": roots, "calls": calls, "together": [], "resources": [], "prompts": [],
        "answers": {"sampling": "a dry one", "elicitation": {"action": "accept", "content": {"name": "Vauban"}}},
    })
}

/// Through caponier, with a profile that lets servers ask for this.
fn penned(asked: &Asked, stage: &Stage, requests: &str) -> Vec<OsString> {
    let profile = stage.path().join("profile.toml");
    let work = stage.workspace();
    let read = match asked.extends {
        "everything" => String::new(),
        _ => format!("filesystem.read = [{{ path = \"{}\", reason = \"the server\" }}]\n", work.display()),
    };
    let text = format!(
        "version = 1\nextends = [\"{}\"]\n{read}protocol.server_requests = {{ {requests} }}\n",
        asked.extends
    );
    fs::write(&profile, text).unwrap();
    let mut command: Vec<OsString> =
        vec![peers::caponier().into(), "run".into(), "--name".into(), "asking".into()];
    command.extend(["--profile".into(), profile.into_os_string(), "--".into()]);
    command.extend(asked.command.iter().cloned());
    command
}

fn events(stage: &Stage, name: &str) -> Vec<Value> {
    let lines = record::audit(stage, &["query", "--jsonl", "--event", name]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn methods(events: &[Value]) -> Vec<&str> {
    let mut methods: Vec<&str> = events.iter().filter_map(|event| event["method"].as_str()).collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

/// Whether the client has anything to say to a server of this kind: one that is pinned to the modern era does not to npm's.
fn can_ask(client: Client, asked: &Asked) -> bool {
    asked.extends != "everything"
        || !matches!(client, Client::Python("2026-07-28") | Client::Node("2026-07-28"))
}

/// Whether the two speak the modern era with each other.
fn is_modern(client: Client, asked: &Asked) -> bool {
    asked.extends != "everything"
        && matches!(client, Client::Python("auto" | "2026-07-28") | Client::Node("auto" | "2026-07-28"))
}

fn works_when_allowed(server: fn(&Stage) -> Asked) {
    for client in CLIENTS {
        let stage = Stage::set(Server::Everything);
        let asked = server(&stage);
        if !can_ask(client, &asked) {
            continue;
        }
        let bare = client.ask(&asked.plan, Server::Everything, &stage, &asked.command);
        let bare = transcript::normalised(bare, stage.path());
        assert_eq!(bare["asked"], json!(METHODS), "{client:?}: {bare:#}");
        let text = bare.to_string();
        assert!(text.contains("a dry one, to: ") && text.contains("Vauban"), "{client:?}: {bare:#}");

        let stage = Stage::set(Server::Everything);
        let asked = server(&stage);
        let seen = client.ask(&asked.plan, Server::Everything, &stage, &penned(&asked, &stage, ALL));
        let seen = transcript::normalised(seen, stage.path());
        if let Some(difference) = transcript::difference(&seen, &bare) {
            panic!("{client:?}: {difference}");
        }
        let starts = events(&stage, "request.start");
        assert_eq!(methods(&starts), METHODS, "{client:?}: {starts:?}");
        let shown = starts.iter().any(|start| start["params"].to_string().contains("What is a ditch?"));
        assert!(shown, "what is asked of the model is on the record: {starts:?}");
        // In the modern era the answer comes with the next call.
        let ends = events(&stage, "request.end");
        assert_eq!(ends.is_empty(), is_modern(client, &asked), "{client:?}: {ends:?}");
        assert!(ends.iter().all(|end| end["outcome"] == "ok"), "{client:?}: {ends:?}");
        let denied = events(&stage, "message.denied");
        assert!(denied.is_empty(), "{client:?}: {denied:?}");
        record::audit(&stage, &["verify"]);
    }
}

fn is_never_asked_when_denied(server: fn(&Stage) -> Asked) {
    for client in CLIENTS {
        let stage = Stage::set(Server::Everything);
        let asked = server(&stage);
        if !can_ask(client, &asked) {
            continue;
        }
        let seen = client.ask(&asked.plan, Server::Everything, &stage, &penned(&asked, &stage, NONE));
        assert_eq!(seen["asked"], json!([]), "{client:?}: {seen:#}");
        let text = seen.to_string();
        assert!(!text.contains("a dry one") && !text.contains("Vauban"), "{client:?}: {seen:#}");
        // The rest of the server works on.
        let last = seen["calls"].as_array().unwrap().last().unwrap();
        assert!(
            last["answer"]["content"].is_array() && last["answer"]["isError"] != true,
            "{client:?}: {last}"
        );
        let denied = events(&stage, "message.denied");
        assert!(denied.iter().all(|it| it["reason"] == "request.denied"), "{client:?}: {denied:?}");
        let details: Vec<&str> = denied.iter().filter_map(|it| it["detail"].as_str()).collect();
        for key in ["roots", "elicitation", "sampling"] {
            let begins = format!("protocol.server_requests.{key} = \"deny\"");
            assert!(
                details.iter().any(|detail| detail.starts_with(&begins)),
                "{client:?}: {key} in {details:?}"
            );
        }
        match is_modern(client, &asked) {
            true => assert_eq!(methods(&denied), ["tools/call"], "{client:?}: {denied:?}"),
            false => assert_eq!(methods(&denied), METHODS, "{client:?}: {denied:?}"),
        }
        assert!(events(&stage, "request.start").is_empty(), "{client:?}");
    }
}

#[test]
fn everything_asks_every_client_when_allowed() {
    works_when_allowed(everything);
}

#[test]
fn everything_asks_no_client_when_denied() {
    is_never_asked_when_denied(everything);
}

#[test]
fn a_server_of_the_sdk_asks_every_client_in_both_eras_when_allowed() {
    works_when_allowed(of_the_sdk);
}

#[test]
fn a_server_of_the_sdk_asks_no_client_in_either_era_when_denied() {
    is_never_asked_when_denied(of_the_sdk);
}

#[test]
fn a_question_under_our_name_reaches_no_client_in_either_era() {
    for client in CLIENTS {
        let stage = Stage::set(Server::Everything);
        let mut asked = of_the_sdk(&stage);
        asked.plan["calls"] = json!([{"tool": "trick", "arguments": {}}, {"tool": "plain", "arguments": {}}]);
        let bare = client.ask(&asked.plan, Server::Everything, &stage, &asked.command);
        assert!(bare["calls"][0].to_string().contains("tricked: accept"), "{client:?}: {bare:#}");

        let seen = client.ask(&asked.plan, Server::Everything, &stage, &penned(&asked, &stage, ALL));
        assert_eq!(seen["asked"], json!([]), "{client:?}: {seen:#}");
        assert!(!seen.to_string().contains("tricked"), "{client:?}: {seen:#}");
        assert!(seen["calls"][1].to_string().contains("plain"), "{client:?}: {seen:#}");
        let reasons: Vec<Value> =
            events(&stage, "message.denied").into_iter().map(|it| it["reason"].clone()).collect();
        assert_eq!(reasons, ["request.impersonates"], "{client:?}");
    }
}

#[test]
fn roots_outside_the_grants_are_shown_to_no_server_in_either_era() {
    for client in CLIENTS {
        let stage = Stage::set(Server::Everything);
        let mut asked = of_the_sdk(&stage);
        asked.plan["roots"].as_array_mut().unwrap().push(json!("file:///etc"));
        asked.plan["calls"] = json!([{"tool": "where", "arguments": {}}]);
        let bare = client.ask(&asked.plan, Server::Everything, &stage, &asked.command);
        assert!(bare["calls"][0].to_string().contains("file:///etc"), "{client:?}: {bare:#}");

        let seen = client.ask(&asked.plan, Server::Everything, &stage, &penned(&asked, &stage, ALL));
        let answer = seen["calls"][0]["answer"].to_string();
        let work = stage.workspace().display().to_string();
        assert!(answer.contains(&work) && !answer.contains("file:///etc"), "{client:?}: {answer}");
    }
}
