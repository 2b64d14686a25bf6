//! A fresh piece of ground for one run: what is granted, what is not, and a home for caponier itself.
//!
//! ```text
//! workspace/   granted for writing     note.txt  sub/  .git/{config,hooks/}  nested/{.git/hooks/,fresh/}  has/.cursor …
//! reading/     granted for reading     page.txt
//! outside/     not granted             secret.txt target.txt victim.txt tool empty/
//! user/        HOME and the XDG folders of caponier
//! audit/       the log
//! ```

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::pen::program;

/// What every secret begins with: an attack that reads this has won.
pub(crate) const SECRET: &str = "SECRET: not for the server";

/// The ground; removed when dropped.
pub(crate) struct Ground {
    root: tempfile::TempDir,
}

impl Ground {
    /// Lays it out.
    pub(crate) fn new() -> Ground {
        // Not /tmp: a grant that lies on a folder for everyone is one of the things that are refused.
        let base =
            if Path::new("/var/tmp").is_dir() { PathBuf::from("/var/tmp") } else { std::env::temp_dir() };
        let root = tempfile::Builder::new().prefix("pen-").tempdir_in(base).expect("a temporary folder");
        let ground = Ground { root };
        for folder in [
            "workspace/sub",
            "workspace/.git/hooks",
            "workspace/nested/.git/hooks",
            "workspace/nested/fresh",
            "workspace/has/.cursor",
            "workspace/has/.vscode",
            "workspace/has/.claude",
            "reading",
            "outside/empty",
            "user/home",
            "user/config/caponier/profiles",
            "user/state",
            "user/data",
            "user/runtime",
            "audit",
        ] {
            fs::create_dir_all(ground.path(folder)).expect(folder);
        }
        for (file, content) in [
            ("workspace/note.txt", "a note\n"),
            ("workspace/.git/config", "[core]\n"),
            ("reading/page.txt", "a page\n"),
            ("outside/secret.txt", SECRET),
            ("outside/target.txt", SECRET),
            ("outside/victim.txt", SECRET),
        ] {
            fs::write(ground.path(file), content).expect(file);
        }
        fs::copy(program::attack("tool"), ground.path("outside/tool")).expect("tool");
        for private in ["user/runtime", "audit"] {
            fs::set_permissions(ground.path(private), fs::Permissions::from_mode(0o700)).expect(private);
        }
        ground
    }

    /// A path on it; `""` is its root.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        if relative.is_empty() { self.root.path().to_owned() } else { self.root.path().join(relative) }
    }

    /// The same as text.
    pub(crate) fn text(&self, relative: &str) -> String {
        self.path(relative).into_os_string().into_string().expect("a path of ours is UTF-8")
    }

    /// Writes a profile beside the ground's folders and tells where.
    pub(crate) fn profile(&self, toml: &str) -> PathBuf {
        let file = self.path("profile.toml");
        fs::write(&file, toml).expect("profile");
        file
    }
}
