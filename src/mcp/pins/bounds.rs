//! The keywords of a schema that bound a value: more bound is narrower, less is wider.

use std::cmp::Ordering;

use crate::mcp::pins::value::Value;
use crate::mcp::pins::walk::Walk;
use crate::mcp::pins::{Class, prose};
use crate::mcp::schema::compare_numbers;

/// Keywords whose number is a lower bound.
const LOWER: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
/// Keywords whose number is an upper bound.
const UPPER: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];

/// Whether the keyword is one of these.
pub(super) fn is_bound(keyword: &str) -> bool {
    LOWER.contains(&keyword) || UPPER.contains(&keyword)
}

/// What a bound became.
pub(super) fn bound(keyword: &str, walk: &mut Walk, old: Option<&Value>, new: Option<&Value>) {
    let class = match (old, new) {
        (None, Some(Value::Number(_))) => Class::Narrowing,
        (Some(Value::Number(old)), Some(Value::Number(new))) => {
            let tighter = if LOWER.contains(&keyword) { Ordering::Greater } else { Ordering::Less };
            if compare_numbers(new, old) == Some(tighter) { Class::Narrowing } else { Class::Widening }
        }
        (_, Some(Value::String(_) | Value::Array(_) | Value::Object(_))) => return walk.unknown(old, new),
        _ => Class::Widening,
    };
    walk.note(class, old, new);
}

/// `type`: fewer types are narrower.
pub(super) fn kinds(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>) {
    let class = match (set(old), set(new)) {
        (Some(None), Some(Some(_))) => Class::Narrowing,
        (Some(Some(old)), Some(Some(new))) => {
            let covered =
                |name: &str| old.iter().any(|it| *it == name || (*it == "number" && name == "integer"));
            match new.iter().all(|name| covered(name)) {
                true if old.len() == new.len() && old.iter().all(|name| new.contains(name)) => {
                    Class::Cosmetic
                }
                true => Class::Narrowing,
                false => Class::Widening,
            }
        }
        _ => return walk.unknown(old, new),
    };
    walk.note(class, old, new);
}

/// The types that are named; `Some(None)`: all. `None`: it is no `type`.
fn set(of: Option<&Value>) -> Option<Option<Vec<&str>>> {
    const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let names: Vec<&str> = match of {
        None => return Some(None),
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().map(Value::string).collect::<Option<_>>()?,
        Some(_) => return None,
    };
    names.iter().all(|name| TYPES.contains(name)).then_some(Some(names))
}

/// `required`: more names are narrower. Text that is no name of a property may be there for its reader.
pub(super) fn required(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>) {
    let names = |of: Option<&Value>| -> Option<Vec<String>> {
        let Some(of) = of else { return Some(Vec::new()) };
        of.array()?.iter().map(|name| Some(name.string()?.to_owned())).collect()
    };
    let (Some(before), Some(after)) = (names(old), names(new)) else { return walk.unknown(old, new) };
    let lost = before.iter().any(|name| !after.contains(name));
    let gained: Vec<&String> = after.iter().filter(|name| !before.contains(name)).collect();
    if gained.iter().any(|name| prose::speaks(&Value::String((*name).clone()))) {
        return walk.unknown(old, new);
    }
    let class = match (lost, gained.is_empty()) {
        (true, _) => Class::Widening,
        (false, false) => Class::Narrowing,
        (false, true) => Class::Cosmetic,
    };
    walk.note(class, old, new);
}

/// `enum`: what is offered to a model is text to it.
pub(super) fn choices(walk: &mut Walk, old: Option<&Value>, new: Option<&Value>) {
    let list = |of: Option<&Value>| match of {
        None => Some(None),
        Some(of) => of.array().map(|it| Some(it.to_vec())),
    };
    let class = match (list(old), list(new)) {
        (Some(before), Some(Some(after))) => {
            let known = before.as_deref().unwrap_or_default();
            let mut text = false;
            let gained: Vec<&Value> = after.iter().filter(|it| !known.contains(it)).collect();
            gained.iter().for_each(|it| it.strings(&mut |_| text = true));
            match (text, gained.is_empty(), before.is_some()) {
                (true, ..) => Class::Instruction,
                (false, false, true) => Class::Widening,
                (false, true, true) if known.iter().all(|it| after.contains(it)) => Class::Cosmetic,
                (false, ..) => Class::Narrowing,
            }
        }
        (_, None) => Class::Instruction,
        _ => Class::Widening,
    };
    walk.note(class, old, new);
}
