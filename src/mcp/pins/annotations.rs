//! A tool's hints: more cautious ones change nothing, bolder ones are believed by clients that ask less because of them.

use crate::mcp::pins::Class;
use crate::mcp::pins::value::Value;
use crate::mcp::pins::walk::Walk;

/// The hints, what they are where they are not given, and the value that claims harmlessness.
///
/// Silence about `readOnlyHint` is a `false`: clients that ask before writes stop asking once it is `true`. The first word
/// on the others is none: servers that begin to describe their tools describe all of them, and clients ask by
/// `readOnlyHint`.
const HINTS: [(&str, Option<bool>, bool); 4] = [
    ("readOnlyHint", Some(false), true),
    ("destructiveHint", None, false),
    ("idempotentHint", None, true),
    ("openWorldHint", None, false),
];

/// The differences of `annotations`.
pub(super) fn differences(walk: &mut Walk, before: Option<&Value>, after: Option<&Value>) {
    let is_object = |it: Option<&Value>| it.is_none_or(|it| it.object().is_some());
    if !is_object(before) || !is_object(after) {
        walk.note(Class::Widening, before, after);
        return;
    }
    let member = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)).cloned();
    let names = [before, after].into_iter().flatten().filter_map(Value::object).flat_map(|it| it.keys());
    let names: std::collections::BTreeSet<String> = names.cloned().collect();
    for name in names {
        let (old, new) = (member(before, &name), member(after, &name));
        walk.enter(&name, |walk| {
            let (old, new) = (old.as_ref(), new.as_ref());
            match HINTS.iter().find(|(hint, ..)| *hint == name) {
                Some((_, default, bold)) => hint(walk, (*default, *bold), old, new),
                None if name == "title" => walk.label(old, new),
                None => walk.unknown(old, new),
            }
        });
    }
}

fn hint(walk: &mut Walk, (default, bold): (Option<bool>, bool), old: Option<&Value>, new: Option<&Value>) {
    let bolder = match (old, new) {
        (_, Some(Value::Bool(new))) if *new != bold => false,
        (_, None) => false,
        (Some(Value::Bool(old)), Some(Value::Bool(_))) => *old != bold,
        (None, Some(Value::Bool(_))) => default.is_some_and(|default| default != bold),
        _ => true,
    };
    walk.note(if bolder { Class::Widening } else { Class::Cosmetic }, old, new);
}
