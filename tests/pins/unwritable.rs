//! Pins that cannot be written: under `enforce` no list goes by unpinned, and the next one is pinned when there is room.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::scene::{SERVER, Scene, list_tool, names, read_tool};
use crate::session::{Session, Stage, reason};

fn hello(session: &mut Session) {
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let answer = session.ask("initialize", &hello);
    assert_eq!(answer["result"]["serverInfo"]["name"], "turns", "{answer}");
}

fn denied(scene: &Scene) -> Vec<Value> {
    scene.0.events("message.denied").into_iter().map(|it| it["reason"].clone()).collect()
}

/// A file stands where the folder should be: that stops root too.
#[test]
fn nothing_is_listed_while_the_pins_have_no_folder() {
    let scene = Scene::new();
    let folder = scene.file().parent().unwrap().to_owned();
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::set_permissions(folder.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    let (mut session, _) = scene.greeted("enforce");
    fs::write(&folder, "").unwrap();
    for method in ["tools/list", "tools/list", "prompts/list"] {
        let answer = session.ask(method, &json!({}));
        assert_eq!(reason(&answer), Some("pin.unwritable"), "{answer}");
    }
    assert!(scene.stderr().contains("the pins of this server"), "{}", scene.stderr());
    // The next one is pinned, and shown.
    fs::remove_file(&folder).unwrap();
    assert_eq!(names(&session.tools()), ["read", "list"]);
    assert!(scene.file().is_file());
    session.end();
    assert_eq!(denied(&scene), ["pin.unwritable"; 3]);
    assert_eq!(scene.diff(), []);
}

/// As its owner sees it; root is stopped by no permissions.
#[test]
fn nothing_is_listed_while_the_folder_is_read_only() {
    if nix::unistd::geteuid().is_root() {
        return nothing_is_listed_while_the_pins_have_no_folder();
    }
    let scene = Scene::new();
    let folder = scene.file().parent().unwrap().to_owned();
    let may = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(folder.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    may(0o500);
    let (mut session, _) = scene.greeted("enforce");
    let answer = session.ask("tools/list", &json!({}));
    assert_eq!(reason(&answer), Some("pin.unwritable"), "{answer}");
    session.end();
    // Under `warn` it is told, and goes on.
    let (mut session, _) = scene.greeted("warn");
    assert_eq!(names(&session.tools()), ["read", "list"]);
    session.end();
    assert!(scene.stderr().contains("Permission denied"), "{}", scene.stderr());
    assert_eq!(denied(&scene), ["pin.unwritable"]);
    may(0o700);
    assert_eq!(scene.shown("enforce"), ["read", "list"]);
}

/// The same command in a mount namespace of its own, where `folder` is a file system of 64 KiB. An ordinary user makes it in a
/// user namespace, and goes back to being himself in another one.
fn on_a_small_disk(command: &Command, folder: &Path) -> Command {
    let script = "mount -t tmpfs -o size=64k,mode=700 none \"$1\" && shift && exec \"$@\"";
    let mut apart = Command::new("unshare");
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    apart.arg(if uid.is_root() { "-m" } else { "-Urm" });
    apart.args(["sh", "-c", script, "sh"]).arg(folder);
    if !uid.is_root() {
        apart.args(["unshare", "-U", &format!("--map-user={uid}"), &format!("--map-group={gid}")]);
    }
    apart.arg(command.get_program()).args(command.get_args());
    apart
}

#[test]
fn nothing_is_listed_while_the_disk_is_full() {
    let scene = Scene(Stage::set());
    let long = |length: usize| {
        let long =
            json!({"name": "long", "description": "x".repeat(length), "inputSchema": {"type": "object"}});
        json!({"tools": [read_tool(), list_tool(), long]})
    };
    scene.is(&long(100_000));
    let folder = scene.file().parent().unwrap().to_owned();
    fs::create_dir_all(&folder).unwrap();
    for folder in [folder.as_path(), folder.parent().unwrap()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let toml = "filesystem.read = [{ path = \"${workspace}\", reason = \"what it says of itself\" }]";
    let command = on_a_small_disk(&scene.0.scripted_command(SERVER, toml), &folder);
    let mut session = scene.0.start_silent(command);
    hello(&mut session);
    for _ in 0..2 {
        let answer = session.ask("tools/list", &json!({}));
        assert_eq!(reason(&answer), Some("pin.unwritable"), "{answer}");
    }
    session.end();
    let events = scene.0.events("message.denied");
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0]["detail"].as_str().unwrap().contains("No space left on device"), "{}", events[0]);
    // What fits is pinned.
    scene.is(&json!({"tools": [read_tool(), list_tool()]}));
    let command = on_a_small_disk(&scene.0.scripted_command(SERVER, toml), &folder);
    let mut session = scene.0.start_silent(command);
    hello(&mut session);
    assert_eq!(names(&session.tools()), ["read", "list"]);
    session.end();
    assert_eq!(scene.0.events("message.denied").len(), 2);
}
