//! Real servers under their own profiles, driven by the official Python client.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::peers;
use crate::stage::{Stage, beside};

/// What the client saw of the server behind caponier.
fn drive(stage: &Stage, calls: &[(&str, Value)], server: &[OsString]) -> Value {
    let calls: Vec<Value> =
        calls.iter().map(|(tool, arguments)| json!({"tool": tool, "arguments": arguments})).collect();
    let plan =
        json!({"env": {}, "roots": [], "calls": calls, "together": [], "resources": [], "prompts": []});
    let file = stage.at("plan.json");
    fs::write(&file, plan.to_string()).unwrap();
    let mut run = Command::new("timeout");
    run.args(["--kill-after=10", "300"]).arg(peers::folder().join("python/client/bin/python"));
    run.arg(beside("interop/drivers/drive.py")).arg("legacy").arg(&file).arg("--").args(server);
    let done = stage.at_home(&mut run).output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}\n{stderr}", done.status);
    let seen: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(seen["tools"]["tools"].as_array().is_some_and(|tools| !tools.is_empty()), "{seen:#}\n{stderr}");
    seen
}

/// The text of the answer to call `n`, which must be no error.
fn text(seen: &Value, n: usize) -> String {
    let answer = &seen["calls"][n]["answer"];
    assert!(answer["isError"] != true && answer["error"].is_null(), "{answer:#}");
    answer["content"].as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect()
}

fn node(package: &str, entry: &str) -> Vec<OsString> {
    let script = peers::folder().join("npm").join(package).join("node_modules").join(entry);
    vec![peers::program("node").into(), script.into()]
}

#[test]
fn sqlite_keeps_its_database_in_the_workspace() {
    let stage = Stage::set();
    let script = peers::folder().join("python/sqlite/bin/mcp-server-sqlite");
    let mut server: Vec<OsString> = vec![script.into(), "--db-path".into()];
    server.push(stage.at("w/walls.db").into());
    let outside = stage.at("o/stolen.db");
    let calls = [
        ("create_table", json!({"query": "CREATE TABLE wall (stone TEXT)"})),
        ("write_query", json!({"query": "INSERT INTO wall VALUES ('ashlar')"})),
        ("read_query", json!({"query": "SELECT stone FROM wall"})),
        ("describe_table", json!({"table_name": "wall"})),
        ("append_insight", json!({"insight": "/stone is hard"})),
        ("write_query", json!({"query": format!("ATTACH DATABASE '{}' AS o", outside.display())})),
    ];
    // Without a word about the profile: it is the one that was made for this package.
    let seen = drive(&stage, &calls, &stage.penned(&[], &server));
    assert!(text(&seen, 2).contains("ashlar"), "{seen:#}");
    assert!(stage.at("w/walls.db").exists());
    // What SQL asks for beyond the folder is refused, and that alone.
    let attached = seen["calls"][5]["answer"].to_string();
    assert!(attached.contains("unable to open database"), "{attached}");
    assert!(!outside.exists());
    let denied = stage.denied();
    let reasons: Vec<&str> = denied.iter().filter_map(|event| event["reason"].as_str()).collect();
    assert_eq!(reasons, ["fs.write.not-granted"], "{denied:#?}");
    let start = &stage.events(&["--event", "session.start"])[0];
    assert_eq!((&start["profile"], &start["env"]), (&json!("sqlite"), &json!("prod")), "{start}");
}

/// A cluster's API on loopback, as far as the server asks it for pods: discovery, and one list.
struct Api {
    port: u16,
}

impl Api {
    fn start() -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            listener.incoming().flatten().for_each(|caller| {
                thread::spawn(|| answer(caller));
            })
        });
        Api { port }
    }
}

fn answer(caller: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(caller.try_clone().ok()?);
    let mut writer = caller;
    loop {
        let mut request = String::new();
        reader.read_line(&mut request).ok().filter(|read| *read > 0)?;
        let mut header = String::new();
        while reader.read_line(&mut header).ok()? > 2 {
            header.clear();
        }
        let path = request.split(' ').nth(1)?.split('?').next()?.to_owned();
        let verbs = json!(["get", "list"]);
        let body = match path.as_str() {
            "/api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
            "/apis" => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []}),
            "/version" => json!({"major": "1", "minor": "34", "gitVersion": "v1.34.0"}),
            "/api/v1" => json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
                {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": verbs}]}),
            "/api/v1/namespaces/default/pods" => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
                "columnDefinitions": [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}],
                "rows": [{"cells": ["sentry"], "object": {
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"name": "sentry", "namespace": "default"}}}],
            }),
            _ => json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}),
        };
        let status = if body["kind"] == "Status" { "404 Not Found" } else { "200 OK" };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all((head + &body).as_bytes()).ok()?;
    }
}

#[test]
fn kubernetes_asks_the_cluster_that_was_named() {
    let stage = Stage::set();
    let api = Api::start();
    let cluster = format!("http://127.0.0.1:{}", api.port);
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "c", "cluster": {"server": cluster}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    });
    let file = stage.at("w/kubeconfig.json");
    fs::write(&file, config.to_string()).unwrap();
    let mut server = node("kubernetes", "kubernetes-mcp-server/bin/index.js");
    server.extend(["--kubeconfig".into(), file.into_os_string()]);
    let host = format!("127.0.0.1:{}", api.port);
    let calls = [("configuration_view", json!({})), ("pods_list", json!({}))];
    let seen = drive(&stage, &calls, &stage.penned(&["--profile", "kubernetes", "--host", &host], &server));
    assert!(text(&seen, 0).contains(&cluster), "{seen:#}");
    assert!(text(&seen, 1).contains("sentry"), "{seen:#}");
    assert_eq!(stage.denied(), Vec::<Value>::new());

    // Another port of the same machine is another cluster.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("127.0.0.1:{}", other.local_addr().unwrap().port());
    let seen =
        drive(&stage, &calls[1..], &stage.penned(&["--profile", "kubernetes", "--host", &host], &server));
    assert_eq!(seen["calls"][0]["answer"]["isError"], true, "{seen:#}");
    let denied = stage.denied();
    assert!(denied.iter().all(|event| event["event"] == "network.connect"), "{denied:#?}");
    assert!(!denied.is_empty());
}

#[test]
fn context7_starts_and_reaches_nobody_else() {
    let stage = Stage::set();
    let server = node("context7", "@upstash/context7-mcp/dist/index.js");
    let seen = drive(&stage, &[], &stage.penned(&[], &server));
    assert!(seen["tools"].to_string().contains("resolve-library-id"), "{seen:#}");
    let denied = stage.denied();
    assert_eq!(denied, Vec::<Value>::new());
    assert_eq!(stage.events(&["--event", "session.start"])[0]["profile"], "context7");
}

/// One page of this machine's.
fn site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            thread::spawn(move || -> Option<()> {
                let mut reader = BufReader::new(caller.try_clone().ok()?);
                let mut line = String::new();
                while reader.read_line(&mut line).ok()? > 2 {
                    line.clear();
                }
                let page = "<title>Bastion</title><h1>Glacis</h1><script>document.title = 'Lunette'</script>";
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    page.len()
                );
                caller.write_all((head + page).as_bytes()).ok()
            });
        }
    });
    port
}

#[test]
fn playwright_opens_a_local_page_and_no_other() {
    let stage = Stage::set();
    let port = site();
    let other = site();
    let server = node("playwright", "@playwright/mcp/cli.js");
    let url = |port: u16| json!({"url": format!("http://127.0.0.1:{port}/")});
    let calls = [
        ("browser_navigate", url(port)),
        ("browser_snapshot", json!({})),
        ("browser_navigate", url(other)),
        ("browser_navigate", json!({"url": "file:///etc/passwd"})),
    ];
    let host = format!("127.0.0.1:{port}");
    let seen = drive(&stage, &calls, &stage.penned(&["--profile", "playwright", "--host", &host], &server));
    // The script of the page ran: it is the browser's title, not the document's first.
    assert!(text(&seen, 0).contains("Lunette"), "{seen:#}");
    assert!(text(&seen, 1).contains("Glacis"), "{seen:#}");
    for refused in [2, 3] {
        assert_eq!(seen["calls"][refused]["answer"]["isError"], true, "{seen:#}");
    }
    let start = &stage.events(&["--event", "session.start"])[0];
    assert!(start["degraded"].to_string().contains("process.nested_seccomp"), "{start}");
    let reached: Vec<Value> = stage.events(&["--event", "network.connect"]);
    assert!(reached.iter().any(|event| event["verdict"] == "allow" && event["port"] == port), "{reached:#?}");
    assert!(
        !reached.iter().any(|event| event["verdict"] == "allow" && event["port"] != port),
        "{reached:#?}"
    );
}

/// The peers of this file are all there: none of its tests passes for want of a server.
#[test]
fn the_servers_are_installed() {
    let at = |path: &str| -> PathBuf { peers::folder().join(path) };
    for path in [
        "python/sqlite/bin/mcp-server-sqlite",
        "npm/kubernetes/node_modules/kubernetes-mcp-server-linux-amd64",
        "npm/playwright/node_modules/@playwright/mcp/cli.js",
        "npm/context7/node_modules/@upstash/context7-mcp/dist/index.js",
    ] {
        assert!(at(path).exists(), "{path}: run scripts/peers.sh");
    }
}
