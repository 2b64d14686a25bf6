//! Which shipped profile was made for which package, and which package a command runs.
//!
//! A profile is only chosen for a package that two witnesses name: the place where a package manager puts it
//! (`node_modules/NAME`, `site-packages/NAME-VERSION.dist-info`), and what the package says of itself there
//! (`package.json`; the `RECORD` that lists the file which is run). A folder of that name alone, or a file that claims a
//! name, is not enough: the profile of another server would grant what this one was never looked at for.
//!
//! Rests on `package-json(5)` of npm and on the specification of recorded installations of packaging.python.org. Only
//! files are looked at; nothing is run.

use std::path::{Path, PathBuf};

use crate::profile::context::Context;
use crate::profile::runtime::{Language, Server, venv};
use crate::profile::{place, source};

/// Where packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// Packages for Node.js.
    Npm,
    /// Packages for Python.
    PyPi,
}

/// Registry, package, profile.
const MADE_FOR: &[(Registry, &str, &str)] = &[
    (Registry::Npm, "@modelcontextprotocol/server-everything", "everything"),
    (Registry::Npm, "@modelcontextprotocol/server-filesystem", "filesystem"),
    (Registry::Npm, "@modelcontextprotocol/server-memory", "memory"),
    (Registry::Npm, "@modelcontextprotocol/server-sequential-thinking", "sequential-thinking"),
    (Registry::Npm, "@playwright/mcp", "playwright"),
    (Registry::Npm, "@upstash/context7-mcp", "context7"),
    (Registry::Npm, "kubernetes-mcp-server", "kubernetes"),
    (Registry::PyPi, "mcp-server-fetch", "fetch"),
    (Registry::PyPi, "mcp-server-git", "git"),
    (Registry::PyPi, "mcp-server-sqlite", "sqlite"),
    (Registry::PyPi, "mcp-server-time", "time"),
];

/// The shipped profile that was made for a package, by the package's name without a version. Names of PyPI are compared
/// as pip does it: `Mcp_Server.Git` is `mcp-server-git`.
pub(crate) fn for_package(registry: Registry, name: &str) -> Option<&'static str> {
    let normal = match registry {
        Registry::Npm => name.to_owned(),
        Registry::PyPi => normalised(name),
    };
    let found = MADE_FOR.iter().find(|(of, package, _)| *of == registry && *package == normal);
    found.map(|(_, _, profile)| *profile)
}

/// The packages that a profile was made for.
#[cfg(test)]
pub(crate) fn made_for(profile: &str) -> impl Iterator<Item = (Registry, &'static str)> {
    let found = MADE_FOR.iter().filter(move |(_, _, of)| *of == profile);
    found.map(|(registry, package, _)| (*registry, *package))
}

/// A package for which there is a shipped profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its name in the registry.
    pub package: String,
    /// The profile that was made for it.
    pub profile: &'static str,
}

/// The package that the command runs, when a shipped profile was made for it.
pub(crate) fn of_command(context: &Context) -> Option<Known> {
    let server = Server::of(context.command.as_ref()?, &context.cwd);
    match server.language()? {
        Language::Node => npm(server.script()?),
        Language::Python => pypi(&server),
    }
}

fn known(registry: Registry, package: String) -> Option<Known> {
    let profile = for_package(registry, &package)?;
    Some(Known { package, profile })
}

/// The innermost `node_modules/NAME` above the script, when its package.json says the same name.
fn npm(script: &Path) -> Option<Known> {
    let holder =
        script.ancestors().find(|above| above.file_name().is_some_and(|name| name == "node_modules"))?;
    let mut inside = script.strip_prefix(holder).ok()?.components();
    let first = inside.next()?.as_os_str().to_str()?;
    let name = if first.starts_with('@') {
        format!("{first}/{}", inside.next()?.as_os_str().to_str()?)
    } else {
        first.to_owned()
    };
    let manifest = holder.join(&name).join("package.json");
    let known = known(Registry::Npm, name)?;
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    let manifest = source::text(&manifest).ok()?;
    let named: Named = serde_json::from_str(&manifest).ok()?;
    (named.name == known.package).then_some(known)
}

/// The package of a virtual environment whose `RECORD` lists what is run: the console script in its `bin`, or the module
/// after `-m`.
fn pypi(server: &Server<'_>) -> Option<Known> {
    let root = venv(server.interpreter(Language::Python)?)?;
    let run = match (server.script(), server.module()) {
        (Some(script), _) => {
            let bin = place::follow(&root.join("bin")).ok()?.path;
            Run::Script(script.strip_prefix(bin).ok()?.to_str()?.to_owned())
        }
        (None, Some(module)) => Run::Module(module.to_owned()),
        (None, None) => return None,
    };
    site_packages(&root).into_iter().find_map(|folder| listed(&folder, &run))
}

enum Run {
    Script(String),
    Module(String),
}

impl Run {
    /// Whether a line of `RECORD` is about what is run.
    fn is(&self, line: &str) -> bool {
        let path = line.split(',').next().unwrap_or_default();
        match self {
            Run::Script(name) => path.strip_prefix("../../../bin/").is_some_and(|file| file == name),
            Run::Module(module) => {
                let folder = module.replace('.', "/");
                path.strip_prefix(&folder).is_some_and(|rest| rest == "/__main__.py")
            }
        }
    }
}

/// The `site-packages` folders of a virtual environment: one for each version of Python.
fn site_packages(root: &Path) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(root.join("lib")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with("python")))
        .map(|entry| entry.path().join("site-packages"))
        .collect();
    found.sort();
    found
}

fn listed(folder: &Path, run: &Run) -> Option<Known> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().find_map(|entry| {
        let name = entry.file_name();
        let (distribution, _version) = name.to_str()?.strip_suffix(".dist-info")?.split_once('-')?;
        let known = known(Registry::PyPi, normalised(distribution))?;
        let record = source::text(&entry.path().join("RECORD")).ok()?;
        record.lines().any(|line| run.is(line)).then_some(known)
    })
}

/// A name as pip compares it: lower case, and each run of `-`, `_`, `.` one `-`.
fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        let separator = matches!(c, '-' | '_' | '.');
        if !separator {
            normal.push(c.to_ascii_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::shipped;

    #[test]
    fn every_profile_that_is_named_is_shipped() {
        for (registry, package, profile) in MADE_FOR {
            assert!(shipped::get(profile).is_some(), "{package}: {profile}");
            assert_eq!(for_package(*registry, package), Some(*profile));
        }
    }

    #[test]
    fn names_are_compared_as_their_registry_does() {
        assert_eq!(for_package(Registry::PyPi, "MCP_Server.._git"), Some("git"));
        assert_eq!(for_package(Registry::Npm, "@modelcontextprotocol/Server-memory"), None);
        assert_eq!(for_package(Registry::Npm, "mcp-server-git"), None);
        assert_eq!(for_package(Registry::PyPi, "mcp-server-git==1"), None);
    }
}
