//! Wrapping and unwrapping as laws: there and back to the byte, whatever the text looks like.

use std::path::PathBuf;

use proptest::prelude::*;

use super::change::{Undo, made, wrap};
use super::parse::parse;
use super::splice::apply;
use super::survey::survey;
use super::table::{CLIENTS, Folders, Shape, client, places, user_files};
use super::{Format, server, undo};

const PROGRAM: &str = "/opt/bin/caponier";

/// Wraps the entry at `path`, and gives back the new text and what undoes it.
fn wrapped(text: &str, kind: (Format, Shape), path: &[&str]) -> (String, Undo) {
    let tree = parse(text, kind.0).unwrap();
    let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
    let words = ["run".to_owned(), "--name".to_owned(), "x\u{7f}".to_owned()];
    let (splices, undo) = wrap(text, &tree, kind, &path, PROGRAM, &words).unwrap();
    (apply(text, &splices).unwrap(), undo)
}

fn unwrapped(text: &str, kind: (Format, Shape), undo: &Undo, is_known: bool) -> String {
    let tree = parse(text, kind.0).unwrap();
    let (splices, words) = undo::unwrap(text, &tree, kind, &undo.path, is_known.then_some(undo)).unwrap();
    made(text, &tree, kind, &splices, &[(undo.path.clone(), words)]).unwrap().0
}

const JSON: (Format, Shape) = (Format::Json, Shape::Plain);
const TOML: (Format, Shape) = (Format::Toml, Shape::Codex);

#[test]
fn words_are_put_in_the_style_of_the_list() {
    for (before, after) in [
        (
            "{\"s\":{\"a\":{\"command\":\"npx\",\"args\":[\"-y\",\"p\"]}}}",
            "{\"s\":{\"a\":{\"command\":\"/opt/bin/caponier\",\"args\":[\"run\",\"--name\",\"x\\u007f\",\"--\",\"npx\",\"-y\",\"p\"]}}}",
        ),
        (
            "{\"s\": {\"a\": {\"command\": \"n\\u0070x\"}}}",
            "{\"s\": {\"a\": {\"command\": \"/opt/bin/caponier\", \"args\": [\"run\", \"--name\", \"x\\u007f\", \"--\", \"n\\u0070x\"]}}}",
        ),
        (
            "{\"s\": {\"a\": {\r\n\t\"command\" : \"npx\", // c\r\n\t\"args\": [\r\n\t\t\"-y\", // d\r\n\t],\r\n}}}\r\n",
            "{\"s\": {\"a\": {\r\n\t\"command\" : \"/opt/bin/caponier\", // c\r\n\t\"args\": [\r\n\t\t\"run\",\r\n\t\t\"--name\",\r\n\t\t\"x\\u007f\",\r\n\t\t\"--\",\r\n\t\t\"npx\",\r\n\t\t\"-y\", // d\r\n\t],\r\n}}}\r\n",
        ),
        (
            "{\"s\": {\"a\": {\"args\": [ /* none */ ], \"command\": \"npx\"}}}",
            "{\"s\": {\"a\": {\"args\": [\"run\", \"--name\", \"x\\u007f\", \"--\", \"npx\" /* none */ ], \"command\": \"/opt/bin/caponier\"}}}",
        ),
    ] {
        let (text, undo) = wrapped(before, JSON, &["s", "a"]);
        assert_eq!(text, after);
        assert_eq!(unwrapped(&text, JSON, &undo, true), before);
    }
}

#[test]
fn toml_in_all_its_spellings() {
    let ours = "[\"run\", \"--name\", \"x\\u007f\", \"--\", ";
    for (before, after) in [
        (
            "# c\n[s.a]\ncommand = 'npx' # d\nargs = [\"-y\"]\n",
            format!("# c\n[s.a]\ncommand = \"{PROGRAM}\" # d\nargs = {ours}'npx', \"-y\"]\n"),
        ),
        (
            "[s.a]\r\n  command = \"npx\" # d\r\n\r\n[s.a.env]\r\nK = \"v\"\r\n",
            format!(
                "[s.a]\r\n  command = \"{PROGRAM}\" # d\r\n  args = {ours}\"npx\"]\r\n\r\n[s.a.env]\r\nK = \"v\"\r\n"
            ),
        ),
        ("s.a.command = \"npx\"", format!("s.a.command = \"{PROGRAM}\"\ns.a.args = {ours}\"npx\"]")),
        (
            "s.a = { command = \"npx\" }\n",
            format!("s.a = {{ command = \"{PROGRAM}\", args = {ours}\"npx\"] }}\n"),
        ),
        (
            "[s]\na = {command=\"\"\"npx\"\"\", args=[\n  # c\n  \"-y\",\n]}\n",
            format!(
                "[s]\na = {{command=\"{PROGRAM}\", args=[\n  # c\n  \"run\",\n  \"--name\",\n  \"x\\u007f\",\n  \"--\",\n  \
                 \"\"\"npx\"\"\",\n  \"-y\",\n]}}\n"
            ),
        ),
    ] {
        let (text, undo) = wrapped(before, TOML, &["s", "a"]);
        assert_eq!(text, after);
        assert_eq!(unwrapped(&text, TOML, &undo, true), before);
    }
}

#[test]
fn a_list_of_all_words() {
    let before =
        "{\"mcp\":{\"a\":{\"type\":\"local\",\"command\":[\"npx\", \"-y\"],\"environment\":{\"K\":\"v\"}}}}";
    let kind = (Format::Json, Shape::Words);
    let (text, undo) = wrapped(before, kind, &["mcp", "a"]);
    assert!(
        text.contains("[\"/opt/bin/caponier\", \"run\", \"--name\", \"x\\u007f\", \"--\", \"npx\", \"-y\"]"),
        "{text}"
    );
    assert_eq!(unwrapped(&text, kind, &undo, true), before);
    assert_eq!(unwrapped(&text, kind, &undo, false), before);
}

#[test]
fn a_file_that_was_written_anew_is_undone_by_meaning() {
    let before =
        "{\"s\": {\"a\": {\"command\": \"npx\", \"args\": [\"-y\", \"p\"]}, \"b\": {\"command\": \"x\"}}}";
    let (text, undo) = wrapped(before, JSON, &["s", "a"]);
    let (text, other) = wrapped(&text, JSON, &["s", "b"]);
    let anew: serde_json::Value = serde_json::from_str(&text).unwrap();
    let anew = serde_json::to_string_pretty(&anew).unwrap();
    let text = unwrapped(&anew, JSON, &undo, true);
    let text = unwrapped(&text, JSON, &other, true);
    let (was, is): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(before).unwrap(), serde_json::from_str(&text).unwrap());
    assert_eq!(is, was);
}

#[test]
fn a_word_that_was_added_meanwhile_stays() {
    let before = "{\"s\":{\"a\":{\"command\":\"npx\",\"args\":[]}}}";
    let (text, undo) = wrapped(before, JSON, &["s", "a"]);
    let edited = text.replace("\"npx\"]", "\"npx\", \"--more\"]");
    assert_ne!(edited, text);
    let undone = unwrapped(&edited, JSON, &undo, true);
    assert_eq!(undone, "{\"s\":{\"a\":{\"command\":\"npx\",\"args\":[\"--more\"]}}}");
}

#[test]
fn every_client_has_a_name_of_its_own_and_places() {
    let folders =
        Folders { home: PathBuf::from("/h"), projects: vec![PathBuf::from("/h/p")], ..Folders::default() };
    let places = places(&folders);
    for one in CLIENTS {
        assert_eq!(client(one.id), Some(one));
        assert!(places.iter().any(|place| place.client == one), "{}", one.id);
    }
    assert!(places.iter().any(|place| place.path.to_str() == Some("/h/.config/Code/User/mcp.json")));
    assert!(places.iter().any(|place| place.path.to_str() == Some("/h/p/.vscode/mcp.json")));
    assert!(user_files().any(|file| file == ".codex/config.toml"));
}

#[test]
fn a_star_stands_for_what_is_in_the_folder() {
    let root = tempfile::tempdir().unwrap();
    let home = root.path();
    let paths = || -> Vec<String> {
        let folders = Folders { home: home.to_owned(), ..Folders::default() };
        let found = places(&folders).into_iter().map(|place| place.path);
        let beside = found.filter_map(|path| Some(path.strip_prefix(home).ok()?.to_str()?.to_owned()));
        beside.filter(|path| path.contains("mcpServers") || path.contains("/profiles")).collect()
    };
    assert!(paths().is_empty(), "a folder that is not there has no files in it");
    for folder in
        [".continue/mcpServers/sub.yaml.d", ".config/Code/User/profiles/a", ".config/Code/User/profiles/.b"]
    {
        std::fs::create_dir_all(home.join(folder)).unwrap();
    }
    for file in ["b.yaml", "a.yaml", "c.yml", "d.json", ".yaml", "e.txt"] {
        std::fs::write(home.join(".continue/mcpServers").join(file), "").unwrap();
    }
    let of_continue =
        ["a.yaml", "b.yaml", "c.yml", "d.json"].map(|file| format!(".continue/mcpServers/{file}"));
    let mut wanted = vec![".config/Code/User/profiles/a/mcp.json".to_owned()];
    wanted.extend(of_continue);
    assert_eq!(paths(), wanted);

    // More than anybody has: not looked through, and not passed over in silence.
    for n in 0..1001 {
        std::fs::write(home.join(format!(".continue/mcpServers/{n}.txt")), "").unwrap();
    }
    assert_eq!(paths(), [".config/Code/User/profiles/a/mcp.json", ".continue/mcpServers"]);
    let folders = Folders { home: home.to_owned(), ..Folders::default() };
    let troubled = survey(places(&folders)).troubled;
    assert!(troubled.iter().any(|it| it.place.path.ends_with(".continue/mcpServers")), "{troubled:?}");
}

#[test]
fn a_key_that_stands_twice_is_a_fault() {
    for (text, format) in [
        ("{\"a\":1,\"b\":{\"c\":1,\"\\u0063\":2}}", Format::Json),
        ("[a]\nb = 1\nb = 2\n", Format::Toml),
        ("a:\n  b: 1\n  b: 2\n", Format::Yaml),
    ] {
        assert!(parse(text, format).is_err(), "{text}");
    }
    assert!(parse("", Format::Json).is_ok() && parse("\u{feff} \r\n", Format::Toml).is_ok());
}

/// White space and comments as they stand in configurations.
fn blank(format: Format) -> BoxedStrategy<String> {
    match format {
        Format::Json => prop_oneof![
            4 => "[ \t]{0,2}",
            2 => "(\r?\n[ \t]{0,4}){1,2}",
            1 => "/\\*[a-z\" :{}]{0,6}\\*/",
            1 => " //[a-z\"{ ]{0,6}\n",
        ]
        .boxed(),
        _ => "[ \t]{0,2}".boxed(),
    }
}

fn json_text() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        "[a-zA-Z0-9 ._@/-]{0,8}".prop_map(|text| format!("\"{text}\"")),
        Just("\"\\u00e9\\n\\\"\"".to_owned()),
        Just("\"\u{e9}\u{65e5}\"".to_owned()),
    ];
    let b = || blank(Format::Json);
    let list = (prop::collection::vec((string.clone(), b(), b()), 0..4), b(), any::<bool>()).prop_map(
        |(items, end, comma)| {
            let items: Vec<String> =
                items.into_iter().map(|(item, before, after)| format!("{before}{item}{after}")).collect();
            let comma = if comma && !items.is_empty() { "," } else { "" };
            format!("[{}{comma}{end}]", items.join(","))
        },
    );
    let name = string.clone();
    (name, list, prop::collection::vec(b(), 12), 0..4usize, any::<bool>(), any::<bool>()).prop_map(
        |(command, list, b, form, bom, comma)| {
            let command = if command == "\"\"" { "\"npx\"".to_owned() } else { command };
            let comma = if comma { "," } else { "" };
            let members = match form {
                0 => format!("{}\"command\"{}:{}{command}{}", b[0], b[1], b[2], b[3]),
                1 => format!("{}\"command\":{}{command}{},{}\"args\"{}:{list}", b[0], b[1], b[2], b[3], b[4]),
                2 => format!("{}\"args\":{}{list}{},{}\"command\"{}:{command}", b[0], b[1], b[2], b[3], b[4]),
                _ => format!(
                    "{}\"env\":{{\"K\":\"v\"}},{}\"command\":{}{command},\"args\":{list}{},\"x\":[1,{{}}]",
                    b[0], b[1], b[2], b[3]
                ),
            };
            let bom = if bom { "\u{feff}" } else { "" };
            format!(
                "{bom}{}{{{}\"s\"{}:{{\"z\":{{\"url\":\"u\"}},\"a\":{}{{{members}{comma}{}}}{}}}}}{}",
                b[5], b[6], b[7], b[8], b[9], b[10], b[11]
            )
        },
    )
}

fn toml_text() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        "[a-zA-Z0-9 ._@/-]{1,8}".prop_map(|text| format!("\"{text}\"")),
        "[a-zA-Z0-9 ._@/\"-]{1,8}".prop_map(|text| format!("'{text}'")),
        Just("\"\\u00e9\\n\"".to_owned()),
        Just("\"\"\"a\nb\"\"\"".to_owned()),
    ];
    let gap = prop_oneof!["[ \t]{0,2}", "[ ]?# [a-z\"=]{0,5}\n  ", "\r\n "];
    let list = (prop::collection::vec((string.clone(), gap.clone()), 0..4), gap).prop_map(|(items, end)| {
        let items: Vec<String> = items.into_iter().map(|(item, gap)| format!("{gap}{item}")).collect();
        format!("[{}{end}]", items.join(","))
    });
    (
        string,
        list,
        prop::collection::vec(blank(Format::Toml), 4),
        0..6usize,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(command, list, b, form, crlf, bom, newline)| {
            let eol = if crlf { "\r\n" } else { "\n" };
            let end = if newline { eol } else { "" };
            let text = match form {
                0 => format!("[s.a]{eol}{}command{}={}{command}{} # c{end}", b[0], b[1], b[2], b[3]),
                1 => format!("[s.a]{eol}command = {command}{eol}{}args{}={list}{end}", b[0], b[1]),
                2 => format!("[s]{eol}a.args ={}{list}{eol}{}a.command = {command}{end}", b[0], b[1]),
                3 => format!("s.a = {{{}command{}={}{command}{}}}{end}", b[0], b[1], b[2], b[3]),
                4 => format!("[s.a]{eol}command = {command}{eol}{eol}[s.a.env]{eol}K = \"v\"{end}"),
                _ => format!("x = 1{eol}s.\"a\".command = {command} # d{eol}[t]{eol}y = 2{end}"),
            };
            let bom = if bom { "\u{feff}" } else { "" };
            format!("{bom}# head{eol}{text}")
        })
}

fn there_and_back(text: &str, kind: (Format, Shape)) -> Result<(), TestCaseError> {
    let Ok(tree) = parse(text, kind.0) else { return Err(TestCaseError::reject("not understood")) };
    let path = vec!["s".to_owned(), "a".to_owned()];
    let words = vec!["run".to_owned(), "--name".to_owned(), "a".to_owned()];
    let Some(old) = tree.at(&path).and_then(|entry| super::argv::launch(entry, kind.1).ok()) else {
        return Err(TestCaseError::reject("no command"));
    };
    let old = old.words();
    let (splices, kept) = wrap(text, &tree, kind, &path, PROGRAM, &words).unwrap();
    let new: Vec<String> =
        [PROGRAM.to_owned()].into_iter().chain(words).chain(["--".to_owned()]).chain(old.clone()).collect();
    let (after, new_tree) = made(text, &tree, kind, &splices, &[(path.clone(), new.clone())]).unwrap();
    prop_assert!(matches!(server::state_of(&new), server::State::Wrapped(_)));
    let (back, undone) = undo::unwrap(&after, &new_tree, kind, &path, Some(&kept)).unwrap();
    prop_assert_eq!(undone, old.clone());
    prop_assert_eq!(apply(&after, &back).unwrap(), text);
    // Without what was kept it still says the same.
    let (back, _) = undo::unwrap(&after, &new_tree, kind, &path, None).unwrap();
    let meant = made(&after, &new_tree, kind, &back, &[(path, old)]);
    prop_assert!(meant.is_ok());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn json_there_and_back(text in json_text()) {
        there_and_back(&text, JSON)?;
    }

    #[test]
    fn toml_there_and_back(text in toml_text()) {
        there_and_back(&text, TOML)?;
    }
}
