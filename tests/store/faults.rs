//! What breaks: a changed file, an install that was killed, a disk that is full, a registry that is not there. The old is
//! used as it was, or nothing is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::peers;
use crate::pen::apart;
use crate::pen::launch::{self, PATIENCE};
use crate::scene::{FILESYSTEM, Scene, Session};

/// The registry where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9/";

fn refused(scene: &Scene, how: &str) {
    let mut command = scene.run(&scene.filesystem());
    command.env("npm_config_registry", NOWHERE);
    let finished = launch::start(command).finish();
    assert_eq!(finished.code(), Some(125), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("store.tampered") && finished.stderr.contains(how),
        "{}",
        finished.stderr
    );
    assert!(finished.stderr.contains("server remove server-filesystem"), "{}", finished.stderr);
    assert!(finished.stdout.is_empty() && scene.sessions().is_empty(), "nothing was started");
}

#[test]
fn a_changed_file_is_refused() {
    let scene = Scene::with_filesystem();
    let tree = scene.trees("server-filesystem").remove(0).join("tree");
    let entry = tree.join("node_modules").join(FILESYSTEM).join("dist/index.js");
    let whole = fs::read(&entry).unwrap();
    fs::set_permissions(&entry, Permissions::from_mode(0o755)).unwrap();
    fs::write(&entry, [&whole[..], b"// evil"].concat()).unwrap();
    fs::set_permissions(&entry, Permissions::from_mode(0o555)).unwrap();
    refused(&scene, "was changed since it was installed");
    // A dependency, changed without a change of its size or its times.
    fs::remove_file(&entry).unwrap();
    fs::write(&entry, &whole).unwrap();
    fs::set_permissions(&entry, Permissions::from_mode(0o555)).unwrap();
    let other = tree.join("node_modules/@modelcontextprotocol/sdk/package.json");
    let (mut text, before) = (fs::read(&other).unwrap(), other.metadata().unwrap().modified().unwrap());
    fs::set_permissions(&other, Permissions::from_mode(0o644)).unwrap();
    *text.last_mut().unwrap() = b' ';
    fs::write(&other, &text).unwrap();
    fs::File::options().write(true).open(&other).unwrap().set_modified(before).unwrap();
    fs::set_permissions(&other, Permissions::from_mode(0o444)).unwrap();
    refused(&scene, "was changed since it was installed");
}

#[test]
fn a_file_that_nobody_installed_is_refused() {
    let scene = Scene::with_filesystem();
    let tree = scene.trees("server-filesystem").remove(0).join("tree");
    fs::create_dir(tree.join("node_modules/zod/node_modules")).unwrap();
    fs::write(tree.join("node_modules/zod/node_modules/evil.js"), "").unwrap();
    refused(&scene, "is new: it was not installed");
}

#[test]
fn a_lock_that_was_rewritten_is_refused() {
    let scene = Scene::with_filesystem();
    let lock = scene.trees("server-filesystem").remove(0).join("lock.json");
    let text = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, text.replacen("dist/index.js", "dist/lib.js", 1)).unwrap();
    refused(&scene, "its digest is not the name of its folder");
    // The way out that the message names.
    let removed = scene.caponier(&["server", "remove", "server-filesystem"]);
    assert_eq!(removed.code(), Some(0), "{}", removed.stderr);
    assert!(scene.trees("server-filesystem").is_empty());
}

#[test]
fn a_registry_that_is_not_there_leaves_what_was_there() {
    let scene = Scene::with_filesystem();
    let mut command = scene.command(&peers::caponier());
    command.args(["server", "add", &format!("npm:{FILESYSTEM}@2025.7.29")]);
    command.env("npm_config_registry", NOWHERE).env("npm_config_fetch_retries", "0");
    let finished = launch::start(command).finish();
    assert_eq!(finished.code(), Some(125), "{}", finished.stderr);
    assert!(finished.stderr.contains("could not be installed"), "{}", finished.stderr);
    assert!(finished.stderr.contains("ECONNREFUSED"), "npm's own words: {}", finished.stderr);
    assert_eq!(scene.trees("server-filesystem").len(), 1);
    Session::start(scene.run(&scene.filesystem())).end();
}

#[test]
fn an_install_that_was_killed_is_never_used() {
    let scene = Scene::set();
    let running = launch::start(scene.run(&scene.filesystem()));
    running.wait_for("installing npm:");
    let staging = scene.data().join("servers/.staging");
    running.signal(Signal::SIGKILL);
    running.finish();
    assert!(scene.trees("server-filesystem").is_empty());
    assert_eq!(fs::read_dir(&staging).unwrap().count(), 1, "what it left behind");
    // The tree of the install phase ends with the one who started it; then its folder can be swept.
    let mut next = Session::start(scene.run(&scene.filesystem()));
    assert!(!next.tools().is_empty());
    next.end();
    assert_eq!(scene.trees("server-filesystem").len(), 1);
    let begun = std::time::Instant::now();
    while running_installs(&scene) > 0 {
        assert!(begun.elapsed() < PATIENCE, "an install phase lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sessions of install phases that run now.
fn running_installs(scene: &Scene) -> usize {
    let report = scene.report(&["ps", "--json"]);
    let sessions = report["sessions"].as_array().unwrap();
    sessions.iter().filter(|session| session["server"] == "server-filesystem:install").count()
}

#[test]
fn a_full_disk_leaves_the_old_one_usable() {
    if !apart::is_inside("faults::a_full_disk_leaves_the_old_one_usable", &["--mount"]) {
        return;
    }
    let scene = Scene::with_filesystem();
    let kept = scene.at("kept");
    let servers = scene.data().join("servers");
    fs::rename(&servers, &kept).unwrap();
    fs::create_dir(&servers).unwrap();
    let run = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().unwrap();
        assert!(output.status.success(), "{program} {words:?}: {output:?}");
    };
    let small = servers.to_str().unwrap();
    run("mount", &["-t", "tmpfs", "-o", "size=48m", "tmpfs", small]);
    run("cp", &["-a", &format!("{}/.", kept.to_str().unwrap()), small]);
    let before = fs::read(scene.server("server-filesystem").join("server.json")).unwrap();
    let mut filler = fs::File::create(servers.join("filler")).unwrap();
    let chunk = vec![0; 1 << 20];
    while std::io::Write::write_all(&mut filler, &chunk).is_ok() {}
    let added = scene.caponier(&["server", "add", "npm:@modelcontextprotocol/server-memory@2026.8.31"]);
    assert!(matches!(added.code(), Some(78 | 125)), "{:?} {}", added.code(), added.stderr);
    let mut command = scene.command(&peers::caponier());
    command.args(["server", "add", &format!("npm:{FILESYSTEM}@2025.7.29")]);
    let added = launch::start(command).finish();
    assert!(matches!(added.code(), Some(78 | 125)), "{:?} {}", added.code(), added.stderr);
    assert_eq!(fs::read(scene.server("server-filesystem").join("server.json")).unwrap(), before);
    let mut session = Session::start(scene.run(&scene.filesystem()));
    assert!(!session.tools().is_empty());
    session.end();
    drop(filler);
    run("umount", &[small]);
}

#[test]
fn a_token_of_the_users_reaches_no_file_that_stays() {
    const TOKEN: &str = "npm_0nlyForThisTest0000000000000000000000";
    let scene = Scene::set();
    let npmrc = format!(
        "//registry.corp.example/:_authToken={TOKEN}\n//other.example/:_password=${{CORP_PASSWORD}}\n"
    );
    fs::write(scene.at("home/.npmrc"), npmrc).unwrap();
    let mut command = scene.command(&peers::caponier());
    command.args(["server", "add", "npm:@modelcontextprotocol/server-memory@2026.8.31"]);
    command.env("CORP_PASSWORD", TOKEN);
    let added = launch::start(command).finish();
    assert_eq!(added.code(), Some(0), "{}", added.stderr);
    assert!(!added.stderr.contains(TOKEN));
    let mut holders = Vec::new();
    holding(&scene.at("home"), TOKEN.as_bytes(), &mut holders);
    assert_eq!(holders, [scene.at("home/.npmrc")]);
}

fn holding(folder: &Path, what: &[u8], found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            holding(&path, what, found);
        } else if kind.is_file() && fs::read(&path).unwrap().windows(what.len()).any(|window| window == what)
        {
            found.push(path);
        }
    }
}
