//! The differences of two schemas, as the gate reads them: closed, so that what is not listed is refused.

use std::collections::BTreeSet;

use crate::mcp::pins::Class;
use crate::mcp::pins::value::Value;
use crate::mcp::pins::walk::Walk;
use crate::mcp::pins::{bounds, prose};

/// Keywords under which a narrower schema can make the whole wider.
const TURNING: [&str; 7] = ["not", "if", "then", "else", "oneOf", "dependentSchemas", "dependencies"];
/// What is read differently by another dialect.
const DIALECTS: [&str; 4] = ["$ref", "items", "additionalItems", "dependencies"];

/// The differences of `inputSchema`.
pub(super) fn differences(walk: &mut Walk, before: Option<&Value>, after: Option<&Value>) {
    let (Some(old), Some(new)) = (before, after) else {
        walk.unknown(before, after);
        return;
    };
    // A part that others refer to may be referred to from under a `not`.
    let turns = [old, new].into_iter().any(|of| has_key(of, &TURNING));
    schema(walk, old, new, Position { root: true, turns });
}

#[derive(Clone, Copy)]
struct Position {
    /// The schema of the arguments themselves.
    root: bool,
    /// Something in the whole turns narrow into wide.
    turns: bool,
}

impl Position {
    fn inside(self) -> Self {
        Position { root: false, ..self }
    }
}

/// Whether an object within has one of these members.
fn has_key(value: &Value, names: &[&str]) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, of)| names.contains(&name.as_str()) || has_key(of, names))
        }
        Value::Array(elements) => elements.iter().any(|of| has_key(of, names)),
        Value::Deep(_) => true,
        _ => false,
    }
}

/// Whether a schema has text for models in it.
fn has_text(value: &Value) -> bool {
    has_key(value, &["description", "examples", "enum", "const", "default", "$comment"])
        || prose::speaks(value)
}

fn schema(walk: &mut Walk, old: &Value, new: &Value, position: Position) {
    if old == new {
        return;
    }
    let any = |it: &Value| *it == Value::Bool(true) || it.is_empty_object();
    let (Some(before), Some(after)) = (old.object(), new.object()) else {
        let class = match (old, new) {
            _ if has_text(new) => Class::Instruction,
            (old, new) if any(old) && any(new) => Class::Cosmetic,
            (old, new) if any(old) || *new == Value::Bool(false) => match new {
                Value::Bool(_) | Value::Object(_) => Class::Narrowing,
                _ => Class::Widening,
            },
            _ => Class::Widening,
        };
        walk.note(class, Some(old), Some(new));
        return;
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (was, is) = (before.get(name), after.get(name));
        if was == is {
            continue;
        }
        let found =
            walk.apart(|walk| walk.enter(name, |walk| keyword(walk, name, (was, is), (old, new), position)));
        walk.extend(found);
    }
}

type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

fn keyword(walk: &mut Walk, name: &str, (old, new): Pair<'_>, within: (&Value, &Value), position: Position) {
    match name {
        "description" | "examples" | "const" => text_of(walk, old, new),
        "title" => walk.label(old, new),
        "$comment" => walk.label(old, new),
        "default" => default(walk, old, new),
        "readOnly" | "writeOnly" | "deprecated" if new.is_none_or(|it| matches!(it, Value::Bool(_))) => {
            walk.note(Class::Cosmetic, old, new);
        }
        "$schema" => dialect(walk, old, new, within),
        "type" => bounds::kinds(walk, old, new),
        "enum" => bounds::choices(walk, old, new),
        "required" => bounds::required(walk, old, new),
        _ if bounds::is_bound(name) => bounds::bound(name, walk, old, new),
        "properties" => properties(walk, old, new, within, position),
        "patternProperties" => properties(walk, old, new, within, position),
        "$defs" | "definitions" => definitions(walk, old, new, position),
        "additionalProperties" | "unevaluatedProperties" => rest(walk, old, new, position),
        "items" | "propertyNames" => one(walk, old, new, position),
        "prefixItems" => list(walk, old, new, position, false),
        "allOf" => list(walk, old, new, position, false),
        "anyOf" => list(walk, old, new, position, true),
        "pattern" | "format" | "multipleOf" | "uniqueItems" => constraint(walk, old, new),
        _ => walk.unknown(old, new),
    }
}

/// A value that models read.
fn text_of(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>) {
    let mut text = false;
    old.into_iter().chain(new).for_each(|it| it.strings(&mut |_| text = true));
    walk.note(if text { Class::Instruction } else { Class::Widening }, old, new);
}

/// A default decides nothing in the gate; a text there is read.
fn default(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>) {
    let mut text = false;
    if let Some(new) = new {
        new.strings(&mut |it| text |= !it.is_empty());
    }
    walk.note(if text { Class::Instruction } else { Class::Cosmetic }, old, new);
}

fn dialect(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>, (before, after): (&Value, &Value)) {
    let known =
        new.is_none_or(|it| it.string().is_some_and(|it| it.contains("json-schema.org/") && it.len() < 64));
    match known {
        false => walk.unknown(old, new),
        true if has_key(before, &DIALECTS) || has_key(after, &DIALECTS) => {
            // What stands beside a reference, or a list of items, holds in one dialect and not in the other.
            let risky = |it: &Value| references_with_company(it);
            let class = if risky(before) || risky(after) { Class::Widening } else { Class::Cosmetic };
            walk.note(class, old, new);
        }
        true => walk.note(Class::Cosmetic, old, new),
    }
}

/// Whether the dialect decides what a schema within means.
fn references_with_company(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let bounds =
                members.keys().filter(|name| !matches!(name.as_str(), "title" | "description" | "default"));
            (members.contains_key("$ref") && bounds.count() > 1)
                || members.get("items").is_some_and(|it| it.array().is_some())
                || members.contains_key("additionalItems")
                || members.contains_key("dependencies")
                || members.values().any(references_with_company)
        }
        Value::Array(elements) => elements.iter().any(references_with_company),
        Value::Deep(_) => true,
        _ => false,
    }
}

/// Whether properties of an object that are not listed may be there: the schema for them, where it has one.
fn open(schema: &Value) -> bool {
    ["additionalProperties", "unevaluatedProperties"]
        .iter()
        .any(|name| schema.get(name).is_some_and(|it| *it != Value::Bool(false)))
}

fn properties(
    walk: &mut Walk,
    old: Option<&Value>,
    new: Option<&Value>,
    (before, after): (&Value, &Value),
    position: Position,
) {
    let empty = Value::Object(std::collections::BTreeMap::new());
    let (was, is) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let (Some(was), Some(is)) = (was.object(), is.object()) else {
        walk.unknown(old, new);
        return;
    };
    // What is no longer described is refused, unless the rest is open, or nothing is listed any more.
    let freed = open(before) || open(after) || (is.is_empty() && !position.root) || position.turns;
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    for name in names {
        walk.enter(name, |walk| match (was.get(name), is.get(name)) {
            (None, is) => walk.note(Class::Widening, None, is),
            (was, None) => walk.note(if freed { Class::Widening } else { Class::Narrowing }, was, None),
            (Some(was), Some(is)) => schema(walk, was, is, position.inside()),
        });
    }
    if was == is {
        // `{}` and nothing: a nested object that listed nothing still does.
        walk.note(Class::Cosmetic, old, new);
    }
}

/// Parts that are referred to. One that nothing refers to holds for nothing; a reference that changes shows itself.
fn definitions(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>, position: Position) {
    let members = |of: Option<&Value>| match of {
        None => Some(std::collections::BTreeMap::new()),
        Some(of) => of.object().cloned(),
    };
    let (Some(was), Some(is)) = (members(old), members(new)) else {
        walk.unknown(old, new);
        return;
    };
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    for name in names {
        walk.enter(name, |walk| match (was.get(name), is.get(name)) {
            (None, Some(is)) => {
                let class = if has_text(is) { Class::Instruction } else { Class::Cosmetic };
                walk.note(class, None, Some(is));
            }
            (was, None) => walk.note(Class::Cosmetic, was, None),
            (Some(was), Some(is)) => turned(walk, position, |walk| schema(walk, was, is, position.inside())),
        });
    }
    if was == is {
        walk.note(Class::Cosmetic, old, new);
    }
}

/// What is narrower in a part may be wider in the whole.
fn turned(walk: &mut Walk, position: Position, look: impl FnOnce(&mut Walk)) {
    let mut found = walk.apart(look);
    if position.turns {
        for difference in &mut found {
            if difference.class == Class::Narrowing {
                difference.class = Class::Widening;
            }
        }
    }
    walk.extend(found);
}

/// `additionalProperties`: none is `false` to the gate.
fn rest(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>, position: Position) {
    let closed = |it: Option<&Value>| it.is_none_or(|it| *it == Value::Bool(false));
    match (old, new) {
        _ if closed(old) && closed(new) => walk.note(Class::Cosmetic, old, new),
        _ if closed(old) => {
            let class = if new.is_some_and(has_text) { Class::Instruction } else { Class::Widening };
            walk.note(class, old, new);
        }
        _ if closed(new) && !position.turns => walk.note(Class::Narrowing, old, new),
        (Some(old), Some(new)) => schema(walk, old, new, position.inside()),
        _ => walk.unknown(old, new),
    }
}

/// A schema for what is in it: none allows everything.
fn one(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>, position: Position) {
    match (old, new) {
        (Some(was), Some(is)) => schema(walk, was, is, position.inside()),
        (None, Some(is)) if has_text(is) => walk.note(Class::Instruction, None, new),
        // A list that says what is in it lists properties where there were none: never wider.
        (None, Some(Value::Object(_) | Value::Bool(_))) => walk.note(Class::Narrowing, None, new),
        _ => walk.unknown(old, new),
    }
}

/// Schemas in a list. Where one is enough, another one is wider; where all hold, one less is.
fn list(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>, position: Position, one_is_enough: bool) {
    let (Some(was), Some(is)) = (old.and_then(Value::array), new.and_then(Value::array)) else {
        let text = new.is_some_and(has_text);
        let narrower = old.is_none() && new.and_then(Value::array).is_some() && !position.turns;
        let class = match (text, narrower && !opens(new)) {
            (true, _) => Class::Instruction,
            (false, true) => Class::Narrowing,
            (false, false) => Class::Widening,
        };
        walk.note(class, old, new);
        return;
    };
    let gone: Vec<&Value> = was.iter().filter(|it| !is.contains(it)).collect();
    let come: Vec<(usize, &Value)> = is.iter().enumerate().filter(|(_, it)| !was.contains(it)).collect();
    if gone.is_empty() && come.is_empty() {
        walk.note(Class::Cosmetic, old, new);
        return;
    }
    let (less, more) = match one_is_enough {
        true => (Class::Narrowing, Class::Widening),
        false => (Class::Widening, Class::Narrowing),
    };
    for pair in 0..gone.len().max(come.len()) {
        match (gone.get(pair), come.get(pair)) {
            (Some(was), Some((at, is))) => {
                walk.enter(&at.to_string(), |walk| schema(walk, was, is, position.inside()));
            }
            (Some(was), None) => walk.note(less, Some(was), None),
            (None, Some((at, is))) => walk.enter(&at.to_string(), |walk| {
                let class = match (has_text(is), opens(Some(is))) {
                    (true, _) => Class::Instruction,
                    (false, true) => Class::Widening,
                    (false, false) => more,
                };
                walk.note(class, None, Some(is));
            }),
            (None, None) => {}
        }
    }
}

/// Whether a schema that is added lists properties: what it lists is allowed then, wherever the rest is closed.
fn opens(schema: Option<&Value>) -> bool {
    schema.is_some_and(|it| {
        has_key(
            it,
            &["properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "$ref"],
        )
    })
}

/// A rule that is one more where there was none.
fn constraint(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>) {
    match (old, new) {
        (_, Some(is)) if prose::speaks(is) => walk.note(Class::Instruction, old, new),
        (None | Some(Value::Bool(false)), Some(_)) => walk.note(Class::Narrowing, old, new),
        (None, None) => {}
        (Some(Value::Bool(false)), None) => walk.note(Class::Cosmetic, old, new),
        _ => walk.note(Class::Widening, old, new),
    }
}
