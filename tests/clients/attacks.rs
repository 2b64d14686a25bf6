//! Files that are not what they should be are left as they are, and nobody sees what nobody should.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use crate::fixtures::FIXTURES;
use crate::home::{Done, Home, caponier};

const CURSOR: &str = ".cursor/mcp.json";
const GOOD: &str = r#"{"mcpServers": {"a": {"command": "node", "args": ["a.js"]}}}"#;

/// Every command, in every form.
const COMMANDS: &[&[&str]] = &[
    &["list"],
    &["list", "--json"],
    &["wrap"],
    &["wrap", "--json"],
    &["wrap", "--yes"],
    &["list"],
    &["unwrap"],
    &["unwrap", "--json"],
    &["unwrap", "--yes"],
    &["wrap", "--yes", "--json"],
    &["unwrap", "--yes", "--json"],
];

/// A file that is left alone is named, with the reason, by every command, and does not keep the others from their work.
fn left_alone(prepare: impl Fn(&Home), reason: &str) {
    let home = Home::new();
    prepare(&home);
    home.write(".kiro/settings/mcp.json", GOOD);
    let is_same = || fs::read(home.path(CURSOR)).ok().filter(|bytes| bytes.len() < 1 << 20);
    let before = is_same();
    for words in COMMANDS {
        let done = home.client(words).ended(1);
        assert!(done.stderr.contains(reason) && done.stderr.contains(CURSOR), "{words:?}: {done:#?}");
        assert_eq!(is_same(), before, "{words:?}");
        if *words == ["wrap", "--yes"] {
            assert_ne!(home.text(".kiro/settings/mcp.json"), GOOD);
        }
    }
    assert_eq!(home.text(".kiro/settings/mcp.json"), GOOD);
}

#[test]
fn a_file_that_is_no_json() {
    for text in [
        "{",
        "{\"mcpServers\": {}} x",
        "{'a': 1}",
        "[1",
        "{\"mcpServers\": {\"a\": {\"command\": SecretWord}}}",
    ] {
        left_alone(|home| drop(home.write(CURSOR, text)), "not JSON");
    }
}

#[test]
fn a_file_that_is_no_toml() {
    let home = Home::new();
    for text in
        ["a = ", "[a]\nb = 1\nb = 2\n", "[mcp_servers.x]\ncommand = SecretWord\n", "x = \"SecretText\n"]
    {
        home.write(".codex/config.toml", text);
        let done = home.client(&["wrap", "--yes"]).ended(1);
        assert!(done.stderr.contains("not TOML") && !done.said().contains("Secret"), "{done:#?}");
        assert_eq!(home.text(".codex/config.toml"), text);
    }
}

#[test]
fn a_key_that_stands_twice() {
    left_alone(
        |home| drop(home.write(CURSOR, r#"{"mcpServers": {"a": {"command": "node"}}, "mcpServers": {}}"#)),
        "a second time",
    );
    left_alone(
        |home| drop(home.write(CURSOR, r#"{"mcpServers": {"a": {"command": "node", "comm\u0061nd": "x"}}}"#)),
        "a second time",
    );
}

#[test]
fn a_file_that_is_no_text() {
    left_alone(|home| drop(home.write(CURSOR, b"{\"a\": \"\xff\"}")), "not UTF-8");
    left_alone(|home| drop(home.write(CURSOR, b"\xff\xfe{\0}\0")), "not UTF-8");
}

#[test]
fn a_file_that_is_too_large() {
    let huge =
        |home: &Home| fs::File::create(home.write(CURSOR, "")).unwrap().set_len((64 << 20) + 1).unwrap();
    left_alone(huge, "larger than 64 MiB");
}

#[test]
fn a_file_that_is_nested_too_deeply() {
    left_alone(|home| drop(home.write(CURSOR, "[".repeat(100_000))), "too deeply");
}

/// A repository's file that was made to hold up whoever lists it.
#[test]
fn a_file_with_more_servers_than_anybody_has() {
    let one = |n: usize| format!("\"s{n}\": {{\"command\": \"x\", \"env\": {{\"K\": \"v{n}\"}}}}");
    let many: Vec<String> = (0..20_000).map(one).collect();
    let text = format!("{{\"mcpServers\": {{{}}}}}", many.join(","));
    left_alone(|home| drop(home.write(CURSOR, &text)), "more than 1000 servers");
}

#[test]
fn what_is_no_plain_file() {
    left_alone(|home| fs::create_dir_all(home.path(CURSOR)).unwrap(), "not a plain file");
    let pipe = |home: &Home| {
        fs::create_dir_all(home.path(".cursor")).unwrap();
        nix::unistd::mkfifo(&home.path(CURSOR), nix::sys::stat::Mode::S_IRWXU).unwrap();
        home.write("unread", "");
    };
    let home = Home::new();
    pipe(&home);
    for words in COMMANDS {
        let done = home.client(words).ended(1);
        assert!(done.stderr.contains("not a plain file"), "{done:#?}");
    }
    let device = |home: &Home| {
        fs::create_dir_all(home.path(".cursor")).unwrap();
        symlink("/dev/zero", home.path(CURSOR)).unwrap();
    };
    let home = Home::new();
    device(&home);
    let done = home.client(&["wrap", "--yes"]).ended(1);
    assert!(done.stderr.contains("not a plain file"), "{done:#?}");
}

#[test]
fn somebody_elses_file() {
    if nix::unistd::geteuid().is_root() {
        let foreign =
            |home: &Home| std::os::unix::fs::chown(home.write(CURSOR, GOOD), Some(65534), None).unwrap();
        left_alone(foreign, "belongs to user 65534");
    } else {
        let foreign = |home: &Home| {
            fs::create_dir_all(home.path(".cursor")).unwrap();
            symlink("/etc/hostname", home.path(CURSOR)).unwrap();
        };
        left_alone(foreign, "belongs to user 0");
        // Nor one that nobody may read.
        let home = Home::new();
        fs::set_permissions(home.write(CURSOR, GOOD), Permissions::from_mode(0o000)).unwrap();
        let done = home.client(&["wrap", "--yes"]).ended(1);
        assert!(done.stderr.contains("cannot read"), "{done:#?}");
    }
}

#[test]
fn a_file_with_two_names() {
    let home = Home::new();
    home.write(CURSOR, GOOD);
    fs::hard_link(home.path(CURSOR), home.path("other.json")).unwrap();
    home.client(&["list"]).ended(0);
    let done = home.client(&["wrap", "--yes"]).ended(1);
    assert!(done.stdout.contains("hard links"), "{done:#?}");
    assert_eq!((home.text(CURSOR), home.text("other.json")), (GOOD.into(), GOOD.into()));
}

/// Dotfiles that are links: the file that they lead to is changed, in its own folder, and the links stay.
#[test]
fn a_link_is_followed_and_stays() {
    let home = Home::new();
    let target = home.write("dotfiles/cursor/mcp.json", GOOD);
    fs::set_permissions(&target, Permissions::from_mode(0o604)).unwrap();
    symlink("dotfiles/cursor", home.path(".cursor")).unwrap();
    fs::create_dir_all(home.path(".kiro/settings")).unwrap();
    symlink("../../dotfiles/cursor/mcp.json", home.path(".kiro/settings/mcp.json")).unwrap();
    let listed = home.client(&["list"]).ended(0);
    assert!(listed.stderr.contains("is the same file as"), "{listed:#?}");
    home.client(&["wrap", "--yes"]).ended(0);
    assert!(home.path(".cursor").is_symlink() && home.path(".kiro/settings/mcp.json").is_symlink());
    let found = fs::metadata(&target).unwrap();
    assert_eq!((found.mode() & 0o7777, found.nlink()), (0o604, 1));
    assert!(home.text("dotfiles/cursor/mcp.json").contains("\"run\""));
    assert_eq!(fs::read_dir(home.path("dotfiles/cursor")).unwrap().count(), 1);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(home.text("dotfiles/cursor/mcp.json"), GOOD);
    // A link that leads nowhere is no file.
    let home = Home::new();
    fs::create_dir_all(home.path(".cursor")).unwrap();
    symlink("nowhere", home.path(CURSOR)).unwrap();
    home.client(&["list"]).ended(0);
}

/// The group stays, where it is not the usual one.
#[test]
fn the_group_stays() {
    let home = Home::new();
    let path = home.write(CURSOR, GOOD);
    let groups = nix::unistd::getgroups().unwrap();
    let own = nix::unistd::getegid();
    let other = match nix::unistd::geteuid().is_root() {
        true => Some(65534),
        false => groups.into_iter().find(|group| *group != own).map(nix::unistd::Gid::as_raw),
    };
    let group = other.unwrap_or(own.as_raw());
    std::os::unix::fs::chown(&path, None, Some(group)).unwrap();
    home.client(&["wrap", "--yes"]).ended(0);
    assert_eq!(fs::metadata(&path).unwrap().gid(), group);
}

/// Names that would move the cursor, turn the text round, or be taken for options.
#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let home = Home::new();
    let names = [
        "a\x1b[2J\x1b]0;x\x07",
        "b\u{202e}gnp",
        "c\nd\r",
        "e\u{200b}",
        "--yes",
        "",
        "\u{9b}31m",
        "$(x)`y`'z\"",
    ];
    let servers: serde_json::Map<String, serde_json::Value> = names
        .iter()
        .map(|name| {
            (
                (*name).to_owned(),
                serde_json::json!({"command": format!("node{name}"), "args": [name], "env": {*name: "x"}}),
            )
        })
        .collect();
    home.write(CURSOR, serde_json::json!({"mcpServers": servers}).to_string());
    home.write(".codex/config.toml", "[mcp_servers.\"a\\u001b[2J\"]\ncommand = \"x\\u009b31m\"\n");
    let before = home.read(CURSOR);
    for words in COMMANDS {
        let done = home.client(words);
        assert_eq!(done.code, Some(0), "{words:?}: {done:#?}");
        for c in done.said().chars() {
            let is_plain =
                c == '\n' || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}'));
            let in_json =
                words.contains(&"--json") && matches!(c, '\u{202e}' | '\u{200b}' | '\u{80}'..='\u{9f}');
            assert!(is_plain || in_json, "{words:?}: {c:?} in {done:#?}");
        }
    }
    assert_eq!(home.read(CURSOR), before);
}

/// Every value in the fixtures that nobody may see begins with `Secret`.
#[test]
fn no_secret_is_shown_anywhere() {
    let home = Home::new();
    for fixture in FIXTURES {
        fixture.put(&home);
    }
    let leaked = |said: &str| {
        said.find("Secret").map(|at| said[at.saturating_sub(80)..(at + 40).min(said.len())].to_owned())
    };
    for words in COMMANDS {
        let done: Done = home.client(words).ended(0);
        assert_eq!(leaked(&done.said()), None, "{words:?}");
        assert!(!done.said().contains("SecretSecret"));
    }
    // Under strace nothing else of ours has them either: what is written goes into the files, their copies and our records.
    let kept = home.kept();
    assert!(kept.iter().any(|(name, _)| name.ends_with(".backup")), "{kept:?}");
    for (name, mode) in kept {
        assert_eq!(mode, 0o600, "{name}");
        assert_eq!(leaked(&name), None);
        if !name.ends_with(".backup") {
            let text = home.text(&format!(".local/state/caponier/clients/{name}"));
            assert_eq!(leaked(&text), None, "{name}: {text}");
        }
    }
    let folder = fs::metadata(home.path(".local/state/caponier/clients")).unwrap();
    assert_eq!(folder.mode() & 0o777, 0o700);
    assert!(!home.path(".local/state/caponier/audit").exists());
}

/// Our folder within reach of others: nothing is kept there, so nothing is changed.
#[test]
fn a_folder_that_others_can_read_is_not_used() {
    let home = Home::new();
    home.write(CURSOR, GOOD);
    let folder = home.path(".local/state/caponier/clients");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let done = home.client(&["wrap", "--yes"]).ended(78);
    assert!(done.stderr.contains("not this user's alone"), "{done:#?}");
    assert_eq!(home.text(CURSOR), GOOD);
}

/// A record that somebody touched is not believed.
#[test]
fn a_record_that_was_touched_undoes_nothing() {
    let home = Home::new();
    home.write(CURSOR, GOOD);
    home.client(&["wrap", "--yes"]).ended(0);
    let wrapped = home.text(CURSOR);
    let (name, _) = home.kept().into_iter().find(|(name, _)| name.starts_with("restore-")).unwrap();
    let record = format!(".local/state/caponier/clients/{name}");
    let text = home.text(&record);
    home.write(&record, "{");
    home.client(&["unwrap", "--yes"]).ended(78);
    assert_eq!(home.text(CURSOR), wrapped);
    // Another command in it: the words in the file count.
    home.write(&record, text.replace("\\\"node\\\"", "\\\"evil\\\""));
    assert_ne!(home.text(&record), text);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(home.text(CURSOR), GOOD);
}

/// What the file system does not do: nothing is half done, and it can be tried again.
#[test]
fn a_file_that_cannot_be_exchanged() {
    let home = Home::new();
    home.write(CURSOR, GOOD);
    let wrap = |inject: &str| {
        let mut command = home.command("strace");
        command.args(["-o", "/dev/null", "-e"]).arg(format!("inject={inject}")).arg(caponier());
        Done::of(command.args(["client", "wrap", "--yes"]).output().unwrap())
    };
    for inject in ["renameat2:error=EROFS", "fchmod:error=EPERM"] {
        let done = wrap(inject).ended(1);
        assert!(done.stderr.contains("left as it is"), "{done:#?}");
        assert_eq!(home.text(CURSOR), GOOD);
        assert_eq!(fs::read_dir(home.path(".cursor")).unwrap().count(), 1);
        assert_eq!(home.states()[0].1, "bare");
    }
    // A file system that cannot exchange two names can still put one over the other.
    wrap("renameat2:error=EINVAL").ended(0);
    assert_eq!(home.states()[0].1, "wrapped");
    assert_eq!(fs::read_dir(home.path(".cursor")).unwrap().count(), 1);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(home.text(CURSOR), GOOD);
}

/// Killed at any system call of its own, it leaves the old file or the new one, and what was there comes back.
#[test]
fn a_kill_at_any_step_leaves_a_whole_file() {
    let trace = |home: &Home, inject: Option<(usize, &str)>| {
        let mut command = home.command("strace");
        command.args(["-f", "-o"]).arg(home.path("trace"));
        command.args(["-e", "trace=openat,write,renameat2,renameat,rename,unlinkat,unlink,fchmod,fsync"]);
        if let Some((at, call)) = inject {
            command.arg("-e").arg(format!("inject={call}:signal=KILL:when={at}"));
        }
        command.arg(caponier()).args(["client", "wrap", "--yes"]).output().unwrap()
    };
    let home = Home::new();
    home.write(CURSOR, GOOD);
    assert!(trace(&home, None).status.success());
    let wrapped = home.text(CURSOR);
    let calls = home.text("trace");
    let mut killed = 0;
    for call in ["renameat2", "rename", "unlinkat", "unlink", "fchmod", "fsync"] {
        let count = calls.lines().filter(|line| line.contains(&format!(" {call}("))).count();
        for at in 1..=count {
            let home = Home::new();
            home.write(CURSOR, GOOD);
            let output = trace(&home, Some((at, call)));
            if output.status.success() {
                continue;
            }
            killed += 1;
            let now = home.text(CURSOR);
            assert!(now == GOOD || now == wrapped, "{call} {at}: {now}");
            home.client(&["wrap", "--yes"]).ended(0);
            assert_eq!(home.text(CURSOR), wrapped, "{call} {at}");
            home.client(&["unwrap", "--yes"]).ended(0);
            assert_eq!(home.text(CURSOR), GOOD, "{call} {at}");
        }
    }
    assert!(killed >= 8, "killed {killed} times only:\n{calls}");
}
