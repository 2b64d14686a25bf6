//! Where an argument's rule looks: from `edits[].oldText` to the values that are there.

use crate::jsonrpc::{Node, Tree};
use crate::policy::argument::{ArgumentPath, Step};

/// The values at a place, in the order of the text.
pub(super) fn find(tree: &Tree<'_>, at: &ArgumentPath) -> Vec<Node> {
    let mut nodes = vec![0];
    for step in at.steps() {
        nodes = match step {
            Step::Member(name) => nodes.iter().filter_map(|node| tree.member(*node, name)).collect(),
            Step::Each => nodes.iter().flat_map(|node| tree.elements(*node)).collect(),
        };
    }
    nodes
}
