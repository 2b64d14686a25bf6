//! Names that stay read-only inside a write grant, present or absent: what they hold is run or believed later,
//! outside the pen, by git, a shell, an editor or a client.
//!
//! A name is matched at any depth below the grant and without regard to ASCII case (file systems that fold case
//! exist). A name is free only when the profile lifted exactly that name: one lifted name never frees another that
//! the same path also passes through. Pure: nothing here looks at a disk.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// Every protected name, as a profile writes it in `filesystem.unprotected`.
pub const PROTECTED: &[&str] = &[
    // git runs these, or runs what they name (core.fsmonitor, core.sshCommand, aliases, filters).
    ".git/hooks",
    ".git/config",
    ".git/config.worktree",
    // Where git looks for all of the above instead (gitrepository-layout(5)).
    ".git/commondir",
    ".gitconfig",
    // Clients start the servers that these name; editors run the tasks and settings.
    ".mcp.json",
    ".cursor",
    ".vscode",
    ".claude",
    ".zed",
    ".codex",
    ".gemini",
    // Our own: it narrows the next run.
    ".caponier.toml",
    // direnv, package managers.
    ".envrc",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    // Shells.
    ".profile",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".config/fish",
    // What a desktop session starts.
    ".config/autostart",
    ".config/systemd",
];

/// The protected name that `relative` (a path below a write grant) is, or lies in.
///
/// `lifted` are the names that the profile gave up. The git directories of submodules (`.git/modules/…`) count as
/// `.git`.
pub fn is_protected(relative: &Path, lifted: &[String]) -> Option<&'static str> {
    let parts = components(relative);
    names(lifted)
        .find(|name| (0..parts.len()).any(|at| begins_with(&parts[at..], name)))
        .or_else(|| submodule(&parts, lifted))
}

/// Whether giving this name to a finished thing (rename, link, symlink, a new regular file), or taking the name
/// away, makes or removes a protected name below it: `.git`, for it may hold `hooks`.
///
/// Making an empty folder of that name is harmless, so `mkdir` need not ask. A path for which [`is_protected`]
/// answers is not asked about here.
pub fn covers_protected(relative: &Path, lifted: &[String]) -> bool {
    let parts = components(relative);
    let covers = |name: &'static str| {
        let name: Vec<&str> = name.split('/').collect();
        (1..name.len()).any(|length| ends_with(&parts, &name[..length]))
    };
    names(lifted).any(covers)
}

fn names(lifted: &[String]) -> impl Iterator<Item = &'static str> {
    PROTECTED.iter().copied().filter(move |name| !lifted.iter().any(|lift| lift == name))
}

fn components(path: &Path) -> Vec<&OsStr> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(part) => Some(part),
            _ => None,
        })
        .collect()
}

fn begins_with(parts: &[&OsStr], name: &str) -> bool {
    let mut parts = parts.iter();
    name.split('/').all(|word| parts.next().is_some_and(|part| part.eq_ignore_ascii_case(word)))
}

fn ends_with(parts: &[&OsStr], words: &[&str]) -> bool {
    parts.len() >= words.len()
        && parts[parts.len() - words.len()..]
            .iter()
            .zip(words)
            .all(|(part, word)| part.eq_ignore_ascii_case(word))
}

/// `.git/modules/NAME/hooks`, where NAME may have slashes of its own. Below `refs` and `logs` the same words are
/// names of branches.
fn submodule(parts: &[&OsStr], lifted: &[String]) -> Option<&'static str> {
    let start = parts.windows(2).position(|pair| {
        pair[0].eq_ignore_ascii_case(".git")
            && (pair[1].eq_ignore_ascii_case("modules") || pair[1].eq_ignore_ascii_case("worktrees"))
    })?;
    for part in parts.iter().skip(start + 3) {
        if part.eq_ignore_ascii_case("refs") || part.eq_ignore_ascii_case("logs") {
            return None;
        }
        let found = names(lifted)
            .filter_map(|name| Some((name, name.strip_prefix(".git/")?)))
            .find(|(_, word)| part.eq_ignore_ascii_case(word));
        if let Some((name, _)) = found {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn protected(path: &str) -> Option<&'static str> {
        is_protected(Path::new(path), &[])
    }

    #[test]
    fn a_name_is_protected_at_any_depth_and_all_below_it() {
        assert_eq!(protected(".git/hooks"), Some(".git/hooks"));
        assert_eq!(protected(".git/hooks/post-commit"), Some(".git/hooks"));
        assert_eq!(protected("sub/project/.git/config"), Some(".git/config"));
        assert_eq!(protected(".git/commondir"), Some(".git/commondir"));
        assert_eq!(protected(".vscode/tasks.json"), Some(".vscode"));
        assert_eq!(protected("a/.MCP.json"), Some(".mcp.json"));
    }

    #[test]
    fn a_name_that_only_looks_alike_is_free() {
        for free in
            ["", ".git", ".git/HEAD", ".git/hooks-old", "hooks", "git/hooks", ".mcp.json.bak", ".claude2"]
        {
            assert_eq!(protected(free), None, "{free}");
        }
    }

    #[test]
    fn submodules_are_covered_and_branches_are_not() {
        assert_eq!(protected(".git/modules/vendor/lib/hooks/post-checkout"), Some(".git/hooks"));
        assert_eq!(protected(".git/modules/lib/config"), Some(".git/config"));
        assert_eq!(protected(".git/worktrees/fix/config.worktree"), Some(".git/config.worktree"));
        assert_eq!(protected(".git/modules/lib/refs/heads/hooks"), None);
        assert_eq!(protected(".git/refs/heads/config"), None);
    }

    #[test]
    fn renaming_a_folder_into_place_is_covered() {
        assert!(covers_protected(Path::new(".git"), &[]));
        assert!(covers_protected(Path::new("sub/.GIT"), &[]));
        assert!(covers_protected(Path::new(".config"), &[]));
        assert!(!covers_protected(Path::new(".git/objects"), &[]));
        assert!(!covers_protected(Path::new("git"), &[]));
    }

    #[test]
    fn lifting_one_name_frees_only_that_one() {
        let lifted = vec![".vscode".to_owned()];
        assert_eq!(is_protected(Path::new(".vscode/tasks.json"), &lifted), None);
        assert_eq!(is_protected(Path::new(".vscode/.git/hooks/x"), &lifted), Some(".git/hooks"));
        assert!(covers_protected(Path::new(".git"), &[".git/hooks".to_owned()]), "config still counts");
    }

    proptest! {
        #[test]
        fn what_lies_in_a_protected_name_is_protected(
            before in prop::collection::vec("[a-z]{1,6}", 0..4),
            name in prop::sample::select(PROTECTED.to_vec()),
            after in prop::collection::vec("[a-z.]{1,6}", 0..4),
        ) {
            let path = before.into_iter().chain([name.to_owned()]).chain(after).collect::<Vec<_>>().join("/");
            prop_assert!(protected(&path).is_some());
        }

        #[test]
        fn paths_without_a_dot_name_are_free(parts in prop::collection::vec("[a-z][a-z.]{0,6}", 0..6)) {
            let path = parts.join("/");
            prop_assert_eq!(protected(&path), None);
            prop_assert!(!covers_protected(Path::new(&path), &[]));
        }
    }
}
