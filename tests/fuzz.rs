//! The gate, the schemas and the redaction under hostile bytes: each file of `tests/fuzz/corpus`, and what becomes of it
//! when it is changed at random, goes through the properties of `tests/fuzz/targets.rs`.
//!
//! The changes come from a fixed seed, so that every run is the same one. `CAPONIER_FUZZ_ROUNDS` asks for more of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/server.rs"]
mod server;
#[path = "fuzz/targets.rs"]
mod targets;
#[path = "../src/audit/redact/vectors.rs"]
#[allow(dead_code, reason = "a part of the vectors is for the rule set alone")]
mod vectors;

use std::fs;
use std::path::Path;

use mutate::Mutator;

/// Changed inputs made of each file.
const ROUNDS: u32 = 300;

/// Runs a target over its corpus; how many inputs did more than fail to parse.
fn run(name: &str, target: fn(&[u8]) -> bool) -> (u32, u32) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("corpus").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("file")).collect();
    let rounds =
        std::env::var("CAPONIER_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let (mut inputs, mut deep) = (0, 0);
    for (n, seed) in corpus.iter().enumerate() {
        let mut mutator = Mutator::new(n as u64 + 1);
        let mut input = seed.clone();
        for round in 0..=rounds {
            let judged = std::panic::catch_unwind(|| target(&input));
            let shown =
                || format!("{} in round {round}: {:?}", files[n].display(), String::from_utf8_lossy(&input));
            deep += u32::from(judged.unwrap_or_else(|_| panic!("{}", shown())));
            inputs += 1;
            // A few changes on top of each other, then from the beginning.
            input = mutator.change(if round % 5 == 0 { seed } else { &input }, &corpus);
        }
    }
    (inputs, deep)
}

#[test]
fn messages_are_judged_as_they_are_read() {
    let (inputs, deep) = run("message", targets::message);
    assert!(
        inputs >= 1000 && deep * 20 > inputs,
        "{deep} of {inputs} inputs were messages: nothing was tried"
    );
}

#[test]
fn schemas_end_within_their_fuel() {
    let (inputs, deep) = run("schema", targets::schema);
    assert!(
        inputs >= 1000 && deep * 20 > inputs,
        "{deep} of {inputs} inputs were schemas: nothing was tried"
    );
}

#[test]
fn arguments_keep_no_secret_and_stay_json() {
    let (inputs, deep) = run("arguments", targets::arguments);
    assert!(
        inputs >= 1000 && deep * 20 > inputs,
        "{deep} of {inputs} inputs were arguments: nothing was tried"
    );
}

#[test]
fn servers_get_nothing_past_the_gate() {
    let (inputs, deep) = run("server", server::server);
    assert!(inputs >= 1000 && deep * 20 > inputs, "{deep} of {inputs} inputs passed: nothing was tried");
}

#[test]
fn no_server_learns_of_a_folder_outside() {
    let (inputs, deep) = run("roots", server::roots);
    assert!(
        inputs >= 1000 && deep * 20 > inputs,
        "{deep} of {inputs} inputs were answers: nothing was tried"
    );
}

#[test]
fn the_targets_notice() {
    assert!(targets::message(br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#));
    assert!(!targets::message(b"{"));
    assert!(targets::schema(b"{\"type\":\"object\"}\n{}"));
    assert!(!targets::schema(b"{\"type\":\"no\"}\n{}"));
    assert!(targets::arguments(b"{\"a\":1}"));
    assert!(server::server(br#"{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"new"}]}}"#));
    assert!(!server::server(br#"{"jsonrpc":"2.0","id":10,"result":{"tools":[]}}"#));
    assert!(server::roots(br#"{"roots":[{"uri":"file:///etc"}]}"#) && !server::roots(b"1"));
    let broken = std::panic::catch_unwind(|| targets::same(Some("a"), Some(&serde_json::json!("b")), "it"));
    assert!(broken.is_err(), "a difference fails");
}
