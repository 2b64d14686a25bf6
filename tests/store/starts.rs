//! The first start installs, and says so; later ones run what is there: no network, no package manager, no shell.

use std::ffi::OsString;
use std::fs;

use serde_json::json;

use crate::peers;
use crate::pen::launch;
use crate::scene::{FILESYSTEM, Scene, Session};

/// Programs of every process of a server's sessions.
fn programs(scene: &Scene, server: &str) -> Vec<String> {
    let starts = scene.events(server, "process.start");
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let mut programs: Vec<String> = starts.iter().map(|event| name(event["exe"].as_str().unwrap())).collect();
    programs.sort();
    programs.dedup();
    programs
}

fn network_events(scene: &Scene, server: &str) -> usize {
    scene.events(server, "network.*").len()
}

#[test]
fn npx_installs_once_and_later_starts_need_no_network() {
    let scene = Scene::set();
    let mut first = Session::start(scene.run(&scene.filesystem()));
    assert!(first.tools().contains(&"read_text_file".to_owned()));
    let finished = first.end();
    assert!(finished.stderr.contains(&format!("installing npm:{FILESYSTEM}")), "{}", finished.stderr);
    assert!(finished.stderr.contains("locked; later starts need no network"), "{}", finished.stderr);
    // The install phase was a session of its own, with its own record, and reached its registry alone.
    assert_eq!(scene.sessions(), ["server-filesystem:install", "server-filesystem"]);
    assert!(network_events(&scene, "server-filesystem:install") > 0);
    assert_eq!(programs(&scene, "server-filesystem:install"), ["node", "npm-cli.js"]);

    // No network, no npm, no npx: a namespace that holds only loopback, a PATH that holds only node.
    let only = scene.at("only");
    fs::create_dir(&only).unwrap();
    std::os::unix::fs::symlink(peers::program("node"), only.join("node")).unwrap();
    let mut words: Vec<OsString> = Vec::new();
    if !nix::unistd::geteuid().is_root() {
        words.extend(["--user", "--map-current-user"].map(OsString::from));
    }
    words.extend(["--net".into(), "--".into(), peers::caponier().into(), "run".into(), "--profile".into()]);
    words.extend(["filesystem".into(), "--".into()]);
    words.extend(scene.filesystem().split(' ').map(OsString::from));
    let mut command = scene.command(&peers::program("unshare"));
    command.args(words).env("PATH", &only);
    let mut second = Session::start(command);
    let note = second.call("read_text_file", &json!({"path": scene.at("work/note.txt")}));
    assert!(note.to_string().contains("a note"), "{note}");
    let finished = second.end();
    assert!(!finished.stderr.contains("install"), "{}", finished.stderr);
    assert_eq!(scene.sessions(), ["server-filesystem:install", "server-filesystem", "server-filesystem"]);
    assert_eq!(programs(&scene, "server-filesystem"), ["node"], "no shell, no npx, no npm");
    assert_eq!(network_events(&scene, "server-filesystem"), 0);
    let starts = scene.events("server-filesystem", "session.start");
    let start = starts.last().unwrap();
    assert_eq!(start["package"], format!("npm:{FILESYSTEM}@2026.8.31"));
    assert_eq!(start["enforced"]["net"], "none");
    let listed = scene.report(&["server", "list", "--json"]);
    assert_eq!(listed["servers"][0]["current"], start["package_digest"]);
}

#[test]
fn uvx_installs_once_and_later_starts_need_neither_network_nor_uv() {
    let scene = Scene::set();
    let line = "uvx mcp-server-time@2026.10.19 --local-timezone Europe/Berlin";
    let mut first = Session::start(scene.run(line));
    assert_eq!(first.tools(), ["get_current_time", "convert_time"]);
    let finished = first.end();
    assert!(finished.stderr.contains("installed pypi:mcp-server-time==2026.10.19"), "{}", finished.stderr);
    // The profile that was made for the package, by its name.
    let mut command = scene.run(line);
    command.env("PIP_INDEX_URL", "http://127.0.0.1:9/simple").env("PATH", scene.at("nothing"));
    let mut second = Session::start(command);
    let now = second.call("get_current_time", &json!({"timezone": "Europe/Berlin"}));
    assert!(now["result"]["isError"] != true && now.to_string().contains("Europe/Berlin"), "{now}");
    second.end();
    let programs = programs(&scene, "mcp-server-time");
    assert!(programs.iter().all(|program| program.starts_with("python")), "{programs:?}");
    assert_eq!(network_events(&scene, "mcp-server-time"), 0);
    let tree = scene.trees("mcp-server-time").remove(0).join("tree");
    assert!(!tree.join("bin/pip").exists() && tree.join("bin/mcp-server-time").exists());
    // The same package by another launcher is the same tree.
    Session::start(scene.run("pipx run mcp-server-time==2026.10.19")).end();
    assert_eq!(scene.trees("mcp-server-time").len(), 1);
    // A module that nobody installed would be imported all the same.
    let site = fs::read_dir(tree.join("lib")).unwrap().next().unwrap().unwrap().path().join("site-packages");
    fs::write(site.join("sitecustomize.py"), "").unwrap();
    let refused = launch::start(scene.run(line)).finish();
    assert_eq!(refused.code(), Some(125), "{}", refused.stderr);
    assert!(refused.stderr.contains("sitecustomize.py is new"), "{}", refused.stderr);
}

#[test]
fn a_package_that_was_added_is_what_a_launcher_line_starts() {
    let scene = Scene::with_filesystem();
    let mut command = scene.run(&scene.filesystem());
    // Nothing could be fetched: the registry is a port where nobody listens.
    command.env("npm_config_registry", "http://127.0.0.1:9/");
    let mut session = Session::start(command);
    assert!(!session.tools().is_empty());
    let listed = scene.report(&["server", "list", "--json"]);
    assert_eq!(listed["servers"][0]["versions"][0]["in_use"], true);
    // What is in use is not removed.
    let refused = scene.caponier(&["server", "remove", "server-filesystem"]);
    assert_eq!(refused.code(), Some(125), "{}", refused.stderr);
    assert!(refused.stderr.contains("is in use by a session"), "{}", refused.stderr);
    assert!(!session.tools().is_empty());
    session.end();
    let removed = scene.caponier(&["server", "remove", "server-filesystem"]);
    assert_eq!(removed.code(), Some(0), "{}", removed.stderr);
    assert!(scene.trees("server-filesystem").is_empty());
}

/// Every form of a line for the same package is the same tree; none of them fetches anything.
#[test]
fn every_launcher_starts_what_is_in_the_store() {
    let scene = Scene::with_filesystem();
    let folder = scene.work();
    for launcher in [
        "npx -y @",
        "npx --yes @@latest",
        "npx -y -p @ mcp-server-filesystem",
        "npx -y --package=@ -- mcp-server-filesystem",
        "npm exec --yes -- @",
        "npm x --package=@ -- mcp-server-filesystem",
        "bunx @",
        "bunx -p @ mcp-server-filesystem",
        "bun x @@2026.8.31",
        "pnpm dlx @",
        "pnpm --silent --package=@ dlx mcp-server-filesystem",
        "pnpx @",
        "yarn dlx -q -p @ mcp-server-filesystem",
    ] {
        let line = format!("{} {folder}", launcher.replacen('@', FILESYSTEM, 1));
        let mut command = scene.run(&line);
        command.env("npm_config_registry", "http://127.0.0.1:9/");
        let mut session = Session::start(command);
        let note = session.call("read_text_file", &json!({"path": scene.at("work/note.txt")}));
        assert!(note.to_string().contains("a note"), "{line}: {note}");
        session.end();
    }
    assert_eq!(scene.trees("server-filesystem").len(), 1);
    assert_eq!(programs(&scene, "server-filesystem"), ["node"]);
}

#[test]
fn two_first_starts_at_once_install_once() {
    let scene = Scene::set();
    let line = format!("npx -y @modelcontextprotocol/server-memory@2026.8.31 {}", scene.work());
    let sessions = std::thread::scope(|scope| {
        let start = || scope.spawn(|| Session::start(scene.run(&line)));
        [start(), start(), start()].map(|session| session.join().unwrap())
    });
    for mut session in sessions {
        assert!(session.tools().contains(&"read_graph".to_owned()));
        session.end();
    }
    assert_eq!(scene.trees("server-memory").len(), 1);
    let installs = scene.sessions().iter().filter(|name| *name == "server-memory:install").count();
    assert_eq!(installs, 1);
}

#[test]
fn another_package_of_the_same_name_needs_a_name_of_its_own() {
    let scene = Scene::with_filesystem();
    let finished = launch::start(scene.run("npx -y @somebody/server-filesystem")).finish();
    assert_eq!(finished.code(), Some(78), "{}", finished.stderr);
    assert!(finished.stderr.contains(&format!("is that of npm:{FILESYSTEM}")), "{}", finished.stderr);
    assert!(finished.stderr.contains("--name"), "{}", finished.stderr);
}

#[test]
fn a_second_name_is_copied_from_the_first() {
    let scene = Scene::with_filesystem();
    let words: Vec<OsString> = scene.filesystem().split(' ').map(OsString::from).collect();
    let start = |name: &str| {
        let mut command = scene.run_words(&["--name", name], &words);
        // Nothing could be fetched: the registry is a port where nobody listens.
        command.env("npm_config_registry", "http://127.0.0.1:9/").env("npm_config_fetch_retries", "0");
        command
    };
    let mut second = Session::start(start("notes"));
    assert!(second.tools().contains(&"read_text_file".to_owned()));
    let finished = second.end();
    assert!(
        finished.stderr.contains("is in the store as \"server-filesystem\": copied from there"),
        "{}",
        finished.stderr
    );
    let digest = |name: &str| scene.trees(name).remove(0).file_name().unwrap().to_owned();
    assert_eq!(digest("notes"), digest("server-filesystem"));
    // Each has its own: one goes, the other stays, and what is tampered with is copied by nobody.
    assert_eq!(scene.caponier(&["server", "remove", "notes"]).code(), Some(0));
    let package = scene.trees("server-filesystem").remove(0).join("tree/package.json");
    fs::remove_file(&package).unwrap();
    fs::write(&package, "{}").unwrap();
    let refused = launch::start(start("third")).finish();
    assert_eq!(refused.code(), Some(125), "{}", refused.stderr);
    assert!(!refused.stderr.contains("copied from there"), "{}", refused.stderr);
    assert!(scene.trees("third").is_empty());
}
