//! Equality of JSON values, as `enum`, `const` and `uniqueItems` mean it: numbers by value, strings by what they say,
//! members in any order.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::jsonrpc::{Kind, Node, Tree};
use crate::mcp::schema::number::Decimal;

/// A number that equal values share. Others may share it too, so what it finds is compared.
pub(super) fn number_of(tree: &Tree<'_>, node: Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    let kind = tree.kind(node);
    kind.hash(&mut hasher);
    match kind {
        Kind::Null | Kind::Boolean => tree.raw(node).hash(&mut hasher),
        Kind::Number => Decimal::parse(tree.raw(node)).hash(&mut hasher),
        Kind::String => tree.string(node).hash(&mut hasher),
        Kind::Array => tree.elements(node).for_each(|element| number_of(tree, element).hash(&mut hasher)),
        Kind::Object => {
            let member = |(key, value)| {
                let mut hasher = DefaultHasher::new();
                (tree.string(key), number_of(tree, value)).hash(&mut hasher);
                hasher.finish()
            };
            // A sum, for the order of members says nothing.
            tree.members(node).map(member).fold(0, u64::wrapping_add).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Whether two values are equal.
pub(super) fn equal(one: &Tree<'_>, a: Node, other: &Tree<'_>, b: Node) -> bool {
    let kind = one.kind(a);
    if kind != other.kind(b) || one.count(a) != other.count(b) {
        return false;
    }
    match kind {
        Kind::Null => true,
        Kind::Boolean => one.raw(a) == other.raw(b),
        Kind::Number => {
            let (a, b) = (one.raw(a), other.raw(b));
            a == b || Decimal::parse(a).is_some_and(|a| Some(a) == Decimal::parse(b))
        }
        Kind::String => one.string(a) == other.string(b),
        Kind::Array => one.elements(a).zip(other.elements(b)).all(|(a, b)| equal(one, a, other, b)),
        Kind::Object => {
            let sorted = |tree: &'_ Tree<'_>, node| {
                let mut members: Vec<_> = tree
                    .members(node)
                    .map(|(key, value)| (tree.string(key).unwrap_or_default().into_owned(), value))
                    .collect();
                members.sort_unstable();
                members
            };
            let (ours, theirs) = (sorted(one, a), sorted(other, b));
            ours.iter()
                .zip(&theirs)
                .all(|((a_name, a), (b_name, b))| a_name == b_name && equal(one, *a, other, *b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_equal_however_they_are_written() {
        let same = [
            (r#"{"a":1,"b":[1.0,null]}"#, r#"{"b":[10e-1,null],"\u0061":1.00}"#),
            (r#""\u00e9""#, "\"\u{e9}\""),
            ("-0", "0"),
            ("[]", "[]"),
        ];
        for (one, other) in same {
            let (one, other) = (Tree::read(one, 9, 99).unwrap(), Tree::read(other, 9, 99).unwrap());
            assert!(equal(&one, 0, &other, 0));
            assert_eq!(number_of(&one, 0), number_of(&other, 0));
        }
        let values = [
            "0",
            "false",
            "\"0\"",
            "\"\"",
            "[0]",
            "[false]",
            "{}",
            "[]",
            "null",
            "[[0]]",
            r#"{"a":0}"#,
            r#"{"a":false}"#,
            r#"{"b":0}"#,
            "1e400",
            "9007199254740993",
            "9007199254740992",
        ];
        for (n, one) in values.iter().enumerate() {
            for (m, other) in values.iter().enumerate() {
                let (one, other) = (Tree::read(*one, 9, 99).unwrap(), Tree::read(*other, 9, 99).unwrap());
                assert_eq!(equal(&one, 0, &other, 0), n == m, "{n} {m}");
                assert_eq!(number_of(&one, 0) == number_of(&other, 0), n == m, "{n} {m}");
            }
        }
    }
}
