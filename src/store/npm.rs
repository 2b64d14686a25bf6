//! Packages of npm: installed by npm without any script of theirs, then read to know what to start.
//!
//! What is started is what `npx` would start: the package's only program, or the one called like the package; but by
//! `node` itself, and not by a shell and a link. Rests on `package-json(5)`, `package-lock-json(5)`, `npm-exec(1)`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use serde_json::Value;

use crate::sandbox::program::script::{self, Hashbang};
use crate::store::lockfile::{Head, Program, Runtime, Source};
use crate::store::package::{self, Wanted, Wish};
use crate::store::settings;

/// Why what was installed cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file that is not there, or that says nothing.
    #[error("{file} of the installed package: {detail}")]
    Unclear {
        /// Below the tree.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// A package that is bound to nothing.
    #[error("{name} was fetched without a digest from the registry: it cannot be locked")]
    Unlocked {
        /// Which.
        name: String,
    },
}

/// The words behind `npm`.
pub(crate) fn words(wish: &Wish, tree: &str) -> Vec<String> {
    let mut words: Vec<String> = [
        "npm",
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--save-exact",
        "--package-lock=true",
        "--omit=dev",
        "--global=false",
        "--dry-run=false",
        "--install-links=false",
        "--loglevel=error",
        "--prefix",
        tree,
        "--",
    ]
    .map(str::to_owned)
    .into();
    let name = &wish.package.name;
    words.push(match &wish.wanted {
        Wanted::Any => format!("{name}@latest"),
        Wanted::Exact(version) | Wanted::Fitting(version) => format!("{name}@{version}"),
    });
    words.extend(wish.with.iter().cloned());
    words
}

/// Looks at what npm installed.
///
/// # Errors
/// It is not what was asked for, or cannot be started without a shell.
pub(crate) fn head(wish: &Wish, tree: &Path) -> Result<Head, Error> {
    let name = &wish.package.name;
    let manifest = manifest(tree, name)?;
    let version = manifest["version"].as_str().unwrap_or_default().to_owned();
    if version.is_empty() || manifest["name"].as_str() != Some(name) {
        let detail = format!("it does not say that it is {name} of some version");
        return Err(Error::Unclear { file: format!("node_modules/{name}/package.json"), detail });
    }
    let mut head = Head::new(&wish.package, version);
    head.with.clone_from(&wish.with);
    head.packages = packages(tree)?;
    let own = programs(tree, name, &manifest);
    head.main = main(name, &own);
    for requirement in &wish.with {
        if let Ok((other, _)) = package::npm(requirement) {
            head.programs.extend(programs(tree, &other.name, &self::manifest(tree, &other.name)?));
        }
    }
    head.programs.extend(own);
    Ok(head)
}

fn manifest(tree: &Path, name: &str) -> Result<Value, Error> {
    json(tree, &format!("node_modules/{name}/package.json"))
}

fn json(tree: &Path, file: &str) -> Result<Value, Error> {
    let unclear = |detail: String| Error::Unclear { file: file.to_owned(), detail };
    let text = settings::read(&tree.join(file)).map_err(|error| unclear(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| unclear(error.to_string()))
}

/// Every package of the tree with the digest that npm checked; a link or a part of another package has none.
fn packages(tree: &Path) -> Result<Vec<Source>, Error> {
    let lock = json(tree, "package-lock.json")?;
    let all = lock["packages"].as_object().ok_or_else(|| Error::Unclear {
        file: "package-lock.json".to_owned(),
        detail: "it lists no packages".to_owned(),
    })?;
    let mut found = Vec::new();
    for (place, entry) in all {
        let Some((_, name)) = place.rsplit_once("node_modules/") else { continue };
        if entry["inBundle"] == true {
            continue;
        }
        let integrity = entry["integrity"].as_str().filter(|integrity| !integrity.is_empty());
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        let elsewhere = entry["link"] == true
            || text("resolved").starts_with("git")
            || text("resolved").starts_with("file:");
        let Some(integrity) = integrity.filter(|_| !elsewhere) else {
            return Err(Error::Unlocked { name: name.to_owned() });
        };
        let name = entry["name"].as_str().unwrap_or(name);
        let version = text("version").to_owned();
        found.push(Source { name: name.to_owned(), version, integrity: integrity.to_owned() });
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The programs of one package that can be started without a shell.
fn programs(tree: &Path, name: &str, manifest: &Value) -> BTreeMap<String, Program> {
    let own = name.rsplit('/').next().unwrap_or(name);
    let listed: Vec<(&str, &str)> = match &manifest["bin"] {
        Value::String(file) => vec![(own, file)],
        Value::Object(bins) => {
            bins.iter().filter_map(|(name, file)| Some((name.as_str(), file.as_str()?))).collect()
        }
        _ => Vec::new(),
    };
    let found = listed.into_iter().filter_map(|(program, file)| {
        let below =
            Path::new(file).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let file: Vec<&str> = file.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let file = format!("node_modules/{name}/{}", file.join("/"));
        let how = below.then(|| how(&tree.join(&file)))??;
        Some((program.to_owned(), Program { by: how.0, options: how.1, file }))
    });
    found.collect()
}

/// As `npx` chooses.
fn main(name: &str, programs: &BTreeMap<String, Program>) -> Option<String> {
    let own = name.rsplit('/').next().unwrap_or(name);
    let mut files: Vec<&str> = programs.values().map(|program| program.file.as_str()).collect();
    files.sort_unstable();
    files.dedup();
    match programs.contains_key(own) {
        true => Some(own.to_owned()),
        false if files.len() == 1 => programs.keys().next().cloned(),
        false => None,
    }
}

/// By what a file is run: `node`, with which options, or by the kernel itself.
fn how(path: &Path) -> Option<(Runtime, Vec<String>)> {
    let mut head = [0; script::HEAD];
    let mut file = File::open(path).ok()?;
    let mut filled = 0;
    while let Ok(read @ 1..) = file.read(head.get_mut(filled..)?) {
        filled += read;
    }
    if head.starts_with(b"\x7fELF") {
        return Some((Runtime::Native, Vec::new()));
    }
    let Hashbang::Line(line) = script::parse(&head) else {
        let extension = path.extension().and_then(OsStr::to_str);
        return matches!(extension, Some("js" | "cjs" | "mjs")).then(|| (Runtime::Node, Vec::new()));
    };
    let argument = line.argument.as_deref().map(|argument| argument.as_bytes().trim_ascii());
    let argument = argument.map(std::str::from_utf8).transpose().ok()?;
    let interpreter = line.interpreter.file_name()?.to_str()?.trim();
    let words: Vec<&str> = match (interpreter, argument) {
        ("env", Some(argument)) => {
            argument.strip_prefix("-S").unwrap_or(argument).split_whitespace().collect()
        }
        (interpreter, argument) => std::iter::once(interpreter).chain(argument).collect(),
    };
    let (first, options) = words.split_first()?;
    // A quote, an escape or a variable would need env's own reading.
    let plain = |word: &&str| !word.contains(['\'', '"', '\\', '$', '#']);
    let is_node = matches!(*first, "node" | "nodejs");
    (is_node && options.iter().all(plain))
        .then(|| (Runtime::Node, options.iter().map(|it| (*it).to_owned()).collect()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn put(tree: &Path, file: &str, text: &str) {
        let path = tree.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn wish(word: &str) -> Wish {
        let (package, wanted) = package::npm(word).unwrap();
        Wish::of(package, wanted)
    }

    fn installed(bin: &str) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let manifest = format!(r#"{{"name": "@a/b", "version": "1.2.3", "bin": {bin}}}"#);
        put(tree.path(), "node_modules/@a/b/package.json", &manifest);
        put(tree.path(), "node_modules/@a/b/dist/index.js", "#!/usr/bin/env node\n");
        put(tree.path(), "node_modules/@a/b/cli.mjs", "#!/usr/bin/env -S node --no-warnings\n");
        put(tree.path(), "node_modules/@a/b/run.sh", "#!/bin/sh\n");
        put(
            tree.path(),
            "package-lock.json",
            r#"{"packages": {"": {}, "node_modules/@a/b": {"version": "1.2.3", "integrity": "sha512-x"},
                "node_modules/@a/b/node_modules/c": {"version": "1.0.0", "integrity": "sha512-y"},
                "node_modules/d": {"version": "1.0.0", "inBundle": true}}}"#,
        );
        tree
    }

    #[test]
    fn the_package_and_its_programs_are_found() {
        let tree =
            installed(r#"{"b": "./dist/index.js", "other": "cli.mjs", "shell": "run.sh", "out": "../../x"}"#);
        let head = head(&wish("@a/b"), tree.path()).unwrap();
        assert_eq!((head.version.as_str(), head.main.as_deref()), ("1.2.3", Some("b")));
        assert_eq!(head.program(None).unwrap().file, "node_modules/@a/b/dist/index.js");
        assert_eq!(head.program(Some("other")).unwrap().options, ["--no-warnings"]);
        assert!(head.program(Some("shell")).is_none() && head.program(Some("out")).is_none());
        assert_eq!(head.packages.len(), 2);
    }

    #[test]
    fn one_program_is_the_one_whatever_it_is_called() {
        let tree = installed(r#"{"something": "dist/index.js"}"#);
        assert_eq!(head(&wish("@a/b"), tree.path()).unwrap().main.as_deref(), Some("something"));
        let tree = installed(r#""dist/index.js""#);
        assert_eq!(head(&wish("@a/b"), tree.path()).unwrap().main.as_deref(), Some("b"));
        let tree = installed(r#"{"x": "dist/index.js", "y": "cli.mjs"}"#);
        assert_eq!(head(&wish("@a/b"), tree.path()).unwrap().main, None);
    }

    #[test]
    fn what_has_no_digest_or_another_name_is_refused() {
        let tree = installed(r#""dist/index.js""#);
        put(
            tree.path(),
            "package-lock.json",
            r#"{"packages": {"node_modules/c": {"resolved": "git+ssh://h/c", "integrity": "sha512-z"}}}"#,
        );
        assert!(matches!(head(&wish("@a/b"), tree.path()), Err(Error::Unlocked { .. })));
        assert!(matches!(head(&wish("@a/c"), tree.path()), Err(Error::Unclear { .. })));
        put(tree.path(), "node_modules/@a/c/package.json", r#"{"name": "@a/b", "version": "1.2.3"}"#);
        assert!(matches!(head(&wish("@a/c"), tree.path()), Err(Error::Unclear { .. })));
    }
}
