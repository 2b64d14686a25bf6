//! What is taken out, and what is left.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::audit::redact::vectors::{context, mixed, no_secrets, private_key, secrets};

fn redactor() -> Redactor {
    Redactor::new(&[], Arguments::Redacted).unwrap()
}

fn with(secrets: &[(&str, &str)]) -> Redactor {
    let secrets: Vec<_> =
        secrets.iter().map(|(name, value)| (format!("env.{name}"), (*value).into())).collect();
    Redactor::new(&secrets, Arguments::Redacted).unwrap()
}

fn arguments(redactor: &Redactor, arguments: &Value) -> Value {
    serde_json::from_str(redactor.arguments(&arguments.to_string()).get()).unwrap()
}

/// The kinds of the marks in a text, in order.
fn kinds(text: &str) -> Vec<&str> {
    text.split("[redacted:").skip(1).map(|rest| rest.split(':').next().unwrap()).collect()
}

#[test]
fn every_kind_is_found_in_every_surrounding() {
    let redactor = redactor();
    for (kind, secret) in secrets() {
        let stands = context(kind, &secret);
        for text in [
            stands.clone(),
            format!("before {stands} after"),
            format!("x=\"{stands}\";"),
            format!("é,{stands}\u{1f600}"),
            format!("(`{stands}`)"),
        ] {
            let redacted = redactor.text(&text);
            assert!(!redacted.contains(&secret), "{kind}: {redacted}");
            assert_eq!(kinds(&redacted), [kind], "{text} -> {redacted}");
            assert_eq!(redactor.text(&redacted), redacted, "again");
        }
    }
    let found: std::collections::BTreeSet<&str> = secrets().iter().map(|(kind, _)| *kind).collect();
    let known: std::collections::BTreeSet<&str> = RULES.iter().map(|rule| rule.kind).collect();
    assert_eq!(known.iter().filter(|kind| !found.contains(*kind)).collect::<Vec<_>>(), [&"password-in-url"]);
    assert!((25..=50).contains(&known.len()), "{}", known.len());
}

#[test]
fn what_only_looks_like_a_secret_is_left() {
    let redactor = redactor();
    for (kind, text) in no_secrets() {
        assert_eq!(redactor.text(&text), text, "{kind}");
    }
}

#[test]
fn escapes_hide_no_secret() {
    let redactor = redactor();
    for (kind, secret) in secrets() {
        let stands = context(kind, &secret);
        let percent: String = stands.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let unicode: String = stands.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let some = stands.replace(['_', '-', '.'], "%5F").replace("%5F", "%2d");
        let json = json!({ "a": json!({ "b": stands }).to_string() }).to_string();
        for (text, certain) in [(percent, true), (unicode, true), (json, true), (some, false)] {
            let redacted = redactor.text(&text);
            assert!(redacted == redactor.text(&redacted), "{redacted}");
            if certain {
                assert!(kinds(&redacted).contains(&kind), "{kind}: {text} -> {redacted}");
                let tail = secret.get(secret.len() - 12..).unwrap().replace('\n', "\\n");
                assert!(!redacted.contains(&tail), "{kind}: {redacted}");
            }
        }
    }
    // The same secret, encoded and plain, is one.
    let token = secrets()[2].1.clone();
    let both = redactor.text(&format!("{token} {}", token.replace('_', "%5F")));
    let (one, other) = both.split_once(' ').unwrap();
    assert_eq!(one, other);
}

#[test]
fn names_say_what_is_secret() {
    let redactor = redactor();
    let value = "hunter2,with;x";
    let text = |text: &str| redactor.text(text);
    for written in [
        "password=QQ",
        "PASSWORD='QQ'",
        "db_password = \"QQ\"",
        "\"apiKey\": \"QQ\"",
        "'secret' => 'QQ'",
        "--token QQ",
        "--api-key=QQ",
        "clientSecret:QQ",
        "<password>QQ</password>",
        r#"{\"password\":\"QQ\"}"#,
        "?x=1&access_token=QQ&y=2",
        "Cookie: QQ",
        "Authorization: Bearer QQ",
        "x-api-key: QQ",
        "authorization: Basic QQ",
        "\"apiKeys\":[\"x\",\"QQ\"]",
        "password%3DQQ",
        "pwd := QQ",
    ] {
        for secret in ["hunter2xyz", value] {
            if secret == value && (written.contains('&') || !written.contains(['\'', '"', ':'])) {
                continue;
            }
            let redacted = text(&written.replace("QQ", secret));
            assert!(!redacted.contains("hunter2"), "{written} -> {redacted}");
            assert_eq!(kinds(&redacted), ["named"], "{written} -> {redacted}");
            assert_eq!(text(&redacted), redacted, "again");
        }
    }
    assert_eq!(
        text("password=$DB_PASSWORD token=${TOKEN} secret=*** auth=none"),
        "password=$DB_PASSWORD token=${TOKEN} secret=*** auth=none"
    );
    let random = mixed(28);
    assert_eq!(kinds(&text(&format!("your key is {random}, keep it"))), ["random"]);
    assert_eq!(kinds(&text(&format!("signature={random}"))), ["random"]);
    assert_eq!(text(&format!("file {random}")), format!("file {random}"), "no name, no secret");
    assert_eq!(text("key=user:profile:42 sort_key=created_at"), "key=user:profile:42 sort_key=created_at");
}

#[test]
fn passwords_in_addresses() {
    let redactor = redactor();
    for (address, rest) in [
        ("postgres://me:s3cr3t@db:5432/x?a=b", ["postgres://me:", "@db:5432/x?a=b"]),
        ("https://me:p/w@host/path", ["https://me:", "@host/path"]),
        ("redis://:s3cr3t@cache", ["redis://:", "@cache"]),
        ("amqp://me:p@ss@host", ["amqp://me:", "@host"]),
    ] {
        let redacted = redactor.text(address);
        assert!(redacted.starts_with(rest[0]) && redacted.ends_with(rest[1]), "{redacted}");
        assert_eq!(kinds(&redacted), ["password-in-url"], "{redacted}");
    }
}

#[test]
fn json_is_gone_through_by_its_names() {
    let redactor = redactor();
    let given = json!({
        "path": "/home/me/password.txt",
        "password": "p", "accessToken": "abcd", "pin": 1234, "otp": 123456, "max_tokens": 100, "key": "user:42",
        "credentials": {"user": "me", "list": ["one", {"deep": "two"}], "on": true},
        "headers": [{"name": "Authorization", "value": "Bearer abc"}, {"value": "def", "name": "X-Api-Key"}],
        "args": ["--token", "ghi", "--path", "/x", "-H", "Cookie: a=b"],
        "content": "token: jkl",
    });
    let out = arguments(&redactor, &given);
    let is_mark =
        |value: &Value| value.as_str().is_some_and(|text| text.starts_with("[redacted:named:len8:"));
    for pointer in [
        "/password",
        "/accessToken",
        "/otp",
        "/credentials/user",
        "/credentials/list/0",
        "/credentials/list/1/deep",
        "/headers/1/value",
        "/args/1",
    ] {
        assert!(is_mark(out.pointer(pointer).unwrap()), "{pointer}: {out}");
    }
    for pointer in ["/path", "/pin", "/max_tokens", "/key", "/credentials/on", "/headers/0/name", "/args/3"] {
        assert_eq!(out.pointer(pointer), given.pointer(pointer), "{pointer}: {out}");
    }
    for pointer in ["/headers/0/value", "/args/5", "/content"] {
        assert_eq!(kinds(out.pointer(pointer).unwrap().as_str().unwrap()), ["named"], "{pointer}: {out}");
    }
    assert_eq!(arguments(&redactor, &out), out, "again");
    let (kind, token) = secrets()[2].clone();
    let out = arguments(&redactor, &json!({ &token: 1, "token": token, "n": { "x": token } }));
    let name = out.as_object().unwrap().keys().find(|name| name.starts_with("[redacted:")).unwrap();
    assert_eq!((out["token"].as_str(), out["n"]["x"].as_str()), (Some(name.as_str()), Some(name.as_str())));
    assert_eq!(kinds(name), [kind]);
}

#[test]
fn values_of_the_environment_in_every_form() {
    let secret = "pa ss/wörd+42?";
    let redactor = with(&[("DB_PASS", secret), ("PIN", "4711"), ("NUMBER", "12345678")]);
    let quoted = json!(secret).to_string();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for text in
        [secret.to_owned(), quoted, percent, hex.clone(), hex.to_uppercase(), secret.replace(' ', "+")]
    {
        let redacted = redactor.text(&format!("a {text} b"));
        assert_eq!(kinds(&redacted), ["env.DB_PASS"], "{text} -> {redacted}");
        assert!(redacted.starts_with("a ") && redacted.ends_with(" b"), "{redacted}");
    }
    // base64 (RFC 4648) of "", "x", "xy" and the secret, computed elsewhere.
    for text in [
        "cGEgc3Mvd8O2cmQrNDI/",
        "eHBhIHNzL3fDtnJkKzQyPw==",
        "eHlwYSBzcy93w7ZyZCs0Mj8=",
        "eHlwYSBzcy93w7ZyZCs0Mj8",
    ] {
        assert_eq!(kinds(&redactor.text(&format!("({text})"))), ["env.DB_PASS"], "{text}");
    }
    assert_eq!(redactor.text("4711 and 14711"), "4711 and 14711", "too short to be looked for in text");
    let out = arguments(&redactor, &json!({ "a": "4711", "b": 12345678, "c": "id 12345678", "d": 4711 }));
    assert_eq!(kinds(&out.to_string()), ["env.PIN", "env.NUMBER", "env.NUMBER", "env.PIN"], "{out}");
}

#[test]
fn a_part_of_a_value_is_a_value_where_the_text_ends() {
    let secret = mixed(3000);
    let redactor = with(&[("LONG", &secret)]);
    let mut open = false;
    let excerpt = redactor.excerpt(&format!("x {}", &secret[..2500]), 200, &mut open);
    assert_eq!(kinds(&excerpt), ["env.LONG"], "{excerpt}");
    assert!(excerpt.len() < 100, "{excerpt}");
}

#[test]
fn no_half_of_a_secret_is_left_where_a_text_is_cut() {
    let redactor = redactor();
    for (kind, secret) in secrets() {
        let stands = context(kind, &secret);
        for before in [REDACTED.string - 1, REDACTED.string - 5, REDACTED.string - stands.len().min(60)] {
            let text = format!("{} {stands} {}", "-".repeat(before - 1), "y".repeat(9000));
            let out = arguments(&redactor, &json!({ "a": text }));
            let kept = out["a"].as_str().unwrap();
            let head: String = secret.chars().take(12).collect();
            assert!(!kept.contains(&head), "{kind}: {}", &kept[before - 10..]);
            assert!(kept.contains("…[cut:len") && kept.len() < REDACTED.string + 200, "{kind}: {kept}");
        }
    }
    let text = "z".repeat(5000);
    let out = arguments(&redactor, &json!([text, text, format!("{text}z")]));
    assert_eq!(out[0], out[1]);
    assert_ne!(out[0], out[2]);
}

#[test]
fn arguments_have_an_end() {
    let redactor = redactor();
    let many: Vec<Value> = (0..5000).map(|n| json!({ "n": n, "text": "some words" })).collect();
    let out = arguments(&redactor, &json!({ "list": many, "after": 1 }));
    assert!(out.to_string().len() < REDACTED.all + 200);
    assert!(out.to_string().ends_with("\"[cut]\"}]}") || out.to_string().ends_with("\"[cut]\"]}"), "{out}");
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(redactor.arguments(&deep).get(), deep, "depth uses no stack");
    for not_json in ["", "{", "[1", "{\"a\"}", "1 2", "]", "{]", "\"a"] {
        assert_eq!(redactor.arguments(not_json).get(), "\"[withheld]\"", "{not_json}");
    }
}

#[test]
fn keys_are_known_over_their_lines() {
    let redactor = redactor();
    let key = private_key("OPENSSH PRIVATE", 4);
    let mut open = false;
    let mut out = Vec::new();
    for line in format!("starting\n{key}\nlistening on 8080").lines() {
        out.push(redactor.excerpt(line, 200, &mut open));
    }
    assert_eq!((out[0].as_str(), out[7].as_str()), ("starting", "listening on 8080"));
    assert!(out[1..7].iter().all(|line| kinds(line) == ["private-key"]), "{out:?}");
    redactor.excerpt(key.lines().next().unwrap(), 200, &mut open);
    assert!(open);
    assert_eq!(redactor.excerpt("no key line.", 200, &mut open), "no key line.");
    assert!(!open);
}

#[test]
fn words_of_a_command_line() {
    let redactor = redactor();
    let words = |words: &[&str]| redactor.words(words.iter().map(|word| (*word).to_owned()).collect());
    let out = words(&[
        "srv",
        "--token=a b,c",
        "--api-key",
        "k1",
        "GITHUB_TOKEN=x;y",
        "--path",
        "/tmp/a",
        "plain",
        "-u",
        "me:pw",
        "--key",
        "--verbose",
        "--author",
        "Ann",
    ]);
    let hidden: Vec<bool> = out.iter().map(|word| word.contains("[redacted:named:")).collect();
    let expected = [1, 3, 4, 9];
    assert_eq!(hidden, (0..out.len()).map(|n| expected.contains(&n)).collect::<Vec<_>>(), "{out:?}");
    assert!(out[1].starts_with("--token=[") && out[9].starts_with("me:["), "{out:?}");
    assert_eq!(redactor.words(out.clone()), out, "again");
}

#[test]
fn words_that_flags_call_secret_are_looked_for_elsewhere() {
    let words = [
        "srv",
        "--token",
        "abcdefgh",
        "--api-key=ijklmnop",
        "--token-file",
        "/run/secrets/t",
        "--key",
        "qrstuvwx",
    ];
    assert_eq!(words::named(&words.map(str::to_owned)), ["abcdefgh", "ijklmnop"]);
}

#[test]
fn in_full_only_the_environment_is_taken_out() {
    let secrets = [("env.T".to_owned(), "the-value-of-t".to_owned())];
    let redactor = Redactor::new(&secrets, Arguments::Full).unwrap();
    let given = json!({ "password": "p", "long": "x".repeat(5000), "t": "a the-value-of-t" });
    let out = arguments(&redactor, &given);
    assert_eq!((&out["password"], &out["long"]), (&given["password"], &given["long"]));
    assert_eq!(kinds(out["t"].as_str().unwrap()), ["env.T"]);
    let mut line = String::new();
    redactor.payload(&mut line, &json!({ "arguments": given, "excerpt": "password=p" }).to_string());
    let line: Value = serde_json::from_str(&format!("{{{}}}", &line[1..])).unwrap();
    assert_eq!((&line["arguments"], kinds(line["excerpt"].as_str().unwrap())), (&out, vec!["named"]));
}

#[test]
fn our_own_words_are_left() {
    let redactor = with(&[("A", "landlock"), ("B", "performed")]);
    let mut line = String::new();
    redactor.payload(
        &mut line,
        r#"{"layer":"landlock","evidence":"performed","path":"/landlock","argv":["x","--token","t"]}"#,
    );
    let line: Value = serde_json::from_str(&format!("{{{}}}", &line[1..])).unwrap();
    assert_eq!((&line["layer"], &line["evidence"]), (&json!("landlock"), &json!("performed")));
    assert_eq!(kinds(line["path"].as_str().unwrap()), ["env.A"]);
    assert_eq!(kinds(line["argv"][2].as_str().unwrap()), ["named"]);
}

/// Text that a matcher would like to be slow on: with one that is quadratic this does not end.
#[test]
fn nothing_is_quadratic() {
    let redactor = with(&[("A", "abcabcabcabd")]);
    for piece in [
        "token",
        "key=",
        "key ",
        "eyJ-",
        "://",
        "a:b@",
        "-----BEGIN PRIVATE ",
        "MT.",
        "sk-a-",
        "%25",
        "\\u005c",
        "password:",
        "bearer ",
        ":AA",
        "\"key\":\"",
        "cookie: [redacted:",
        "abcabc",
        "8Q~",
        "\\\"",
        "auth>",
        "&amp;",
        "key='key\"",
    ] {
        let text = piece.repeat((32 << 10) / piece.len());
        let out = redactor.text(&text);
        assert_eq!(redactor.text(&out), out, "{piece}");
    }
}

fn noise() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,4}",
        Just("password=".to_owned()),
        Just("\\".to_owned()),
        Just("%".to_owned()),
        Just("\"".to_owned()),
        Just("[redacted:".to_owned()),
        Just("-----BEGIN ".to_owned()),
        Just("://a:".to_owned()),
        Just("eyJ".to_owned()),
        Just("token ".to_owned()),
        Just("key:".to_owned()),
        Just("\n".to_owned()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_planted_secret_is_never_left(before in noise(), after in noise(), which in 0usize..52) {
        let all = secrets();
        let (kind, secret) = &all[which % all.len()];
        let text = format!("{before} {} {after}", context(kind, secret));
        let redactor = redactor();
        let redacted = redactor.text(&text);
        prop_assert!(!redacted.contains(secret.as_str()), "{}", redacted);
        let out = redactor.arguments(&json!({ "a": [text] }).to_string());
        let out: Value = serde_json::from_str(out.get()).unwrap();
        prop_assert!(!out.to_string().contains(json!(secret).as_str().unwrap()));
    }

    #[test]
    fn again_changes_nothing(text in noise()) {
        let redactor = with(&[("A", "abcdef"), ("B", "x y z w")]);
        let once = redactor.text(&text);
        prop_assert_eq!(redactor.text(&once), once);
    }

    #[test]
    fn json_stays_json(text in noise(), name in noise(), number: i64) {
        let redactor = redactor();
        let given = json!({ name: [text, number, null, true], "b": {} });
        let out = arguments(&redactor, &given);
        prop_assert_eq!(out.as_object().unwrap().len(), given.as_object().unwrap().len());
        prop_assert_eq!(arguments(&redactor, &out), out);
    }
}
