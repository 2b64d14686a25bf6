//! The client's folders, as far as the server may know of them: those that lie in folders that it was granted.
//!
//! A root is shown when its URI is a `file://` URI in its one plain spelling, and its path lies in a granted folder by its text
//! and on the disk. All others are cut out of the answer; every other byte stays.
//!
//! Rests on RFC 8089 (`file`) and RFC 3986.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::jsonrpc::{Kind, Node, Raw, Tree, folded};
use crate::mcp::arguments::ground::{Disk, Folders, Ground, normal};
use crate::mcp::catalog::cut;
use crate::mcp::percent;
use crate::mcp::refusal::Refusal;

/// Most values and names in an answer.
const MAX_VALUES: usize = 1 << 20;

/// What becomes of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The answer without the others; `None`: it goes on as it is.
    pub text: Option<String>,
    /// Roots that the server is shown.
    pub shown: u64,
    /// Roots that it is not.
    pub hidden: u64,
}

/// The folders that roots are compared with.
pub(in crate::mcp) struct Roots {
    granted: Folders,
    disk: Arc<dyn Disk>,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roots").field("granted", &self.granted).finish_non_exhaustive()
    }
}

impl Roots {
    pub(super) fn new(ground: &Ground) -> Self {
        let disk = Arc::clone(&ground.disk);
        Roots { granted: Folders::of(&ground.granted, &*disk), disk }
    }

    /// Cuts every root out of `answer` that the server may not know of. What has no list of roots stays as it is.
    ///
    /// # Errors
    /// An answer that two readers could take for different lists.
    pub(in crate::mcp) fn intersect(&self, answer: Raw<'_>) -> Result<Shown, Refusal> {
        let tree = Tree::read(answer.0, u32::MAX, MAX_VALUES).map_err(|error| {
            Refusal::ambiguous(format!("an answer about roots cannot be judged: {error}"))
        })?;
        if let Some(name) = tree.duplicate(0) {
            let detail = format!("{} has the member {} twice", tree.pointer(name), tree.raw(name));
            return Err(Refusal::ambiguous(detail));
        }
        let is_alike =
            |(key, _): &(Node, Node)| tree.string(*key).is_some_and(|name| is_alike(&name, "roots"));
        if tree.members(0).any(|member| is_alike(&member)) {
            return Err(Refusal::ambiguous("a member is named like \"roots\" but for its case"));
        }
        let Some(roots) = tree.member(0, "roots") else { return Ok(Shown::default()) };
        if tree.kind(roots) != Kind::Array {
            return Err(Refusal::malformed("\"roots\" is no array"));
        }
        let hidden: Vec<Node> = tree.elements(roots).filter(|root| !self.may_know(&tree, *root)).collect();
        let all = tree.count(roots) as u64;
        let text = (!hidden.is_empty())
            .then(|| cut::without(&tree, "roots", |node| hidden.binary_search(&node).is_ok(), false));
        Ok(Shown { text, shown: all - hidden.len() as u64, hidden: hidden.len() as u64 })
    }

    fn may_know(&self, tree: &Tree<'_>, root: Node) -> bool {
        let has_another =
            tree.members(root).any(|(key, _)| tree.string(key).is_some_and(|name| is_alike(&name, "uri")));
        let uri = tree.member(root, "uri").and_then(|uri| tree.string(uri));
        !has_another && uri.and_then(|uri| path(&uri)).is_some_and(|path| self.holds(&path))
    }

    fn holds(&self, path: &Path) -> bool {
        self.granted.name(&normal(path)) && self.granted.reach(path, &*self.disk).unwrap_or(false)
    }
}

fn is_alike(name: &str, meant: &str) -> bool {
    name != meant && folded(name) == folded(meant)
}

/// The path of a `file://` URI in its one spelling: no host, no query, nothing encoded that need not be a path, no way
/// up.
fn path(uri: &str) -> Option<PathBuf> {
    let text = uri.strip_prefix("file://")?;
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\' | '"' | '<' | '>' | '`');
    // Clients differ in what they encode: a letter of another script may stand as it is.
    if !text.starts_with('/') || !text.chars().all(|c| is_plain(c) || !c.is_ascii() && c.is_alphanumeric()) {
        return None;
    }
    let may_stand_for = |byte: u8| !matches!(byte, b'/' | b'\\' | b'%') && !byte.is_ascii_control();
    let decoded = percent::decoded(text, may_stand_for)?;
    let climbs = decoded.split('/').any(|part| part == "." || part == "..");
    (!climbs).then(|| PathBuf::from(decoded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::arguments::ground::bare;

    fn roots() -> Roots {
        Roots::new(&Ground { granted: vec!["/work/app".into(), "/work/my docs".into()], ..bare() })
    }

    #[test]
    fn only_roots_in_granted_folders_are_shown() {
        for (uri, shown) in [
            ("file:///work/app", true),
            ("file:///work/app/", true),
            ("file:///work/app/src", true),
            ("file:///work/my%20docs/x", true),
            ("file:///work/app-secret", false),
            ("file:///work", false),
            ("file:///", false),
            ("file:///work/app/../../etc", false),
            ("file:///work/app/%2e%2e/%2e%2e/etc", false),
            ("file:///work%2fapp", false),
            ("file:///work/app%00/x", false),
            ("file:///work/app%2525", false),
            ("file:///work/app?x", false),
            ("file:///work/app#x", false),
            ("file://host/work/app", false),
            ("file://localhost/work/app", false),
            ("file:/work/app", false),
            ("FILE:///work/app", false),
            ("/work/app", false),
            ("https://example.com/work/app", false),
            ("file:///work/app\\x", false),
            ("file:///work/app/%zz", false),
            ("file:///work/app/%f", false),
            ("file:///work/app/%ff", false),
        ] {
            let answer = serde_json::json!({"roots": [{"uri": uri}]}).to_string();
            let found = roots().intersect(Raw(&answer)).unwrap();
            assert_eq!((found.shown, found.hidden), (u64::from(shown), u64::from(!shown)), "{uri}");
            assert_eq!(found.text.as_deref(), (!shown).then_some(r#"{"roots":[]}"#), "{uri}");
        }
    }

    #[test]
    fn every_other_byte_stays() {
        let answer = r#"{ "_meta":{"n":1.0e0}, "roots" : [ {"uri":"file:///etc"} , {"name":"\u0061","uri":"file:///work/app"} ], "x":2}"#;
        let found = roots().intersect(Raw(answer)).unwrap();
        let expected =
            r#"{ "_meta":{"n":1.0e0}, "roots" : [ {"name":"\u0061","uri":"file:///work/app"} ], "x":2}"#;
        assert_eq!(found, Shown { text: Some(expected.into()), shown: 1, hidden: 1 });
        assert_eq!(roots().intersect(Raw(r#"{"action":"accept"}"#)).unwrap(), Shown::default());
    }

    #[test]
    fn what_has_two_meanings_is_no_answer() {
        for answer in [
            r#"{"roots":[],"roots":[{"uri":"file:///etc"}]}"#,
            r#"{"Roots":[{"uri":"file:///etc"}]}"#,
            r#"{"roots":[{"uri":"file:///work/app","uri":"file:///etc"}]}"#,
            r#"{"roots":{}}"#,
        ] {
            assert!(roots().intersect(Raw(answer)).is_err(), "{answer}");
        }
        let folded = r#"{"roots":[{"uri":"file:///work/app","URI":"file:///etc"}]}"#;
        assert_eq!(roots().intersect(Raw(folded)).unwrap().hidden, 1);
    }
}
