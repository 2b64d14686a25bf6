//! Whether a URI can come of a URI template (RFC 6570): its literal parts in their order, anything between them.
//!
//! Read generously: a template counts as leading to a URI also where the values that it would take are not allowed in
//! its expressions. What is asked is which templates a reader may have made the URI from, and that is not known.

/// Whether `template` may have led to `uri`.
pub(super) fn leads_to(template: &str, uri: &str) -> bool {
    let mut literals = Vec::new();
    let mut rest = template;
    // An unmatched brace is a character like any other.
    while let Some((literal, after)) = rest.split_once('{')
        && let Some((_, after)) = after.split_once('}')
    {
        literals.push(literal);
        rest = after;
    }
    let Some((first, middle)) = literals.split_first() else { return template == uri };
    let Some(inner) = uri.strip_prefix(*first).and_then(|inner| inner.strip_suffix(rest)) else {
        return false;
    };
    let mut inner = inner;
    middle.iter().all(|literal| match inner.split_once(*literal) {
        Some((_, after)) => {
            inner = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_parts_stand_in_their_order() {
        for (template, uri, leads) in [
            ("demo://text/{id}", "demo://text/5", true),
            ("demo://text/{id}", "demo://text/", true),
            ("demo://text/{id}", "demo://blob/5", false),
            ("demo://text/{id}", "xdemo://text/5", false),
            ("file:///{+path}", "file:///a/b/c", true),
            ("{+all}", "anything", true),
            ("a/{x}/b/{y}/c", "a/1/b/2/c", true),
            ("a/{x}/b/{y}/c", "a/1/2/c", false),
            ("a/{x}/b/{y}/c", "a/1/b/2/d", false),
            ("a{x}{y}b", "a12b", true),
            ("a{x}a", "a", false),
            ("plain", "plain", true),
            ("plain", "plain2", false),
            ("open{", "open{", true),
            ("{x}/{", "1/{", true),
            ("", "", true),
        ] {
            assert_eq!(leads_to(template, uri), leads, "{template} {uri}");
        }
    }
}
