//! `run --no-resolve`: npx and uvx themselves in the pen. They have a shell and execute what they unpacked; the second
//! start needs no network; everything else is as it is for every server.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::peers;
use crate::pen::launch::{self, Finished};
use crate::scene::{FILESYSTEM, Scene, Session};

const AS_IT_IS: &[&str] = &["--no-resolve"];

/// The folder of a uv of this year, installed once for all tests.
fn uv() -> PathBuf {
    static INSTALLED: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = INSTALLED.get_or_init(|| {
        let folder = tempfile::Builder::new().prefix("uv-").tempdir_in("/var/tmp").unwrap();
        let run = |program: &Path, words: &[&str]| {
            assert!(Command::new(program).args(words).status().unwrap().success(), "{words:?}");
        };
        run(Path::new("/usr/bin/python3"), &["-m", "venv", folder.path().to_str().unwrap()]);
        run(&folder.path().join("bin/pip"), &["install", "-q", "uv==0.13.9"]);
        folder
    });
    folder.path().join("bin")
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn run(scene: &Scene, options: &[&str], line: &str) -> Command {
    let mut command = scene.run_words(&[AS_IT_IS, options].concat(), &words(line));
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A uv that somebody has already must not be found first.
    let folders = std::iter::once(PathBuf::from("/usr/bin")).chain(std::env::split_paths(&path));
    let mut folders: Vec<_> = folders.collect();
    if line.starts_with("uv") {
        folders.insert(0, uv());
    }
    command.env("PATH", std::env::join_paths(folders).unwrap());
    command
}

/// The same where there is no network but loopback.
fn cut_off(scene: &Scene, command: &Command) -> Command {
    let mut cut = scene.command(&peers::program("unshare"));
    if !nix::unistd::geteuid().is_root() {
        cut.args(["--user", "--map-current-user"]);
    }
    cut.args(["--net", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            cut.env(name, value);
        }
    }
    cut
}

/// Programs of one session's processes, in the order in which they started.
fn programs(scene: &Scene, server: &str, session: &str) -> Vec<String> {
    let starts = scene.events(server, "process.start");
    let of_session = starts.iter().filter(|event| event["session"] == session);
    of_session.map(|event| event["exe"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

fn last_start(scene: &Scene, server: &str) -> Value {
    scene.events(server, "session.start").pop().unwrap()
}

#[test]
fn npx_itself_runs_in_the_pen_and_from_the_second_start_on_without_network() {
    let scene = Scene::set();
    let line = format!("npx -y {FILESYSTEM}@2026.8.31 {}", scene.work());
    let note = scene.at("work/note.txt");
    // The folder is granted for reading only: what the server offers to write, the pen refuses.
    let command = || run(&scene, &["--profile", "runtime/npx", "--read", &scene.work()], &line);
    let mut first = Session::start(command());
    assert!(first.tools().contains(&"write_file".to_owned()));
    let read = first.call("read_text_file", &json!({"path": note}));
    assert!(read.to_string().contains("a note"), "{read}");
    let written = first.call("write_file", &json!({"path": note, "content": "changed"}));
    assert!(written["result"]["isError"] == true && written.to_string().contains("EACCES"), "{written}");
    let finished = first.end();
    let told = "Without it the package is locked and read-only: caponier run -- npx …";
    assert!(finished.stderr.contains(told) && !finished.stderr.contains("is filled"), "{}", finished.stderr);
    assert_eq!(fs::read_to_string(&note).unwrap(), "a note\n");

    let start = last_start(&scene, "server-filesystem");
    let session = start["session"].as_str().unwrap().to_owned();
    let ran = programs(&scene, "server-filesystem", &session);
    for program in ["dash", "node", "index.js"] {
        assert!(
            ran.contains(&program.to_owned()) || program == "dash" && ran.contains(&"sh".into()),
            "{ran:?}"
        );
    }
    assert_eq!(start["flags"].as_array().unwrap().last().unwrap(), "--no-resolve");
    assert!(start["degraded"].to_string().contains("process.execute_writable"), "{start}");
    assert_eq!(start["enforced"]["net"], "allow-list");
    let denied = scene.report(&["audit", "query", "--denied", "--json"]);
    let denied = denied["events"].as_array().unwrap();
    let refused = |event: &&Value| event["reason"] == "fs.write.read-only" && event["path"] == json!(note);
    assert!(denied.iter().any(|event| refused(&event)), "{denied:#?}");
    // Nothing went into the store, and nobody else can look into the cache.
    assert!(!scene.data().join("servers").exists());
    for entry in fs::read_dir(scene.data().join("caches")).unwrap().map(Result::unwrap) {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }

    let mut second = Session::start(cut_off(&scene, &command()));
    let read = second.call("read_text_file", &json!({"path": note}));
    assert!(read.to_string().contains("a note"), "{read}");
    let finished = second.end();
    assert!(finished.stderr.contains("it is filled: nothing is fetched; remove it"), "{}", finished.stderr);
    let start = last_start(&scene, "server-filesystem");
    assert_eq!(start["enforced"]["net"], "none", "with a warm cache nothing is in reach");
    let connections = scene.events("server-filesystem", "network.*");
    assert!(connections.iter().all(|event| event["session"] != start["session"]), "{connections:#?}");
    // The record is judged again as it was judged.
    let session = start["session"].as_str().unwrap();
    let replay =
        ["audit", "replay", "--profile", "runtime/npx", "--with-flags", "--session", session, "--json"];
    let replay = scene.report(&replay);
    assert_eq!(replay["profile"]["is_the_recorded_one"], true, "{replay}");
    let refusals = replay["refusals"].as_array().unwrap();
    assert!(refusals.iter().all(|refusal| refusal["was"] == "deny"), "{refusals:#?}");
    // What npx did is no server's behaviour.
    let learned = scene.caponier(&["learn", "--session", session]);
    assert!(
        learned.code() != Some(0) && learned.stderr.contains("the session ran npx itself"),
        "{}",
        learned.stderr
    );
}

#[test]
fn the_profile_of_the_package_decides_what_the_server_may_touch() {
    let scene = Scene::set();
    let line = format!("npx -y {FILESYSTEM}@2026.8.31 {}", scene.work());
    let mut session = Session::start(run(&scene, &["--env", "dev", "--profile", "filesystem"], &line));
    // filesystem.dev lets it write in the folders of its own arguments, and in none of npx's.
    let new = scene.at("work/new.txt");
    let written = session.call("write_file", &json!({"path": new, "content": "new"}));
    assert!(written["result"]["isError"] != true, "{written}");
    session.end();
    assert_eq!(fs::read_to_string(new).unwrap(), "new");
    let start = last_start(&scene, "server-filesystem");
    assert_eq!(start["profile"], "filesystem");
}

#[test]
fn uvx_itself_runs_in_the_pen_and_from_the_second_start_on_without_network() {
    let scene = Scene::set();
    let line = "uvx mcp-server-time==2026.10.19 --local-timezone Europe/Berlin";
    let ask = json!({"timezone": "Europe/Berlin"});
    let mut first = Session::start(run(&scene, &[], line));
    assert_eq!(first.tools(), ["get_current_time", "convert_time"]);
    let now = first.call("get_current_time", &ask);
    assert!(now["result"]["isError"] != true, "{now}");
    let finished = first.end();
    assert!(finished.stderr.contains("the profile \"time\" is used"), "{}", finished.stderr);
    let mut second = Session::start(cut_off(&scene, &run(&scene, &[], line)));
    let now = second.call("get_current_time", &ask);
    assert!(now["result"]["isError"] != true && now.to_string().contains("Europe/Berlin"), "{now}");
    second.end();
    let start = last_start(&scene, "mcp-server-time");
    assert_eq!(start["enforced"]["net"], "none");
    let ran = programs(&scene, "mcp-server-time", start["session"].as_str().unwrap());
    for program in ["uvx", "uv", "mcp-server-time"] {
        assert!(ran.contains(&program.to_owned()), "{ran:?}");
    }
    assert!(ran.iter().any(|program| program.starts_with("python")), "{ran:?}");
}

#[test]
fn two_first_starts_at_once_do_not_break_each_other() {
    let scene = Scene::set();
    let line = "npx -y @modelcontextprotocol/server-memory@2026.8.31";
    let ended: Vec<Finished> = std::thread::scope(|scope| {
        let start = || {
            scope.spawn(|| {
                let mut session = Session::start(run(&scene, &[], line));
                assert!(session.tools().contains(&"read_graph".to_owned()));
                session.end()
            })
        };
        [start(), start()].map(|session| session.join().unwrap()).into()
    });
    let waited = ended.iter().filter(|finished| finished.stderr.contains("waiting for another start"));
    assert!(waited.count() <= 1, "{ended:#?}");
    // One of them filled the cache, with the registry in reach; the other one found it filled, however late it came.
    let starts = scene.events("server-memory", "session.start");
    let reached: Vec<_> = starts.iter().map(|start| start["enforced"]["net"].as_str().unwrap()).collect();
    assert!(
        reached.len() == 2 && reached.contains(&"allow-list") && reached.contains(&"none"),
        "{reached:?}"
    );
}

#[test]
fn what_cannot_be_is_refused_and_taught() {
    let scene = Scene::set();
    let profiles = scene.at("home/.config/caponier/profiles");
    fs::create_dir_all(&profiles).unwrap();
    let profile = |name: &str, entry: &str| {
        let text =
            format!("version = 1\nextends = [\"runtime/node\"]\n[process]\nexecute_writable = [{entry}]\n");
        fs::write(profiles.join(format!("{name}.toml")), text).unwrap();
    };
    profile("own", r#"{ path = "${server.cache}/bin", reason = "plug-ins that it builds" }"#);
    profile("silent", r#""${server.cache}/bin""#);
    for (name, path) in [
        ("workspace", "${workspace}/bin"),
        ("home", "~/bin"),
        ("private", "${server.home}/bin"),
        ("tmp", "/tmp/x"),
        ("session", "${session.tmp}/x"),
        ("whole", "${server.cache}"),
        ("out", "${server.cache}/../x"),
        ("nested", "${server.cache}/${workspace}"),
    ] {
        profile(name, &format!(r#"{{ path = "{path}", reason = "x" }}"#));
    }
    let dev = ["--env", "dev"];
    let node = ["node", "-e", "0"];
    let npx = ["npx", "-y", "a"];
    for (options, command, status, said) in [
        (vec!["--no-resolve", "--env", "prod"], &npx[..], 78, "--no-resolve is refused with --env prod"),
        (AS_IT_IS.to_vec(), &node, 64, "about npx and uvx"),
        (AS_IT_IS.to_vec(), &["sh", "-c", "npx -y a"], 64, "about npx and uvx"),
        (vec!["--profile", "runtime/npx", dev[0], dev[1]], &node, 78, "for --no-resolve alone"),
        (vec!["--profile", "runtime/npx"], &node, 78, "is for --no-resolve alone"),
        (vec!["--profile", "own"], &node, 78, "`process.execute_writable` is refused in production"),
        (vec!["--profile", "silent", dev[0], dev[1]], &node, 78, "has no reason"),
        (vec!["--profile", "workspace", dev[0], dev[1]], &node, 78, "nowhere but below ${server.cache}"),
        (vec!["--profile", "home", dev[0], dev[1]], &node, 78, "nowhere but below ${server.cache}"),
        (vec!["--profile", "private", dev[0], dev[1]], &node, 78, "nowhere but below ${server.cache}"),
        (vec!["--profile", "tmp", dev[0], dev[1]], &node, 78, "nowhere but below ${server.cache}"),
        (vec!["--profile", "session", dev[0], dev[1]], &node, 78, "nowhere but below ${server.cache}"),
        (vec!["--profile", "whole", dev[0], dev[1]], &node, 78, "nowhere but below ${server.cache}"),
        (vec!["--profile", "out", dev[0], dev[1]], &node, 78, "nowhere but below ${server.cache}"),
        (vec!["--profile", "nested", dev[0], dev[1]], &node, 78, "nowhere but below ${server.cache}"),
    ] {
        let words: Vec<OsString> = command.iter().map(OsString::from).collect();
        let finished = launch::start(scene.run_words(&options, &words)).finish();
        assert_eq!(finished.code(), Some(status), "{options:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "{options:?}: {}", finished.stderr);
        assert!(finished.stdout.is_empty());
    }
    let bunx = scene.at("work/bunx");
    fs::copy("/bin/true", &bunx).unwrap();
    let finished = launch::start(scene.run_words(AS_IT_IS, &[bunx.into(), "a".into()])).finish();
    assert_eq!(finished.code(), Some(126), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("not bunx") && finished.stderr.contains("leave it out"),
        "{}",
        finished.stderr
    );
    assert!(!scene.data().join("caches").exists());
    let checked = scene.caponier(&["profile", "check", "own"]);
    let report = format!("{}{}", String::from_utf8_lossy(&checked.stdout), checked.stderr);
    assert!(report.contains("execute-writable"), "{report}");
    let shown = scene.caponier(&["profile", "show", "own"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("execute_writable ${server.cache}/bin"), "{shown}");
    let plan = scene.caponier(&["profile", "show", "own", "--plan"]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(plan.contains("process.execute ${server.cache}/bin"), "{plan}");
}

#[test]
fn a_profile_of_ones_own_gives_a_folder_to_build_in_and_no_other() {
    let scene = Scene::set();
    let profiles = scene.at("home/.config/caponier/profiles");
    fs::create_dir_all(&profiles).unwrap();
    let text = "version = 1\nextends = [\"runtime/node\"]\n[process]\nexecute = [\"/bin/sh\"]\nexecute_writable = [{ path = \
                \"${server.cache}/bin\", reason = \"plug-ins that it builds\" }]\n[process.env.set]\nBUILT = \
                \"${server.cache}/bin\"\n";
    fs::write(profiles.join("own.toml"), text).unwrap();
    let code = "const fs = require('fs'), os = require('os'), path = require('path');\
        const { spawnSync } = require('child_process');\
        const built = process.env.BUILT;\
        for (const [name, at] of [['built', built], ['beside', path.dirname(built)], ['tmp', os.tmpdir()], ['home', os.homedir()]]) {\
        fs.writeFileSync(at + '/x', '#!/bin/sh\\nexit 0\\n', { mode: 0o755 });\
        const done = spawnSync(at + '/x'); console.error(name, done.error ? done.error.code : done.status); }";
    let words: Vec<OsString> = ["node", "-e", code].map(OsString::from).into();
    let finished = launch::start(scene.run_words(&["--profile", "own", "--env", "dev"], &words)).finish();
    for line in ["built 0", "beside EACCES", "tmp EACCES", "home EACCES"] {
        assert!(finished.stderr.contains(line), "{line}: {}", finished.stderr);
    }
    assert!(finished.stderr.contains("warning[execute-writable]"), "{}", finished.stderr);
}

#[test]
fn a_token_stays_out_of_the_pen_and_of_the_record() {
    let scene = Scene::set();
    let token = "npm_0123456789abcdefTOKEN";
    fs::write(
        scene.at("home/.npmrc"),
        format!("//corp.example/:_authToken={token}\n@corp:registry=https://corp.example/\n"),
    )
    .unwrap();
    let line = format!("npx -y {FILESYSTEM}@2026.8.31 {}", scene.work());
    let mut session = Session::start(run(&scene, &[], &line));
    let pid = session.running.pid();
    assert!(!session.tools().is_empty());
    let tree = descendants(pid);
    assert!(tree.len() > 2, "{tree:?}");
    for process in tree {
        let environ = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        // Our own process is the client's child, and has what it was given; the file was no part of that.
        assert!(!String::from_utf8_lossy(&environ).contains(token));
    }
    let finished = session.end();
    assert!(finished.stderr.contains("holds credentials"), "{}", finished.stderr);
    let grep = Command::new("grep").args(["-rl", token]).arg(scene.at("home")).output().unwrap();
    let found = String::from_utf8_lossy(&grep.stdout).into_owned();
    assert_eq!(found.lines().collect::<Vec<_>>(), [scene.at("home/.npmrc").to_str().unwrap()]);
    let start = last_start(&scene, "server-filesystem");
    assert!(!start.to_string().contains(token));
}

fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    children.iter().flat_map(|child| std::iter::once(*child).chain(descendants(*child))).collect()
}
