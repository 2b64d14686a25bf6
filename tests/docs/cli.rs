//! docs/CLI.md is what the program says of itself: the `--help` of every command, written by
//! `CAPONIER_UPDATE=1 cargo test --test docs cli_reference`, and compared by every other run.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::{env, fs};

use clap::Command;

const UPDATE: &str = "CAPONIER_UPDATE=1 cargo test --test docs cli_reference";

const HEAD: &str = "# Command line

<!-- Written by `CAPONIER_UPDATE=1 cargo test --test docs cli_reference`; what you change here, it writes over. -->

What `caponier COMMAND --help` prints, for every command; `-h` prints it without examples and exit statuses.

Reports go to stdout, everything else to stderr; the stdout of `run` has nothing but what is relayed. With `--json` a report
is one JSON object that names its version (`\"v\": 1`); what a version has is only ever added to. Colours are
for terminals, and never when `NO_COLOR` is set. An error says what is wrong, where, and what to do about it.

";

/// Every command that is shown, the root first, each with the words that lead to it.
fn commands<'c>(command: &'c Command, words: &[&'c str], found: &mut Vec<(Vec<&'c str>, &'c Command)>) {
    found.push((words.to_vec(), command));
    let mut below: Vec<&Command> = command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
    below.sort_by_key(|below| below.get_name());
    for one in below {
        commands(one, &[words, &[one.get_name()]].concat(), found);
    }
}

fn all(root: &Command) -> Vec<(Vec<&str>, &Command)> {
    let mut found = Vec::new();
    commands(root, &[], &mut found);
    found
}

fn anchor(title: &str) -> String {
    title.replace(' ', "-")
}

fn reference(root: &Command) -> String {
    let (mut contents, mut sections) = (String::new(), String::new());
    for (words, command) in all(root) {
        let title = [&["caponier"], &words[..]].concat().join(" ");
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(contents, "| [`{title}`](#{}) | {} |", anchor(&title), about.replace('|', "\\|")).unwrap();
        let help = super::help(&words);
        // GitHub has no trailing space to show either.
        let help: String = help.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        writeln!(sections, "\n## {title}\n\n```text\n{}\n```", help.trim_end()).unwrap();
    }
    format!("{HEAD}| command | |\n|---|---|\n{contents}{sections}")
}

#[test]
fn cli_reference() {
    let file = super::repository().join("docs/CLI.md");
    let said = reference(&caponier::cli::command());
    if env::var_os("CAPONIER_UPDATE").is_some() {
        fs::write(&file, &said).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let first = written.lines().zip(said.lines()).position(|(written, said)| written != said);
    assert!(
        written == said,
        "docs/CLI.md is not what the program says (from line {}). Write it anew, and read the difference:\n    {UPDATE}\n",
        first.unwrap_or(written.lines().count().min(said.lines().count())) + 1
    );
}

/// `-h` has the same options, and nothing below them.
#[test]
fn short_help_is_short() {
    let root = caponier::cli::command();
    for (words, command) in all(&root) {
        let long = super::help(&words);
        let short = super::said(&words, "-h");
        let teaches = command.get_subcommands().next().is_none();
        assert!(!teaches || short.len() < long.len(), "{words:?}:\n{short}\nis no shorter than\n{long}");
        assert_eq!(long.contains("\nExamples:\n"), teaches, "{words:?}");
        assert!(
            !short.contains("\nExamples:\n") && !short.contains("\nExit status:\n"),
            "{words:?}:\n{short}"
        );
        let options: BTreeSet<String> = super::options(&long);
        assert_eq!(options, super::options(&short), "{words:?}");
    }
}

/// `caponier help run` is `caponier run --help`.
#[test]
fn help_is_the_same_by_both_ways() {
    assert_eq!(super::said(&["help"], "run"), super::help(&["run"]));
    assert_eq!(super::said(&["help", "audit"], "query"), super::help(&["audit", "query"]));
}

/// Commands that report nothing, or whose report has a format of its own.
const NO_JSON: &[&str] = &["audit export", "audit report", "completions", "profile schema", "run"];

#[test]
fn every_report_has_json() {
    let root = caponier::cli::command();
    let leaves = all(&root).into_iter().filter(|(_, command)| command.get_subcommands().next().is_none());
    let without: Vec<String> = leaves
        .filter(|(_, command)| command.get_arguments().all(|arg| arg.get_long() != Some("json")))
        .map(|(words, _)| words.join(" "))
        .collect();
    assert_eq!(without, NO_JSON, "commands without --json (left): a report has one, with its version");
}
