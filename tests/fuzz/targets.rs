//! What must hold for any bytes: nothing panics, what is judged is what serde_json reads, fuel is a bound, a secret that
//! is planted is not left. Each target tells whether its input was looked into, or refused at the door.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use caponier::audit::redact::Redactor;
use caponier::event::Redact;
use caponier::jsonrpc::{Body, Limits, Message, Payload, Raw, scan};
use caponier::mcp::answer;
use caponier::mcp::arguments::ground::{Disk, Ground};
use caponier::mcp::gate::{Gate, Judgement};
use caponier::mcp::schema::{Bounds, Unlisted, Verdict, compile};
use caponier::policy::argument::{ArgumentPath, ArgumentRule, HostRule};
use caponier::policy::grant::{Origin, Stated};
use caponier::policy::network::Network;
use caponier::policy::requests::ServerRequests;
use caponier::policy::tools::{ToolRule, Tools, UnknownFields};
use caponier::policy::{Arguments, Protocol, Stdout};
use serde_json::Value;

use crate::vectors;

/// A disk with nothing on it.
struct Empty;

impl Disk for Empty {
    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn exists(&self, _: &Path) -> bool {
        false
    }
}

/// A gate with a rule of every kind on the tool `read`.
fn gate() -> Gate {
    gate_of(&Tools::default())
}

/// The same with other rules besides.
pub(crate) fn gate_of(tools: &Tools) -> Gate {
    fn stated<T>(value: T) -> Option<Stated<T>> {
        Some(Stated { value, origin: Origin::caponier() })
    }
    let rule = |at: &str, rule: ArgumentRule| {
        (at.to_owned(), ArgumentRule { at: ArgumentPath::parse(at).expect("a place"), ..rule })
    };
    let texts = |texts: &[&str]| stated(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let none = ArgumentRule::default;
    let argument = [
        rule(
            "path",
            ArgumentRule { within: stated(vec!["/work".into()]), extensions: texts(&[".md"]), ..none() },
        ),
        rule("paths[]", ArgumentRule { within: stated(vec!["/work".into()]), ..none() }),
        rule("target", ArgumentRule { deny_prefix: texts(&["-"]), max_length: stated(200), ..none() }),
        rule("kind", ArgumentRule { one_of: texts(&["json", "text"]), ..none() }),
        rule("edits[].newText", ArgumentRule { pattern: stated("[a-z ]*".into()), ..none() }),
        rule(
            "url",
            ArgumentRule {
                hosts: stated(vec![HostRule::parse("*.example.com:443").expect("a host"), HostRule::Network]),
                ..none()
            },
        ),
    ];
    let tools = Tools {
        rule: [("read".to_owned(), ToolRule { argument: argument.into(), ..ToolRule::default() })].into(),
        ..tools.clone()
    };
    let ground = Ground {
        granted: vec!["/work".into()],
        cwd: "/work".into(),
        home: "/home/me".into(),
        network: Network::default(),
        refuse_outside: true,
        disk: Arc::new(Empty),
    };
    let protocol = Protocol {
        max_message: 16 << 20,
        max_depth: 64,
        stdout: Stdout::Strict,
        unknown_fields: UnknownFields::Reject,
        server_requests: ServerRequests::default(),
    };
    Gate::new(&tools, &protocol, ground).expect("a gate")
}

/// Fails unless what we read is what the other reader read.
pub(crate) fn same(ours: Option<&str>, theirs: Option<&Value>, what: &str) {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    let ours = ours.map(|text| read(text).unwrap_or_else(|| Value::from(text)));
    assert_eq!(ours.as_ref(), theirs, "{what}");
}

/// Whether serde_json reads it too; 1e400 is JSON, and more than it holds.
pub(crate) fn is_json(text: &str) -> bool {
    let out_of_range = |error: serde_json::Error| error.to_string().starts_with("number out of range");
    serde_json::from_str::<Value>(text).map_or_else(out_of_range, |_| true)
}

/// A line, in both directions.
pub(crate) fn message(line: &[u8]) -> bool {
    let reference = serde_json::from_slice::<Value>(line);
    let limits = Limits { max_depth: 64, max_batch: 8 };
    let messages = match (scan(line, limits), &reference) {
        // 1e400 is JSON, and more than serde_json holds.
        (Ok(_), Err(error)) if error.to_string().starts_with("number out of range") => return false,
        (Ok(_), Err(error)) => panic!("read, and serde_json says {error}"),
        (Ok(Payload::Single(message)), Ok(value)) => vec![(message, value.clone())],
        (Ok(Payload::Batch(messages)), Ok(value)) => {
            let values = value.as_array().expect("a batch is an array");
            assert_eq!(messages.len(), values.len());
            messages.into_iter().zip(values.iter().cloned()).collect()
        }
        (Err(_), _) => return false,
    };
    let (mut from_client, mut from_server) = (gate(), gate());
    for (message, value) in &messages {
        agree(message, value);
        let now = Instant::now();
        match from_client.judge_client(message, now) {
            Judgement::Pass(permit) => drop(from_client.admit(permit, message, now)),
            Judgement::Refuse(refusal) => {
                let id = value.get("id").map_or("null".to_owned(), Value::to_string);
                for text in [
                    answer::refused_call(&id, "t", false, &refusal, Some("01K:1")),
                    answer::refused_request(Some(&id), &refusal, -31_000, None),
                ] {
                    assert!(serde_json::from_str::<Value>(&text).is_ok() && !text.contains('\n'), "{text}");
                }
            }
        }
        if let (Judgement::Pass(permit), Body::Response(response)) =
            (from_server.judge_server(message), &message.body)
        {
            drop(from_server.arrive(permit, response));
        }
    }
    assert!(from_client.unanswered() <= messages.len());
    true
}

/// The parts of a message that decide something, as serde_json has them.
fn agree(message: &Message<'_>, value: &Value) {
    same(Some(message.raw), Some(value), "the message");
    assert_eq!(message.method(), value.get("method").and_then(Value::as_str), "method");
    let invocation = match &message.body {
        Body::Request(id, invocation) => {
            same(Some(id.raw()), value.get("id"), "id");
            invocation
        }
        Body::Notification(invocation) => {
            assert!(value.get("id").is_none(), "a notification has no id");
            invocation
        }
        Body::Response(response) => {
            let id = value.get("id").filter(|id| !id.is_null());
            same(response.id.as_ref().map(|id| id.raw()), id, "id");
            return;
        }
    };
    let params = value.get("params");
    same(
        invocation.params.arguments.map(|Raw(raw)| raw),
        params.and_then(|params| params.get("arguments")),
        "arguments",
    );
    if let Some(tool) = message.tool() {
        assert_eq!(Some(&*tool), params.and_then(|params| params["name"].as_str()), "tool");
    }
}

/// A schema, a line end, and arguments.
pub(crate) fn schema(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let (schema, arguments) = text.split_once('\n').unwrap_or((text, "{}"));
    let bounds = Bounds::DEFAULT;
    let Ok(compiled) = compile(schema, bounds) else { return false };
    assert!(is_json(schema), "a schema that is no JSON");
    let (closed, used) = compiled.measure(arguments, Unlisted::Refused);
    let (open, _) = compiled.measure(arguments, Unlisted::Allowed);
    let most = bounds.fuel + bounds.fuel_per_node * (arguments.len() as u64 + 1);
    assert!(used <= most, "{used} of {most}");
    match (&closed, &open) {
        (Verdict::Good, open) => assert_eq!(open, &Verdict::Good, "closed is stricter"),
        (Verdict::Bad(violation), _) => assert!(violation.to_string().len() < 4096, "{violation}"),
        (Verdict::Unknown(_), _) => {}
    }
    if closed == Verdict::Good {
        assert!(is_json(arguments), "arguments that are no JSON");
    }
    true
}

/// Secrets to plant, and what takes them out.
static PLANTED: LazyLock<(Redactor, Vec<String>)> = LazyLock::new(|| {
    let known = "known to the session".to_owned();
    let redactor =
        Redactor::new(&[("env.KNOWN".to_owned(), known.clone())], Arguments::Redacted).expect("a key");
    let secrets = vectors::secrets().into_iter().filter(|(_, secret)| !secret.contains('\n'));
    let mut secrets: Vec<String> = secrets.map(|(kind, secret)| vectors::context(kind, &secret)).collect();
    secrets.push(known);
    (redactor, secrets)
});

/// The arguments of a call: judged by the rules, recorded without secrets.
pub(crate) fn arguments(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"read","arguments":{text}}}}}"#
    );
    let (redactor, secrets) = &*PLANTED;
    // What was never scanned is survived; what was makes JSON, and a second time changes nothing.
    let recorded = redactor.arguments(text);
    if !message(line.as_bytes()) {
        return false;
    }
    let value: Value = serde_json::from_str(recorded.get()).expect("JSON");
    assert_eq!(redactor.arguments(recorded.get()).get(), recorded.get(), "again");
    assert_ne!(value, Value::from("[withheld]"), "{text}");
    // One secret, wherever it is planted: beside the text, within it, as a name.
    let secret = &secrets[input.iter().map(|byte| usize::from(*byte)).sum::<usize>() % secrets.len()];
    for planted in [
        serde_json::json!({ "a": format!("{text} {secret} {text}"), secret.as_str(): [secret] }),
        serde_json::json!({ "nested": serde_json::json!({ "b": secret, "c": text }).to_string() }),
    ] {
        let recorded = redactor.arguments(&planted.to_string());
        assert!(!recorded.get().contains(secret.as_str()), "{secret} in {}", recorded.get());
    }
    true
}
