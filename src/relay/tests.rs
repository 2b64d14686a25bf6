//! The relay between a client and a server that are pipes in the hands of a test.

mod confirm;
mod deadlines;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::event::redact::Unchanged;
use crate::event::{Emitter, Event, Redact, Sink, Unwritable};
use crate::mcp::arguments::ground::bare;
use crate::policy::grant::Origin;
use crate::policy::requests::ServerRequests;
use crate::policy::tools::{ToolDefault, ToolPattern, Tools, UnknownFields};
use crate::policy::{Arguments, Audit, OnFailure, Protocol, Stdout, Sync};
use crate::relay::{Ends, Notice, Relay, Settings, start};

mod lists;

/// A log in memory that fails on demand.
#[derive(Default)]
struct List {
    events: Mutex<Vec<Value>>,
    full: AtomicBool,
}

impl Sink for List {
    fn append(&self, event: &Event) -> Result<u64, Unwritable> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Unwritable { detail: "ENOSPC".into() });
        }
        let mut line = serde_json::to_value(event).unwrap();
        line["event"] = event.name().into();
        let mut events = self.events.lock().unwrap();
        events.push(line);
        Ok(events.len() as u64)
    }
    fn flush(&self) -> Result<(), Unwritable> {
        Ok(())
    }
    fn session(&self) -> &str {
        "SESSION"
    }
    fn redact(&self) -> &dyn Redact {
        &Unchanged
    }
}

/// Both peers, and what was written down.
struct Between {
    to_us: Option<File>,
    from_us: Option<BufReader<File>>,
    our_stderr: Option<BufReader<File>>,
    server_reads: Option<BufReader<File>>,
    server_writes: Option<File>,
    server_complains: Option<File>,
    log: Arc<List>,
    notices: UnboundedReceiver<Notice>,
    relay: Option<Relay>,
}

fn settings() -> Settings {
    Settings {
        tools: Tools {
            default: ToolDefault::Allow,
            deny: vec![ToolPattern {
                glob: "write_*".into(),
                origin: Origin { file: "fs.toml".into(), line: 3, column: 9 },
            }],
            ..Tools::default()
        },
        ground: bare(),
        pins: None,
        confirm: None,
        protocol: Protocol {
            max_message: 16 << 20,
            max_depth: 64,
            stdout: Stdout::Strict,
            unknown_fields: UnknownFields::Reject,
            server_requests: ServerRequests::default(),
        },
        audit: Audit {
            arguments: Arguments::Shape,
            sync: Sync::Session,
            on_failure: OnFailure::Block,
            file_reads: true,
            stderr: false,
        },
    }
}

impl Between {
    fn new() -> Self {
        Between::with(&settings())
    }

    fn with(settings: &Settings) -> Self {
        let ends = || {
            let (read, write) = pipe().unwrap();
            (OwnedFd::from(read), OwnedFd::from(write))
        };
        let [client_in, client_out, client_err, server_in, server_out, server_err] = [(); 6].map(|()| ends());
        let (notify, notices) = unbounded_channel();
        let log = Arc::new(List::default());
        let relay = start(
            Ends {
                client_in: client_in.0,
                client_out: client_out.1,
                client_err: client_err.1,
                server_in: server_in.1,
                server_out: server_out.0,
                server_err: server_err.0,
            },
            settings,
            Emitter::new(Arc::clone(&log) as Arc<dyn Sink>),
            notify,
        )
        .unwrap();
        let reader = |fd: OwnedFd| Some(BufReader::new(File::from(fd)));
        Between {
            to_us: Some(client_in.1.into()),
            from_us: reader(client_out.0),
            our_stderr: reader(client_err.0),
            server_reads: reader(server_in.0),
            server_writes: Some(server_out.1.into()),
            server_complains: Some(server_err.1.into()),
            log,
            notices,
            relay: Some(relay),
        }
    }

    fn client_sends(&mut self, line: impl AsRef<[u8]>) {
        self.to_us.as_mut().unwrap().write_all(&[line.as_ref(), b"\n"].concat()).unwrap();
    }

    fn server_sends(&mut self, line: impl AsRef<[u8]>) {
        self.server_writes.as_mut().unwrap().write_all(&[line.as_ref(), b"\n"].concat()).unwrap();
    }

    fn client_gets(&mut self) -> String {
        line(self.from_us.as_mut().unwrap())
    }

    fn client_gets_json(&mut self) -> Value {
        serde_json::from_str(&self.client_gets()).unwrap()
    }

    fn server_gets(&mut self) -> String {
        line(self.server_reads.as_mut().unwrap())
    }

    /// The line went through unchanged, and nothing before it.
    #[track_caller]
    fn passes_to_server(&mut self, text: &str) {
        self.client_sends(text);
        assert_eq!(self.server_gets(), text);
    }

    #[track_caller]
    fn passes_to_client(&mut self, text: &str) {
        self.server_sends(text);
        assert_eq!(self.client_gets(), text);
    }

    /// A call of `tool` reaches the server.
    fn calls(&mut self, id: u32, tool: &str) {
        self.passes_to_server(&call(id, tool));
    }

    /// Events so far: names with the fields asked for.
    fn events(&self, fields: &[&str]) -> Vec<Value> {
        let events = self.log.events.lock().unwrap();
        let shown = events.iter().map(|event| {
            let fields = std::iter::once(&"event").chain(fields).filter(|field| !event[**field].is_null());
            fields.map(|field| event[*field].clone()).collect()
        });
        shown.collect()
    }

    fn waits_for(&mut self, notice: &Notice) {
        while let Some(next) = self.notices.blocking_recv() {
            if next == *notice {
                return;
            }
        }
        panic!("no {notice:?} came");
    }

    /// Both peers go; everything that was still on its way to each.
    fn ends(mut self) -> (String, String, Vec<Value>) {
        drop((self.to_us.take(), self.server_writes.take(), self.server_complains.take()));
        let rest = |reader: &mut Option<BufReader<File>>| {
            let mut rest = String::new();
            reader.as_mut().unwrap().read_to_string(&mut rest).unwrap();
            rest
        };
        let to_server = rest(&mut self.server_reads);
        let relay = self.relay.take().unwrap();
        relay.finish().unwrap();
        relay.join();
        (to_server, rest(&mut self.from_us), self.events(&["outcome", "reason", "count"]))
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    assert_eq!(line.pop(), Some('\n'), "{line:?}");
    line
}

fn call(id: u32, tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"path":"a"}}}}}}"#
    )
}

fn modern_call(id: u32, tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}}}}"#
    )
}

const PING: &str = r#"{"jsonrpc":"2.0","id":99,"method":"ping"}"#;
const DONE: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;

#[test]
fn a_session_passes_byte_for_byte() {
    let mut between = Between::new();
    for line in [
        r#"{ "method":"initialize", "id" : 0.0, "jsonrpc":"2.0", "params":{"protocolVersion":"2025-11-25","x":1.50,"capabilities":{"roots":{}}} }"#,
        "",
        "  ",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\r",
        r#"{"jsonrpc":"2.0","id":"a\u0062","method":"tools\u002flist","params":null}"#,
    ] {
        between.passes_to_server(line);
    }
    for line in [
        r#"{"result":{"protocolVersion":"2025-11-25","capabilities":{}},"jsonrpc":"2.0","id":0}"#,
        "\r",
        r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#,
        r#"{"jsonrpc":"2.0","id":"ab","result":{"tools":[]}}"#,
    ] {
        between.passes_to_client(line);
    }
    between.passes_to_server(r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}"#);
    let recorded = vec![json!(["request.start"]), json!(["request.end", "ok"])];
    assert_eq!(between.ends(), (String::new(), String::new(), recorded));
}

#[test]
fn a_call_is_recorded_around_its_effect() {
    let mut between = Between::new();
    between.calls(7, "read_file");
    assert_eq!(
        between.events(&["call", "id", "tool", "arguments"]),
        [json!([
            "call.start", 1, 7, "read_file", {"path": "string(1)"}
        ])]
    );
    between.passes_to_client(r#"{"result":{"content":[],"isError":true},"jsonrpc":"2.0","id":7}"#);
    assert_eq!(between.events(&["call", "outcome"])[1], json!(["call.end", 1, "tool_error"]));
    between.calls(8, "read_file");
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"x"}}"#);
    between.calls(9, "read_file");
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#);
    let events = between.events(&["outcome", "error_code"]);
    assert_eq!(events[3], json!(["call.end", "rpc_error", -32602]));
    assert_eq!(events[5], json!(["call.end", "ok"]));
    let digest = between.log.events.lock().unwrap()[0]["arguments_sha256"].clone();
    assert_eq!(digest, "fde64ffe7a4a0bbd5d2fe2c294b795808c14bcb57a1d08f1c9dcd59871a020f4");
}

#[test]
fn a_denied_tool_never_reaches_the_server() {
    for modern in [false, true] {
        let mut between = Between::new();
        let sent = if modern { modern_call(3, "write_file") } else { call(3, "write_file") };
        between.client_sends(sent);
        let answer = between.client_gets_json();
        assert_eq!(answer["id"], 3);
        assert_eq!(answer["result"]["isError"], true);
        assert_eq!(answer["result"]["resultType"], if modern { json!("complete") } else { Value::Null });
        let decision = &answer["result"]["_meta"]["io.github.caponier/decision"];
        assert_eq!(*decision, json!({"id": "SESSION:2", "reason": "tool.denied"}));
        let expected = [
            json!(["call.start"]),
            json!(["message.denied", "tool.denied"]),
            json!(["call.end", "denied", "tool.denied"]),
        ];
        assert_eq!(between.events(&["outcome", "reason"]), expected);
        let (to_server, to_client, _) = between.ends();
        assert_eq!((to_server.as_str(), to_client.as_str()), ("", ""));
    }
}

#[test]
fn what_is_not_listed_is_denied_by_default_deny() {
    let mut settings = settings();
    settings.tools.default = ToolDefault::Deny;
    let mut between = Between::with(&settings);
    between.client_sends(call(1, "read_file"));
    assert_eq!(between.client_gets_json()["result"]["isError"], true);
    assert_eq!(between.ends().2[1], json!(["message.denied", "tool.not-listed"]));
}

#[test]
fn a_client_is_told_what_was_wrong_and_goes_on() {
    for (line, id, code, reason) in [
        ("nonsense", Value::Null, -32700, "message.malformed"),
        (r#"{"jsonrpc":"2.0","id":5"#, Value::Null, -32700, "message.malformed"),
        (r#"["2.0",1,"tools/call"]"#, Value::Null, -32600, "message.malformed"),
        (r#"{"jsonrpc":"2.0","id":5,"method":"ping","params":[]}"#, json!(5), -32600, "message.malformed"),
        (r#"{"jsonrpc":"2.0","id":5,"method":"ping","method":"x"}"#, json!(5), -32600, "message.ambiguous"),
        (r#"{"jsonrpc":"2.0","id":5,"id":6,"method":"ping"}"#, Value::Null, -32600, "message.ambiguous"),
        (r#"[{"jsonrpc":"2.0","id":5,"method":"ping"}]"#, Value::Null, -32600, "message.batch"),
    ] {
        let mut between = Between::new();
        between.client_sends(line);
        let answer = between.client_gets_json();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{line}");
        between.passes_to_server(PING);
        let (to_server, to_client, events) = between.ends();
        assert_eq!((to_server.as_str(), to_client.as_str()), ("", ""), "{line}");
        assert_eq!(events, [json!(["message.denied", reason])], "{line}");
    }
}

#[test]
fn notifications_and_answers_are_never_answered() {
    let mut between = Between::new();
    between.client_sends(r#"{"jsonrpc":"2.0","method":"x","params":[]}"#);
    between.client_sends(r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{}}"#);
    between.client_sends(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read_file"}}"#);
    between.passes_to_server(PING);
    let (_, to_client, events) = between.ends();
    assert_eq!(to_client, "");
    assert_eq!(events.len(), 3);
}

#[test]
fn a_long_line_of_the_clients_is_not_held() {
    let mut settings = settings();
    settings.protocol.max_message = 1 << 16;
    let mut between = Between::with(&settings);
    let mut to_us = between.to_us.take().unwrap();
    let writer = std::thread::spawn(move || {
        to_us.write_all(br#"{"jsonrpc":"2.0","method":"tools/call","params":{"x":""#).unwrap();
        for _ in 0..100 {
            to_us.write_all(&[b'x'; 1 << 16]).unwrap();
        }
        to_us.write_all(b"\"},\"id\":\"late\"}\n").unwrap();
        to_us
    });
    let answer = between.client_gets_json();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("late"), &json!(-32600)));
    between.to_us = Some(writer.join().unwrap());
    between.passes_to_server(PING);
    assert_eq!(between.ends().2, [json!(["message.denied", "message.too-long"])]);
}

#[test]
fn a_result_that_no_client_takes_becomes_an_error_result() {
    let mut between = Between::new();
    between.calls(4, "read_file");
    between.passes_to_server(PING);
    let text = "x".repeat(super::CLIENT_LIMIT as usize);
    between.server_sends(format!(
        r#"{{"result":{{"content":[{{"type":"text","text":"{text}"}}]}},"jsonrpc":"2.0","id":4}}"#
    ));
    let answer = between.client_gets_json();
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(4), &json!(true)));
    between.server_sends(format!(r#"{{"result":{{"x":"{text}"}},"jsonrpc":"2.0","id":99}}"#));
    let answer = between.client_gets_json();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(99), &json!(-31000)));
    between.server_sends(format!(r#"{{"jsonrpc":"2.0","method":"x","params":{{"x":"{text}"}}}}"#));
    between.passes_to_client(DONE);
    assert_eq!(
        between.ends().2[1..],
        [
            json!(["message.denied", "result.too-long"]),
            json!(["call.end", "denied", "result.too-long"]),
            json!(["message.denied", "result.too-long"]),
            json!(["message.denied", "message.too-long"]),
        ]
    );
}

#[test]
fn a_result_just_small_enough_passes() {
    let mut between = Between::new();
    between.calls(4, "read_file");
    let head = r#"{"jsonrpc":"2.0","id":4,"result":{"x":""#;
    let text = "y".repeat(super::CLIENT_LIMIT as usize - head.len() - 3);
    between.server_sends(format!(r#"{head}{text}"}}}}"#));
    assert_eq!(between.client_gets().len() as u64, super::CLIENT_LIMIT);
}

#[test]
fn noise_is_dropped_recorded_and_shown() {
    let mut between = Between::new();
    between.server_sends("starting \x1b[2J up");
    between.server_sends(r#"{"level":"info"}"#);
    between.passes_to_client(DONE);
    let shown = line(between.our_stderr.as_mut().unwrap());
    assert!(shown.starts_with("caponier: ") && shown.contains("starting \\u{1b}[2J up"), "{shown}");
    assert_eq!(between.events(&["bytes"]), [json!(["stdout.noise", 16]), json!(["stdout.noise", 16])]);
}

#[test]
fn relaxed_passes_noise_but_nothing_like_a_message() {
    let mut settings = settings();
    settings.protocol.stdout = Stdout::Relaxed;
    let mut between = Between::with(&settings);
    between.passes_to_client("starting up");
    between.server_sends("x\r{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    between.server_sends(r#"{"jsonrpc":"2.0","method":"a","method":"b"}"#);
    between.passes_to_client(DONE);
    assert_eq!(
        between.ends().2,
        [
            json!(["stdout.noise"]),
            json!(["message.denied", "message.ambiguous"]),
            json!(["message.denied", "message.ambiguous"]),
        ]
    );
}

#[test]
fn a_flood_of_noise_is_counted() {
    let mut between = Between::new();
    let mut server = between.server_writes.take().unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..5_000 {
            server.write_all(b"noise\n").unwrap();
        }
        server.write_all(format!("{DONE}\n").as_bytes()).unwrap();
    });
    // Nobody reads our stderr, and that stops nothing.
    assert_eq!(between.client_gets(), DONE);
    writer.join().unwrap();
    let events = between.ends().2;
    let recorded = events.iter().filter(|event| event[0] == "stdout.noise").count() as u64;
    let lost: u64 =
        events.iter().filter(|event| event[0] == "audit.lost").map(|event| event[2].as_u64().unwrap()).sum();
    assert_eq!(recorded + lost, 5_000);
    assert!(lost > 0);
}

#[test]
fn a_dropped_answer_leaves_nobody_waiting() {
    for answer in [
        r#"{"jsonrpc":"2.0","id":2,"result":{},"Result":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":[]}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"x\":\"\u{1}\"}}",
        r#"{"jsonrpc":"2.0","id":2,"result":{"x":"\ud800"}}"#,
    ] {
        let mut between = Between::new();
        between.calls(2, "read_file");
        between.server_sends(answer);
        assert_eq!(between.client_gets_json()["result"]["isError"], true, "{answer}");
        let events = between.ends().2;
        assert_eq!(events[1][0], "message.denied", "{answer}");
        assert_eq!((&events[2][0], &events[2][1]), (&json!("call.end"), &json!("denied")), "{answer}");
    }
}

#[test]
fn while_the_log_cannot_be_written_nothing_new_is_allowed() {
    let mut between = Between::new();
    between.calls(1, "read_file");
    between.log.full.store(true, Ordering::SeqCst);
    between.client_sends(call(2, "read_file"));
    let answer = between.client_gets_json();
    assert_eq!(answer["id"], 2);
    assert_eq!(
        answer["result"]["_meta"]["io.github.caponier/decision"],
        json!({"id": null, "reason": "audit.unwritable"})
    );
    between.client_sends(PING);
    assert_eq!(between.client_gets_json()["error"]["code"], -31000);
    between.server_sends(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(between.client_gets_json()["result"]["isError"], true);
    assert_eq!(between.notices.blocking_recv(), Some(Notice::AuditFailed { detail: "ENOSPC".into() }));
    between.log.full.store(false, Ordering::SeqCst);
    between.passes_to_server(PING);
    assert_eq!(between.notices.blocking_recv(), Some(Notice::AuditRestored));
    assert_eq!(between.events(&["count"])[1], json!(["audit.degraded", 1]));
}

#[test]
fn a_session_that_may_go_on_unrecorded_does() {
    let mut settings = settings();
    settings.audit.on_failure = OnFailure::Continue;
    let mut between = Between::with(&settings);
    between.log.full.store(true, Ordering::SeqCst);
    between.calls(1, "read_file");
    between.passes_to_server(PING);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(matches!(between.notices.blocking_recv(), Some(Notice::AuditFailed { .. })));
    between.client_sends(call(2, "write_file"));
    assert_eq!(between.client_gets_json()["result"]["isError"], true);
}

#[test]
fn a_call_taken_back_ends_then_and_its_late_answer_passes() {
    let mut between = Between::new();
    between.calls(1, "slow");
    between.passes_to_server(
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1.0}}"#,
    );
    assert_eq!(between.events(&["outcome"])[1], json!(["call.end", "cancelled"]));
    between.client_sends(call(1, "other"));
    assert_eq!(between.client_gets_json()["error"]["code"], -32600);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":1,"result":{"late":true}}"#);
    between.calls(1, "other");
}

#[test]
fn an_id_in_flight_is_not_used_twice() {
    let mut between = Between::new();
    between.calls(1, "read_file");
    between.client_sends(r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#);
    let answer = between.client_gets_json();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32600)));
    between.passes_to_server(r#"{"jsonrpc":"2.0","id":"1","method":"ping"}"#);
    let (_, _, events) = between.ends();
    assert_eq!(
        events[1..],
        [json!(["message.denied", "message.ambiguous"]), json!(["call.end", "unanswered"]),]
    );
}

#[test]
fn in_the_modern_era_servers_ask_nothing() {
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}"#;
    let mut between = Between::new();
    between.passes_to_server(&modern_call(1, "read_file"));
    between.server_sends(request);
    between.client_sends(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}"#);
    between.passes_to_server(PING);
    let denied: Vec<Value> = between
        .events(&["direction", "reason"])
        .into_iter()
        .filter(|event| event[0] == "message.denied")
        .collect();
    assert_eq!(denied.len(), 2);
    assert!(denied.contains(&json!(["message.denied", "server_to_client", "message.direction"])));
    assert!(denied.contains(&json!(["message.denied", "client_to_server", "message.direction"])));

    let mut legacy = Between::new();
    legacy.passes_to_server(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":{"roots":{}}}}"#,
    );
    legacy.passes_to_client(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
    legacy.passes_to_client(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
    legacy.passes_to_client(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#);
    legacy.server_sends(r#"{"jsonrpc":"2.0","id":3,"method":"sampling/createMessage","params":{}}"#);
    let refused: Value = serde_json::from_str(&legacy.server_gets()).unwrap();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(3), &json!(-31_000)));
    assert_eq!(legacy.events(&["reason"]).last(), Some(&json!(["message.denied", "request.denied"])));
}

#[test]
fn batches_pass_only_in_the_version_that_has_them() {
    let mut between = Between::new();
    between.passes_to_server(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}"#,
    );
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-03-26"}}"#);
    between.passes_to_server(&format!("[{}, {}]", call(1, "read_file"), PING));
    between
        .passes_to_client(r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":99,"result":{}}]"#);
    between.client_sends(format!("[{},{},{DONE}]", call(2, "write_file"), PING));
    let answers = between.client_gets_json();
    assert_eq!((&answers[0]["id"], &answers[0]["result"]["isError"]), (&json!(2), &json!(true)));
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!(99), &json!(-31000)));
    between.client_sends(format!("[{PING},{PING}]"));
    assert_eq!(between.client_gets_json()[1]["error"]["code"], -32600);
    let (to_server, _, events) = between.ends();
    assert_eq!(to_server, "");
    assert_eq!(events[..2], [json!(["call.start"]), json!(["call.end", "ok"])]);
}

#[test]
fn the_end_of_the_client_is_passed_on_after_all_it_said() {
    let mut between = Between::new();
    between.calls(1, "read_file");
    between.to_us.as_mut().unwrap().write_all(PING.as_bytes()).unwrap();
    between.to_us = None;
    between.waits_for(&Notice::ClientClosed);
    let mut rest = String::new();
    between.server_reads.as_mut().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, PING);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    between.server_writes = None;
    between.waits_for(&Notice::ServerStdoutClosed);
    between.server_complains = None;
    between.waits_for(&Notice::ServerStderrClosed);
}

#[test]
fn a_client_that_is_gone_is_told_to_the_session() {
    let mut between = Between::new();
    between.from_us = None;
    between.server_sends(DONE);
    between.waits_for(&Notice::ClientGone);
}

#[test]
fn a_client_that_goes_while_the_server_does_not_read_is_noticed() {
    let mut between = Between::new();
    let mut to_us = between.to_us.take().unwrap();
    // Ends with an error when the relay goes.
    std::thread::spawn(move || while writeln!(to_us, "{DONE}").is_ok() {});
    between.from_us = None;
    between.waits_for(&Notice::ClientGone);
    between.server_reads = None;
    between.waits_for(&Notice::ServerStdinClosed);
}

#[test]
fn the_servers_stderr_passes_as_it_is() {
    let mut between = Between::new();
    between.server_complains.as_mut().unwrap().write_all(b"\x1b[31mred\xff\n").unwrap();
    let mut bytes = Vec::new();
    between.our_stderr.as_mut().unwrap().read_until(b'\n', &mut bytes).unwrap();
    assert_eq!(bytes, b"\x1b[31mred\xff\n");
}

#[test]
fn after_the_end_nothing_is_forwarded_or_recorded() {
    let mut between = Between::new();
    between.calls(1, "read_file");
    between.relay.as_ref().unwrap().finish().unwrap();
    between.client_sends(call(2, "read_file"));
    between.server_sends(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    let (to_server, to_client, events) = between.ends();
    assert_eq!((to_server.as_str(), to_client.as_str()), ("", ""));
    assert_eq!(events, [json!(["call.start"]), json!(["call.end", "unanswered"])]);
}
