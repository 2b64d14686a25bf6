//! What `client wrap` may be told: which servers, which clients, which profiles; and what it says.

use crate::fixtures::{FIXTURES, Fixture};
use crate::home::{Home, program};

const TWO: &str = r#"{"mcpServers": {"a": {"command": "node", "args": ["a.js"]}, "b": {"command": "node", "args": ["b.js"]}}}"#;

fn words(home: &Home, file: &str, server: &str) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_slice(&home.read(file)).unwrap();
    let entry = &value["mcpServers"][server];
    let args = entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned());
    std::iter::once(entry["command"].as_str().unwrap().to_owned()).chain(args).collect()
}

#[test]
fn only_what_is_named_is_wrapped() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    home.write(".kiro/settings/mcp.json", TWO);
    home.client(&["wrap", "--yes", "--only", "b", "--client", "kiro"]).ended(0);
    assert_eq!(home.text(".cursor/mcp.json"), TWO);
    let states: Vec<String> = home.states().into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["bare", "bare", "bare", "wrapped"]);

    // One after the other, undone together: to the byte.
    home.client(&["wrap", "--yes", "--client", "kiro"]).ended(0);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(home.text(".kiro/settings/mcp.json"), TWO);

    // Together, undone one after the other.
    home.client(&["wrap", "--yes"]).ended(0);
    home.client(&["unwrap", "--yes", "--only", "a"]).ended(0);
    assert!(home.text(".cursor/mcp.json").contains(r#""a": {"command": "node", "args": ["a.js"]}"#));
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(
        (home.text(".cursor/mcp.json"), home.text(".kiro/settings/mcp.json")),
        (TWO.into(), TWO.into())
    );
}

#[test]
fn a_client_has_more_than_one_name() {
    let home = Home::new();
    home.write(".gemini/settings.json", TWO);
    home.write("project/.vscode/mcp.json", r#"{"servers": {"c": {"command": "node"}}}"#);
    for (name, count) in
        [("gemini-cli", 2), ("Gemini CLI", 2), ("gemini", 2), ("vscode", 1), ("VS Code", 1), ("code", 1)]
    {
        let report = home.client(&["list", "--json", "--client", name]).ended(0).json();
        assert_eq!(report["servers"].as_array().unwrap().len(), count, "{name}");
    }
    home.client(&["list", "--client", "gem"]).ended(64);
}

#[test]
fn each_server_may_have_a_profile_of_its_own() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    home.write("project/mine.toml", "version = 1\nextends = [\"runtime/node\"]\n");
    let file = home.path("project/mine.toml");
    home.client(&["wrap", "--yes", "--profile", "memory", "--profile", "a=./mine.toml"]).ended(0);
    let file = std::fs::canonicalize(file).unwrap();
    let front = |profile: &str, name: &str| {
        [&program(), "run", "--profile", profile, "--name", name, "--", "node", &format!("{name}.js")]
            .map(str::to_owned)
            .to_vec()
    };
    let a = words(&home, ".cursor/mcp.json", "a");
    assert_eq!(std::fs::canonicalize(&a[3]).unwrap(), file);
    assert_eq!(a, front(&a[3], "a"));
    assert_eq!(words(&home, ".cursor/mcp.json", "b"), front("memory", "b"));
    let listed = home.client(&["list", "--json"]).ended(0).json();
    assert_eq!(listed["servers"][1]["profile"], "memory");
    assert_eq!(listed["servers"][1]["command"], serde_json::json!(["node", "b.js"]));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    for (words, code) in [
        (vec!["wrap", "--yes", "--profile", "no-such-profile"], 78),
        (vec!["wrap", "--yes", "--profile", "a=no-such-profile"], 78),
        (vec!["wrap", "--yes", "--profile", "=memory"], 64),
        (vec!["wrap", "--yes", "--profile", "memory", "--profile", "git"], 64),
        (vec!["wrap", "--yes", "--client", "emacs"], 64),
        (vec!["wrap", "--yes", "--only", "nobody"], 1),
        (vec!["unwrap", "--yes", "--only", "nobody"], 1),
        (vec!["unwrap", "--yes"], 0),
        (vec!["wrap", "nonsense"], 64),
    ] {
        let done = home.client(&words).ended(code);
        assert_eq!(home.text(".cursor/mcp.json"), TWO, "{words:?}");
        assert!(!done.said().is_empty(), "{words:?}");
    }
    // A profile for a server that is not there: the rest is done, and the exit status tells.
    home.client(&["wrap", "--yes", "--profile", "nobody=memory"]).ended(1);
}

#[test]
fn every_variable_is_passed_on_by_name() {
    let home = Home::new();
    home.write(
        ".cursor/mcp.json",
        r#"{"mcpServers": {"-s": {"command": "node", "env": {"KEY": "SecretOne", "-ODD": "x", "LD_PRELOAD": "/SecretTwo", "HOME": "/x"}}}}"#,
    );
    let done = home.client(&["wrap", "--yes"]).ended(0);
    assert_eq!(
        words(&home, ".cursor/mcp.json", "-s"),
        [&*program(), "run", "--name=-s", "--pass-env", "KEY", "--pass-env=-ODD", "--", "node"]
    );
    for name in ["LD_PRELOAD", "HOME"] {
        assert!(done.stdout.contains(&format!("{name} ")), "nothing was said of {name}: {done:#?}");
    }
    assert!(!done.said().contains("Secret"), "{done:#?}");
    assert!(home.text(".cursor/mcp.json").contains("SecretTwo"), "values stay where they are");
}

#[test]
fn a_file_of_variables_that_cannot_be_read_leaves_the_server_as_it_is() {
    let home = Home::new();
    let before = r#"{"servers": {"a": {"command": "node", "envFile": "${workspaceFolder}/.env"}, "b": {"command": "x"}}}"#;
    home.write("project/.vscode/mcp.json", before);
    let done = home.client(&["wrap", "--yes", "--only", "a"]).ended(1);
    assert!(done.stdout.contains("envFile"), "{done:#?}");
    assert_eq!(home.text("project/.vscode/mcp.json"), before);
    home.client(&["wrap", "--yes"]).ended(0);
    assert_eq!(home.states()[0].1, "bare");
    assert_eq!(home.states()[1].1, "wrapped");
}

#[test]
fn a_container_is_never_wrapped_and_a_shell_only_with_a_profile_of_its_own() {
    let home = Home::new();
    home.write(
        ".cursor/mcp.json",
        r#"{"mcpServers": {"c": {"command": "docker", "args": ["run", "x"]}, "s": {"command": "sh", "args": ["-c", "x"]}}}"#,
    );
    home.client(&["wrap", "--yes", "--only", "c", "--profile", "c=memory"]).ended(1);
    home.client(&["wrap", "--yes", "--only", "s", "--profile", "memory"]).ended(1);
    assert!(home.states().iter().all(|(_, state)| state == "bare"));
    home.client(&["wrap", "--yes", "--profile", "s=memory"]).ended(0);
    assert_eq!(home.states()[1].1, "wrapped");
    let listed = home.client(&["list", "--json"]).json();
    assert_eq!(listed["servers"][0]["through"], "docker run");
    assert_eq!(listed["servers"][1]["through"], "sh -c");
}

/// A wrapper that we did not put there goes only when it is named.
#[test]
fn other_peoples_wrappers_stay_until_they_are_named() {
    let home = Home::new();
    let before = r#"{"mcpServers": {"a": {"command": "caponier", "args": ["run", "--", "node", "x"]}}}"#;
    home.write(".cursor/mcp.json", before);
    let done = home.client(&["unwrap", "--yes"]).ended(0);
    assert!(done.stdout.contains("--only"), "{done:#?}");
    assert_eq!(home.text(".cursor/mcp.json"), before);
    home.client(&["unwrap", "--yes", "--only", "a"]).ended(0);
    assert_eq!(home.text(".cursor/mcp.json"), r#"{"mcpServers": {"a": {"command": "node", "args": ["x"]}}}"#);
}

/// The rest of the file is another one now: only what we put there goes.
#[test]
fn an_edit_elsewhere_is_kept() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.is_written()) {
        let home = Home::new();
        fixture.put(&home);
        home.client(&["wrap", "--yes"]).ended(0);
        let edit = |text: &str| match fixture.file.ends_with(".toml") {
            true => format!("{}\n# later\n", text.replace("/opt/", "/srv/")),
            false => text.replace("/opt/", "/srv/").replace("example.com", "example.org") + "\n ",
        };
        let wrapped = home.text(fixture.place).replace(&program(), "@");
        home.write(fixture.place, edit(&wrapped).replace('@', &program()));
        home.client(&["unwrap", "--yes"]).ended(0);
        let before = String::from_utf8(fixture.before()).unwrap();
        assert_eq!(home.text(fixture.place), edit(&before).replace('@', &program()), "{}", fixture.file);
    }
}

/// A client wrote the whole file anew: what we put there goes by its meaning.
#[test]
fn a_file_that_was_written_anew_is_unwrapped() {
    let home = Home::new();
    let fixture = Fixture::named("claude-code-user.json");
    fixture.put(&home);
    let before: serde_json::Value = serde_json::from_slice(&home.read(fixture.place)).unwrap();
    home.client(&["wrap", "--yes"]).ended(0);
    let mut wrapped: serde_json::Value = serde_json::from_slice(&home.read(fixture.place)).unwrap();
    assert_ne!(wrapped, before);
    wrapped["numStartups"] = 42.into();
    home.write(fixture.place, serde_json::to_string_pretty(&wrapped).unwrap());
    home.client(&["unwrap", "--yes"]).ended(0);
    let mut after: serde_json::Value = serde_json::from_slice(&home.read(fixture.place)).unwrap();
    assert_eq!(after["numStartups"], 42);
    after["numStartups"] = before["numStartups"].clone();
    assert_eq!(after, before);
}

#[test]
fn a_report_for_programs_says_it_all() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    home.write(".kiro/settings/mcp.json", "{");
    let shown = home.client(&["wrap", "--json", "--only", "a"]).ended(1).json();
    assert_eq!(
        (&shown["v"], &shown["action"], &shown["applied"]),
        (&1.into(), &"wrap".into(), &false.into())
    );
    assert_eq!(shown["files"][0]["servers"][0]["server"], "a");
    assert_eq!(shown["files"][0]["changed"], false);
    assert!(shown["files"][0]["diff"].as_str().unwrap().starts_with("@@ -1,1 +1,1 @@\n-"));
    assert_eq!(shown["problems"][0]["client"], "kiro");
    assert_eq!(home.text(".cursor/mcp.json"), TWO);
    let done = home.client(&["wrap", "--json", "--yes", "--client", "cursor"]).ended(0).json();
    assert_eq!((&done["applied"], &done["files"][0]["changed"]), (&true.into(), &true.into()));
    let backup = done["files"][0]["backup"].as_str().unwrap();
    assert_eq!(home.text(&format!(".local/state/caponier/clients/{backup}")), TWO);
}

#[test]
fn where_there_is_no_client_nothing_is_made() {
    let home = Home::new();
    let done = home.client(&["list"]).ended(0);
    assert!(done.stderr.contains("no configuration"), "{done:#?}");
    assert_eq!(home.client(&["list", "--json"]).ended(0).json()["servers"], serde_json::json!([]));
    home.client(&["wrap", "--yes"]).ended(0);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(std::fs::read_dir(home.path("")).unwrap().count(), 1, "only the project");
}

/// The folders that variables of the clients name.
#[test]
fn variables_of_the_clients_are_heeded() {
    let home = Home::new();
    for file in ["x/Claude/claude_desktop_config.json", "y/.claude.json", "z/mcp-config.json"] {
        home.write(file, TWO);
    }
    home.write("w/config.toml", "[mcp_servers.c]\ncommand = \"node\"\n");
    // None of these is read then.
    home.write(".claude.json", "{");
    let output = home
        .command(crate::home::caponier())
        .env("XDG_CONFIG_HOME", home.path("x"))
        .env("CLAUDE_CONFIG_DIR", home.path("y"))
        .env("COPILOT_HOME", home.path("z"))
        .env("CODEX_HOME", home.path("w"))
        .args(["client", "list", "--json"])
        .output()
        .unwrap();
    let report = crate::home::Done::of(output).ended(0).json();
    let clients: Vec<&str> =
        report["files"].as_array().unwrap().iter().map(|it| it["client"].as_str().unwrap()).collect();
    assert_eq!(clients, ["claude-desktop", "claude-code", "copilot-cli", "codex"]);
}

/// Below the top of a repository its files count too.
#[test]
fn the_top_of_the_repository_is_found() {
    let home = Home::new();
    home.write("project/.git/HEAD", "ref: refs/heads/main\n");
    home.write("project/.mcp.json", TWO);
    std::fs::create_dir_all(home.path("project/src/deep")).unwrap();
    let output = home
        .command(crate::home::caponier())
        .args(["client", "list", "--json"])
        .current_dir(home.path("project/src/deep"))
        .output()
        .unwrap();
    let report = crate::home::Done::of(output).ended(0).json();
    assert_eq!(report["files"][0]["scope"], "project");
}

/// Without `--profile` the one that was made for the package is written down; another server has none, and gets its own
/// when it starts.
#[test]
fn a_known_package_has_its_profile() {
    let home = Home::new();
    home.write(
        ".cursor/mcp.json",
        r#"{"mcpServers": {"a": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"]}, "b": {"command": "npx", "args": ["-y", "other"]}}}"#,
    );
    let shown = home.client(&["wrap"]).ended(0);
    // What it is for, in its own words; of a runtime's profile, which a start chooses, nothing.
    let told: Vec<&str> = shown.stdout.lines().filter(|line| line.starts_with("profile ")).collect();
    assert!(told.len() == 1 && told[0].starts_with("profile memory: Official memory server"), "{shown:#?}");
    let done = home.client(&["wrap", "--yes"]).ended(0);
    assert!(done.stdout.contains("To undo this: caponier client unwrap --yes"), "{done:#?}");
    assert_eq!(words(&home, ".cursor/mcp.json", "a")[..4], [&*program(), "run", "--profile", "memory"]);
    assert_eq!(words(&home, ".cursor/mcp.json", "b")[..4], [&*program(), "run", "--name", "b"]);
}

#[test]
fn two_servers_of_one_name_are_told() {
    let home = Home::new();
    home.write(".cursor/mcp.json", r#"{"mcpServers": {"db": {"command": "one"}}}"#);
    home.write(".kiro/settings/mcp.json", r#"{"mcpServers": {"db": {"command": "two"}}}"#);
    home.write(".lmstudio/mcp.json", r#"{"mcpServers": {"x": {"command": "three"}}}"#);
    home.write(".junie/mcp/mcp.json", r#"{"mcpServers": {"x": {"command": "three"}}}"#);
    let shown = home.client(&["wrap"]).ended(0);
    assert_eq!(shown.stdout.matches("another server of this name").count(), 2, "{shown:#?}");
}

/// What it wrapped under another name it would not know again.
#[test]
fn a_program_of_another_name_wraps_nothing() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let other = home.path("cap");
    std::fs::copy(crate::home::caponier(), &other).unwrap();
    let done = crate::home::Done::of(home.command(other).args(["client", "wrap", "--yes"]).output().unwrap())
        .ended(78);
    assert!(done.stderr.contains("not called caponier"), "{done:#?}");
    assert_eq!(home.text(".cursor/mcp.json"), TWO);
}
