//! A home, a project and a log of their own, and one client that speaks to a server in its pen.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::peers;

/// One call: tool and arguments.
pub(crate) type Call<'c> = (&'c str, Value);

pub(crate) struct Scene {
    root: tempfile::TempDir,
}

impl Scene {
    /// `home/.ssh/id_rsa`, `project/`, `elsewhere/other.txt`.
    pub(crate) fn set() -> Scene {
        // Not /tmp, which holds what belongs to many.
        let root = tempfile::Builder::new().prefix("learn-").tempdir_in("/var/tmp").expect("a folder");
        let scene = Scene { root };
        for folder in ["home/.ssh", "project", "elsewhere"] {
            fs::create_dir_all(scene.at(folder)).expect(folder);
        }
        fs::write(scene.at("home/.ssh/id_rsa"), "a private key").expect("key");
        fs::write(scene.at("elsewhere/other.txt"), "somebody else's").expect("other");
        scene
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.at(name).into_os_string().into_string().expect("UTF-8")
    }

    /// caponier at this home, in the project.
    pub(crate) fn caponier(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(peers::caponier());
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.at("home"))
            .current_dir(self.at("project"));
        command
    }

    /// Runs it to its end.
    pub(crate) fn done(&self, words: &[impl AsRef<OsStr>]) -> Output {
        self.caponier(words).stdin(Stdio::null()).output().expect("caponier")
    }

    /// A whole session: each call's result, in order.
    pub(crate) fn session(&self, options: &[&str], server: &[OsString], calls: &[Call<'_>]) -> Vec<Value> {
        self.speak(options, server, calls).unwrap_or_else(|said| panic!("no session: {said}"))
    }

    /// A session without a call; `None` when the server did not answer to `initialize`.
    pub(crate) fn start(&self, options: &[&str], server: &[OsString]) -> Option<()> {
        self.speak(options, server, &[]).ok().map(drop)
    }

    fn speak(&self, options: &[&str], server: &[OsString], calls: &[Call<'_>]) -> Result<Vec<Value>, String> {
        let mut words: Vec<OsString> = ["run"].iter().chain(options).map(OsString::from).collect();
        words.push("--".into());
        words.extend_from_slice(server);
        let mut child = self
            .caponier(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("caponier");
        let mut stdin = child.stdin.take().expect("piped");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut ask = |id: usize, method: &str, params: Value| {
            let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            let more = if method == "initialize" { format!("{ready}\n") } else { String::new() };
            if write!(stdin, "{request}\n{more}").is_err() {
                return Value::Null;
            }
            loop {
                let Some(Ok(line)) = lines.next() else { return Value::Null };
                let answer: Value = serde_json::from_str(&line).expect("JSON");
                if answer["id"] == id && answer.get("method").is_none() {
                    return answer;
                }
            }
        };
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}});
        let begun = ask(0, "initialize", hello);
        let mut results = Vec::new();
        if begun.is_object() {
            for (at, (tool, arguments)) in calls.iter().enumerate() {
                let answer = ask(at + 1, "tools/call", json!({"name": tool, "arguments": arguments}));
                results.push(answer["result"].clone());
            }
        }
        drop(stdin);
        let output = child.wait_with_output().expect("its end");
        match begun.is_object() {
            true => Ok(results),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// `caponier learn`: the profile's text, and what was said about it.
    pub(crate) fn learn(&self, server: &str) -> (String, String) {
        let output = self.done(&["learn", "--server", server]);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{said}");
        (String::from_utf8(output.stdout).expect("UTF-8"), said)
    }

    /// Learns, and writes the profile beside the project.
    pub(crate) fn learn_into(&self, server: &str, file: &str) -> PathBuf {
        let path = self.at(file);
        let output = self.done(&[
            OsStr::new("learn"),
            OsStr::new("--server"),
            OsStr::new(server),
            OsStr::new("--output"),
            path.as_os_str(),
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// Events of a server in the log.
    pub(crate) fn events(&self, server: &str, more: &[&str]) -> Vec<Value> {
        let mut words = vec!["audit", "query", "--server", server, "--json"];
        words.extend_from_slice(more);
        let output = self.done(&words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        report["events"].as_array().expect("events").clone()
    }

    /// What was refused, but for the calls that every program does without.
    pub(crate) fn denied(&self, server: &str) -> Vec<Value> {
        let mut denied = self.events(server, &["--denied"]);
        denied.retain(|event| event["reason"] != "syscall.unsupported");
        denied
    }
}

/// The words of an npm server.
pub(crate) fn npm(name: &str, rest: &[&Path]) -> Vec<OsString> {
    let mut words = vec![peers::program("node").into_os_string(), peers::npm_server(name).into_os_string()];
    words.extend(rest.iter().map(|path| path.as_os_str().to_owned()));
    words
}

/// Whether a call went well.
pub(crate) fn assert_well(calls: &[Call<'_>], results: &[Value]) {
    assert_eq!(calls.len(), results.len());
    for ((tool, arguments), result) in calls.iter().zip(results) {
        assert!(result.is_object() && result["isError"] != true, "{tool} {arguments}: {result}");
    }
}
