//! Calls that take too long: a fourth plain thread, which sleeps until the next deadline of the gate.
//!
//! It also says what waits for a server that did not read. Nobody wakes it for a call that is
//! answered in time. What it says to the server goes through [`ServerIn::say`](crate::relay::shared::ServerIn::say), which never
//! waits for a server that does not read, and never writes into the middle of a message.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

use crate::event::{Direction, Outcome};
use crate::mcp::answer;
use crate::mcp::gate::{Expired, Overdue};
use crate::mcp::pending::Asked;
use crate::relay::record::Ending;
use crate::relay::shared::Shared;
use crate::relay::{Notice, confirm};

/// Ends calls that take too long, until the session ends.
pub(super) fn watch(shared: &Shared) {
    let alarm = &shared.alarm;
    while let Some(is_expired) = end_late(shared) {
        if is_expired {
            // Writing may have taken long.
            continue;
        }
        let timeout = {
            let gate = shared.gate();
            let deadline = gate.deadline();
            alarm.arm(deadline);
            deadline.map_or(PollTimeout::NONE, |deadline| until(deadline, Instant::now()))
        };
        let unsaid = shared.server.settle();
        if alarm.wait(unsaid.as_deref().map(AsFd::as_fd), timeout).is_err() {
            return;
        }
    }
}

/// Ends what is too late by now; whether anything was. `None` when the session has ended.
fn end_late(shared: &Shared) -> Option<bool> {
    let expired = expire(shared)?;
    let is_expired = confirm::watch(shared)? | !expired.is_empty();
    for (answer, cancel) in expired {
        shared.server.say(cancel);
        if answer.is_some_and(|answer| shared.client.write(answer.as_bytes()).is_err()) {
            shared.notify(Notice::ClientGone);
        }
    }
    Some(is_expired)
}

/// Before an answer is looked at: one that comes too late is late, also where the watching thread was kept waiting for a
/// processor. Not while the session's `open` lock is held.
pub(super) fn before_answer(shared: &Shared) {
    let deadline = shared.gate().deadline();
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        let _ = end_late(shared);
    }
}

/// Milliseconds to sleep, rounded up: to wake early would be to sleep again.
fn until(deadline: Instant, now: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(now) + Duration::from_micros(999);
    PollTimeout::try_from(left.min(Duration::from_secs(3600))).unwrap_or(PollTimeout::MAX)
}

/// What the client, which does not always wait for something, and the server are told.
type Told = (Option<String>, Vec<u8>);

/// Records every call that is too late, and every task: what the client and the server are told of each. `None` when the
/// session has ended.
fn expire(shared: &Shared) -> Option<Vec<Told>> {
    let _open = shared.enter()?;
    let now = Instant::now();
    let (expired, overdue) = {
        let mut gate = shared.gate();
        (gate.expire(now), gate.expire_tasks(now))
    };
    // A task whose result somebody waits for is told of once.
    let waited = |tool: &str| {
        let is_it = |asked: &Asked| matches!(asked, Asked::Task { tool: of, result: true, .. } if of == tool);
        expired.iter().any(|expired| is_it(&expired.request.asked))
    };
    for Overdue { tool, refusal, .. } in overdue.iter().filter(|overdue| !waited(&overdue.tool)) {
        let what = (Some("tasks/result".to_owned()), Some(tool.clone()));
        shared.record.denied(Direction::ServerToClient, what, refusal, 0);
    }
    let mut all: Vec<Told> = expired.iter().filter_map(|expired| told(shared, expired)).collect();
    all.extend(overdue.into_iter().map(|overdue| (None, overdue.cancel.into_bytes())));
    Some(all)
}

fn told(shared: &Shared, expired: &Expired) -> Option<Told> {
    let Expired { request, refusal } = expired;
    let (method, tool) = match &request.asked {
        Asked::Call(call) => ("tools/call", &call.tool),
        Asked::Task { tool, .. } => ("tasks/result", tool),
        _ => return None,
    };
    let what = (Some(method.to_owned()), Some(tool.clone()));
    let event = shared.record.denied(Direction::ServerToClient, what, refusal, 0);
    let told = shared.record.told(refusal);
    let mut answer = answer::refused_call(&request.id, tool, request.modern, &told, event.as_deref());
    if let Asked::Call(call) = &request.asked {
        // It has ended, whether or not that can be written; a failure was told to the session.
        let ending = Ending {
            outcome: Outcome::Timeout,
            error_code: None,
            bytes: answer.len(),
            reason: Some(refusal.denial.reason),
        };
        let _ = shared.call_ends(call, ending);
    }
    answer.push('\n');
    Some((Some(answer), answer::cancelled(&request.id).into_bytes()))
}
