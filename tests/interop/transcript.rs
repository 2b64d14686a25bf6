//! Takes out of a transcript what must differ between two runs: the clock, and the name of the stage.

use std::path::Path;

use serde_json::Value;

/// The transcript with `<stage>` for the stage's folder, and `<time>` for moments.
pub(crate) fn normalised(transcript: Value, stage: &Path) -> Value {
    match transcript {
        Value::String(text) => {
            Value::String(without_moments(&text.replace(&*stage.to_string_lossy(), "<stage>")))
        }
        Value::Array(items) => items.into_iter().map(|item| normalised(item, stage)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, normalised(value, stage))).collect()
        }
        other => other,
    }
}

/// Where two transcripts differ first, as a path and the two values.
pub(crate) fn difference(left: &Value, right: &Value) -> Option<String> {
    fn walk(left: &Value, right: &Value, path: &str) -> Option<String> {
        let names = |value: &Value| match value {
            Value::Object(members) => members.keys().cloned().collect::<Vec<_>>(),
            Value::Array(items) => (0..items.len()).map(|at| at.to_string()).collect(),
            _ => Vec::new(),
        };
        let (ours, theirs) = (names(left), names(right));
        if left == right {
            None
        } else if ours.is_empty() || ours != theirs {
            // A whole tool list would drown what matters.
            let short = |value: &Value| value.to_string().chars().take(600).collect::<String>();
            Some(format!(
                "at {path}:\n  through caponier: {}\n  bare:             {}",
                short(left),
                short(right)
            ))
        } else {
            ours.iter().find_map(|name| {
                let inner = format!("/{name}");
                walk(left.pointer(&inner)?, right.pointer(&inner)?, &format!("{path}{inner}"))
            })
        }
    }
    walk(left, right, "")
}

/// What `get_file_info` of server-filesystem says about times, up to the end of the line.
const TIMES_OF_A_FILE: [&str; 3] = ["created: ", "modified: ", "accessed: "];

/// Replaces `2026-01-02T03:04:05` (a zone behind it stays), and the rest of a line that gives a file's time.
fn without_moments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if let Some(label) = TIMES_OF_A_FILE.iter().find(|label| line.starts_with(**label)) {
            out.push_str(label);
            out.push_str("<time>");
            out.push_str(&line[line.trim_end_matches('\n').len()..]);
            continue;
        }
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            if is_moment(rest.as_bytes()) {
                out.push_str("<time>");
                rest = &rest[MOMENT.len()..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

const MOMENT: &[u8] = b"0000-00-00T00:00:00";

fn is_moment(bytes: &[u8]) -> bool {
    bytes.len() >= MOMENT.len()
        && MOMENT.iter().zip(bytes).all(|(form, byte)| match form {
            b'0' => byte.is_ascii_digit(),
            _ => form == byte,
        })
}

#[test]
fn moments_and_the_stage_are_taken_out_and_nothing_else() {
    let text = "at 2026-11-23T21:08:44+05:45, 2026-11-23, 99T\nsize: 5\nmodified: Mon Nov 23\nin /tmp/x/work";
    let seen = normalised(serde_json::json!({"a": [text, 1, null]}), Path::new("/tmp/x"));
    let wanted = "at <time>+05:45, 2026-11-23, 99T\nsize: 5\nmodified: <time>\nin <stage>/work";
    assert_eq!(seen, serde_json::json!({"a": [wanted, 1, null]}));
}

#[test]
fn the_first_difference_is_named() {
    let left = serde_json::json!({"a": [1, {"b": 2}], "c": 3});
    let right = serde_json::json!({"a": [1, {"b": 5}], "c": 4});
    assert_eq!(difference(&left, &left), None);
    let found = difference(&left, &right).unwrap();
    assert!(found.starts_with("at /a/1/b:") && found.contains(" 2\n") && found.ends_with(" 5"), "{found}");
    assert!(difference(&left, &serde_json::json!({"a": [1]})).is_some());
}
