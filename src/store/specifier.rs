//! Version specifiers of Python: whether a release is one of those that are asked for.
//!
//! Releases alone are compared, as numbers: that is what interpreters have, and what most packages have. What cannot be
//! told that way (a pre-release, another language) is `None`, and whoever asks decides what follows. Rests on "Version
//! specifiers" of packaging.python.org (PEP 440).

use std::cmp::Ordering;

/// The numbers of a release: `3.11.2`. `None` where it has anything else to it.
pub(crate) fn release(version: &str) -> Option<Vec<u32>> {
    version.trim().split('.').map(|part| part.parse().ok()).collect()
}

/// Whether a release fits every one of the specifiers; `None` when one of them cannot be read.
pub(crate) fn admits(specifiers: &str, release: &[u32]) -> Option<bool> {
    let mut all = true;
    for one in specifiers.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        all &= fits(one, release)?;
    }
    Some(all)
}

fn fits(specifier: &str, version: &[u32]) -> Option<bool> {
    let end = specifier.find(|c: char| !matches!(c, '<' | '>' | '=' | '!' | '~'))?;
    let (sign, wanted) = specifier.split_at(end);
    let (wanted, any) = match wanted.trim().strip_suffix(".*") {
        Some(prefix) => (release(prefix)?, true),
        None => (release(wanted)?, false),
    };
    let order = compare(version, &wanted);
    Some(match (sign, any) {
        ("==", true) => begins(version, &wanted),
        ("!=", true) => !begins(version, &wanted),
        ("==", false) => order == Ordering::Equal,
        ("!=", false) => order != Ordering::Equal,
        (">=", false) => order != Ordering::Less,
        ("<=", false) => order != Ordering::Greater,
        (">", false) => order == Ordering::Greater,
        ("<", false) => order == Ordering::Less,
        ("~=", false) if wanted.len() > 1 => {
            order != Ordering::Less && begins(version, &wanted[..wanted.len() - 1])
        }
        _ => return None,
    })
}

/// As numbers, part by part; what is missing is zero.
fn compare(one: &[u32], other: &[u32]) -> Ordering {
    let part = |of: &[u32], at: usize| of.get(at).copied().unwrap_or(0);
    (0..one.len().max(other.len()))
        .map(|at| part(one, at).cmp(&part(other, at)))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

fn begins(version: &[u32], prefix: &[u32]) -> bool {
    prefix.iter().enumerate().all(|(at, part)| version.get(at).copied().unwrap_or(0) == *part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        for (specifiers, version, expected) in [
            (">=3.10", "3.9.18", Some(false)),
            (">=3.10", "3.10", Some(true)),
            (">=3.10,<4", "3.11.2", Some(true)),
            (">=3.10, <3.11", "3.11.0", Some(false)),
            ("==3.11.*", "3.11.7", Some(true)),
            ("!=3.11.*", "3.11.7", Some(false)),
            ("==3.11", "3.11.0", Some(true)),
            ("==3.11", "3.11.2", Some(false)),
            ("~=3.11", "3.14.1", Some(true)),
            ("~=3.11.4", "3.12.0", Some(false)),
            ("~=3.11.4", "3.11.3", Some(false)),
            (">3.10", "3.10.1", Some(true)),
            ("<=3.10", "3.10.1", Some(false)),
            ("", "3.1", Some(true)),
            ("^3.10", "3.11", None),
            (">=3.13.0rc1", "3.13.0", None),
            ("~=3", "3.1", None),
            (">=3.10.*", "3.10", None),
            ("3.11", "3.11", None),
        ] {
            assert_eq!(admits(specifiers, &release(version).unwrap()), expected, "{specifiers} of {version}");
        }
        assert_eq!(release("1.0rc1"), None);
        assert_eq!(release(""), None);
    }
}
