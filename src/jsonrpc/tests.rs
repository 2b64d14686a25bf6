//! The scanner against serde_json, and a table of messages that readers disagree about.

use crate::jsonrpc::Raw;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::jsonrpc::scan::{Names, Scanner};
use crate::jsonrpc::{Body, Class, Fault, Limits, Message, Payload, Reply, ScanError, scan};

const LIMITS: Limits = Limits { max_depth: 64, max_batch: 0 };

fn one(line: &str) -> Result<Message<'_>, ScanError> {
    match scan(line.as_bytes(), LIMITS)? {
        Payload::Single(message) => Ok(message),
        Payload::Batch(_) => panic!("a batch: {line}"),
    }
}

fn fault(line: &str) -> Fault {
    one(line).expect_err(line).fault
}

/// The grammar alone, as far as this scanner and serde_json mean the same by it.
fn accepts(text: &str, names: Names) -> Result<(), ScanError> {
    let mut scanner = Scanner::new(text, 120);
    scanner.space()?;
    scanner.value(names)?;
    scanner.space()?;
    scanner.end()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Fragments that make near misses of JSON when they are put together.
const SHARDS: &str = r#"(\{|\}|\[|\]|"|:|,|\\|\\n|\\u0041|\\ud83d|\\ude00|\\u12|true|nul|null|-|0|12|\.5|e\+3|1e5|E|"a"|"a":|"b":1| |	|é|\x{1}|x){0,12}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn what_serde_writes_is_accepted(value in value()) {
        prop_assert_eq!(accepts(&value.to_string(), Names::Any), Ok(()));
    }

    #[test]
    fn near_misses_are_judged_as_serde_judges_them(text in SHARDS) {
        let serde = serde_json::from_str::<Value>(&text);
        let ours = accepts(&text, Names::Any);
        // serde refuses numbers beyond a double; the grammar does not.
        let too_large = serde.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(ours.is_ok() == serde.is_ok() || too_large, "{:?} {:?} {:?}", text, ours, serde);
    }

    #[test]
    fn comparing_names_refuses_duplicates_and_nothing_else(text in SHARDS) {
        match (accepts(&text, Names::Any), accepts(&text, Names::Once)) {
            (Ok(()), Ok(())) => {}
            (Ok(()), Err(error)) => prop_assert!(matches!(error.fault, Fault::DuplicateKey(_)), "{}", error),
            (Err(_), strict) => prop_assert!(strict.is_err()),
        }
    }

    #[test]
    fn a_cut_message_is_no_message(value in value(), cut in 0.0f64..1.0) {
        let line = serde_json::json!({"jsonrpc": "2.0", "id": 1, "result": {"x": value}}).to_string();
        prop_assert!(one(&line).is_ok());
        let mut at = (line.len() as f64 * cut) as usize;
        while !line.is_char_boundary(at) { at -= 1; }
        prop_assert!(one(&line[..at]).is_err());
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise(line in proptest::collection::vec(any::<u8>(), 0..64), text in SHARDS) {
        let _ = scan(&line, LIMITS);
        let wrapped = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{text}}}"#);
        let _ = scan(wrapped.as_bytes(), Limits { max_depth: 64, max_batch: 4 });
    }
}

#[test]
fn ambiguous_messages_are_refused_by_name() {
    let call =
        |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let duplicate = |name: &str| Fault::DuplicateKey(name.into());
    for (line, expected) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#.into(), duplicate("method")),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.into(), duplicate("id")),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#.into(),
            Fault::Misspelt("method"),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","meth\u006fd":"x"}"#.into(), duplicate("method")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}"#.into(), Fault::Misspelt("params")),
        (r#"{"jsonrpc":"2.0","id":1,"METHOD":"ping"}"#.into(), Fault::Misspelt("method")),
        (r#"{"jsonrpc":"2.0","id":1,"method\u0000":"x","method":"ping"}"#.into(), Fault::NulInName),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call\u0000x"}"#.into(), Fault::NulInName),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"x":1}"#.into(), Fault::TrailingData),
        ("{\"jsonrpc\":\"2.0\",\r\"id\":1,\"method\":\"ping\"}".into(), Fault::LineBreak),
        ("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}".into(), Fault::ByteOrderMark),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.into(), Fault::NullId),
        (r#"{"jsonrpc":"2.0","id":1e400,"method":"ping"}"#.into(), Fault::UnusableId),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#.into(), Fault::Both("method", "result")),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#.into(), Fault::Both("result", "error")),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{"isError":true,"isError":false}}"#.into(),
            duplicate("isError"),
        ),
        (call(r#"{"name":"a","name":"b"}"#), duplicate("name")),
        (call(r#"{"name":"a","NAME":"b"}"#), duplicate("NAME")),
        (call(r#"{"name":"a","Arguments":{}}"#), Fault::Misspelt("arguments")),
        (call(r#"{"name":"a\u0000b"}"#), Fault::NulInName),
        (call(r#"{"name":"a","arguments":{"x":[{"p":1,"P":2}]}}"#), duplicate("P")),
        (call(r#"{"name":"a","arguments":{"x":"\ud800"}}"#), Fault::LoneSurrogate),
        (call(r#"{"name":"a","_meta":{"x":1,"\u0078":2}}"#), duplicate("x")),
    ] {
        let found = fault(&line);
        assert_eq!(found, expected, "{line}");
        assert_eq!(found.class(), Class::Ambiguous, "{line}");
    }
    let latin = scan(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xe9\"}", LIMITS).unwrap_err();
    assert_eq!((latin.fault, latin.offset), (Fault::InvalidUtf8, 34));
}

#[test]
fn what_is_no_message_is_told_from_what_is_no_json() {
    for (line, class) in [
        ("", Class::NotJson),
        ("server ready", Class::NotJson),
        ("[info] ready", Class::NotJson),
        ("[12] ready", Class::NotJson),
        ("{ a: 1 }", Class::NotJson),
        (r#"{"a":01}"#, Class::NotJson),
        ("{\"a\":\"\u{1}\"}", Class::NotJson),
        ("42", Class::NotAMessage),
        ("[]", Class::NotAMessage),
        (r#"["2.0",1,"tools/call"]"#, Class::NotAMessage),
        (r#"{"level":"info"}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Class::NotAMessage),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","id":1}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","id":1,"method":["tools/call"]}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["a"]}}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#, Class::NotAMessage),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
            Class::NotAMessage,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":[]}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","result":{}}"#, Class::NotAMessage),
        (r#"{"jsonrpc":"2.0","id":1,"error":"x"}"#, Class::NotAMessage),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Class::Batch),
    ] {
        assert_eq!(fault(line).class(), class, "{line}");
    }
}

#[test]
fn depth_is_counted_from_the_message() {
    let nested = |levels: usize| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"x":{}{}}}}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    assert!(one(&nested(62)).is_ok());
    assert_eq!(fault(&nested(63)), Fault::TooDeep(64));
    let bottomless = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{}"#, "[{\"a\":".repeat(1_000_000));
    assert_eq!(fault(&bottomless), Fault::TooDeep(64));
}

#[test]
fn a_call_is_read_through_its_escapes() {
    let line = r#"{"jsonrpc":"2.0","id":"\u0031","method":"tools\u002fcall","params":{"_meta":{"io.modelcontextprotocol\/protocolVersion":"2026-07-28"},"arguments":{"p":"\u00e9"},"name":"re\u0061d"}}"#;
    let message = one(line).unwrap();
    assert_eq!(message.raw, line);
    let Body::Request(id, invocation) = &message.body else { panic!("{message:?}") };
    assert_eq!(id.raw(), r#""\u0031""#);
    assert_eq!(invocation.method, "tools/call");
    assert_eq!(invocation.tool().as_deref(), Some("read"));
    assert_eq!(invocation.params.arguments.unwrap().0, r#"{"p":"\u00e9"}"#);
    assert!(invocation.params.modern);
}

#[test]
fn answers_say_how_it_went() {
    let reply = |line| match one(line).unwrap().body {
        Body::Response(response) => response.reply,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        reply(r#"{"result":{"content":[{"a":1,"a":2}],"isError":true},"jsonrpc":"2.0","id":1}"#),
        Reply::Result {
            is_error: true,
            protocol_version: None,
            result_type: None,
            input_requests: None,
            raw: Raw(r#"{"content":[{"a":1,"a":2}],"isError":true}"#)
        },
    );
    assert_eq!(
        reply(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#),
        Reply::Error { code: Some(-32700), data: None },
    );
    assert!(matches!(
        reply(r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-03-26"}}"#),
        Reply::Result { protocol_version: Some(version), .. } if version.string().unwrap() == "2025-03-26"
    ));
}

#[test]
fn a_batch_is_read_element_by_element_where_there_are_batches() {
    let limits = Limits { max_batch: 2, ..LIMITS };
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let batch = |elements: &[&str]| format!("[{}]", elements.join(", "));
    match scan(batch(&[ping, ping]).as_bytes(), limits) {
        Ok(Payload::Batch(messages)) => assert!(messages.iter().all(|message| message.raw == ping)),
        other => panic!("{other:?}"),
    }
    for (elements, expected) in [
        (&[ping, ping, ping][..], Fault::BatchTooLong(2)),
        (&[ping, "1"], Fault::NotAnObject),
        (&[ping, "{}"], Fault::Version),
    ] {
        assert_eq!(scan(batch(elements).as_bytes(), limits).unwrap_err().fault, expected);
    }
}

#[test]
fn absent_and_null_are_the_same() {
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":null,"_meta":null}}"#;
    assert!(one(line).is_ok());
    assert!(one(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}"#).is_ok());
}
