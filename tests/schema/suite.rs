//! The official JSON-Schema-Test-Suite, as `scripts/peers.sh` installs it: every required case of both dialects.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use caponier::mcp::schema::{Bounds, Unlisted, Verdict, compile};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::scope::{OUT_OF_SCOPE, Outside};

/// A group of cases with one schema.
#[derive(Deserialize)]
struct Group {
    description: String,
    schema: Box<RawValue>,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    description: String,
    data: Box<RawValue>,
    valid: bool,
}

/// A case whose result is not the suite's.
struct Difference {
    place: String,
    said: String,
    /// It was answered, and wrongly; else nothing was said of the data, and a call would be refused.
    wrong: bool,
}

fn suite() -> PathBuf {
    let peers = env::var_os("CAPONIER_PEERS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers"), PathBuf::from);
    let suite = peers.join("json-schema-suite");
    assert!(suite.is_dir(), "{} is not there: run scripts/peers.sh first", suite.display());
    suite
}

/// The text in one line, as a message has it; the digits of its numbers as they are.
fn line(raw: &RawValue) -> String {
    raw.get().replace(['\n', '\r'], " ")
}

/// The schema with the dialect that the folder is about, where it names none.
fn with_dialect(raw: &RawValue, dialect: &str) -> String {
    let text = line(raw);
    match text.trim_start().strip_prefix('{') {
        Some(rest) if !text.contains("\"$schema\"") => {
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            format!("{{\"$schema\":\"{dialect}\"{comma}{rest}")
        }
        _ => text,
    }
}

/// Runs one folder: how many cases there are, and those that differ.
fn run(folder: &str, dialect: &str) -> (usize, Vec<Difference>) {
    let mut files: Vec<PathBuf> = fs::read_dir(suite().join("tests").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(files.len() > 30, "{folder}: only {} files", files.len());
    let (mut cases, mut differences) = (0, Vec::new());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let groups: Vec<Group> = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        for group in groups {
            let compiled = compile(&with_dialect(&group.schema, dialect), Bounds::DEFAULT);
            for case in group.tests {
                cases += 1;
                let (valid, said) = match &compiled {
                    Err(error) => (None, format!("{error}")),
                    Ok(schema) => match schema.check(&line(&case.data), Unlisted::Allowed) {
                        Verdict::Good => (Some(true), "valid".to_owned()),
                        Verdict::Bad(violation) => (Some(false), violation.to_string()),
                        Verdict::Unknown(why) => (None, why),
                    },
                };
                if valid != Some(case.valid) {
                    let place = format!("{folder}/{name}: {}: {}", group.description, case.description);
                    differences.push(Difference { place, said, wrong: valid.is_some() });
                }
            }
        }
    }
    (cases, differences)
}

/// Whether an entry of the list is about this case.
fn covers(entry: &Outside, place: &str) -> bool {
    place.starts_with(entry.place)
}

#[test]
fn every_required_case_in_scope_agrees() {
    let mut used: BTreeMap<&str, usize> = OUT_OF_SCOPE.iter().map(|entry| (entry.place, 0)).collect();
    let mut wrong = Vec::new();
    for (folder, dialect) in [
        ("draft7", "http://json-schema.org/draft-07/schema#"),
        ("draft2020-12", "https://json-schema.org/draft/2020-12/schema"),
    ] {
        let (cases, differences) = run(folder, dialect);
        let mut outside = 0;
        for Difference { place, said, wrong: answered } in differences {
            match OUT_OF_SCOPE.iter().find(|entry| !answered && covers(entry, &place)) {
                Some(entry) => {
                    outside += 1;
                    *used.entry(entry.place).or_default() += 1;
                }
                None => wrong.push(format!("{place} ({said})")),
            }
        }
        println!("{folder}: {cases} cases, {} agree, {outside} out of scope", cases - outside);
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    let stale: Vec<_> = used.iter().filter(|(_, count)| **count == 0).map(|(place, _)| *place).collect();
    assert!(stale.is_empty(), "these agree, or are gone: take them off the list: {stale:#?}");
    for Outside { place, reason } in OUT_OF_SCOPE {
        println!("out of scope: {} cases of {place}: {reason}", used[place]);
    }
}
