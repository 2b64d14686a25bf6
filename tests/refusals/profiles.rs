//! Profiles that are not applied: 78, before anything is started.

use std::fs;
use std::os::unix::fs::symlink;

use crate::pen::ground::Ground;
use crate::pen::{launch, plain_profile};
use crate::{assert_refused, assert_starts, marking, run};

const CONFIGURATION: i32 = 78;

/// A profile that starts, with one line changed.
fn with_filesystem(ground: &Ground, read: &[&str], write: &[&str], execute: &[&str]) -> std::path::PathBuf {
    let workspace = ground.text("workspace");
    let write: Vec<&str> = write.iter().copied().chain([workspace.as_str()]).collect();
    ground.profile(&format!(
        "version = 1\n[filesystem]\nread = {read:?}\nwrite = {write:?}\n[process]\nexecute = {execute:?}\n"
    ))
}

fn refused(ground: &Ground, profile: &std::path::Path, said: &[&str]) {
    let finished = assert_refused(ground, run(ground, profile), CONFIGURATION, said);
    assert!(finished.stderr.contains("profile.toml"), "the file is not named: {finished:?}");
}

#[test]
fn an_unknown_key_names_its_place_and_its_neighbour() {
    let ground = Ground::new();
    let workspace = ground.text("workspace");
    assert_starts(&ground, &plain_profile(&ground, ""));
    let profile = ground.profile(&format!("version = 1\n[filesystem]\nwritee = [{workspace:?}]\n"));
    refused(&ground, &profile, &["writee", "profile.toml:3:1", "write"]);
}

#[test]
fn a_missing_path_is_an_error_unless_optional() {
    let ground = Ground::new();
    let missing = ground.text("reading/none");
    refused(&ground, &with_filesystem(&ground, &[&missing], &[], &[]), &[&missing]);
    let workspace = ground.text("workspace");
    assert_starts(
        &ground,
        &ground.profile(&format!(
            "version = 1\n[filesystem]\nread = [{{ path = {missing:?}, optional = true }}]\nwrite = [{workspace:?}]\n"
        )),
    );
}

#[test]
fn a_cycle_is_reported_as_the_chain() {
    let ground = Ground::new();
    fs::write(ground.path("other.toml"), "version = 1\nextends = [\"./profile.toml\"]\n").expect("other");
    let profile = ground.profile("version = 1\nextends = [\"./other.toml\"]\n");
    refused(&ground, &profile, &["other.toml"]);
    let profile = ground.profile("version = 1\nextends = [\"./profile.toml\"]\n");
    refused(&ground, &profile, &[]);
    let profile = ground.profile("version = 1\nextends = [\"no-such-base\"]\n");
    refused(&ground, &profile, &["no-such-base"]);
}

#[test]
fn an_unknown_variable_is_an_error() {
    let ground = Ground::new();
    refused(&ground, &with_filesystem(&ground, &["${no.such.variable}"], &[], &[]), &["no.such.variable"]);
}

/// Promising what nothing keeps is worse than refusing.
#[test]
fn a_key_that_nothing_enforces_is_refused() {
    let ground = Ground::new();
    for (lines, key) in [
        ("[protocol]\nserver_requests = { sampling = \"ask\" }\n", "sampling"),
        ("[audit]\ntrace_stat = true\n", "trace_stat"),
    ] {
        refused(&ground, &plain_profile(&ground, lines), &[key]);
    }
}

/// The least that the profile may say is enough to start with.
#[test]
fn too_few_open_files_are_an_error() {
    let ground = Ground::new();
    let few = plain_profile(&ground, "[limits]\nopen_files = 127\n");
    refused(&ground, &few, &["open_files", "from 128 up", "nothing can be started"]);
    assert_starts(&ground, &plain_profile(&ground, "[limits]\nopen_files = 128\n"));
}

/// Any access: our own folders, secrets, client files, and what lies above them.
#[test]
fn what_no_server_gets_is_refused_for_reading() {
    let ground = Ground::new();
    let home = |file: &str| format!("user/home/{file}");
    let folders = [
        ".ssh",
        ".aws",
        ".gnupg",
        ".kube",
        ".config/gcloud",
        ".mozilla",
        ".config/google-chrome",
        ".config/chromium",
        ".local/share/keyrings",
    ];
    let files = [".claude.json", ".cursor/mcp.json", ".config/Claude/claude_desktop_config.json"];
    for folder in folders {
        fs::create_dir_all(ground.path(&home(folder))).expect(folder);
    }
    for file in files {
        let path = ground.path(&home(file));
        fs::create_dir_all(path.parent().expect("parent")).expect(file);
        fs::write(path, "{}").expect(file);
    }
    fs::create_dir_all(ground.path("user/state/caponier")).expect("state");
    fs::create_dir_all(ground.path("user/data/caponier")).expect("data");
    fs::create_dir_all(ground.path("user/runtime/caponier")).expect("runtime");
    let ours = [
        "audit",
        "user/config/caponier",
        "user/state/caponier",
        "user/data/caponier",
        "user/runtime/caponier",
    ];
    let above = ["", "user", "user/home", "user/config"];
    let mut all: Vec<String> = ours.iter().chain(&above).map(|place| ground.text(place)).collect();
    all.extend(folders.iter().chain(&files).map(|place| ground.text(&home(place))));
    all.push("/".to_owned());
    for place in all {
        let profile = with_filesystem(&ground, &[&place], &[], &[]);
        let finished = assert_refused(&ground, run(&ground, &profile), CONFIGURATION, &[&place]);
        assert!(
            !finished.stderr.contains("does not exist"),
            "refused for another reason: {}",
            finished.stderr
        );
        // The flag is no way around the profile.
        let mut flag = launch::caponier(&ground);
        let plain = plain_profile(&ground, "");
        let audit = ground.text("audit");
        flag.args([
            "run",
            "--profile",
            plain.to_str().expect("UTF-8"),
            "--audit-dir",
            &audit,
            "--read",
            &place,
            "--",
        ]);
        flag.args(marking(&ground));
        assert_refused(&ground, flag, CONFIGURATION, &[]);
    }
    // What lies beside them is granted as ever.
    let beside = ground.path(&home("notes"));
    fs::create_dir(&beside).expect("notes");
    assert_starts(&ground, &with_filesystem(&ground, &[beside.to_str().expect("UTF-8")], &[], &[]));
}

#[test]
fn what_is_never_written_is_refused_for_writing() {
    let ground = Ground::new();
    let binary = launch::binary();
    let folder = binary.parent().expect("folder").to_str().expect("UTF-8").to_owned();
    let binary = binary.to_str().expect("UTF-8").to_owned();
    for place in ["/proc", "/sys", "/dev", "/etc", "/usr", "/run", "/tmp", &binary, &folder] {
        let profile = with_filesystem(&ground, &[], &[place], &[]);
        let finished = assert_refused(&ground, run(&ground, &profile), CONFIGURATION, &[place]);
        assert!(
            !finished.stderr.contains("does not exist"),
            "refused for another reason: {}",
            finished.stderr
        );
    }
    // A folder in the shared one is another thing than the shared one.
    let inside = tempfile::tempdir_in("/tmp").expect("folder");
    assert_starts(&ground, &with_filesystem(&ground, &[], &[inside.path().to_str().expect("UTF-8")], &[]));
}

#[test]
fn writable_is_never_executable() {
    let ground = Ground::new();
    let (folder, program) = (ground.text("workspace/sub"), ground.text("workspace/sub/tool"));
    fs::copy(ground.path("outside/tool"), &program).expect("tool");
    // The execute grant lies in the write grant, and the other way round.
    refused(&ground, &with_filesystem(&ground, &[], &[], &[&program]), &[&program]);
    refused(&ground, &with_filesystem(&ground, &[], &[], &[&folder]), &[&folder]);
    let (outer, inner) = (ground.text("reading"), ground.text("reading/inner"));
    fs::create_dir(&inner).expect("inner");
    refused(&ground, &with_filesystem(&ground, &[], &[&inner], &[&outer]), &[&inner]);
    // By inode, not by name.
    symlink(ground.path("workspace/sub"), ground.path("alias")).expect("alias");
    refused(&ground, &with_filesystem(&ground, &[], &[], &[&ground.text("alias/tool")]), &[]);
    assert_starts(&ground, &with_filesystem(&ground, &[], &[], &[&ground.text("outside/tool")]));
}

/// Desktop clients start servers in `/`: the workspace must not become everything.
#[test]
fn a_workspace_that_is_everything_is_refused() {
    let ground = Ground::new();
    let profile = ground.profile("version = 1\n[filesystem]\nwrite = [\"${workspace}\"]\n");
    assert_starts(&ground, &profile);
    for place in ["/", &ground.text("user/home"), &ground.text("user")] {
        let mut command = run(&ground, &profile);
        command.current_dir(place);
        assert_refused(&ground, command, CONFIGURATION, &["workspace", "--workspace"]);
    }
}

/// A22: what an earlier run planted in its workspace leads nowhere.
#[test]
fn a22_a_planted_symlink_is_not_followed() {
    let ground = Ground::new();
    symlink(ground.path("outside"), ground.path("workspace/later")).expect("later");
    symlink("/", ground.path("workspace/data")).expect("data");
    symlink(ground.path("user/home"), ground.path("workspace/home")).expect("home");
    for place in ["workspace/later", "workspace/later/secret.txt", "workspace/data", "workspace/home"] {
        let profile = with_filesystem(&ground, &[&ground.text(place)], &[], &[]);
        assert_refused(&ground, run(&ground, &profile), CONFIGURATION, &[place]);
    }
}

#[test]
fn a_locked_down_environment_refuses_loosening() {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "[audit]\non_failure = \"continue\"\n");
    refused(&ground, &profile, &["on_failure"]);
    let mut observed = launch::caponier(&ground);
    observed.args(["run", "--observe", "--audit-dir", &ground.text("audit"), "--"]).args(marking(&ground));
    let finished = launch::start(observed).finish();
    assert!(matches!(finished.code(), Some(64 | 78)), "--observe under prod: {finished:?}");
    assert!(!ground.path(crate::MARK).exists());
}
