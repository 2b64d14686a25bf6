//! Servers that speak with somebody: hosts of the Internet in a world of the test's own, and services of this machine.

use std::fs;

use serde_json::{Value, json};

use super::Session;
use crate::cluster::Cluster;
use crate::driven::{Plan, node, python, there};
use crate::page;
use crate::peers;
use crate::stage::Stage;
use crate::world::{self, World};

/// What the site of a world answers, by host and path.
fn answers(world: &World, answers: &Value) {
    fs::write(world.path("answers.json"), answers.to_string()).unwrap();
}

/// A profile of the user's in the place of a shipped one: it adds whom to trust in this world, and nothing else.
fn trusting(stage: &Stage, world: &World, name: &str, variable: &str) {
    let authority = world.authority();
    let folder = stage.at("h/.config/caponier/profiles");
    fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "version = 1\nextends = [{name:?}]\n\
         [filesystem]\nread = [{{ path = {authority:?}, reason = \"who signs certificates here\" }}]\n\
         [process]\nenv = {{ set = {{ {variable} = {authority:?} }} }}\n"
    );
    fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

/// A secret came to the host that it is for, and nowhere into the record.
fn is_kept(secret: &str, stage: &Stage, world: &World) {
    let came = |line: &Value| line["authorization"].as_str().is_some_and(|value| value.contains(secret));
    assert!(world.site.saw().iter().any(came), "{:#?}", world.site.saw());
    let log = stage.caponier(&["audit", "query", "--jsonl"]);
    assert!(!log.is_empty() && !String::from_utf8(log).unwrap().contains(secret));
}

pub(super) fn context7(stage: &Stage, world: &World) {
    world.resolver.answers("context7.com", &[world::SITE]);
    let library = json!({"id": "/vauban/glacis", "title": "Glacis", "description": "Slopes", "totalSnippets": 3, "trustScore": 9});
    answers(
        world,
        &json!({
            "context7.com/api/v2/libs/search": {"results": [library]},
            "context7.com/api/v2/context": "A glacis slopes away from the ditch.",
        }),
    );
    trusting(stage, world, "context7", "NODE_EXTRA_CA_CERTS");
    let secret = "ctx7sk-0123456789abcdef";
    let plan = Plan {
        env: json!({"CONTEXT7_API_KEY": secret}),
        calls: vec![
            ("resolve-library-id", json!({"query": "how steep it is", "libraryName": "glacis"})),
            // A name that looks like a path, and is none.
            ("query-docs", json!({"libraryId": "/vauban/glacis", "query": "how steep it is"})),
        ],
        ..Plan::default()
    };
    let server = node("context7", "@upstash/context7-mcp/dist/index.js");
    let seen = Session::of("context7", server, plan).play(stage);
    seen.says(&["/vauban/glacis", "slopes away from the ditch"]);
    is_kept(secret, stage, world);
}

pub(super) fn fetch(stage: &Stage, _world: &World) {
    let plan = Plan {
        calls: vec![
            ("fetch", json!({"url": "http://example.com/page"})),
            ("fetch", json!({"url": "http://example.com/page", "raw": true, "max_length": 200})),
        ],
        ..Plan::default()
    };
    let server = python("fetch", "mcp_server_fetch");
    let seen = Session::of("fetch", server, plan).option("--host", "example.com:80").play(stage);
    seen.says(&["Paragraph 1 of a page", "<html>"]);
}

pub(super) fn github(stage: &Stage, world: &World) {
    for name in ["api.github.com", "raw.githubusercontent.com"] {
        world.resolver.answers(name, &[world::SITE]);
    }
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let file = json!({"type": "file", "name": "glacis.md", "path": "docs/glacis.md", "sha": sha, "size": 20});
    answers(
        world,
        &json!({
            "api.github.com/user": {"login": "vauban", "id": 1633, "name": "S\u{e9}bastien"},
            "api.github.com/repos/vauban/walls": {"name": "walls", "default_branch": "main"},
            "api.github.com/repos/vauban/walls/git/ref/heads/main": {"ref": "refs/heads/main", "object": {"type": "commit", "sha": sha}},
            "api.github.com/repos/vauban/walls/issues/7": {"number": 7, "title": "The glacis is too steep", "state": "open"},
            "api.github.com/repos/vauban/walls/contents/": [file],
            "api.github.com/repos/vauban/walls/contents//": [file],
            "api.github.com/repos/vauban/walls/contents/docs/glacis.md": file,
            (format!("raw.githubusercontent.com/vauban/walls/{sha}/docs/glacis.md")): "It slopes away.",
        }),
    );
    trusting(stage, world, "github", "SSL_CERT_FILE");
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let plan = Plan {
        env: json!({"GITHUB_PERSONAL_ACCESS_TOKEN": secret}),
        calls: vec![
            ("get_me", json!({})),
            ("get_issue", json!({"owner": "vauban", "repo": "walls", "issue_number": 7})),
            // Paths in a repository, and not on this machine.
            ("get_file_contents", json!({"owner": "vauban", "repo": "walls", "path": "/"})),
            ("get_file_contents", json!({"owner": "vauban", "repo": "walls", "path": "docs/glacis.md"})),
        ],
        ..Plan::default()
    };
    let program = there(peers::folder().join("python/github/bin/github-mcp-server"));
    let seen = Session::of("github", vec![program, "stdio".into()], plan).play(stage);
    seen.says(&["vauban", "too steep", "glacis.md", "slopes away"]);
    is_kept(secret, stage, world);
}

pub(super) fn kubernetes(stage: &Stage) {
    let cluster = Cluster::start();
    let file = stage.at("w/kubeconfig.json");
    fs::write(&file, cluster.config().to_string()).unwrap();
    let mut server = node("kubernetes", "kubernetes-mcp-server/bin/index.js");
    server.extend(["--kubeconfig".into(), file.into_os_string()]);
    let plan = Plan {
        calls: vec![
            ("configuration_view", json!({})),
            ("pods_list", json!({})),
            ("nodes_log", json!({"name": "keep", "query": "/var/log/messages"})),
        ],
        ..Plan::default()
    };
    let seen = Session::of("kubernetes", server, plan).option("--host", cluster.host()).play(stage);
    seen.says(&[&cluster.host(), "sentry", "a line of the log"]);
}

pub(super) fn playwright(stage: &Stage) {
    let port = page::serve();
    let plan = Plan {
        calls: vec![
            ("browser_navigate", json!({"url": format!("http://127.0.0.1:{port}/")})),
            ("browser_snapshot", json!({})),
        ],
        ..Plan::default()
    };
    let server = node("playwright", "@playwright/mcp/cli.js");
    let session = Session::of("playwright", server, plan).option("--host", format!("127.0.0.1:{port}"));
    let seen = session.play(stage);
    // The script of the page ran: it is the browser's title, not the document's first.
    seen.says(&["Lunette", "Glacis"]);
    let start = &stage.events(&["--event", "session.start"])[0];
    assert!(start["degraded"].to_string().contains("process.nested_seccomp"), "{start}");
}
