//! `--observe`: what is let through, what never is, and that production has none of it.

use std::ffi::OsString;
use std::fs;

use serde_json::json;

use crate::scene::{Scene, npm};

fn cat(files: &[&str]) -> Vec<OsString> {
    [&["/usr/bin/cat"], files].concat().into_iter().map(OsString::from).collect()
}

fn observe(scene: &Scene, server: &[OsString]) -> std::process::Output {
    let words = ["run", "--env", "dev", "--observe", "--name", "watched", "--"];
    let words: Vec<OsString> = words.iter().map(OsString::from).chain(server.iter().cloned()).collect();
    scene.done(&words)
}

#[test]
fn production_has_no_observation() {
    let scene = Scene::set();
    let words = ["run", "--observe", "--", "/usr/bin/touch", "mark"];
    let output = scene.done(&words);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--observe is refused in production") && said.contains("--env dev"), "{said}");
    assert!(!scene.at("project/mark").exists());
}

#[test]
fn without_a_workspace_of_its_own_there_is_none() {
    let scene = Scene::set();
    let words = ["run", "--env", "dev", "--observe", "--", "/usr/bin/true"];
    let mut command = scene.caponier(&words);
    let output = command.current_dir(scene.at("home")).output().expect("run");
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("a whole home") && said.contains("--workspace"), "{said}");
}

#[test]
fn each_access_says_what_the_profile_would_have_said() {
    let scene = Scene::set();
    let output = observe(&scene, &cat(&[&scene.text("elsewhere/other.txt"), "/etc/passwd"]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let events = scene.events("watched", &["--event", "file.access"]);
    let would = |path: &str| {
        let event = events.iter().find(|event| event["path"] == path).expect(path);
        (event["verdict"].clone(), event["would"].clone())
    };
    assert_eq!(would(&scene.text("elsewhere/other.txt")), (json!("allow"), json!("deny")));
    assert_eq!(would("/etc/passwd"), (json!("allow"), json!("allow")));
    let start = &scene.events("watched", &["--event", "session.start"])[0];
    assert_eq!(start["observe"], true);
    let degraded = start["degraded"].to_string();
    assert!(degraded.contains("--observe"), "{degraded}");
}

#[test]
fn secrets_stay_out_of_reach_and_out_of_what_is_learned() {
    let scene = Scene::set();
    let key = scene.text("home/.ssh/id_rsa");
    fs::create_dir_all(scene.at("home/notes")).expect("notes");
    fs::write(scene.at("home/notes/a.txt"), "a note").expect("note");
    let output = observe(&scene, &cat(&["../home/.ssh/id_rsa", "../home/notes/a.txt"]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("Permission denied") && !said.contains("a private key"), "{said}");
    let denied = scene.denied("watched");
    assert!(denied.iter().any(|event| event["path"] == key.as_str() && event["reason"] == "fs.read.secret"));
    let (profile, said) = scene.learn("watched");
    assert!(profile.contains("~/notes/a.txt"), "{profile}");
    assert!(!profile.contains(".ssh"), "{profile}");
    assert!(said.contains("id_rsa") && said.contains("nothing is learned from a refusal"), "{said}");
}

#[test]
fn only_the_workspace_is_written_and_nothing_in_it_executed() {
    let scene = Scene::set();
    let touch = |file: String| vec![OsString::from("/usr/bin/touch"), file.into()];
    assert_eq!(observe(&scene, &touch(scene.text("project/new"))).status.code(), Some(0));
    assert!(scene.at("project/new").exists());
    assert_eq!(observe(&scene, &touch(scene.text("elsewhere/new"))).status.code(), Some(1));
    assert!(!scene.at("elsewhere/new").exists());
    let mut words = npm("everything", &[]);
    words.truncate(1);
    fs::copy("/usr/bin/true", scene.at("project/true")).expect("true");
    let code = "try { require('child_process').execFileSync(process.argv[1]); console.error('RAN') } catch (e) { console.error(e.code) }";
    for (program, said) in [("/usr/bin/true".to_owned(), "RAN"), (scene.text("project/true"), "EACCES")] {
        let mut words = words.clone();
        words.extend(["-e".into(), code.into(), program.into()]);
        let output = observe(&scene, &words);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(said), "{stderr}");
    }
}
