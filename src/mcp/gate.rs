//! The judgement of every message, and what the session knows because of it.
//!
//! First [`Gate::judge_client`] or [`Gate::judge_server`], which change nothing; then, with the permit that they gave,
//! [`Gate::admit`] or [`Gate::arrive`]. The era is read off each request (design: `_meta` carries the version); a
//! process that was sent `initialize` speaks a legacy version, whatever else it is sent.

use std::hash::RandomState;
use std::time::Instant;

use crate::jsonrpc::{Body, Id, IdKey, Invocation, Limits, Message, Raw, Reply, Response, TOOLS_LIST};
use crate::mcp::arguments::ground::Ground;
use crate::mcp::arguments::{self, Arguments};
use crate::mcp::ask::{Asking, Asks, Capabilities, Input, Waiting};
use crate::mcp::caps;
use crate::mcp::catalog::{Catalog, Cursor, Listing};
use crate::mcp::confirm::{Confirmations, Held};
use crate::mcp::fields::Fields;
use crate::mcp::mismatch::{self, Distrust, Mismatch};
use crate::mcp::pending::{Asked, Call, MAX, Pending, Request};
use crate::mcp::pins::Kind as Pinned;
use crate::mcp::pins::listing::Listings;
use crate::mcp::pins::watch::Watch;
use crate::mcp::rates::Rates;
use crate::mcp::refusal::Refusal;
use crate::mcp::tasks::Tasks;
use crate::mcp::tools::{self, Rules};
use crate::policy::Protocol;
use crate::policy::calls::Deeds;
use crate::policy::tools::Tools;

/// The only version that has batches.
const WITH_BATCHES: &str = "2025-03-26";
/// Most messages in a batch.
const MAX_BATCH: usize = 1000;

mod asks;
pub mod confirm;
mod definitions;

/// Why there is no gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A pattern on tool names.
    #[error(transparent)]
    Tools(#[from] tools::Error),
    /// An argument's rule.
    #[error(transparent)]
    Arguments(#[from] arguments::Error),
}

/// The right to admit one message.
#[derive(Debug)]
pub struct Permit(());

/// What becomes of one message.
#[must_use = "a judgement that nobody acts on protects nothing"]
#[derive(Debug)]
pub enum Judgement {
    /// It may pass.
    Pass(Permit),
    /// It may not.
    Refuse(Refusal),
}

/// What was admitted.
#[derive(Debug, PartialEq, Eq)]
pub enum Admitted {
    /// A call, with its running number.
    Call(u64),
    /// The client took this call back.
    Cancels(Call),
    /// The client took a call back that waited for somebody's yes.
    TakesBack(Box<Held>),
    /// Another request.
    Request,
    /// What the server had asked.
    Answers(Asking),
    /// A notification.
    Other,
}

/// An answer that somebody waits for.
#[derive(Debug)]
pub struct Arrival {
    /// What it answers.
    pub request: Request,
    /// What the client is not shown of a list, or why it is shown nothing of this answer.
    pub listing: Result<Listing, Refusal>,
    /// What the server asks for before it answers.
    pub inputs: Vec<Input>,
}

/// A message of the client's as the server may see it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Its text; `None`: as it is.
    pub text: Option<String>,
    /// Folders of the client's that are shown, and that are not.
    pub roots: Option<(u64, u64)>,
}

/// A call that took too long.
#[derive(Debug)]
pub struct Expired {
    /// The request: a call, or one for the result of a task.
    pub request: Request,
    /// Why it was ended.
    pub refusal: Refusal,
}

/// A task that took longer than the call that it was may take.
#[derive(Debug)]
pub struct Overdue {
    /// The tool of the call.
    pub tool: String,
    /// Why it is taken back.
    pub refusal: Refusal,
    /// What the server is told: a request of ours.
    pub cancel: String,
}

/// The page that a `tools/list` asks for. What is no string is a page that no server named.
fn cursor(invocation: &Invocation<'_>) -> Cursor {
    let Raw(raw) = invocation.params.cursor.filter(|cursor| cursor.0 != "null")?;
    Some(Raw(raw).string().unwrap_or_default().into())
}

/// The gate of one session.
#[derive(Debug)]
pub struct Gate {
    tools: Tools,
    rules: Rules,
    arguments: Arguments,
    rates: Rates,
    catalog: Catalog,
    fields: Fields,
    /// Where definitions are pinned.
    watch: Option<Watch>,
    /// Lists of other things than tools that are read page by page.
    listings: Listings,
    distrust: Distrust,
    max_depth: u32,
    pending: Pending,
    asks: Asks,
    /// What the server asked and the client has not answered.
    waiting: Waiting,
    tasks: Tasks,
    /// The ids of our own requests.
    ids: RandomState,
    /// Calls that wait for somebody's yes.
    confirmations: Option<Confirmations>,
    /// What the client can be asked for, as it said last.
    announced: Capabilities,
    /// The client's `initialize` was answered.
    greeted: bool,
    calls: u64,
    /// `initialize` was asked.
    legacy: bool,
    /// A request of the modern era was seen.
    modern: bool,
    /// The server agreed to a version that has batches.
    batches: bool,
}

impl Gate {
    /// The gate for a policy.
    ///
    /// # Errors
    /// A pattern that is no glob or no regular expression.
    pub fn new(tools: &Tools, protocol: &Protocol, ground: Ground) -> Result<Self, Error> {
        Ok(Gate {
            rules: Rules::new(tools)?,
            asks: Asks::new(&protocol.server_requests, &ground),
            arguments: Arguments::new(tools, ground)?,
            rates: Rates::new(tools),
            tools: tools.clone(),
            waiting: Waiting::default(),
            tasks: Tasks::default(),
            ids: RandomState::new(),
            confirmations: None,
            announced: Capabilities::default(),
            greeted: false,
            catalog: Catalog::default(),
            fields: Fields::new(tools, protocol),
            watch: None,
            listings: Listings::default(),
            distrust: Distrust::new(tools.mismatch.as_ref()),
            max_depth: protocol.max_depth,
            pending: Pending::default(),
            calls: 0,
            legacy: false,
            modern: false,
            batches: false,
        })
    }

    /// Holds the server's definitions against those that are pinned.
    pub fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// The watch over definitions, where there is one.
    pub fn watching(&mut self) -> Option<&mut Watch> {
        self.watch.as_mut()
    }

    /// What a message may be, now.
    pub fn limits(&self) -> Limits {
        Limits { max_depth: self.max_depth, max_batch: if self.batches { MAX_BATCH } else { 0 } }
    }

    /// A running number for a call.
    pub fn number_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// Judges a message of the client's, at `now`.
    pub fn judge_client(&self, message: &Message<'_>, now: Instant) -> Judgement {
        let refusal = match &message.body {
            Body::Request(id, invocation) => self.refuse_request(id, invocation, now),
            Body::Notification(invocation) => invocation
                .tool()
                .map(|_| Refusal::malformed("tools/call without an id: nobody would learn how it ended")),
            Body::Response(response) => self.refuse_answer(response),
        };
        let refusal = refusal.or_else(|| self.rewrite(message).err());
        refusal.map_or(Judgement::Pass(Permit(())), Judgement::Refuse)
    }

    fn refuse_answer(&self, response: &Response<'_>) -> Option<Refusal> {
        if self.is_modern() {
            return Some(Refusal::direction("an answer from the client, where servers ask nothing"));
        }
        self.waiting.refuse_answer(response.id.as_ref()?)
    }

    fn refuse_request(&self, id: &Id<'_>, invocation: &Invocation<'_>, now: Instant) -> Option<Refusal> {
        let tool = invocation.tool();
        if let Some(refusal) = tool.as_deref().and_then(|tool| self.refuse_call(tool, invocation, now)) {
            return Some(refusal);
        }
        let other = || self.refuse_task(invocation, now).or_else(|| self.refuse_pinned(invocation));
        if let Some(refusal) = other() {
            return Some(refusal);
        }
        let in_flight = self.pending.get(id.key()).map(|request| &request.asked);
        let lists = invocation.method == TOOLS_LIST || self.listed(invocation).is_some();
        if self.holds(id.key()) {
            return Some(Refusal::ambiguous(format!("the id {} is already in flight", id.raw())));
        }
        match (tool, in_flight) {
            // The answer to any of these must be told from every other.
            (
                _,
                Some(
                    Asked::Call(_) | Asked::Cancelled | Asked::TimedOut | Asked::Tools(_) | Asked::Listed(..),
                ),
            )
            | (Some(_), Some(_)) => {
                Some(Refusal::ambiguous(format!("the id {} is already in flight", id.raw())))
            }
            (None, Some(_)) if lists => {
                Some(Refusal::ambiguous(format!("the id {} is already in flight", id.raw())))
            }
            (Some(_), None) if self.pending.is_full() => Some(Refusal::too_many(MAX)),
            (None, _) if self.pending.has_no_room() => Some(Refusal::too_many_requests(MAX)),
            _ => None,
        }
    }

    /// The first of all that refuses a call: the tool's name, the server's own schema of its
    /// arguments, the profile's rules for them, how many there are, what earlier calls did, then whether
    /// the tool is still the one that was pinned.
    fn refuse_call(&self, tool: &str, invocation: &Invocation<'_>, now: Instant) -> Option<Refusal> {
        let (all, own) = self.pending.calls(tool);
        self.refuse_tool(tool)
            .or_else(|| self.fields.refuse(&self.catalog, tool, invocation.params.arguments))
            .or_else(|| self.arguments.refuse(tool, invocation.params.arguments))
            .or_else(|| self.rates.refuse(tool, now))
            .or_else(|| caps::refuse_concurrent(&self.tools, tool, all, own))
            .or_else(|| self.distrust.refuse(tool))
            .or_else(|| self.watch.as_ref()?.refuse(Pinned::Tool, tool))
    }

    /// Whether the server has the tool, as far as its lists say, those of earlier sessions too, and whether it may be
    /// called.
    fn refuse_tool(&self, tool: &str) -> Option<Refusal> {
        let is_unknown = |watch: &Watch| !self.catalog.knows(tool) && watch.is_unknown(Pinned::Tool, tool);
        let unknown =
            || self.watch.as_ref().filter(|watch| is_unknown(watch)).map(|_| Refusal::unknown_tool(tool));
        self.catalog.refuse(tool).or_else(unknown).or_else(|| self.rules.refuse(tool))
    }

    /// Judges a message of the server's.
    pub fn judge_server(&self, message: &Message<'_>) -> Judgement {
        match &message.body {
            Body::Request(..) if self.is_modern() => {
                Judgement::Refuse(Refusal::direction("a request from the server, where servers ask nothing"))
            }
            Body::Request(id, invocation) => match self.judge_asking(id, invocation) {
                Ok(_) => Judgement::Pass(Permit(())),
                Err(refusal) => Judgement::Refuse(refusal),
            },
            Body::Response(Response { id: Some(id), .. }) => match self.pending.get(id.key()) {
                None => Judgement::Refuse(Refusal::unasked(id.raw())),
                Some(request) if request.asked == Asked::TimedOut => Judgement::Refuse(Refusal::late()),
                Some(_) => Judgement::Pass(Permit(())),
            },
            _ => Judgement::Pass(Permit(())),
        }
    }

    /// Why an answer of so many bytes to a call of `tool` goes no further, if it does not.
    pub fn refuse_result(&self, tool: &str, bytes: usize) -> Option<Refusal> {
        caps::refuse_result(&self.tools, tool, bytes as u64)
    }

    /// When [`Gate::expire`], [`Gate::expire_tasks`], [`Gate::expire_held`] or [`Gate::waiting`] has something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        let held = self.confirmations.as_ref().and_then(Confirmations::deadline);
        self.pending.deadline().into_iter().chain(self.tasks.deadline()).chain(held).min()
    }

    /// The calls that are too late at `now`. An answer that comes to one of them is late from here on.
    pub fn expire(&mut self, now: Instant) -> Vec<Expired> {
        let expired = self.pending.expire(now).into_iter().filter_map(|request| {
            let (Asked::Call(Call { tool, .. }) | Asked::Task { tool, .. }) = &request.asked else {
                return None;
            };
            let refusal = caps::timed_out(&caps::timeout(&self.tools, tool)?);
            Some(Expired { request, refusal })
        });
        expired.collect()
    }

    /// A message of the client's goes to the server, at `now`.
    pub fn admit(&mut self, _permit: Permit, message: &Message<'_>, now: Instant) -> Admitted {
        match &message.body {
            Body::Request(id, invocation) => self.admit_request(id, invocation, now),
            Body::Notification(invocation) if invocation.method == "notifications/cancelled" => {
                let id = invocation.params.request_id.and_then(|raw| raw.id());
                if let Some(held) = id.as_ref().and_then(|id| self.take_back(id.key())) {
                    return Admitted::TakesBack(Box::new(held));
                }
                match id.and_then(|id| self.pending.cancel(id.key())) {
                    Some(call) => Admitted::Cancels(call),
                    None => Admitted::Other,
                }
            }
            Body::Response(response) => {
                let asking = response.id.as_ref().and_then(|id| self.waiting.answer(id.key()));
                asking.map_or(Admitted::Other, Admitted::Answers)
            }
            Body::Notification(_) => Admitted::Other,
        }
    }

    fn admit_request(&mut self, id: &Id<'_>, invocation: &Invocation<'_>, now: Instant) -> Admitted {
        self.meets(invocation);
        if let ("tasks/cancel", Some(Raw(task))) = (&*invocation.method, invocation.params.task_id) {
            self.tasks.end(&Raw(task).string().unwrap_or_default());
        }
        let admitted = self.insert(id, invocation, now);
        self.pending.announce(id.key(), self.announced);
        admitted
    }

    /// What a request tells of its client.
    fn meets(&mut self, invocation: &Invocation<'_>) {
        let modern = invocation.params.modern;
        let initialize = invocation.method == "initialize";
        self.legacy |= initialize;
        self.modern |= modern;
        if initialize || modern {
            self.announced = Capabilities::read(invocation.params.capabilities);
        }
    }

    fn insert_call(&mut self, id: &Id<'_>, invocation: &Invocation<'_>, number: u64, now: Instant) {
        let tool = invocation.tool().unwrap_or_default();
        self.rates.take(&tool, now);
        let timeout = caps::timeout(&self.tools, &tool);
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout.value));
        let call = Call { number, tool: tool.into_owned(), started: now };
        let task = invocation.params.task.is_some_and(|task| task.0 != "null");
        self.pending.insert(id, Asked::Call(call), invocation.params.modern, deadline, task);
    }

    fn insert(&mut self, id: &Id<'_>, invocation: &Invocation<'_>, now: Instant) -> Admitted {
        let modern = invocation.params.modern;
        match invocation.tool() {
            Some(_) => {
                let number = self.number_call();
                self.insert_call(id, invocation, number, now);
                Admitted::Call(number)
            }
            None => {
                let asked = match &*invocation.method {
                    "initialize" | "server/discover" => Asked::Initialize,
                    TOOLS_LIST => Asked::Tools(cursor(invocation)),
                    method @ ("tasks/result" | "tasks/get" | "tasks/update") => {
                        self.task(invocation, method == "tasks/result")
                    }
                    _ => match self.listed(invocation) {
                        Some(kind) => Asked::Listed(kind, cursor(invocation)),
                        None => Asked::Other,
                    },
                };
                // A result that is waited for takes no longer than the call that it belongs to.
                let deadline = match &asked {
                    Asked::Task { tool, result: true, .. } => {
                        let timeout = caps::timeout(&self.tools, tool);
                        let own = timeout.and_then(|timeout| now.checked_add(timeout.value));
                        let task = self.tasks.get(invocation.params.task_id);
                        task.and_then(|task| task.deadline).or(own)
                    }
                    _ => None,
                };
                self.pending.insert(id, asked, modern, deadline, false);
                Admitted::Request
            }
        }
    }

    /// An answer of the server's goes to the client: what it answers.
    pub fn arrive(&mut self, _permit: Permit, response: &Response<'_>) -> Option<Arrival> {
        let id = response.id.as_ref()?.key();
        if let (Some(Asked::Initialize), Reply::Result { protocol_version, .. }) =
            (self.pending.get(id).map(|request| &request.asked), response.reply)
        {
            self.greeted = true;
            self.batches = protocol_version.and_then(Raw::string).as_deref() == Some(WITH_BATCHES);
        }
        let request = self.withdraw(id)?;
        let inputs = match self.judge_result(&request, response.reply) {
            Ok(inputs) => inputs,
            Err(refusal) => return Some(Arrival { request, listing: Err(refusal), inputs: Vec::new() }),
        };
        self.goes_on(&request, response.reply);
        let listing = match response.reply {
            Reply::Result { raw, .. } => self.learn(&request, raw),
            Reply::Error { .. } => Ok(Listing::default()),
        };
        Some(Arrival { request, listing, inputs })
    }

    /// Whether a list has shown the tool, so that its arguments could be checked.
    pub fn is_listed(&self, tool: &str) -> bool {
        self.catalog.knows(tool)
    }

    /// A call of a tool has ended: what it did against the server's own word, which is remembered.
    pub fn hold(&mut self, tool: &str, deeds: &Deeds) -> Vec<Mismatch> {
        let Some(annotations) = self.catalog.annotations(tool) else { return Vec::new() };
        let found = mismatch::compare(annotations, deeds);
        self.distrust.learn(tool, &found, deeds);
        found
    }

    /// Whether somebody waits for an answer with this id.
    pub fn awaits(&self, id: &IdKey) -> bool {
        self.pending.get(id).is_some() || self.holds(id)
    }

    /// Forgets a request: what it was.
    pub fn withdraw(&mut self, id: &IdKey) -> Option<Request> {
        self.pending.take(id)
    }

    /// Requests whose answer the client still waits for.
    pub fn unanswered(&self) -> usize {
        self.pending.unanswered()
    }

    /// The session ends: the calls that nobody answered, oldest first.
    pub fn drain(&mut self) -> Vec<Call> {
        self.pending.drain()
    }

    /// Whether the server speaks only a version in which servers ask nothing.
    fn is_modern(&self) -> bool {
        self.modern && !self.legacy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonrpc::{Payload, scan};
    use crate::mcp::arguments::ground::bare;
    use crate::mcp::pending::MAX;
    use crate::policy::Stdout;
    use crate::policy::grant::Origin;
    use crate::policy::reason::Reason;
    use crate::policy::requests::ServerRequests;
    use crate::policy::tools::{ToolDefault, ToolPattern, UnknownFields};

    fn gate(default: ToolDefault, deny: &[&str]) -> Result<Gate, Error> {
        let origin = Origin { file: "p.toml".into(), line: 4, column: 2 };
        let deny =
            deny.iter().map(|glob| ToolPattern { glob: (*glob).into(), origin: origin.clone() }).collect();
        let tools = Tools { default, deny, ..Tools::default() };
        Gate::new(
            &tools,
            &Protocol {
                max_message: 1 << 20,
                max_depth: 64,
                stdout: Stdout::Strict,
                unknown_fields: UnknownFields::Reject,
                server_requests: ServerRequests::default(),
            },
            bare(),
        )
    }

    fn message(line: &str) -> Message<'_> {
        match scan(line.as_bytes(), Limits { max_depth: 64, max_batch: 0 }).unwrap() {
            Payload::Single(message) => message,
            Payload::Batch(_) => panic!("a batch"),
        }
    }

    fn call(id: usize, tool: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
    }

    fn admit(gate: &mut Gate, line: &str) -> Result<Admitted, Refusal> {
        let message = message(line);
        match gate.judge_client(&message, Instant::now()) {
            Judgement::Pass(permit) => Ok(gate.admit(permit, &message, Instant::now())),
            Judgement::Refuse(refusal) => Err(refusal),
        }
    }

    #[test]
    fn tools_are_judged_by_name_as_the_server_reads_it() {
        let gate = gate(ToolDefault::Allow, &["write_*", "[ab]c", "x"]).unwrap();
        for (tool, refused) in [
            ("read", false),
            ("write_file", true),
            ("write_a/b", true),
            ("wr\\u0069te_file", true),
            ("Write_file", false),
            ("bc", true),
            ("x", true),
            ("xy", false),
        ] {
            let line = call(1, tool);
            let judged = gate.judge_client(&message(&line), Instant::now());
            match judged {
                Judgement::Refuse(refusal) => {
                    assert!(refused, "{tool}");
                    assert_eq!(refusal.denial.reason, Reason::ToolDenied);
                    assert!(refusal.detail.contains("p.toml:4:2"), "{}", refusal.detail);
                }
                Judgement::Pass(_) => assert!(!refused, "{tool}"),
            }
        }
    }

    #[test]
    fn only_allowed_tools_pass_where_the_default_is_deny_and_deny_wins() {
        let origin = || Origin { file: "p.toml".into(), line: 4, column: 2 };
        let pattern = |glob: &str| ToolPattern { glob: glob.into(), origin: origin() };
        let tools = Tools {
            default: ToolDefault::Deny,
            allow: vec![pattern("read_*"), pattern("list")],
            deny: vec![pattern("read_secret")],
            ..Tools::default()
        };
        let protocol = Protocol {
            max_message: 1 << 20,
            max_depth: 64,
            stdout: Stdout::Strict,
            unknown_fields: UnknownFields::Reject,
            server_requests: ServerRequests::default(),
        };
        let gate = Gate::new(&tools, &protocol, bare()).unwrap();
        let refused = |tool: &str| match gate.judge_client(&message(&call(1, tool)), Instant::now()) {
            Judgement::Refuse(refusal) => Some((refusal.denial.reason, refusal.denial.remedy)),
            Judgement::Pass(_) => None,
        };
        assert_eq!(refused("read_file"), None);
        assert_eq!(refused("list"), None);
        assert_eq!(refused("read_secret").unwrap().0, Reason::ToolDenied);
        let (reason, remedy) = refused("list*").unwrap();
        assert_eq!(reason, Reason::ToolNotListed);
        assert_eq!(remedy.line(), Some("tools.allow = [\"list[*]\"]"));
    }

    #[test]
    fn a_glob_that_is_none_is_an_error_with_its_line() {
        let error = gate(ToolDefault::Allow, &["ok", "[bad"]).unwrap_err();
        assert!(error.to_string().starts_with("p.toml:4:2: \"[bad\" is not a glob"), "{error}");
    }

    #[test]
    fn what_is_in_flight_is_bounded() {
        let mut gate = gate(ToolDefault::Allow, &[]).unwrap();
        for id in 0..MAX {
            assert_eq!(admit(&mut gate, &call(id, "t")), Ok(Admitted::Call(id as u64 + 1)));
        }
        assert_eq!(admit(&mut gate, &call(MAX, "t")).unwrap_err().denial.reason, Reason::CallTooMany);
        let ping = |id: usize| format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"ping"}}"#);
        for id in 0..MAX {
            assert_eq!(admit(&mut gate, &ping(id)), Ok(Admitted::Request));
        }
        assert_eq!(admit(&mut gate, &ping(MAX)).unwrap_err().denial.reason, Reason::MessageTooMany);
        let last = message(r#"{"jsonrpc":"2.0","id":3,"result":{}}"#);
        let (Judgement::Pass(permit), Body::Response(response)) = (gate.judge_server(&last), &last.body)
        else {
            panic!("{last:?}")
        };
        let arrival = gate.arrive(permit, response).unwrap();
        assert!(matches!(arrival.request.asked, Asked::Call(_)));
        assert_eq!(admit(&mut gate, &call(MAX, "t")), Ok(Admitted::Call(MAX as u64 + 1)));
        let numbers: Vec<u64> = gate.drain().iter().map(|call| call.number).collect();
        assert!(numbers.is_sorted() && numbers.len() == MAX);
    }

    #[test]
    fn requests_that_are_no_calls_may_reuse_an_id_that_was_never_answered() {
        let mut gate = gate(ToolDefault::Allow, &[]).unwrap();
        let probe = r#"{"jsonrpc":"2.0","id":0,"method":"server/discover"}"#;
        let initialize = r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#;
        assert_eq!(admit(&mut gate, probe), Ok(Admitted::Request));
        assert_eq!(admit(&mut gate, initialize), Ok(Admitted::Request));
        assert_eq!(admit(&mut gate, &call(0, "t")).unwrap_err().denial.reason, Reason::MessageAmbiguous);
    }

    #[test]
    fn only_a_call_can_be_taken_back() {
        let mut gate = gate(ToolDefault::Allow, &[]).unwrap();
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}"#;
        assert_eq!(
            admit(&mut gate, r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#),
            Ok(Admitted::Request)
        );
        assert_eq!(admit(&mut gate, cancel), Ok(Admitted::Other));
        assert!(gate.awaits(Id::parse("0").unwrap().key()));
        assert_eq!(admit(&mut gate, &call(1, "t")), Ok(Admitted::Call(1)));
        let cancel = cancel.replace("0}", "1}");
        assert!(matches!(admit(&mut gate, &cancel), Ok(Admitted::Cancels(Call { number: 1, .. }))));
        assert_eq!(admit(&mut gate, &cancel), Ok(Admitted::Other));
    }
}
