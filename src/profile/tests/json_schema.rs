//! docs/profile.schema.json is made of the questions that the parser asks of a file in which every key stands, and of the
//! page that explains the keys. A key that the parser does not know cannot be in it; one that is missing fails here.
//!
//! `CAPONIER_UPDATE=1 cargo test --lib json_schema` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::policy::Environment;
use crate::profile::problem::Problem;
use crate::profile::schema;
use crate::profile::shipped;
use crate::profile::source::Source;
use crate::profile::tree::{Asked, Reading};

const UPDATE: &str = "CAPONIER_UPDATE=1 cargo test --lib json_schema";

/// A key of a table whose keys are free, in [`GOOD`].
const ANY: &str = "ANY";

/// Every key, with a value that is good in development.
const GOOD: &[(&str, &str)] = &[
    ("audit.arguments", r#""redacted""#),
    ("audit.file_reads", "true"),
    ("audit.on_failure", r#""block""#),
    ("audit.stderr", "false"),
    ("audit.sync", r#""session""#),
    ("audit.trace_stat", "false"),
    ("confirm.channels", r#"["elicitation", "desktop", "terminal"]"#),
    ("confirm.timeout", r#""60s""#),
    ("description", r#""Notes""#),
    ("extends", r#"["runtime/node", "other.toml"]"#),
    ("filesystem.read", r#"["/x", { path = "/x", reason = "why", optional = true }]"#),
    ("filesystem.unprotected", r#"[".git/hooks"]"#),
    ("filesystem.write", r#"["/x", { path = "/x", reason = "why", optional = true }]"#),
    ("limits.cpu_time", r#""10m""#),
    ("limits.file_size", r#""1GiB""#),
    ("limits.memory", r#""1GiB""#),
    ("limits.open_files", "1024"),
    ("limits.processes", "64"),
    ("limits.wall_time", r#""1h""#),
    ("network.allow", r#"["x.example:443", { host = "10.0.0.1:443", private = true, reason = "why" }]"#),
    ("network.connections", "10"),
    ("network.idle_timeout", r#""30m""#),
    ("network.listen", r#"["localhost:0", { host = "localhost:8080", reason = "why" }]"#),
    ("network.local", r#"["localhost:5432", { host = "localhost:5432", reason = "why" }]"#),
    ("network.rate", r#""60/min""#),
    ("network.unix", r#"["/run/x", { path = "/run/x", reason = "why" }]"#),
    ("process.arguments_as_paths", r#""none""#),
    ("process.env.pass", r#"["LANG"]"#),
    ("process.env.secret", r#"["API_TOKEN"]"#),
    ("process.env.set.ANY", r#""x""#),
    ("process.execute", r#"["git", { path = "git", reason = "why", optional = true }]"#),
    (
        "process.execute_writable",
        r#"["${server.cache}/x", { path = "${server.cache}/x", reason = "why", optional = true }]"#,
    ),
    ("process.home", r#""session""#),
    ("process.nested_seccomp", "false"),
    ("protocol.max_depth", "64"),
    ("protocol.max_message", r#""16MiB""#),
    ("protocol.pins", r#""enforce""#),
    ("protocol.server_requests.elicitation", r#""allow""#),
    ("protocol.server_requests.roots", r#""allow""#),
    ("protocol.server_requests.sampling", r#""deny""#),
    ("protocol.stdout", r#""strict""#),
    ("protocol.unknown_fields", r#""reject""#),
    ("require.kill_scope", r#""required""#),
    ("require.landlock_abi", "4"),
    ("require.notify", "true"),
    ("tools.allow", r#"["read_*"]"#),
    ("tools.ask", r#"["write_*"]"#),
    ("tools.calls", r#""60/min""#),
    ("tools.concurrent", "4"),
    ("tools.default", r#""allow""#),
    ("tools.deny", r#"["delete_*"]"#),
    ("tools.mismatch", r#""log""#),
    ("tools.outside_paths", r#""refuse""#),
    ("tools.result_size", r#""1MiB""#),
    ("tools.rule.ANY.argument.ANY.deny_prefix", r#"["-"]"#),
    ("tools.rule.ANY.argument.ANY.extensions", r#"[".md"]"#),
    ("tools.rule.ANY.argument.ANY.hosts", r#"["network.allow", "x.example:443"]"#),
    ("tools.rule.ANY.argument.ANY.max_length", "200"),
    ("tools.rule.ANY.argument.ANY.one_of", r#"["json"]"#),
    ("tools.rule.ANY.argument.ANY.outside_paths", r#""allow""#),
    ("tools.rule.ANY.argument.ANY.pattern", r#""[a-z]+""#),
    ("tools.rule.ANY.argument.ANY.within", r#"["/x", { path = "/x", reason = "why", optional = true }]"#),
    ("tools.rule.ANY.calls", r#""5/s""#),
    ("tools.rule.ANY.concurrent", "1"),
    ("tools.rule.ANY.outside_paths", r#""refuse""#),
    ("tools.rule.ANY.result_size", r#""1MiB""#),
    ("tools.rule.ANY.timeout", r#""10s""#),
    ("tools.rule.ANY.unknown_fields", r#""allow""#),
    ("tools.timeout", r#""60s""#),
];

/// Good values of the keys of an entry.
const OF_ENTRIES: &[(&str, &str)] = &[
    ("host", r#""localhost:443""#),
    ("optional", "true"),
    ("path", r#""/x""#),
    ("private", "false"),
    ("reason", r#""why""#),
];

/// Keys whose texts mean more than a schema can say: the parser may refuse what the schema lets pass, never the other way.
const MEANS_MORE: &[&str] = &[
    "confirm.timeout",
    "filesystem.unprotected",
    "limits.cpu_time",
    "network.allow",
    "network.listen",
    "network.local",
    "network.unix",
    "process.env.pass",
    "process.env.secret",
    "tools.allow",
    "tools.ask",
    "tools.deny",
    "tools.rule.ANY.argument.ANY.deny_prefix",
    "tools.rule.ANY.argument.ANY.extensions",
    "tools.rule.ANY.argument.ANY.hosts",
    "tools.rule.ANY.argument.ANY.pattern",
];

/// Values to try everywhere.
const TRIED: &[&str] = &[
    "true",
    "false",
    "0",
    "1",
    "2",
    "3",
    "4",
    "-1",
    "3.5",
    "4294967295",
    "4294967296",
    "1979-05-27",
    "[]",
    "{}",
    r#""""#,
    r#""none""#,
    r#""?!""#,
    r#""allow""#,
    r#""1GiB""#,
    r#""16 MiB""#,
    r#""0B""#,
    r#""1GB""#,
    r#""1024""#,
    r#""10m""#,
    r#""0s""#,
    r#""500ms""#,
    r#""1 fortnight""#,
    r#""60/min""#,
    r#""0/s""#,
    r#""5/day""#,
    r#"["x"]"#,
    r#"["/x"]"#,
    "[1]",
    "[[]]",
    "[{}]",
    r#"["x", 3]"#,
    r#"[{ path = "/x" }]"#,
    r#"[{ path = "/x", optional = 1 }]"#,
    r#"[{ path = 1 }]"#,
    r#"[{ path = "/x", because = "x" }]"#,
    r#"[{ reason = "x" }]"#,
    r#"[{ host = "localhost:443" }]"#,
    r#"[{ host = "localhost:443", optional = true }]"#,
    r#"{ x = "y" }"#,
    r#"{ x = {} }"#,
];

/// Keys that something enforces. What nothing does is refused in any form, and is no part of the schema.
fn enforced() -> Vec<(&'static str, &'static str)> {
    GOOD.iter().copied().filter(|(key, value)| !is_refused(key, value)).collect()
}

type Questions = BTreeMap<String, BTreeSet<Asked>>;

fn source(text: &str) -> Source {
    let file = "p.toml".to_owned();
    Source { id: PathBuf::from("/p.toml"), file, folder: None, name: "p".into(), text: text.to_owned() }
}

/// What the parser asks of a text, and what it finds wrong with it.
fn asked(text: &str) -> (Questions, Vec<Problem>) {
    let source = source(text);
    let reading = Reading::new(&source);
    schema::read(&reading, &source.text, Environment::Dev);
    let questions = reading.asked.borrow().clone();
    (questions, reading.finish())
}

fn problems(text: &str) -> Vec<Problem> {
    asked(text).1
}

fn with(lines: &[(&str, &str)]) -> String {
    let lines: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("version = 1\n{lines}")
}

/// Whether nothing enforces it yet, so that the parser refuses it in any form.
fn is_refused(key: &str, value: &str) -> bool {
    problems(&with(&[(key, value)])).iter().any(|problem| problem.message.contains("is not enforced"))
}

/// The makings of the schema.
struct Format {
    questions: Questions,
    /// Keys that are left out of it.
    refused: BTreeSet<String>,
    explained: BTreeMap<String, String>,
}

impl Format {
    fn of_the_parser() -> Format {
        let refused: BTreeSet<String> = GOOD
            .iter()
            .filter(|(key, value)| is_refused(key, value))
            .map(|(key, _)| (*key).to_owned())
            .collect();
        let (questions, problems) = asked(&with(GOOD));
        let other: Vec<&Problem> =
            problems.iter().filter(|problem| !problem.message.contains("is not enforced")).collect();
        assert!(other.is_empty(), "GOOD is not good: {other:#?}");
        for (key, asked) in &questions {
            assert!(
                key == "version" || asked.iter().any(|asked| *asked != Asked::Known),
                "the parser knows `{key}`: give it a good value in GOOD of {}",
                file!()
            );
        }
        Format { questions, refused, explained: explained() }
    }

    fn schema(&self) -> Value {
        let mut schema = self.table("");
        let Value::Object(root) = &mut schema else { panic!("no table") };
        root.insert("$schema".into(), "http://json-schema.org/draft-07/schema#".into());
        root.insert("title".into(), "caponier profile".into());
        root.insert(
            "description".into(),
            "What one MCP server may do; what it does not grant is refused".into(),
        );
        root.insert("required".into(), json!(["version"]));
        schema
    }

    /// The keys below a table.
    fn below(&self, table: &str) -> Vec<(&str, &str)> {
        let prefix = if table.is_empty() { String::new() } else { format!("{table}.") };
        let keys = self.questions.keys().filter(|key| !self.refused.contains(*key));
        keys.filter_map(|key| Some((key.as_str(), key.strip_prefix(&prefix)?)))
            .filter(|(_, name)| !name.is_empty() && !name.contains('.'))
            .collect()
    }

    fn is(&self, key: &str, asked: &Asked) -> bool {
        self.questions[key].contains(asked)
    }

    fn table(&self, table: &str) -> Value {
        let below = self.below(table);
        if let [(key, ANY)] = below[..] {
            return json!({"type": "object", "additionalProperties": self.value(key)});
        }
        assert!(self.is(table, &Asked::Closed), "`{table}`: nobody looks for unknown keys in it");
        let keys = below.into_iter().map(|(key, name)| {
            let mut value = self.value(key);
            if let (Value::Object(value), Some(text)) = (&mut value, self.explained.get(key)) {
                value.insert("description".into(), text.clone().into());
            }
            (name.to_owned(), value)
        });
        json!({"type": "object", "properties": keys.collect::<Map<_, _>>(), "additionalProperties": false})
    }

    fn value(&self, key: &str) -> Value {
        if key == "version" {
            return json!({"const": 1});
        }
        let is = |asked| self.is(key, &asked);
        if is(Asked::List) {
            let mut kinds = Vec::new();
            let words = self.questions[key].iter().find_map(|asked| match asked {
                Asked::Choice(words) => Some(words),
                _ => None,
            });
            match words {
                Some(words) => kinds.push(json!({ "enum": words })),
                None if is(Asked::String) => kinds.push(json!({"type": "string"})),
                None => {}
            }
            if is(Asked::Table) {
                kinds.push(self.entry(key));
            }
            let items = if kinds.len() == 1 { kinds.remove(0) } else { json!({"anyOf": kinds}) };
            return json!({"type": "array", "items": items});
        }
        if is(Asked::Table) {
            return self.table(key);
        }
        let value = if is(Asked::Boolean) {
            let possible: Vec<bool> = [true, false]
                .into_iter()
                .filter(|value| problems(&with(&[(key, &value.to_string())])).is_empty())
                .collect();
            match possible[..] {
                // An entry's own keys cannot stand alone.
                [] | [_, _] => json!({"type": "boolean"}),
                [one] => json!({"const": one}),
                _ => panic!("{possible:?}"),
            }
        } else if is(Asked::Bytes) {
            amount("B|KiB|MiB|GiB|TiB")
        } else if is(Asked::Duration) {
            amount("ms|s|m|h|d")
        } else if is(Asked::Rate) {
            json!({"type": "string", "pattern": "^\\+?0*[1-9][0-9]*/(s|min|h)$"})
        } else {
            self.plain(key)
        };
        match is(Asked::None) {
            true => json!({"anyOf": [value, {"const": "none"}]}),
            false => value,
        }
    }

    fn plain(&self, key: &str) -> Value {
        for asked in &self.questions[key] {
            match asked {
                Asked::Integer { least } => {
                    return json!({"type": "integer", "minimum": least, "maximum": u32::MAX});
                }
                Asked::Choice(words) => {
                    let taken = words
                        .iter()
                        .filter(|word| problems(&with(&[(key, &format!("{word:?}"))])).is_empty());
                    return json!({"enum": taken.collect::<Vec<_>>()});
                }
                _ => {}
            }
        }
        assert!(self.is(key, &Asked::String), "`{key}`: what is {:?}?", self.questions[key]);
        json!({"type": "string"})
    }

    /// The table of an entry, with the keys that it cannot be without.
    fn entry(&self, list: &str) -> Value {
        let good = |name: &str| {
            let found = OF_ENTRIES.iter().find(|(key, _)| *key == name);
            found.unwrap_or_else(|| panic!("`{name}`: give it a good value in OF_ENTRIES")).1
        };
        let names: Vec<&str> = self.below(list).into_iter().map(|(_, name)| name).collect();
        let without = |left_out: &str| {
            let fields: Vec<String> = names
                .iter()
                .filter(|name| **name != left_out)
                .map(|name| format!("{name} = {}", good(name)))
                .collect();
            problems(&with(&[(list, &format!("[{{ {} }}]", fields.join(", ")))]))
        };
        let is_missed = |name: &&&str| {
            without(name).iter().any(|problem| problem.message.contains(&format!("has no `{name}`")))
        };
        let mut entry = self.table(list);
        entry["required"] = json!(names.iter().filter(is_missed).collect::<Vec<_>>());
        entry
    }
}

/// What the parser counts in 64 bits cannot be said; that it is not nothing can.
fn amount(units: &str) -> Value {
    json!({"type": "string", "pattern": format!("^0*[1-9][0-9]*\\s*({units})$")})
}

/// What docs/PROFILES.md says of each key, without its links.
fn explained() -> BTreeMap<String, String> {
    let page = include_str!("../../../docs/PROFILES.md");
    let mut found = BTreeMap::new();
    let rows = |section: &str| {
        let section = page.split("\n## ").find(|text| text.starts_with(section)).unwrap_or_default();
        section.lines().filter_map(|line| line.strip_prefix("| `"))
    };
    let all = rows("Keys\n").map(|row| (row, false)).chain(rows("Arguments\n").map(|row| (row, true)));
    for (row, argument) in all {
        let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").map(str::trim).collect();
        let (keys, text) = match cells[..] {
            [keys, values, default] => (keys, format!("{}. Without it: {}", plain(values), plain(default))),
            [rule, meaning] => (rule, plain(meaning)),
            _ => panic!("{row}"),
        };
        let names: Vec<&str> = format_keys(keys);
        let Some(first) = names.first() else { continue };
        let parent = first.rsplit_once('.').map_or("", |(parent, _)| parent);
        for name in &names {
            let name = name.split(" =").next().unwrap_or(name);
            let key = match name.strip_prefix('.') {
                Some(name) => format!("{parent}.{name}"),
                None if argument => format!("tools.rule.NAME.argument.ARGUMENT.{name}"),
                None => name.to_owned(),
            };
            found.insert(key.replace("NAME", ANY).replace("ARGUMENT", ANY), text.clone());
        }
    }
    found
}

/// `a`, `.b` of "`a`, `.b`"; its first backtick is gone already.
fn format_keys(cell: &str) -> Vec<&str> {
    cell.split('`').step_by(2).filter(|name| !name.trim_matches([',', ' ']).is_empty()).collect()
}

fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        match link.split_once("](").and_then(|(name, after)| Some((name, after.split_once(')')?.1))) {
            Some((name, after)) if !name.contains('[') => {
                plain.extend([before, name]);
                rest = after;
            }
            _ => {
                plain.extend([before, "["]);
                rest = link;
            }
        }
    }
    (plain + rest).replace("\\|", "|").replace('`', "")
}

fn written(schema: &Value) -> String {
    serde_json::to_string_pretty(schema).unwrap() + "\n"
}

#[test]
fn the_json_schema_is_what_the_parser_asks() {
    let said = written(&Format::of_the_parser().schema());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/profile.schema.json");
    if std::env::var_os("CAPONIER_UPDATE").is_some() {
        std::fs::write(file, &said).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == said,
        "docs/profile.schema.json is not what the parser asks. Write it anew, and read the difference:\n    {UPDATE}\n"
    );
}

#[test]
fn every_key_is_explained_and_no_other_is() {
    let format = Format::of_the_parser();
    let explained: BTreeSet<&String> = format.explained.keys().collect();
    let good: BTreeSet<String> = GOOD.iter().map(|(key, _)| (*key).to_owned()).collect();
    let has_parent =
        |key: &str| key.rsplit_once('.').is_some_and(|(parent, _)| format.explained.contains_key(parent));
    let missing: Vec<&String> = good
        .iter()
        .filter(|key| !format.refused.contains(*key))
        .filter(|key| !explained.contains(key) && !has_parent(key))
        .collect();
    assert!(missing.is_empty(), "docs/PROFILES.md has no row for {missing:?}");
    let unknown: Vec<&&String> =
        explained.iter().filter(|key| !format.questions.contains_key(key.as_str())).collect();
    assert!(unknown.is_empty(), "docs/PROFILES.md explains {unknown:?}, which no profile can have");
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&Format::of_the_parser().schema()).unwrap()
}

/// A profile as an editor gives it to its schema; `None` for what is no TOML.
fn as_json(text: &str) -> Option<Value> {
    toml::from_str(text).ok()
}

/// Parser and schema agree on one key with one value.
fn agree(validator: &jsonschema::Validator, key: &str, value: &str) -> bool {
    let text = with(&[(key, value)]);
    let problems = problems(&text);
    let parser = problems.is_empty();
    let schema = as_json(&text).is_some_and(|json| validator.is_valid(&json));
    let more = MEANS_MORE.contains(&key) && schema;
    assert!(parser == schema || more, "{text}: the schema says {schema}, the parser {problems:#?}");
    parser && schema
}

#[test]
fn the_schema_and_the_parser_agree_on_every_value_of_every_key() {
    let validator = validator();
    let (mut good, mut bad) = (0, 0);
    for (key, value) in enforced() {
        for value in TRIED.iter().copied().chain([value]) {
            if agree(&validator, key, value) {
                good += 1;
            } else {
                bad += 1;
            }
        }
    }
    assert!(good > 200 && bad > 1000, "{good} good ones, {bad} bad ones");
}

#[test]
fn the_schema_and_the_parser_agree_on_unknown_keys() {
    let validator = validator();
    let format = Format::of_the_parser();
    let closed = format.questions.iter().filter(|(_, asked)| asked.contains(&Asked::Closed));
    let mut seen = 0;
    for (table, _) in closed.filter(|(_, asked)| !asked.contains(&Asked::List)) {
        let key = if table.is_empty() { "versoin".to_owned() } else { format!("{table}.unheard_of") };
        assert!(!agree(&validator, &key, "1"), "{key}");
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} tables");
    for text in ["", "version = 2\n", "version = \"1\"\n", "[filesystem]\n"] {
        assert!(!problems(text).is_empty() && !validator.is_valid(&as_json(text).unwrap()), "{text:?}");
    }
}

#[test]
fn every_shipped_profile_names_the_schema_and_is_valid() {
    let validator = validator();
    for profile in shipped::ALL {
        let up = "../".repeat(profile.name.matches('/').count() + 1);
        let first = profile.text.lines().next();
        assert_eq!(first, Some(&*format!("#:schema {up}docs/profile.schema.json")), "{}", profile.name);
        let errors: Vec<String> =
            validator.iter_errors(&as_json(profile.text).unwrap()).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", profile.name);
    }
}

proptest! {
    /// Of several keys, each by itself good or bad to both, the whole is good to both or to neither.
    #[test]
    fn the_schema_and_the_parser_agree_on_whole_profiles(
        chosen in proptest::collection::btree_map(0..enforced().len(), 0..TRIED.len() * 2, 1..12)
    ) {
        let (validator, enforced) = (validator(), enforced());
        let lines: Vec<(&str, &str)> = chosen
            .into_iter()
            .map(|(key, value)| (enforced[key].0, *TRIED.get(value).unwrap_or(&enforced[key].1)))
            .collect();
        let text = with(&lines);
        let schema = as_json(&text).is_some_and(|json| validator.is_valid(&json));
        let means_more = lines.iter().any(|(key, _)| MEANS_MORE.contains(key));
        let parser = problems(&text).is_empty();
        prop_assert!(parser == schema || means_more && schema, "{text}schema: {schema}, parser: {parser}");
    }
}
