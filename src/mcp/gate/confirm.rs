//! The gate's part in calls that wait for a person's yes.

use std::time::{Duration, Instant};

use crate::jsonrpc::{Body, Id, IdKey, Invocation, Message, Raw, Reply, Tree, members, replaced};
use crate::mcp::ask::Capabilities;
use crate::mcp::confirm::{self, Answer, Confirmations, Held, New, State, Way, refused};
use crate::mcp::gate::{Gate, Judgement, Permit};
use crate::mcp::pending::{Asked, Call, Request};
use crate::mcp::refusal::Refusal;

/// The key of our question in `inputRequests`.
pub const KEY: &str = "caponier";
/// Most values and names in a call that comes again.
const MAX_VALUES: usize = 1 << 20;
/// Longest token of a client's that is handed back.
const MAX_TOKEN: usize = 1024;

/// What stands between a call that may pass and its admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Somebody has to be asked.
    Ask {
        /// The rule that says so.
        rule: String,
        /// Whether the client can show its user a form.
        form: bool,
    },
    /// The client comes again with what its user said about a call that is held.
    Again {
        /// What the held call is called.
        id: String,
        /// What was said.
        answer: Answer,
    },
}

impl Gate {
    /// Lets calls wait for a yes. `key` is random and the session's own.
    pub fn confirm(&mut self, key: &[u8; 32], timeout: Duration, now: Instant) {
        self.confirmations = Some(Confirmations::new(key, timeout, now));
    }

    /// Whether a request that may pass needs somebody's yes first.
    ///
    /// # Errors
    /// It has a state of ours that is not for it, or one that no server can have given.
    pub fn question(&mut self, message: &Message<'_>, now: Instant) -> Result<Option<Question>, Refusal> {
        let Body::Request(_, invocation) = &message.body else { return Ok(None) };
        let state = invocation.params.request_state.and_then(Raw::string);
        let rule = invocation.tool().and_then(|tool| self.rules.asks(&tool));
        if rule.is_none() && state.is_none() {
            return Ok(None);
        }
        let tool = invocation.tool().unwrap_or_default();
        let digest = confirm::digest(invocation.params.arguments);
        let found = match (&self.confirmations, &state) {
            (Some(confirmations), Some(state)) => confirmations.state(state, &tool, &digest, now),
            _ => State::Theirs,
        };
        match found {
            State::Theirs => {}
            State::Ours(id) => return Ok(Some(Question::Again { id, answer: answer(invocation) })),
            _ => return Err(refused::state(&found)),
        }
        let Some(rule) = rule else { return Ok(None) };
        let has_more = invocation.params.request_state.is_some_and(|state| state.0 != "null");
        if let Some(confirmations) = &mut self.confirmations {
            let comes_again = (has_more || invocation.params.input_responses.is_some())
                && confirmations.comes_again(&tool, &digest);
            if comes_again || confirmations.is_remembered(&tool, &digest) {
                return Ok(None);
            }
        }
        if has_more {
            return Err(refused::state(&State::Theirs));
        }
        let announced = match invocation.params.modern {
            true => Capabilities::read(invocation.params.capabilities),
            false => self.announced,
        };
        let form = announced.form && (invocation.params.modern || self.greeted);
        Ok(Some(Question::Ask { rule, form }))
    }

    /// Why a message that may pass cannot be part of a batch, if it cannot.
    pub fn refuse_in_batch(&mut self, message: &Message<'_>, now: Instant) -> Option<Refusal> {
        match self.question(message, now) {
            Ok(None) => None,
            Ok(Some(Question::Ask { rule, .. })) => Some(refused::in_batch(&rule)),
            Ok(Some(Question::Again { .. })) => Some(refused::in_batch("it comes again")),
            Err(refusal) => Some(refusal),
        }
    }

    /// Holds a call that may pass: what is held, and the state that its client hands back, where it comes again.
    ///
    /// # Errors
    /// As many wait as are held.
    pub fn hold_call(
        &mut self,
        _permit: Permit,
        message: &Message<'_>,
        rule: String,
        way: Way,
        now: Instant,
    ) -> Result<(Held, Option<String>), Refusal> {
        let Body::Request(id, invocation) = &message.body else {
            return Err(Refusal::malformed("only a call can wait"));
        };
        self.meets(invocation);
        let number = self.number_call();
        let tool = invocation.tool().unwrap_or_default().into_owned();
        let Some(confirmations) = self.confirmations.as_mut().filter(|it| it.has_room(message.raw.len()))
        else {
            return Err(refused::too_many());
        };
        let new = New {
            call: Call { number, tool, started: now },
            key: id.key(),
            request: id.raw(),
            modern: invocation.params.modern,
            way,
            arguments: invocation.params.arguments,
            text: message.raw,
            rule,
            token: token(invocation),
        };
        Ok(confirmations.hold(new, now))
    }

    /// The id of our question about a held call, as JSON text.
    pub fn question_id(&self, held: &Held) -> Option<String> {
        let id = self.confirmations.as_ref()?.question(held);
        Some(serde_json::Value::from(id).to_string())
    }

    /// The held call that an answer of the client's with this id is about. It is ours, also when nothing is held any more.
    pub fn is_ours(&self, id: &Id<'_>) -> Option<String> {
        self.confirmations.as_ref()?.asked(id.key()).map(str::to_owned)
    }

    /// The calls that wait.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.confirmations.iter().flat_map(Confirmations::held)
    }

    /// Somebody answered: the call, which is held no longer. `None`: somebody else was faster, or it is too late.
    pub fn take_held(&mut self, id: &str, now: Instant) -> Option<Held> {
        self.confirmations.as_mut()?.take(id, now)
    }

    /// Somebody answered past a client that will come again.
    pub fn settle_held(&mut self, id: &str, approved: bool, now: Instant) -> Option<Held> {
        self.confirmations.as_mut()?.settle(id, approved, now)
    }

    /// The calls that nobody answered in time.
    pub fn expire_held(&mut self, now: Instant) -> Vec<Held> {
        self.confirmations.as_mut().map(|it| it.expire(now)).unwrap_or_default()
    }

    /// The session ends, or its client has gone: everything that waits.
    pub fn drain_held(&mut self) -> Vec<Held> {
        self.confirmations.as_mut().map(Confirmations::drain).unwrap_or_default()
    }

    /// Whom to tell that a call still waits: the client's token, and how often that was said.
    pub fn waiting(&mut self, now: Instant) -> Vec<(String, u32)> {
        self.confirmations.as_mut().map(|it| it.progress(now)).unwrap_or_default()
    }

    /// A yes for the same call in the rest of the session.
    pub fn remember(&mut self, held: &Held) {
        if let Some(confirmations) = &mut self.confirmations {
            confirmations.remember(&held.call.tool, held.digest);
        }
    }

    /// A call that was allowed goes to the server: its text, where that is not what the client wrote. `message` is what was
    /// held, or what the client came again with. Much may have changed meanwhile: it is judged as if it came now.
    ///
    /// # Errors
    /// It may not pass any more.
    pub fn release(
        &mut self,
        held: &Held,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Option<String>, Refusal> {
        let Body::Request(id, invocation) = &message.body else {
            return Err(Refusal::malformed("only a call can wait"));
        };
        if let Judgement::Refuse(refusal) = self.judge_client(message, now) {
            return Err(refusal);
        }
        let text = match held.way {
            Way::InputRequired => Some(without_ours(message, invocation)?),
            Way::Elicitation | Way::Outside => self.rewrite(message)?.text,
        };
        self.meets(invocation);
        self.insert_call(id, invocation, held.call.number, now);
        self.pending.announce(id.key(), self.announced);
        self.pending.confirm(id.key(), held.digest);
        Ok(text)
    }

    /// A confirmed call whose answer asks for something comes again, and is not asked about twice.
    pub(super) fn goes_on(&mut self, request: &Request, reply: Reply<'_>) {
        let Reply::Result { result_type: Some(kind), .. } = reply else { return };
        let (Some(digest), Asked::Call(call)) = (request.confirmed, &request.asked) else { return };
        if kind.string().as_deref() == Some("input_required")
            && let Some(confirmations) = &mut self.confirmations
        {
            confirmations.goes_on(&call.tool, digest);
        }
    }

    /// Whether a request with this id waits for somebody's yes.
    pub(super) fn holds(&self, id: &IdKey) -> bool {
        self.confirmations.as_ref().is_some_and(|confirmations| confirmations.holds(id))
    }

    pub(super) fn take_back(&mut self, id: &IdKey) -> Option<Held> {
        self.confirmations.as_mut()?.take_back(id)
    }
}

/// What the client's user said to our question.
fn answer(invocation: &Invocation<'_>) -> Answer {
    let mut said = None;
    if let Some(responses) = invocation.params.input_responses {
        members(responses, |key, response| {
            if key == KEY {
                said = Some(confirm::read(response));
            }
        });
    }
    said.unwrap_or(Answer::Error)
}

/// `_meta.progressToken`, as it was sent.
fn token(invocation: &Invocation<'_>) -> Option<String> {
    let (mut meta, mut token) = (None, None);
    members(invocation.params.raw?, |name, value| meta = meta.or((name == "_meta").then_some(value)));
    members(meta?, |name, value| token = token.or((name == "progressToken").then_some(value)));
    let is_one =
        |raw: &Raw<'_>| raw.0.len() <= MAX_TOKEN && raw.0.starts_with(|c: char| "\"-0123456789".contains(c));
    token.filter(is_one).map(|raw| raw.0.to_owned())
}

/// The message without what was for us: no answers, no state. Everything else as it was sent.
fn without_ours(message: &Message<'_>, invocation: &Invocation<'_>) -> Result<String, Refusal> {
    let unreadable = || Refusal::malformed("a call that comes again and cannot be read");
    let params = invocation.params.raw.ok_or_else(unreadable)?;
    let tree = Tree::read(params.0, u32::MAX, MAX_VALUES).map_err(|_| unreadable())?;
    let mut pieces = Vec::new();
    for (name, value) in tree.members(0) {
        let is_ours = matches!(tree.string(name).as_deref(), Some("inputResponses" | "requestState"));
        if !is_ours {
            pieces.push(format!("{}:{}", tree.raw(name), tree.raw(value)));
        }
    }
    Ok(replaced(message.raw, &[(params, format!("{{{}}}", pieces.join(",")))]))
}
