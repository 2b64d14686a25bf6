//! volta: each shim is a link to `volta-shim`. Node and the package managers come from the project's `package.json`
//! (`"volta": {"node": …}`), else from `tools/user/platform.json`; other programs from `tools/user/bins/NAME.json`.
//!
//! volta starts a program with its own Node at the head of `PATH`; so does what is resolved here.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::sandbox::program::Program;
use crate::sandbox::search::Lookup;
use crate::sandbox::shims::{Error, Family, Origin, Recognised, Resolved, layout};

/// Manifests that `volta.extends` may lead through.
const MAX_EXTENDS: usize = 8;

/// Versions of Node and the package managers, and who chose them.
struct Platform {
    versions: Versions,
    origin: Origin,
}

/// The `volta` key of a `package.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Versions {
    node: Option<String>,
    npm: Option<String>,
    pnpm: Option<String>,
    yarn: Option<String>,
    extends: Option<String>,
}

/// A `package.json`, as far as volta reads it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Manifest {
    volta: Option<Versions>,
    dependencies: std::collections::BTreeMap<String, Box<RawValue>>,
    dev_dependencies: std::collections::BTreeMap<String, Box<RawValue>>,
}

/// `tools/user/platform.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct UserPlatform {
    node: Option<UserNode>,
    pnpm: Option<String>,
    yarn: Option<String>,
}

#[derive(Deserialize)]
struct UserNode {
    runtime: String,
    npm: Option<String>,
}

/// `tools/user/bins/NAME.json`.
#[derive(Deserialize)]
struct UserBin {
    package: String,
    version: String,
    platform: Versions,
}

pub(super) fn recognise(program: &Program) -> Option<(Family, PathBuf)> {
    let is_volta = program.target.file_name().is_some_and(|name| name == "volta-shim");
    let named = program.path.file_name().is_some_and(|name| name != "volta-shim");
    (is_volta && named).then_some(())?;
    Some((Family::Volta, layout::root_of(&program.path, "bin")?.to_owned()))
}

pub(super) fn resolve(shim: &Recognised, lookup: &Lookup, folders: &[PathBuf]) -> Result<Resolved, Error> {
    let name = shim.name();
    let project = project(lookup)?;
    let platform = match &project {
        Some((path, manifest)) => chosen_by(path, manifest)?,
        None => None,
    };
    let platform = match platform {
        Some(platform) => Some(platform),
        None => chosen_by_user(shim)?,
    };
    if !matches!(name.as_str(), "node" | "npm" | "npx" | "pnpm" | "pnpx" | "yarn" | "yarnpkg") {
        return package_program(shim, &name, project.as_ref(), platform);
    }
    let Some(Platform { versions, origin }) = platform else {
        let installed = layout::installed(&shim.root.join("tools/image/node"));
        let system = shim.system(folders, &Origin::Default);
        return system.ok_or(Error::NoVersion { family: Family::Volta, name, installed });
    };
    let (tool, version) = match name.as_str() {
        "npm" | "npx" if versions.npm.is_some() => ("npm", versions.npm.as_deref()),
        "node" | "npm" | "npx" => ("node", versions.node.as_deref()),
        "pnpm" | "pnpx" => ("pnpm", versions.pnpm.as_deref()),
        _ => ("yarn", versions.yarn.as_deref()),
    };
    let images = format!("tools/image/{tool}");
    let installed = layout::installed(&shim.root.join(&images));
    let Some(version) = version else {
        return Err(Error::NoVersion { family: Family::Volta, name, installed });
    };
    let bin = layout::below(&shim.root.join(images), version).map(|image| image.join("bin"));
    let Some(path) = bin.and_then(|bin| shim.program_in(&bin)) else {
        return Err(shim.not_installed(version, origin, installed));
    };
    let mut found = shim.found(path, version, origin);
    found.path_first.extend(node_folder(shim, &versions));
    found.path_first.dedup();
    Ok(found)
}

/// A program of an npm package: the project's own, when it depends on the package, else the one installed for the user.
fn package_program(
    shim: &Recognised,
    name: &str,
    project: Option<&(PathBuf, Manifest)>,
    platform: Option<Platform>,
) -> Result<Resolved, Error> {
    let config = shim.root.join("tools/user/bins").join(format!("{name}.json"));
    let Some(bin) = json::<UserBin>(&config)? else {
        return Err(shim.unusable(&config, "does not exist, so volta does not know this program"));
    };
    if let Some((path, manifest)) = project
        && manifest.depends_on(&bin.package)
        && let Some(folder) = path.parent()
    {
        let Some(program) = shim.program_in(&folder.join("node_modules/.bin")) else {
            return Err(shim.unusable(
                path,
                "depends on the package of this program, which is not installed in the project",
            ));
        };
        let mut found = shim.found(program, &bin.package, Origin::File(path.clone()));
        found.path_first.extend(platform.and_then(|platform| node_folder(shim, &platform.versions)));
        return Ok(found);
    }
    let packages = shim.root.join("tools/image/packages");
    let folder = layout::below(&packages, &bin.package).map(|package| package.join("bin"));
    let Some(program) = folder.and_then(|folder| shim.program_in(&folder)) else {
        return Err(shim.not_installed(&bin.version, Origin::File(config), Vec::new()));
    };
    let mut found = shim.found(program, &bin.version, Origin::File(config));
    found.path_first.extend(node_folder(shim, &bin.platform));
    Ok(found)
}

fn node_folder(shim: &Recognised, versions: &Versions) -> Option<PathBuf> {
    let image = layout::below(&shim.root.join("tools/image/node"), versions.node.as_deref()?)?;
    Some(image.join("bin")).filter(|bin| bin.is_dir())
}

/// The nearest `package.json` that is not part of an installed package.
fn project(lookup: &Lookup) -> Result<Option<(PathBuf, Manifest)>, Error> {
    for folder in lookup.cwd.ancestors() {
        if folder.components().any(|part| part.as_os_str() == "node_modules") {
            continue;
        }
        let path = folder.join("package.json");
        if let Some(manifest) = json(&path)? {
            return Ok(Some((path, manifest)));
        }
    }
    Ok(None)
}

/// What a project chooses; what it leaves open comes from the manifests that it extends.
fn chosen_by(path: &Path, manifest: &Manifest) -> Result<Option<Platform>, Error> {
    let Some(own) = &manifest.volta else { return Ok(None) };
    let mut versions = Versions::default();
    versions.fill(own);
    let mut next = own.extends.clone();
    let mut base = path.to_owned();
    for _ in 0..MAX_EXTENDS {
        let Some(extends) = next.take() else { break };
        base = base.parent().unwrap_or(&base).join(extends);
        let above = json::<Manifest>(&base)?.and_then(|manifest| manifest.volta);
        if let Some(above) = above {
            versions.fill(&above);
            next = above.extends;
        }
    }
    if next.is_some() {
        return Err(Error::Unusable {
            path: path.to_owned(),
            why: "extends too many manifests, or itself".into(),
        });
    }
    Ok(versions.node.is_some().then(|| Platform { versions, origin: Origin::File(path.to_owned()) }))
}

fn chosen_by_user(shim: &Recognised) -> Result<Option<Platform>, Error> {
    let path = shim.root.join("tools/user/platform.json");
    let Some(UserPlatform { node: Some(node), pnpm, yarn }) = json(&path)? else {
        return Ok(None);
    };
    let versions = Versions { node: Some(node.runtime), npm: node.npm, pnpm, yarn, extends: None };
    Ok(Some(Platform { versions, origin: Origin::File(path) }))
}

impl Versions {
    fn fill(&mut self, from: &Versions) {
        let fill =
            |own: &mut Option<String>, other: &Option<String>| *own = own.take().or_else(|| other.clone());
        fill(&mut self.node, &from.node);
        fill(&mut self.npm, &from.npm);
        fill(&mut self.pnpm, &from.pnpm);
        fill(&mut self.yarn, &from.yarn);
    }
}

impl Manifest {
    fn depends_on(&self, package: &str) -> bool {
        self.dependencies.contains_key(package) || self.dev_dependencies.contains_key(package)
    }
}

/// A JSON file; `None` when there is none.
fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let Some(text) = layout::read(path)? else { return Ok(None) };
    let malformed =
        |error| Error::Unusable { path: path.to_owned(), why: format!("is not what volta writes: {error}") };
    serde_json::from_str(&text).map(Some).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::shims::tests::Layout;

    fn volta() -> (Layout, PathBuf) {
        let layout = Layout::new();
        layout.program("volta/bin/volta-shim");
        for version in ["20.11.1", "18.19.0"] {
            layout.program(&format!("volta/tools/image/node/{version}/bin/node"));
            layout.program(&format!("volta/tools/image/node/{version}/bin/npx"));
        }
        layout.file(
            "volta/tools/user/platform.json",
            r#"{"node":{"runtime":"20.11.1","npm":null},"yarn":"1.22.0"}"#,
        );
        let shim = layout.link("volta/bin/node", "volta-shim");
        (layout, shim)
    }

    #[test]
    fn the_user_s_choice_and_the_project_s() {
        let (layout, shim) = volta();
        let found = layout.resolve(&shim).unwrap();
        assert_eq!(found.path, layout.at("volta/tools/image/node/20.11.1/bin/node"));
        assert_eq!(found.path_first, [layout.at("volta/tools/image/node/20.11.1/bin")]);
        layout.file("project/package.json", r#"{"name":"x","volta":{"extends":"../base.json"}}"#);
        layout.file("base.json", r#"{"volta":{"node":"18.19.0"}}"#);
        assert_eq!(layout.resolve(&shim).unwrap().shim.version, "18.19.0");
        layout.file("project/package.json", r#"{"name":"no choice"}"#);
        assert_eq!(layout.resolve(&shim).unwrap().shim.version, "20.11.1");
    }

    #[test]
    fn a_circle_of_manifests_is_an_error() {
        let (layout, shim) = volta();
        layout.file("project/package.json", r#"{"volta":{"extends":"package.json"}}"#);
        assert!(matches!(layout.resolve(&shim), Err(Error::Unusable { .. })));
    }

    #[test]
    fn package_managers_come_from_their_own_image_or_from_node() {
        let (layout, _) = volta();
        let npx = layout.link("volta/bin/npx", "volta-shim");
        assert_eq!(layout.resolve(&npx).unwrap().path, layout.at("volta/tools/image/node/20.11.1/bin/npx"));
        let yarn = layout.link("volta/bin/yarn", "volta-shim");
        let error = layout.resolve(&yarn).unwrap_err();
        assert!(matches!(&error, Error::NotInstalled { version, .. } if version == "1.22.0"), "{error}");
        layout.program("volta/tools/image/yarn/1.22.0/bin/yarn");
        let found = layout.resolve(&yarn).unwrap();
        let node = layout.at("volta/tools/image/node/20.11.1/bin");
        assert_eq!(found.path_first, [layout.at("volta/tools/image/yarn/1.22.0/bin"), node]);
    }

    #[test]
    fn programs_of_packages_bring_their_node() {
        let (layout, _) = volta();
        let shim = layout.link("volta/bin/serve", "volta-shim");
        assert!(matches!(layout.resolve(&shim), Err(Error::Unusable { .. })));
        let user = layout.program("volta/tools/image/packages/@me/serve/bin/serve");
        layout.file(
            "volta/tools/user/bins/serve.json",
            r#"{"name":"serve","package":"@me/serve","version":"1.2.3","platform":{"node":"18.19.0","npm":null},"manager":"Npm"}"#,
        );
        let found = layout.resolve(&shim).unwrap();
        assert_eq!(found.path, user);
        assert_eq!(found.path_first[1], layout.at("volta/tools/image/node/18.19.0/bin"));
        layout.file("project/package.json", r#"{"devDependencies":{"@me/serve":"*"}}"#);
        assert!(layout.resolve(&shim).is_err(), "a dependency of the project that is not installed in it");
        let own = layout.program("project/node_modules/.bin/serve");
        assert_eq!(layout.resolve(&shim).unwrap().path, own);
    }

    #[test]
    fn what_is_missing_is_said() {
        let (layout, shim) = volta();
        layout.program("evil/bin/node");
        for wanted in ["22.0.0", "../../../../evil"] {
            layout.file("project/package.json", &format!(r#"{{"volta":{{"node":"{wanted}"}}}}"#));
            let error = layout.resolve(&shim).unwrap_err();
            assert!(matches!(&error, Error::NotInstalled { version, .. } if version == wanted), "{error}");
        }
        std::fs::remove_file(layout.at("project/package.json")).unwrap();
        std::fs::remove_file(layout.at("volta/tools/user/platform.json")).unwrap();
        assert!(matches!(layout.resolve(&shim), Err(Error::NoVersion { .. })));
        let system = layout.program("system/node");
        assert_eq!(layout.resolve(&shim).unwrap().path, system);
    }
}
