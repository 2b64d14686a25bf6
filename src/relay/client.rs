//! From the client to the server.
//!
//! The order for a call: judged, `call.start` written, forwarded. For a refused one: `call.start`, `message.denied`,
//! `call.end`, and only then the answer.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use crate::event::{Direction, Outcome};
use crate::jsonrpc::{
    Body, Class, Id, Invocation, Message, Outline, Payload, Reply, Response, ScanError, frame, scan,
};
use crate::mcp::answer;
use crate::mcp::gate::confirm::Question;
use crate::mcp::gate::{Admitted, Judgement};
use crate::mcp::pending::{Asked, Call};
use crate::mcp::refusal::Refusal;
use crate::policy::reason::Reason;
use crate::relay::pump::{Action, Side, batch_of};
use crate::relay::record::Ending;
use crate::relay::shared::Shared;
use crate::relay::{Notice, confirm};

/// This direction.
pub(super) struct FromClient {
    shared: Arc<Shared>,
    max_message: u64,
    /// The server takes nothing any more; the client is read on, to see its end.
    server_gone: bool,
}

impl FromClient {
    pub(super) fn new(shared: Arc<Shared>, max_message: u64) -> Self {
        FromClient { shared, max_message, server_gone: false }
    }

    /// Judges, admits and records one message, or holds it.
    fn pass(&self, message: &Message<'_>) -> Result<Action, Refusal> {
        let (admitted, listed, rewritten) = {
            let now = Instant::now();
            let mut gate = self.shared.gate();
            match gate.judge_client(message, now) {
                Judgement::Refuse(refusal) => return Err(refusal),
                Judgement::Pass(permit) => {
                    match gate.question(message, now)? {
                        None => {}
                        Some(Question::Ask { rule, form }) => {
                            drop(gate);
                            return confirm::ask(&self.shared, message, permit, (rule, form));
                        }
                        Some(Question::Again { id, answer }) => {
                            drop(gate);
                            return confirm::again(&self.shared, message, &id, answer);
                        }
                    }
                    let listed = message.tool().is_some_and(|tool| gate.is_listed(&tool));
                    let rewritten = gate.rewrite(message)?;
                    let admitted = gate.admit(permit, message, now);
                    self.shared.alarm.follow(&gate);
                    (admitted, listed, rewritten)
                }
            }
        };
        let written = match (&message.body, admitted) {
            (Body::Request(id, invocation), Admitted::Call(number)) => {
                self.shared.record.call_begins(number, id, invocation, message.raw.len(), listed)
            }
            (_, Admitted::TakesBack(held)) => return Ok(confirm::taken_back(&self.shared, &held)),
            (_, Admitted::Cancels(call)) => {
                // To take something back is never refused.
                let _ = self.shared.call_ends(&call, Ending::silent(Outcome::Cancelled));
                Ok(())
            }
            (Body::Response(response), Admitted::Answers(asking)) if asking.kind.is_told() => {
                let outcome = match response.reply {
                    Reply::Result { .. } => "ok",
                    Reply::Error { .. } => "rpc_error",
                };
                // The server waits for it, and learns nothing that the log must tell first: a failure was told to the session.
                let _ = self.shared.record.request_ends(&asking, outcome, rewritten.roots, message.raw.len());
                Ok(())
            }
            (Body::Request(..), _) => self.shared.record.ready(),
            _ => Ok(()),
        };
        written.map(|()| rewritten.text.map_or(Action::FORWARD, Action::rewritten)).map_err(|unwritable| {
            if let Body::Request(id, _) = &message.body {
                self.shared.gate().withdraw(id.key());
            }
            Refusal::unwritable(&unwritable.detail)
        })
    }

    fn single(&self, message: &Message<'_>) -> Action {
        if let Body::Response(response) = &message.body
            && let Some(action) = confirm::answered(&self.shared, response)
        {
            return action;
        }
        match self.pass(message) {
            Ok(action) => action,
            Err(refusal) => Action::instead(self.refuse(message, &refusal)),
        }
    }

    /// Records that a message was refused; the answer to it.
    fn refuse(&self, message: &Message<'_>, refusal: &Refusal) -> Option<String> {
        match &message.body {
            Body::Request(id, invocation) => Some(match invocation.tool() {
                Some(tool) => self.refuse_call(message, id, invocation, &tool, refusal),
                None => {
                    let event = self.denied(message, refusal);
                    self.error(Some(id), refusal, None, event.as_deref())
                }
            }),
            Body::Notification(_) => {
                self.denied(message, refusal);
                None
            }
            Body::Response(response) => {
                self.denied(message, refusal);
                self.end_asking(response, refusal);
                None
            }
        }
    }

    /// The server is told that there is no answer to what it asked, when the client's cannot be passed on.
    fn end_asking(&self, response: &Response<'_>, refusal: &Refusal) {
        let Some(id) = &response.id else { return };
        if matches!(
            refusal.denial.reason,
            Reason::MessageUnasked | Reason::MessageLate | Reason::MessageDirection
        ) {
            return;
        }
        let Some(asking) = self.shared.gate().settle(id.key()) else { return };
        let _ = self.shared.record.request_ends(&asking, "denied", None, 0);
        self.shared.refuse_server(id, refusal);
    }

    fn refuse_call(
        &self,
        message: &Message<'_>,
        id: &Id<'_>,
        invocation: &Invocation<'_>,
        tool: &str,
        refusal: &Refusal,
    ) -> String {
        let number = self.shared.gate().number_call();
        let call = Call { number, tool: tool.to_owned(), started: Instant::now() };
        // It is refused whether or not these can be written; a failure was told to the session.
        let listed = self.shared.gate().is_listed(tool);
        let _ = self.shared.record.call_start(number, id, invocation, message.raw.len(), listed);
        let event = self.denied(message, refusal);
        let told = self.shared.record.told(refusal);
        let answer = if self.shared.gate().awaits(id.key()) || confirm::is_about_state(refusal) {
            self.error(Some(id), refusal, None, event.as_deref())
        } else if refusal.is_unknown_tool() {
            answer::unknown_tool(id.raw(), tool, &told, event.as_deref())
        } else {
            answer::refused_call(id.raw(), tool, invocation.params.modern, &told, event.as_deref())
        };
        let _ = self.shared.record.call_denied(&call, Ending::denied(refusal, answer.len()));
        answer
    }

    /// The error for a refused request. An id that is in flight is not used: its own answer is still to come.
    fn error(
        &self,
        id: Option<&Id<'_>>,
        refusal: &Refusal,
        class: Option<Class>,
        event: Option<&str>,
    ) -> String {
        let id = id.filter(|id| !self.shared.gate().awaits(id.key())).map(Id::raw);
        let told = self.shared.record.told(refusal);
        answer::refused_request(id, &told, answer::code(refusal, class), event)
    }

    fn denied(&self, message: &Message<'_>, refusal: &Refusal) -> Option<String> {
        let what = (message.method().map(str::to_owned), message.tool().map(|tool| tool.into_owned()));
        self.shared.record.denied(Direction::ClientToServer, what, refusal, message.raw.len() as u64)
    }

    /// A batch goes on whole, or each of its messages is refused.
    fn batch(&self, messages: &[Message<'_>]) -> Action {
        let mut refusals = self.judge_all(messages);
        if let Some(first) = refusals.iter().flatten().next() {
            let others = Refusal::with_batch(first.denial.reason);
            let answers = messages
                .iter()
                .zip(&mut refusals)
                .filter_map(|(message, refusal)| self.refuse(message, refusal.as_ref().unwrap_or(&others)));
            return array(answers.collect());
        }
        let mut texts = Vec::with_capacity(messages.len());
        let failed = messages.iter().enumerate().find_map(|(n, message)| match self.pass(message) {
            Ok(action) => {
                // A server passes over the cancellation of what it never saw; nothing else of a batch is held.
                texts.push(action.text);
                None
            }
            Err(refusal) => Some((n, refusal)),
        });
        let Some((admitted, refusal)) = failed else {
            return batch_of(messages, &texts).map_or(Action::FORWARD, Action::rewritten);
        };
        let answers = messages.iter().enumerate().filter_map(|(n, message)| {
            if n < admitted { self.revoke(message, &refusal) } else { self.refuse(message, &refusal) }
        });
        array(answers.collect())
    }

    fn judge_all(&self, messages: &[Message<'_>]) -> Vec<Option<Refusal>> {
        let now = Instant::now();
        let mut gate = self.shared.gate();
        let mut ids = HashSet::new();
        messages
            .iter()
            .map(|message| match (&message.body, gate.judge_client(message, now)) {
                (_, Judgement::Refuse(refusal)) => Some(refusal),
                _ if let Some(refusal) = gate.refuse_in_batch(message, now) => Some(refusal),
                (Body::Request(id, _), _) if !ids.insert(id.key()) => {
                    Some(Refusal::ambiguous(format!("the id {} is twice in one batch", id.raw())))
                }
                _ => None,
            })
            .collect()
    }

    /// Takes back what was admitted and is not forwarded after all.
    fn revoke(&self, message: &Message<'_>, refusal: &Refusal) -> Option<String> {
        let Body::Request(id, invocation) = &message.body else { return None };
        let request = self.shared.gate().withdraw(id.key())?;
        let event = self.denied(message, refusal);
        let Asked::Call(call) = request.asked else {
            return Some(self.error(Some(id), refusal, None, event.as_deref()));
        };
        let told = self.shared.record.told(refusal);
        let answer =
            answer::refused_call(id.raw(), &call.tool, invocation.params.modern, &told, event.as_deref());
        let _ = self.shared.call_ends(&call, Ending::denied(refusal, answer.len()));
        Some(answer)
    }

    /// A line that is no message, or that cannot be looked at: recorded, and answered unless it asked for nothing.
    fn refuse_line(
        &self,
        outline: &Outline,
        refusal: &Refusal,
        class: Option<Class>,
        bytes: u64,
    ) -> Option<String> {
        let what = (outline.method(), None);
        let event = self.shared.record.denied(Direction::ClientToServer, what, refusal, bytes);
        let is_json = class != Some(Class::NotJson);
        if is_json && (outline.is_notification() || outline.is_response()) {
            return None;
        }
        let id = outline.id().filter(|_| is_json);
        Some(self.error(id.as_ref(), refusal, class, event.as_deref()))
    }

    fn unreadable(&self, content: &[u8], error: &ScanError, max_depth: u32) -> Action {
        let refusal = Refusal::unreadable(error, max_depth);
        let outline = Outline::of(content);
        Action::instead(self.refuse_line(&outline, &refusal, Some(error.fault.class()), content.len() as u64))
    }
}

/// The answers to a batch, as one line.
fn array(answers: Vec<String>) -> Action {
    Action::instead((!answers.is_empty()).then(|| format!("[{}]", answers.join(","))))
}

impl Side for FromClient {
    fn line(&mut self, line: &[u8]) -> Action {
        let content = frame::content(line);
        if self.server_gone {
            return Action::DROP;
        }
        if content.trim_ascii().is_empty() {
            return Action::FORWARD;
        }
        let shared = Arc::clone(&self.shared);
        let Some(_open) = shared.enter() else { return Action::DROP };
        let limits = shared.gate().limits();
        match scan(content, limits) {
            Ok(Payload::Single(message)) => self.single(&message),
            Ok(Payload::Batch(messages)) => self.batch(&messages),
            Err(error) => self.unreadable(content, &error, limits.max_depth),
        }
    }

    fn too_long(&mut self, outline: &Outline, bytes: u64) -> Option<String> {
        let _open = self.shared.enter()?;
        self.refuse_line(outline, &Refusal::too_long(bytes, self.max_message), None, bytes)
    }

    fn unjudged(&mut self, outline: &Outline, bytes: u64) -> Option<String> {
        let _open = self.shared.enter()?;
        self.refuse_line(outline, &Refusal::unjudged(), None, bytes)
    }

    fn forward(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.shared.server.write(bytes, || self.shared.notify(Notice::ClientGone)).is_err() {
            self.server_gone = true;
            self.shared.notify(Notice::ServerStdinClosed);
        }
        if self.shared.server.settle().is_some() {
            self.shared.alarm.wake();
        }
        Ok(())
    }

    fn answer(&mut self, mut line: String) -> io::Result<()> {
        line.push('\n');
        self.shared.client.write(line.as_bytes()).inspect_err(|_| self.shared.notify(Notice::ClientGone))
    }
}
