//! The gate's part in what servers ask of the client, and in the tasks that calls become.

use std::hash::BuildHasher as _;
use std::time::Instant;

use crate::jsonrpc::{Body, Id, IdKey, Invocation, Message, Raw, Reply, Response, members, replaced};
use crate::mcp::ask::{Asking, Input, Kind};
use crate::mcp::gate::{Gate, Overdue, Permit, Rewritten};
use crate::mcp::pending::{Asked, Request};
use crate::mcp::refusal::Refusal;
use crate::mcp::tasks::{self, Task};
use crate::mcp::{answer, caps};

/// The error of a tool that wants a link opened first (MCP 2025-11-25).
const LINKS_FIRST: i64 = -32_042;
/// What is written to a pipe whole or not at all (pipe(7): PIPE_BUF).
const LONGEST_SAID: usize = 4096;
/// The name that stands for the tool of a task that is not known.
const OTHER_TASK: &str = "a task of another session";

impl Gate {
    /// What the server may see of a message: no folders of the client's that it was not granted.
    ///
    /// # Errors
    /// What the client says of its folders has more than one meaning.
    pub fn rewrite(&self, message: &Message<'_>) -> Result<Rewritten, Refusal> {
        let mut answers = Vec::new();
        match &message.body {
            Body::Response(Response { id: Some(id), reply: Reply::Result { raw, .. } })
                if self.waiting.get(id.key()).is_some_and(|asking| asking.kind == Kind::Roots) =>
            {
                answers.push(*raw);
            }
            Body::Request(_, Invocation { params, .. }) => {
                if let Some(responses) = params.input_responses {
                    members(responses, |_, response| answers.push(response));
                }
            }
            _ => {}
        }
        let (mut pieces, mut roots) = (Vec::new(), None);
        for answer in answers {
            let found = self.asks.roots().intersect(answer)?;
            if found.shown + found.hidden > 0 {
                let (shown, hidden) = roots.unwrap_or_default();
                roots = Some((shown + found.shown, hidden + found.hidden));
            }
            pieces.extend(found.text.map(|text| (answer, text)));
        }
        let text = (!pieces.is_empty()).then(|| replaced(message.raw, &pieces));
        Ok(Rewritten { text, roots })
    }

    /// Why nothing is asked about a task any more: it has taken longer than the call that it was may take.
    pub(super) fn refuse_task(&self, invocation: &Invocation<'_>, now: Instant) -> Option<Refusal> {
        if !matches!(&*invocation.method, "tasks/result" | "tasks/get" | "tasks/update") {
            return None;
        }
        let task = self.tasks.get(invocation.params.task_id)?;
        task.deadline.filter(|deadline| *deadline <= now)?;
        Some(caps::timed_out(&caps::timeout(&self.tools, &task.tool)?))
    }

    pub(super) fn judge_asking(&self, id: &Id<'_>, invocation: &Invocation<'_>) -> Result<Kind, Refusal> {
        if !self.greeted && invocation.method != "ping" {
            return Err(Refusal::too_early());
        }
        let kind = self.asks.judge(&invocation.method, invocation.params.raw, self.announced)?;
        self.waiting.refuse(id, kind).map_or(Ok(kind), Err)
    }

    /// A request of the server's goes to the client, at `now`: its running number, where it is worth a line.
    pub fn asks(
        &mut self,
        _permit: Permit,
        id: &Id<'_>,
        invocation: &Invocation<'_>,
        now: Instant,
    ) -> Option<u64> {
        let kind = self.judge_asking(id, invocation).ok()?;
        let number = self.waiting.ask(id, kind, &invocation.method, now);
        kind.is_told().then_some(number)
    }

    /// A running number for something that a result asks for.
    pub fn number_request(&mut self) -> u64 {
        self.waiting.number()
    }

    /// Whether the client still has to answer a request of the server's with this id.
    pub fn is_asked(&self, id: &IdKey) -> bool {
        self.waiting.get(id).is_some()
    }

    /// A request of the server's is over, whether or not the client answered.
    pub fn settle(&mut self, id: &IdKey) -> Option<Asking> {
        self.waiting.answer(id)
    }

    /// A notification of the server's, so many bytes long: why it goes no further, if it does not; what it takes back,
    /// if it does so.
    ///
    /// # Errors
    /// It says of a task what an answer could not have said.
    pub fn hear(&mut self, invocation: &Invocation<'_>, bytes: usize) -> Result<Option<Asking>, Refusal> {
        match &*invocation.method {
            "notifications/cancelled" => {
                let id = invocation.params.request_id.and_then(|raw| raw.id());
                Ok(id.and_then(|id| self.waiting.take_back(id.key())))
            }
            "notifications/tasks" | "notifications/tasks/status" => {
                let tool = self.tasks.get(invocation.params.task_id).map_or(OTHER_TASK, |task| &task.tool);
                let mut inputs = None;
                if let Some(params) = invocation.params.raw {
                    members(params, |name, value| {
                        inputs = inputs.or((name == "inputRequests").then_some(value))
                    });
                }
                if let Some(inputs) = inputs {
                    self.asks.judge_inputs(inputs, self.announced)?;
                }
                if let Some(refusal) = self.refuse_result(tool, bytes) {
                    return Err(refusal);
                }
                let id = invocation.params.task_id.and_then(Raw::string);
                if let (Some(id), Some(params)) = (id, invocation.params.raw) {
                    self.tasks.hear(&id, params);
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// What is asked about a task. One that is not known is held to what holds for every tool.
    pub(super) fn task(&self, invocation: &Invocation<'_>, result: bool) -> Asked {
        let id = invocation.params.task_id;
        // Of one that is not known nothing is kept: its id may be of any length.
        let (tool, task) = match (self.tasks.get(id), id.and_then(Raw::string)) {
            (Some(task), Some(id)) => (task.tool.clone(), (*id).into()),
            _ => (OTHER_TASK.to_owned(), "".into()),
        };
        Asked::Task { tool, task, result }
    }

    /// The tasks that are too late at `now`, and not over, as far as is known.
    pub fn expire_tasks(&mut self, now: Instant) -> Vec<Overdue> {
        let late = self.tasks.expire(now).into_iter().filter_map(|(id, task)| {
            let refusal = caps::timed_out(&caps::timeout(&self.tools, &task.tool)?);
            Some((id, task, refusal))
        });
        let late: Vec<_> = late.collect();
        let taken_back = |(id, task, refusal): (Box<str>, Task, Refusal)| {
            let cancel = self.cancel_task(&id, task.modern)?;
            Some(Overdue { tool: task.tool, refusal, cancel })
        };
        late.into_iter().filter_map(taken_back).collect()
    }

    /// An answer came too late: when it says that the call became a task, nobody will ever ask about that. The request that
    /// takes it back.
    pub fn orphan(&mut self, request: &Request, reply: Reply<'_>) -> Option<String> {
        let Reply::Result { raw, result_type, .. } = reply else { return None };
        let says_so = result_type.and_then(Raw::string).as_deref() == Some("task");
        if request.asked != Asked::TimedOut || !request.task && !says_so {
            return None;
        }
        let task = tasks::named(raw, says_so).ok().flatten()?;
        self.cancel_task(&task, request.modern)
    }

    /// A request of ours that takes a task back, with its line end; `None`: it would be too long to be said between two messages.
    fn cancel_task(&mut self, task: &str, modern: bool) -> Option<String> {
        let number = self.number_request();
        let id = format!("\"caponier-{:016x}-{number}\"", self.ids.hash_one(number));
        let line = answer::cancel_task(&id, task, modern);
        if line.len() > LONGEST_SAID {
            return None;
        }
        self.pending.expect(&Id::parse(&id)?);
        Some(line)
    }

    /// Judges what a result asks for before it is one, and keeps track of the task that a call became.
    pub(super) fn judge_result(
        &mut self,
        request: &Request,
        reply: Reply<'_>,
    ) -> Result<Vec<Input>, Refusal> {
        match reply {
            Reply::Result { raw, result_type, input_requests, .. } => {
                let inputs = match input_requests {
                    Some(inputs) => self.asks.judge_inputs(inputs, request.announced)?,
                    None => Vec::new(),
                };
                let says_so = result_type.and_then(Raw::string).as_deref() == Some("task");
                if let (Asked::Call(call), true) = (&request.asked, request.task || says_so) {
                    let timeout = caps::timeout(&self.tools, &call.tool);
                    let deadline = timeout.and_then(|timeout| call.started.checked_add(timeout.value));
                    let task = Task { tool: call.tool.clone(), modern: request.modern, deadline };
                    self.tasks.learn(raw, says_so, task)?;
                }
                match &request.asked {
                    Asked::Task { task, result: true, .. } => self.tasks.end(task),
                    Asked::Task { task, result: false, .. } => self.tasks.hear(task, raw),
                    _ => {}
                }
                Ok(inputs)
            }
            Reply::Error { code: Some(LINKS_FIRST), data: Some(data) } => {
                self.asks.judge_links(data, request.announced).map(|()| Vec::new())
            }
            Reply::Error { .. } => Ok(Vec::new()),
        }
    }
}
