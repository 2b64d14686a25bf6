//! From the server to the client.
//!
//! The order for an answer: `call.end` written, forwarded. What does not reach the client is dropped and recorded;
//! when somebody waits for it, an error takes its place, so that no client hangs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::event::{Direction, Outcome, WINDOW, text};
use crate::jsonrpc::{
    Body, Class, Id, Invocation, Message, Outline, Payload, Reply, Response, ScanError, frame, replaced, scan,
};
use crate::mcp::answer;
use crate::mcp::ask::Input;
use crate::mcp::catalog::{Hidden, Listing};
use crate::mcp::gate::{Arrival, Judgement, Permit};
use crate::mcp::pending::{Asked, Call, Request};
use crate::mcp::pins::Kind;
use crate::mcp::refusal::Refusal;
use crate::mcp::visible::visible;
use crate::policy::Stdout;
use crate::policy::reason::Reason;
use crate::relay::deadline;
use crate::relay::excerpt::Excerpts;
use crate::relay::notifications::{Flow, LONGEST};
use crate::relay::pins;
use crate::relay::pump::{Action, Side, batch_of};
use crate::relay::record::Ending;
use crate::relay::shared::Shared;

/// Characters of a dropped line that are copied to stderr.
const COPIED: usize = 400;

/// A message that goes no further.
struct Withheld {
    refusal: Refusal,
    /// What waited for it.
    request: Option<Request>,
    /// It is one of many, of which nothing more is told.
    silent: bool,
}

impl Withheld {
    fn of(refusal: Refusal, request: Option<Request>) -> Box<Self> {
        Box::new(Withheld { refusal, request, silent: false })
    }
}

/// This direction.
pub(super) struct FromServer {
    shared: Arc<Shared>,
    max_message: u64,
    stdout: Stdout,
    noise: Mutex<Excerpts>,
}

impl FromServer {
    pub(super) fn new(shared: Arc<Shared>, max_message: u64, stdout: Stdout) -> Self {
        FromServer { shared, max_message, stdout, noise: Mutex::default() }
    }

    /// Judges one message and records what it ends; its text, where that is not what the server wrote.
    fn pass(&self, message: &Message<'_>) -> Result<Option<String>, Box<Withheld>> {
        let (Arrival { request, listing, inputs }, reply) = {
            let mut gate = self.shared.gate();
            match (gate.judge_server(message), &message.body) {
                (Judgement::Refuse(refusal), body) => {
                    if let Body::Response(Response { id: Some(id), reply }) = body
                        && let Some(late) = gate.withdraw(id.key())
                        && let Some(cancel) = gate.orphan(&late, *reply)
                    {
                        drop(gate);
                        self.shared.server.say(cancel.into_bytes());
                        self.shared.alarm.wake();
                    }
                    return Err(Withheld::of(refusal, None));
                }
                (Judgement::Pass(permit), Body::Response(response)) => {
                    let Some(arrival) = gate.arrive(permit, response) else { return Ok(None) };
                    (arrival, response.reply)
                }
                (Judgement::Pass(permit), Body::Request(id, invocation)) => {
                    drop(gate);
                    return self.ask(permit, id, invocation, message.raw.len());
                }
                (Judgement::Pass(_), Body::Notification(invocation)) => {
                    drop(gate);
                    return self.hear(invocation, message.raw.len());
                }
            }
        };
        if request.asked == Asked::Ours {
            return Err(Box::new(Withheld { refusal: Refusal::late(), request: None, silent: true }));
        }
        // A task may have a deadline of its own now.
        self.shared.alarm.follow(&self.shared.gate());
        let listing = match listing {
            Ok(listing) => listing,
            Err(refusal) => return Err(Withheld::of(refusal, Some(request))),
        };
        if matches!(request.asked, Asked::Tools(_) | Asked::Listed(..) | Asked::Initialize)
            && let Err(refusal) = pins::settle(&self.shared)
        {
            return Err(Withheld::of(refusal, Some(request)));
        }
        self.tell_hidden(&request, &listing, message.raw.len());
        for input in &inputs {
            let number = self.shared.gate().number_request();
            let Input { key, method, params } = input;
            let written =
                self.shared.record.request_begins(number, key, method, params.as_deref(), message.raw.len());
            if let Err(unwritable) = written {
                let refusal = Refusal::unwritable(&unwritable.detail);
                return Err(Withheld::of(refusal, Some(request)));
            }
        }
        if let Asked::Call(Call { tool, .. }) | Asked::Task { tool, .. } = &request.asked
            && let Some(refusal) = self.shared.gate().refuse_result(tool, message.raw.len())
        {
            return Err(Withheld::of(refusal, Some(request)));
        }
        let Asked::Call(call) = &request.asked else {
            return Ok(listing.result.map(|result| instead(message, reply, result)));
        };
        let (outcome, error_code) = match reply {
            Reply::Result { is_error: false, .. } => (Outcome::Ok, None),
            Reply::Result { is_error: true, .. } => (Outcome::ToolError, None),
            Reply::Error { code, .. } => (Outcome::RpcError, code),
        };
        let ending = Ending { outcome, error_code, bytes: message.raw.len(), reason: None };
        match self.shared.call_ends(call, ending) {
            Ok(()) => Ok(None),
            Err(unwritable) => {
                let refusal = Refusal::unwritable(&unwritable.detail);
                Err(Withheld::of(refusal, Some(request)))
            }
        }
    }

    /// A request goes to the client, unless there are too many or it cannot be recorded.
    fn ask(
        &self,
        permit: Permit,
        id: &Id<'_>,
        invocation: &Invocation<'_>,
        bytes: usize,
    ) -> Result<Option<String>, Box<Withheld>> {
        let now = Instant::now();
        let withheld = |refusal| Err(Withheld::of(refusal, None));
        match self.shared.notifications().request(now) {
            Flow::On(lost) => self.shared.record.lost_notifications(lost),
            Flow::First | Flow::Over => return withheld(Refusal::many_requests()),
        }
        let Some(number) = self.shared.gate().asks(permit, id, invocation, now) else { return Ok(None) };
        let params = invocation.params.raw.map(|raw| raw.0);
        match self.shared.record.request_begins(number, id.raw(), &invocation.method, params, bytes) {
            Ok(()) => Ok(None),
            Err(unwritable) => {
                self.shared.gate().settle(id.key());
                withheld(Refusal::unwritable(&unwritable.detail))
            }
        }
    }

    /// A notification goes to the client, unless it is too long, one of a flood, or says what an answer may not.
    fn hear(&self, invocation: &Invocation<'_>, bytes: usize) -> Result<Option<String>, Box<Withheld>> {
        let withheld = |refusal| Err(Withheld::of(refusal, None));
        let flow = self.shared.notifications().notification(&invocation.method, Instant::now());
        match flow {
            Flow::On(lost) => self.shared.record.lost_notifications(lost),
            Flow::First => return withheld(Refusal::flood()),
            Flow::Over => {
                return Err(Box::new(Withheld { refusal: Refusal::flood(), request: None, silent: true }));
            }
        }
        let is_result = matches!(&*invocation.method, "notifications/tasks" | "notifications/tasks/status");
        if bytes as u64 > LONGEST && !is_result {
            return withheld(Refusal::long_notification(bytes as u64, LONGEST));
        }
        let heard = self.shared.gate().hear(invocation, bytes);
        match heard {
            Ok(Some(asking)) => {
                // To take something back is never refused.
                let _ = self.shared.record.request_ends(&asking, "cancelled", None, 0);
                Ok(None)
            }
            Ok(None) => Ok(None),
            Err(refusal) => withheld(refusal),
        }
    }

    /// Records each definition that nobody could rely on. That the policy hides one is no event: its own line
    /// says so, and every call of it leaves one.
    fn tell_hidden(&self, request: &Request, listing: &Listing, bytes: usize) {
        let kind = match &request.asked {
            Asked::Listed(kind, _) => *kind,
            _ => Kind::Tool,
        };
        let method = kind.list().map(|(method, _)| method.to_owned());
        for Hidden { name, defect } in &listing.hidden {
            let Some(refusal) = defect else { continue };
            self.metered(|| {
                let what = (method.clone(), (kind == Kind::Tool).then(|| name.clone()));
                self.shared.record.denied(Direction::ServerToClient, what, refusal, bytes as u64);
                let told = self.shared.record.without_secrets(&format!(
                    "the {} \"{name}\" is not shown to the client ({}: {})",
                    kind.noun(),
                    refusal.denial.reason,
                    refusal.detail
                ));
                self.shared.stderr.note(&visible(&told, COPIED));
            });
        }
    }

    /// A batch goes on whole, or an error takes the place of each answer in it.
    fn batch(&self, messages: &[Message<'_>], content: &[u8]) -> Action {
        let judged = |message| match self.shared.gate().judge_server(message) {
            Judgement::Refuse(refusal) => Some(refusal),
            Judgement::Pass(_) => None,
        };
        let mut texts = Vec::with_capacity(messages.len());
        let refused = match messages.iter().find_map(judged) {
            Some(refusal) => Some((0, *Withheld::of(refusal, None))),
            None => messages.iter().enumerate().find_map(|(n, message)| match self.pass(message) {
                Ok(text) => {
                    texts.push(text);
                    None
                }
                Err(withheld) => Some((n, *withheld)),
            }),
        };
        let Some((first, Withheld { refusal, request, silent })) = refused else {
            let text = batch_of(messages, &texts);
            return text.map_or(Action::FORWARD, |text| Action::instead(Some(text)));
        };
        if !silent {
            self.dropped((None, None), &refusal, content);
        }
        messages.iter().for_each(|message| self.refuse_asking(message, &refusal));
        let waiting = messages.iter().skip(first).filter_map(|message| match &message.body {
            Body::Response(response) => self.shared.gate().withdraw(response.id.as_ref()?.key()),
            _ => None,
        });
        let answers: Vec<String> = request
            .into_iter()
            .chain(waiting)
            .filter_map(|request| self.withhold(request, &refusal, content.len() as u64))
            .collect();
        Action::instead((!answers.is_empty()).then(|| format!("[{}]", answers.join(","))))
    }

    /// Records that what somebody waits for does not come; what they get instead.
    fn withhold(&self, request: Request, refusal: &Refusal, bytes: u64) -> Option<String> {
        let tool = match &request.asked {
            Asked::Call(call) => Some(call.tool.clone()),
            _ => None,
        };
        let method = tool.as_ref().map(|_| "tools/call".to_owned());
        let event = self.shared.record.denied(Direction::ServerToClient, (method, tool), refusal, bytes);
        let (event, told) = (event.as_deref(), self.shared.record.told(refusal));
        match request.asked {
            Asked::Call(call) => {
                let answer = answer::refused_call(&request.id, &call.tool, request.modern, &told, event);
                let _ = self.shared.call_ends(&call, Ending::denied(refusal, answer.len()));
                Some(answer)
            }
            // Nobody waits for this any more.
            Asked::Cancelled | Asked::TimedOut | Asked::Withdrawn | Asked::Ours => None,
            Asked::Task { tool, result: true, .. } => {
                Some(answer::refused_call(&request.id, &tool, request.modern, &told, event))
            }
            Asked::Initialize | Asked::Tools(_) | Asked::Listed(..) | Asked::Task { .. } | Asked::Other => {
                Some(answer::refused_request(Some(&request.id), &told, answer::code(refusal, None), event))
            }
        }
    }

    /// Tells the server that its request is refused, where it can be told from an answer to another one. In the modern
    /// era there is no such answer.
    fn refuse_asking(&self, message: &Message<'_>, refusal: &Refusal) {
        let Body::Request(id, _) = &message.body else { return };
        let is_taken = self.shared.gate().is_asked(id.key());
        if !is_taken && refusal.denial.reason != Reason::MessageDirection {
            self.shared.refuse_server(id, refusal);
        }
    }

    /// A message that goes no further, and that nobody waits for.
    fn dropped(&self, what: (Option<String>, Option<String>), refusal: &Refusal, content: &[u8]) {
        self.metered(|| {
            self.shared.record.denied(Direction::ServerToClient, what, refusal, content.len() as u64);
            self.note(
                &format!(
                    "a message of the server's was refused ({}: {})",
                    refusal.denial.reason, refusal.detail
                ),
                content,
            );
        });
    }

    /// A line that is no message at all.
    fn noise(&self, content: &[u8]) -> Action {
        let relaxed = self.stdout == Stdout::Relaxed;
        if relaxed && !is_harmless(content) {
            let detail = "not a message, but a reader might find one in it";
            self.dropped((None, None), &Refusal::ambiguous(detail), content);
            return Action::DROP;
        }
        let mut excerpts = self.noise.lock().unwrap_or_else(PoisonError::into_inner);
        let told = self.metered(|| {
            let excerpt = self.shared.record.noise(&mut excerpts, content);
            if !relaxed {
                let what = "the server wrote something to stdout that is not a message";
                self.note(what, excerpt.as_bytes());
            }
        });
        if !told {
            self.shared.record.pass_over(&mut excerpts, content);
        }
        if relaxed { Action::FORWARD } else { Action::DROP }
    }

    /// Runs `tell` at the rate at which lines are told one by one, and counts them beyond.
    fn metered(&self, tell: impl FnOnce()) -> bool {
        let admitted = self.shared.meter().admit(Instant::now());
        if let Some(lost) = admitted {
            self.shared.record.lost(lost);
            tell();
        }
        admitted.is_some()
    }

    fn note(&self, what: &str, content: &[u8]) {
        // As in the log: no part of a secret where the copy ends.
        let head = content.get(..COPIED * 4 + WINDOW).unwrap_or(content);
        let (what, copy) =
            (self.shared.record.without_secrets(what), self.shared.record.without_secrets(&text(head)));
        self.shared.stderr.note(&format!("{}: {}", visible(&what, COPIED), visible(&copy, COPIED)));
    }

    /// A line that cannot be read as a message: ends what waits for it, or is dropped.
    fn unreadable(&self, content: &[u8], error: &ScanError, max_depth: u32) -> Action {
        let refusal = Refusal::unreadable(error, max_depth);
        let outline = Outline::of(content);
        if let Some(request) = self.answered_by(&outline) {
            return Action::instead(self.withhold(request, &refusal, content.len() as u64));
        }
        match error.fault.class() {
            Class::NotJson | Class::NotAMessage => self.noise(content),
            Class::Ambiguous | Class::TooDeep | Class::Batch => {
                self.dropped((outline.method(), None), &refusal, content);
                Action::DROP
            }
        }
    }

    /// The request that this would have answered.
    fn answered_by(&self, outline: &Outline) -> Option<Request> {
        let id = outline.id().filter(|_| outline.is_response())?;
        self.shared.gate().withdraw(id.key())
    }

    /// A line of which only the outline is left.
    fn refuse_outline(&self, outline: &Outline, refusal: &Refusal, bytes: u64) -> Option<String> {
        if let Some(request) = self.answered_by(outline) {
            return self.withhold(request, refusal, bytes);
        }
        self.metered(|| {
            let what = (outline.method(), None);
            self.shared.record.denied(Direction::ServerToClient, what, refusal, bytes);
            self.shared.stderr.note(&visible(
                &format!(
                    "a line of the server's was dropped ({}: {})",
                    refusal.denial.reason,
                    self.shared.record.told(refusal).detail
                ),
                COPIED,
            ));
        });
        None
    }
}

/// A message with another result; all other bytes as they were.
fn instead(message: &Message<'_>, reply: Reply<'_>, result: String) -> String {
    let Reply::Result { raw, .. } = reply else { return message.raw.to_owned() };
    replaced(message.raw, &[(raw, result)])
}

/// Whether no reader finds a message in a line that is none: wherever one might begin to read (after what some take
/// for a line end: Python's `splitlines`, Node's `readline`), it does not begin like one.
fn is_harmless(content: &[u8]) -> bool {
    let ends_a_line =
        |c: char| c.is_control() && c != '\t' || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    String::from_utf8_lossy(content).split(ends_a_line).all(|piece| {
        let head =
            piece.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{fffd}'));
        !head.starts_with(['{', '['])
    })
}

impl Side for FromServer {
    fn line(&mut self, line: &[u8]) -> Action {
        let content = frame::content(line);
        if content.trim_ascii().is_empty() {
            return Action::FORWARD;
        }
        deadline::before_answer(&self.shared);
        let Some(_open) = self.shared.enter() else { return Action::DROP };
        let limits = self.shared.gate().limits();
        match scan(content, limits) {
            Ok(Payload::Single(message)) => match self.pass(&message) {
                Ok(None) => Action::FORWARD,
                Ok(Some(text)) => Action::instead(Some(text)),
                Err(withheld) => match *withheld {
                    Withheld { refusal, request: Some(request), .. } => {
                        Action::instead(self.withhold(request, &refusal, content.len() as u64))
                    }
                    Withheld { refusal, request: None, silent } => {
                        if !silent {
                            self.dropped((message.method().map(str::to_owned), None), &refusal, content);
                        }
                        self.refuse_asking(&message, &refusal);
                        Action::DROP
                    }
                },
            },
            Ok(Payload::Batch(messages)) => self.batch(&messages, content),
            Err(error) => self.unreadable(content, &error, limits.max_depth),
        }
    }

    fn too_long(&mut self, outline: &Outline, bytes: u64) -> Option<String> {
        deadline::before_answer(&self.shared);
        let _open = self.shared.enter()?;
        let refusal = Refusal::too_long_for_client(bytes, self.max_message, outline.has_result());
        self.refuse_outline(outline, &refusal, bytes)
    }

    fn unjudged(&mut self, outline: &Outline, bytes: u64) -> Option<String> {
        let _open = self.shared.enter()?;
        self.refuse_outline(outline, &Refusal::unjudged(), bytes)
    }

    fn forward(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.shared.client.write(bytes)
    }

    fn answer(&mut self, mut line: String) -> io::Result<()> {
        line.push('\n');
        self.shared.client.write(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_in_which_no_reader_finds_a_message_is_harmless() {
        for line in ["Server ready", "config: {\"a\":1}", "\tindented [x]", "é", ""] {
            assert!(is_harmless(line.as_bytes()), "{line:?}");
        }
        for line in
            ["{ a: 1 }", " [1", "\u{feff}{}", "x\r{\"jsonrpc\":\"2.0\"}", "x\u{2028} {}", "x\u{b}{}", "\0{}"]
        {
            assert!(!is_harmless(line.as_bytes()), "{line:?}");
        }
        assert!(!is_harmless(b"\xff{\"jsonrpc\":\"2.0\"}"));
    }
}
