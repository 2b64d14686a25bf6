//! What a proposal says: widenings named, nothing overwritten, hostile names harmless, unused grants shown.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::scene::Scene;

fn watched(scene: &Scene, options: &[&str], program: &[&str]) {
    let words: Vec<OsString> = [&["run", "--name", "watched"], options, &["--"], program]
        .concat()
        .iter()
        .map(OsString::from)
        .collect();
    let output = scene.done(&words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

const OBSERVE: &[&str] = &["--env", "dev", "--observe"];

#[test]
fn three_files_are_a_folder_and_two_are_not() {
    let scene = Scene::set();
    let mut program = vec!["/usr/bin/cat".to_owned()];
    for name in ["many/a", "many/b", "many/c", "few/a", "few/b"] {
        let path = scene.at("project").join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(&path, name).expect(name);
        program.push(name.to_owned());
    }
    watched(&scene, OBSERVE, &program.iter().map(String::as_str).collect::<Vec<_>>());
    let (profile, said) = scene.learn("watched");
    assert!(profile.contains("path = \"${workspace}/many\""), "{profile}");
    assert!(
        profile.contains("path = \"${workspace}/few/a\"") && profile.contains("${workspace}/few/b"),
        "{profile}"
    );
    assert!(profile.contains("several things in it were touched"), "{profile}");
    assert!(said.contains("widened") && said.contains("many/a"), "{said}");
}

#[test]
fn a_home_is_never_widened_to() {
    let scene = Scene::set();
    let mut program = vec!["/usr/bin/cat".to_owned()];
    for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
        fs::write(scene.at("home").join(name), name).expect(name);
        program.push(format!("../home/{name}"));
    }
    watched(&scene, OBSERVE, &program.iter().map(String::as_str).collect::<Vec<_>>());
    let (profile, _) = scene.learn("watched");
    for name in ["~/a.txt", "~/b.txt", "~/c.txt", "~/d.txt"] {
        assert!(profile.contains(&format!("path = \"{name}\"")), "{profile}");
    }
    assert!(!profile.contains("path = \"~\""), "{profile}");
}

#[test]
fn nothing_is_overwritten() {
    let scene = Scene::set();
    watched(&scene, OBSERVE, &["/usr/bin/true"]);
    let file = scene.text("mine.toml");
    fs::write(&file, "mine").expect("file");
    let output = scene.done(&["learn", "--server", "watched", "--output", &file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("never overwrites"), "{output:?}");
    assert_eq!(fs::read_to_string(&file).expect("file"), "mine");
    let link = scene.at("link.toml");
    std::os::unix::fs::symlink(scene.at("not-there-yet.toml"), &link).expect("link");
    let output = scene.done(&["learn", "--server", "watched", "--output", &scene.text("link.toml")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!scene.at("not-there-yet.toml").exists(), "a link was followed");
}

#[test]
fn hostile_names_stay_names() {
    let scene = Scene::set();
    let names = ["quote\"]\n[tools]\ndefault = \"allow\"", "variable${home}", "bidi\u{202e}\u{1b}[2J"];
    let mut program = vec!["/usr/bin/cat".to_owned()];
    for name in names {
        fs::write(scene.at("elsewhere").join(name), "x").expect("file");
    }
    program.extend(names.iter().take(2).map(|name| format!("../elsewhere/{name}")));
    watched(&scene, OBSERVE, &program.iter().map(String::as_str).collect::<Vec<_>>());
    let (profile, said) = scene.learn("watched");
    let parsed: toml::Table = toml::from_str(&profile).unwrap_or_else(|error| panic!("{error}: {profile}"));
    assert!(parsed.get("tools").is_none(), "{profile}");
    let read = parsed["filesystem"]["read"].as_array().expect("a list");
    let quoted = scene.at("elsewhere").join(names[0]);
    assert!(read.iter().any(|entry| entry["path"].as_str().map(Path::new) == Some(&quoted)), "{profile}");
    // A name that would be a variable cannot be written: it is left out, and said.
    assert!(!profile.contains("variable"), "{profile}");
    assert!(said.contains("variable"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn a_grant_that_nobody_needed_is_shown() {
    let scene = Scene::set();
    let profile = format!(
        "version = 1\nextends = [\"base\"]\n[filesystem]\nread = [{:?}, {:?}]\n",
        scene.at("project"),
        scene.at("elsewhere")
    );
    let file = scene.text("wide.toml");
    fs::write(&file, profile).expect("profile");
    fs::write(scene.at("project/a.txt"), "a").expect("a");
    watched(&scene, &["--profile", &file], &["/usr/bin/cat", "a.txt"]);
    let output = scene.done(&["learn", "--server", "watched", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["version"], 1);
    let grants = report["grants"].as_array().expect("grants");
    assert_eq!(grants.len(), 1, "{report:#}");
    assert_eq!(grants[0]["path"], scene.text("project/a.txt").as_str());
    let changes = report["changes"].as_array().expect("changes");
    let gone =
        changes.iter().find(|change| change["path"] == scene.text("elsewhere").as_str()).expect("elsewhere");
    assert_eq!(gone["added"], false);
    assert!(gone["line"].as_str().is_some_and(|line| line.contains("wide.toml:4")), "{gone}");
}

#[test]
fn there_is_nothing_to_learn_from_nothing() {
    let scene = Scene::set();
    watched(&scene, OBSERVE, &["/usr/bin/true"]);
    let output = scene.done(&["learn", "--server", "nobody"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no session of that name"), "{output:?}");
    assert_eq!(scene.done(&["learn"]).status.code(), Some(64));
}

#[test]
fn the_gaps_of_other_servers_are_not_told() {
    let scene = Scene::set();
    // Observed, and so degraded: a gap, of this server alone.
    watched(&scene, OBSERVE, &["/usr/bin/true"]);
    let other = ["run", "--name", "other", "--profile", "base", "--", "/usr/bin/true"];
    assert_eq!(scene.done(&other).status.code(), Some(0));
    let gaps = |server: &str| {
        let output = scene.done(&["learn", "--server", server, "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        report["gaps"].as_array().expect("gaps").len()
    };
    assert_eq!((gaps("watched"), gaps("other")), (1, 0));
}
