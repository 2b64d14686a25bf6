//! Argument rules on calls, against a disk that is a table.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::mcp::arguments::ground::Disk;
use crate::policy::argument::{ArgumentPath, ArgumentRule};

/// Folders, files, and links with what they lead to.
struct Table(&'static [(&'static str, Option<&'static str>)]);

const DISK: Table = Table(&[
    ("/etc", None),
    ("/etc/passwd", None),
    ("/home", None),
    ("/home/me", None),
    ("/home/me/notes", None),
    ("/home/me/notes/a.md", None),
    ("/home/me/notes/sub", None),
    ("/home/me/notes/out", Some("/etc")),
    ("/home/me/notes/up", Some("../../..")),
    ("/home/me/notes/dangling", Some("/etc/new")),
    ("/home/me/notes/in", Some("sub")),
    ("/home/me/notes-secret", None),
    ("/home/me/notes-secret/key", None),
    ("/home/me/alias", Some("notes")),
    ("/srv", None),
    ("/srv/lib", None),
    ("/usr", None),
    ("/usr/lib", None),
]);

impl Disk for Table {
    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let mut real = PathBuf::from("/");
        let mut parts: Vec<String> = Vec::new();
        let push = |parts: &mut Vec<String>, path: &Path| {
            let names = path.components().filter_map(|part| match part {
                Component::ParentDir => Some("..".to_owned()),
                Component::Normal(name) => Some(name.to_str().unwrap().to_owned()),
                _ => None,
            });
            parts.extend(names.collect::<Vec<_>>().into_iter().rev());
        };
        push(&mut parts, path);
        while let Some(part) = parts.pop() {
            if part == ".." {
                real.pop();
                continue;
            }
            real.push(part);
            let link = self.0.iter().find(|(at, _)| real == Path::new(at)).and_then(|(_, target)| *target);
            if let Some(target) = link {
                real.pop();
                if target.starts_with('/') {
                    real = "/".into();
                }
                push(&mut parts, Path::new(target));
            }
        }
        Ok(real)
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.iter().any(|(at, _)| path == Path::new(at))
    }
}

fn ground() -> Ground {
    Ground {
        granted: vec!["/home/me/notes".into(), "/srv/lib".into()],
        cwd: "/home/me/notes".into(),
        home: "/home/me".into(),
        network: crate::policy::network::Network::default(),
        refuse_outside: true,
        disk: Arc::new(DISK),
    }
}

fn at<T>(value: T) -> Option<Stated<T>> {
    Some(Stated { value, origin: Origin { file: "p.toml".into(), line: 9, column: 3 } })
}

fn rules(tool: &str, arguments: &[(&str, ArgumentRule)]) -> Tools {
    let argument = arguments.iter().map(|(name, rule)| {
        let rule = ArgumentRule { at: ArgumentPath::parse(name).unwrap(), ..rule.clone() };
        ((*name).to_owned(), rule)
    });
    let rule = ToolRule { argument: argument.collect(), ..ToolRule::default() };
    Tools { rule: [(tool.to_owned(), rule)].into(), ..Tools::default() }
}

/// Judges `{"path": text}` of the tool `t`.
fn judged(tools: &Tools, text: &str) -> Option<Refusal> {
    let arguments = serde_json::json!({ "path": text }).to_string();
    Arguments::new(tools, ground()).unwrap().refuse("t", Some(Raw(&arguments)))
}

/// Spellings of paths outside `/home/me/notes` and `/srv/lib`.
pub(crate) const OUTSIDE: &[&str] = &[
    "/etc/passwd",
    "/etc/../etc/passwd",
    "//etc/passwd",
    "///etc//passwd",
    "/./etc/./passwd",
    "/etc/passwd/",
    "/etc/passwd.",
    "/etc/passwd ",
    " /etc/passwd",
    "\t/etc/passwd\n",
    "/",
    "/etc",
    "/ETC/passwd",
    "/Home/me/notes/a.md",
    "/home/me/NOTES/a.md",
    "/home/me",
    "/home/me/notes-secret/key",
    "/home/me/notes.secret",
    "/home/me/notes/../notes-secret/key",
    "/home/me/notes/../../../etc/passwd",
    "/home/me/notes/sub/../../notes-secret/key",
    "/home/me/notes/out/passwd",
    "/home/me/notes/out",
    "/home/me/notes/up/etc/passwd",
    "/home/me/notes/dangling",
    "/home/me/notes/in/../../notes-secret",
    "../notes-secret/key",
    "../../../etc/passwd",
    "sub/../../notes-secret/key",
    "./../notes-secret/key",
    "..",
    "../",
    ".. /notes-secret/key",
    "x/../../../../etc/passwd",
    "x://../../../../etc/passwd",
    "%2Fetc%2Fpasswd",
    "/%65tc/passwd",
    "%2e%2e/notes-secret/key",
    "..%2fnotes-secret%2fkey",
    "%252e%252e%252fnotes-secret/key",
    "/home/me/notes/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "file://localhost/etc/passwd",
    "file:/etc/passwd",
    "file:///%65tc/passwd",
    "~",
    "~/.ssh/id_ed25519",
    "~/notes-secret/key",
    "~root/.bashrc",
    "~me/notes/a.md",
    "／etc／passwd",
    "∕etc∕passwd",
    "⁄etc⁄passwd",
    "．．/notes-secret/key",
    "\u{2024}\u{2024}/notes-secret/key",
    "\u{2025}/notes-secret/key",
    "..∕notes-secret∕key",
    "..\\notes-secret\\key",
    "\\etc\\passwd",
    "/home/me/notes\\..\\..\\..\\etc\\passwd",
    "/etc/passwd\0.md",
    "/home/me/notes/../../../etc/passwd\0",
    "--file=/etc/passwd",
    "-C/etc",
    "--include=../../../etc/passwd",
    "/nowhere/at/all",
];

/// Texts that are no path outside.
pub(crate) const LEGAL: &[&str] = &[
    "/home/me/notes",
    "/home/me/notes/",
    "/home/me/notes/a.md",
    "/home/me/notes//sub/./a.md",
    "/home/me/notes/new file.md",
    "/home/me/notes/sub/../a.md",
    "/home/me/notes/...md",
    "/home/me/notes/100%.md",
    "/home/me/notes/a%20b.md",
    "/home/me/notes/日本語／記録.md",
    "/home/me/notes/in/x",
    "/home/me/alias/a.md",
    "/srv/lib/x.so",
    "file:///home/me/notes/a.md",
    "~/notes/a.md",
    "a.md",
    "sub/a.md",
    "./sub/../a.md",
    "sub/../../notes/a.md",
    "--depth=3",
    "-v",
    "",
    "hello",
    "and/or",
    "1/2",
    "TCP/IP is a protocol, see https://example.com/a/b",
    "https://example.com/a/../b",
    "see ../README.md for more",
    "either this / or that",
    "/* a comment */ int main;",
    "// a comment",
    "//comment",
    "#!/bin/sh",
    "/help me to write this",
    "wait ... / then",
    "\\d+\\s*",
    "~5 minutes",
    "line one\n/etc/passwd\nline three",
    "diff --git a/x b/x",
    "日本語／中国語",
    "C:\\Users\\me",
    "Europe/Paris",
];

#[test]
fn a_path_outside_every_grant_is_refused_in_every_spelling() {
    assert!(OUTSIDE.len() >= 40);
    for text in OUTSIDE {
        let refusal = judged(&Tools::default(), text).unwrap_or_else(|| panic!("{text:?} passes"));
        assert_eq!(refusal.denial.reason, Reason::ArgsPathOutside, "{text:?}");
        assert!(refusal.detail.starts_with("the argument \"path\" is a path"), "{}", refusal.detail);
        assert!(refusal.detail.ends_with("(outside_paths = \"refuse\", the default under --env prod)"));
        assert!(text.len() < 4 || !refusal.detail.contains(text), "the value is told: {}", refusal.detail);
    }
}

#[test]
fn what_lies_in_a_grant_or_is_no_path_passes() {
    assert!(LEGAL.len() >= 20);
    for text in LEGAL {
        assert_eq!(judged(&Tools::default(), text), None, "{text:?}");
    }
}

#[test]
fn a_path_is_found_at_any_depth_and_as_a_name() {
    let arguments = Arguments::new(&Tools::default(), ground()).unwrap();
    for (text, argument) in [
        (r#"{"paths":["a.md","/etc/passwd"]}"#, "paths/1"),
        (r#"{"edits":[{"x":{"file":"/etc/passwd"}}]}"#, "edits/0/x/file"),
        (r#"{"files":{"/etc/passwd":"x"}}"#, "files/~1etc~1passwd"),
        (r#"{"p":"\u002fetc\u002fpasswd"}"#, "p"),
    ] {
        let refusal = arguments.refuse("t", Some(Raw(text))).unwrap();
        assert!(refusal.detail.starts_with(&format!("the argument \"{argument}\" ")), "{}", refusal.detail);
    }
    for text in ["{}", "null", r#"{"n":1,"b":true,"z":null,"o":{},"a":[]}"#] {
        assert_eq!(arguments.refuse("t", Some(Raw(text))), None, "{text}");
    }
    assert_eq!(arguments.refuse("t", None), None);
}

#[test]
fn the_default_is_switched_off_for_everything_one_tool_or_one_argument() {
    let outside = |tools: &Tools, arguments: &str| {
        Arguments::new(tools, ground())
            .unwrap()
            .refuse("t", Some(Raw(arguments)))
            .map(|refusal| refusal.detail)
    };
    let arguments = r#"{"path":"/etc/passwd","text":"/usr/lib"}"#;
    let all = Tools { outside_paths: at(OutsidePaths::Allow), ..Tools::default() };
    assert_eq!(outside(&all, arguments), None);
    let mut own = rules("t", &[]);
    own.rule.get_mut("t").unwrap().outside_paths = at(OutsidePaths::Allow);
    assert_eq!(outside(&own, arguments), None);
    // What a tool says stands above what is said for all.
    own.rule.get_mut("t").unwrap().outside_paths = at(OutsidePaths::Refuse);
    own.outside_paths = at(OutsidePaths::Allow);
    assert!(outside(&own, arguments).unwrap().contains("p.toml:9:3"));
    let text = ArgumentRule { outside_paths: at(OutsidePaths::Allow), ..ArgumentRule::default() };
    let one = rules("t", &[("text", text)]);
    assert!(outside(&one, arguments).unwrap().contains("\"path\""));
    assert_eq!(outside(&one, r#"{"path":"a.md","text":"/usr/lib"}"#), None);
    let dev = Ground { refuse_outside: false, ..ground() };
    assert_eq!(Arguments::new(&Tools::default(), dev).unwrap().refuse("t", Some(Raw(arguments))), None);
}

fn within(folders: &[&str]) -> ArgumentRule {
    let folders = folders.iter().map(PathBuf::from).collect();
    ArgumentRule { within: at(folders), ..ArgumentRule::default() }
}

#[test]
fn within_refuses_every_spelling_that_some_program_reads_as_another_path() {
    let tools = rules("t", &[("path", within(&["/home/me/notes/sub", "/home/me/alias"]))]);
    let legal = [
        "sub",
        "sub/new.md",
        "./sub/x",
        "/home/me/notes/sub",
        "/home/me/notes/sub/a/../b c.md",
        "/home/me/alias/a.md",
        "/home/me/notes/in/x",
        "sub/.hidden",
        "/home/me/notes/sub/日本語.md",
        "sub/100% sure.md",
        // Out by a link, and in again.
        "/home/me/notes/up/home/me/notes/sub",
    ];
    for text in legal {
        assert_eq!(judged(&tools, text), None, "{text:?}");
    }
    let more = [
        "",
        "~x",
        "/srv/lib/x.so",
        "sub/a%2fb",
        "sub\\x",
        "sub/a.",
        "sub/a /b",
        "sub/.../b",
        " sub",
        "sub/a\u{7}",
        "http://sub/x",
        "sub/／x",
        "sub/\u{2024}x",
        "/home/me/notes/up",
    ];
    for text in OUTSIDE.iter().filter(|text| !text.contains("--") && !text.contains("-C")).chain(&more) {
        let refusal = judged(&tools, text).unwrap_or_else(|| panic!("{text:?} passes"));
        assert_eq!(refusal.denial.reason, Reason::ArgsPathOutside, "{text:?}");
        assert!(refusal.detail.ends_with("(within, p.toml:9:3)"), "{}", refusal.detail);
        assert!(
            refusal
                .denial
                .remedy
                .why_not()
                .unwrap()
                .contains("tools.rule.t.argument.path.within (p.toml:9:3)")
        );
    }
    // No folder: no path.
    assert!(judged(&rules("t", &[("path", within(&[]))]), "a.md").is_some());
}

#[test]
fn a_rule_holds_for_every_value_below_its_argument() {
    let arguments =
        Arguments::new(&rules("t", &[("edits[].file", within(&["/srv/lib"]))]), ground()).unwrap();
    let refused = |text: &str| arguments.refuse("t", Some(Raw(text))).map(|refusal| refusal.detail);
    assert_eq!(
        refused(r#"{"edits":[{"file":"/srv/lib/x"},{"file":["/srv/lib/y"],"other":1}],"file":"a"}"#),
        None
    );
    assert_eq!(refused(r#"{"edits":[{"file":null},{}]}"#), None);
    let detail = refused(r#"{"edits":[{"file":"/srv/lib/x"},{"file":{"deep":["a.md"]}}]}"#).unwrap();
    assert!(detail.starts_with("the argument \"edits/1/file/deep/0\" lies in none"), "{detail}");
    // Names in what `within` judges are judged by the default rule.
    let detail = refused(r#"{"edits":[{"file":{"/etc/passwd":"/srv/lib/x"}}]}"#).unwrap();
    assert!(detail.contains("outside every grant"), "{detail}");
    assert!(refused(r#"{"edits":[{"file":5}]}"#).is_some());
    assert_eq!(arguments.refuse("u", Some(Raw(r#"{"edits":[{"file":"a.md"}]}"#))), None);
}

#[test]
fn texts_are_judged_by_their_rules() {
    let texts = |list: &[&str]| at(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let judged = |rule: ArgumentRule, text: &str| {
        judged(&rules("t", &[("path", rule)]), text).map(|refusal| refusal.denial.reason)
    };
    let extensions = ArgumentRule { extensions: texts(&[".md", ".txt"]), ..ArgumentRule::default() };
    for (text, passes) in [
        ("a.md", true),
        ("sub/b.txt", true),
        (".md", false),
        ("a.MD", false),
        ("a.md.exe", false),
        ("a", false),
        ("a.md/", false),
        ("a\0.md", false),
        ("a.md ", false),
    ] {
        assert_eq!(judged(extensions.clone(), text), (!passes).then_some(Reason::ArgsExtension), "{text:?}");
    }
    let prefix = ArgumentRule { deny_prefix: texts(&["-", "+"]), ..ArgumentRule::default() };
    for (text, passes) in
        [("main", true), ("a-b", true), ("--output=x", false), (" -x", false), ("+x", false), ("", true)]
    {
        assert_eq!(judged(prefix.clone(), text), (!passes).then_some(Reason::ArgsPrefix), "{text:?}");
    }
    let pattern = ArgumentRule { pattern: at("[a-z]+|[0-9]{2}".to_owned()), ..ArgumentRule::default() };
    for (text, passes) in
        [("abc", true), ("12", true), ("abc1", false), ("123", false), ("abc\n", false), ("", false)]
    {
        assert_eq!(judged(pattern.clone(), text), (!passes).then_some(Reason::ArgsPattern), "{text:?}");
    }
    let length = ArgumentRule { max_length: at(3), ..ArgumentRule::default() };
    for (text, passes) in [("äöü", true), ("", true), ("abcd", false)] {
        assert_eq!(judged(length.clone(), text), (!passes).then_some(Reason::ArgsTooLong), "{text:?}");
    }
    let one_of = ArgumentRule { one_of: texts(&["a", "5"]), ..ArgumentRule::default() };
    for (text, passes) in [("a", true), ("A", false), ("ab", false), ("", false)] {
        assert_eq!(judged(one_of.clone(), text), (!passes).then_some(Reason::ArgsNotOneOf), "{text:?}");
    }
    let numbers = Arguments::new(&rules("t", &[("n", one_of)]), ground()).unwrap();
    assert_eq!(numbers.refuse("t", Some(Raw(r#"{"n":5}"#))), None);
    assert!(numbers.refuse("t", Some(Raw(r#"{"n":6}"#))).is_some());
    assert!(numbers.refuse("t", Some(Raw(r#"{"n":true}"#))).is_some());
}

#[test]
fn a_pattern_that_is_none_or_too_large_is_an_error_with_its_line() {
    for pattern in ["(", "(a{1000}){1000}"] {
        let rule = ArgumentRule { pattern: at(pattern.to_owned()), ..ArgumentRule::default() };
        let error = Arguments::new(&rules("t", &[("path", rule)]), ground()).unwrap_err();
        assert!(error.to_string().starts_with("p.toml:9:3: "), "{error}");
    }
}
