//! A real server behind caponier, driven by the official Python client, and what the client saw.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::peers;
use crate::stage::{Stage, beside};

/// A tool, and what it is called with.
pub(crate) type Call = (&'static str, Value);

/// What a client wants.
#[derive(Default)]
pub(crate) struct Plan {
    /// The `env` block of the server in the client's configuration.
    pub(crate) env: Value,
    pub(crate) calls: Vec<Call>,
    pub(crate) resources: Vec<&'static str>,
    pub(crate) prompts: Vec<Value>,
}

/// The transcript of a client, and what went to its stderr.
pub(crate) struct Seen {
    pub(crate) value: Value,
    pub(crate) stderr: String,
}

impl Plan {
    /// Lets the client start these words, and asks what is planned.
    pub(crate) fn drive(&self, stage: &Stage, words: &[OsString]) -> Seen {
        let calls: Vec<Value> = self
            .calls
            .iter()
            .map(|(tool, arguments)| json!({"tool": tool, "arguments": arguments}))
            .collect();
        let env = if self.env.is_null() { json!({}) } else { self.env.clone() };
        let plan = json!({"env": env, "roots": [], "calls": calls, "together": [],
            "resources": self.resources, "prompts": self.prompts});
        let file = stage.at("plan.json");
        fs::write(&file, plan.to_string()).unwrap();
        let mut run = Command::new("timeout");
        run.args(["--kill-after=10", "300"]).arg(peers::folder().join("python/client/bin/python"));
        run.arg(beside("interop/drivers/drive.py")).arg("auto").arg(&file).arg("--").args(words);
        let done = stage.at_home(&mut run).output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{}\n{stderr}", done.status);
        let seen = Seen { value: serde_json::from_slice(&done.stdout).unwrap(), stderr };
        let tools = &seen.value["tools"]["tools"];
        assert!(tools.as_array().is_some_and(|tools| !tools.is_empty()), "{seen}");
        seen
    }
}

impl Seen {
    /// What came back for call `n`.
    pub(crate) fn answer(&self, n: usize) -> &Value {
        &self.value["calls"][n]["answer"]
    }

    /// The text of the answer to call `n`, which must be no error. A resource in it is text too.
    pub(crate) fn text(&self, n: usize) -> String {
        let answer = self.answer(n);
        assert!(answer["isError"] != true && answer["error"].is_null(), "call {n}: {self}");
        let parts = answer["content"].as_array().unwrap().iter();
        parts.filter_map(|part| part["text"].as_str().or(part["resource"]["text"].as_str())).collect()
    }

    /// Each call was answered without an error, and with this in its text.
    pub(crate) fn says(&self, wanted: &[&str]) {
        for (n, wanted) in wanted.iter().enumerate() {
            let text = self.text(n);
            assert!(text.contains(wanted), "call {n} does not say {wanted:?}: {self}");
        }
        assert_eq!(wanted.len(), self.value["calls"].as_array().map_or(0, Vec::len));
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut value = self.value.clone();
        // Their schemas are long.
        let tools = value["tools"]["tools"].as_array().into_iter().flatten();
        value["tools"] = tools.map(|tool| tool["name"].clone()).collect();
        write!(f, "{value:#}\n{}", self.stderr)
    }
}

/// A server of npm: the peer, and the program in its `node_modules`.
pub(crate) fn node(peer: &str, entry: &str) -> Vec<OsString> {
    let script = peers::folder().join("npm").join(peer).join("node_modules").join(entry);
    vec![peers::program("node").into(), there(script)]
}

/// One of the official servers of npm.
pub(crate) fn official(name: &str) -> Vec<OsString> {
    node("servers", &format!("@modelcontextprotocol/server-{name}/dist/index.js"))
}

/// A server of PyPI: the peer's virtual environment, and the module.
pub(crate) fn python(peer: &str, module: &str) -> Vec<OsString> {
    vec![there(peers::folder().join("python").join(peer).join("bin/python")), "-m".into(), module.into()]
}

/// A path that is there: no test passes for want of a server.
pub(crate) fn there(path: PathBuf) -> OsString {
    assert!(path.exists(), "{}: run scripts/peers.sh", path.display());
    path.into()
}
