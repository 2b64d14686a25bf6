//! What the client is sent about a call that waits. No line has its end.

use serde_json::{Value, json};

/// Our request to the client (legacy). `id` is JSON text.
pub fn elicitation(id: &str, form: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"elicitation/create","params":{form}}}"#)
}

/// We want no answer to our request any more.
pub fn withdrawn(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"answered, or nobody waits any more"}}}}"#
    )
}

/// The result that has the client ask its user and come again (modern). `id` is JSON text.
pub fn input_required(id: &str, key: &str, form: &Value, state: &str) -> String {
    let requests = json!({ key: {"method": "elicitation/create", "params": form} });
    let state = Value::from(state);
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"input_required","inputRequests":{requests},"requestState":{state}}}}}"#
    )
}

/// A call still waits: so small a progress that whatever its server says of it later is more. `token` is JSON text.
pub fn still_waits(token: &str, count: u32) -> String {
    let progress = f64::from(count) / 1_000_000.0;
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{progress:.6},"message":"caponier: waiting for the user's answer"}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_one_message() {
        let form = json!({"message": "a\nb \"c\"", "requestedSchema": {}});
        let read = |line: String| {
            assert!(!line.contains('\n'), "{line}");
            serde_json::from_str::<Value>(&line).unwrap()
        };
        assert_eq!(read(elicitation("\"q\"", &form))["params"], form);
        assert_eq!(read(withdrawn("\"q\""))["params"]["requestId"], "q");
        let asked = read(input_required("7", "k", &form, "s.1"));
        assert_eq!(asked["result"]["inputRequests"]["k"]["params"], form);
        assert_eq!((&asked["id"], &asked["result"]["requestState"]), (&json!(7), &json!("s.1")));
        let waits = read(still_waits("\"t\"", 12));
        assert_eq!(waits["params"]["progress"], 0.000_012);
    }
}
