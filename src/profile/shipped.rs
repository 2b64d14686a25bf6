//! The profiles that come with the program, embedded from the repository's `profiles/` folder.
//!
//! A name can have a file of its own for each environment, which extends what it takes the place of. Every grant in them has a reason and names a program, never a folder, to execute; tests hold them to it.

use crate::policy::Environment;

/// One shipped profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// Its name: `filesystem`, `runtime/node`.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(Shipped { name: $name, text: include_str!(concat!("../../profiles/", $name, ".toml")) }),+]
    };
}

macro_rules! environment {
    ($name:literal, $env:literal, $environment:expr) => {
        (
            $name,
            $environment,
            Shipped {
                name: concat!($name, ".", $env),
                text: include_str!(concat!("../../profiles/", $name, ".", $env, ".toml")),
            },
        )
    };
}

/// Every shipped profile, by name.
pub const ALL: &[Shipped] = shipped![
    "base",
    "context7",
    "everything",
    "fetch",
    "filesystem",
    "git",
    "github",
    "kubernetes",
    "memory",
    "playwright",
    "runtime/node",
    "runtime/npm-install",
    "runtime/npx",
    "runtime/pip-install",
    "runtime/python",
    "sequential-thinking",
    "sqlite",
    "time",
];

/// The files for one environment: development and production are separate.
const ENVIRONMENTS: &[(&str, Environment, Shipped)] = &[
    environment!("filesystem", "dev", Environment::Dev),
    environment!("filesystem", "prod", Environment::Prod),
    environment!("git", "dev", Environment::Dev),
    environment!("git", "prod", Environment::Prod),
];

/// The files of a name, as origins show them, with the environment's own first.
pub fn files(name: &str, env: Environment) -> impl Iterator<Item = (String, &'static str)> {
    let own = ENVIRONMENTS.iter().find(move |(of, for_env, _)| *of == name && *for_env == env);
    let files = own.map(|(_, _, shipped)| shipped).into_iter().chain(get(name));
    files.map(|shipped| (format!("<shipped>/{}.toml", shipped.name), shipped.text))
}

/// The shipped profile of that name.
pub fn get(name: &str) -> Option<&'static Shipped> {
    ALL.iter().find(|shipped| shipped.name == name)
}

/// The files of a name for one environment each.
#[cfg(test)]
pub(super) fn variants(name: &str) -> impl Iterator<Item = (Environment, &'static Shipped)> {
    let found = ENVIRONMENTS.iter().filter(move |(of, _, _)| *of == name);
    found.map(|(_, env, shipped)| (*env, shipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/profiles"));
        let mut found = Vec::new();
        for folder in [root.to_path_buf(), root.join("runtime")] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    let name = path.strip_prefix(root).unwrap().with_extension("");
                    found.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        let environments = ENVIRONMENTS.iter().map(|(_, _, shipped)| shipped.name);
        let mut embedded: Vec<_> = ALL.iter().map(|shipped| shipped.name).chain(environments).collect();
        embedded.sort_unstable();
        assert_eq!(found, embedded);
    }
}
