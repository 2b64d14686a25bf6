//! A server that says of itself what a test wants, and the pins of it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::peers;
use crate::session::{Session, Stage};

/// Says of itself what a file in its workspace says at that moment, and answers every call.
pub(crate) const SERVER: &str = r#"
import errno, json, sys

def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()

LISTS = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources",
    "resources/templates/list": "resourceTemplates"}

for line in sys.stdin:
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    itself = json.load(open("itself.json"))
    modern = "io.modelcontextprotocol/protocolVersion" in params.get("_meta", {})
    kind = {"resultType": "complete"} if modern else {}
    told = {"instructions": itself["instructions"]} if "instructions" in itself else {}
    offers = {"tools": {}, "prompts": {}, "resources": {}}
    if method == "initialize":
        say({"jsonrpc": "2.0", "id": id, "result": {"protocolVersion": params["protocolVersion"],
            "capabilities": offers, **told, "serverInfo": {"name": "turns", "version": "1"}}})
    elif method == "server/discover":
        say({"jsonrpc": "2.0", "id": id, "result": {"supportedVersions": ["2026-07-28"], **kind,
            "capabilities": offers, **told, "serverInfo": {"name": "turns", "version": "1"}}})
    elif method in LISTS:
        # As many at a time as it says of itself; the first cursor is empty.
        all, size = itself.get(LISTS[method], []), itself.get("page", 10000)
        at = int(params["cursor"] or size) if "cursor" in params else 0
        next = at + size
        more = {"nextCursor": "" if at == 0 else str(next)} if next < len(all) else {}
        fresh = {"ttlMs": 60000} if modern else {}
        say({"jsonrpc": "2.0", "id": id, "result": {**kind, **fresh, LISTS[method]: all[at:next], **more}})
    elif method == "tools/call" and params["name"] == "touch":
        came = []
        for path in itself["touch"]:
            try:
                open(path, "a").close()
                came.append("ok")
            except OSError as error:
                came.append(errno.errorcode[error.errno])
        say({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": " ".join(came)}]}})
    elif method == "tools/call":
        say({"jsonrpc": "2.0", "id": id, "result": {**kind, "content": [{"type": "text", "text": "done"}]}})
    elif method == "prompts/get":
        say({"jsonrpc": "2.0", "id": id, "result": {**kind, "messages": []}})
    elif method == "resources/read":
        say({"jsonrpc": "2.0", "id": id, "result": {**kind, "contents": [{"uri": params["uri"], "text": "read"}]}})
    elif id is not None:
        say({"jsonrpc": "2.0", "id": id, "result": kind})
"#;

pub(crate) fn read_tool() -> Value {
    json!({
        "name": "read", "description": "Reads a page.",
        "inputSchema": {"type": "object", "properties": {"page": {"type": "string"}}, "required": ["page"]},
    })
}

pub(crate) fn list_tool() -> Value {
    json!({
        "name": "list", "description": "Lists pages.", "annotations": {"readOnlyHint": false},
        "inputSchema": {"type": "object", "properties": {"order": {"enum": ["name", "date"]}}},
    })
}

pub(crate) struct Scene(pub(crate) Stage);

impl Scene {
    pub(crate) fn new() -> Scene {
        let scene = Scene(Stage::set());
        scene.is(&json!({"instructions": "Pages are notes.", "tools": [read_tool(), list_tool()]}));
        scene
    }

    /// What the server says from now on.
    pub(crate) fn is(&self, itself: &Value) {
        let (new, file) = (self.0.at("work/itself.new"), self.0.at("work/itself.json"));
        fs::write(&new, itself.to_string()).unwrap();
        fs::rename(new, file).unwrap();
    }

    pub(crate) fn starts(&self, pins: &str) -> Session {
        let toml = format!(
            "filesystem.read = [{{ path = \"${{workspace}}\", reason = \"what it says of itself\" }}]\nprotocol.pins = \"{pins}\""
        );
        self.0.scripted(SERVER, &toml)
    }

    /// A session that was greeted in the legacy era, and the answer to that.
    pub(crate) fn greeted(&self, pins: &str) -> (Session, Value) {
        let mut session = self.starts(pins);
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
        let answer = session.ask("initialize", &hello);
        (session, answer)
    }

    /// One whole session: the names that are shown.
    pub(crate) fn shown(&self, pins: &str) -> Vec<String> {
        let (mut session, _) = self.greeted(pins);
        let names = names(&session.tools());
        session.end();
        names
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.at("home/.local/state/caponier/pins/scripted.json")
    }

    pub(crate) fn server(&self, words: &[&str]) -> Output {
        let mut command = Command::new(peers::caponier());
        command.arg("server").args(words).env("HOME", self.0.at("home"));
        for variable in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
            command.env_remove(variable);
        }
        command.output().unwrap()
    }

    /// All that a session shows of a list, page by page, by the member `key`.
    pub(crate) fn listed(session: &mut Session, method: &str, list: &str, key: &str) -> Vec<String> {
        let (mut all, mut params) = (Vec::new(), json!({}));
        loop {
            let answer = session.ask(method, &params);
            let page = answer["result"][list].as_array().unwrap_or_else(|| panic!("{answer}"));
            all.extend(page.iter().map(|it| it[key].as_str().unwrap_or_default().to_owned()));
            match &answer["result"]["nextCursor"] {
                Value::String(next) => params = json!({ "cursor": next }),
                _ => return all,
            }
        }
    }

    /// `(name, fate, class)` of everything that `server diff --json` shows.
    pub(crate) fn diff(&self) -> Vec<(String, String, String)> {
        let output = self.server(&["diff", "scripted", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let changes = report["changes"].as_array().unwrap();
        let waits = changes.iter().any(|change| change["needs_approval"] == true);
        assert_eq!(output.status.code(), Some(i32::from(waits)), "{output:?}");
        changes.iter().map(|it| (word(&it["name"]), word(&it["fate"]), word(&it["class"]))).collect()
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.0.at("stderr")).unwrap()
    }
}

pub(crate) fn names(tools: &[Value]) -> Vec<String> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn with(mut tool: Value, pointer: &str, value: Value) -> Value {
    *tool.pointer_mut(pointer).unwrap() = value;
    tool
}
