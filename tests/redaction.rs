//! Secrets of every kind are planted wherever a run writes something down: in arguments, results, stderr, noise on
//! stdout, the command line, the environment, paths, refused messages. None is in any file of the log.
//!
//! What is looked for are the values themselves, plain and encoded. The controls: the server got them and passed them
//! on, the places where they stood are in the log, and with `audit.arguments = "full"` they are found.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

#[path = "../src/audit/redact/vectors.rs"]
#[allow(dead_code, reason = "a part of the vectors is for the rule set alone")]
mod vectors;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use pen::ground::Ground;
use pen::launch::{self, Finished};
use pen::{log, words};

/// Secrets of the environment: one that only its name tells, one with what needs escapes, a key of several lines, an
/// address with a password, digits.
fn environment() -> Vec<(&'static str, String)> {
    vec![
        ("PLAIN_VALUE", "correct horse battery staple".into()),
        ("ODD_VALUE", "a\"b\\c/d+e é&f=g".into()),
        ("KEY_FILE", vectors::private_key("EC PRIVATE", 3).replace("q7Rz", "Zk3v")),
        ("DATABASE", format!("postgres://me:{}@db.example/x", "Tr0ub4dor-and-3")),
        ("NUMBER", "8675309867".into()),
    ]
}

/// Secret because of the flag before it, and looked for everywhere because of that.
const BY_A_FLAG: &str = "opened-by-a-flag";

/// What must not be found of a secret: as it is, its lines, and each encoding.
fn traces(secret: &str) -> Vec<String> {
    let mut traces: Vec<String> = Vec::new();
    for part in secret.lines().filter(|line| line.len() >= 6 && !line.starts_with("-----")) {
        let quoted = json!(part).to_string();
        let percent = |keep: fn(&u8) -> bool| -> String {
            part.bytes()
                .map(|b| if keep(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect()
        };
        let hex: String = part.bytes().map(|byte| format!("{byte:02x}")).collect();
        traces.extend([part.to_owned(), quoted.trim_matches('"').to_owned(), hex.to_uppercase(), hex]);
        traces.extend([percent(|_| false), percent(u8::is_ascii_alphanumeric)]);
        for before in ["", "x", "xy"] {
            let encoded = base64(format!("{before}{part}").as_bytes());
            // Without the characters that what stands around it has a part in.
            let inner = encoded.trim_end_matches('=');
            let inner = &inner[before.len() * 4 / 3 + usize::from(!before.is_empty())..inner.len() - 1];
            traces.extend([inner.to_owned(), inner.replace('+', "-").replace('/', "_")]);
        }
    }
    traces
}

/// RFC 4648, written for this test alone.
fn base64(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let number =
            three.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for n in 0..4 {
            let place = (number >> (18 - 6 * n) & 63) as usize;
            out.push(if n <= three.len() { char::from(alphabet[place]) } else { '=' });
        }
    }
    out
}

/// What is found of any of these secrets below a folder.
fn found<'s>(folder: &Path, secrets: impl Iterator<Item = &'s String>) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut ahead = vec![folder.to_owned()];
    while let Some(path) = ahead.pop() {
        for entry in fs::read_dir(path).expect("folder").map(|entry| entry.expect("entry").path()) {
            if entry.is_dir() {
                ahead.push(entry);
            } else {
                bytes.extend(entry.as_os_str().as_encoded_bytes());
                bytes.extend(fs::read(&entry).expect("file"));
            }
        }
    }
    let shown = |trace: String| {
        let at = memchr::memmem::find(&bytes, trace.as_bytes())?;
        let around = bytes.get(at.saturating_sub(200)..at + trace.len()).unwrap_or_default();
        Some(format!("{trace} in …{}", String::from_utf8_lossy(around)))
    };
    secrets.flat_map(|secret| traces(secret)).filter_map(shown).collect()
}

/// One run over a ground: what was said, and the log.
struct Run {
    ground: Ground,
    finished: Finished,
    events: Vec<Value>,
    planted: Vec<String>,
}

/// Everything is planted everywhere, and the session ends in order.
fn run(env: &str, arguments: &str) -> Run {
    let ground = Ground::new();
    let kinds = vectors::secrets();
    let secrets: Vec<String> = kinds.iter().map(|(kind, secret)| vectors::context(kind, secret)).collect();
    let mut planted: Vec<String> = kinds.iter().map(|(_, secret)| secret.clone()).collect();
    planted.extend(environment().into_iter().map(|(_, secret)| secret));
    planted.extend([
        BY_A_FLAG.to_owned(),
        "opened-by-name-alone".to_owned(),
        "hunter2-in-a-header".to_owned(),
    ]);

    // Files that are named by secrets, inside the grants and outside.
    let nameable = secrets.iter().filter(|secret| !secret.contains(['/', '\n']) && secret.len() < 250);
    let mut list = String::new();
    for name in nameable {
        let (inside, outside) =
            (ground.text(&format!("reading/{name}")), ground.text(&format!("outside/{name}")));
        for file in [&inside, &outside] {
            fs::write(file, "x").expect("file");
        }
        list.push_str(&format!("{inside}\n{outside}\n"));
    }
    fs::write(ground.path("reading/list.txt"), list).expect("list");

    let names: Vec<&str> = environment().into_iter().map(|(name, _)| name).collect();
    let reading = ground.text("reading");
    let profile = ground.profile(&format!(
        "version = 1\n[filesystem]\nread = [{reading:?}]\n[process]\nenv = {{ secret = {names:?}, pass = [\"TOKENS\"] }}\n\
         [audit]\narguments = \"{arguments}\"\nstderr = true\n"
    ));
    let mut rest = vec![ground.text("reading/list.txt")];
    for secret in &secrets {
        rest.extend([secret.clone(), format!("--option={secret}")]);
    }
    rest.extend(["--password".to_owned(), BY_A_FLAG.to_owned(), format!("--api-key={BY_A_FLAG}")]);
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let mut command = launch::caponier(&ground);
    let shown = profile.to_str().expect("UTF-8");
    command.args([
        "run",
        "--profile",
        shown,
        "--name",
        "leaky",
        "--audit-dir",
        &ground.text("audit"),
        "--env",
        env,
        "--",
    ]);
    command.args(words("leaky", &rest)).envs(environment()).env("TOKENS", secrets.join(" "));
    let mut running = launch::start(command);
    for line in messages(&secrets) {
        assert!(running.send(format!("{line}\n").as_bytes()), "the server is gone");
    }
    running.close_stdin();
    let finished = running.finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    let events = log::events(&ground.path("audit"));
    log::assert_whole(&ground, &events);
    Run { ground, finished, events, planted }
}

/// A call for each secret, and some that are refused.
fn messages(secrets: &[String]) -> Vec<String> {
    let mut calls = vec![
        json!({ "headers": [{ "name": "Authorization", "value": "Bearer hunter2-in-a-header" }],
        "password": "opened-by-name-alone", "deep": { "apiKey": ["opened-by-name-alone"] }, "n": 8_675_309_867_u64 }),
    ];
    for (_, secret) in environment() {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let encoded = ["", "x", "xy"].map(|before| base64(format!("{before}{secret}").as_bytes()));
        let nested = json!({ "in": json!({ "in": secret }).to_string() }).to_string();
        calls.push(json!({ "plain": secret, "in": format!("a {secret} b"), "hex": hex, "percent": percent, "nested": nested,
            "base64": encoded, (secret.as_str()): 1 }));
    }
    for secret in secrets {
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let long = format!("{}{secret} {}", " ".repeat(1020), "y".repeat(5000));
        calls.push(json!({ "text": format!("it is {secret}, keep it"), "percent": percent, "list": [[secret]], (secret.as_str()): 1,
            "long": long, "nested": json!({ "inner": secret }).to_string() }));
    }
    let mut lines: Vec<String> = calls
        .iter()
        .enumerate()
        .map(|(id, arguments)| {
            let params = json!({ "name": "leak", "arguments": arguments });
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string()
        })
        .collect();
    let twice = &secrets[2];
    lines.push(format!(
        r#"{{"jsonrpc":"2.0","id":900,"method":"tools/call","params":{{"{twice}":1,"{twice}":2}}}}"#
    ));
    lines.push(format!(r#"{{"jsonrpc":"2.0","id":"{twice}","method":"ping"}} {twice}"#));
    lines.push(
        json!({ "jsonrpc": "2.0", "id": twice, "method": "tools/call", "params": { "name": twice } })
            .to_string(),
    );
    lines
}

#[test]
fn no_secret_is_in_any_file_of_the_log() {
    let Run { ground, finished, events, planted } = run("prod", "redacted");
    let left = found(&ground.path("audit"), planted.iter());
    assert!(left.is_empty(), "{} are left: {left:#?}", left.len());
    // The server had them, and wrote them everywhere.
    let stdout = String::from_utf8_lossy(&finished.stdout);
    for secret in planted.iter().filter(|secret| secret.len() < 200 && !secret.contains(['\n', '"'])) {
        assert!(finished.stderr.contains(secret.as_str()), "the server did not have {secret}");
    }
    assert!(
        planted.iter().filter(|secret| stdout.contains(secret.as_str())).count() > 40,
        "results were changed"
    );
    assert!(planted.len() >= 50);
    // What the client is told of a refusal does not repeat what it names.
    let told = stdout.lines().find(|line| line.contains("\"id\":900,")).expect("an answer");
    assert!(told.contains("caponier refused") && told.contains("[redacted:github-token:"), "{told}");
    assert!(planted.iter().all(|secret| !told.contains(secret.as_str())), "{told}");
    // Each place is in the log, with a mark where the secret was.
    let marked = |name: &str, field: &str| {
        log::of(&events, name).filter(|event| event[field].to_string().contains("[redacted:")).count()
    };
    for (name, field, least) in [
        ("session.start", "argv", 1),
        ("session.start", "command", 1),
        ("process.start", "argv", 1),
        ("call.start", "arguments", 50),
        ("call.start", "tool", 1),
        ("file.access", "path", 30),
        ("file.access", "remedy", 30),
        ("stderr.line", "excerpt", 100),
        ("stdout.noise", "excerpt", 40),
        ("message.denied", "detail", 1),
    ] {
        let count = marked(name, field);
        assert!(
            count >= least,
            "{name}.{field}: {count}\n{:#?}",
            log::of(&events, name).take(3).collect::<Vec<_>>()
        );
    }
}

#[test]
fn in_full_they_are_found() {
    let Run { ground, planted, .. } = run("dev", "full");
    let (environment, known): (Vec<String>, Vec<String>) = planted
        .into_iter()
        .partition(|secret| secret == BY_A_FLAG || environment().iter().any(|(_, value)| value == secret));
    for secret in &known {
        assert!(
            !found(&ground.path("audit"), std::iter::once(secret)).is_empty(),
            "{secret} is not found: is the search sound?"
        );
    }
    let left = found(&ground.path("audit"), environment.iter());
    assert!(left.is_empty(), "what the session knows is redacted even so: {left:#?}");
}

#[test]
fn equal_secrets_are_matched_within_a_session() {
    let marks = |events: &[Value]| -> BTreeSet<String> {
        let all = events.iter().map(Value::to_string).collect::<String>();
        let marks = all.split("[redacted:github-fine-grained-token:").skip(1);
        marks.map(|rest| rest.split(']').next().expect("a mark").to_owned()).collect()
    };
    let (one, other) = (run("prod", "redacted"), run("prod", "redacted"));
    let (ones, others) = (marks(&one.events), marks(&other.events));
    assert_eq!((ones.len(), others.len()), (1, 1), "one secret, one mark: {ones:?} {others:?}");
    assert!(ones.is_disjoint(&others), "another session, another key");
    let mark = format!("[redacted:github-fine-grained-token:{}]", ones.first().expect("one"));
    for name in ["session.start", "call.start", "file.access", "stderr.line", "stdout.noise"] {
        let seen = log::of(&one.events, name).filter(|event| event.to_string().contains(&mark)).count();
        assert!(seen > 0, "{name} does not show it");
    }
}
