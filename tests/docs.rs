//! The documentation is held to the code: reasons, modules, options, exit statuses, profiles, tests, links.
//!
//! Each rule compares two lists in both directions, so that neither can grow or shrink alone; the readers of the two
//! lists are shown to find what they look for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use caponier::policy::reason::Reason;
use serde_json::Value;

#[path = "docs/cli.rs"]
mod cli;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `(heading, text)` of every section at this level (`## `), code blocks not looked into.
fn sections<'a>(page: &'a str, level: &str) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, usize, usize)> = Vec::new();
    let (mut offset, mut in_code) = (0, false);
    for line in page.split_inclusive('\n') {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if !in_code && line.starts_with('#') && line.find(' ').is_some_and(|at| at < level.len()) {
            if let Some(last) = found.last_mut() {
                last.2 = last.2.min(offset);
            }
            if let Some(heading) = line.strip_prefix(level) {
                found.push((heading.trim_end(), offset + line.len(), page.len()));
            }
        }
        offset += line.len();
    }
    found.into_iter().map(|(heading, start, end)| (heading, &page[start..end])).collect()
}

/// The first cells of a table's rows, without their backticks; the first word of each.
fn first_cells(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(cell, _)| cell.split(' ').next().unwrap_or(cell))
        .collect()
}

/// The lines of every block of this language.
fn code_blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```"))
        .map(|(code, _)| code)
        .collect()
}

fn set<T: Into<String>>(items: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    items.into_iter().map(Into::into).collect()
}

/// Names below a folder, recursively, with `/`, relative to it.
fn files(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

#[test]
fn every_reason_has_its_section_and_no_other_is_there() {
    let text = page("docs/REASONS.md");
    let headings: Vec<&str> = sections(&text, "## ").into_iter().map(|(heading, _)| heading).collect();
    assert_eq!(headings.len(), set(headings.clone()).len(), "a section is there twice");
    assert_eq!(set(headings), set(Reason::ALL.iter().map(|reason| reason.code())));
}

#[test]
fn every_reason_says_what_a_reader_needs() {
    let text = page("docs/REASONS.md");
    for (code, section) in sections(&text, "## ") {
        for label in ["- **Why**:", "- **Layer**:", "- **The caller sees**:", "- **What would allow it**:"] {
            assert_eq!(section.matches(label).count(), 1, "{code}: {label}");
        }
        assert!(!section.trim_start().starts_with('-'), "{code} does not say what happened");
    }
}

/// What is said of the layer and of the caller's errno is what the example shows.
#[test]
fn every_reason_has_an_example_that_agrees_with_it() {
    let text = page("docs/REASONS.md");
    for (code, section) in sections(&text, "## ") {
        let line = |label: &str| section.lines().find(|line| line.starts_with(label)).unwrap_or_default();
        let examples = code_blocks(section, "json");
        assert_eq!(examples.len(), 1, "{code}");
        let event: Value =
            serde_json::from_str(examples[0]).unwrap_or_else(|error| panic!("{code}: {error}"));
        assert_eq!(event["reason"], code);
        assert_eq!(event["v"], 1);
        let layer = event["layer"].as_str().unwrap();
        assert!(line("- **Layer**:").contains(&format!("`{layer}`")), "{code}: {layer}");
        if let Some(errno) = event["errno"].as_str().or(event["result"].as_str()) {
            assert!(line("- **The caller sees**:").contains(&format!("`{errno}`")), "{code}: {errno}");
        } else {
            assert_eq!(event["event"], "message.denied", "{code}");
        }
        let proposes = event["remedy"].is_string();
        assert!(proposes != event["why_not"].is_string(), "{code}: a remedy, or why there is none");
    }
}

/// The modules of `src/`, two levels deep: `relay`, `relay/pump`.
fn modules() -> BTreeSet<String> {
    let mut found = Vec::new();
    files(&repository().join("src"), "", &mut found);
    let mut modules = BTreeSet::new();
    for file in found.iter().filter_map(|file| file.strip_suffix(".rs")) {
        let parts: Vec<&str> = file.split('/').filter(|part| *part != "mod").take(2).collect();
        if parts.len() == 1 && matches!(parts[0], "lib" | "main") {
            continue;
        }
        if parts.last() != Some(&"tests") {
            modules.insert(parts.join("/"));
        }
        modules.insert(parts[0].to_owned());
    }
    modules
}

#[test]
fn the_floor_plan_names_every_module_and_no_other() {
    let text = page("docs/ARCHITECTURE.md");
    let (_, plan) = sections(&text, "## ")
        .into_iter()
        .find(|(heading, _)| *heading == "The floor plan")
        .unwrap_or_else(|| panic!("docs/ARCHITECTURE.md has no floor plan"));
    let mut named = BTreeSet::new();
    for (heading, floor) in sections(plan, "### ") {
        let top = heading.split('`').nth(1).and_then(|name| name.strip_suffix('/'));
        let top = top.unwrap_or_else(|| panic!("{heading}: names no folder"));
        assert!(named.insert(top.to_owned()), "{top} twice");
        for name in first_cells(floor) {
            assert!(name.starts_with(&format!("{top}/")), "{name} stands under {top}");
            assert!(named.insert(name.to_owned()), "{name} twice");
        }
    }
    let modules = modules();
    let missing: Vec<_> = modules.difference(&named).collect();
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md does not name {missing:?}");
    let gone: Vec<_> = named.difference(&modules).collect();
    assert!(gone.is_empty(), "docs/ARCHITECTURE.md names {gone:?}, which src/ does not have");
}

/// What the program (`CAPONIER_BIN`, or the one that cargo built) says on stdout.
fn said(words: &[&str], last: &str) -> String {
    let program = env::var_os("CAPONIER_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_caponier").into());
    let done = Command::new(program).args(words).arg(last).output().unwrap();
    assert!(done.status.success(), "{words:?} {last}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn help(words: &[&str]) -> String {
    said(words, "--help")
}

/// `--profile` of `      --profile <NAME|FILE>  A profile's …`.
fn options(help: &str) -> BTreeSet<String> {
    set(help
        .lines()
        .map(|line| line.trim_start().trim_start_matches("-h, ").trim_start_matches("-V, "))
        .filter(|line| line.starts_with("--"))
        .filter_map(|line| line.split([' ', '<']).next()))
}

#[test]
fn every_option_of_run_is_in_the_readme() {
    let text = page("README.md");
    let (_, section) = sections(&text, "## ")
        .into_iter()
        .find(|(heading, _)| *heading == "Options of `run`")
        .unwrap_or_else(|| panic!("README.md has no options"));
    let known = options(&help(&["run"]));
    assert!(known.contains("--profile"), "{known:?}");
    assert_eq!(set(first_cells(section)), known, "README.md (left), run --help (right)");
}

#[test]
fn every_subcommand_is_in_the_readme() {
    let text = page("README.md");
    let commands = help(&[]);
    let commands = commands.lines().skip_while(|line| *line != "Commands:").skip(1);
    let mut seen = 0;
    for line in commands.take_while(|line| !line.is_empty()) {
        let name = line.split_whitespace().next().unwrap();
        let shown = [format!("caponier {name}"), format!("-- {name}")].iter().any(|form| text.contains(form));
        assert!(shown || name == "help", "{name}");
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} commands");
}

#[test]
fn every_exit_status_is_in_the_readme() {
    let text = page("README.md");
    let (_, section) = sections(&text, "## ")
        .into_iter()
        .find(|(heading, _)| *heading == "Exit status of `run`")
        .unwrap_or_else(|| panic!("README.md has no exit statuses"));
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let told: BTreeSet<u8> = rows.filter_map(|cell| cell.parse().ok()).filter(|code| *code != 128).collect();
    let source = page("src/cli/exit.rs");
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(": u8 = "));
    let known: BTreeSet<u8> =
        constants.map(|(_, value)| value.trim_end_matches(';').parse().unwrap()).collect();
    assert!(known.len() >= 6, "{known:?}");
    assert_eq!(told, known, "README.md (left), src/cli/exit.rs (right)");
}

#[test]
fn every_shipped_profile_is_in_the_readme() {
    let text = page("README.md");
    let (_, section) = sections(&text, "## ")
        .into_iter()
        .find(|(heading, _)| *heading == "Profiles")
        .unwrap_or_else(|| panic!("README.md has no profiles"));
    let mut shipped = Vec::new();
    files(&repository().join("profiles"), "", &mut shipped);
    // Files for one environment belong to their profile's row.
    let of_all = |name: &&str| !name.ends_with(".dev") && !name.ends_with(".prod");
    let shipped = set(shipped.iter().filter_map(|file| file.strip_suffix(".toml")).filter(of_all));
    assert_eq!(set(first_cells(section)), shipped, "README.md (left), profiles/ (right)");
}

#[test]
fn every_client_is_in_its_page() {
    let text = page("docs/CLIENTS.md");
    let (_, section) = sections(&text, "## ")
        .into_iter()
        .find(|(heading, _)| *heading == "Which files")
        .unwrap_or_else(|| panic!("docs/CLIENTS.md has no files"));
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| client"));
    let told =
        rows.filter_map(|row| row.split('|').nth(2)).map(|cell| cell.trim().trim_matches('`').to_owned());
    let known = caponier::clients::table::CLIENTS.iter().map(|client| client.id);
    assert_eq!(
        told.collect::<BTreeSet<_>>(),
        set(known),
        "docs/CLIENTS.md (left), src/clients/table.rs (right)"
    );
}

/// The last cell of each row of SECURITY_MODEL.md's tables of attacks is the name of a test.
#[test]
fn every_attack_names_a_test_that_exists() {
    let text = page("docs/SECURITY_MODEL.md");
    let (_, attacks) = sections(&text, "## ")
        .into_iter()
        .find(|(heading, _)| heading.starts_with("Attacks"))
        .unwrap_or_else(|| panic!("SECURITY_MODEL.md has no attacks"));
    let rows = attacks.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack"));
    let named: Vec<&str> = rows
        .map(|row| row.trim_end_matches(" |").rsplit("| ").next().unwrap_or_default().trim_matches('`'))
        .collect();
    assert!(named.len() > 40, "only {} rows were read", named.len());
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        let mut found = Vec::new();
        files(&repository().join(folder), "", &mut found);
        for file in found.iter().filter(|file| file.ends_with(".rs")) {
            sources.push_str(&page(&format!("{folder}/{file}")));
        }
    }
    let missing: Vec<&&str> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

/// Codes of reasons that the pages speak of are codes.
#[test]
fn every_reason_that_is_spoken_of_exists() {
    let known = set(Reason::ALL.iter().map(|reason| reason.code()));
    let families = set(known.iter().filter_map(|code| code.split('.').next()));
    for name in ["README.md", "docs/SECURITY_MODEL.md", "docs/PROFILES.md", "docs/REASONS.md"] {
        let text = page(name);
        for word in text.split('`').skip(1).step_by(2) {
            let is_code = word.contains('.')
                && word.contains('-')
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '-')
                && families.contains(word.split('.').next().unwrap_or_default());
            assert!(!is_code || known.contains(word), "{name}: {word}");
        }
    }
}

/// Every page in Markdown that is ours.
fn pages() -> Vec<PathBuf> {
    let here = fs::read_dir(repository()).unwrap().chain(fs::read_dir(repository().join("docs")).unwrap());
    here.map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect()
}

/// `(text)` of every `[…](text)` outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if !in_code {
            found.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        }
    }
    found
}

/// A heading as the anchor that it gets.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() >= 8, "{pages:?}");
    let mut seen = 0;
    for path in pages {
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            seen += 1;
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !fragment.is_empty() {
                let target = fs::read_to_string(&target).unwrap();
                let headings = ["## ", "### "].map(|level| sections(&target, level)).concat();
                let found = headings.iter().any(|(heading, _)| anchor(heading) == fragment);
                assert!(found, "{}: {link}: no such heading", path.display());
            }
        }
    }
    assert!(seen > 15, "only {seen} links were read");
}

#[test]
fn sections_end_where_the_next_begins() {
    let text = "# T\nx\n## A\na\n### B\nb\n```\n## no\n```\n## C\nc\n# D\nd\n";
    assert_eq!(sections(text, "## "), [("A", "a\n### B\nb\n```\n## no\n```\n"), ("C", "c\n")]);
    assert_eq!(sections(text, "### "), [("B", "b\n```\n## no\n```\n")]);
}

#[test]
fn tables_blocks_links_and_options_are_read() {
    assert_eq!(first_cells("| head | |\n|---|---|\n| `a/b` | x |\n| `--c D` | y |\n| d | |"), ["a/b", "--c"]);
    assert_eq!(code_blocks("x\n```json\n{}\n```\n```toml\na\n```\n", "json"), ["{}"]);
    assert_eq!(links("[a](b.md) and [c](d#e)\n```\n[no](x)\n```\n"), ["b.md", "d#e"]);
    assert_eq!(anchor("What no profile can grant"), "what-no-profile-can-grant");
    let help = "Options:\n      --read <PATH>  Grant\n  -h, --help     Print\n text --no\n";
    assert_eq!(options(help), set(["--read", "--help"]));
}
