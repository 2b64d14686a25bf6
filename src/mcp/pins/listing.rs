//! Lists of prompts, resources and resource templates as the watch sees them, page by page. Tools have a catalogue of
//! their own.
//!
//! What two readers could take for different definitions cannot be compared: under `enforce` it is cut out, as what is
//! held back is. A name that a listing has twice is held back if one of the two is.

use std::collections::{BTreeMap, HashMap};

use crate::jsonrpc::{Kind as Json, Node, Raw, Tree};
use crate::mcp::catalog::{Cursor, Hidden, Listing, cut, next_page};
use crate::mcp::pins::watch::Watch;
use crate::mcp::pins::{Kind, Value};
use crate::mcp::refusal::Refusal;

/// Most values and names in one answer.
const MAX_NODES: usize = 4 << 20;
/// Longest definition that is kept, in bytes.
const MAX_DEFINITION: usize = 64 << 10;
/// Most names of a listing that is read to its end.
const MAX_NAMES: usize = 20_000;

/// A listing whose last page was not seen yet.
#[derive(Debug, Default)]
struct Building {
    /// The page that comes next.
    next: Cursor,
    /// The names, and whether each is held back.
    names: HashMap<Box<str>, bool>,
}

/// The listings of a session.
#[derive(Debug, Default)]
pub(in crate::mcp) struct Listings(BTreeMap<Kind, Building>);

impl Listings {
    /// Learns from the result of a list of `kind`. `modern` says whether the answer may be cached.
    ///
    /// # Errors
    /// A result that is no such list to every reader, where what changed is held back.
    pub(in crate::mcp) fn learn(
        &mut self,
        watch: &mut Watch,
        kind: Kind,
        result: Raw<'_>,
        cursor: &Cursor,
        modern: bool,
    ) -> Result<Listing, Refusal> {
        match self.read(watch, kind, result, cursor, modern) {
            Err(_) if !watch.enforces() => Ok(Listing::default()),
            read => read,
        }
    }

    fn read(
        &mut self,
        watch: &mut Watch,
        kind: Kind,
        result: Raw<'_>,
        cursor: &Cursor,
        modern: bool,
    ) -> Result<Listing, Refusal> {
        let Some((_, list)) = kind.list() else { return Ok(Listing::default()) };
        let tree = Tree::read(result.0, u32::MAX, MAX_NODES)
            .map_err(|error| Refusal::no_list(kind.noun(), &error.to_string()))?;
        let (elements, next) = next_page(&tree, list, kind.noun())?;
        let mut building = self.begin(kind, cursor);
        let mut hidden: Vec<(Node, Hidden)> = Vec::new();
        for node in tree.elements(elements) {
            let name = tree.member(node, kind.key()).and_then(|name| tree.string(name)).unwrap_or_default();
            let defect = defect(&tree, node, kind, &name);
            let before = building.as_ref().and_then(|building| building.names.get(&*name)).copied();
            let held = match &defect {
                _ if before == Some(true) => true,
                // A first sight of it would be nobody's.
                Some(_) if !name.is_empty() && watch.has_pinned(kind, &name) => {
                    watch.see(kind, &name, Value::String(tree.raw(node).into()))
                }
                Some(_) => false,
                None => watch.see(kind, &name, Value::of(&tree, node)),
            };
            let held = held || defect.is_some() && watch.enforces();
            if let Some(building) = building.as_mut().filter(|_| !name.is_empty()) {
                building.names.insert((*name).into(), held);
            }
            if held {
                hidden.push((node, Hidden { name: name.into_owned(), defect }));
            }
        }
        match (building, next) {
            (Some(building), Some(next)) if building.names.len() <= MAX_NAMES => {
                self.0.insert(kind, Building { next: Some(next), ..building });
            }
            (Some(building), None) => watch.whole(kind, building.names.keys().map(|name| &**name)),
            _ => {}
        }
        let is_cut = |node| hidden.binary_search_by_key(&node, |(node, _)| *node).is_ok();
        let result = (!hidden.is_empty()).then(|| cut::without(&tree, list, is_cut, modern));
        Ok(Listing { hidden: hidden.into_iter().map(|(_, hidden)| hidden).collect(), result })
    }

    /// The listing that the page belongs to; a first page begins one.
    fn begin(&mut self, kind: Kind, cursor: &Cursor) -> Option<Building> {
        if cursor.is_none() {
            self.0.remove(&kind);
            return Some(Building::default());
        }
        let continues = self.0.get(&kind).is_some_and(|building| building.next == *cursor);
        continues.then(|| self.0.remove(&kind)).flatten()
    }
}

/// What keeps a definition from being compared.
fn defect(tree: &Tree<'_>, node: Node, kind: Kind, name: &str) -> Option<Refusal> {
    let noun = kind.noun();
    let ambiguous = |detail: &str| Some(Refusal::ambiguous_definition(noun, detail));
    if tree.kind(node) != Json::Object {
        return ambiguous("it is no object");
    }
    if let Some(twice) = tree.duplicate(node) {
        return ambiguous(&format!("{} has the member {} twice", tree.pointer(twice), tree.raw(twice)));
    }
    if name.is_empty() {
        return ambiguous(&format!("it has no \"{}\"", kind.key()));
    }
    (tree.raw(node).len() > MAX_DEFINITION).then(|| Refusal::long_definition(noun, MAX_DEFINITION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::pins::known::Known;

    struct Scene {
        listings: Listings,
        watch: Watch,
    }

    impl Scene {
        fn new(enforce: bool) -> Scene {
            Scene { listings: Listings::default(), watch: Watch::new("s", enforce, Known::default()) }
        }

        /// The names that the client is shown of a page.
        fn shows(&mut self, kind: Kind, page: &str, cursor: Option<&str>) -> Vec<String> {
            let listing = self
                .listings
                .learn(&mut self.watch, kind, Raw(page), &cursor.map(Into::into), false)
                .unwrap_or_else(|refusal| panic!("{refusal:?}"));
            let shown = listing.result.unwrap_or_else(|| page.to_owned());
            let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
            let list = shown[kind.list().unwrap().1].as_array().unwrap();
            list.iter().map(|it| it[kind.key()].as_str().unwrap_or_default().to_owned()).collect()
        }
    }

    fn page(of: &str, next: &str) -> String {
        format!(r#"{{"prompts":[{of}]{next}}}"#)
    }

    #[test]
    fn a_list_of_several_pages_is_whole_at_its_last() {
        let (a, b, c) = (r#"{"name":"a"}"#, r#"{"name":"b"}"#, r#"{"name":"c"}"#);
        let mut scene = Scene::new(true);
        assert_eq!(scene.shows(Kind::Prompt, &page(a, r#","nextCursor":"""#), None), ["a"]);
        assert!(!scene.watch.is_unknown(Kind::Prompt, "c"));
        // A page that belongs to no listing of ours ends none.
        assert_eq!(scene.shows(Kind::Prompt, &page(a, ""), Some("elsewhere")), ["a"]);
        assert!(!scene.watch.is_unknown(Kind::Prompt, "c"));
        assert_eq!(scene.shows(Kind::Prompt, &page(b, ""), Some("")), ["b"]);
        assert!(scene.watch.is_unknown(Kind::Prompt, "c"));
        // From then on a list, and any page of one, has what it had.
        assert_eq!(scene.shows(Kind::Prompt, &page(&format!("{a},{c}"), ""), Some("2")), ["a"]);
        assert_eq!(scene.shows(Kind::Prompt, &page(&format!("{c},{b},{a}"), ""), None), ["b", "a"]);
    }

    #[test]
    fn what_is_there_twice_is_shown_as_it_was_pinned_or_not_at_all() {
        let (good, bad) = (r#"{"name":"a","description":"d"}"#, r#"{"name":"a","description":"another"}"#);
        let mut scene = Scene::new(true);
        assert_eq!(scene.shows(Kind::Prompt, &page(good, ""), None), ["a"]);
        assert_eq!(scene.shows(Kind::Prompt, &page(&format!("{bad},{good}"), ""), None), [""; 0]);
        assert!(scene.watch.refuse(Kind::Prompt, "a").is_some());
        assert_eq!(scene.shows(Kind::Prompt, &page(&format!("{good},{bad}"), ""), None), ["a"]);
        assert!(scene.watch.refuse(Kind::Prompt, "a").is_some());
        assert_eq!(scene.shows(Kind::Prompt, &page(good, ""), None), ["a"]);
        assert!(scene.watch.refuse(Kind::Prompt, "a").is_none());
    }

    #[test]
    fn what_cannot_be_compared_is_shown_under_warn_only() {
        let twice = r#"{"name":"a","description":"d","description":"e"}"#;
        let long = format!(r#"{{"name":"l","description":"{}"}}"#, "x".repeat(MAX_DEFINITION));
        let all = page(&format!(r#"{{"name":"b"}},{twice},{{}},{long},[]"#), "");
        assert_eq!(Scene::new(true).shows(Kind::Prompt, &all, None), ["b"]);
        assert_eq!(Scene::new(false).shows(Kind::Prompt, &all, None), ["b", "a", "", "l", ""]);
        let mut scene = Scene::new(true);
        assert_eq!(scene.shows(Kind::Prompt, &page(r#"{"name":"a","description":"d"}"#, ""), None), ["a"]);
        assert_eq!(scene.shows(Kind::Prompt, &page(twice, ""), None), [""; 0]);
        assert!(scene.watch.refuse(Kind::Prompt, "a").is_some());
        for bad in [r#"{"prompts":{}}"#, r#"{"Prompts":[]}"#, r#"{"prompts":[],"nextCursor":1}"#, "{}"] {
            let learn = |enforce| {
                let mut scene = Scene::new(enforce);
                scene.listings.learn(&mut scene.watch, Kind::Prompt, Raw(bad), &None, false).is_ok()
            };
            assert!(!learn(true) && learn(false), "{bad}");
        }
    }
}
