//! The order of versions, and the newest that a prefix means. Pure; the grammar is pyenv's (`pyenv-latest`).

use std::cmp::Ordering;

/// Sorts `3.11.7` before `3.9.18`: numbers are compared as numbers, everything else as text.
pub(super) fn newest_first(a: &str, b: &str) -> Ordering {
    let mut left = chunks(b);
    let mut right = chunks(a);
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) if left == right => {}
            (left, right) => return left.cmp(&right),
        }
    }
}

/// A run of digits (its length without leading zeros, then the digits) or one other character.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Chunk<'a> {
    Other(char),
    Number(usize, &'a str),
}

fn chunks(mut text: &str) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let (number, rest) = text.split_at(digits);
            text = rest;
            let number = number.trim_start_matches('0');
            return Some(Chunk::Number(number.len(), number));
        }
        let other = text.chars().next()?;
        text = &text[other.len_utf8()..];
        Some(Chunk::Other(other))
    })
}

/// The newest finished release that a prefix means: `3.11` is `3.11.7`, never `3.110.1`, `3.11-dev` or `3.11.8rc1`.
pub(super) fn newest_of<'a>(installed: &'a [String], prefix: &str) -> Option<&'a str> {
    installed
        .iter()
        .map(String::as_str)
        .filter(|version| {
            let rest = version.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with(['.', '-'])) && is_release(version)
        })
        .min_by(|a, b| newest_first(a, b))
}

fn is_release(version: &str) -> bool {
    let unnumbered = version.trim_end_matches(|last: char| last.is_ascii_digit());
    let preview =
        unnumbered.len() < version.len() && ["a", "b", "rc"].iter().any(|end| unnumbered.ends_with(end));
    // `3.13.0t` is the build without the global lock: it has to be asked for.
    let threaded =
        version.strip_suffix('t').is_some_and(|rest| rest.ends_with(|last: char| last.is_ascii_digit()));
    !preview && !threaded && !["-dev", "-src", "-latest"].iter().any(|end| version.ends_with(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn versions(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let mut names = versions(&["3.9.18", "3.11.7", "3.10.13", "20.1.0", "3.11.12"]);
        names.sort_by(|a, b| newest_first(a, b));
        assert_eq!(names, ["20.1.0", "3.11.12", "3.11.7", "3.10.13", "3.9.18"]);
    }

    #[test]
    fn a_prefix_means_the_newest_release() {
        let names = versions(&[
            "3.11.7",
            "3.11.12",
            "3.11-dev",
            "3.110.1",
            "3.11.13rc1",
            "3.11.14t",
            "pypy3.10-7.3.1",
        ]);
        assert_eq!(newest_of(&names, "3.11"), Some("3.11.12"));
        assert_eq!(newest_of(&names, "3"), Some("3.110.1"));
        assert_eq!(newest_of(&names, "pypy3.10"), Some("pypy3.10-7.3.1"));
        assert_eq!(newest_of(&names, "3.1"), None);
        assert_eq!(newest_of(&names, ""), None);
    }

    proptest! {
        #[test]
        fn the_order_is_an_order(mut names in prop::collection::vec("[0-9a-z.é-]{0,6}", 0..12)) {
            names.sort_by(|a, b| newest_first(a, b));
            for pair in names.windows(2) {
                prop_assert_eq!(newest_first(&pair[1], &pair[0]), newest_first(&pair[0], &pair[1]).reverse());
            }
        }
    }
}
