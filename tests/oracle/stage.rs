//! What the cases of `oracle.c` find, and what is moved and mounted under a session that has begun.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::pen::ground::Ground;

/// Lays it out.
pub(crate) fn lay(ground: &Ground, cases: &[String]) {
    let at = |relative: &str| ground.path(relative);
    for folder in
        ["reading/sub", "reading/covered", "moving", "outside/bound", "outside/marks", "workspace/remove-dir"]
    {
        fs::create_dir(at(folder)).expect(folder);
    }
    for file in [
        "reading/file.txt",
        "reading/sub/deep.txt",
        "reading/name-5",
        "moving/file.txt",
        "outside/name-4",
        "outside/name-9",
        "workspace/remove-me",
        "workspace/sub/inner",
        "workspace/name-1",
        "workspace/name-3",
        "workspace/name-6",
        "workspace/name-7",
        "workspace/sub/name-8",
    ] {
        fs::write(at(file), "some text\n").expect(file);
    }
    for case in cases {
        fs::write(at("outside/marks").join(case), "").expect("mark");
    }
    for tool in ["reading/tool", "workspace/tool"] {
        fs::copy(at("outside/tool"), at(tool)).expect(tool);
    }
    for (link, target) in [
        ("reading/link-in", "file.txt".into()),
        ("reading/link-out", at("outside/secret.txt")),
        ("reading/link-up", "../outside/secret.txt".into()),
        ("reading/chain", "chain-2".into()),
        ("reading/chain-2", "link-out".into()),
        ("reading/dangling", "nowhere".into()),
        ("reading/loop", "loop".into()),
        ("reading/folder-out", at("outside")),
        ("outside/back", "../reading/file.txt".into()),
        ("workspace/to-reading", at("reading/file.txt")),
        ("workspace/to-new-outside", at("outside/by-a-link")),
        ("workspace/to-new-inside", at("workspace/by-a-link")),
    ] {
        symlink(target, at(link)).expect(link);
    }
    fs::hard_link(at("outside/secret.txt"), at("reading/hard-of-secret")).expect("hard link");
    fs::hard_link(at("reading/file.txt"), at("outside/hard-of-file")).expect("hard link");
}

/// Moves one grant's folder, and mounts folders elsewhere; undone with [`clear`].
pub(crate) fn shift(ground: &Ground) {
    fs::rename(ground.path("moving"), ground.path("moved")).expect("moved");
    fs::create_dir(ground.path("moving")).expect("another folder of that name");
    fs::write(ground.path("moving/file.txt"), "another\n").expect("file");
    for (from, to) in [("reading", "outside/bound"), ("outside", "reading/covered")] {
        let status = Command::new("mount").arg("--bind").args([ground.path(from), ground.path(to)]).status();
        assert!(status.expect("mount").success(), "{to}");
    }
}

/// Takes the mounts away, so that the ground can be removed.
pub(crate) fn clear(ground: &Ground) {
    for at in ["outside/bound", "reading/covered"] {
        let status = Command::new("umount").arg("--lazy").arg(ground.path(at)).status();
        assert!(status.expect("umount").success(), "{at}");
    }
}
