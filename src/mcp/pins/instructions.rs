//! The `instructions` of an initialize or discover result: text that clients put before their model.
//!
//! Where they are not what was pinned they are cut out of the answer, and everything else of it stays: the server works,
//! and its model is told nothing that nobody looked at.

use crate::jsonrpc::{Raw, Tree, folded};
use crate::mcp::pins::watch::Watch;
use crate::mcp::pins::{Kind, Value};
use crate::mcp::refusal::Refusal;

const NAME: &str = "instructions";
/// Most values and names in such an answer.
const MAX_NODES: usize = 1 << 20;

/// Learns from the result; its text without the instructions, where they are held back.
///
/// # Errors
/// A result in which two readers could find different instructions.
pub(in crate::mcp) fn learn(watch: &mut Watch, result: Raw<'_>) -> Result<Option<String>, Refusal> {
    let tree =
        Tree::read(result.0, u32::MAX, MAX_NODES).map_err(|error| Refusal::ambiguous(error.to_string()))?;
    let is_one = |name: &str| folded(name) == folded(NAME);
    let found: Vec<_> =
        tree.members(0).filter(|(key, _)| tree.string(*key).is_some_and(|name| is_one(&name))).collect();
    let value = match found.as_slice() {
        [] => Value::Null,
        [(key, value)] if tree.string(*key).as_deref() == Some(NAME) => Value::of(&tree, *value),
        _ => {
            return Err(Refusal::ambiguous(
                "the instructions are there twice, or under a name in another case",
            ));
        }
    };
    if !watch.see(Kind::Instructions, "", value) {
        return Ok(None);
    }
    let kept: Vec<String> = tree
        .members(0)
        .filter(|(key, _)| tree.string(*key).as_deref() != Some(NAME))
        .map(|(key, value)| format!("{}:{}", tree.raw(key), tree.raw(value)))
        .collect();
    Ok(Some(format!("{{{}}}", kept.join(","))))
}
