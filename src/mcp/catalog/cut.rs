//! A result without some elements of a list in it: every other byte as it was.

use crate::jsonrpc::Node;
use crate::jsonrpc::Tree;

/// The text of the result without those elements of its member `list` that `is_cut` names. In the modern era an answer says how long it may be
/// kept (`ttlMs`); what depends on our rules may not be, so it says 0 then.
pub(in crate::mcp) fn without(
    tree: &Tree<'_>,
    list: &str,
    is_cut: impl Fn(Node) -> bool,
    modern: bool,
) -> String {
    let mut cuts: Vec<(usize, usize, &str)> = Vec::new();
    if let Some(list) = tree.member(0, list) {
        let spans: Vec<(usize, usize, bool)> =
            tree.elements(list).map(|one| (start(tree, one), end(tree, one), is_cut(one))).collect();
        let kept = spans.iter().rposition(|(_, _, cut)| !cut);
        // With the comma after it, where something that stays follows.
        let before_kept = spans.windows(2).take(kept.unwrap_or(0));
        cuts.extend(before_kept.filter_map(|pair| match pair {
            [(from, _, true), (to, _, _)] => Some((*from, *to, "")),
            _ => None,
        }));
        // The rest with the comma before it.
        let tail = match kept.and_then(|kept| spans.get(kept)) {
            Some((_, end, _)) => Some(*end),
            None => spans.first().map(|(start, _, _)| *start),
        };
        if let (Some(from), Some((_, to, true))) = (tail, spans.last()) {
            cuts.push((from, *to, ""));
        }
    }
    if modern && let Some(ttl) = tree.member(0, "ttlMs") {
        cuts.push((start(tree, ttl), end(tree, ttl), "0"));
    }
    cuts.sort_unstable();
    let text = tree.raw(0);
    let (mut result, mut at) = (String::with_capacity(text.len()), start(tree, 0));
    let origin = at;
    for (from, to, instead) in cuts {
        result.push_str(text.get(at - origin..from - origin).unwrap_or_default());
        result.push_str(instead);
        at = to;
    }
    result.push_str(text.get(at - origin..).unwrap_or_default());
    result
}

fn start(tree: &Tree<'_>, node: Node) -> usize {
    tree.offset(node)
}

fn end(tree: &Tree<'_>, node: Node) -> usize {
    tree.offset(node) + tree.raw(node).len()
}
