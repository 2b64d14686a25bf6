//! Closed schemas, messages, and schemas that want to hurt.

use super::*;

fn schema(text: &str) -> Compiled {
    compile(text, Bounds::DEFAULT).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What is said of arguments when the schema is closed: `None` when they are good.
fn closed(text: &str, arguments: &str) -> Option<Violation> {
    match schema(text).check(arguments, Unlisted::Refused) {
        Verdict::Good => None,
        Verdict::Bad(violation) => Some(violation),
        Verdict::Unknown(why) => panic!("{text}: {arguments}: {why}"),
    }
}

fn unlisted(text: &str, arguments: &str) -> Option<String> {
    closed(text, arguments).map(|violation| {
        assert_eq!(violation.fault, Fault::UnknownField, "{text}: {arguments}: {violation}");
        violation.pointer
    })
}

#[test]
fn what_no_schema_lists_is_refused_at_every_level() {
    let text =
        r#"{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"array","items":
        {"type":"object","properties":{"c":{}}}}}}}}"#
            .replace('\n', " ");
    assert_eq!(unlisted(&text, r#"{"a":{"b":[{"c":1},{}]}}"#), None);
    assert_eq!(unlisted(&text, r#"{"x":1}"#).as_deref(), Some("/x"));
    assert_eq!(unlisted(&text, r#"{"a":{"x":1}}"#).as_deref(), Some("/a/x"));
    assert_eq!(unlisted(&text, r#"{"a":{"b":[{"c":1},{"C":1}]}}"#).as_deref(), Some("/a/b/1/C"));
    assert_eq!(schema(&text).check(r#"{"x":1,"a":{"x":1}}"#, Unlisted::Allowed), Verdict::Good);
}

#[test]
fn what_some_schema_that_holds_lists_is_listed() {
    for (text, good, bad) in [
        // Each half lists one: together they list both, also further down.
        (
            r#"{"allOf":[{"properties":{"a":{"properties":{"x":{}}}}},{"properties":{"b":{},"a":{"properties":{"y":{}}}}}]}"#,
            r#"{"a":{"x":1,"y":2},"b":3}"#,
            r#"{"a":{"x":1,"z":2},"b":3}"#,
        ),
        // Only the alternative that holds counts.
        (
            r#"{"oneOf":[{"properties":{"kind":{"const":"a"},"x":{}}},{"properties":{"kind":{"const":"b"},"y":{}}}],"required":["kind"]}"#,
            r#"{"kind":"a","x":1}"#,
            r#"{"kind":"a","y":1}"#,
        ),
        // Every alternative that holds counts.
        (
            r#"{"anyOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"b":{}}}]}"#,
            r#"{"a":"s","b":1}"#,
            r#"{"a":1,"b":1}"#,
        ),
        (
            r##"{"$ref":"#/$defs/base","properties":{"b":{}},"$defs":{"base":{"properties":{"a":{}}}}}"##,
            r#"{"a":1,"b":1}"#,
            r#"{"a":1,"c":1}"#,
        ),
        (
            r#"{"properties":{"k":{}},"if":{"properties":{"k":{"const":1}}},"then":{"properties":{"a":{}}},"else":{"properties":{"b":{}}}}"#,
            r#"{"k":1,"a":2}"#,
            r#"{"k":1,"b":2}"#,
        ),
        (
            r#"{"properties":{"k":{}},"dependentSchemas":{"k":{"properties":{"a":{}}}}}"#,
            r#"{"k":1,"a":1}"#,
            r#"{"a":1}"#,
        ),
        (r#"{"patternProperties":{"^x-":{}}}"#, r#"{"x-a":1}"#, r#"{"y":1}"#),
        // What `not` looked at was not described.
        (
            r#"{"properties":{"a":{}},"not":{"properties":{"b":{"const":1}},"required":["b"]}}"#,
            r#"{"a":1}"#,
            r#"{"b":2}"#,
        ),
        // A tuple, and what `contains` found.
        (
            r#"{"properties":{"l":{"prefixItems":[{"properties":{"a":{}}}],"contains":{"properties":{"b":{}},"required":["b"]}}}}"#,
            r#"{"l":[{"a":1},{"b":1}]}"#,
            r#"{"l":[{"b":1,"c":1}]}"#,
        ),
        // Names that only `required` has are not listed.
        (r#"{"properties":{"a":{}},"required":["a"]}"#, r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        // The author's own word.
        (r#"{"properties":{"a":{}},"additionalProperties":false}"#, r#"{"a":1}"#, r#"{"b":1}"#),
        (r#"{"properties":{"a":{}},"unevaluatedProperties":false}"#, r#"{"a":1}"#, r#"{"b":1}"#),
    ] {
        assert_eq!(unlisted(text, good), None, "{text}");
        assert!(unlisted(text, bad).is_some(), "{text}: {bad}");
    }
}

#[test]
fn what_the_author_left_open_in_so_many_words_stays_open() {
    for (text, arguments) in [
        (r#"{"properties":{"a":{}},"additionalProperties":true}"#, r#"{"a":1,"b":2}"#),
        (r#"{"additionalProperties":{"type":"string"}}"#, r#"{"any":"text"}"#),
        (r#"{"properties":{"a":{}},"unevaluatedProperties":{"type":"number"}}"#, r#"{"b":2}"#),
        // Of these nothing is listed: values of free form.
        (
            r#"{"properties":{"a":{"type":"object"},"b":{},"c":true}}"#,
            r#"{"a":{"x":1},"b":{"x":{"y":1}},"c":{"x":1}}"#,
        ),
        (r#"{"properties":{"l":{"type":"array"}}}"#, r#"{"l":[{"x":1}]}"#),
        (
            r#"{"properties":{"m":{"additionalProperties":{"properties":{"v":{}}}}}}"#,
            r#"{"m":{"any":{"v":1}}}"#,
        ),
    ] {
        assert_eq!(unlisted(text, arguments), None, "{text}");
    }
    let values = r#"{"properties":{"m":{"additionalProperties":{"properties":{"v":{}}}}}}"#;
    assert_eq!(unlisted(values, r#"{"m":{"any":{"v":1,"w":1}}}"#).as_deref(), Some("/m/any/w"));
}

#[test]
fn the_arguments_themselves_are_always_closed() {
    for text in [r#"{"type":"object"}"#, "{}", "true", r#"{"type":"object","properties":{}}"#] {
        assert_eq!(unlisted(text, "{}"), None, "{text}");
        assert_eq!(unlisted(text, r#"{"a":1}"#).as_deref(), Some("/a"), "{text}");
    }
}

#[test]
fn messages_name_the_argument_and_no_value() {
    let text = r#"{"type":"object","properties":{"path":{"type":"string","maxLength":9},"edits":{"type":"array","items":
        {"type":"object","properties":{"old text":{"type":"string"},"n":{"enum":["one","two"]}},"required":["old text"]}},
        "n":{"anyOf":[{"type":"string","pattern":"^[a-z]+$"},{"type":"null"}]}},"required":["path"]}"#
        .replace('\n', " ");
    for (arguments, fault, expected) in [
        (
            r#"{"path":"p","dryRun":true}"#,
            Fault::UnknownField,
            r#"the argument "dryRun" is not in the tool's schema"#,
        ),
        (r#"{}"#, Fault::Missing, r#"the argument "path" is missing"#),
        (
            r#"{"path":["hunter2"]}"#,
            Fault::Type,
            r#"the argument "path" is a list of 1; the tool's schema asks for "string""#,
        ),
        (
            r#"{"path":"hunter2 hunter2"}"#,
            Fault::Value,
            r#"the argument "path" is a string of 15 characters; the tool's schema asks for maxLength 9"#,
        ),
        (r#"{"path":"p","edits":[{}]}"#, Fault::Missing, r#"the argument "edits[0].old text" is missing"#),
        (
            r#"{"path":"p","edits":[{"old text":"","n":"hunter2"}]}"#,
            Fault::Value,
            r#"the argument "edits[0].n" is a string of 7 characters; the tool's schema asks for one of ["one","two"]"#,
        ),
        (
            r#"{"path":"p","n":7}"#,
            Fault::Value,
            r#"the argument "n" is a number; the tool's schema asks for one of 2 alternatives"#,
        ),
    ] {
        let violation = closed(&text, arguments).unwrap();
        assert_eq!((violation.to_string().as_str(), violation.fault), (expected, fault), "{arguments}");
    }
}

#[test]
fn what_is_not_understood_is_no_schema() {
    for (text, expected) in [
        ("[]", "a schema is an object, or true or false"),
        (
            r#"{"type":"strin"}"#,
            r#""type" must be the name of a type, or a list of such names (at /type of the schema)"#,
        ),
        (
            r#"{"properties":{"a":{"minLength":-1}}}"#,
            r#""minLength" must be a whole number from 0 up (at /properties/a/minLength of the schema)"#,
        ),
        (
            r#"{"properties":{"a":{"required":true}}}"#,
            r#""required" must be a list of names (at /properties/a/required of the schema)"#,
        ),
        (r#"{"items":[{}]}"#, "a schema is an object, or true or false (at /items of the schema)"),
        (
            r#"{"$schema":"http://json-schema.org/draft-04/schema#"}"#,
            r#"JSON Schema of the dialect "http://json-schema.org/draft-04/schema#" is not understood; draft-07 and 2020-12 are (at /$schema of the schema)"#,
        ),
        (
            r#"{"$ref":"https://example.org/a.json"}"#,
            r#"the reference "https://example.org/a.json" leads to nothing in the schema, and nothing is fetched (at /$ref of the schema)"#,
        ),
        (
            r##"{"$ref":"#/$defs/none"}"##,
            r##"the reference "#/$defs/none" leads to nothing in the schema, and nothing is fetched (at /$ref of the schema)"##,
        ),
        (r#"{"a":1,"a":2}"#, r#"the member "a" stands there twice (at /a of the schema)"#),
        (
            r##"{"$dynamicRef":"#x"}"##,
            r#"the keyword "$dynamicRef" is not understood (at /$dynamicRef of the schema)"#,
        ),
        (r#"{"allOf":[{"$id":"a"},{"$id":"a"}]}"#, "a $id stands there twice"),
        ("{", "not JSON: expected a name in quotes, at byte 1"),
    ] {
        let error = compile(text, Bounds::DEFAULT).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

/// Each ends for a reason that has been counted, and none is judged good.
#[test]
fn schemas_that_want_to_hurt_end_within_their_bounds() {
    let chain = |keyword: &str| {
        let links: Vec<String> = (0..20)
            .map(|n| {
                format!(
                    r##""d{n}":{{"{keyword}":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##,
                    n + 1
                )
            })
            .collect();
        format!(r##"{{"$ref":"#/$defs/d0","$defs":{{{},"d20":{{"required":["never"]}}}}}}"##, links.join(","))
    };
    let deep = format!(r#"{{{}"type":"object"{}}}"#, r#""not":{"#.repeat(200), "}".repeat(200));
    let many: Vec<String> = (0..10_000).map(|n| format!(r#""p{n}":{{"type":"string"}}"#)).collect();
    let values: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let references: Vec<String> =
        (0..4000).map(|n| format!(r##""p{n}":{{"$ref":"#/$defs/d{n}"}}"##)).collect();
    let targets: Vec<String> = (0..4000).map(|n| format!(r#""d{n}":true"#)).collect();
    for (name, text, expected) in [
        (
            "10 000 properties",
            format!(r#"{{"properties":{{{}}}}}"#, many.join(",")),
            "schemas within the schema",
        ),
        ("a deep one", deep, "nested deeper than"),
        ("a huge enum", format!(r#"{{"enum":[{}]}}"#, values.join(",")), "values"),
        ("a huge text", format!(r#"{{"title":"{}"}}"#, "x".repeat(2 << 20)), "bytes"),
        (
            "many references",
            format!(r#"{{"properties":{{{}}},"$defs":{{{}}}}}"#, references.join(","), targets.join(",")),
            "steps along references",
        ),
    ] {
        let error = compile(&text, Bounds::DEFAULT).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    let pattern = format!(r#"{{"additionalProperties":{{"pattern":"{}"}}}}"#, "a".repeat(1_000_000));
    let states = r#"{"additionalProperties":{"pattern":"(a|b)*a(a|b){40}c"}}"#;
    let long = format!(r#"{{"a":"{}"}}"#, "ab".repeat(50_000));
    let list = format!(r#"{{"a":[{}]}}"#, vec!["{}"; 2000].join(","));
    for (name, text, arguments) in [
        ("a chain of anyOf", chain("anyOf"), r#"{"a":1}"#.to_owned()),
        ("a chain of oneOf", chain("oneOf"), r#"{"a":1}"#.to_owned()),
        ("itself", r##"{"$ref":"#"}"##.to_owned(), r#"{"a":1}"#.to_owned()),
        ("itself, twice", r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##.to_owned(), r#"{"a":1}"#.to_owned()),
        ("a pattern of 1 MB", pattern, r#"{"a":"a"}"#.to_owned()),
        ("a pattern with 2^40 states", states.to_owned(), long.clone()),
    ] {
        let compiled = schema(&text);
        let (verdict, fuel) = compiled.measure(&arguments, Unlisted::Refused);
        assert!(matches!(verdict, Verdict::Unknown(_)), "{name}: {verdict:?}");
        let nodes = Tree::read(arguments.as_str(), 128, 1 << 20).unwrap().len() as u64;
        assert!(fuel <= Bounds::DEFAULT.fuel + nodes * Bounds::DEFAULT.fuel_per_node, "{name}: {fuel}");
    }
    // Equal numbers of work for equal arguments: elements that are compared with each other cost what sorting costs.
    let (verdict, fuel) =
        schema(r#"{"properties":{"a":{"uniqueItems":true}}}"#).measure(&list, Unlisted::Refused);
    assert!(matches!(verdict, Verdict::Bad(_)) && fuel < 50_000, "{verdict:?} {fuel}");
}

#[test]
fn what_is_usual_costs_little_fuel() {
    let text = r#"{"type":"object","properties":{"path":{"type":"string"},"edits":{"type":"array","items":{"type":"object",
        "properties":{"oldText":{"type":"string"},"newText":{"type":"string"}},"required":["oldText","newText"]}}},
        "required":["path","edits"]}"#
        .replace('\n', " ");
    let edit = r#"{"oldText":"some text that was there","newText":"some text that is there now"}"#;
    for (edits, most) in [(1, 60), (10, 300), (800, 20_000)] {
        let arguments = format!(r#"{{"path":"/notes/a.md","edits":[{}]}}"#, vec![edit; edits].join(","));
        let (verdict, fuel) = schema(&text).measure(&arguments, Unlisted::Refused);
        assert_eq!(verdict, Verdict::Good);
        assert!(fuel < most, "{edits}: {fuel}");
    }
}

#[test]
fn deep_arguments_are_not_judged_good() {
    let text = r##"{"properties":{"a":{"$ref":"#"}}}"##;
    let nested = |depth: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert_eq!(schema(text).check(&nested(50), Unlisted::Refused), Verdict::Good);
    for depth in [100, 10_000] {
        let verdict = schema(text).check(&nested(depth), Unlisted::Refused);
        assert!(matches!(verdict, Verdict::Unknown(_)), "{depth}: {verdict:?}");
    }
}
