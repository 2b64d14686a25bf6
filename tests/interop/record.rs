//! After a run through caponier, the log must hold what happened, and verify.

use std::process::Command;

use serde_json::Value;

use crate::peers;
use crate::servers::{Server, Stage};

/// `caponier audit …` over the log of the stage: its stdout.
pub(crate) fn audit(stage: &Stage, arguments: &[&str]) -> String {
    let done = Command::new(peers::caponier())
        .arg("audit")
        .args(arguments)
        .env_clear()
        .env("HOME", stage.home())
        .current_dir(stage.workspace())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "audit {arguments:?}: {}\n{stderr}", done.status);
    String::from_utf8(done.stdout).unwrap()
}

fn events(stage: &Stage, name: &str) -> Vec<Value> {
    let lines = audit(stage, &["query", "--jsonl", "--event", name]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every session ended in order, every call of the transcript is there with its end, and the chain verifies.
pub(crate) fn assert_complete(server: Server, stage: &Stage, seen: &Value) {
    audit(stage, &["verify"]);
    let starts = events(stage, "session.start");
    assert!(!starts.is_empty(), "{server:?}: nothing was recorded");
    assert!(
        starts.iter().all(|start| start["seq"] == 1 && start["profile"] == server.profile()),
        "{starts:?}"
    );
    assert_eq!(events(stage, "session.end").len(), starts.len(), "{server:?}: a session has no end");

    let asked: Vec<&Value> =
        seen["calls"].as_array().into_iter().flatten().map(|call| &call["call"]["tool"]).collect();
    for name in ["call.start", "call.end"] {
        let recorded = events(stage, name);
        let tools: Vec<&Value> = recorded.iter().map(|call| &call["tool"]).collect();
        assert_eq!(tools, asked, "{server:?}: {name}");
    }
}
