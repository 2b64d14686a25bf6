//! mise: each shim is a link to the `mise` program; tools lie in `DATA/installs/TOOL/VERSION`, and the nearest of
//! several configuration files chooses the version.
//!
//! Only `[tools]` is read of a configuration, and it can only choose among what is installed. Templates, `[env]` and
//! hooks are not evaluated. Where nothing is chosen, a single installed version is taken and said to be the only one.

use std::path::{Path, PathBuf};

use crate::sandbox::program::Program;
use crate::sandbox::search::Lookup;
use crate::sandbox::shims::{Error, Family, Origin, Recognised, Resolved, asdf, layout, versions};

/// Configuration files of a folder, the strongest first.
const FILES: &[&str] = &[
    "mise.local.toml",
    ".mise.local.toml",
    "mise.toml",
    ".mise.toml",
    "mise/config.toml",
    ".mise/config.toml",
    ".config/mise.toml",
    ".config/mise/config.toml",
    ".tool-versions",
];

/// Where programs lie below `installs/TOOL/VERSION`.
const PROGRAMS: &[&str] = &["bin", "", ".mise-bins"];

pub(super) fn recognise(program: &Program) -> Option<(Family, PathBuf)> {
    let is_mise = |path: &Path| path.file_name().is_some_and(|name| name == "mise" || name == "rtx");
    if !is_mise(&program.target) || is_mise(&program.path) {
        return None;
    }
    Some((Family::Mise, layout::root_of(&program.path, "shims")?.to_owned()))
}

pub(super) fn resolve(shim: &Recognised, lookup: &Lookup, folders: &[PathBuf]) -> Result<Resolved, Error> {
    let installs = shim.root.join("installs");
    let providers = providers(shim, &installs);
    let mut chosen = None;
    for (tool, _) in &providers {
        let Some((wanted, origin)) = wanted(tool, lookup)? else { continue };
        for version in &wanted {
            if version == "system" {
                if let Some(found) = shim.system(folders, &origin) {
                    return Ok(found);
                }
            } else if let Some((version, path)) = program(shim, &installs.join(tool), version) {
                return Ok(shim.found(path, &version, origin));
            }
        }
        chosen = chosen.or(Some((wanted, origin)));
    }
    let installed: Vec<String> = providers
        .iter()
        .flat_map(|(tool, versions)| versions.iter().map(move |version| format!("{tool} {version}")))
        .collect();
    if let Some((wanted, origin)) = chosen {
        return Err(shim.not_installed(&wanted.join(" "), origin, installed));
    }
    if let [(tool, versions)] = &providers[..]
        && let [version] = &versions[..]
        && let Some(path) = program_of(shim, &installs.join(tool).join(version))
    {
        return Ok(shim.found(path, version, Origin::OnlyOne));
    }
    if let Some(found) = shim.system(folders, &Origin::Default) {
        return Ok(found);
    }
    Err(Error::NoVersion { family: Family::Mise, name: shim.name(), installed })
}

/// The tools that have the program in some version, with these versions, newest first. Links (`20`, `latest`) are
/// other names of versions and not counted.
fn providers(shim: &Recognised, installs: &Path) -> Vec<(String, Vec<String>)> {
    let has = |tool: &str| -> Vec<String> {
        let folder = installs.join(tool);
        let real = |version: &String| {
            !folder.join(version).is_symlink() && program_of(shim, &folder.join(version)).is_some()
        };
        layout::installed(&folder).into_iter().filter(real).collect()
    };
    let tools = layout::installed(installs).into_iter().map(|tool| (has(&tool), tool));
    tools.filter(|(versions, _)| !versions.is_empty()).map(|(versions, tool)| (tool, versions)).collect()
}

fn program_of(shim: &Recognised, install: &Path) -> Option<PathBuf> {
    PROGRAMS.iter().find_map(|folder| shim.program_in(&install.join(folder)))
}

/// The version that a wanted one means, and the program in it.
fn program(shim: &Recognised, tool: &Path, wanted: &str) -> Option<(String, PathBuf)> {
    let installed = layout::installed(tool);
    let (name, folder) = match wanted.split_once(':') {
        Some(("path", path)) if Path::new(path).is_absolute() => (wanted.to_owned(), PathBuf::from(path)),
        Some(("ref", name)) => (wanted.to_owned(), layout::below(tool, &format!("ref-{name}"))?),
        Some(("prefix", prefix)) => named(tool, versions::newest_of(&installed, prefix)?),
        Some(_) => return None,
        None => match layout::below(tool, wanted).filter(|folder| folder.is_dir()) {
            Some(folder) => (wanted.to_owned(), folder),
            None if wanted == "latest" => named(tool, installed.first()?),
            None => named(tool, versions::newest_of(&installed, wanted)?),
        },
    };
    Some((name, program_of(shim, &folder)?))
}

fn named(tool: &Path, version: &str) -> (String, PathBuf) {
    (version.to_owned(), tool.join(version))
}

/// The versions that are set for a tool, and by whom.
fn wanted(tool: &str, lookup: &Lookup) -> Result<Option<(Vec<String>, Origin)>, Error> {
    let variable = format!("MISE_{}_VERSION", tool.to_uppercase().replace('-', "_"));
    if let Some(value) = lookup.variable(&variable) {
        let names = value.to_string_lossy().split_whitespace().map(str::to_owned).collect();
        return Ok(Some((names, Origin::Variable(variable))));
    }
    let local = lookup.cwd.ancestors().flat_map(|folder| FILES.iter().map(move |file| folder.join(file)));
    for path in local.chain(global(lookup)) {
        let Some(text) = layout::read(&path)? else { continue };
        let found = if path.extension().is_some_and(|extension| extension == "toml") {
            tools_of(&path, &text, tool)?
        } else {
            asdf::tool_versions(&text, tool)
        };
        if let Some(names) = found {
            return Ok(Some((names, Origin::File(path))));
        }
    }
    Ok(None)
}

/// The user's own configuration.
fn global(lookup: &Lookup) -> Option<PathBuf> {
    if let Some(file) = lookup.variable("MISE_GLOBAL_CONFIG_FILE") {
        return Some(file.into());
    }
    let folder = lookup.variable("MISE_CONFIG_DIR").map(PathBuf::from);
    let xdg = || lookup.variable("XDG_CONFIG_HOME").map(|folder| Path::new(folder).join("mise"));
    let home = || lookup.home.as_deref().map(|home| home.join(".config/mise"));
    Some(folder.or_else(xdg).or_else(home)?.join("config.toml"))
}

/// `[tools]` of a configuration: a version, a list of them, or tables with `version`.
fn tools_of(path: &Path, text: &str, tool: &str) -> Result<Option<Vec<String>>, Error> {
    let malformed = |error: toml::de::Error| Error::Unusable {
        path: path.to_owned(),
        why: format!("is not valid TOML: {}", error.message()),
    };
    let config: toml::Table = toml::from_str(text).map_err(malformed)?;
    let Some(tools) = config.get("tools").and_then(toml::Value::as_table) else {
        return Ok(None);
    };
    let entry = tools.iter().find(|(name, _)| folder_name(name) == tool);
    Ok(entry.map(|(_, value)| match value {
        toml::Value::Array(list) => list.iter().filter_map(version_of).collect(),
        value => version_of(value).into_iter().collect(),
    }))
}

fn version_of(value: &toml::Value) -> Option<String> {
    let value = value.get("version").unwrap_or(value);
    value.as_str().map(str::to_owned).or_else(|| value.as_integer().map(|number| number.to_string()))
}

/// The folder below `installs` of a tool: `npm:@scope/name[opt=1]` is `npm-scope-name`.
fn folder_name(tool: &str) -> String {
    let tool = tool.split('[').next().unwrap_or(tool);
    tool.to_lowercase().replace('@', "").replace([':', '/', '_'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::shims::tests::Layout;

    fn mise(versions: &[&str]) -> (Layout, PathBuf) {
        let layout = Layout::new();
        layout.program("bin/mise");
        for version in versions {
            layout.program(&format!("mise/installs/node/{version}/bin/node"));
        }
        let shim = layout.link("mise/shims/node", "../../bin/mise");
        (layout, shim)
    }

    #[test]
    fn the_nearest_configuration_chooses() {
        let (mut layout, shim) = mise(&["20.11.1", "18.19.0", "22.1.0"]);
        layout.file(".config/mise/config.toml", "[tools]\nnode = '18'\n");
        assert_eq!(layout.resolve(&shim).unwrap().shim.version, "18.19.0");
        layout.file("project/.tool-versions", "node 20.11.1\n");
        assert_eq!(layout.resolve(&shim).unwrap().shim.version, "20.11.1");
        let file = layout
            .file("project/mise.toml", "[env]\nX = '{{exec(command=\"id\")}}'\n[tools]\nnode = 'latest'\n");
        let found = layout.resolve(&shim).unwrap();
        assert_eq!(found.path, layout.at("mise/installs/node/22.1.0/bin/node"));
        assert_eq!((found.shim.family, found.shim.origin), (Family::Mise, Origin::File(file)));
        layout.set("MISE_NODE_VERSION", "20");
        assert_eq!(layout.resolve(&shim).unwrap().shim.version, "20.11.1");
    }

    #[test]
    fn all_ways_to_write_a_version() {
        let (layout, shim) = mise(&["20.11.1", "18.19.0"]);
        layout.link("mise/installs/node/20", "./20.11.1");
        for (text, expected) in [
            ("node = '20'", "20"),
            ("node = 20", "20"),
            ("node = ['21', '18']", "18.19.0"),
            ("node = { version = '18' }", "18.19.0"),
            ("node = [{ version = 'prefix:18' }]", "18.19.0"),
        ] {
            layout.file("project/mise.toml", &format!("[tools]\n{text}\n"));
            assert_eq!(layout.resolve(&shim).unwrap().shim.version, expected, "{text}");
        }
    }

    #[test]
    fn without_a_choice_the_only_one_or_the_system_or_an_error() {
        let (layout, shim) = mise(&["20.11.1"]);
        layout.link("mise/installs/node/latest", "./20.11.1");
        assert_eq!(layout.resolve(&shim).unwrap().shim.origin, Origin::OnlyOne);
        layout.program("mise/installs/node/18.19.0/bin/node");
        let error = layout.resolve(&shim).unwrap_err();
        assert!(matches!(&error, Error::NoVersion { installed, .. } if installed.len() == 2), "{error}");
        let system = layout.program("system/node");
        assert_eq!(layout.resolve(&shim).unwrap().path, system);
    }

    #[test]
    fn a_missing_version_and_a_broken_file_are_said() {
        let (layout, shim) = mise(&["20.11.1"]);
        layout.program("evil/bin/node");
        for wanted in ["22", "../../../evil", "path:evil", "ref:../../../evil"] {
            layout.file("project/mise.toml", &format!("tools.node = '{wanted}'\n"));
            let error = layout.resolve(&shim).unwrap_err();
            assert!(matches!(&error, Error::NotInstalled { version, .. } if version == wanted), "{error}");
        }
        layout.file("project/mise.toml", "[tools\n");
        assert!(matches!(layout.resolve(&shim), Err(Error::Unusable { .. })));
    }

    #[test]
    fn tools_with_a_backend_have_their_folder() {
        assert_eq!(folder_name("npm:@scope/name"), "npm-scope-name");
        assert_eq!(folder_name("pipx:black[extras=x]"), "pipx-black");
        let (layout, _) = mise(&[]);
        let tool = layout.program("mise/installs/npm-prettier/3.0.0/bin/prettier");
        let shim = layout.link("mise/shims/prettier", "../../bin/mise");
        layout.file("project/mise.toml", "[tools]\n'npm:prettier' = '3'\n");
        assert_eq!(layout.resolve(&shim).unwrap().path, tool);
    }
}
