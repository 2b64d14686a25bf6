//! The default path rule in front of the real filesystem server, on real folders.
//!
//! The server is told on its own command line that it may serve everything above the workspace, so that bare it reads
//! the secret in most of these spellings; the profile grants the workspace alone.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::session::{Server, Session, Stage, reason};

fn lay_out(stage: &Stage) {
    let work = stage.at("work");
    fs::write(work.join("open.txt"), "open").unwrap();
    fs::create_dir(work.join("sub")).unwrap();
    fs::write(work.join("sub/new file (1).md"), "open").unwrap();
    fs::write(work.join("...txt"), "open").unwrap();
    fs::write(work.join("100%.txt"), "open").unwrap();
    fs::create_dir(stage.at("work-secret")).unwrap();
    fs::write(stage.at("work-secret/key.txt"), "classified").unwrap();
    symlink(stage.at("work-secret"), work.join("out")).unwrap();
    symlink("../work-secret/key.txt", work.join("key.txt")).unwrap();
    symlink("sub", work.join("in")).unwrap();
}

/// Spellings of a path outside; `{work}` is the workspace, `{secret}` its sibling.
const OUTSIDE: &[&str] = &[
    "{secret}/key.txt",
    "{secret}",
    "{secret}/",
    "/{secret}/key.txt",
    "//{secret}//key.txt",
    "{work}/../work-secret/key.txt",
    "{work}/sub/../../work-secret/key.txt",
    "{work}/./../work-secret/./key.txt",
    "{work}/key.txt",
    "{work}/out/key.txt",
    "{work}/out",
    "{work}/in/../../work-secret/key.txt",
    "{work}/absent/../../work-secret/key.txt",
    "{work}-secret/key.txt",
    "{work}.secret",
    "{work} /../work-secret/key.txt",
    " {secret}/key.txt",
    "{secret}/key.txt ",
    "{secret}/key.txt.",
    "\t{secret}/key.txt\n",
    "../work-secret/key.txt",
    "./../work-secret/key.txt",
    "sub/../../work-secret/key.txt",
    ".. /work-secret/key.txt",
    "..",
    "%2e%2e/work-secret/key.txt",
    "..%2Fwork-secret%2Fkey.txt",
    "%252e%252e%252fwork-secret/key.txt",
    "%2Fetc%2Fshadow",
    "/%65tc/shadow",
    "file://{secret}/key.txt",
    "FILE://{secret}/key.txt",
    "file://localhost{secret}/key.txt",
    "file:{secret}/key.txt",
    "~",
    "~/.ssh/id_ed25519",
    "~root/.profile",
    "/etc/shadow",
    "/ETC/shadow",
    "/",
    "／etc／shadow",
    "∕etc∕shadow",
    "⁄etc⁄shadow",
    "．．/work-secret/key.txt",
    "\u{2025}/work-secret/key.txt",
    "\u{2024}\u{2024}/work-secret/key.txt",
    "..∕work-secret∕key.txt",
    "..\\work-secret\\key.txt",
    "\\etc\\shadow",
    "{secret}/key.txt\0.md",
    "{work}/open.txt\0/../../work-secret/key.txt",
    "--file={secret}/key.txt",
    "x://../../work-secret/key.txt",
    "/proc/self/root{secret}/key.txt",
];

/// Paths that the profile grants, in odd spellings, and texts that are none. The server may fail at them; the gate must not.
const LEGAL: &[&str] = &[
    "{work}/open.txt",
    "{work}//open.txt",
    "{work}/./open.txt",
    "{work}/sub/../open.txt",
    "{work}/sub/new file (1).md",
    "{work}/in/new file (1).md",
    "{work}/...txt",
    "{work}/100%.txt",
    "{work}/absent.txt",
    "{work}/a%20b.txt",
    "{work}/日本語／記録.txt",
    "{work}",
    "{work}/",
    "open.txt",
    "./open.txt",
    "sub/../open.txt",
    "file://{work}/open.txt",
    "and/or",
    "1/2 of it",
    "see ../work-secret/key.txt for more",
    "https://example.com/a/../b",
    "/* nothing is called like this */",
    "#!/bin/sh",
    "first\n/etc/shadow\nlast",
    "--depth=3",
    "...",
    "\\d+/\\w*",
];

fn read(session: &mut Session, path: &str) -> serde_json::Value {
    session.call("read_text_file", &json!({ "path": path }))
}

#[test]
fn every_spelling_of_an_outside_path_is_refused_and_legal_ones_pass() {
    assert!(OUTSIDE.len() >= 40 && LEGAL.len() >= 20);
    let stage = Stage::set();
    lay_out(&stage);
    let (work, secret) = (stage.at("work"), stage.at("work-secret"));
    let spelt = |text: &str| {
        text.replace("{work}", work.to_str().unwrap()).replace("{secret}", secret.to_str().unwrap())
    };

    // Without the pen the server follows: it was told to serve the folder above.
    let mut bare = stage.bare_serving(Server::Filesystem, &stage.at(""));
    for text in ["{secret}/key.txt", "{work}/key.txt", "{work}/sub/../../work-secret/key.txt"] {
        let answer = read(&mut bare, &spelt(text));
        assert_eq!(answer["result"]["content"][0]["text"], "classified", "{text}: {answer}");
    }
    bare.end();

    let profile = format!(
        "[filesystem]\nread = [{{ path = {work:?}, reason = \"served\" }}]\n[process]\narguments_as_paths = \"none\"\n"
    );
    let mut penned = stage.penned_serving(Server::Filesystem, &profile, &stage.at(""));
    for text in OUTSIDE {
        let answer = read(&mut penned, &spelt(text));
        assert_eq!(reason(&answer), Some("args.path-outside"), "{text:?}: {answer}");
        assert_eq!(answer["result"]["isError"], true, "{text:?}");
    }
    for text in LEGAL {
        let answer = read(&mut penned, &spelt(text));
        assert_eq!(reason(&answer), None, "{text:?}: {answer}");
    }
    assert_eq!(read(&mut penned, &spelt("{work}/open.txt"))["result"]["content"][0]["text"], "open");
    let several = penned.call(
        "read_multiple_files",
        &json!({"paths": [spelt("{work}/open.txt"), spelt("{secret}/key.txt")]}),
    );
    assert_eq!(reason(&several), Some("args.path-outside"), "{several}");
    penned.end();

    let denied = stage.events("message.denied");
    assert_eq!(denied.len(), OUTSIDE.len() + 1);
    for event in &denied {
        assert_eq!(event["reason"], "args.path-outside", "{event}");
        assert_eq!(event["layer"], "gate", "{event}");
        assert!(event["detail"].as_str().unwrap().starts_with("the argument \"path"), "{event}");
        assert!(!event.to_string().contains("work-secret"), "a value is in the log: {event}");
    }
}
