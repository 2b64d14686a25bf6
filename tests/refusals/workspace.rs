//! A workspace's own file and a lock, from outside: what they refuse is 78, and nothing is started.

use std::fs;
use std::process::Command;

use crate::pen::ground::Ground;
use crate::pen::launch;
use crate::{assert_refused, assert_starts, marking, run};

const CONFIGURATION: i32 = 78;

/// A profile that may write the workspace.
fn profile(ground: &Ground) -> std::path::PathBuf {
    let workspace = ground.text("workspace");
    ground.profile(&format!("version = 1\n[filesystem]\nwrite = [{workspace:?}]\n"))
}

fn says(ground: &Ground, body: &str) {
    fs::write(ground.path("workspace/.caponier.toml"), format!("version = 1\n{body}")).expect("file");
}

/// `caponier profile WORDS`, which must succeed.
fn decide(ground: &Ground, words: &[&str]) {
    let mut command = launch::caponier(ground);
    let finished = launch::start({
        command.arg("profile").args(words);
        command
    })
    .finish();
    assert_eq!(finished.code(), Some(0), "{words:?}: {finished:?}");
}

fn start_of_session(ground: &Ground) -> serde_json::Value {
    let mut query = launch::caponier(ground);
    query.args([
        "audit",
        "query",
        "--jsonl",
        "--event",
        "session.start",
        "--audit-dir",
        &ground.text("audit"),
    ]);
    let text = String::from_utf8(launch::start(query).finish().stdout).expect("UTF-8");
    serde_json::from_str(text.lines().last().expect("a session")).expect("JSON")
}

#[test]
fn a_repository_that_widens_is_refused_and_one_that_narrows_is_on_record() {
    let ground = Ground::new();
    let profile = profile(&ground);
    assert_starts(&ground, &profile);
    says(&ground, &format!("[filesystem]\nread = [{:?}]\n", ground.text("outside")));
    assert_refused(&ground, run(&ground, &profile), CONFIGURATION, &[".caponier.toml:3:9", "profile trust"]);
    says(&ground, "[network]\nallow = [\"example.com:443\"]\n");
    assert_refused(&ground, run(&ground, &profile), CONFIGURATION, &["network.allow", "example.com:443"]);

    says(&ground, "[tools]\ndeny = [\"write_*\"]\n");
    assert_starts(&ground, &profile);
    let start = start_of_session(&ground);
    assert_eq!(start["repository"]["approved"], false, "{start}");
    assert_eq!(start["repository"]["sha256"].as_str().map(str::len), Some(64), "{start}");

    // Narrowed to a folder beside its mark, the server cannot leave it.
    says(&ground, &format!("[filesystem]\nwrite = [{:?}]\n", ground.text("workspace/sub")));
    let finished = launch::start(launch::run(&ground, &profile, &marking(&ground))).finish();
    assert!(!ground.path("workspace/started").exists(), "{finished:?}");
    // And the log names the file that says so: a line of the profile would not help.
    let mut query = launch::caponier(&ground);
    query.args(["audit", "query", "--jsonl", "--denied", "--audit-dir", &ground.text("audit")]);
    query.args(["--path", &ground.text("workspace/started")]);
    let text = String::from_utf8(launch::start(query).finish().stdout).expect("UTF-8");
    let event: serde_json::Value =
        serde_json::from_str(text.lines().last().expect("a refusal")).expect("JSON");
    let why = event["why_not"].as_str().unwrap_or_default();
    assert!(why.contains("/workspace/.caponier.toml:3:9") && why.contains("profile.toml:3"), "{event}");
    assert!(event["remedy"].is_null(), "{event}");
}

/// Of tools and of ports of this machine it takes away the log names that file as well.
#[test]
fn what_a_repository_takes_of_tools_and_ports_is_named_in_the_log() {
    let ground = Ground::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let profile = ground.profile(&format!(
        "version = 1\nextends = [\"runtime/python\"]\n[network]\nlocal = [\"localhost:{port}\", \"localhost:1\"]\n\
         [tools]\ndefault = \"deny\"\nallow = [\"read_*\"]\n"
    ));
    let script = format!(
        "import socket,sys\ntry: socket.create_connection(('127.0.0.1', {port}))\nexcept OSError as e: print(e, file=sys.stderr)\n\
         else: print('connected', file=sys.stderr)\nsys.stdin.read()"
    );
    let once = || {
        let mut command =
            launch::run(&ground, &profile, &["/usr/bin/python3".into(), "-c".into(), script.clone()]);
        let call = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"read_dir\",\"arguments\":{}}}\n";
        let input = ground.path("call.json");
        fs::write(&input, call).expect("a call");
        command.stdin(fs::File::open(&input).expect("a call"));
        command.output().expect("caponier")
    };
    let open = once();
    assert!(String::from_utf8_lossy(&open.stderr).contains("connected"), "{open:?}");
    says(&ground, "[network]\nlocal = [\"localhost:1\"]\n[tools]\nallow = [\"read_file\"]\n");
    let held = once();
    assert!(!String::from_utf8_lossy(&held.stderr).contains("connected"), "{held:?}");
    let mut query = launch::caponier(&ground);
    query.args(["audit", "query", "--jsonl", "--denied", "--audit-dir", &ground.text("audit")]);
    let text = String::from_utf8(launch::start(query).finish().stdout).expect("UTF-8");
    let of = |reason: &str| -> serde_json::Value {
        let mut events =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let found = events.rfind(|event| event["reason"] == reason);
        found.unwrap_or_else(|| panic!("no {reason}: {text} {held:?}"))
    };
    for (reason, by, given) in [
        ("net.address.private", ".caponier.toml:3:", "profile.toml:4:"),
        ("tool.not-listed", ".caponier.toml:5:", "profile.toml:7:"),
    ] {
        let event = of(reason);
        let why = event["why_not"].as_str().unwrap_or_default();
        assert!(why.contains(by) && why.contains(given) && event["remedy"].is_null(), "{event}");
    }
}

#[test]
fn an_approved_repository_widens_until_it_changes() {
    let ground = Ground::new();
    let profile = profile(&ground);
    says(&ground, "[network]\nallow = [\"example.com:443\"]\n");
    assert_refused(&ground, run(&ground, &profile), CONFIGURATION, &["profile trust"]);
    decide(&ground, &["trust"]);
    assert_starts(&ground, &profile);
    assert_eq!(start_of_session(&ground)["repository"]["approved"], true);
    says(&ground, "[network]\nallow = [\"example.com:443\", \"example.org:443\"]\n");
    assert_refused(&ground, run(&ground, &profile), CONFIGURATION, &["profile trust"]);
}

#[test]
fn a_planted_link_is_not_read() {
    let ground = Ground::new();
    let profile = profile(&ground);
    std::os::unix::fs::symlink(ground.path("outside/secret.txt"), ground.path("workspace/.caponier.toml"))
        .expect("link");
    let finished = assert_refused(&ground, run(&ground, &profile), CONFIGURATION, &["it is a symbolic link"]);
    assert!(!finished.stderr.contains("SECRET"), "{finished:?}");
}

#[test]
fn a_locked_profile_starts_as_it_was_approved_or_not_at_all() {
    let ground = Ground::new();
    let file = profile(&ground);
    let path = file.to_str().expect("UTF-8");
    decide(&ground, &["lock", path]);
    assert_starts(&ground, &file);
    assert_eq!(start_of_session(&ground)["locked"], true);
    let with = |flag: &str, value: &str| -> Command {
        let mut command = launch::caponier(&ground);
        command.args(["run", "--profile", path, flag, value, "--audit-dir", &ground.text("audit"), "--"]);
        command.args(marking(&ground));
        command
    };
    for (flag, value) in [
        ("--read", ground.text("reading")),
        ("--write", ground.text("reading")),
        ("--exec", "/bin/true".to_owned()),
        ("--host", "example.com:443".to_owned()),
    ] {
        assert_refused(&ground, with(flag, &value), CONFIGURATION, &["is locked", flag]);
    }
    let finished = launch::start(with("--pass-env", "LANG")).finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    fs::remove_file(ground.path("workspace/started")).expect("mark");

    let text = fs::read_to_string(&file).expect("profile");
    fs::write(&file, format!("{text}# a byte more\n")).expect("profile");
    assert_refused(
        &ground,
        run(&ground, &file),
        CONFIGURATION,
        &["was locked on", "profile.toml was changed"],
    );
    decide(&ground, &["lock", path]);
    assert_starts(&ground, &file);
}
