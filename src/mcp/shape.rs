//! The shape of a call's arguments: names, kinds and lengths, no value. `{"path":"string(12)","edits":"array(3)"}`.
//!
//! It is as small as it says, whatever the arguments: at most [`MAX_NAMES`] names of [`MAX_NAME`] characters.

use std::borrow::Cow;

use serde_json::Value;

use crate::jsonrpc::{Raw, length, members};

/// Names that are listed; the rest is counted.
pub const MAX_NAMES: usize = 32;
/// Characters of a name that are kept.
pub const MAX_NAME: usize = 64;

/// The shape as the text of a JSON object. `arguments` was scanned; none, or `null`, gives `{}`.
pub fn shape(arguments: Option<Raw<'_>>) -> String {
    let mut shape = String::from("{");
    let mut count = 0usize;
    let mut member = |name: &str, kind: &str| {
        if shape.len() > 1 {
            shape.push(',');
        }
        shape.push_str(&Value::from(name).to_string());
        shape.push(':');
        shape.push_str(&Value::from(kind).to_string());
    };
    if let Some(arguments) = arguments {
        members(arguments, |name, value| {
            if count < MAX_NAMES {
                member(&cut(name, count), &kind(value));
            }
            count += 1;
        });
    }
    if count > MAX_NAMES {
        member("…", &format!("{} more", count - MAX_NAMES));
    }
    shape.push('}');
    shape
}

/// A name short enough; its place is added to what was cut, so that no two become one.
fn cut(name: Cow<'_, str>, place: usize) -> Cow<'_, str> {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => Cow::Owned(format!("{}…#{place}", name.get(..end).unwrap_or_default())),
        None => name,
    }
}

/// Kind and length of one value.
fn kind(value: Raw<'_>) -> String {
    let kind = match value.0.as_bytes().first() {
        Some(b'"') => "string",
        Some(b'[') => "array",
        Some(b'{') => "object",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    };
    match length(value) {
        Some(length) => format!("{kind}({length})"),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_lengths_are_told_and_no_value() {
        let arguments = r#"{"path":"/etc/passwd\n","edits":[{"a":1},2,3],"o":{"x":"secret"},"n":-1.5e3,"b":false,"z":null}"#;
        assert_eq!(
            shape(Some(Raw(arguments))),
            r#"{"path":"string(12)","edits":"array(3)","o":"object(1)","n":"number","b":"boolean","z":"null"}"#
        );
        assert_eq!(shape(None), "{}");
        assert_eq!(shape(Some(Raw("null"))), "{}");
    }

    #[test]
    fn it_stays_small_and_valid() {
        let long = "k".repeat(1000);
        let many: Vec<String> = (0..5000).map(|n| format!("\"{long}{n}\":\"{long}\"")).collect();
        let shape = shape(Some(Raw(&format!("{{{}}}", many.join(",")))));
        let parsed: serde_json::Map<String, Value> = serde_json::from_str(&shape).unwrap();
        assert_eq!(parsed.len(), MAX_NAMES + 1);
        assert_eq!(parsed["…"], "4968 more");
        assert!(shape.len() < 5000);
    }
}
