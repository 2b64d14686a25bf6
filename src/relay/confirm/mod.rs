//! Calls that wait for a person's yes: who is asked in which way, and what follows from what they say.
//!
//! The order: `call.start`, `confirm.asked`, the question; `confirm.answered`, then the call goes to the server or its
//! refusal to the client. The first answer takes the held call out of the gate, so that every other one finds nothing. A call
//! that was allowed by somebody else than its client is admitted and written in one turn at the server's stdin: what the
//! client says of it afterwards comes after it there. Whatever breaks on the way is a no.

mod desktop;
mod terminal;
pub mod ways;
pub mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{ConfirmAnswered, ConfirmAsked, Direction, Outcome};
use crate::jsonrpc::{Body, Message, Payload, Reply, Response, scan};
use crate::mcp::answer;
use crate::mcp::confirm::{Answer, Held, State, Way, lines, read, refused};
use crate::mcp::gate::Permit;
use crate::mcp::gate::confirm::KEY;
use crate::mcp::refusal::Refusal;
use crate::mcp::visible::visible;
use crate::policy::confirm::Channel;
use crate::policy::reason::Reason;
use crate::relay::Notice;
use crate::relay::confirm::desktop::Program;
use crate::relay::confirm::ways::{Confirm, INPUT_REQUIRED};
use crate::relay::confirm::wire::{Reply as Answered, Request};
use crate::relay::pump::Action;
use crate::relay::record::Ending;
use crate::relay::shared::Shared;

/// Who answered, for the log.
#[derive(Debug, Clone)]
pub(super) struct By {
    pub(super) channel: &'static str,
    pub(super) who: String,
}

/// Holds a call that may pass and asks about it. `listed`: a list has shown the tool.
pub(super) fn ask(
    shared: &Arc<Shared>,
    message: &Message<'_>,
    permit: Permit,
    (rule, form): (String, bool),
) -> Result<Action, Refusal> {
    let Body::Request(id, invocation) = &message.body else { return Ok(Action::DROP) };
    let Some(confirm) = &shared.confirm else {
        return Err(refused::no_way("this session has no way to ask", &rule));
    };
    let way = confirm.way(form, invocation.params.modern).map_err(|why| refused::no_way(&why, &rule))?;
    let _order = confirm.in_order();
    let (held, state, question, listed) = {
        let mut gate = shared.gate();
        let (held, state) = gate.hold_call(permit, message, rule, way, Instant::now())?;
        shared.alarm.follow(&gate);
        let question = gate.question_id(&held).unwrap_or_default();
        let listed = gate.is_listed(&held.call.tool);
        (held, state, question, listed)
    };
    let written = shared
        .record
        .call_start(held.call.number, id, invocation, message.raw.len(), listed)
        .and_then(|()| shared.record.confirm_asked(asked(confirm, &held)));
    if let Err(unwritable) = written {
        shared.gate().take_held(&held.id, Instant::now());
        return Err(Refusal::unwritable(&unwritable.detail));
    }
    if confirm.terminal.is_ok() {
        shared.stderr.note(&format!(
            "the tool \"{}\" of \"{}\" waits for your answer: caponier approve {id}, or caponier deny {id}",
            visible(&held.call.tool, 128),
            visible(&confirm.asking.server, 128),
            id = held.id,
        ));
    }
    let prompt = confirm.prompt(&held);
    Ok(match (way, state) {
        (Way::InputRequired, Some(state)) => {
            Action::instead(Some(lines::input_required(&held.request, KEY, &prompt.form(), &state)))
        }
        (Way::Elicitation, _) => Action::instead(Some(lines::elicitation(&question, &prompt.form()))),
        _ => {
            if let Some(program) = &confirm.desktop {
                show(shared, confirm, program, &held.id, &prompt.text());
            }
            Action::DROP
        }
    })
}

/// Opens a dialog; what its end means comes from another thread.
fn show(shared: &Arc<Shared>, confirm: &Confirm, program: &Program, id: &str, text: &str) {
    let (shared, name) = (Arc::clone(shared), id.to_owned());
    let by = By { channel: Channel::Desktop.word(), who: program.path().to_owned() };
    let ended = move |answer| match answer {
        Some(answer) => {
            outside(&shared, &name, answer, &by);
        }
        None => broke(&shared, &name, &by),
    };
    confirm.dialogs.open(program, id, text, confirm.asking.timeout, ended);
}

/// Answers who comes with `caponier approve`, from now on.
pub(super) fn serve(shared: &Arc<Shared>) {
    let Some(Confirm { terminal: Ok(terminal), .. }) = &shared.confirm else { return };
    let shared = Arc::clone(shared);
    terminal.serve(move |request, who| match request {
        Request::List => Answered::Pending(pending(&shared)),
        Request::Answer { id, approve, remember } => {
            let said = if approve { Answer::Accept { remember } } else { Answer::Decline };
            let by = By { channel: Channel::Terminal.word(), who };
            if outside(&shared, &id, said, &by) { Answered::Taken } else { Answered::Unknown }
        }
    });
}

fn asked(confirm: &Confirm, held: &Held) -> ConfirmAsked {
    let mut channels = confirm.channels(held.way).into_iter();
    ConfirmAsked {
        call: held.call.number,
        id: held.id.clone(),
        tool: held.call.tool.clone(),
        channel: channels.next().unwrap_or_default(),
        also: channels.collect(),
        rule: held.rule.clone(),
    }
}

fn told(held: &Held, answer: &'static str, remembered: bool, by: Option<&By>) -> ConfirmAnswered {
    let waited = held.call.started.elapsed().as_micros();
    ConfirmAnswered {
        call: held.call.number,
        id: held.id.clone(),
        tool: held.call.tool.clone(),
        channel: by.map(|by| by.channel),
        answer,
        by: by.map(|by| by.who.clone()),
        remembered,
        duration_us: u64::try_from(waited).unwrap_or(u64::MAX),
    }
}

/// The client comes again with what its user said.
pub(super) fn again(
    shared: &Arc<Shared>,
    message: &Message<'_>,
    id: &str,
    said: Answer,
) -> Result<Action, Refusal> {
    let Body::Request(request, _) = &message.body else { return Ok(Action::DROP) };
    let Some(held) = shared.gate().take_held(id, Instant::now()) else {
        return Err(refused::state(&State::Replayed));
    };
    // A no of the form's holds, whatever somebody said outside before.
    let said = match held.settled {
        Some(true) if !matches!(said, Answer::Decline | Answer::Cancel) => {
            Answer::Accept { remember: said == Answer::Accept { remember: true } }
        }
        Some(false) => Answer::Decline,
        _ => said,
    };
    let by = By { channel: INPUT_REQUIRED, who: "client".to_owned() };
    let written = match held.settled {
        Some(_) => Ok(()),
        None => shared.record.confirm_answered(told(&held, said.word(), remembers(said), Some(&by))),
    };
    let refusal = match written {
        Err(unwritable) => Refusal::unwritable(&unwritable.detail),
        Ok(()) if !said.is_yes() => refused::said(said, &held.rule),
        Ok(()) => match release(shared, &held, message, said) {
            Ok(text) => return Ok(text.map_or(Action::FORWARD, Action::rewritten)),
            Err(refusal) => refusal,
        },
    };
    Ok(Action::instead(Some(refuse(shared, &held, &refusal, request.raw()))))
}

fn remembers(answer: Answer) -> bool {
    answer == Answer::Accept { remember: true }
}

/// A call that was allowed is in flight from now on: its text, where that is not what was held.
fn release(
    shared: &Shared,
    held: &Held,
    message: &Message<'_>,
    answer: Answer,
) -> Result<Option<String>, Refusal> {
    let mut gate = shared.gate();
    let text = gate.release(held, message, Instant::now())?;
    if remembers(answer) {
        gate.remember(held);
    }
    shared.alarm.follow(&gate);
    drop(gate);
    shared.record.call_goes_on(held.call.number);
    Ok(text)
}

/// An answer of the client's, where it is to a question of ours; it goes no further.
pub(super) fn answered(shared: &Arc<Shared>, response: &Response<'_>) -> Option<Action> {
    let id = response.id.as_ref()?;
    let held = {
        let mut gate = shared.gate();
        let id = gate.is_ours(id)?;
        let is_asked = gate.held().any(|held| held.id == id && held.way == Way::Elicitation);
        is_asked.then(|| gate.take_held(&id, Instant::now())).flatten()
    };
    // Somebody else was faster, or it is too late.
    let Some(held) = held else { return Some(Action::DROP) };
    let said = match response.reply {
        Reply::Result { raw, .. } => read(raw),
        Reply::Error { .. } => Answer::Error,
    };
    let by = By { channel: Channel::Elicitation.word(), who: "client".to_owned() };
    let Decided { to_server, to_client } = decide(shared, &held, said, &by);
    let answer = (!to_client.is_empty()).then(|| to_client.join("\n"));
    Some(Action { forward: false, text: to_server, answer })
}

/// What follows from an answer. Lines have no end yet.
struct Decided {
    to_server: Option<String>,
    to_client: Vec<String>,
}

/// Somebody said something about a call that is held no longer. In the session's time, by whoever took it.
fn decide(shared: &Shared, held: &Held, said: Answer, by: &By) -> Decided {
    let mut to_client = withdrawn(shared, held, Some(by));
    let written = shared.record.confirm_answered(told(held, said.word(), remembers(said), Some(by)));
    let refusal = match written {
        Err(unwritable) => Refusal::unwritable(&unwritable.detail),
        Ok(()) if !said.is_yes() => refused::said(said, &held.rule),
        Ok(()) => match released(shared, held, said) {
            Ok(text) => return Decided { to_server: Some(text), to_client },
            Err(refusal) => refusal,
        },
    };
    to_client.push(refuse(shared, held, &refusal, &held.request));
    Decided { to_server: None, to_client }
}

/// The text of a call that waited with us.
fn released(shared: &Shared, held: &Held, said: Answer) -> Result<String, Refusal> {
    let limits = shared.gate().limits();
    let Ok(Payload::Single(message)) = scan(held.text.as_bytes(), limits) else {
        return Err(Refusal::unjudged());
    };
    let text = release(shared, held, &message, said)?;
    Ok(text.unwrap_or_else(|| held.text.to_string()))
}

/// Nobody needs to answer any more: closes the dialog, and the client's form unless it was that which answered.
fn withdrawn(shared: &Shared, held: &Held, by: Option<&By>) -> Vec<String> {
    if let Some(confirm) = &shared.confirm {
        confirm.dialogs.close(&held.id);
    }
    let by_client = by.is_some_and(|by| by.channel == Channel::Elicitation.word());
    let question =
        (held.way == Way::Elicitation && !by_client).then(|| shared.gate().question_id(held)).flatten();
    question.map(|question| lines::withdrawn(&question)).into_iter().collect()
}

/// Records that a held call is not made; what its client is told, under this id.
fn refuse(shared: &Shared, held: &Held, refusal: &Refusal, id: &str) -> String {
    let what = (Some("tools/call".to_owned()), Some(held.call.tool.clone()));
    let event = shared.record.denied(Direction::ClientToServer, what, refusal, held.text.len() as u64);
    let told = shared.record.told(refusal);
    let answer = answer::refused_call(id, &held.call.tool, held.modern, &told, event.as_deref());
    let _ = shared.record.call_denied(&held.call, Ending::denied(refusal, answer.len()));
    answer
}

/// Somebody who is no client answers; whether there was still something to answer.
pub(super) fn outside(shared: &Arc<Shared>, id: &str, said: Answer, by: &By) -> bool {
    let Some(confirm) = &shared.confirm else { return false };
    let mut to_client = Vec::new();
    let mut found = false;
    let mut decided = || {
        let _open = shared.enter()?;
        let _order = confirm.in_order();
        let (settled, taken) = {
            let (mut gate, now) = (shared.gate(), Instant::now());
            match gate.settle_held(id, said.is_yes(), now) {
                Some(held) => (Some(held), None),
                None if gate.held().any(|held| held.id == id && held.way == Way::InputRequired) => {
                    (None, None)
                }
                None => (None, gate.take_held(id, now)),
            }
        };
        if let Some(held) = settled {
            found = true;
            // The client was answered: what was said holds when it comes again. A line that cannot be written is a no.
            if shared.record.confirm_answered(told(&held, said.word(), false, Some(by))).is_err() {
                let taken = shared.gate().take_held(&held.id, Instant::now());
                taken
                    .iter()
                    .for_each(|held| drop(refuse(shared, held, &Refusal::unwritable(""), &held.request)));
            }
            return None;
        }
        let decided = decide(shared, &taken?, said, by);
        found = true;
        to_client = decided.to_client;
        decided.to_server.map(|text| format!("{text}\n").into_bytes())
    };
    if said.is_yes() {
        let gone = || shared.notify(Notice::ClientGone);
        if shared.server.write_decided(decided, gone).is_err() {
            shared.notify(Notice::ServerStdinClosed);
        }
        if shared.server.settle().is_some() {
            shared.alarm.wake();
        }
    } else {
        // Nothing goes to the server, so nobody is waited for.
        let _ = decided();
    }
    tell(shared, &to_client);
    found
}

fn tell(shared: &Shared, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    if shared.client.write(text.as_bytes()).is_err() {
        shared.notify(Notice::ClientGone);
    }
}

/// The dialog could not be shown: without another way nobody can answer.
pub(super) fn broke(shared: &Arc<Shared>, id: &str, by: &By) {
    let has_other = shared.confirm.as_ref().is_some_and(|confirm| confirm.terminal.is_ok());
    if !has_other {
        outside(shared, id, Answer::Error, by);
    }
}

/// Ends what nobody answered in time, and tells clients what still waits; whether there was anything. `None` when the
/// session has ended. Not while the session's `open` lock is held.
pub(super) fn watch(shared: &Shared) -> Option<bool> {
    let Some(confirm) = &shared.confirm else { return Some(false) };
    let mut said = Vec::new();
    {
        let _open = shared.enter()?;
        let _order = confirm.in_order();
        let now = Instant::now();
        let (late, waiting) = {
            let mut gate = shared.gate();
            (gate.expire_held(now), gate.waiting(now))
        };
        for held in &late {
            said.extend(unanswered(
                shared,
                held,
                "timeout",
                &refused::late(confirm.asking.timeout, &held.rule),
            ));
        }
        said.extend(waiting.into_iter().map(|(token, count)| lines::still_waits(&token, count)));
    }
    tell(shared, &said);
    Some(!said.is_empty())
}

/// A call that nobody answered is refused. A client that comes again was answered already.
fn unanswered(shared: &Shared, held: &Held, word: &'static str, refusal: &Refusal) -> Vec<String> {
    let mut said = withdrawn(shared, held, None);
    if held.settled.is_none() {
        let _ = shared.record.confirm_answered(told(held, word, false, None));
    }
    let answer = refuse(shared, held, refusal, &held.request);
    if held.way != Way::InputRequired {
        said.push(answer);
    }
    said
}

/// The client takes a call back that waits.
pub(super) fn taken_back(shared: &Shared, held: &Held) -> Action {
    let said = withdrawn(shared, held, None);
    let _ = shared.record.confirm_answered(told(held, "withdrawn", false, None));
    let _ = shared.record.call_dropped(&held.call, Outcome::Cancelled);
    Action::instead((!said.is_empty()).then(|| {
        said.join(
            "
",
        )
    }))
}

/// The client has closed its side: nobody waits for an answer that could still be passed on.
pub(super) fn give_up(shared: &Shared) {
    let mut said = Vec::new();
    if let Some(_open) = shared.enter() {
        let held = shared.gate().drain_held();
        for held in &held {
            said.extend(unanswered(shared, held, "withdrawn", &refused::left(&held.rule)));
        }
    }
    tell(shared, &said);
}

/// The session has ended: what waited stays unanswered.
pub(super) fn finish(shared: &Shared) {
    if let Some(confirm) = &shared.confirm {
        confirm.close();
    }
    let held = shared.gate().drain_held();
    for held in &held {
        if held.settled.is_none() {
            let _ = shared.record.confirm_answered(told(held, "withdrawn", false, None));
        }
        let _ = shared.record.call_dropped(&held.call, Outcome::Unanswered);
    }
}

/// What waits, for whoever lists it.
pub(super) fn pending(shared: &Shared) -> Vec<wire::Pending> {
    let Some(confirm) = &shared.confirm else { return Vec::new() };
    let _order = confirm.in_order();
    let now = Instant::now();
    let gate = shared.gate();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let waiting = gate.held().filter(|held| held.settled.is_none() && now < held.deadline);
    let one = |held: &Held| wire::Pending {
        id: held.id.clone(),
        session: confirm.session.clone(),
        server: confirm.asking.server.clone(),
        call: held.call.number,
        tool: held.call.tool.clone(),
        arguments: held.shown.clone(),
        rule: held.rule.clone(),
        channels: confirm.channels(held.way).into_iter().map(str::to_owned).collect(),
        waiting_ms: millis(now.saturating_duration_since(held.call.started)),
        left_ms: millis(held.deadline.saturating_duration_since(now)),
    };
    waiting.map(one).collect()
}

/// Whether a refusal is told as an error about the parameters of a request.
pub(super) fn is_about_state(refusal: &Refusal) -> bool {
    refusal.denial.reason == Reason::ConfirmState
}
