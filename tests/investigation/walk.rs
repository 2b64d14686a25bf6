//! `docs/INVESTIGATION.md`: every command on the page is run on the incident's log, and answers as the page says.
//!
//! A block marked `console` holds commands (`$ …`) and what they print. Sessions, numbers of events, times, lengths of
//! time, process numbers and digests differ from run to run; everything else must be equal, line by line. Names of
//! events that one answer shows are those that the next command is given. `CAPONIER_UPDATE=1` writes the answers of
//! this run into the page; it is recorded in `/tmp/incident` then, which must not be there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::incident::Incident;
use crate::peers;

/// Where the incident of the page was recorded, and where the servers were installed.
const ROOT: &str = "/tmp/incident";
const SERVERS: &str = "/opt/mcp";

/// What a runtime does around calls, when its children end, and how far the digest of a program had come, is another story
/// each time.
const BESIDE: &[&str] =
    &["session.exe", "process.exit", "clone3", "accesses between the calls", "/dev/null", "exe_sha256"];

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/INVESTIGATION.md")
}

/// One command, and the lines that it prints.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    command: String,
    answer: Vec<String>,
}

/// The steps of the page, and the text before each of them and after the last.
fn steps(text: &str) -> (Vec<Step>, Vec<String>) {
    let (mut steps, mut between): (Vec<Step>, Vec<String>) = (Vec::new(), vec![String::new()]);
    let mut in_block = false;
    for line in text.lines() {
        match (in_block, line) {
            (false, "```console") => {
                in_block = true;
                between.last_mut().unwrap().push_str("```console\n");
            }
            (true, "```") => {
                in_block = false;
                between.last_mut().unwrap().push_str("```\n");
            }
            (true, line) => match line.strip_prefix("$ ") {
                Some(command) => {
                    steps.push(Step { command: command.to_owned(), answer: Vec::new() });
                    between.push(String::new());
                }
                None => steps.last_mut().unwrap().answer.push(line.to_owned()),
            },
            (false, line) => {
                let text = between.last_mut().unwrap();
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    (steps, between)
}

/// The names of sessions and events in a text, in order: `01M8…`, `01M8…:42`.
fn names(text: &str) -> Vec<String> {
    let is_id = |word: &str| {
        word.len() == 26
            && word.starts_with("01")
            && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
        .filter_map(|word| {
            let (id, rest) = word.split_once(':').unwrap_or((word, ""));
            let seq: String = rest.chars().take_while(char::is_ascii_digit).collect();
            is_id(id).then(|| if seq.is_empty() { id.to_owned() } else { format!("{id}:{seq}") })
        })
        .collect()
}

/// A line without what differs from run to run.
fn masked(line: &str) -> String {
    let mut text = line.to_owned();
    for name in names(line) {
        text = text.replacen(&name, "ID", 1);
    }
    let mut out = String::new();
    let mut digits = false;
    for word in text.split_inclusive(|c: char| c.is_whitespace()) {
        let bare = word.trim_end();
        let is_hash = bare.len() == 64 && bare.bytes().all(|b| b.is_ascii_hexdigit());
        // Times and lengths of time: digits, and the units that follow them.
        let is_figure = bare.starts_with(|c: char| c.is_ascii_digit() || c == '+')
            && bare.chars().any(|c| c.is_ascii_digit());
        let is_unit = digits && ["µs", "us", "ms", "s", "min"].contains(&bare.trim_end_matches([',', ';']));
        digits = is_figure;
        if is_hash {
            out.push_str("HASH ");
        } else if is_figure || is_unit {
            out.push_str("N ");
        } else {
            let mut word: String = bare.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            while word.contains("00") {
                word = word.replace("00", "0");
            }
            out.push_str(&word);
            out.push(' ');
        }
    }
    let mut text = out.split_whitespace().collect::<Vec<_>>().join(" ");
    while text.contains("N N") {
        text = text.replace("N N", "N");
    }
    // Lines drawn as wide as what they stand under.
    text.chars()
        .filter(|c| !matches!(c, '─' | '━' | '-' | '·'))
        .collect::<String>()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn renamed(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    // Events before sessions: the name of a session begins that of its events.
    for (from, to) in names.iter().rev() {
        text = text.replace(from.as_str(), to);
    }
    text
}

#[test]
fn every_command_of_the_page_answers_as_the_page_says() {
    let update = std::env::var_os("CAPONIER_UPDATE").is_some();
    let incident = if update { Incident::record_at(ROOT.into()) } else { Incident::record() };
    let root = incident.home().parent().unwrap().to_owned();
    let folder = root.join("desk");
    fs::create_dir(&folder).unwrap();
    let root = root.to_str().unwrap();
    let text = fs::read_to_string(page()).unwrap();
    let (steps, between) = steps(&text);
    assert!(steps.len() >= 10, "only {} commands were found", steps.len());
    let (mut known, mut written, mut wrong) = (BTreeMap::new(), between[0].clone(), Vec::new());
    for (step, after) in steps.iter().zip(&between[1..]) {
        let command = renamed(&step.command, &known).replace(ROOT, root);
        let (told, _) = incident.shell(&command, &folder);
        let told = told.replace(root, ROOT).replace(peers::folder().to_str().unwrap(), SERVERS);
        let lines: Vec<&str> = told.lines().map(str::trim_end).collect();
        let counts = |line: &&str| !BESIDE.iter().any(|beside| line.contains(beside));
        let ours: Vec<&str> = step.answer.iter().map(String::as_str).filter(counts).collect();
        let theirs: Vec<&str> = lines.iter().copied().filter(counts).collect();
        for (ours, theirs) in ours.iter().zip(&theirs) {
            known.extend(
                names(ours)
                    .into_iter()
                    .zip(names(theirs))
                    .filter(|(one, other)| one.contains(':') == other.contains(':')),
            );
        }
        let (expected, found): (Vec<String>, Vec<String>) = (
            ours.iter().map(|line| masked(line)).collect(),
            theirs.iter().map(|line| masked(line)).collect(),
        );
        if expected != found {
            wrong.push(format!(
                "$ {}\n--- the page\n{}\n--- this run\n{}\n",
                step.command,
                expected.join("\n"),
                found.join("\n")
            ));
        }
        // In an update the names of this run become those of the page.
        let shown = if update { renamed(&step.command, &known) } else { step.command.clone() };
        written.push_str(&format!(
            "$ {shown}\n{}{}{after}",
            lines.join("\n"),
            if lines.is_empty() { "" } else { "\n" }
        ));
    }
    if update {
        fs::write(page(), written).unwrap();
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn the_mask_hides_what_differs_and_nothing_else() {
    let one = "2026-11-27 15:05:08.107  weather  3  read  /home/me/.ssh/id_ed25519  fs.read.secret  01M8EPCZRK3V4QFKWQ93NT11CE:17";
    let two = "2026-11-28 09:00:00.001  weather  3    read  /home/me/.ssh/id_ed25519  fs.read.secret  01M8EPD0000V4QFKWQ93NT11CE:1234";
    assert_eq!(masked(one), masked(two));
    for other in [
        one.replace("read ", "write "),
        one.replace(".ssh", ".aws"),
        one.replace("weather", "git"),
        one.replace("secret", "other"),
    ] {
        assert_ne!(masked(one), masked(&other));
    }
    assert_eq!(names(one), ["01M8EPCZRK3V4QFKWQ93NT11CE:17"]);
    let (steps, between) = steps("a\n```console\n$ x\n1\n$ y\n```\nb\n");
    assert_eq!(steps.len(), 2);
    assert_eq!(
        (&*steps[0].command, &steps[0].answer[..], &*steps[1].command),
        ("x", &["1".to_owned()][..], "y")
    );
    assert_eq!(between, ["a\n```console\n", "", "```\nb\n"]);
}
