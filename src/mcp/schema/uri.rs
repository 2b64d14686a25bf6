//! Names of schemas: references resolved against a base, and nothing fetched.
//!
//! Rests on RFC 3986, section 5.2, as far as names have to be compared.

/// The five parts of a reference; those that are absent are `None`.
#[derive(Debug, Clone, Copy, Default)]
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

/// `(everything before the fragment, the fragment)`.
pub(super) fn split_fragment(reference: &str) -> (&str, Option<&str>) {
    match reference.split_once('#') {
        Some((before, fragment)) => (before, Some(fragment)),
        None => (reference, None),
    }
}

/// `reference`, which has no fragment, as seen from `base`, which has none either.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    let (base, reference) = (parts(base), parts(reference));
    if reference.scheme.is_some() {
        return join(reference.scheme, reference.authority, &without_dots(reference.path), reference.query);
    }
    if reference.authority.is_some() {
        return join(base.scheme, reference.authority, &without_dots(reference.path), reference.query);
    }
    if reference.path.is_empty() {
        return join(base.scheme, base.authority, base.path, reference.query.or(base.query));
    }
    let path = if reference.path.starts_with('/') {
        without_dots(reference.path)
    } else {
        let folder = match base.path.rfind('/') {
            Some(slash) => base.path.get(..=slash).unwrap_or_default(),
            None if base.authority.is_some() => "/",
            None => "",
        };
        without_dots(&format!("{folder}{}", reference.path))
    };
    join(base.scheme, base.authority, &path, reference.query)
}

fn parts(reference: &str) -> Parts<'_> {
    let (rest, query) = match reference.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (reference, None),
    };
    let is_scheme = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, rest),
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return Parts { scheme, authority: None, path: rest, query };
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Parts { scheme, authority: Some(authority), path, query }
}

fn join(scheme: Option<&str>, authority: Option<&str>, path: &str, query: Option<&str>) -> String {
    let mut whole = String::new();
    for (before, part, after) in
        [("", scheme, ":"), ("//", authority, ""), ("", Some(path), ""), ("?", query, "")]
    {
        if let Some(part) = part {
            whole.extend([before, part, after]);
        }
    }
    whole
}

/// RFC 3986, section 5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let absolute = path.starts_with('/');
    let mut ends_open = false;
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        ends_open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    if ends_open {
        kept.push("");
    }
    format!("{}{}", if absolute { "/" } else { "" }, kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 3986, section 5.4, without fragments.
    #[test]
    fn references_resolve_as_the_standard_says() {
        let base = "http://a/b/c/d;p?q";
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/../y", "http://a/b/c/y"),
        ] {
            assert_eq!(resolve(base, reference), expected, "{reference}");
        }
        assert_eq!(resolve("", "item.json"), "item.json");
        assert_eq!(resolve("urn:uuid:1", "urn:uuid:2"), "urn:uuid:2");
        assert_eq!(resolve("http://host", "x"), "http://host/x");
        assert_eq!(resolve("file:///folder/file.json", "other.json"), "file:///folder/other.json");
    }
}
