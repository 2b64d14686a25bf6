//! The clients themselves, at pinned versions, read what was written: Codex, Gemini CLI, Claude Code, opencode; and the
//! parser of YAML that Continue uses reads what was pasted.
//!
//! Each lists a server before it is wrapped, while it is, and after it was unwrapped. They run without a network: in a
//! namespace of their own, as nothing of theirs has to leave this machine.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::home::{Done, Home, peers, program};

/// A client of the peers in this home, cut off from every network.
fn client(home: &Home, words: &[&str]) -> Command {
    let mut command = home.command("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-current-user"]);
    }
    command.args(["--net", "--"]).args(words).env("NO_COLOR", "1").env("TERM", "dumb");
    command.env("DISABLE_AUTOUPDATER", "1").env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    command.env("OPENCODE_DISABLE_AUTOUPDATE", "1").env("OPENCODE_DISABLE_MODELS_FETCH", "1");
    command
}

fn module(path: &str) -> String {
    let path: PathBuf = peers().join("npm/clients/node_modules").join(path);
    assert!(path.exists(), "{} is not there: run scripts/peers.sh first", path.display());
    path.into_os_string().into_string().unwrap()
}

/// The words that the client says it starts, before, while and after.
fn there_and_back(home: &Home, file: &str, words: impl Fn() -> Vec<String>) {
    let before = home.read(file);
    let bare = words();
    assert!(!bare.is_empty());
    home.client(&["wrap", "--yes"]).ended(0);
    let wrapped = words();
    assert_eq!(wrapped[..2], [program(), "run".to_owned()], "{wrapped:?}");
    let own = wrapped.iter().position(|word| word == "--").unwrap() + 1;
    assert_eq!(wrapped[own..], bare);
    let is_rewritten = home.read(file) != before && words() == wrapped;
    assert!(is_rewritten);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(words(), bare);
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn codex_reads_it() {
    let home = Home::new();
    let text = "# c\r\n[mcp_servers.\"a b\"]\r\n  command = 'node' # d\r\n\r\n[mcp_servers.\"a b\".env]\r\nK = \"v\"\r\n[mcp_servers.x]\r\ncommand = \"uvx\"\r\nargs = [ # e\r\n \"y\", ]\r\n";
    home.write(".codex/config.toml", text);
    let program = module("@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex");
    for server in ["a b", "x"] {
        there_and_back(&home, ".codex/config.toml", || {
            let done =
                Done::of(client(&home, &[&program, "mcp", "list", "--json"]).output().unwrap()).ended(0);
            let listed: Value = serde_json::from_str(&done.stdout).unwrap();
            let found = listed.as_array().unwrap().iter().find(|it| it["name"] == server).unwrap();
            let transport = &found["transport"];
            let command = transport["command"].as_str().unwrap().to_owned();
            std::iter::once(command).chain(texts(&transport["args"])).collect()
        });
    }
    assert_eq!(home.text(".codex/config.toml"), text);
}

#[test]
fn gemini_cli_reads_it() {
    let home = Home::new();
    let text =
        "{ // c\n  \"mcpServers\": {\"a\": {\"command\": \"node\" /* d */, \"args\": [\"x.js\", \"y\"]}}\n}";
    home.write(".gemini/settings.json", text);
    let program = module("@google/gemini-cli/bundle/gemini.js");
    there_and_back(&home, ".gemini/settings.json", || {
        let done = Done::of(client(&home, &["node", &program, "mcp", "list"]).output().unwrap()).ended(0);
        let said = done.said();
        let line = said
            .lines()
            .find_map(|line| line.split_once("a: ")?.1.split_once(" (stdio)"))
            .unwrap_or_else(|| panic!("{said}"));
        line.0.split(' ').map(str::to_owned).collect()
    });
    assert_eq!(home.text(".gemini/settings.json"), text);
}

/// Claude Code writes its file anew whenever it runs: what was wrapped before is undone by its meaning after that.
#[test]
fn claude_code_reads_it_and_writes_it_anew() {
    let home = Home::new();
    let project = std::fs::canonicalize(home.path("project")).unwrap();
    let text = format!(
        "{{\"mcpServers\":{{\"a\":{{\"type\":\"stdio\",\"command\":\"/bin/true\",\"args\":[\"x\"],\"env\":{{\"K\":\"v\"}}}}}},\"projects\":{{{:?}:{{\"mcpServers\":{{\"b\":{{\"command\":\"/bin/false\"}}}}}}}}}}",
        project.to_str().unwrap()
    );
    home.write(".claude.json", &text);
    let program = module("@anthropic-ai/claude-code-linux-x64/claude");
    let get = |server: &str| {
        let done = Done::of(client(&home, &[&program, "mcp", "get", server]).output().unwrap()).ended(0);
        let field = |name: &str| {
            let line = done.stdout.lines().find_map(|line| line.trim().strip_prefix(name));
            line.map(|rest| rest.trim().to_owned()).unwrap_or_default()
        };
        let line = format!("{} {}", field("Command:"), field("Args:"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    for server in ["a", "b"] {
        there_and_back(&home, ".claude.json", || get(server));
    }
    let now: Value = serde_json::from_slice(&home.read(".claude.json")).unwrap();
    let was: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(now["mcpServers"], was["mcpServers"]);
    let servers = |value: &Value| value["projects"][project.to_str().unwrap()]["mcpServers"].clone();
    assert_eq!(servers(&now), servers(&was));
    assert_ne!(home.text(".claude.json"), text, "it was not written anew: this test shows nothing");
}

#[test]
fn opencode_reads_it() {
    let home = Home::new();
    // It would add the line with its schema itself.
    let text = "{ // c\n \"$schema\": \"https://opencode.ai/config.json\", \"mcp\": {\"a\": {\"type\": \"local\", \"command\": [ \"/bin/true\", \"-y\", ], \"environment\": {\"K\": \"v\"}, \"enabled\": false,}} }\n";
    home.write(".config/opencode/opencode.jsonc", text);
    let program = module("opencode-linux-x64-baseline/bin/opencode");
    there_and_back(&home, ".config/opencode/opencode.jsonc", || {
        let done = Done::of(client(&home, &[&program, "debug", "config"]).output().unwrap()).ended(0);
        let start = done.stdout.find('{').unwrap_or_else(|| panic!("{done:#?}"));
        let config: Value = serde_json::from_str(&done.stdout[start..]).unwrap();
        texts(&config["mcp"]["a"]["command"])
    });
    assert_eq!(home.text(".config/opencode/opencode.jsonc"), text);
}

/// What is printed for Continue and Goose, pasted: the servers start caponier with their old words.
#[test]
fn what_is_pasted_is_yaml_that_says_it() {
    let home = Home::new();
    let continued = "mcpServers:\n  - name: a\n    command: uvx\n    args:\n      - mcp-server-time\n      - --x\n    env:\n      K: v\n";
    let goose = "extensions:\n  b:\n    type: stdio\n    cmd: npx\n    args: [-y, \"p q\"]\n    envs: {}\n";
    home.write(".continue/config.yaml", continued);
    home.write(".config/goose/config.yaml", goose);
    let report = home.client(&["list", "--json"]).ended(0).json();
    let paste = |at: usize| texts(&report["servers"][at]["paste"]).join("\n");
    // As the words above the block say: in the place of command and args.
    home.write(
        "a.yaml",
        continued.replace("    command: uvx\n    args:\n      - mcp-server-time\n      - --x", &paste(0)),
    );
    home.write("b.yaml", goose.replace("    cmd: npx\n    args: [-y, \"p q\"]", &paste(1)));
    let script = "const fs = require('fs'); const yaml = require(process.argv[1]); \
                  console.log(JSON.stringify(process.argv.slice(2).map((file) => yaml.parse(fs.readFileSync(file, 'utf8')))))";
    let output = home
        .command("node")
        .args(["-e", script, &module("yaml")])
        .args([home.path("a.yaml"), home.path("b.yaml")])
        .output()
        .unwrap();
    let read = Done::of(output).ended(0).json();
    let a = &read[0]["mcpServers"][0];
    assert_eq!(a["command"], program());
    assert_eq!(
        texts(&a["args"]),
        ["run", "--profile", "time", "--name", "a", "--pass-env", "K", "--", "uvx", "mcp-server-time", "--x"]
    );
    assert_eq!(a["env"]["K"], "v");
    let b = &read[1]["extensions"]["b"];
    assert_eq!((b["cmd"].as_str().unwrap(), b["type"].as_str().unwrap()), (&*program(), "stdio"));
    assert_eq!(texts(&b["args"]), ["run", "--name", "b", "--", "npx", "-y", "p q"]);
}
