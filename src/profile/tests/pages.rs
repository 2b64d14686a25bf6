//! `docs/profiles/NAME.md`: what each shipped profile grants and why, made of the file itself.
//!
//! `CAPONIER_UPDATE=1 cargo test --lib pages` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::User;
use crate::policy::Environment;
use crate::profile::difference::{self, Difference};
use crate::profile::entry::Entry;
use crate::profile::packages::{self, Registry};
use crate::profile::schema::{self, Layer};
use crate::profile::shipped;
use crate::profile::source::Source;
use crate::profile::{Flags, Request, Resolved, resolve};

fn source(file: &str, text: &str) -> Source {
    Source { id: PathBuf::from(file), file: file.into(), folder: None, name: file.into(), text: text.into() }
}

fn layer(file: &str, text: &str, env: Environment) -> Layer {
    let (layer, problems) = schema::parse(&source(file, text), env);
    assert_eq!(problems, [], "{file}");
    layer
}

/// The profile, resolved for a server that nobody has named: variables stay as they are written.
fn resolved(user: &User, name: &str, env: Environment) -> Resolved {
    let request = Request { profile: name.into(), environment: env, flags: Flags::default() };
    match resolve(&request, &user.context) {
        Ok(resolved) => resolved,
        Err(problems) => panic!("{name}: {}", user.report(&problems)),
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn paths(page: &mut String, heading: &str, entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n## {heading}\n\n| path | why |\n|---|---|");
    for Entry { path, reason, optional } in entries {
        let reason = reason.as_deref().unwrap_or_else(|| panic!("{}: no reason", path.value));
        let optional = if *optional { " (where it exists)" } else { "" };
        let _ = writeln!(page, "| `{}`{optional} | {} |", cell(&path.value), cell(reason));
    }
}

fn hosts(page: &mut String, layer: &Layer) {
    let network = &layer.network;
    let mut rows = String::new();
    for grant in &network.allow {
        let reason = grant.reason.as_deref().unwrap_or_else(|| panic!("{}: no reason", grant.host));
        let _ = writeln!(rows, "| `{}:{}` | {} |", grant.host, grant.port, cell(reason));
    }
    assert!(network.local.is_empty() && network.listen.is_empty() && network.unix.is_empty());
    if !rows.is_empty() {
        let _ = write!(page, "\n## What it may reach\n\n| host | why |\n|---|---|\n{rows}");
    }
}

fn environment(page: &mut String, layer: &Layer) {
    if layer.pass.is_empty() && layer.secret.is_empty() && layer.set.is_empty() {
        return;
    }
    page.push_str("\n## Environment\n\n| variable | |\n|---|---|\n");
    for name in &layer.pass {
        let _ = writeln!(page, "| `{}` | passed on |", name.value);
    }
    for name in &layer.secret {
        let _ =
            writeln!(page, "| `{}` | passed on; its value is a secret, redacted everywhere |", name.value);
    }
    for (name, value) in &layer.set {
        let _ = writeln!(page, "| `{name}` | set to `{}` |", cell(&value.value));
    }
}

/// What the file changes beside grants and environment, against what it extends.
fn settings(page: &mut String, heading: &str, found: &[Difference]) {
    let told_above = [
        "filesystem.read",
        "filesystem.write",
        "process.execute",
        "process.execute_writable",
        "network.allow",
    ];
    let rest: Vec<&Difference> = found
        .iter()
        .filter(|difference| {
            !told_above.contains(&difference.key.as_str()) && !difference.key.starts_with("process.env.")
        })
        .collect();
    if rest.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n## {heading}\n\n| key | value | before | |\n|---|---|---|---|");
    for Difference { key, direction, from, to } in rest {
        let value = |side: &Option<difference::Side>| {
            side.as_ref().map_or_else(|| "–".to_owned(), |side| format!("`{}`", cell(&side.value)))
        };
        let word = serde_json::to_value(direction).unwrap();
        let word = word.as_str().unwrap();
        let _ = writeln!(page, "| `{key}` | {} | {} | {word} |", value(to), value(from));
    }
}

fn page(user: &User, shipped: &shipped::Shipped) -> String {
    let name = shipped.name;
    let layer = layer(&format!("{name}.toml"), shipped.text, Environment::Prod);
    let mut page = format!(
        "# {name}\n\n<!-- made of profiles/{name}.toml: CAPONIER_UPDATE=1 cargo test --lib pages -->\n\n"
    );
    let _ = writeln!(page, "{}.", layer.description.as_ref().unwrap().value);
    let up = "../".repeat(name.matches('/').count());
    for base in &layer.extends {
        let base = &base.value;
        let _ = writeln!(page, "\nEverything that [{base}]({up}{base}.md) grants, and what follows.");
    }
    let packages: Vec<&str> = packages::made_for(name)
        .map(|(registry, package)| match registry {
            Registry::Npm => format!("`{package}` of npm"),
            Registry::PyPi => format!("`{package}` of PyPI"),
        })
        .map(|text| &*text.leak())
        .collect();
    if !packages.is_empty() {
        let _ = writeln!(page, "\nTaken without `--profile` for {}.", packages.join(" and "));
    }
    paths(&mut page, "What it may read", &layer.read);
    paths(&mut page, "What it may write", &layer.write);
    paths(&mut page, "What it may execute", &layer.execute);
    paths(&mut page, "Where it may execute what it wrote", &layer.execute_writable);
    hosts(&mut page, &layer);
    environment(&mut page, &layer);
    let now = resolved(user, name, Environment::Prod);
    let before = match layer.extends.first() {
        Some(base) => resolved(user, &base.value, Environment::Prod),
        None => user.of("").unwrap(),
    };
    if shipped::variants(name).next().is_none() {
        settings(&mut page, "What else it sets", &difference::between(&before, &now));
    }
    for (env, variant) in shipped::variants(name) {
        let other = resolved(user, name, env);
        let description = layer_of(variant, env).description.unwrap().value;
        let heading = format!("With `--env {}`", env.as_str());
        let _ = writeln!(page, "\n{description}:");
        settings(&mut page, &heading, &difference::between(&before, &other));
    }
    let _ = writeln!(page, "\n## The file\n\n```toml\n{}```", shipped.text);
    for (env, variant) in shipped::variants(name) {
        let _ = writeln!(page, "\n`{name}.{}.toml`:\n\n```toml\n{}```", env.as_str(), variant.text);
    }
    page
}

fn layer_of(shipped: &shipped::Shipped, env: Environment) -> Layer {
    layer(&format!("{}.toml", shipped.name), shipped.text, env)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profiles")
}

fn files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.insert(path);
        }
    }
}

#[test]
fn pages_say_what_the_files_grant() {
    let mut user = User::new();
    user.program("bin/node", "\x7fELF");
    user.program("bin/python3", "\x7fELF");
    user.program("bin/git", "\x7fELF");
    user.dir("lib");
    user.context.session = None;
    let mut expected = BTreeSet::new();
    for shipped in shipped::ALL {
        let file = folder().join(format!("{}.md", shipped.name));
        let page = page(&user, shipped).replace(user.root.to_str().unwrap(), "…");
        if std::env::var_os("CAPONIER_UPDATE").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &page).unwrap();
        }
        let there = fs::read_to_string(&file).unwrap_or_default();
        assert!(there == page, "{}: CAPONIER_UPDATE=1 cargo test --lib pages writes it anew", file.display());
        expected.insert(file);
    }
    let mut found = BTreeSet::new();
    files(&folder(), &mut found);
    assert_eq!(found, expected);
}
