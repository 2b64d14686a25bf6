//! A client of the Model Context Protocol that says one thing after the other, and waits for each answer.

use serde_json::{Value, json};

use crate::pen::launch::Running;

/// A session over the stdio of a started command.
pub(crate) struct Talk {
    pub(crate) running: Running,
    id: u64,
}

impl Talk {
    /// Shakes hands.
    pub(crate) fn begin(running: Running) -> Talk {
        let mut talk = Talk { running, id: 0 };
        let capabilities = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "network-test", "version": "1"}});
        talk.asks("initialize", &capabilities);
        talk.says(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        talk
    }

    /// Calls a tool; its text, and whether it is an error.
    pub(crate) fn calls(&mut self, tool: &str, arguments: &Value) -> (String, bool) {
        let answer = self.asks("tools/call", &json!({"name": tool, "arguments": arguments}));
        let result = &answer["result"];
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (if text.is_empty() { answer.to_string() } else { text }, result["isError"] == true)
    }

    /// One request and its answer.
    pub(crate) fn asks(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        let id = self.id;
        self.says(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let is_answer = move |line: &Value| line["id"] == id && line.get("method").is_none();
        self.running.wait_for_line(is_answer)
    }

    fn says(&mut self, message: &Value) {
        let taken = self.running.send(format!("{message}\n").as_bytes());
        assert!(taken, "{message} was not taken");
    }

    /// Ends it as a client does: its end of stdin is closed.
    pub(crate) fn ends(mut self) -> crate::pen::launch::Finished {
        self.running.close_stdin();
        self.running.finish()
    }
}
