//! What lists say, page by page, and what is cut out of them.

use super::*;
use crate::policy::reason::Reason;

fn learn(catalog: &mut Catalog, result: &str, cursor: Option<&str>) -> Listing {
    catalog.learn(Raw(result), &cursor.map(Into::into), false, |_, _, name| name.starts_with("no")).unwrap()
}

fn reason(catalog: &Catalog, tool: &str) -> Option<Reason> {
    catalog.refuse(tool).map(|refusal| refusal.denial.reason)
}

#[test]
fn a_tool_is_unknown_once_a_whole_list_was_seen() {
    let mut catalog = Catalog::default();
    assert_eq!(reason(&catalog, "a"), None);
    // Two pages; the server's cursor of the second is the empty string.
    let listing = learn(&mut catalog, r#"{"tools":[{"name":"a"}],"nextCursor":""}"#, None);
    assert_eq!(listing, Listing::default());
    assert_eq!(reason(&catalog, "b"), None);
    learn(&mut catalog, r#"{"tools":[{"name":"b"}]}"#, Some(""));
    assert_eq!((reason(&catalog, "a"), reason(&catalog, "b")), (None, None));
    assert_eq!(reason(&catalog, "c"), Some(Reason::ToolUnknown));
    assert_eq!(reason(&catalog, "A"), Some(Reason::ToolUnknown));
}

#[test]
fn a_later_list_adds_at_once_and_removes_when_it_is_complete() {
    let mut catalog = Catalog::default();
    learn(&mut catalog, r#"{"tools":[{"name":"old"},{"name":"kept"}]}"#, None);
    learn(&mut catalog, r#"{"tools":[{"name":"new"}],"nextCursor":"2"}"#, None);
    assert_eq!((reason(&catalog, "old"), reason(&catalog, "new")), (None, None));
    // A page of some other listing says nothing about what is missing.
    learn(&mut catalog, r#"{"tools":[]}"#, Some("7"));
    assert_eq!(reason(&catalog, "old"), None);
    learn(&mut catalog, r#"{"tools":[{"name":"kept"}],"nextCursor":null}"#, Some("2"));
    assert_eq!(reason(&catalog, "old"), Some(Reason::ToolUnknown));
    assert_eq!((reason(&catalog, "kept"), reason(&catalog, "new")), (None, None));
}

#[test]
fn names_that_some_reader_takes_for_one_are_nobodys() {
    for (tools, bad, good) in [
        (r#"{"name":"x","a":1},{"name":"y"},{"name":"x","a":2}"#, "x", "y"),
        (r#"{"name":"get"},{"name":"y"},{"name":"Get"}"#, "get", "y"),
        (r#"{"name":"x","\u006eame":"z"},{"name":"y"}"#, "x", "y"),
        (r#"{"name":"x","Name":"z"},{"name":"y"}"#, "x", "y"),
        (r#"{"name":"x","inputSchema":{"p":{"q":1,"q":2}}},{"name":"y"}"#, "x", "y"),
        (r#"{"name":"x","inputschema":{}},{"name":"y"}"#, "x", "y"),
        (r#"{"name":"x\u0000z"},{"name":"y"}"#, "x\0z", "y"),
    ] {
        let mut catalog = Catalog::default();
        let listing = learn(&mut catalog, &format!(r#"{{"tools":[{tools}]}}"#), None);
        assert!(!listing.hidden.is_empty(), "{tools}");
        assert!(listing.hidden.iter().all(|hidden| hidden.defect.is_some()), "{tools}");
        assert_eq!(listing.result.as_deref(), Some(r#"{"tools":[{"name":"y"}]}"#), "{tools}");
        assert!(catalog.refuse(bad).is_some_and(|refusal| refusal.is_unknown_tool()), "{tools}");
        assert_eq!(reason(&catalog, good), None, "{tools}");
    }
}

#[test]
fn names_collide_across_pages_too() {
    let mut catalog = Catalog::default();
    learn(&mut catalog, r#"{"tools":[{"name":"get"}],"nextCursor":"2"}"#, None);
    let second = learn(&mut catalog, r#"{"tools":[{"name":"GET"},{"name":"y"}]}"#, Some("2"));
    assert_eq!(second.result.as_deref(), Some(r#"{"tools":[{"name":"y"}]}"#));
    assert_eq!(reason(&catalog, "get"), Some(Reason::ToolAmbiguous));
    assert_eq!(reason(&catalog, "GET"), Some(Reason::ToolAmbiguous));
    // In the next listing the name stands alone, and is one again.
    learn(&mut catalog, r#"{"tools":[{"name":"Get"}]}"#, None);
    assert_eq!((reason(&catalog, "Get"), reason(&catalog, "get")), (None, Some(Reason::ToolUnknown)));
}

#[test]
fn what_is_cut_leaves_every_other_byte() {
    for (list, expected) in [
        (
            r#"{ "tools" : [ {"name":"a"} , {"name":"no"} ,  {"name":"b"} ] , "x":1.0e0}"#,
            r#"{ "tools" : [ {"name":"a"} , {"name":"b"} ] , "x":1.0e0}"#,
        ),
        (r#"{"tools":[{"name":"no1"},{"name":"no2"},{"name":"b"}]}"#, r#"{"tools":[{"name":"b"}]}"#),
        (r#"{"tools":[{"name":"a"},{"name":"no1"}, {"name":"no2"} ]}"#, r#"{"tools":[{"name":"a"} ]}"#),
        (
            r#"{"tools":[ {"name":"no1"},{"name":"no2"} ],"nextCursor":"n"}"#,
            r#"{"tools":[  ],"nextCursor":"n"}"#,
        ),
        (
            r#"{"tools":[{"name":"no1"},{"name":"b"},{"name":"no2"},{"name":"c"},{"name":"no3"}]}"#,
            r#"{"tools":[{"name":"b"},{"name":"c"}]}"#,
        ),
    ] {
        let listing = learn(&mut Catalog::default(), list, None);
        assert_eq!(listing.result.as_deref(), Some(expected));
        assert!(listing.hidden.iter().all(|hidden| hidden.defect.is_none()));
    }
    let untouched = r#"{"tools":[{"name":"a"}],"ttlMs":60000}"#;
    let mut catalog = Catalog::default();
    assert_eq!(catalog.learn(Raw(untouched), &None, true, |_, _, _| false).unwrap(), Listing::default());
    let modern = catalog.learn(Raw(untouched), &None, true, |_, _, _| true).unwrap();
    assert_eq!(modern.result.as_deref(), Some(r#"{"tools":[],"ttlMs":0}"#));
}

#[test]
fn what_is_no_list_is_refused() {
    for bad in [
        r#"{"tools":{}}"#,
        "{}",
        r#"{"tools":null}"#,
        r#"{"Tools":[]}"#,
        r#"{"tools":[],"TOOLS":[]}"#,
        r#"{"tools":[],"nextCursor":1}"#,
        r#"{"tools":[],"nextcursor":"x"}"#,
    ] {
        let refusal = Catalog::default().learn(Raw(bad), &None, false, |_, _, _| false).unwrap_err();
        assert_eq!(refusal.denial.reason, Reason::MessageMalformed, "{bad}");
    }
}

#[test]
fn hints_are_what_the_server_says_and_nothing_else() {
    let mut catalog = Catalog::default();
    let list = r#"{"tools":[{"name":"a","annotations":{"readOnlyHint":true,"openWorldHint":false,"destructiveHint":"yes"}},{"name":"b"}]}"#;
    learn(&mut catalog, list, None);
    let hints = Annotations { read_only: Some(true), open_world: Some(false), ..Annotations::default() };
    assert_eq!(catalog.annotations("a"), Some(hints));
    assert_eq!(catalog.annotations("b"), Some(Annotations::default()));
    assert_eq!(catalog.annotations("c"), None);
}

#[test]
fn what_is_kept_is_bounded() {
    let tools: Vec<String> = (0..=MAX_TOOLS).map(|n| format!(r#"{{"name":"t{n}"}}"#)).collect();
    let mut catalog = Catalog::default();
    let listing = learn(&mut catalog, &format!(r#"{{"tools":[{}]}}"#, tools.join(",")), None);
    assert_eq!(listing.hidden.len(), 1);
    assert_eq!(reason(&catalog, &format!("t{MAX_TOOLS}")), Some(Reason::ToolUnknown));
}
