//! The tools whose calls became tasks, by the task's id: what holds for the tool holds for its tasks.
//!
//! A call becomes a task because the client says so (`params.task`, 2025-11-25) or because the server does
//! (`resultType: "task"`, the extension `io.modelcontextprotocol/tasks` of 2026-07-28). What is asked about a task is judged by
//! the tool that it belongs to; the time that a call may take counts from the call. A task that is not known here
//! (another session's) is held to what holds for all tools. One that is not over when its time is gets taken back.

use std::collections::{BTreeMap, HashMap, VecDeque};
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
    /// Whether it was asked for in the modern era.
    pub(super) modern: bool,
    /// When it is too late for anything but to take it back.
    pub(super) deadline: Option<Instant>,
}

/// The table; the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    known: HashMap<Box<str>, Task>,
    order: VecDeque<Box<str>>,
    /// Those that are not over, by when they are too late; the number tells apart what is late at the same time.
    due: BTreeMap<(Instant, u64), Box<str>>,
    dues: HashMap<Box<str>, (Instant, u64)>,
    numbered: u64,
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
        let Some(id) = named(result, says_so)? else { return Ok(()) };
        self.end(&id);
        if let Some(deadline) = task.deadline {
            self.numbered += 1;
            self.due.insert((deadline, self.numbered), id.clone());
            self.dues.insert(id.clone(), (deadline, self.numbered));
        }
        if self.known.insert(id.clone(), task).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.end(&oldest);
            self.known.remove(&oldest);
        }
        Ok(())
    }

    /// A task is over, or taken back: when its time is, there is nothing left to do.
    pub(super) fn end(&mut self, id: &str) {
        if let Some(due) = self.dues.remove(id) {
            self.due.remove(&due);
        }
    }

    /// What an answer about a task, or a notification, says of it: that it is over, if it is.
    pub(super) fn hear(&mut self, id: &str, about: Raw<'_>) {
        let mut status = None;
        members(about, |name, value| match &*name {
            "status" => status = Some(value),
            "task" if value.0.starts_with('{') => members(value, |name, value| {
                if name == "status" {
                    status = Some(value);
                }
            }),
            _ => {}
        });
        if matches!(status.and_then(Raw::string).as_deref(), Some("completed" | "failed" | "cancelled")) {
            self.end(id);
        }
    }

    /// When the next task is too late.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// The tasks that are too late at `now`, and not over: their ids.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(Box<str>, Task)> {
        let mut late = Vec::new();
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            let Some((_, id)) = self.due.pop_first() else { break };
            self.dues.remove(&id);
            late.extend(self.known.get(&id).cloned().map(|task| (id, task)));
        }
        late
    }
}

/// The id of the task that the result of a call names. `says_so`: by its `resultType` it is one.
///
/// # Errors
/// It is one, and nobody could tell what is asked about it later.
pub(super) fn named(result: Raw<'_>, says_so: bool) -> Result<Option<Box<str>>, Refusal> {
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
        (false, None) => return Ok(None),
    };
    let Some(id) = id.and_then(Raw::string).filter(|id| id.len() <= MAX_ID) else {
        return Err(Refusal::malformed("a task without an id that can be kept track of"));
    };
    Ok(Some((*id).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(tool: &str) -> Task {
        Task { tool: tool.into(), modern: false, deadline: None }
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

    #[test]
    fn what_is_not_over_in_time_is_told_once() {
        let start = Instant::now();
        let at = |seconds| start + std::time::Duration::from_secs(seconds);
        let mut tasks = Tasks::default();
        for (id, seconds) in [("a", 30), ("b", 10), ("c", 10), ("d", 10), ("e", 10)] {
            let result = format!(r#"{{"task":{{"taskId":"{id}"}}}}"#);
            let late = Task { deadline: Some(at(seconds)), ..task(id) };
            tasks.learn(Raw(&result), false, late).unwrap();
        }
        assert_eq!(tasks.deadline(), Some(at(10)));
        tasks.hear("b", Raw(r#"{"taskId":"b","status":"completed"}"#));
        tasks.hear("c", Raw(r#"{"task":{"status":"working"}}"#));
        tasks.hear("d", Raw(r#"{"task":{"status":"cancelled"}}"#));
        tasks.end("e");
        assert!(tasks.expire(at(9)).is_empty());
        let late: Vec<Box<str>> = tasks.expire(at(10)).into_iter().map(|(id, _)| id).collect();
        assert_eq!(late, ["c".into()]);
        assert!(tasks.expire(at(29)).is_empty());
        assert_eq!(tasks.expire(at(30)).len(), 1);
        assert_eq!((tasks.due.len(), tasks.dues.len(), tasks.deadline()), (0, 0, None));
    }
}
