//! Every tool of the six reference servers: what its own schema lists is accepted, anything else refused, at any level.

use caponier::mcp::schema::{Bounds, Unlisted, Verdict, compile};
use serde_json::{Map, Value, json};

use crate::session::{Server, Stage, reason};

/// Arguments with every member that a schema lists, each as small as it may be.
fn sample(schema: &Value, name: &str) -> Value {
    if let Some(value) = schema.get("const").or(schema["enum"].get(0)) {
        return value.clone();
    }
    if let Some(first) = schema["anyOf"].get(0).or(schema["oneOf"].get(0)) {
        return sample(first, name);
    }
    match schema["type"].as_str().or(schema["type"][0].as_str()) {
        Some("object") => match schema["properties"].as_object() {
            Some(properties) => Value::Object(
                properties.iter().map(|(name, schema)| (name.clone(), sample(schema, name))).collect(),
            ),
            None => json!({}),
        },
        Some("array") => json!([sample(&schema["items"], name)]),
        Some("string") => json!(name),
        Some("boolean") => json!(false),
        Some("number" | "integer") => schema
            .get("minimum")
            .or(schema.get("exclusiveMinimum"))
            .map_or(json!(1), |least| json!(least.as_i64().unwrap_or(1).max(0) + 1)),
        other => panic!("{name}: a sample of {other:?}: {schema}"),
    }
}

/// The same value with an unknown member in one object at a time, wherever the schema lists members.
fn with_unknown(schema: &Value, value: &Value, name: &str) -> Vec<(String, Value)> {
    let mut spoiled = Vec::new();
    match value {
        Value::Object(members) => {
            if schema["properties"].is_object() || name.is_empty() {
                let mut more: Map<String, Value> = members.clone();
                more.insert("caponier_unknown".into(), json!(1));
                spoiled.push((format!("{name}/caponier_unknown"), Value::Object(more)));
            }
            for (key, member) in members {
                let inner = with_unknown(&schema["properties"][key], member, &format!("{name}/{key}"));
                spoiled.extend(inner.into_iter().map(|(place, changed)| {
                    let mut other = members.clone();
                    other.insert(key.clone(), changed);
                    (place, Value::Object(other))
                }));
            }
        }
        Value::Array(elements) => {
            for (n, element) in elements.iter().enumerate() {
                let inner = with_unknown(&schema["items"], element, &format!("{name}/{n}"));
                spoiled.extend(inner.into_iter().map(|(place, changed)| {
                    let mut other = elements.clone();
                    other[n] = changed;
                    (place, Value::Array(other))
                }));
            }
        }
        _ => {}
    }
    spoiled
}

/// Tools whose work, with a sample of arguments, takes long, or never ends.
const SLOW: [&str; 2] = ["trigger-long-running-operation", "gzip-file-as-resource"];

#[test]
fn every_tool_accepts_what_it_lists_and_nothing_else() {
    let (mut tools, mut spoilt, mut nested) = (0, 0, 0);
    for server in Server::ALL {
        let stage = Stage::set();
        stage.make_repository();
        let mut penned = stage.penned(server, "");
        let listed = penned.tools();
        assert!(!listed.is_empty(), "{server:?}");
        for tool in &listed {
            tools += 1;
            let (name, schema) = (tool["name"].as_str().unwrap(), &tool["inputSchema"]);
            let arguments = sample(schema, "");
            for (place, bad) in with_unknown(schema, &arguments, "") {
                spoilt += 1;
                nested += u32::from(place.matches('/').count() > 1);
                let answer = penned.call(name, &bad);
                assert_eq!(
                    reason(&answer),
                    Some("args.unknown-field"),
                    "{server:?} {name} {place}: {answer}"
                );
                assert_eq!(answer["result"]["isError"], true, "{answer}");
                let text = answer["result"]["content"][0]["text"].as_str().unwrap();
                assert!(text.contains("caponier_unknown"), "{text}");
            }
            let read = compile(&schema.to_string(), Bounds::DEFAULT).unwrap();
            assert_eq!(
                read.check(&arguments.to_string(), Unlisted::Refused),
                Verdict::Good,
                "{name} {arguments}"
            );
            if !SLOW.contains(&name) {
                let answer = penned.call(name, &arguments);
                assert_eq!(reason(&answer), None, "{server:?} {name} {arguments}: {answer}");
            }
        }
        penned.end();
    }
    println!("{tools} tools, {spoilt} calls with an unknown field refused, {nested} of them nested");
    assert!(
        tools >= 35 && spoilt >= tools && nested >= 5,
        "{tools} tools, {spoilt} refused, {nested} nested"
    );
}

#[test]
fn a_field_that_nobody_listed_reaches_the_bare_server_and_not_the_penned_one() {
    let stage = Stage::set();
    let entity = json!({"entities": [{"name": "a", "entityType": "b", "observations": [], "hidden": "c"}]});
    let mut bare = stage.bare(Server::Memory);
    bare.tools();
    let control = bare.call("create_entities", &entity);
    assert!(control["result"]["content"].is_array() && control["result"]["isError"] != true, "{control}");
    bare.end();

    let mut penned = stage.penned(Server::Memory, "");
    penned.tools();
    let refused = penned.call("create_entities", &entity);
    assert_eq!(reason(&refused), Some("args.unknown-field"), "{refused}");
    assert_eq!(reason(&penned.call("read_graph", &json!({}))), None);
    penned.end();
    let denied = stage.events("message.denied");
    assert_eq!(denied.len(), 1, "{denied:#?}");
    assert_eq!(denied[0]["reason"], "args.unknown-field");
    assert_eq!(denied[0]["layer"], "gate");
    assert_eq!(denied[0]["detail"], "the argument \"entities[0].hidden\" is not in the tool's schema");
    assert_eq!(denied[0]["remedy"], "tools.rule.create_entities.unknown_fields = \"allow\"");

    // The line of the remedy is what allows it, for that tool and no other.
    let mut opened = stage.penned(Server::Memory, "[tools.rule.create_entities]\nunknown_fields = \"allow\"");
    opened.tools();
    assert_eq!(reason(&opened.call("create_entities", &entity)), None);
    let other = opened.call("read_graph", &json!({"hidden": 1}));
    assert_eq!(reason(&other), Some("args.unknown-field"), "{other}");
    opened.end();
    let mut all = stage.penned(Server::Memory, "[protocol]\nunknown_fields = \"allow\"");
    all.tools();
    assert_eq!(reason(&all.call("read_graph", &json!({"hidden": 1}))), None);
    // What the schema itself asks for holds all the same.
    let typed = all.call("create_entities", &json!({"entities": "a"}));
    assert_eq!(reason(&typed), Some("args.type"), "{typed}");
    all.end();
}

#[test]
fn what_the_schema_asks_for_is_asked_for_before_the_server_is() {
    let stage = Stage::set();
    let mut penned = stage.penned(Server::Everything, "");
    penned.tools();
    for (tool, arguments, expected, named) in [
        ("get-sum", json!({"a": "one", "b": 2}), "args.type", "\"a\""),
        ("get-sum", json!({"a": 1}), "args.missing", "\"b\""),
        ("get-annotated-message", json!({"messageType": "shout"}), "args.value", "\"messageType\""),
        ("echo", json!({"message": "x", "Message": "y"}), "message.ambiguous", "\"message\""),
    ] {
        let answer = penned.call(tool, &arguments);
        assert_eq!(reason(&answer), Some(expected), "{tool} {arguments}: {answer}");
        let said = answer.to_string();
        assert!(said.contains(&named.replace('"', "\\\"")), "{said}");
    }
    let sum = penned.call("get-sum", &json!({"a": 1e0, "b": -0.5}));
    assert!(sum["result"]["content"][0]["text"].as_str().unwrap().contains("0.5"), "{sum}");
    penned.end();
}
