//! The differences of two definitions, member by member.

use crate::mcp::pins::value::Value;
use crate::mcp::pins::walk::Walk;
use crate::mcp::pins::{Class, Difference, Kind, annotations, schema};

/// The differences of two definitions that differ.
pub(super) fn differences(kind: Kind, before: &Value, after: &Value) -> Vec<Difference> {
    let mut walk = Walk::default();
    let (Some(old), Some(new)) = (before.object(), after.object()) else {
        walk.text(Some(before), Some(after));
        return walk.found();
    };
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (old, new) = (old.get(name), new.get(name));
        if old == new {
            continue;
        }
        walk.enter(name, |walk| match (kind, name.as_str()) {
            (_, "title") => walk.label(old, new),
            (_, "icons") => walk.note(Class::Cosmetic, old, new),
            (Kind::Tool, "inputSchema") => schema::differences(walk, old, new),
            (Kind::Tool, "outputSchema" | "execution") => walk.aside(old, new),
            (Kind::Tool, "annotations") => annotations::differences(walk, old, new),
            (Kind::Prompt, "arguments") => arguments(walk, old, new),
            (Kind::Resource | Kind::ResourceTemplate, "size" | "annotations") => walk.label(old, new),
            // A document that somebody renames or marks keeps its URI.
            (Kind::Resource, "name" | "_meta") => walk.label(old, new),
            (_, "description") | (Kind::ResourceTemplate, "name") => walk.text(old, new),
            _ => walk.unknown(old, new),
        });
    }
    walk.found()
}

/// The arguments of a prompt.
fn arguments(walk: &mut Walk, before: Option<&Value>, after: Option<&Value>) {
    let list = |of: Option<&Value>| match of {
        None => Some(Vec::new()),
        Some(of) => of.array().map(<[Value]>::to_vec),
    };
    let (Some(old), Some(new)) = (list(before), list(after)) else {
        walk.unknown(before, after);
        return;
    };
    let named = |of: &[Value]| -> Option<std::collections::BTreeMap<String, Value>> {
        let all: Option<Vec<(String, Value)>> =
            of.iter().map(|it| Some((it.get("name")?.string()?.to_owned(), it.clone()))).collect();
        let count = of.len();
        let all: std::collections::BTreeMap<String, Value> = all?.into_iter().collect();
        (all.len() == count).then_some(all)
    };
    let (Some(old), Some(new)) = (named(&old), named(&new)) else {
        walk.unknown(before, after);
        return;
    };
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        walk.enter(name, |walk| match (old.get(name), new.get(name)) {
            (None, new) => walk.note(Class::Widening, None, new),
            (old, None) => walk.note(Class::Narrowing, old, None),
            (Some(old), Some(new)) => argument(walk, old, new),
        });
    }
    if old == new {
        // Only their order.
        walk.note(Class::Cosmetic, before, after);
    }
}

fn argument(walk: &mut Walk, old: &Value, new: &Value) {
    let keys = [old, new].into_iter().filter_map(Value::object).flat_map(|it| it.keys());
    let keys: std::collections::BTreeSet<&String> = keys.collect();
    for key in keys {
        let (old, new) = (old.get(key), new.get(key));
        walk.enter(key, |walk| match key.as_str() {
            "title" => walk.label(old, new),
            "description" => walk.text(old, new),
            "required" if new == Some(&Value::Bool(true)) => walk.note(Class::Narrowing, old, new),
            _ => walk.unknown(old, new),
        });
    }
}
