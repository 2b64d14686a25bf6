//! The rules of deny.toml, the budget of crates, and docs/dependencies.md, against what cargo resolves.
//!
//! The same rules that cargo-deny would check, checked without it, so that they always are.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

#[path = "dependencies/spdx.rs"]
mod spdx;

/// Most crates in the default build, ours not counted.
const BUDGET: usize = 90;

/// What cargo resolves for this platform. `CAPONIER_METADATA` names a file with it, for users who have no cargo.
fn metadata() -> Value {
    if let Some(file) = env::var_os("CAPONIER_METADATA") {
        return serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    }
    let platform = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let done = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(done.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn toml_file(name: &str) -> toml::Table {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap().parse().unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// Everything but ourselves.
fn foreign(metadata: &Value) -> Vec<&Value> {
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| text(package, "name") != "caponier")
        .collect()
}

/// Whether an edge is one that is built. cargo lists an optional dependency that only a weak feature (`name?/feature`)
/// speaks of, as rustls-webpki speaks of ring; it is built when a feature that is on asks for it.
fn is_active(metadata: &Value, node: &Value, target: &str) -> bool {
    let package = |id: &str| {
        metadata["packages"].as_array().unwrap().iter().find(|package| text(package, "id") == id).unwrap()
    };
    let (from, to) = (package(text(node, "id")), package(target));
    let all = from["dependencies"].as_array().unwrap();
    let declared: Vec<&Value> = all.iter().filter(|one| text(one, "name") == text(to, "name")).collect();
    if declared.iter().any(|one| one["optional"] == false) {
        return true;
    }
    let on: Vec<&str> =
        node["features"].as_array().unwrap().iter().map(|feature| feature.as_str().unwrap()).collect();
    declared.iter().any(|one| {
        let name = one["rename"].as_str().unwrap_or(text(one, "name"));
        let asks = |what: &str| {
            what == name || what == format!("dep:{name}") || what.starts_with(&format!("{name}/"))
        };
        on.iter().any(|feature| {
            let of_feature = from["features"][*feature].as_array();
            *feature == name
                || of_feature.is_some_and(|list| list.iter().any(|what| asks(what.as_str().unwrap())))
        })
    })
}

/// The names of the crates that the program is built of and with: what tests need is not among them.
fn default_build(metadata: &Value) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let root = text(&metadata["resolve"], "root");
    let mut reached = BTreeSet::from([root]);
    let mut ahead = vec![root];
    while let Some(id) = ahead.pop() {
        for edge in nodes[id]["deps"].as_array().unwrap() {
            let built = edge["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev");
            if built && is_active(metadata, nodes[id], text(edge, "pkg")) && reached.insert(text(edge, "pkg"))
            {
                ahead.push(text(edge, "pkg"));
            }
        }
    }
    reached.remove(root);
    reached
}

fn refused_licences<'a>(packages: &[&'a Value], allowed: &[&str]) -> Vec<&'a str> {
    let refused = packages.iter().filter(|package| !spdx::satisfied(text(package, "license"), allowed));
    refused.map(|package| text(package, "name")).collect()
}

#[test]
fn every_licence_is_on_the_list() {
    let deny = toml_file("deny.toml");
    let allowed: Vec<&str> = deny["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|licence| licence.as_str().unwrap())
        .collect();
    let metadata = metadata();
    let packages = foreign(&metadata);
    assert_eq!(refused_licences(&packages, &allowed), Vec::<&str>::new());
    for licence in &allowed {
        let without: Vec<&str> = allowed.iter().copied().filter(|other| other != licence).collect();
        let needed = !refused_licences(&packages, &without).is_empty();
        // The other of our own two licences stays, needed or not.
        assert!(needed || *licence == "Apache-2.0", "nothing needs {licence}: take it off deny.toml");
    }
}

#[test]
fn the_default_build_keeps_its_budget() {
    let metadata = metadata();
    let crates = default_build(&metadata);
    assert!(crates.len() <= BUDGET, "{} crates, at most {BUDGET}: {crates:#?}", crates.len());
    assert!(crates.len() > 20, "only {} crates: the count is wrong", crates.len());
}

#[test]
fn nothing_native_and_nothing_banned_is_built_in() {
    let deny = toml_file("deny.toml");
    let banned: BTreeSet<&str> = deny["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["crate"].as_str().unwrap())
        .collect();
    assert!(banned.contains("cc"));
    let metadata = metadata();
    let built = default_build(&metadata);
    for package in foreign(&metadata).into_iter().filter(|package| built.contains(text(package, "id"))) {
        let name = text(package, "name");
        assert!(!banned.contains(name), "{name} is banned by deny.toml");
        assert!(package["links"].is_null(), "{name} links the native library {}", package["links"]);
    }
}

#[test]
fn everything_comes_from_the_registry() {
    for package in foreign(&metadata()) {
        assert!(
            text(package, "source").starts_with("registry+"),
            "{}: {}",
            package["name"],
            package["source"]
        );
    }
}

/// The rows of the tables of a section: the crate's name and the other columns.
fn rows<'a>(page: &'a str, section: &str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let section = page.split("\n## ").find_map(|part| part.strip_prefix(section)).unwrap_or_default();
    let cells = section.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].trim_matches('`'), cells[1..].to_vec())
    });
    cells.collect()
}

#[test]
fn every_direct_dependency_is_explained() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dependencies.md")).unwrap();
    let manifest = toml_file("Cargo.toml");
    for (section, table) in [("In the program", "dependencies"), ("Only in tests", "dev-dependencies")] {
        let explained = rows(&page, section);
        let names: BTreeSet<&str> = manifest[table].as_table().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            explained.keys().copied().collect::<BTreeSet<_>>(),
            names,
            "docs/dependencies.md, {section}"
        );
        for (name, cells) in explained {
            assert!(cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()), "{name}: {cells:?}");
        }
    }
}

#[test]
fn a_refused_licence_is_found() {
    let package = serde_json::json!({"name": "x", "license": "GPL-3.0-only"});
    let silent = serde_json::json!({"name": "y", "license": null});
    assert_eq!(refused_licences(&[&package, &silent], &["MIT"]), ["x", "y"]);
}

#[test]
fn what_only_tests_need_is_not_in_the_default_build() {
    let needs = |name: &str, optional: bool| serde_json::json!({"name": name, "optional": optional});
    let metadata = serde_json::json!({"resolve": {"root": "us", "nodes": [
        {"id": "us", "features": [], "deps": [
            {"pkg": "a", "dep_kinds": [{"kind": null}]},
            {"pkg": "t", "dep_kinds": [{"kind": "dev"}]},
        ]},
        {"id": "a", "features": ["std"], "deps": [
            {"pkg": "b", "dep_kinds": [{"kind": "build"}]},
            {"pkg": "weak", "dep_kinds": [{"kind": null}]},
            {"pkg": "asked", "dep_kinds": [{"kind": null}]},
        ]},
        {"id": "b", "features": [], "deps": []},
        {"id": "t", "features": [], "deps": []},
        {"id": "weak", "features": [], "deps": []},
        {"id": "asked", "features": [], "deps": []},
    ]}, "packages": [
        {"id": "us", "name": "us", "features": {}, "dependencies": [needs("a", false), needs("t", false)]},
        {"id": "a", "name": "a", "features": {"std": ["weak?/std", "dep:asked"]},
         "dependencies": [needs("b", false), needs("weak", true), needs("asked", true)]},
        {"id": "b", "name": "b"}, {"id": "t", "name": "t"},
        {"id": "weak", "name": "weak"}, {"id": "asked", "name": "asked"},
    ]});
    assert_eq!(default_build(&metadata), BTreeSet::from(["a", "asked", "b"]));
}
