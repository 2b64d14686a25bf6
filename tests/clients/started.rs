//! A client starts what `client wrap` wrote: the server comes up in its pen, with the variables of its entry and no others.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::home::{Home, program};

/// Answers each request with what it was started with.
const SERVER: &str = r#"
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined) return;
  const result = method === "initialize"
    ? { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "echo", version: "1" } }
    : { arguments: process.argv.slice(2), key: process.env.MY_KEY ?? null, other: process.env.OTHER ?? null };
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\n");
});
"#;

#[test]
fn what_was_written_starts_the_server() {
    let home = Home::new();
    let server = home.write("server/index.js", SERVER);
    let entry = json!({"mcpServers": {"echo": {
        "command": "node", "args": [server, "--", "--profile", "x"], "env": {"MY_KEY": "the value"},
    }}});
    home.write(".mcp.json", "");
    home.write("project/.mcp.json", entry.to_string());
    home.client(&["wrap", "--yes"]).ended(0);
    let wrapped: Value = serde_json::from_slice(&home.read("project/.mcp.json")).unwrap();
    let entry = &wrapped["mcpServers"]["echo"];
    assert_eq!(entry["command"], program());
    // As a client does it: the words as they are, the entry's variables over its own environment.
    let args = entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
    let mut child = home
        .command(entry["command"].as_str().unwrap())
        .args(args)
        .env("MY_KEY", entry["env"]["MY_KEY"].as_str().unwrap())
        .env("OTHER", "not for the server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(stdout).lines();
    let mut ask = |message: Value| {
        writeln!(stdin, "{message}").unwrap();
        serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()
    };
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});
    assert_eq!(ask(hello)["result"]["serverInfo"]["name"], "echo");
    let answer = ask(json!({"jsonrpc": "2.0", "id": 2, "method": "ping"}));
    assert_eq!(
        answer["result"],
        json!({"arguments": ["--", "--profile", "x"], "key": "the value", "other": null})
    );
    drop(stdin);
    child.wait().unwrap();
    let query = home.command(crate::home::caponier()).args(["audit", "query", "--json"]).output().unwrap();
    let log = String::from_utf8(query.stdout).unwrap();
    assert!(log.contains("\"server\":\"echo\"") && !log.contains("the value"), "{log}");
}
