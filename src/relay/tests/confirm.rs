//! Calls that wait for a yes: nothing of them reaches the server before it, and only the first answer counts.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::policy::confirm::Channel;
use crate::relay::confirm::ways::Asking;
use crate::relay::confirm::wire::{self, Pending, Reply, Request};

const DECISION: &str = "io.github.caponier/decision";

fn asking(runtime: &Path, channels: &[Channel], timeout: Duration) -> Settings {
    let mut settings = settings();
    let origin = Origin { file: "fs.toml".into(), line: 4, column: 8 };
    settings.tools.ask = vec![ToolPattern { glob: "move_*".into(), origin }];
    settings.confirm = Some(Asking {
        server: "fi\u{202e}les".into(),
        runtime: runtime.to_owned(),
        channels: channels.iter().copied().collect(),
        timeout,
    });
    settings
}

/// A legacy client with a form, and its runtime folder.
fn legacy(channels: &[Channel], capabilities: &str, timeout: Duration) -> (Between, tempfile::TempDir) {
    let runtime = tempfile::tempdir().unwrap();
    let mut between = Between::with(&asking(&folder(&runtime), channels, timeout));
    between.passes_to_server(&format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{capabilities}}}}}"#
    ));
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}"#);
    (between, runtime)
}

/// The runtime folder in a folder of the test's.
fn folder(runtime: &tempfile::TempDir) -> std::path::PathBuf {
    runtime.path().join("run")
}

const HOUR: Duration = Duration::from_secs(3600);
const FORM: &str = r#"{"elicitation":{}}"#;

/// The question about a call that was just made.
fn question(between: &mut Between) -> Value {
    let asked = between.client_gets_json();
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    asked
}

fn says(id: &Value, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

const YES: &str = r#"{"action":"accept","content":{"approve":true}}"#;

#[test]
fn a_call_reaches_the_server_only_after_the_yes() {
    let (mut between, _runtime) = legacy(&[Channel::Elicitation], FORM, HOUR);
    let call = r#"{"jsonrpc":"2.0", "id":7,"method":"tools/call","params":{"name":"move_file","arguments":{"path":"a\u202eb"}}}"#;
    between.client_sends(call);
    let asked = question(&mut between);
    let message = asked["params"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("caponier asks: may the server \"fi\\u{202e}les\" run its tool \"move_file\"?")
    );
    assert!(message.contains("path: \"a\\u{202e}b\"") && message.contains("fs.toml:4:8"), "{message}");
    assert_eq!(asked["params"]["requestedSchema"]["required"], json!(["approve"]));
    // Other messages go on meanwhile, and the call's id is taken.
    between.passes_to_server(PING);
    between.client_sends(call);
    assert_eq!(between.client_gets_json()["error"]["data"][DECISION]["reason"], "message.ambiguous");
    between.client_sends(says(&asked["id"], YES));
    assert_eq!(between.server_gets(), call, "byte for byte");
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#);
    // An answer that comes twice is nobody's.
    between.client_sends(says(&asked["id"], YES));
    between.passes_to_server(PING.replace("99", "98").as_str());
    let events = between.events(&["call", "channel", "answer", "outcome"]);
    let expected = [
        json!(["call.start", 1]),
        json!(["confirm.asked", 1, "elicitation"]),
        json!(["call.start", 2]),
        json!(["message.denied"]),
        json!(["call.end", 2, "denied"]),
        json!(["confirm.answered", 1, "elicitation", "accept"]),
        json!(["call.end", 1, "ok"]),
    ];
    assert_eq!(events, expected);
    let (to_server, to_client, _) = between.ends();
    assert_eq!((to_server.as_str(), to_client.as_str()), ("", ""));
}

#[test]
fn everything_but_a_set_field_is_a_no() {
    for (result, answer) in [
        (r#""result":{"action":"decline"}"#, "decline"),
        (r#""result":{"action":"cancel"}"#, "cancel"),
        (r#""result":{"action":"accept"}"#, "unset"),
        (r#""result":{"action":"accept","content":{"approve":"true"}}"#, "unset"),
        (r#""result":{}"#, "error"),
        (r#""error":{"code":-32601,"message":"no such method"}"#, "error"),
    ] {
        let (mut between, _runtime) = legacy(&[Channel::Elicitation], FORM, HOUR);
        between.client_sends(call(7, "move_file"));
        let asked = question(&mut between);
        between.client_sends(format!(r#"{{"jsonrpc":"2.0","id":{},{result}}}"#, asked["id"]));
        let refused = between.client_gets_json();
        assert_eq!((&refused["id"], &refused["result"]["isError"]), (&json!(7), &json!(true)));
        assert_eq!(refused["result"]["_meta"][DECISION]["reason"], "confirm.refused", "{result}");
        let events = between.events(&["answer", "outcome", "reason"]);
        assert_eq!(events[2], json!(["confirm.answered", answer]));
        assert_eq!(events[4], json!(["call.end", "denied", "confirm.refused"]));
        assert_eq!(between.ends().0, "", "{result}");
    }
}

#[test]
fn without_a_way_to_ask_the_call_is_refused() {
    for (channels, capabilities) in [(&[Channel::Elicitation][..], "{}"), (&[][..], FORM)] {
        let (mut between, _runtime) = legacy(channels, capabilities, HOUR);
        between.client_sends(call(7, "move_file"));
        let refused = between.client_gets_json();
        assert_eq!(refused["result"]["_meta"][DECISION]["reason"], "confirm.unavailable", "{refused}");
        between.calls(8, "read_file");
        assert_eq!(between.ends().0, "");
    }
}

#[test]
fn silence_is_a_no_and_the_form_is_withdrawn() {
    let (mut between, _runtime) = legacy(&[Channel::Elicitation], FORM, Duration::from_millis(50));
    between.client_sends(call(7, "move_file"));
    let asked = question(&mut between);
    let withdrawn = between.client_gets_json();
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    assert_eq!(withdrawn["params"]["requestId"], asked["id"]);
    let refused = between.client_gets_json();
    assert_eq!(refused["result"]["_meta"][DECISION]["reason"], "confirm.timeout", "{refused}");
    between.client_sends(says(&asked["id"], YES));
    between.passes_to_server(PING);
    let events = between.events(&["answer", "outcome", "reason", "remedy"]);
    assert_eq!(events[2], json!(["confirm.answered", "timeout"]));
    assert_eq!(events[3], json!(["message.denied", "confirm.timeout", "confirm.timeout = \"100ms\""]));
    assert_eq!(between.ends().0, "");
}

#[test]
fn a_call_that_is_taken_back_is_never_made() {
    let (mut between, _runtime) = legacy(&[Channel::Elicitation], FORM, HOUR);
    between.client_sends(call(7, "move_file"));
    let asked = question(&mut between);
    between
        .client_sends(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7.0}}"#);
    let withdrawn = between.client_gets_json();
    assert_eq!(withdrawn["params"]["requestId"], asked["id"]);
    between.client_sends(says(&asked["id"], YES));
    // The id is free again.
    between.calls(7, "read_file");
    let events = between.events(&["call", "answer", "outcome"]);
    assert_eq!(events[2], json!(["confirm.answered", 1, "withdrawn"]));
    assert_eq!(events[3], json!(["call.end", 1, "cancelled"]));
    assert_eq!(between.ends().0, "");
}

#[test]
fn a_waiting_client_is_told_that_it_waits() {
    let (mut between, _runtime) = legacy(&[Channel::Elicitation], FORM, HOUR);
    let call = call(7, "move_file").replace(r#""name""#, r#""_meta":{"progressToken":"p\u0031"},"name""#);
    between.client_sends(&call);
    let mut lines = [between.client_gets_json(), between.client_gets_json()];
    lines.sort_by_key(|line| line["method"].to_string());
    assert_eq!(lines[1]["method"], "notifications/progress");
    assert_eq!(lines[1]["params"]["progressToken"], "p1");
    assert!(lines[1]["params"]["progress"].as_f64().unwrap() < 0.001);
    between.client_sends(says(&lines[0]["id"], YES));
    assert_eq!(between.server_gets(), call);
}

#[test]
fn what_changed_while_a_call_waited_holds() {
    let mut settings = asking(Path::new("/nowhere"), &[Channel::Elicitation], HOUR);
    settings.tools.all.concurrent =
        Some(crate::policy::grant::Stated { value: Some(1), origin: Origin::caponier() });
    let mut between = Between::with(&settings);
    between.passes_to_server(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":{"elicitation":{}}}}"#,
    );
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
    between.client_sends(call(7, "move_file"));
    let asked = question(&mut between);
    between.calls(8, "read_file");
    between.client_sends(says(&asked["id"], YES));
    let refused = between.client_gets_json();
    assert_eq!(refused["result"]["_meta"][DECISION]["reason"], "rate.concurrent", "{refused}");
    let events = between.events(&["call", "answer", "outcome", "reason"]);
    assert_eq!(events[3], json!(["confirm.answered", 1, "accept"]));
    assert_eq!(events[5], json!(["call.end", 1, "denied", "rate.concurrent"]));
    assert_eq!(between.ends().0, "");
}

#[test]
fn a_yes_for_the_session_holds_for_the_same_call_only() {
    let (mut between, _runtime) = legacy(&[Channel::Elicitation], FORM, HOUR);
    between.client_sends(call(7, "move_file"));
    let asked = question(&mut between);
    between.client_sends(says(
        &asked["id"],
        r#"{"action":"accept","content":{"approve":true,"remember":true}}"#,
    ));
    assert_eq!(between.server_gets(), call(7, "move_file"));
    between.calls(8, "move_file");
    between.client_sends(call(9, "move_folder"));
    question(&mut between);
    between.client_sends(call(10, "move_file").replace(r#""a""#, r#""b""#));
    question(&mut between);
    assert_eq!(between.ends().0, "");
}

#[test]
fn the_end_of_the_client_ends_what_waits() {
    let (mut between, _runtime) = legacy(&[Channel::Elicitation], FORM, HOUR);
    between.client_sends(call(7, "move_file"));
    question(&mut between);
    let (to_server, to_client, events) = between.ends();
    assert_eq!(to_server, "");
    assert!(to_client.contains("confirm.timeout"), "{to_client}");
    assert_eq!(events.last().unwrap(), &json!(["call.end", "denied", "confirm.timeout"]));
}

#[test]
fn a_log_that_cannot_be_written_asks_nobody() {
    let (mut between, _runtime) = legacy(&[Channel::Elicitation], FORM, HOUR);
    between.log.full.store(true, Ordering::SeqCst);
    between.client_sends(call(7, "move_file"));
    let refused = between.client_gets_json();
    assert_eq!(refused["result"]["_meta"][DECISION]["reason"], "audit.unwritable", "{refused}");
    between.log.full.store(false, Ordering::SeqCst);
    between.client_sends(call(8, "move_file"));
    let asked = question(&mut between);
    between.log.full.store(true, Ordering::SeqCst);
    between.client_sends(says(&asked["id"], YES));
    let refused = between.client_gets_json();
    assert_eq!(refused["result"]["_meta"][DECISION]["reason"], "audit.unwritable", "{refused}");
    between.log.full.store(false, Ordering::SeqCst);
    assert_eq!(between.ends().0, "");
}

fn waiting(runtime: &Path) -> Vec<Pending> {
    let socket = wire::socket(runtime, "SESSION");
    match wire::ask(&socket, &Request::List).unwrap() {
        Some(Reply::Pending(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn answers(runtime: &Path, id: &str, approve: bool) -> Reply {
    let request = Request::Answer { id: id.to_owned(), approve, remember: false };
    wire::ask(&wire::socket(runtime, "SESSION"), &request).unwrap().unwrap()
}

fn waits_for(runtime: &Path, count: usize) -> Vec<Pending> {
    loop {
        let found = waiting(runtime);
        if found.len() == count {
            return found;
        }
        std::thread::yield_now();
    }
}

#[test]
fn another_terminal_answers_where_the_client_has_no_form() {
    let (mut between, runtime) = legacy(&[Channel::Elicitation, Channel::Terminal], "{}", HOUR);
    between.client_sends(call(7, "move_file"));
    between.client_sends(call(8, "move_file"));
    let found = waits_for(&folder(&runtime), 2);
    let of = |call| found.iter().find(|one| one.call == call).unwrap();
    assert_eq!((of(1).tool.as_str(), of(1).arguments.as_str()), ("move_file", "path: \"a\""));
    assert_eq!(of(1).channels, ["terminal"]);
    assert_eq!(answers(&folder(&runtime), "nonsense", true), Reply::Unknown);
    assert_eq!(answers(&folder(&runtime), &of(1).id, true), Reply::Taken);
    assert_eq!(between.server_gets(), call(7, "move_file"));
    assert_eq!(answers(&folder(&runtime), &of(1).id, true), Reply::Unknown);
    assert_eq!(answers(&folder(&runtime), &of(2).id, false), Reply::Taken);
    let refused = between.client_gets_json();
    assert_eq!((&refused["id"], &refused["result"]["isError"]), (&json!(8), &json!(true)));
    assert_eq!(waiting(&folder(&runtime)), []);
    let by = between.events(&["by"]).into_iter().filter(|event| event[0] == "confirm.answered");
    assert!(
        by.clone().count() == 2 && by.into_iter().all(|event| event[1].as_str().unwrap().contains("process"))
    );
    assert_eq!(between.ends().0, "");
    assert!(!wire::socket(&folder(&runtime), "SESSION").exists());
}

#[test]
fn the_first_of_two_ways_wins() {
    let (mut between, runtime) = legacy(&[Channel::Elicitation, Channel::Terminal], FORM, HOUR);
    between.client_sends(call(7, "move_file"));
    let asked = question(&mut between);
    let found = waits_for(&folder(&runtime), 1);
    assert_eq!(found[0].channels, ["elicitation", "terminal"]);
    assert_eq!(answers(&folder(&runtime), &found[0].id, false), Reply::Taken);
    assert_eq!(between.client_gets_json()["params"]["requestId"], asked["id"]);
    assert_eq!(between.client_gets_json()["result"]["_meta"][DECISION]["reason"], "confirm.refused");
    between.client_sends(says(&asked["id"], YES));
    between.passes_to_server(PING);
    between.client_sends(call(8, "move_file"));
    let asked = question(&mut between);
    between.client_sends(says(&asked["id"], YES));
    assert_eq!(between.server_gets(), call(8, "move_file"));
    assert_eq!(waiting(&folder(&runtime)), []);
    assert_eq!(between.ends().0, "");
}

const FORMS: &str = r#""io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}"#;

fn modern(id: u32, tool: &str, path: &str, more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}", "arguments":{{"path":"{path}"}}{more},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28",{FORMS}}}}}}}"#
    )
}

fn retry(state: &str, result: &str) -> String {
    format!(r#","inputResponses":{{"caponier":{result}}},"requestState":"{state}""#)
}

fn modern_session(timeout: Duration) -> (Between, tempfile::TempDir) {
    let runtime = tempfile::tempdir().unwrap();
    let channels = [Channel::Elicitation, Channel::Terminal];
    (Between::with(&asking(&folder(&runtime), &channels, timeout)), runtime)
}

/// The state that a call got.
fn state(between: &mut Between, id: u32, path: &str) -> String {
    between.client_sends(modern(id, "move_file", path, ""));
    let asked = between.client_gets_json();
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let request = &asked["result"]["inputRequests"]["caponier"];
    assert_eq!(request["method"], "elicitation/create");
    assert!(request["params"]["message"].as_str().unwrap().starts_with("caponier asks"));
    asked["result"]["requestState"].as_str().unwrap().to_owned()
}

#[test]
fn a_modern_client_comes_again_and_the_server_sees_nothing_of_ours() {
    let (mut between, _runtime) = modern_session(HOUR);
    let state = state(&mut between, 1, "a");
    between.client_sends(modern(2, "move_file", "a", &retry(&state, YES)));
    let plain = modern(2, "move_file", "a", "").replace(r#"file", "arg"#, r#"file","arg"#);
    assert_eq!(between.server_gets(), plain);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete","content":[]}}"#);
    let events = between.events(&["call", "channel", "answer", "outcome"]);
    let expected = [
        json!(["call.start", 1]),
        json!(["confirm.asked", 1, "input_required"]),
        json!(["confirm.answered", 1, "input_required", "accept"]),
        json!(["call.end", 1, "ok"]),
    ];
    assert_eq!(events, expected);
    assert_eq!(between.ends().0, "");
}

#[test]
fn a_no_of_a_modern_client_is_a_result() {
    for result in [r#"{"action":"decline"}"#, r#"{"action":"cancel"}"#, r#"{"action":"accept"}"#, "{}"] {
        let (mut between, _runtime) = modern_session(HOUR);
        let state = state(&mut between, 1, "a");
        between.client_sends(modern(2, "move_file", "a", &retry(&state, result)));
        let refused = between.client_gets_json();
        assert_eq!((&refused["id"], &refused["result"]["resultType"]), (&json!(2), &json!("complete")));
        assert_eq!(refused["result"]["_meta"][DECISION]["reason"], "confirm.refused");
        assert_eq!(between.ends().0, "");
    }
}

#[test]
fn a_state_is_good_once_and_for_its_own_call() {
    let (mut between, _runtime) = modern_session(HOUR);
    let (one, two) = (state(&mut between, 1, "a"), state(&mut between, 2, "b"));
    let forged = format!("{}{}", &one[..one.len() - 1], if one.ends_with('0') { '1' } else { '0' });
    let mut id = 10;
    let refused = |between: &mut Between, line: String| {
        between.client_sends(&line);
        let answer = between.client_gets_json();
        assert_eq!(answer["error"]["code"], -32602, "{line}: {answer}");
        assert_eq!(answer["error"]["data"][DECISION]["reason"], "confirm.state");
    };
    let mut again = |tool: &str, path: &str, state: &str| {
        id += 1;
        modern(id, tool, path, &retry(state, YES))
    };
    let lines = [
        again("move_file", "a", &forged),
        again("move_file", "b", &one),
        again("move_file", "a", &two),
        again("move_folder", "a", &one),
        // A tool that asks nobody, and one that is not a call.
        again("read_file", "a", &one),
        again("move_file", "a", "whatever"),
    ];
    for line in lines {
        refused(&mut between, line);
    }
    let other = format!(
        r#"{{"jsonrpc":"2.0","id":9,"method":"prompts/get","params":{{"name":"move_file","requestState":"{one}"}}}}"#
    );
    refused(&mut between, other);
    between.client_sends(again("move_file", "a", &one));
    assert!(between.server_gets().contains(r#""path":"a""#));
    refused(&mut between, again("move_file", "a", &one));
    assert_eq!(between.ends().0, "");
}

#[test]
fn a_state_of_another_session_is_forged() {
    let (mut first, _runtime) = modern_session(HOUR);
    let state = state(&mut first, 1, "a");
    let (mut second, _other) = modern_session(HOUR);
    second.client_sends(modern(2, "move_file", "a", &retry(&state, YES)));
    assert_eq!(second.client_gets_json()["error"]["code"], -32602);
    assert_eq!((first.ends().0, second.ends().0), (String::new(), String::new()));
}

#[test]
fn a_state_whose_time_is_over_is_worth_nothing() {
    let (mut between, _runtime) = modern_session(Duration::from_millis(20));
    let state = state(&mut between, 1, "a");
    while !between.events(&[]).contains(&json!(["call.end"])) {
        std::thread::yield_now();
    }
    between.client_sends(modern(2, "move_file", "a", &retry(&state, YES)));
    let refused = between.client_gets_json();
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("its time is over"), "{refused}");
    let events = between.events(&["answer", "reason"]);
    assert_eq!(events[2], json!(["confirm.answered", "timeout"]));
    assert_eq!(events[4], json!(["call.end", "confirm.timeout"]));
    assert_eq!(between.ends().0, "");
}

#[test]
fn a_confirmed_call_goes_through_the_server_s_own_rounds() {
    let (mut between, _runtime) = modern_session(HOUR);
    let state = state(&mut between, 1, "a");
    between.client_sends(modern(2, "move_file", "a", &retry(&state, YES)));
    between.server_gets();
    between.passes_to_client(
        r#"{"jsonrpc":"2.0","id":2,"result":{"resultType":"input_required","requestState":"theirs"}}"#,
    );
    let own = r#","inputResponses":{"x":{"action":"accept"}},"requestState":"theirs""#;
    // Another call does not come again.
    between.client_sends(modern(3, "move_file", "b", own));
    assert_eq!(between.client_gets_json()["error"]["code"], -32602);
    between.passes_to_server(&modern(4, "move_file", "a", own));
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":4,"result":{"resultType":"complete","content":[]}}"#);
    between.client_sends(modern(5, "move_file", "a", own));
    assert_eq!(between.client_gets_json()["error"]["code"], -32602);
    assert_eq!(between.ends().0, "");
}

#[test]
fn a_terminal_answers_for_a_modern_client_too() {
    let (mut between, runtime) = modern_session(HOUR);
    let one = state(&mut between, 1, "a");
    let found = waits_for(&folder(&runtime), 1);
    assert_eq!(answers(&folder(&runtime), &found[0].id, true), Reply::Taken);
    assert_eq!(answers(&folder(&runtime), &found[0].id, false), Reply::Unknown);
    between.client_sends(modern(2, "move_file", "a", &retry(&one, r#"{"action":"accept"}"#)));
    assert!(between.server_gets().contains(r#""id":2"#));
    let two = state(&mut between, 3, "b");
    let found = waits_for(&folder(&runtime), 1);
    assert_eq!(answers(&folder(&runtime), &found[0].id, false), Reply::Taken);
    between.client_sends(modern(4, "move_file", "b", &retry(&two, YES)));
    assert_eq!(between.client_gets_json()["result"]["_meta"][DECISION]["reason"], "confirm.refused");
    assert_eq!(between.ends().0, "");
}

#[test]
fn a_runtime_folder_that_others_can_enter_is_no_way() {
    use std::os::unix::fs::PermissionsExt;
    let runtime = tempfile::tempdir().unwrap();
    std::fs::set_permissions(runtime.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut between = Between::with(&asking(runtime.path(), &[Channel::Terminal], HOUR));
    between.client_sends(call(7, "move_file"));
    let refused = between.client_gets_json();
    assert_eq!(refused["result"]["_meta"][DECISION]["reason"], "confirm.unavailable", "{refused}");
    assert_eq!(between.ends().0, "");
}
