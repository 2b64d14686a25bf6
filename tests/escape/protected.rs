//! A9 and A10: names inside a write grant that are never written, because something else runs them later.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::pen::ground::Ground;
use crate::pen::{launch, log, program};
use crate::trial::{Open, Record, Trial};

const PROTECTED: &str = "fs.write.protected";

/// The record of a refused change; which kind of access it is counted as follows the call.
fn refused(access: &'static str, path: &str) -> Record {
    Record::file(access, PROTECTED, &format!("{{workspace}}/{path}"))
}

#[test]
fn a09_hooks_and_git_config_are_not_written() {
    let renamed = |from: &str, to: &str| refused("rename", from).or("path", &format!("{{workspace}}/{to}"));
    Trial::new("a09_protected", &["{workspace}"])
        .stage(|ground| {
            let worktree = ground.path("workspace/worktree");
            fs::create_dir_all(&worktree).expect("worktree");
            fs::write(worktree.join(".git"), "gitdir: ../.git/worktrees/worktree\n").expect("worktree/.git");
        })
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
        .blocked("worktree-write", "EACCES", refused("write", "worktree/.git"))
        .blocked("worktree-append", "EACCES", refused("write", "worktree/.git"))
        .blocked("worktree-update", "EACCES", refused("write", "worktree/.git"))
        .blocked("worktree-empty", "EACCES", refused("truncate", "worktree/.git"))
        .blocked("worktree-truncate", "EACCES", refused("truncate", "worktree/.git"))
        .blocked("worktree-by-symlink", "EACCES", refused("write", "worktree/.git"))
        .blocked("worktree-second-name", "EACCES", refused("link", "worktree/.git"))
        .blocked("worktree-onto", "EACCES", renamed("second", "worktree/.git"))
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
        .blocked("zshrc-compiled", "EACCES", refused("create", ".zshrc.zwc"))
        .blocked("git-config", "EACCES", refused("create", ".config/git"))
        .blocked("profile", "EACCES", refused("create", ".profile"))
        .blocked("mkdir-cursor", "EACCES", refused("create", ".cursor"))
        .blocked("cursor", "EACCES", refused("create", "has/.cursor/mcp.json"))
        .blocked("vscode", "EACCES", refused("create", "has/.vscode/tasks.json"))
        .blocked("claude", "EACCES", refused("create", "has/.claude/settings.json"))
        .blocked("symlink-claude", "EACCES", refused("create", ".claude"))
        .run();
}

/// What the issue names: a file of each kind that something runs or believes later.
const TARGETS: &[&str] = &[".git/hooks/post-commit", ".mcp.json", ".claude/settings.json", ".envrc"];

/// `present/` holds the target, `absent/` lacks it; the folders that it lies in are there both times.
fn lay_out(ground: &Ground, target: &str) {
    for side in ["present", "absent"] {
        let path = ground.path("workspace").join(side).join(target);
        fs::create_dir_all(path.parent().expect("a folder")).expect(side);
        if side == "present" {
            fs::write(path, "kept\n").expect(side);
        }
    }
}

#[test]
fn a09_no_route_leads_to_a_protected_name() {
    for target in TARGETS {
        let top = target.split('/').next().expect("a name");
        let absent = |access| refused(access, &format!("absent/{target}"));
        let present = |access| refused(access, &format!("present/{target}"));
        let onto = |access| absent(access).or("path", "{workspace}/prepared");
        let tree = format!("{{workspace}}/fresh/{top}");
        // The own folder has the session in its name.
        let across = Record::file("rename", "fs.link.across", "").without("path");
        Trial::new("a09_routes", &["{workspace}", target])
            .stage(move |ground| lay_out(ground, target))
            .env("TMPDIR", "{ground}/user/home")
            .blocked("create", "EACCES", absent("create"))
            .blocked("create-or-open", "EACCES", absent("create"))
            .blocked("creat", "EACCES", absent("create"))
            .blocked("openat2", "EACCES", absent("create"))
            .blocked("through-dangling", "EACCES", absent("create"))
            .blocked("node", "EACCES", absent("create"))
            .blocked("pipe", "EACCES", absent("create"))
            .blocked("hard-link", "EACCES", absent("link"))
            .blocked("symlink", "EACCES", absent("create"))
            .blocked("nameless", "EACCES", absent("link"))
            .blocked("nameless-empty", "EACCES", absent("link"))
            .blocked("rename-to", "EACCES", onto("rename"))
            .blocked("kept", "EACCES", onto("rename"))
            .blocked("file-from-own", "EACCES", absent("rename"))
            .blocked("trailing-dot", "EACCES", absent("create").without("path"))
            .blocked("move-in", "EACCES", refused("rename", "kit").or("path", &tree))
            .blocked("tree-from-own", "EXDEV", across.clone())
            .blocked("metadata", "EACCES", present("metadata"))
            .blocked("overwrite", "EACCES", present("write"))
            .blocked("append", "EACCES", present("write"))
            .blocked("through-symlink", "EACCES", present("write"))
            .blocked("reopen", "EACCES", present("write"))
            .blocked("truncate", "EACCES", present("truncate"))
            .blocked("second-name", "EACCES", present("link"))
            .blocked("aside", "EACCES", refused("rename", &format!("present/{top}")))
            .blocked("exchange", "EACCES", present("rename"))
            .blocked("rename-onto", "EACCES", present("rename"))
            .works("unchanged")
            .in_the_open(Open::Refused("EBADMSG"))
            .blocked("unlink", "EACCES", present("delete"))
            .run();
    }
}

fn race(free: &'static str, protected: &'static str, all: bool) {
    let words = ["{workspace}", free, protected, "all"];
    let trial = Trial::new("a09_race", &words[..if all { 4 } else { 3 }]).stage(move |ground| {
        for name in [free, protected] {
            let path = ground.path("workspace").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect(name);
        }
    });
    let trial = trial.blocked("open", "EACCES", refused("create", protected));
    let trial = match all {
        false => trial,
        true => trial
            .blocked("rename", "EACCES", refused("rename", protected))
            .blocked("link", "EACCES", refused("link", protected))
            .blocked("symlink", "EACCES", refused("create", protected)),
    };
    trial.run();
}

#[test]
fn a09_no_protected_name_is_won_by_a_race() {
    race("_mcp.json", ".mcp.json", true);
}

#[test]
fn a09_no_hook_is_won_by_a_race() {
    race(".git/hookz/post-commit", ".git/hooks/post-commit", false);
}

#[test]
fn a10_no_client_configuration_is_won_by_a_race() {
    race("_claude/settings.json", ".claude/settings.json", false);
    race("_envrc", ".envrc", false);
}

#[test]
fn what_is_performed_for_a_program_is_what_the_kernel_would_have_done() {
    let mut trial = Trial::new("a09_beside", &["{workspace}"]).stage(|ground| {
        let workspace = ground.path("workspace");
        fs::write(workspace.join("sub/full"), "").expect("full");
        let shared = workspace.join("shared");
        fs::create_dir(&shared).expect("shared");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o2775)).expect("mode");
    });
    let steps = [
        "umask",
        "append",
        "atomic",
        "nameless",
        "group",
        "descriptor",
        "ftruncate",
        "pipe",
        "limit",
        "through-dangling",
        "exclusive",
        "exclusive-link",
        "no-follow",
        "missing",
        "missing-folder",
        "not-a-folder",
        "folder-for-writing",
        "slash",
        "nameless-read-only",
        "mkdir-there",
        "mkdir-dot",
        "mkdir-slash",
        "rmdir-slash",
        "rmdir-file",
        "rmdir-dot",
        "unlink-folder",
        "unlink-missing",
        "unlink-slash",
        "unlink-flags",
        "link-there",
        "link-folder",
        "link-symlink",
        "symlink-empty",
        "rename-noreplace",
        "rename-exchange",
        "rename-back",
        "rename-both",
        "rename-into-itself",
        "rename-onto-full",
        "rename-file-onto-folder",
        "rename-slash",
        "rename-file-slash",
        "truncate-folder",
        "truncate-negative",
        "too-long",
    ];
    for step in steps {
        trial = trial.works(step);
    }
    let events = trial.run();
    let performed = |path: &str, access: &str| {
        log::of(&events, "file.access").any(|event| {
            event["path"].as_str().is_some_and(|found| found.ends_with(path))
                && event["access"] == access
                && event["evidence"] == "performed"
                && event["result"] == "ok"
        })
    };
    for (path, access) in [
        ("/workspace/state", "rename"),
        ("/workspace/masked", "create"),
        ("/workspace/named", "link"),
        ("/workspace/born", "create"),
        ("/workspace/lifted", "delete"),
        ("/workspace/pipe", "write"),
    ] {
        assert!(performed(path, access), "no {access} of {path} was performed");
    }
}

/// A profile over the workspace for programs of the machine's.
fn profile_for(ground: &Ground, extends: &str, execute: &str) -> std::path::PathBuf {
    ground.profile(&format!(
        "version = 1\ndescription = \"a project\"\nextends = [{extends:?}]\n[filesystem]\n\
         read = [{{ path = \"/etc/gitconfig\", optional = true }}]\nwrite = [{:?}]\n[process]\nexecute = [{execute}]\n",
        ground.text("workspace")
    ))
}

fn run_in_the_project(ground: &Ground, profile: &std::path::Path, words: &[&str]) {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let finished = launch::start(launch::run(ground, profile, &words)).finish();
    assert_eq!(finished.code(), Some(0), "{words:?}: {:?}\n{}", finished.status, finished.stderr);
}

fn in_the_open(ground: &Ground, words: &[&str]) -> String {
    let mut command = launch::at_home(std::process::Command::new(words[0]), ground);
    let output = command.args(&words[1..]).output().expect(words[0]);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn git_commits_beside_protected_names() {
    program::require("git");
    let ground = Ground::new();
    fs::remove_dir_all(ground.path("workspace/.git")).expect(".git");
    in_the_open(&ground, &["git", "init", "--quiet", "."]);
    let hooks = fs::read_dir(ground.path("workspace/.git/hooks")).expect("hooks").count();
    let config = fs::read(ground.path("workspace/.git/config")).expect("config");
    let again = |place: &str| format!("{{ path = \"{place}/git-core/git\", optional = true }}");
    let places = ["/usr/lib", "/usr/libexec", "/usr/local/libexec"].map(again).join(", ");
    let profile = profile_for(&ground, "base", &format!("\"git\", {places}"));
    let me = ["-c", "user.name=me", "-c", "user.email=me@example.org"];
    run_in_the_project(&ground, &profile, &["git", "add", "note.txt"]);
    run_in_the_project(&ground, &profile, &[&["git"][..], &me, &["commit", "--quiet", "-m", "one"]].concat());
    fs::write(ground.path("workspace/note.txt"), "changed\n").expect("note");
    run_in_the_project(&ground, &profile, &[&["git"][..], &me, &["commit", "-qam", "two"]].concat());
    let commits = in_the_open(&ground, &["git", "log", "--format=%s"]);
    assert_eq!(commits, "two\none\n");
    assert_eq!(in_the_open(&ground, &["git", "status", "--porcelain", "note.txt"]), "");
    assert_eq!(fs::read_dir(ground.path("workspace/.git/hooks")).expect("hooks").count(), hooks);
    assert_eq!(fs::read(ground.path("workspace/.git/config")).expect("config"), config);
}

#[test]
fn npm_starts_a_package_beside_protected_names() {
    program::require("npm");
    let ground = Ground::new();
    let npm = in_the_open(&ground, &["npm", "root", "--global"]);
    let npm = format!("{}/npm/bin/npm-cli.js", npm.trim_end());
    let profile = profile_for(&ground, "runtime/node", "");
    run_in_the_project(&ground, &profile, &["node", &npm, "init", "--yes"]);
    let package = fs::read_to_string(ground.path("workspace/package.json")).expect("package.json");
    assert!(package.contains("\"name\": \"workspace\""), "{package}");
}
