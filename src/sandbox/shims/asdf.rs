//! asdf: `ROOT/shims/NAME` lists the plugins and versions that have the program (`# asdf-plugin: nodejs 20.11.1`),
//! `.tool-versions` upward from the working directory, then in the home, chooses among them.
//!
//! A plugin can hold scripts that name other folders for programs (`list-bin-paths`, `exec-path`). They are never
//! run; the folders that plugins are known to use are looked at instead.

use std::path::{Path, PathBuf};

use crate::sandbox::search::Lookup;
use crate::sandbox::shims::{Error, Family, Origin, Recognised, Resolved, layout};

const MARK: &str = "# asdf-plugin: ";

/// Where plugins put programs below `installs/PLUGIN/VERSION`.
const PROGRAMS: &[&str] = &["bin", ".npm/bin", "go/bin", "packages/bin"];

pub(super) fn recognise(text: &str) -> Option<Family> {
    text.lines().any(|line| line.starts_with(MARK)).then_some(Family::Asdf)
}

pub(super) fn resolve(shim: &Recognised, lookup: &Lookup, folders: &[PathBuf]) -> Result<Resolved, Error> {
    let text = layout::read(&shim.path)?.unwrap_or_default();
    let offers = offers(&text);
    let mut plugins: Vec<&str> = Vec::new();
    for (plugin, _) in &offers {
        if !plugins.contains(plugin) {
            plugins.push(plugin);
        }
    }
    let mut chosen = None;
    for plugin in plugins {
        let Some((wanted, origin)) = wanted(plugin, lookup)? else { continue };
        for version in &wanted {
            if version == "system" {
                if let Some(found) = shim.system(folders, &origin) {
                    return Ok(found);
                }
            } else if let Some(path) = program(shim, plugin, version) {
                return Ok(shim.found(path, version, origin));
            }
        }
        chosen = chosen.or(Some((wanted, origin)));
    }
    let installed: Vec<String> =
        offers.iter().map(|(plugin, version)| format!("{plugin} {version}")).collect();
    Err(match chosen {
        Some((wanted, origin)) => shim.not_installed(&wanted.join(" "), origin, installed),
        None => Error::NoVersion { family: Family::Asdf, name: shim.name(), installed },
    })
}

/// The plugins and versions that a shim lists.
fn offers(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(MARK));
    lines.filter_map(|line| line.trim().split_once(' ')).collect()
}

/// The versions that are set for a plugin, and by whom.
fn wanted(plugin: &str, lookup: &Lookup) -> Result<Option<(Vec<String>, Origin)>, Error> {
    let variable = format!("ASDF_{}_VERSION", plugin.to_uppercase().replace('-', "_"));
    if let Some(value) = lookup.variable(&variable) {
        let names = value.to_string_lossy().split_whitespace().map(str::to_owned).collect();
        return Ok(Some((names, Origin::Variable(variable))));
    }
    let file = lookup.variable("ASDF_DEFAULT_TOOL_VERSIONS_FILENAME").unwrap_or(".tool-versions".as_ref());
    for folder in lookup.cwd.ancestors().chain(lookup.home.as_deref()) {
        let path = folder.join(file);
        if let Some(names) = layout::read(&path)?.and_then(|text| tool_versions(&text, plugin)) {
            return Ok(Some((names, Origin::File(path))));
        }
    }
    Ok(None)
}

/// The versions of one tool in a `.tool-versions` file.
pub(super) fn tool_versions(text: &str, tool: &str) -> Option<Vec<String>> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        (words.next() == Some(tool)).then(|| words.map(str::to_owned).collect())
    })
}

fn program(shim: &Recognised, plugin: &str, version: &str) -> Option<PathBuf> {
    let install = match version.split_once(':') {
        Some(("path", path)) if Path::new(path).is_absolute() => PathBuf::from(path),
        Some(("ref", name)) => layout::below(&shim.root.join("installs"), &format!("{plugin}/ref-{name}"))?,
        Some(_) => return None,
        None => layout::below(&shim.root.join("installs"), &format!("{plugin}/{version}"))?,
    };
    PROGRAMS.iter().find_map(|folder| shim.program_in(&install.join(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::shims::tests::Layout;

    fn asdf() -> (Layout, PathBuf) {
        let layout = Layout::new();
        layout.program("asdf/installs/nodejs/20.11.1/bin/node");
        layout.program("asdf/installs/nodejs/18.19.0/bin/node");
        let shim = layout.script(
            "asdf/shims/node",
            "#!/usr/bin/env bash\n# asdf-plugin: nodejs 18.19.0\n# asdf-plugin: nodejs 20.11.1\nexec asdf exec \"node\" \"$@\"",
        );
        (layout, shim)
    }

    #[test]
    fn the_nearest_file_that_names_the_tool_chooses() {
        let (mut layout, shim) = asdf();
        layout.file(".tool-versions", "nodejs 18.19.0\n");
        layout.file("project/below/.tool-versions", "python 3.11.7\n");
        let file =
            layout.file("project/.tool-versions", "# ours\npython 3.11.7\nnodejs 21.0.0 20.11.1 # two\n");
        let found = layout.resolve(&shim).unwrap();
        assert_eq!(found.path, layout.at("asdf/installs/nodejs/20.11.1/bin/node"));
        assert_eq!((found.shim.family, found.shim.origin), (Family::Asdf, Origin::File(file)));
        layout.set("ASDF_NODEJS_VERSION", "18.19.0");
        assert_eq!(layout.resolve(&shim).unwrap().shim.version, "18.19.0");
    }

    #[test]
    fn the_home_is_asked_last() {
        let (mut layout, shim) = asdf();
        layout.lookup.cwd = "/".into();
        layout.file(".tool-versions", "nodejs 18.19.0\n");
        assert_eq!(layout.resolve(&shim).unwrap().shim.version, "18.19.0");
    }

    #[test]
    fn system_and_other_places() {
        let (layout, shim) = asdf();
        let system = layout.program("system/node");
        layout.file("project/.tool-versions", "nodejs system");
        assert_eq!(layout.resolve(&shim).unwrap().path, system);
        let elsewhere = layout.program("elsewhere/bin/node");
        layout.file("project/.tool-versions", &format!("nodejs path:{}", layout.at("elsewhere").display()));
        assert_eq!(layout.resolve(&shim).unwrap().path, elsewhere);
        let tool = layout.program("asdf/installs/nodejs/20.11.1/.npm/bin/tool");
        let shim = layout.script("asdf/shims/tool", "#!/usr/bin/env bash\n# asdf-plugin: nodejs 20.11.1\n");
        layout.file("project/.tool-versions", "nodejs 20.11.1");
        assert_eq!(layout.resolve(&shim).unwrap().path, tool);
    }

    #[test]
    fn nothing_set_and_nothing_installed_are_said() {
        let (layout, shim) = asdf();
        let error = layout.resolve(&shim).unwrap_err();
        assert!(matches!(&error, Error::NoVersion { installed, .. } if installed.len() == 2), "{error}");
        for wanted in ["22.0.0", "../../evil", "ref:../../../evil"] {
            layout.program("evil/bin/node");
            layout.file("project/.tool-versions", &format!("nodejs {wanted}"));
            let error = layout.resolve(&shim).unwrap_err();
            assert!(matches!(&error, Error::NotInstalled { version, .. } if version == wanted), "{error}");
        }
    }
}
