//! SPDX licence expressions, as far as crates use them: `OR`, `AND`, `WITH`, parentheses, and the old `/` for `OR`.
//!
//! <https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>: `AND` binds tighter than `OR`, `WITH` tightest.

/// Whether the expression can be satisfied with licences from `allowed` alone. What cannot be read is not allowed.
pub(crate) fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    matches!(any_of(&words, allowed), Some((true, [])))
}

type Read<'a, 'w> = Option<(bool, &'a [&'w str])>;

fn any_of<'a, 'w>(words: &'a [&'w str], allowed: &[&str]) -> Read<'a, 'w> {
    let (mut satisfied, mut rest) = all_of(words, allowed)?;
    while let Some((&"OR", after)) = rest.split_first() {
        let (next, after) = all_of(after, allowed)?;
        (satisfied, rest) = (satisfied || next, after);
    }
    Some((satisfied, rest))
}

fn all_of<'a, 'w>(words: &'a [&'w str], allowed: &[&str]) -> Read<'a, 'w> {
    let (mut satisfied, mut rest) = one(words, allowed)?;
    while let Some((&"AND", after)) = rest.split_first() {
        let (next, after) = one(after, allowed)?;
        (satisfied, rest) = (satisfied && next, after);
    }
    Some((satisfied, rest))
}

fn one<'a, 'w>(words: &'a [&'w str], allowed: &[&str]) -> Read<'a, 'w> {
    match words {
        ["(", inner @ ..] => match any_of(inner, allowed)? {
            (satisfied, [")", rest @ ..]) => Some((satisfied, rest)),
            _ => None,
        },
        ["OR" | "AND" | "WITH" | ")", ..] | [] => None,
        [licence, "WITH", exception, rest @ ..] => {
            Some((allowed.contains(&format!("{licence} WITH {exception}").as_str()), rest))
        }
        [licence, rest @ ..] => Some((allowed.contains(licence), rest)),
    }
}

#[test]
fn expressions_are_read() {
    let allowed = ["MIT", "Apache-2.0"];
    for good in
        ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-2.0", "MIT AND Apache-2.0", "(MIT OR GPL-2.0) AND (Apache-2.0)"]
    {
        assert!(satisfied(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "MIT MIT",
        "(MIT",
        "MIT OR",
        "Apache-2.0 WITH LLVM-exception",
        "mit",
    ] {
        assert!(!satisfied(bad, &allowed), "{bad}");
    }
}
