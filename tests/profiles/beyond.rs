//! What a real server is asked for that its profile does not grant: refused, and told.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::driven::{Plan, node, there};
use crate::page;
use crate::peers;
use crate::stage::Stage;

#[test]
fn sql_reaches_no_file_beyond_the_workspace() {
    let stage = Stage::set();
    let script = there(peers::folder().join("python/sqlite/bin/mcp-server-sqlite"));
    let server = [script, "--db-path".into(), stage.at("w/walls.db").into()];
    let outside = stage.at("o/stolen.db");
    let query = format!("ATTACH DATABASE '{}' AS o", outside.display());
    let plan = Plan { calls: vec![("write_query", json!({"query": query}))], ..Plan::default() };
    // Without a word about the profile: it is the one that was made for this package.
    let seen = plan.drive(&stage, &stage.penned::<&str>(&[], &server));
    let attached = seen.answer(0).to_string();
    assert!(attached.contains("unable to open database"), "{attached}");
    assert!(!outside.exists());
    let denied = stage.denied();
    let reasons: Vec<&str> = denied.iter().filter_map(|event| event["reason"].as_str()).collect();
    assert_eq!(reasons, ["fs.write.not-granted"], "{denied:#?}");
    let start = &stage.events(&["--event", "session.start"])[0];
    assert_eq!((&start["profile"], &start["env"]), (&json!("sqlite"), &json!("prod")), "{start}");
}

/// Another port of the same machine is another cluster.
#[test]
fn kubernetes_asks_no_cluster_but_the_one_that_was_named() {
    let stage = Stage::set();
    let file = stage.at("w/kubeconfig.json");
    fs::write(&file, Cluster::start().config().to_string()).unwrap();
    let mut server = node("kubernetes", "kubernetes-mcp-server/bin/index.js");
    server.extend(["--kubeconfig".into(), file.into_os_string()]);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("127.0.0.1:{}", other.local_addr().unwrap().port());
    let plan = Plan { calls: vec![("pods_list", json!({}))], ..Plan::default() };
    let seen = plan.drive(&stage, &stage.penned(&["--profile", "kubernetes", "--host", &host], &server));
    assert_eq!(seen.answer(0)["isError"], true, "{seen}");
    let denied = stage.denied();
    assert!(denied.iter().all(|event| event["event"] == "network.connect"), "{denied:#?}");
    assert!(!denied.is_empty());
}

#[test]
fn context7_is_taken_for_its_package_and_asks_nobody_at_start() {
    let stage = Stage::set();
    let server = node("context7", "@upstash/context7-mcp/dist/index.js");
    let seen = Plan::default().drive(&stage, &stage.penned::<&str>(&[], &server));
    assert!(seen.value["tools"].to_string().contains("resolve-library-id"), "{seen}");
    assert_eq!(stage.denied(), Vec::<Value>::new());
    assert_eq!(stage.events(&["--event", "session.start"])[0]["profile"], "context7");
}

#[test]
fn the_browser_opens_no_other_page_and_no_file() {
    let stage = Stage::set();
    let (port, other) = (page::serve(), page::serve());
    let open = |url: String| ("browser_navigate", json!({"url": url}));
    let calls = vec![
        open(format!("http://127.0.0.1:{port}/")),
        open(format!("http://127.0.0.1:{other}/")),
        open("file:///etc/passwd".to_owned()),
    ];
    let server = node("playwright", "@playwright/mcp/cli.js");
    let host = format!("127.0.0.1:{port}");
    let penned = stage.penned(&["--profile", "playwright", "--host", &host], &server);
    let seen = Plan { calls, ..Plan::default() }.drive(&stage, &penned);
    assert!(seen.text(0).contains("Lunette"), "{seen}");
    for refused in [1, 2] {
        assert_eq!(seen.answer(refused)["isError"], true, "{seen}");
    }
    let reached: Vec<Value> = stage.events(&["--event", "network.connect"]);
    let is_allowed = |event: &&Value| event["verdict"] == "allow";
    let ports: Vec<&Value> = reached.iter().filter(is_allowed).map(|event| &event["port"]).collect();
    assert!(!ports.is_empty() && ports.iter().all(|reached| **reached == port), "{reached:#?}");
}
