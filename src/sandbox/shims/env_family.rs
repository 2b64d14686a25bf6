//! pyenv, and nodenv and rbenv, which share its layout: `ROOT/shims/NAME`, `ROOT/versions/VERSION/bin/NAME`,
//! `ROOT/version`, a version file in the project, a variable that goes before both.
//!
//! One difference is on purpose: when a version is demanded that is not installed, pyenv silently falls through to
//! the system's program. Here that is an error, because a server under another interpreter is a surprise.

use std::path::{Path, PathBuf};

use crate::sandbox::search::Lookup;
use crate::sandbox::shims::{Error, Family, Origin, Recognised, Resolved, layout, versions};

/// What the three differ in.
pub(super) struct Dialect {
    /// The variable that chooses the version.
    variable: &'static str,
    /// The file in the project that does.
    file: &'static str,
    /// Prefixes that are ignored, longest first.
    prefixes: &'static [&'static str],
    /// Whether a file can name several versions, and a prefix stands for the newest.
    several: bool,
}

pub(super) const PYENV: Dialect =
    Dialect { variable: "PYENV_VERSION", file: ".python-version", prefixes: &["python-"], several: true };
pub(super) const NODENV: Dialect = Dialect {
    variable: "NODENV_VERSION",
    file: ".node-version",
    prefixes: &["node-v", "node-", "v"],
    several: false,
};
pub(super) const RBENV: Dialect =
    Dialect { variable: "RBENV_VERSION", file: ".ruby-version", prefixes: &["ruby-"], several: false };

/// Each shim exports the root of its version manager before it goes on.
pub(super) fn recognise(text: &str) -> Option<Family> {
    let exports = |name: &str| text.lines().any(|line| line.trim_start().starts_with(name));
    if exports("export PYENV_ROOT=") {
        Some(Family::Pyenv)
    } else if exports("export NODENV_ROOT=") {
        Some(Family::Nodenv)
    } else if exports("export RBENV_ROOT=") {
        Some(Family::Rbenv)
    } else {
        None
    }
}

impl Dialect {
    pub(super) fn resolve(
        &self,
        shim: &Recognised,
        lookup: &Lookup,
        folders: &[PathBuf],
    ) -> Result<Resolved, Error> {
        let root = shim.root.join("versions");
        let installed = layout::installed(&root);
        let (wanted, origin) = self.wanted(&shim.root, lookup)?;
        let mut missing = None;
        let mut without = Vec::new();
        for version in &wanted {
            if version == "system" {
                if let Some(found) = shim.system(folders, &origin) {
                    return Ok(found);
                }
                without.push(version.clone());
                continue;
            }
            let Some((version, folder)) = self.folder(&root, &installed, version) else {
                missing = missing.or(Some(version));
                continue;
            };
            if let Some(path) = shim.program_in(&folder.join("bin")) {
                return Ok(shim.found(path, &version, origin));
            }
            without.push(version);
        }
        if let Some(version) = missing {
            return Err(shim.not_installed(version, origin, installed));
        }
        if let Some(found) = shim.system(folders, &origin) {
            return Ok(found);
        }
        let has = |version: &String| shim.program_in(&root.join(version).join("bin")).is_some();
        Err(shim.no_program(without, origin, installed.into_iter().filter(has).collect()))
    }

    /// The versions asked for, in order, and who asked.
    fn wanted(&self, root: &Path, lookup: &Lookup) -> Result<(Vec<String>, Origin), Error> {
        if let Some(value) = lookup.variable(self.variable) {
            let value = value.to_string_lossy();
            let names = value.split(':').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            return Ok((names, Origin::Variable(self.variable.into())));
        }
        let local = lookup.cwd.ancestors().map(|folder| folder.join(self.file));
        for path in local.chain([root.join("version")]) {
            if let Some(text) = layout::read(&path)? {
                let names = self.names(&text);
                if !names.is_empty() {
                    return Ok((names, Origin::File(path)));
                }
            }
        }
        Ok((vec!["system".into()], Origin::Default))
    }

    /// The first word of each line that is no comment.
    fn names(&self, text: &str) -> Vec<String> {
        let words = text.lines().filter_map(|line| line.split_whitespace().next());
        let names = words.filter(|word| !word.starts_with('#')).map(str::to_owned);
        names.take(if self.several { usize::MAX } else { 1 }).collect()
    }

    /// The installed version that a name means, and its folder.
    fn folder(&self, root: &Path, installed: &[String], wanted: &str) -> Option<(String, PathBuf)> {
        let plain = self.prefixes.iter().find_map(|prefix| wanted.strip_prefix(prefix)).unwrap_or(wanted);
        for name in [wanted, plain] {
            if let Some(folder) = layout::below(root, name).filter(|folder| folder.is_dir()) {
                return Some((name.into(), folder));
            }
        }
        let newest = self.several.then(|| versions::newest_of(installed, plain))??;
        Some((newest.into(), root.join(newest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::program::Program;
    use crate::sandbox::shims::recognise;
    use crate::sandbox::shims::tests::Layout;

    const SHIM: &str = "#!/usr/bin/env bash\nset -e\nprogram=\"${0##*/}\"\n\nexport PYENV_ROOT=\"/x\"\n\
                        exec \"/x/libexec/pyenv\" exec \"$program\" \"$@\"\n";

    fn pyenv() -> (Layout, PathBuf) {
        let layout = Layout::new();
        for version in ["3.9.18", "3.11.7", "3.11.12", "2.7.18"] {
            layout.program(&format!("pyenv/versions/{version}/bin/python"));
        }
        let shim = layout.script("pyenv/shims/python", SHIM);
        (layout, shim)
    }

    fn version(layout: &Layout, shim: &Path) -> String {
        layout.resolve(shim).unwrap().shim.version
    }

    #[test]
    fn the_variable_goes_before_the_project_before_the_global_file() {
        let (mut layout, shim) = pyenv();
        let global = layout.file("pyenv/version", "3.9.18\n");
        let found = layout.resolve(&shim).unwrap();
        assert_eq!(found.path, layout.at("pyenv/versions/3.9.18/bin/python"));
        assert_eq!(found.path_first, [layout.at("pyenv/versions/3.9.18/bin")]);
        assert_eq!((found.shim.family, found.shim.origin), (Family::Pyenv, Origin::File(global)));
        let local = layout.file("project/.python-version", "# ours\n\n3.11.7 \r\n");
        assert_eq!(layout.resolve(&shim).unwrap().shim.origin, Origin::File(local));
        assert_eq!(version(&layout, &shim), "3.11.7");
        layout.set("PYENV_VERSION", "2.7.18");
        assert_eq!(version(&layout, &shim), "2.7.18");
    }

    #[test]
    fn a_prefix_is_the_newest_and_python_in_front_is_nothing() {
        let (layout, shim) = pyenv();
        for (text, expected) in [("3.11", "3.11.12"), ("python-3.11.7", "3.11.7"), ("python-3.9", "3.9.18")] {
            layout.file("project/.python-version", text);
            assert_eq!(version(&layout, &shim), expected, "{text}");
        }
    }

    #[test]
    fn of_several_versions_the_first_that_has_it() {
        let (layout, shim) = pyenv();
        layout.file("project/.python-version", "3.11.7\n3.9.18\n");
        assert_eq!(version(&layout, &shim), "3.11.7");
        let black = layout.script("pyenv/shims/black", SHIM);
        layout.program("pyenv/versions/3.9.18/bin/black");
        assert_eq!(version(&layout, &black), "3.9.18");
    }

    #[test]
    fn system_goes_on_without_the_shims() {
        let (layout, shim) = pyenv();
        let system = layout.program("system/python");
        layout.file("project/.python-version", "system");
        let found = layout.resolve(&shim).unwrap();
        assert_eq!((found.path, found.shim.version.as_str()), (system.clone(), "system"));
        std::fs::remove_file(layout.at("project/.python-version")).unwrap();
        let found = layout.resolve(&shim).unwrap();
        assert_eq!((found.path, found.shim.origin), (system, Origin::Default), "nothing chosen anywhere");
    }

    #[test]
    fn a_missing_version_says_who_wants_it_and_what_there_is() {
        let (layout, shim) = pyenv();
        layout.program("system/python");
        let file = layout.file("project/.python-version", "3.12.1\n");
        let error = layout.resolve(&shim).unwrap_err();
        let Error::NotInstalled { origin, installed, .. } = &error else { panic!("{error}") };
        assert_eq!(*origin, Origin::File(file));
        assert_eq!(*installed, ["3.11.12", "3.11.7", "3.9.18", "2.7.18"]);
        assert!(
            error.to_string().contains("\"3.12.1\"") && error.to_string().contains(".python-version"),
            "{error}"
        );
    }

    #[test]
    fn a_program_of_another_version_is_named() {
        let (layout, _) = pyenv();
        layout.file("pyenv/version", "3.11.7");
        let black = layout.script("pyenv/shims/black", SHIM);
        layout.program("pyenv/versions/3.9.18/bin/black");
        let error = layout.resolve(&black).unwrap_err();
        assert!(matches!(&error, Error::NoProgram { elsewhere, .. } if *elsewhere == ["3.9.18"]), "{error}");
    }

    #[test]
    fn a_hostile_version_file_chooses_nothing() {
        let (layout, shim) = pyenv();
        layout.program("evil/bin/python");
        for hostile in ["../../evil", "/evil", "3.11.7/../../../evil"] {
            layout.file("project/.python-version", hostile);
            assert!(matches!(layout.resolve(&shim), Err(Error::NotInstalled { .. })), "{hostile}");
        }
    }

    #[test]
    fn a_link_to_a_shim_is_a_shim() {
        let (layout, _) = pyenv();
        layout.file("pyenv/version", "3.11.7");
        let link = layout.link("bin/python", "../pyenv/shims/python");
        assert_eq!(layout.resolve(&link).unwrap().path, layout.at("pyenv/versions/3.11.7/bin/python"));
    }

    #[test]
    fn nodenv_and_rbenv_have_their_own_files() {
        let layout = Layout::new();
        layout.program("nodenv/versions/20.11.1/bin/node");
        let node = layout.script("nodenv/shims/node", &SHIM.replace("PYENV", "NODENV"));
        layout.file("project/.node-version", "v20.11.1\n");
        assert_eq!(version(&layout, &node), "20.11.1");
        layout.program("rbenv/versions/3.3.0/bin/ruby");
        let ruby = layout.script("rbenv/shims/ruby", &SHIM.replace("PYENV", "RBENV"));
        layout.file("project/.ruby-version", "ruby-3.3.0\n");
        assert_eq!(version(&layout, &ruby), "3.3.0");
        assert_eq!(recognise(&Program::open(&ruby).unwrap()).unwrap().family, Family::Rbenv);
    }
}
