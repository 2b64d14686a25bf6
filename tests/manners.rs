//! Terminal manners, of every command: errors say what, where and what to do, and leave by the right status; reports have a
//! `--json` with a version; colours are for terminals, and not for those who want none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pen::ground::Ground;
use pen::launch::{self, Finished};
use pen::program::require;
use pen::{log, plain_profile, words};
use serde_json::Value;

/// Commands that do something, each by its words.
fn commands() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        let shown: Vec<_> = command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
        if shown.is_empty() {
            found.push(words.to_vec());
        }
        for one in shown {
            below(one, &[words, &[one.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    below(&caponier::cli::command(), &[], &mut found);
    assert!(found.len() > 20, "{found:?}");
    found
}

fn say<S: AsRef<OsStr>>(ground: &Ground, words: &[S]) -> Finished {
    let mut command = launch::caponier(ground);
    command.args(words);
    launch::start(command).finish()
}

/// A ground with one session in the usual place of the log, in which something was refused: its name, and that of a refusal.
fn recorded() -> (Ground, String, String) {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "");
    let mut command = launch::caponier(&ground);
    command.arg("run").args(["--name", "attack", "--profile"]).arg(profile).arg("--");
    command.args(words("server", &["mark", &ground.text("outside/victim.txt")]));
    let finished = launch::start(command).finish();
    let events = log::events(&ground.path("user/state/caponier/audit"));
    let denial = log::of(&events, "file.access").find(|event| event["verdict"] == "deny");
    let denial = denial.unwrap_or_else(|| panic!("nothing was refused: {finished:?} {events:#?}"));
    let session = denial["session"].as_str().unwrap().to_owned();
    let event = format!("{session}:{}", denial["seq"]);
    (ground, session, event)
}

#[test]
fn a_wrong_command_line_is_64_and_says_so_on_stderr() {
    let ground = Ground::new();
    let nothing: Vec<String> = Vec::new();
    let mut wrong: Vec<Vec<String>> = commands();
    for words in &mut wrong {
        words.push("--no-such-option".into());
    }
    wrong.extend([
        nothing,
        vec!["no-such-command".into()],
        vec!["audit".into()],
        vec!["audit".into(), "no".into()],
    ]);
    for words in wrong {
        let finished = say(&ground, &words);
        assert_eq!(finished.code(), Some(64), "{words:?}: {finished:?}");
        assert!(finished.stdout.is_empty(), "{words:?}: {finished:?}");
        let hints = finished.stderr.contains("--help") || finished.stderr.contains("Usage:");
        assert!(hints, "{words:?}: {}", finished.stderr);
    }
}

/// `error: what`, and either `help:` with what to do or a message that says it itself.
fn explains(finished: &Finished, what: &str) {
    assert!(finished.stderr.lines().any(|line| line.starts_with("error: ")), "{finished:?}");
    assert!(finished.stderr.contains(what), "no {what:?} in {finished:?}");
    assert!(finished.stderr.contains("help: "), "it does not say what to do: {finished:?}");
    assert!(finished.stdout.is_empty(), "{finished:?}");
}

#[test]
fn an_error_says_what_where_and_what_to_do() {
    let (ground, session, _) = recorded();
    let typo = ground.profile("version = 1\n[filesystem]\nraed = []\n");
    let typo = typo.to_str().unwrap();
    let page = ground.text("no/such/page.html");
    for (words, status, what) in [
        (&["run", "--profile", typo, "--", "/bin/true"][..], 78, ":3:1"),
        (&["run", "--profile", "nosuch", "--", "/bin/true"], 78, "`nosuch`"),
        (&["run", "--observe", "--", "/bin/true"], 78, "--observe"),
        (&["run", "--", "/no/such/program"], 127, "/no/such/program"),
        (&["run", "--", "/bin/sh", "-c", "true"], 126, "/bin/sh"),
        (&["profile", "show", "nosuch"], 78, "`nosuch`"),
        (&["profile", "check", typo], 78, ":3:1"),
        (&["profile", "why", "--profile", typo, "--read", "/x"], 78, ":3:1"),
        (&["audit", "timeline", "--session", "0000"], 1, "0000"),
        (&["audit", "explain", "0000:1"], 1, "0000"),
        (&["audit", "explain", &format!("{session}:999999")], 1, "999999"),
        (&["audit", "diff", "0000", &session], 1, "0000"),
        (&["audit", "replay", "--profile", "base", "--session", "0000"], 1, "0000"),
        (&["audit", "replay", "--profile", typo, "--session", &session], 78, ":3:1"),
        (&["audit", "query", "--audit-dir", "/no/such/log"], 1, "/no/such/log"),
        (&["audit", "tail", "--audit-dir", "/no/such/log"], 1, "/no/such/log"),
        (&["audit", "verify", "--audit-dir", "/no/such/log"], 1, "/no/such/log"),
        (&["audit", "prune", "--older-than", "1d", "--audit-dir", "/no/such/log"], 1, "/no/such/log"),
        (&["audit", "report", "--html", &page], 1, "page.html"),
        (&["ps", "--audit-dir", "/no/such/log"], 1, "/no/such/log"),
        (&["learn", "--session", "0000"], 1, "in the log"),
        (&["learn", "--server", "nosuch"], 1, "in the log"),
        (&["run", "npx", "-y", "x"], 64, "caponier run [OPTIONS] -- npx"),
        (&["npx", "-y", "x"], 64, "caponier run -- npx"),
        (&["run", "--", "node server.js /home/me"], 127, "one word with blanks"),
        (&["run", "--", "/bin/true now"], 127, "one word with blanks"),
        (&["run", "--workspace", "/no/such/place", "--", "/bin/true"], 78, "/no/such/place"),
        (&["server", "diff", "nosuch"], 78, "nosuch"),
        (&["server", "approve", "nosuch"], 78, "nosuch"),
    ] {
        let finished = say(&ground, words);
        assert_eq!(finished.code(), Some(status), "{words:?}: {finished:?}");
        explains(&finished, what);
    }
}

/// What is no text is named, where text is needed; a path need not be any.
#[test]
fn what_is_no_text_is_named_and_a_path_need_not_be_any() {
    let ground = Ground::new();
    let odd = OsStr::from_bytes(b"b\xffd");
    let finished =
        say(&ground, &[OsStr::new("run"), OsStr::new("--name"), odd, OsStr::new("--"), OsStr::new("x")]);
    assert_eq!(finished.code(), Some(64), "{finished:?}");
    explains(&finished, "b\u{fffd}d");
    let folder = ground.path("workspace").join(odd);
    std::fs::create_dir(&folder).unwrap();
    let read = [OsStr::new("run"), OsStr::new("--read"), folder.as_os_str(), OsStr::new("--")];
    let listed = [OsStr::new("/bin/ls"), OsStr::new("-d"), folder.as_os_str()];
    let finished = say(&ground, &[&read[..], &listed[..]].concat());
    assert_eq!(finished.code(), Some(0), "{finished:?}");
}

/// A home that cannot be written: nothing is started, and every command that needs one says which folder.
#[test]
fn a_home_that_cannot_be_written_is_told() {
    let ground = Ground::new();
    // There no folder can be made, by root neither.
    let file = Path::new("/proc/no-such-home");
    for words in [
        &["run", "--", "/bin/true"][..],
        &["run", "--", "npx", "-y", "@modelcontextprotocol/server-memory"],
        &["server", "add", "npm:@modelcontextprotocol/server-memory"],
        &["doctor", "--prove", "--profile", "base"],
    ] {
        let mut command = launch::caponier(&ground);
        command.args(words).env("XDG_DATA_HOME", file).env("XDG_STATE_HOME", file);
        let finished = launch::start(command).finish();
        assert_eq!(finished.code(), Some(125), "{words:?}: {finished:?}");
        explains(&finished, file.to_str().unwrap());
        assert!(finished.stderr.contains("XDG_STATE_HOME"), "{finished:?}");
    }
}

/// Nothing to tell yet is said, not shown as an error of the system's.
#[test]
fn an_empty_home_is_told_what_is_not_there_yet() {
    let ground = Ground::new();
    for (words, status, what) in [
        (&["audit", "query"][..], 1, "error: there is no log in "),
        (&["audit", "verify"], 1, "error: there is no log in "),
        (&["ps"], 0, "caponier: no session runs"),
        (&["client", "list"], 0, "caponier: no configuration of a client"),
        (&["client", "wrap"], 0, "caponier: no configuration of a client"),
    ] {
        let finished = say(&ground, words);
        assert_eq!(finished.code(), Some(status), "{words:?}: {finished:?}");
        assert!(finished.stderr.starts_with(what) && !finished.stderr.contains("os error"), "{finished:?}");
    }
}

/// What `explain` and the README say to do works in a home where nothing was done yet.
#[test]
fn the_first_profile_of_ones_own_has_a_folder_to_be_in() {
    let (ground, session, event) = recorded();
    let explained = say(&ground, &["audit", "explain", &event]);
    let text = String::from_utf8(explained.stdout).unwrap();
    // The profile of the session is a file of its own: the line goes there.
    assert!(text.contains(&format!("in {}", ground.text("profile.toml"))), "{text}");
    assert!(text.contains("before the --: --write "), "{text}");
    let folder = ground.path("user/config/caponier/profiles");
    std::fs::remove_dir(&folder).unwrap();
    let file = folder.join("mine.toml");
    let learnt = say(&ground, &["learn", "--session", &session, "--output", file.to_str().unwrap()]);
    assert_eq!(learnt.code(), Some(0), "{learnt:?}");
    let listed = say(&ground, &["profile", "list"]);
    assert!(String::from_utf8(listed.stdout).unwrap().lines().any(|line| line.starts_with("mine ")));
    let elsewhere =
        say(&ground, &["learn", "--session", &session, "--output", &ground.text("no/such/mine.toml")]);
    assert_eq!(elsewhere.code(), Some(1), "{elsewhere:?}");
    explains(&elsewhere, "no/such");
}

/// A profile that came with the program has no file to edit: the line goes into one that takes its place.
#[test]
fn a_line_for_a_shipped_profile_goes_into_a_file_of_ones_own() {
    let ground = Ground::new();
    let folder = ground.path("workspace/data");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.txt"), "a").unwrap();
    let read = || {
        let mut command = launch::caponier(&ground);
        command.args([
            "run",
            "--name",
            "reader",
            "--profile",
            "base",
            "--exec",
            "/bin/cat",
            "--",
            "/bin/cat",
        ]);
        command.arg(folder.join("a.txt"));
        launch::start(command).finish()
    };
    assert_eq!(read().code(), Some(1));
    let events = log::events(&ground.path("user/state/caponier/audit"));
    let denied =
        log::of(&events, "file.access").find(|event| event["reason"] == "fs.read.not-granted").unwrap();
    let id = format!("{}:{}", denied["session"].as_str().unwrap(), denied["seq"]);
    let explained = say(&ground, &["audit", "explain", &id]);
    let text = String::from_utf8(explained.stdout).unwrap();
    let file = ground.path("user/config/caponier/profiles/base.toml");
    let mut lines = text.lines().skip_while(|line| {
        !line.contains(&format!("in {}, for every server under this profile;", file.display()))
    });
    assert!(lines.next().is_some(), "{text}");
    let profile: Vec<&str> = lines.take(3).map(str::trim).collect();
    assert_eq!(profile[..2], ["version = 1", "extends = [\"base\"]"], "{text}");
    // As a newcomer does it.
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, profile.join("\n")).unwrap();
    let finished = read();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    let explained = String::from_utf8(say(&ground, &["audit", "explain", &id]).stdout).unwrap();
    assert!(
        explained.contains("the profile allows it by now") && !explained.contains("remedy"),
        "{explained}"
    );
}

/// A reader that has seen enough, as `head` has: no error, and no word about it.
#[test]
fn a_reader_that_went_away_is_no_error() {
    let (ground, session, event) = recorded();
    let asked: &[&[&str]] = &[
        &["audit", "query"],
        &["audit", "query", "--json"],
        &["audit", "query", "--jsonl"],
        &["audit", "query", "--group-by", "event"],
        &["audit", "timeline", "--session", &session, "--all"],
        &["audit", "explain", &event],
        &["audit", "tail"],
        &["audit", "verify"],
        &["audit", "export", "--format", "csv"],
        &["audit", "diff", &session, &session],
        &["audit", "replay", "--profile", "base", "--session", &session],
        &["client", "list"],
        &["client", "wrap"],
        &["completions", "bash"],
        &["doctor"],
        &["doctor", "--prove"],
        &["client", "list"],
        &["server", "list"],
        &["approve", "--list"],
        &["profile", "diff", "--profile", "git", "dev", "prod"],
        &["learn", "--session", &session],
        &["profile", "list"],
        &["profile", "show", "base"],
        &["profile", "schema"],
        &["ps", "--json"],
        &["server", "list"],
        &["--help"],
        &["run", "--help"],
        &["--version"],
    ];
    for words in asked {
        let whole = say(&ground, words);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = launch::caponier(&ground);
        let done = command.args(*words).stdin(Stdio::null()).stdout(writer).output().unwrap();
        // A verification that nobody heard the end of is none.
        let status = if words[..] == ["audit", "verify"] { Some(1) } else { whole.code() };
        assert_eq!(done.status.code(), status, "{words:?}: {done:?}");
        // What it said besides, it says again; and nothing of a pipe.
        assert_eq!(String::from_utf8_lossy(&done.stderr), whole.stderr, "{words:?}");
    }
}

/// Nothing of a hostile name reaches the terminal as it is.
/// A report that did not get out is never a success, and never silent.
#[test]
fn a_full_disk_is_told() {
    let (ground, session, event) = recorded();
    let reports: &[&[&str]] = &[
        &["--help"],
        &["run", "--help"],
        &["--version"],
        &["completions", "bash"],
        &["profile", "list"],
        &["profile", "schema"],
        &["profile", "show", "base"],
        &["profile", "why", "--profile", "base", "--tool", "x"],
        &["doctor"],
        &["doctor", "--prove"],
        &["server", "list"],
        &["client", "list", "--json"],
        &["approve", "--list", "--json"],
        &["ps", "--json"],
        &["learn", "--session", &session],
        &["audit", "query"],
        &["audit", "query", "--json"],
        &["audit", "timeline", "--session", &session],
        &["audit", "explain", &event],
        &["audit", "tail"],
        &["audit", "verify"],
        &["audit", "export", "--format", "csv"],
        &["audit", "prune", "--older-than", "30d", "--dry-run"],
        &["demo", "--json"],
    ];
    for words in reports {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = launch::caponier(&ground);
        let output =
            command.args(*words).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains("error: ") && said.contains("No space left"), "{words:?}: {said}");
    }
}

#[test]
fn an_error_shows_hostile_names_escaped() {
    let (ground, _, _) = recorded();
    let hostile = "x\u{1b}[2J\u{202e}y";
    for words in [
        &["run", "--profile", hostile, "--", "/bin/true"][..],
        &["run", "--", hostile],
        &["profile", "show", hostile],
        &["server", "diff", hostile],
        &["audit", "timeline", "--session", hostile],
        &["audit", "query", "--audit-dir", hostile],
    ] {
        let finished = say(&ground, words);
        assert_ne!(finished.code(), Some(0), "{words:?}");
        let shown = finished.stderr.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
        assert_eq!(shown, None, "{words:?}: {:?}", finished.stderr);
        assert!(finished.stderr.contains("[2J\\u{202e}y"), "{words:?}: {:?}", finished.stderr);
    }
}

/// A folder that is gone is no place to start from.
#[test]
fn a_folder_that_is_gone_is_told() {
    let ground = Ground::new();
    let gone = ground.path("workspace/gone");
    std::fs::create_dir(&gone).unwrap();
    let mut command = launch::at_home(Command::new("/bin/sh"), &ground);
    command
        .arg("-c")
        .arg("rmdir ../gone && exec \"$0\" profile list")
        .arg(launch::binary())
        .current_dir(&gone);
    let finished = launch::start(command).finish();
    assert_eq!(finished.code(), Some(78), "{finished:?}");
    explains(&finished, "folder");
}

/// Where the log or servers' folders cannot be made nothing can be run: the doctor says so, by what `run` then does.
#[test]
fn the_doctor_says_which_folder_cannot_be_written() {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "");
    std::fs::create_dir_all(ground.path("user/taken/caponier")).unwrap();
    for taken in ["user/taken/caponier/audit", "user/taken/caponier/tmp"] {
        std::fs::write(ground.path(taken), "").unwrap();
    }
    for closed in ["user/closed", "user/open"] {
        std::fs::create_dir(ground.path(closed)).unwrap();
    }
    std::fs::create_dir_all(ground.path("user/shared/caponier/audit")).unwrap();
    for (folder, mode) in [("user/closed", 0o555), ("user/shared/caponier/audit", 0o777)] {
        std::fs::set_permissions(ground.path(folder), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let file = "user/taken";
    for (state, data, whose) in [
        ("user/state", "user/data", None),
        ("user/open/not/yet", "user/open/there", None),
        (file, "user/data", Some("missing the log ")),
        ("user/state", file, Some("missing servers' own folders ")),
        // The owner of a folder has its bits to keep to as well, root among them: a run gives its capabilities up.
        ("user/closed", "user/data", Some("missing the log ")),
        ("user/state", "user/closed/deep/er", Some("missing servers' own folders ")),
        ("user/shared", "user/data", Some("missing the log ")),
    ] {
        let at = |words: &[&str]| {
            let mut command = launch::caponier(&ground);
            command.env("XDG_STATE_HOME", ground.path(state)).env("XDG_DATA_HOME", ground.path(data));
            launch::start({
                command.args(words);
                command
            })
            .finish()
        };
        let case = format!("{state} {data}");
        let good = whose.is_none();
        let told = at(&["doctor"]);
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        assert_eq!(told.code(), Some(i32::from(!good)), "{case}: {told:?}");
        assert!(text.contains(if good { "yes  folders " } else { "no   folders " }), "{case}: {text}");
        let missing = text.lines().find(|line| whose.is_some_and(|whose| line.starts_with(whose)));
        if let Some(whose) = whose {
            let (path, way) =
                if whose.contains("log") { (state, "--audit-dir") } else { (data, "XDG_DATA_HOME") };
            let missing = missing.unwrap_or_else(|| panic!("{case}: {text}"));
            assert!(missing.contains(&ground.text(path)) && missing.contains(way), "{case}: {missing}");
            assert!(text.contains("no   run          nothing can be run here"), "{case}: {text}");
        }
        let told = at(&["doctor", "--json", "--profile", "base"]);
        let report: Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!(
            (&report["can_run"], &report["profile"]["can_run"]),
            (&good.into(), &good.into()),
            "{case}"
        );
        assert!(
            !ground.path("user/open/not").exists() || state != "user/open/not/yet",
            "looking makes nothing"
        );
        let program = words("server", &["mark", "/nowhere"]);
        let mut run = vec!["run", "--profile", profile.to_str().unwrap(), "--"];
        run.extend(program.iter().map(String::as_str));
        let ran = at(&run);
        // 78 where a file is in a folder's place: no grant can be checked then.
        assert_eq!(matches!(ran.code(), Some(78 | 125)), !good, "{case}: {ran:?}");
    }
}

/// One object that names its version, and nothing beside it.
#[test]
fn every_report_has_a_json_with_its_version() {
    let (ground, session, event) = recorded();
    let asked: &[&[&str]] = &[
        &["audit", "query", "--denied"],
        &["audit", "query", "--group-by", "reason"],
        &["audit", "timeline", "--session", &session],
        &["audit", "explain", &event],
        &["audit", "replay", "--profile", "base", "--session", &session],
        &["audit", "diff", &session, &session],
        &["audit", "tail"],
        &["audit", "verify"],
        &["audit", "prune", "--older-than", "30d", "--dry-run"],
        &["doctor"],
        &["learn", "--session", &session],
        &["profile", "list"],
        &["profile", "show", "base"],
        &["profile", "check", "base"],
        &["profile", "why", "--profile", "base", "--read", "/etc/passwd"],
        &["ps"],
    ];
    for words in asked {
        let finished = say(&ground, &[words, &["--json"][..]].concat());
        let text = String::from_utf8(finished.stdout.clone()).unwrap();
        let report: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error}: {finished:?}"));
        assert_eq!(report["v"], 1, "{words:?}: {text}");
        assert!(text.ends_with("}\n") && !text.contains('\u{1b}'), "{words:?}: {text:?}");
        assert_eq!(finished.stderr, "", "{words:?}");
    }
}

/// One thing is told of in the singular, wherever things are counted.
#[test]
fn one_is_not_many() {
    let (ground, session, event) = recorded();
    let page = ground.text("page.html");
    std::fs::write(ground.path("workspace/.env"), "").unwrap();
    let typo = ground.profile("version = 1\nextends = [\"base\"]\n");
    let typo = typo.to_str().unwrap();
    for (words, singular) in [
        (&["audit", "verify"][..], ": 1 session ("),
        (&["audit", "report", "--html", &page], ", 1 session\n"),
        (&["audit", "prune", "--older-than", "0s", "--dry-run"], "1 session would be removed ("),
        (&["audit", "timeline", "--session", &session], ", 1 refusal\n"),
        (&["audit", "timeline", "--session", &session, "--all"], ", 1 refusal\n"),
        (&["audit", "explain", &event], ""),
        (&["audit", "query"], ""),
        (&["learn", "--session", &session], "from 1 session of"),
        (&["profile", "check", typo], ""),
    ] {
        let finished = say(&ground, words);
        let text = format!("{}{}", String::from_utf8_lossy(&finished.stdout), finished.stderr);
        assert!(text.contains(singular), "{words:?}: no {singular:?} in {text}");
        let told: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        for pair in told.windows(2) {
            let counts =
                ["sessions", "lines", "events", "calls", "refusals", "files", "folders", "accesses", "bytes"];
            assert!(pair[0] != "1" || !counts.contains(&pair[1]), "{words:?}: {pair:?} in {text}");
        }
    }
}

/// What a command prints on a terminal (script(1) makes one).
fn on_a_terminal(ground: &Ground, words: &[&str], no_color: Option<&str>) -> String {
    on_a(ground, words, "xterm", no_color)
}

/// The same for a terminal of this kind.
fn on_a(ground: &Ground, words: &[&str], terminal: &str, no_color: Option<&str>) -> String {
    require("script");
    let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}", launch::binary().display(), line.join(" "));
    let mut command = launch::at_home(Command::new("script"), ground);
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env("TERM", terminal).env("SHELL", "/bin/sh");
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    let finished = launch::start(command).finish();
    String::from_utf8_lossy(&finished.stdout).into_owned()
}

#[test]
fn colours_are_for_terminals_and_not_for_those_who_want_none() {
    let (ground, session, event) = recorded();
    let typo = ground.profile("version = 1\n[filesystem]\nraed = []\n");
    let asked: &[&[&str]] = &[
        &["audit", "query", "--denied"],
        &["audit", "timeline", "--session", &session],
        &["audit", "explain", &event],
        &["audit", "tail", "-n", "100"],
        &["audit", "diff", &session, &session],
        &["doctor"],
        &["profile", "check", typo.to_str().unwrap()],
        &["profile", "why", "--profile", "base", "--read", "/no"],
        &["run", "--profile", "nosuch", "--", "/bin/true"],
    ];
    for words in asked {
        let coloured = on_a_terminal(&ground, words, None);
        assert!(coloured.contains("\u{1b}["), "{words:?}: no colour at a terminal: {coloured:?}");
        // An empty NO_COLOR is none (no-color.org).
        assert!(on_a_terminal(&ground, words, Some("")).contains("\u{1b}["), "{words:?}: NO_COLOR is empty");
        let plain = on_a_terminal(&ground, words, Some("1"));
        assert!(!plain.contains('\u{1b}'), "{words:?}: {plain:?}");
        let dumb = on_a(&ground, words, "dumb", None);
        assert!(!dumb.contains('\u{1b}') && !dumb.is_empty(), "{words:?}: {dumb:?}");
        let piped = say(&ground, words);
        let piped = format!("{}{}", String::from_utf8_lossy(&piped.stdout), piped.stderr);
        assert!(!piped.contains('\u{1b}') && !piped.is_empty(), "{words:?}: {piped:?}");
    }
}
