//! The house keeps its floors: a module imports only from floors below it.
//!
//! Each rule is a function from source text to complaints, and is shown to fail on an input that breaks it; the last
//! test applies them all to `src/`. If something has no home, change `docs/ARCHITECTURE.md` and [`FLOORS`] together.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[path = "architecture/source.rs"]
mod source;

/// The modules and the floor that each is on.
const FLOORS: &[(&str, u8)] = &[
    ("cli", 6),
    ("session", 5),
    ("notify", 4),
    ("learn", 4),
    ("store", 4),
    ("supervisor", 3),
    ("relay", 3),
    ("network", 3),
    ("audit", 3),
    ("sandbox", 2),
    ("mcp", 2),
    ("profile", 2),
    ("event", 2),
    ("clients", 2),
    ("policy", 1),
    ("jsonrpc", 1),
    ("sys", 1),
];

/// The only modules that know an asynchronous runtime.
const ASYNCHRONOUS: &[&str] = &["cli", "session", "notify", "supervisor", "relay", "network"];

/// Names that say nothing, and so gather everything.
const BANNED: &[&str] = &["common", "util", "utils", "helper", "helpers", "manager", "types"];

/// Lines of a file, its tests not counted.
const LONGEST: usize = 500;

/// One file below `src/`.
#[derive(Debug, Clone)]
struct File {
    /// Relative to `src/`, with `/`.
    path: String,
    text: String,
    /// The text without comments and literals.
    code: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        File { path: path.to_owned(), text: text.to_owned(), code: source::code_only(text) }
    }

    /// The module that the file is: `sys/path.rs` is `[sys, path]`, `sys/mod.rs` is `[sys]`, `lib.rs` is `[]`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let mut names: Vec<&str> = path.split('/').collect();
        if matches!(names.last(), Some(&("mod" | "lib" | "main"))) {
            names.pop();
        }
        names
    }

    /// The top-level module; `None` for `lib.rs` and `main.rs`.
    fn top(&self) -> Option<&str> {
        self.module().first().copied()
    }

    /// `src/tests.rs`, `src/x/tests.rs`, `src/x/tests/…`: a tests module in a file of its own.
    fn is_tests(&self) -> bool {
        self.module().contains(&"tests")
    }

    fn complaint(&self, line: usize, what: &str) -> String {
        format!("src/{}:{line}: {what}", self.path)
    }
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Imports come from floors below; every module has a floor.
fn upward_imports(file: &File) -> Vec<String> {
    let Some(top) = file.top() else { return Vec::new() };
    let Some(ours) = floor(top) else {
        return vec![file.complaint(1, &format!("`{top}` is on no floor of docs/ARCHITECTURE.md"))];
    };
    let mut complaints = Vec::new();
    for (line, path) in source::paths(&file.code, "crate::") {
        let Some(theirs) = path.first() else { continue };
        match floor(theirs) {
            _ if theirs == top => (),
            Some(below) if below < ours => (),
            Some(other) => complaints.push(file.complaint(
                line,
                &format!("`{top}` (floor {ours}) imports `{theirs}` (floor {other}): not below"),
            )),
            None => complaints.push(file.complaint(
                line,
                &format!("`crate::{theirs}` is no module: import from where it is defined"),
            )),
        }
    }
    for (line, path) in source::paths(&file.code, "super::") {
        if path.first().is_some_and(|name| name == "super") {
            complaints.push(file.complaint(line, "`super::super`: write the path from `crate`"));
        }
    }
    complaints
}

/// No two files of a module import each other, not even by way of others. A parent (`mod.rs`) and its children may:
/// it holds the words that they all speak.
fn circles(files: &[File]) -> Vec<String> {
    let modules: BTreeSet<String> = files.iter().map(|file| file.module().join("::")).collect();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_tests()) {
        let module = file.module();
        let own = module.join("::");
        let code = source::without_tests(&file.code);
        let parent = module.get(..module.len().saturating_sub(1)).unwrap_or_default();
        let absolute = source::paths(&code, "crate::").into_iter().map(|(_, path)| path);
        let relative = source::paths(&code, "super::")
            .into_iter()
            .map(|(_, path)| parent.iter().map(|name| (*name).to_owned()).chain(path).collect::<Vec<_>>());
        for path in absolute.chain(relative) {
            // The longest prefix that is a file is the module; the rest are items in it.
            let prefixes = (1..=path.len()).rev().map(|length| path[..length].join("::"));
            let Some(target) = prefixes.into_iter().find(|prefix| modules.contains(prefix)) else { continue };
            let related = own.starts_with(&format!("{target}::")) || target.starts_with(&format!("{own}::"));
            if target != own && !related {
                imports.entry(own.clone()).or_default().insert(target);
            }
        }
    }
    let within: Vec<&String> =
        imports.keys().filter(|module| reachable(&imports, module).contains(module)).collect();
    within
        .iter()
        .map(|module| format!("`{module}` is in a circle of imports (with some of {within:?})"))
        .collect()
}

/// Everything that `from` imports, directly or not; `from` itself only when it is in a circle.
fn reachable<'a>(imports: &'a BTreeMap<String, BTreeSet<String>>, from: &'a String) -> BTreeSet<&'a String> {
    let mut seen = BTreeSet::new();
    let mut ahead = vec![from];
    while let Some(next) = ahead.pop() {
        ahead.extend(imports.get(next).into_iter().flatten().filter(|target| seen.insert(*target)));
    }
    seen
}

/// `unsafe` is for `sys`.
fn misplaced_unsafe(file: &File) -> Vec<String> {
    if file.top() == Some("sys") {
        return Vec::new();
    }
    let found = source::words(&file.code).filter(|(_, word)| *word == "unsafe");
    found.map(|(line, _)| file.complaint(line, "`unsafe` outside `sys`")).collect()
}

/// The judging and recording parts know no runtime.
fn misplaced_tokio(file: &File) -> Vec<String> {
    if file.top().is_none_or(|top| ASYNCHRONOUS.contains(&top)) {
        return Vec::new();
    }
    let found = source::words(&file.code).filter(|(_, word)| *word == "tokio");
    found.map(|(line, _)| file.complaint(line, &format!("tokio outside {ASYNCHRONOUS:?}"))).collect()
}

/// Every module says what it is for.
fn undocumented(file: &File) -> Vec<String> {
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    match first.strip_prefix("//!") {
        Some(purpose) if !purpose.trim().is_empty() => Vec::new(),
        _ => vec![file.complaint(1, "does not begin with a `//!` doc comment")],
    }
}

/// A file that needs more lines is two files.
fn too_long(file: &File) -> Vec<String> {
    if file.is_tests() {
        return Vec::new();
    }
    let in_tests: usize = source::test_items(&file.code)
        .into_iter()
        .map(|item| file.code[item].matches('\n').count() + 1)
        .sum();
    let lines = file.text.lines().count() - in_tests;
    let complaint = || file.complaint(LONGEST, &format!("{lines} lines without tests; at most {LONGEST}"));
    (lines > LONGEST).then(complaint).into_iter().collect()
}

/// A name is the field's word for the thing.
fn banned_names(file: &File) -> Vec<String> {
    let inline: Vec<&str> = file.code.split("mod ").skip(1).collect();
    let names = file.module().into_iter().chain(
        inline.iter().filter_map(|after| after.split(|c: char| !(c == '_' || c.is_alphanumeric())).next()),
    );
    let banned: BTreeSet<&str> = names.filter(|name| BANNED.contains(name)).collect();
    banned.into_iter().map(|name| file.complaint(1, &format!("`{name}` says nothing"))).collect()
}

/// The rules about one file.
const RULES: &[fn(&File) -> Vec<String>] =
    &[upward_imports, misplaced_unsafe, misplaced_tokio, undocumented, too_long, banned_names];

fn read(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{path}/"), files);
        } else if path.ends_with(".rs") {
            files.push(File::new(&path, &fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

#[test]
fn the_house_keeps_its_floors() {
    let mut files = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    assert!(files.iter().any(|file| file.path == "lib.rs"), "src/ was not read");
    let mut complaints: Vec<String> =
        files.iter().flat_map(|file| RULES.iter().flat_map(|rule| rule(file))).collect();
    complaints.extend(circles(&files));
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn an_upward_import_is_found() {
    let sideways = File::new("relay/mod.rs", "use crate::audit::Writer;\nuse crate::event::Event;");
    let found = upward_imports(&sideways);
    assert_eq!(found, ["src/relay/mod.rs:1: `relay` (floor 3) imports `audit` (floor 3): not below"]);
    let inline = File::new("policy/grant.rs", "fn f() { crate::cli::main(); }");
    assert_eq!(upward_imports(&inline).len(), 1);
    let group = File::new("mcp/gate.rs", "use crate::{policy::Policy, relay::pump};");
    assert_eq!(upward_imports(&group).len(), 1);
    let in_words_only = File::new("mcp/gate.rs", "//! crate::relay\nconst A: &str = \"crate::cli\";");
    assert!(upward_imports(&in_words_only).is_empty());
}

#[test]
fn a_way_round_the_floors_is_found() {
    let by_super = File::new("policy/grant.rs", "use super::super::cli::main;");
    assert_eq!(upward_imports(&by_super).len(), 1);
    let through_the_root = File::new("relay/mod.rs", "use crate::Emitter;");
    assert_eq!(upward_imports(&through_the_root).len(), 1);
    let homeless = File::new("engine/mod.rs", "");
    assert_eq!(upward_imports(&homeless).len(), 1);
}

#[test]
fn a_circle_is_found() {
    let parent = File::new("audit/mod.rs", "pub mod a; pub mod b; pub mod c; use crate::audit::a::A;");
    let a = File::new("audit/a.rs", "use crate::audit::b::B; use crate::audit::Word;");
    let b = File::new("audit/b.rs", "use super::c;");
    let c = File::new("audit/c.rs", "fn f() { crate::audit::a::g() }");
    assert_eq!(circles(&[parent.clone(), a.clone(), b.clone(), c]).len(), 3);
    let c = File::new("audit/c.rs", "#[cfg(test)]\nmod tests { use crate::audit::a::g; }");
    assert_eq!(circles(&[parent, a, b, c]), Vec::<String>::new());
}

#[test]
fn misplaced_unsafe_is_found() {
    let code = "//! unsafe\nfn f() { unsafe { g() } }";
    assert_eq!(
        misplaced_unsafe(&File::new("relay/mod.rs", code)),
        ["src/relay/mod.rs:2: `unsafe` outside `sys`"]
    );
    assert!(misplaced_unsafe(&File::new("sys/poll.rs", code)).is_empty());
    assert!(misplaced_unsafe(&File::new("lib.rs", "#![deny(unsafe_code)]")).is_empty());
}

#[test]
fn misplaced_tokio_is_found() {
    let code = "use tokio::io;";
    assert_eq!(misplaced_tokio(&File::new("mcp/gate.rs", code)).len(), 1);
    assert!(misplaced_tokio(&File::new("relay/pump.rs", code)).is_empty());
}

#[test]
fn a_missing_purpose_is_found() {
    assert_eq!(undocumented(&File::new("sys/fd.rs", "use std::io;\n//! late")).len(), 1);
    assert_eq!(undocumented(&File::new("sys/fd.rs", "//!\n")).len(), 1);
    assert!(undocumented(&File::new("sys/fd.rs", "\n//! Descriptors.\n")).is_empty());
}

#[test]
fn a_long_file_is_found_and_its_tests_do_not_count() {
    let long = "fn f() {}\n".repeat(LONGEST + 1);
    assert_eq!(too_long(&File::new("event.rs", &long)).len(), 1);
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{long}}}\n", "fn f() {}\n".repeat(LONGEST));
    assert!(too_long(&File::new("event.rs", &tested)).is_empty());
    assert!(too_long(&File::new("audit/tests.rs", &long)).is_empty());
}

#[test]
fn a_banned_name_is_found() {
    assert_eq!(banned_names(&File::new("relay/utils.rs", "")).len(), 1);
    assert_eq!(banned_names(&File::new("types/mod.rs", "")).len(), 1);
    assert_eq!(banned_names(&File::new("relay/mod.rs", "mod helpers { }")).len(), 1);
    assert!(banned_names(&File::new("relay/mod.rs", "mod typescript;")).is_empty());
}
