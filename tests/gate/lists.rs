//! What lists show, of a real server: what is denied is not on it, what is on none cannot be called.

use serde_json::{Value, json};

use crate::session::{Server, Stage, reason};

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[test]
fn what_is_denied_is_not_shown_and_the_rest_is_as_it_was() {
    let stage = Stage::set();
    let mut bare = stage.bare(Server::Memory);
    let all = bare.tools();
    bare.end();
    assert!(names(&all).contains(&"delete_entities"), "{:?}", names(&all));

    let mut penned = stage.penned(Server::Memory, "[tools]\ndeny = [\"delete_*\"]");
    let shown = penned.tools();
    let kept: Vec<Value> =
        all.iter().filter(|tool| !tool["name"].as_str().unwrap().starts_with("delete_")).cloned().collect();
    assert_eq!(shown, kept);
    assert!(kept.len() < all.len() && !kept.is_empty());
    let denied = penned.call("delete_entities", &json!({"entityNames": []}));
    assert_eq!(reason(&denied), Some("tool.denied"), "{denied}");
    assert_eq!(denied["result"]["isError"], true);
    assert_eq!(reason(&penned.call("read_graph", &json!({}))), None);
    penned.end();
}

#[test]
fn a_tool_that_no_list_has_is_unknown() {
    let stage = Stage::set();
    let mut penned = stage.penned(Server::Time, "");
    // Nothing is known before a list; the server answers for itself, and the log says that nobody checked.
    let early = penned.call("no_such_tool", &json!({}));
    assert_eq!(reason(&early), None, "{early}");
    penned.tools();
    let unknown = penned.call("no_such_tool", &json!({}));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    assert_eq!(unknown["error"]["message"], "Unknown tool: no_such_tool");
    assert_eq!(reason(&unknown), Some("tool.unknown"));
    let known = penned.call("get_current_time", &json!({"timezone": "Asia/Kathmandu"}));
    assert!(known["result"]["content"].is_array() && reason(&known).is_none(), "{known}");
    penned.end();
    let starts = stage.events("call.start");
    let unlisted: Vec<bool> = starts.iter().map(|event| event["unlisted"] == true).collect();
    assert_eq!(unlisted, [true, true, false], "{starts:#?}");
    let denied = stage.events("message.denied");
    assert_eq!(denied.len(), 1, "{denied:#?}");
    assert_eq!(denied[0]["reason"], "tool.unknown");
}
