//! The profiles that come with the program, embedded from the repository's `profiles/` folder.
//!
//! Every grant in them has a reason and names a program, never a folder, to execute; tests hold them to it.

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

/// Every shipped profile, by name.
pub const ALL: &[Shipped] = shipped![
    "base",
    "context7",
    "everything",
    "fetch",
    "filesystem",
    "git",
    "github",
    "memory",
    "runtime/node",
    "runtime/python",
    "sequential-thinking",
    "time",
];

/// The shipped profile of that name.
pub fn get(name: &str) -> Option<&'static Shipped> {
    ALL.iter().find(|shipped| shipped.name == name)
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
        assert_eq!(found, ALL.iter().map(|shipped| shipped.name).collect::<Vec<_>>());
    }
}
