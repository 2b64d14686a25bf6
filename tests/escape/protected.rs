//! A9 and A10: names inside a write grant that are never written, because something else runs them later.

use crate::trial::{Record, Trial};

const PROTECTED: &str = "fs.write.protected";

/// The record of a refused change; which kind of access it is counted as follows the call.
fn refused(access: &'static str, path: &str) -> Record {
    Record::file(access, PROTECTED, &format!("{{workspace}}/{path}"))
}

#[test]
fn a09_hooks_and_git_config_are_not_written() {
    let renamed = |from: &str, to: &str| refused("rename", from).or("path", &format!("{{workspace}}/{to}"));
    Trial::new("a09_protected", &["{workspace}"])
        .works("ordinary")
        .recorded(Record::allowed("create", "{workspace}/src.txt"))
        .works("read")
        .blocked("write-config", "EACCES", refused("write", ".git/config"))
        .blocked("truncate-config", "EACCES", refused("truncate", ".git/config"))
        .blocked("create-hook", "EACCES", refused("create", ".git/hooks/post-commit"))
        .blocked("odd-spelling", "EACCES", refused("create", ".git/hooks/pre-push"))
        .blocked("by-symlink", "EACCES", refused("create", ".git/hooks/pre-commit"))
        .blocked("by-descriptor", "EACCES", refused("create", ".git/hooks/post-merge"))
        .blocked("relative", "EACCES", refused("create", ".git/hooks/post-checkout"))
        .blocked("nested", "EACCES", refused("create", "nested/.git/hooks/post-commit"))
        .blocked("rename-onto", "EACCES", renamed("prepared", ".git/hooks/update"))
        .blocked("link", "EACCES", refused("link", ".git/hooks/pre-rebase").or("path", "{workspace}/second"))
        .blocked("symlink", "EACCES", refused("create", ".git/hooks/pre-auto-gc"))
        .blocked("unlink", "EACCES", refused("delete", ".git/config"))
        .blocked("commondir", "EACCES", refused("create", ".git/commondir"))
        .blocked("git-file", "EACCES", refused("create", "nested/fresh/.git"))
        .blocked("config-worktree", "EACCES", refused("create", ".git/config.worktree"))
        .blocked("move-away", "EACCES", renamed(".git", "moved"))
        .blocked("move-in", "EACCES", renamed("kit", "nested/fresh/.git"))
        .run();
}

#[test]
fn a10_client_and_shell_configuration_is_not_created() {
    Trial::new("a10_client_config", &["{workspace}"])
        .blocked("mcp-json", "EACCES", refused("create", ".mcp.json"))
        .blocked("envrc", "EACCES", refused("create", ".envrc"))
        .blocked("own-profile", "EACCES", refused("create", ".caponier.toml"))
        .blocked("bashrc", "EACCES", refused("create", ".bashrc"))
        .blocked("zshrc", "EACCES", refused("create", ".zshrc"))
        .blocked("profile", "EACCES", refused("create", ".profile"))
        .blocked("mkdir-cursor", "EACCES", refused("create", ".cursor"))
        .blocked("cursor", "EACCES", refused("create", "has/.cursor/mcp.json"))
        .blocked("vscode", "EACCES", refused("create", "has/.vscode/tasks.json"))
        .blocked("claude", "EACCES", refused("create", "has/.claude/settings.json"))
        .blocked("symlink-claude", "EACCES", refused("create", ".claude"))
        .run();
}
