//! Packages of PyPI: installed by pip from wheels alone, so that nothing of theirs runs, into a virtual environment.
//!
//! What is started is what `uvx` and `pipx` would start: the entry point of the package's name, or its only one; by the
//! environment's own python, from a file of ours in the place of the console script, whose `#!` line would name the
//! folder that the environment was made in. Rests on PEP 405, on "Entry points specification" and "Recording installed
//! projects" of packaging.python.org, and on pip's installation report.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sandbox::command;
use crate::sandbox::search::Lookup;
use crate::store::lockfile::{Head, Program, Runtime, Source};
use crate::store::package::{Wanted, Wish};
use crate::store::settings;
use crate::store::specifier::{admits, release};

/// What the first python does: make the environment, then become pip in it.
const MAKE: &str = "import os, sys, venv\n\
                    tree = sys.argv[1]\n\
                    venv.create(tree, with_pip=True, symlinks=True)\n\
                    python = os.path.join(tree, 'bin', 'python')\n\
                    os.execv(python, [python, '-m', 'pip', *sys.argv[2:]])\n";

/// What every environment is made with, and no server asked for.
const MADE_WITH: &[&str] = &["pip", "setuptools", "wheel"];

/// The minor versions of Python that are looked for by name.
const OLDEST: u32 = 8;
const NEWEST: u32 = 40;

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
    #[error("{name} was fetched without a digest from the index: it cannot be locked")]
    Unlocked {
        /// Which.
        name: String,
    },
    /// Another Python than what is to run with it takes.
    #[error("Python {wanted} is asked for, and {} is what is found", if has.is_empty() { "one that does not say its version" } else { has.as_str() })]
    Version {
        /// What was asked for.
        wanted: String,
        /// What there is.
        has: String,
    },
    /// Files of ours.
    #[error("the environment could not be finished: {0}")]
    Disk(#[from] io::Error),
}

/// The name of the interpreter: that of a version; else `python3`, or the newest one on PATH where `requires` does not
/// admit that. A name tells two numbers: the third is told by the environment that is made with it ([`check`]).
///
/// # Errors
/// None is admitted.
pub(crate) fn interpreter(
    version: Option<&str>,
    requires: Option<&str>,
    lookup: &Lookup,
) -> Result<String, Error> {
    let usual = format!("python{}", version.unwrap_or("3"));
    let Some(requires) = requires else { return Ok(usual) };
    let found = |name: &str| command::resolve(&[OsString::from(name)], lookup).ok();
    let minor = |name: &str| -> Option<u32> {
        let target = found(name)?.target;
        let number = target.file_name()?.to_str()?.strip_prefix("python3.")?.split('.').next()?;
        number.parse().ok()
    };
    // What cannot be read is for `check` to refuse.
    let may = |minor: u32| (0..100).any(|patch| admits(requires, &[3, minor, patch]) != Some(false));
    let has = match minor(&usual) {
        Some(has) if !may(has) => has,
        _ => return Ok(usual),
    };
    let mut others = (OLDEST..NEWEST).rev().filter(|minor| version.is_none() && may(*minor));
    let other =
        others.find_map(|minor| Some(format!("python3.{minor}")).filter(|name| found(name).is_some()));
    other.ok_or_else(|| Error::Version { wanted: requires.to_owned(), has: format!("3.{has}") })
}

/// Whether an environment has a Python that is admitted.
///
/// # Errors
/// It has not, or it cannot be told.
pub(crate) fn check(venv: &Path, requires: &str) -> Result<(), Error> {
    let has = version(venv).unwrap_or_default();
    match release(&has).and_then(|release| admits(requires, &release)) {
        Some(true) => Ok(()),
        _ => Err(Error::Version { wanted: requires.to_owned(), has }),
    }
}

/// The version of Python that an environment was made with: what venv, virtualenv and uv write down.
pub(crate) fn version(venv: &Path) -> Option<String> {
    let text = String::from_utf8(settings::read(&venv.join("pyvenv.cfg")).ok()?).ok()?;
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "version" | "version_info").then(|| value.trim())
    })?;
    let numbers = value.split('.').take_while(|part| part.bytes().all(|b| b.is_ascii_digit())).take(3);
    Some(numbers.collect::<Vec<_>>().join("."))
}

/// The command line of the install phase.
pub(crate) fn words(wish: &Wish, python: &str, tree: &Path, report: &Path, cache: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut words =
        vec![python.to_owned(), "-c".to_owned(), MAKE.to_owned(), text(tree), "install".to_owned()];
    for (option, value) in
        [("--report", text(report)), ("--cache-dir", text(cache)), ("--only-binary", ":all:".into())]
    {
        words.extend([option.to_owned(), value]);
    }
    words.extend(
        ["--quiet", "--no-input", "--no-warn-script-location", "--disable-pip-version-check"]
            .map(str::to_owned),
    );
    let name = &wish.package.name;
    words.push(match &wish.wanted {
        Wanted::Any => name.clone(),
        Wanted::Exact(version) => format!("{name}=={version}"),
        Wanted::Fitting(specifiers) => format!("{name}{specifiers}"),
    });
    words.extend(wish.with.iter().cloned());
    words
}

/// Looks at what pip installed, and finishes the environment: no pip, and entry points that do not depend on a place.
///
/// # Errors
/// It is not what was asked for.
pub(crate) fn head(wish: &Wish, tree: &Path, report: &Path) -> Result<Head, Error> {
    let packages = packages(report)?;
    let asked_for: BTreeSet<String> = packages.iter().map(|source| normal(&source.name)).collect();
    let folders = site_packages(tree)?;
    let mut distributions: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in &folders {
        for (name, info) in distributions_of(folder)? {
            distributions.insert(name, info);
        }
    }
    for name in MADE_WITH.iter().filter(|name| !asked_for.contains(**name)) {
        if let Some(info) = distributions.remove(*name) {
            uninstall(&info)?;
        }
    }
    let name = normal(&wish.package.name);
    let version =
        packages.iter().find(|source| normal(&source.name) == name).map(|source| source.version.clone());
    let version = version.ok_or_else(|| Error::Unclear {
        file: "the installation report".to_owned(),
        detail: format!("it does not name {name}"),
    })?;
    let mut head = Head::new(&wish.package, version);
    head.packages = packages;
    head.with.clone_from(&wish.with);
    head.python.clone_from(&wish.python);
    let bin = tree.join("bin");
    clear(&bin)?;
    let mut own = Vec::new();
    for (of, info) in &distributions {
        for (program, entry) in entry_points(info)? {
            fs::write(bin.join(&program), entry.launcher())?;
            if *of == name {
                own.push(program.clone());
            }
            let file = format!("bin/{program}");
            head.programs.insert(program, Program { by: Runtime::Python, options: Vec::new(), file });
        }
    }
    head.main = match own.iter().find(|program| normal(program) == name) {
        Some(program) => Some(program.clone()),
        None if own.len() == 1 => own.pop(),
        None => None,
    };
    Ok(head)
}

/// Whether a link may lead out of the tree: the interpreter is the machine's.
pub(crate) fn is_interpreter(tree: &Path, link: &Path) -> bool {
    let in_bin = link.parent() == Some(&tree.join("bin"));
    in_bin && link.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("python"))
}

/// Every package that was fetched, with the digest of its wheel.
fn packages(report: &Path) -> Result<Vec<Source>, Error> {
    let unclear = |detail: String| Error::Unclear { file: "the installation report".to_owned(), detail };
    let text = settings::read(report).map_err(|error| unclear(error.to_string()))?;
    let report: Value = serde_json::from_slice(&text).map_err(|error| unclear(error.to_string()))?;
    let installed = report["install"].as_array().ok_or_else(|| unclear("it lists nothing".to_owned()))?;
    let mut found = Vec::new();
    for item in installed {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = text(&item["metadata"]["name"]);
        let archive = &item["download_info"]["archive_info"];
        let sha256 = match archive["hashes"]["sha256"].as_str() {
            Some(sha256) => sha256.to_owned(),
            None => archive["hash"]
                .as_str()
                .and_then(|hash| hash.strip_prefix("sha256="))
                .unwrap_or_default()
                .to_owned(),
        };
        // A folder of wheels on this machine has no digests; its contents are locked file by file all the same.
        let is_local = item["download_info"]["url"].as_str().is_some_and(|url| url.starts_with("file:"));
        if sha256.is_empty() && !is_local {
            return Err(Error::Unlocked { name });
        }
        let integrity = if sha256.is_empty() { "local".to_owned() } else { format!("sha256:{sha256}") };
        found.push(Source { name, version: text(&item["metadata"]["version"]), integrity });
    }
    found.sort();
    Ok(found)
}

/// Where an environment has its packages.
pub(crate) fn site_packages(tree: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(tree.join("lib"))? {
        let folder = entry?.path().join("site-packages");
        if folder.is_dir() {
            found.push(folder);
        }
    }
    Ok(found)
}

/// Names, as pip compares them, and the folders of their metadata.
fn distributions_of(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some((name, _)) = name.strip_suffix(".dist-info").and_then(|name| name.split_once('-')) {
            found.push((normal(name), path));
        }
    }
    Ok(found)
}

/// Removes what a distribution recorded, inside its own folder.
fn uninstall(info: &Path) -> Result<(), Error> {
    let folder = info.parent().unwrap_or(info);
    let record = fs::read_to_string(info.join("RECORD"))?;
    let mut tops = BTreeSet::new();
    for line in record.lines() {
        let path = line.split(',').next().unwrap_or_default();
        let top = path.split('/').next().unwrap_or_default();
        if !matches!(top, "" | "." | "..") {
            tops.insert(top.to_owned());
        }
    }
    for top in tops {
        let path = folder.join(top);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path)?,
            Ok(_) => fs::remove_file(&path)?,
            Err(_) => {}
        }
    }
    Ok(())
}

/// Everything but the interpreter goes: its scripts name the folder that it was made in.
fn clear(bin: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(bin)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with("python") {
            fs::remove_file(&path)?;
        }
    }
    // `python` is what is called, whatever this version of venv made.
    let python = bin.join("python");
    if fs::symlink_metadata(&python).is_err() {
        symlink("python3", &python)?;
    }
    Ok(())
}

/// `module:attribute`.
struct EntryPoint {
    module: String,
    attribute: String,
}

impl EntryPoint {
    fn parse(value: &str) -> Option<EntryPoint> {
        let (module, attribute) = value.split('[').next()?.trim().split_once(':')?;
        let (module, attribute) = (module.trim(), attribute.trim());
        let name = |part: &str| {
            let mut characters = part.chars();
            characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        (module.split('.').all(name) && attribute.split('.').all(name))
            .then(|| EntryPoint { module: module.to_owned(), attribute: attribute.to_owned() })
    }

    fn launcher(&self) -> String {
        format!(
            "# The entry point {0}:{1}, as its package names it; written by caponier.\n\
             import sys\nimport importlib\n\
             sys.exit(importlib.import_module('{0}').{1}())\n",
            self.module, self.attribute
        )
    }
}

/// `[console_scripts]` of a distribution.
fn entry_points(info: &Path) -> Result<Vec<(String, EntryPoint)>, Error> {
    let text = match settings::read(&info.join("entry_points.txt")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut counts = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if line.starts_with('[') {
            counts = line == "[console_scripts]";
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| counts) else { continue };
        let name = name.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let odd = name.is_empty() || name.starts_with(['.', '-']) || name.starts_with("python");
        if let Some(entry) = EntryPoint::parse(value).filter(|_| !odd && name.chars().all(plain)) {
            found.push((name.to_owned(), entry));
        }
    }
    Ok(found)
}

/// A name as pip compares it.
pub(crate) fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match matches!(c, '-' | '_' | '.') {
            false => normal.push(c.to_ascii_lowercase()),
            true if !normal.ends_with('-') => normal.push('-'),
            true => {}
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::package;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn wish(word: &str) -> Wish {
        let (package, wanted, _) = package::pypi(word).unwrap();
        Wish::of(package, wanted)
    }

    fn environment() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let tree = root.path().join("tree");
        let site = tree.join("lib/python3.11/site-packages");
        put(
            &site.join("mcp_server_x-1.0.dist-info/entry_points.txt"),
            "[console_scripts]\nmcp-server-x = mcp_server_x.main:main\nx-tool=mcp_server_x:App.run [cli]\n../evil = a:b\nodd = a b:c\n\
             [other]\nno = a:b\n",
        );
        put(&site.join("mcp_server_x-1.0.dist-info/RECORD"), "mcp_server_x/__init__.py,,\n");
        put(
            &site.join("pip-23.0.dist-info/RECORD"),
            "pip/__init__.py,,\npip-23.0.dist-info/RECORD,,\n../../../bin/pip,,\n",
        );
        put(&site.join("pip/__init__.py"), "");
        put(&tree.join("bin/pip"), "");
        put(&tree.join("bin/activate"), "");
        symlink("/usr/bin/python3", tree.join("bin/python3")).unwrap();
        put(
            &root.path().join("report.json"),
            r#"{"install": [{"metadata": {"name": "MCP_Server.x", "version": "1.0"}, "download_info":
                {"url": "https://h/x.whl", "archive_info": {"hash": "sha256=abc", "hashes": {"sha256": "abc"}}}}]}"#,
        );
        (root, tree)
    }

    #[test]
    fn an_environment_is_finished() {
        let (root, tree) = environment();
        let head = head(&wish("mcp-server-x"), &tree, &root.path().join("report.json")).unwrap();
        assert_eq!((head.version.as_str(), head.main.as_deref()), ("1.0", Some("mcp-server-x")));
        assert_eq!(head.programs.keys().collect::<Vec<_>>(), ["mcp-server-x", "x-tool"]);
        let mut left: Vec<_> =
            fs::read_dir(tree.join("bin")).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["mcp-server-x", "python", "python3", "x-tool"]);
        assert!(!tree.join("lib/python3.11/site-packages/pip").exists());
        let launcher = fs::read_to_string(tree.join("bin/x-tool")).unwrap();
        assert!(launcher.contains("import_module('mcp_server_x').App.run()"), "{launcher}");
        assert!(
            is_interpreter(&tree, &tree.join("bin/python3"))
                && !is_interpreter(&tree, &tree.join("lib/python3"))
        );
    }

    #[test]
    fn what_has_no_digest_is_refused() {
        let (root, tree) = environment();
        let report = root.path().join("report.json");
        put(
            &report,
            r#"{"install": [{"metadata": {"name": "mcp-server-x", "version": "1.0"}, "download_info": {"url": "https://h/x.whl"}}]}"#,
        );
        assert!(matches!(head(&wish("mcp-server-x"), &tree, &report), Err(Error::Unlocked { .. })));
        put(&report, r#"{"install": []}"#);
        assert!(matches!(head(&wish("mcp-server-x"), &tree, &report), Err(Error::Unclear { .. })));
    }

    #[test]
    fn the_words_say_wheels_only() {
        let words = words(&wish("a>=1"), "python3", Path::new("/t"), Path::new("/r"), Path::new("/c"));
        assert!(words.windows(2).any(|pair| pair == ["--only-binary", ":all:"]));
        assert_eq!(words.last().map(String::as_str), Some("a>=1"));
    }

    #[test]
    fn the_interpreter_is_one_that_is_admitted() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for name in ["python3.10", "python3.12", "python3.14"] {
            fs::copy("/bin/true", bin.join(name)).unwrap();
        }
        symlink("python3.10", bin.join("python3")).unwrap();
        let lookup = Lookup::new("/".into(), [("PATH".into(), bin.clone().into_os_string())]);
        for (version, requires, expected) in [
            (None, None, "python3"),
            (None, Some(">=3.10"), "python3"),
            (None, Some(">=3.10.4"), "python3"),
            (None, Some(">=3.11"), "python3.14"),
            (None, Some(">=3.11,<3.13"), "python3.12"),
            (None, Some("==3.10.4"), "python3"),
            (None, Some("==3.14.*"), "python3.14"),
            (Some("3.12"), Some(">=3.12"), "python3.12"),
            (Some("3.12"), None, "python3.12"),
            (Some("3.9"), None, "python3.9"),
        ] {
            let found = interpreter(version, requires, &lookup).unwrap();
            assert_eq!(found, expected, "{version:?} {requires:?}");
        }
        for (version, requires) in [(None, ">=3.15"), (Some("3.12"), ">=3.14"), (None, "<3.10")] {
            let error = interpreter(version, Some(requires), &lookup).unwrap_err();
            assert!(matches!(error, Error::Version { .. }), "{version:?} {requires}: {error}");
        }
    }

    #[test]
    fn an_environment_says_its_python() {
        let root = tempfile::tempdir().unwrap();
        for (line, version_) in [
            ("version = 3.11.2", Some("3.11.2")),
            ("version_info = 3.12.1.final.0", Some("3.12.1")),
            ("version_info=3.13.0", Some("3.13.0")),
            ("home = /usr/bin", None),
        ] {
            put(&root.path().join("pyvenv.cfg"), &format!("implementation = CPython\n{line}\n"));
            assert_eq!(version(root.path()).as_deref(), version_, "{line}");
        }
        assert!(check(root.path(), ">=3.8").unwrap_err().to_string().contains("does not say its version"));
        put(&root.path().join("pyvenv.cfg"), "version = 3.11.2\n");
        check(root.path(), ">=3.11").unwrap();
        assert!(check(root.path(), ">=3.12").unwrap_err().to_string().contains("3.11.2 is what is found"));
        assert!(check(root.path(), "^3.11").is_err(), "what cannot be read admits nothing");
    }
}
