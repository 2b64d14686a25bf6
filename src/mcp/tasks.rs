//! The tools whose calls became tasks, by the task's id: what holds for the tool holds for its tasks.
//!
//! A call becomes a task because the client says so (`params.task`, 2025-11-25) or because the server does
//! (`resultType: "task"`, the extension `io.modelcontextprotocol/tasks` of 2026-07-28). What is asked about a task is judged by
//! the tool that it belongs to; the time that a call may take counts from the call. A task that is not known here
//! (another session's) is held to what holds for all tools.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::jsonrpc::{Raw, members};
use crate::mcp::pending::MAX;
use crate::mcp::refusal::Refusal;

/// Longest id of a task that is kept track of, in bytes.
const MAX_ID: usize = 1024;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) tool: String,
    /// When it is too late for anything but to take it back.
    pub(super) deadline: Option<Instant>,
}

/// The table; the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    known: HashMap<Box<str>, Task>,
    order: VecDeque<Box<str>>,
}

impl Tasks {
    /// The task with the id of a request or a notification.
    pub(super) fn get(&self, id: Option<Raw<'_>>) -> Option<&Task> {
        self.known.get(&*id?.string()?)
    }

    /// Learns from the result of a call whether it became a task. `says_so`: by its `resultType`.
    ///
    /// # Errors
    /// It did, and nobody could tell what is asked about it later.
    pub(super) fn learn(&mut self, result: Raw<'_>, says_so: bool, task: Task) -> Result<(), Refusal> {
        let (mut inner, mut id) = (None, None);
        members(result, |name, value| match &*name {
            "task" if value.0.starts_with('{') => inner = Some(value),
            "taskId" => id = Some(value),
            _ => {}
        });
        let id = match (says_so, inner) {
            (true, _) => id,
            (false, Some(inner)) => {
                let mut id = None;
                members(inner, |name, value| {
                    if name == "taskId" {
                        id = Some(value);
                    }
                });
                id
            }
            (false, None) => return Ok(()),
        };
        let Some(id) = id.and_then(Raw::string).filter(|id| id.len() <= MAX_ID) else {
            return Err(Refusal::malformed("a task without an id that can be kept track of"));
        };
        let id: Box<str> = (*id).into();
        if self.known.insert(id.clone(), task).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.known.remove(&oldest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(tool: &str) -> Task {
        Task { tool: tool.into(), deadline: None }
    }

    #[test]
    fn both_eras_name_their_tasks() {
        let mut tasks = Tasks::default();
        tasks.learn(Raw(r#"{"task":{"taskId":"a","status":"working"}}"#), false, task("legacy")).unwrap();
        tasks
            .learn(Raw(r#"{"resultType":"task","taskId":"b","task":{"taskId":"x"}}"#), true, task("modern"))
            .unwrap();
        tasks.learn(Raw(r#"{"content":[],"taskId":"c"}"#), false, task("none")).unwrap();
        let tool = |id| tasks.get(Some(Raw(id))).map(|task| task.tool.as_str());
        assert_eq!(
            (tool(r#""a""#), tool(r#""\u0062""#), tool(r#""c""#)),
            (Some("legacy"), Some("modern"), None)
        );
    }

    #[test]
    fn a_task_that_nobody_could_follow_is_refused() {
        let mut tasks = Tasks::default();
        let long = format!(r#"{{"task":{{"taskId":"{}"}}}}"#, "x".repeat(MAX_ID + 1));
        for (result, says_so) in
            [(r#"{"task":{}}"#, false), (&*long, false), (r#"{"taskId":1}"#, true), ("{}", true)]
        {
            assert!(tasks.learn(Raw(result), says_so, task("t")).is_err(), "{result}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut tasks = Tasks::default();
        for n in 0..MAX + 5 {
            tasks.learn(Raw(&format!(r#"{{"task":{{"taskId":"{n}"}}}}"#)), false, task("t")).unwrap();
        }
        assert_eq!((tasks.known.len(), tasks.order.len()), (MAX, MAX));
        assert!(tasks.get(Some(Raw(r#""4""#))).is_none() && tasks.get(Some(Raw(r#""5""#))).is_some());
    }
}
