//! Three real servers: watched, learned, held; the same session is clean, what it never touched is refused.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::peers;
use crate::scene::{Call, Scene, assert_well, npm};

/// Watches `calls`, learns, and runs them again under what was learned.
fn learned(scene: &Scene, profile: &[&str], server: &[OsString], calls: &[Call<'_>]) -> String {
    let mut options = vec!["--env", "dev", "--observe", "--name", "watched"];
    options.extend_from_slice(profile);
    assert_well(calls, &scene.session(&options, server, calls));
    let file = scene.learn_into("watched", "learned.toml").into_os_string().into_string().expect("UTF-8");
    assert_well(calls, &scene.session(&["--name", "held", "--profile", &file], server, calls));
    assert_eq!(scene.denied("held"), Vec::<Value>::new(), "{}", fs::read_to_string(&file).expect("profile"));
    file
}

/// One call under the learned profile: it fails, and the log says why.
fn refused(scene: &Scene, file: &str, server: &[OsString], call: Call<'_>, reason: &str, path: &str) {
    let results =
        scene.session(&["--name", "attacked", "--profile", file], server, std::slice::from_ref(&call));
    assert_eq!(results[0]["isError"], true, "{}: {results:?}", call.0);
    let denied = scene.denied("attacked");
    let told = denied.iter().any(|event| event["reason"] == reason && event["path"] == path);
    assert!(told, "no {reason} of {path} in {denied:#?}");
}

#[test]
fn the_filesystem_server_keeps_the_folder_that_it_used() {
    let scene = Scene::set();
    fs::create_dir_all(scene.at("project/notes/deep")).expect("notes");
    fs::create_dir_all(scene.at("project/untouched")).expect("untouched");
    fs::write(scene.at("project/untouched/b.md"), "b").expect("b");
    for name in ["notes/a.md", "notes/deep/c.md"] {
        fs::write(scene.at("project").join(name), name).expect(name);
    }
    let notes = |name: &str| scene.text(&format!("project/notes/{name}"));
    let calls = [
        ("list_directory", json!({"path": notes("")})),
        ("read_text_file", json!({"path": notes("a.md")})),
        ("write_file", json!({"path": notes("new.md"), "content": "new"})),
        ("edit_file", json!({"path": notes("new.md"), "edits": [{"oldText": "new", "newText": "newer"}]})),
        ("move_file", json!({"source": notes("new.md"), "destination": notes("moved.md")})),
        ("directory_tree", json!({"path": notes("")})),
    ];
    let server = npm("filesystem", &[&scene.at("project")]);
    let again = |calls: &[Call<'_>]| {
        assert_well(
            calls,
            &scene.session(&["--env", "dev", "--observe", "--name", "watched"], &server, calls),
        );
        fs::remove_file(scene.at("project/notes/moved.md")).expect("moved");
    };
    again(&calls);
    let file = scene.learn_into("watched", "learned.toml").into_os_string().into_string().expect("UTF-8");
    assert_well(&calls, &scene.session(&["--name", "held", "--profile", &file], &server, &calls));
    let text = fs::read_to_string(&file).expect("profile");
    assert_eq!(scene.denied("held"), Vec::<Value>::new(), "{text}");
    assert!(text.contains("extends = [\"runtime/node\"]"), "{text}");
    assert!(text.contains("\"${server.args[0]}/notes\""), "{text}");
    assert!(
        !text.contains("/usr/") && !text.contains("node_modules"),
        "what the runtime needs is the base's: {text}"
    );

    // The server lists its folder when it writes, so all of that is read; only the notes were written.
    let untouched = scene.text("project/untouched/new.md");
    let call = || ("write_file", json!({"path": untouched, "content": "x"}));
    let control = ["--env", "dev", "--observe", "--name", "control"];
    assert_well(&[call()], &scene.session(&control, &server, &[call()]));
    fs::remove_file(&untouched).expect("written");
    refused(&scene, &file, &server, call(), "fs.write.read-only", &untouched);
    assert!(!scene.at("project/untouched/new.md").exists());

    // Told on its command line that it may serve another folder, it agrees; the kernel does not. (The gate, which would
    // refuse the path before anybody is asked, stands aside for once.)
    let aside = scene.text("aside.toml");
    fs::write(&aside, format!("{text}\n[tools]\noutside_paths = \"allow\"\n")).expect("profile");
    let both = npm("filesystem", &[&scene.at("project"), &scene.at("elsewhere")]);
    let other = scene.text("elsewhere/other.txt");
    let call = || ("read_text_file", json!({"path": other}));
    assert_well(&[call()], &scene.session(&control, &both, &[call()]));
    refused(&scene, &aside, &both, call(), "fs.read.not-granted", &other);
}

#[test]
fn the_git_server_keeps_its_repository_and_git() {
    let scene = Scene::set();
    let git = |words: &[&str]| {
        let done = Command::new("git")
            .args(["-c", "init.defaultBranch=main"])
            .args(words)
            .current_dir(scene.at("project"))
            .env("HOME", scene.at("home"))
            .output()
            .expect("git");
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "--quiet"]);
    git(&["config", "user.name", "Vauban"]);
    git(&["config", "user.email", "vauban@caponier.invalid"]);
    fs::write(scene.at("project/wall.txt"), "stone\n").expect("wall");
    let repository = scene.text("project");
    let calls = |message: &str| {
        vec![
            ("git_status", json!({"repo_path": repository})),
            ("git_add", json!({"repo_path": repository, "files": ["wall.txt"]})),
            ("git_commit", json!({"repo_path": repository, "message": message})),
            ("git_log", json!({"repo_path": repository})),
        ]
    };
    let server: Vec<OsString> = [
        peers::python_of_servers().with_file_name("mcp-server-git").into_os_string(),
        "--repository".into(),
        repository.clone().into(),
    ]
    .into();
    let watched = calls("watched");
    assert_well(
        &watched,
        &scene.session(&["--env", "dev", "--observe", "--name", "watched"], &server, &watched),
    );
    let file = scene.learn_into("watched", "learned.toml").into_os_string().into_string().expect("UTF-8");
    fs::write(scene.at("project/wall.txt"), "stone\nbrick\n").expect("wall");
    let held = calls("held");
    assert_well(&held, &scene.session(&["--name", "held", "--profile", &file], &server, &held));
    let text = fs::read_to_string(&file).expect("profile");
    assert_eq!(scene.denied("held"), Vec::<Value>::new(), "{text}");
    assert!(text.contains("extends = [\"runtime/python\"]") && text.contains("executed by"), "{text}");

    // The server checks paths itself: the attack is the server started on another repository.
    git(&["clone", "--quiet", ".", &scene.text("elsewhere/clone")]);
    let other = scene.text("elsewhere/clone");
    let elsewhere = [server[0].clone(), "--repository".into(), other.clone().into()];
    let call = || ("git_status", json!({"repo_path": other}));
    assert_well(
        &[call()],
        &scene.session(&["--env", "dev", "--observe", "--name", "control"], &elsewhere, &[call()]),
    );
    let fixed = text.replace("${server.args[1]}", &repository);
    assert_ne!(fixed, text);
    let fixed_file = scene.text("fixed.toml");
    fs::write(&fixed_file, fixed).expect("profile");
    assert_eq!(
        scene.start(&["--name", "attacked", "--profile", &fixed_file], &elsewhere),
        None,
        "it has no repository"
    );
    let denied = scene.denied("attacked");
    assert!(
        denied.iter().any(|event| event["path"].as_str().is_some_and(|path| path.starts_with(&other))),
        "{denied:#?}"
    );
}

#[test]
fn the_memory_server_keeps_its_home() {
    let scene = Scene::set();
    let entity = json!({"name": "caponier", "entityType": "work", "observations": ["covered"]});
    let calls = [("create_entities", json!({"entities": [entity]})), ("read_graph", json!({}))];
    let server = npm("memory", &[]);
    let file = learned(&scene, &["--profile", "memory"], &server, &calls);
    let text = fs::read_to_string(&file).expect("profile");
    assert!(text.contains("home = \"private\"") && text.contains("MEMORY_FILE_PATH"), "{text}");
    assert!(!text.contains("[filesystem]"), "{text}");
}
