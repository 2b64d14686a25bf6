//! Names that stay read-only inside a write grant, present or absent: what they hold is run or believed later,
//! outside the pen, by git, a shell, an editor or a client.
//!
//! A name is matched at any depth below the grant, as the least exact file system would take it: without regard to
//! case, to characters that are not shown, to dots and spaces at its end. A name is free only when the profile
//! lifted exactly that name: one lifted name never frees another that the same path also passes through. Pure:
//! nothing here looks at a disk.

use std::ffi::OsStr;
use std::path::{Component, Path};

macro_rules! protected {
    ($($(#[$doc:meta])* $group:ident: [$($name:literal),+ $(,)?];)+) => {
        $(
            $(#[$doc])*
            pub const $group: &[&str] = &[$($name),+];
        )+

        /// Every protected name, as a profile writes it in `filesystem.unprotected`.
        pub const PROTECTED: &[&str] = &[$($($name),+),+];
    };
}

protected! {
    /// git runs these, or runs what they name (core.fsmonitor, core.sshCommand, aliases, filters); or it looks for all of
    /// that there instead (gitrepository-layout(5)).
    GIT: [".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir", ".gitconfig", ".config/git"];
    /// Clients start the servers that these name, or run them (`crushrc` is a script); editors run the tasks and settings in
    /// them; our own narrows the next run.
    CLIENTS: [
        ".mcp.json",
        ".cursor",
        ".vscode",
        ".claude",
        ".zed",
        ".codex",
        ".gemini",
        ".amazonq",
        ".kiro",
        ".junie",
        ".amp",
        ".opencode",
        "opencode.json",
        "opencode.jsonc",
        ".crush.json",
        "crush.json",
        ".crushrc",
        "crushrc",
        ".continue",
        ".caponier.toml",
    ];
    /// direnv, package managers.
    PACKAGES: [".envrc", ".npmrc", ".yarnrc", ".yarnrc.yml"];
    /// Shells.
    SHELLS: [
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
        // zsh takes a compiled file for the script beside it, also where there is no script (zshbuiltins(1), zcompile).
        ".zshrc.zwc",
        ".zshenv.zwc",
        ".zprofile.zwc",
        ".zlogin.zwc",
        ".zlogout.zwc",
        ".kshrc",
        ".cshrc",
        ".tcshrc",
        ".login",
        ".mkshrc",
        ".xonshrc",
        ".config/fish",
        ".config/nushell",
        ".config/powershell",
        ".config/xonsh",
    ];
    /// What a desktop session starts.
    DESKTOP: [".config/autostart", ".config/systemd"];
}

/// The protected name that `path` is, or lies in; only names that end below its first `below` components count: those
/// are the grant itself, and whoever grants `.claude` by name means it. A name may begin above the grant: in a grant
/// of `.git`, `hooks` is protected.
///
/// `lifted` are the names that the profile gave up. The git directories of submodules (`.git/modules/…`) count as
/// `.git`.
pub fn is_protected(path: &Path, below: usize, lifted: &[String]) -> Option<&'static str> {
    let parts = components(path);
    let is_in = |name: &str| {
        let words = name.split('/').count();
        (0..parts.len()).any(|at| at + words > below && begins_with(&parts[at..], name))
    };
    names(lifted).find(|name| is_in(name)).or_else(|| submodule(&parts, below, lifted))
}

/// Whether giving this name to a finished thing (rename, link, symlink, a new regular file), or taking the name
/// away, makes or removes a protected name below it: `.git`, for it may hold `hooks`.
///
/// Making an empty folder of that name is harmless, so `mkdir` need not ask. A path for which [`is_protected`]
/// answers is not asked about here.
pub fn covers_protected(path: &Path, lifted: &[String]) -> bool {
    let parts = components(path);
    let covers = |name: &'static str| {
        let name: Vec<&str> = name.split('/').collect();
        (1..name.len()).any(|length| ends_with(&parts, &name[..length]))
    };
    names(lifted).any(covers)
}

/// Whether a folder of this name may be the git directory of a submodule or of a worktree, or hold one: moved, its
/// `hooks` would be words like any other. Asked like [`covers_protected`], of folders and of symbolic links.
pub fn is_repository_store(path: &Path, lifted: &[String]) -> bool {
    let parts = components(path);
    names(lifted).any(|name| name.starts_with(".git/")) && stores(&parts).next().is_some()
}

/// Whether a regular file of this name says where protected names are instead: in a worktree and in a submodule, `.git` is a
/// file with a path in it (gitrepository-layout(5)). Asked of a file that is there; `below` as for [`is_protected`].
pub fn leads_elsewhere(path: &Path, below: usize, lifted: &[String]) -> bool {
    let parts = components(path);
    parts.len() > below
        && parts.last().is_some_and(|part| reads_as(part, ".git"))
        && names(lifted).any(|name| name.starts_with(".git/"))
}

/// How many components a path has, as [`is_protected`] counts them.
pub fn depth(path: &Path) -> usize {
    components(path).len()
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
    name.split('/').all(|word| parts.next().is_some_and(|part| reads_as(part, word)))
}

fn ends_with(parts: &[&OsStr], words: &[&str]) -> bool {
    parts.len() >= words.len()
        && parts[parts.len() - words.len()..].iter().zip(words).all(|(part, word)| reads_as(part, word))
}

/// Whether some file system takes `part` for `word`, which is in lower case: ext4 with `casefold` folds as Unicode
/// does and leaves out what is not shown, vfat drops dots at the end.
fn reads_as(part: &OsStr, word: &str) -> bool {
    if part.eq_ignore_ascii_case(word) {
        return true;
    }
    let bytes = part.as_encoded_bytes();
    if bytes.is_ascii() && !matches!(bytes.last(), Some(b'.' | b' ')) {
        return false;
    }
    let text = String::from_utf8_lossy(bytes);
    // By way of the capital letters: U+017F and U+212A are small letters of their own, and fold to s and k.
    let shown = text.chars().filter(|c| !is_ignorable(*c));
    let folded: String = shown.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    folded.trim_end_matches(['.', ' ']) == word
}

/// `Default_Ignorable_Code_Point` of Unicode.
fn is_ignorable(c: char) -> bool {
    matches!(
        u32::from(c),
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfff8
            | 0x1_bca0..=0x1_bca3 | 0x1_d173..=0x1_d17a | 0xe_0000..=0xe_0fff
    )
}

/// Where `.git/modules` or `.git/worktrees` begins in a path.
fn stores<'a>(parts: &'a [&OsStr]) -> impl Iterator<Item = usize> + 'a {
    let is_store = |pair: &[&OsStr]| {
        reads_as(pair[0], ".git") && (reads_as(pair[1], "modules") || reads_as(pair[1], "worktrees"))
    };
    parts.windows(2).enumerate().filter(move |(_, pair)| is_store(pair)).map(|(at, _)| at)
}

/// Whether these parts lead to names of branches, and not into a submodule that is itself called `refs` or `logs`.
fn holds_branches(parts: &[&OsStr]) -> bool {
    const KINDS: &[&str] =
        &["heads", "tags", "remotes", "notes", "bisect", "worktree", "rewritten", "replace"];
    let [folder, kind, ..] = parts else { return false };
    if reads_as(folder, "logs") {
        return reads_as(kind, "refs");
    }
    reads_as(folder, "refs") && KINDS.iter().any(|known| reads_as(kind, known))
}

/// `.git/modules/NAME/hooks`, where NAME may have slashes of its own. Below `refs` and `logs` the same words are
/// names of branches.
fn submodule(parts: &[&OsStr], below: usize, lifted: &[String]) -> Option<&'static str> {
    stores(parts).find_map(|start| {
        let inside = parts.iter().enumerate().skip(start + 3);
        let inside = inside.take_while(|(at, _)| !holds_branches(&parts[*at..]));
        inside.filter(|(at, _)| *at >= below).find_map(|(_, part)| {
            names(lifted)
                .filter_map(|name| Some((name, name.strip_prefix(".git/")?)))
                .find(|(_, word)| reads_as(part, word))
                .map(|(name, _)| name)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_submodule_may_be_called_as_git_calls_its_folders() {
        for name in ["logs", "vendor/logs", "vendor/refs", "a/logs/b", "refs"] {
            for (file, expected) in [("config", ".git/config"), ("hooks/post-commit", ".git/hooks")] {
                assert_eq!(protected(&format!("/w/.git/modules/{name}/{file}")), Some(expected), "{name}");
            }
        }
        for branch in ["refs/heads/config", "logs/refs/heads/hooks/x", "refs/remotes/origin/config"] {
            assert_eq!(protected(&format!("/w/.git/modules/a/{branch}")), None, "{branch}");
        }
    }

    #[test]
    fn a_file_that_is_a_pointer_leads_elsewhere() {
        let leads = |path: &str, below, lifted: &[&str]| {
            let lifted: Vec<String> = lifted.iter().map(ToString::to_string).collect();
            leads_elsewhere(Path::new(path), below, &lifted)
        };
        assert!(leads("/w/tree/.git", 1, &[]) && leads("/w/.GIT", 1, &[".git/hooks"]));
        assert!(!leads("/w/.git/HEAD", 1, &[]) && !leads("/w/.config", 1, &[]) && !leads("/w/a.git", 1, &[]));
        assert!(!leads("/w/.git", 2, &[]), "granted by name");
        let all = [".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir"];
        assert!(!leads("/w/.git", 1, &all));
    }

    fn protected(path: &str) -> Option<&'static str> {
        is_protected(Path::new(path), 0, &[])
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
        assert_eq!(is_protected(Path::new(".vscode/tasks.json"), 0, &lifted), None);
        assert_eq!(is_protected(Path::new(".vscode/.git/hooks/x"), 0, &lifted), Some(".git/hooks"));
        assert!(covers_protected(Path::new(".git"), &[".git/hooks".to_owned()]), "config still counts");
    }

    #[test]
    fn a_name_counts_where_it_ends_below_the_grant() {
        let in_grant = |path: &str, below| is_protected(Path::new(path), below, &[]);
        assert_eq!(in_grant("/home/me/.claude/settings.json", 3), None, "granted by name");
        assert_eq!(in_grant("/home/me/p/.git/hooks/x", 4), Some(".git/hooks"), "begins above the grant");
        assert_eq!(in_grant("/home/me/p/.git/hooks/x", 5), None);
        assert_eq!(in_grant("/home/me/.config/p/.envrc", 4), Some(".envrc"));
    }

    #[test]
    fn a_file_system_that_folds_changes_nothing() {
        for alias in [
            ".g\u{200c}it/HOO\u{212a}S/x",
            ".cur\u{17f}or/mcp.json",
            ".mcp.json.",
            ".mcp.json . ",
            ".PRO\u{fb01}LE",
            ".v\u{17f}code\u{feff}",
        ] {
            assert!(protected(alias).is_some(), "{alias:?}");
        }
        for free in [".gît/hooks", "mcp.json.", "…", ". ."] {
            assert_eq!(protected(free), None, "{free}");
        }
    }

    #[test]
    fn folders_of_submodules_stay_where_they_are() {
        for store in [".git/modules", ".git/modules/lib", "sub/.git/worktrees/fix/x"] {
            assert!(is_repository_store(Path::new(store), &[]), "{store}");
        }
        assert!(!is_repository_store(Path::new(".git/objects/ab"), &[]));
        assert!(!is_repository_store(Path::new("modules/lib"), &[]));
        assert_eq!(protected(".git/modules/logs/.git/modules/lib/hooks"), Some(".git/hooks"));
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
