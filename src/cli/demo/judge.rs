//! The judgement: an attack counts as stopped only if it worked without the pen, got the named answer in it, and is in
//! the log with the named event.
//!
//! Two exceptions, both said in the report: where this kernel refuses an attack to everybody it cannot be shown to work,
//! and what Landlock's signal scope refuses never reaches anybody who could write it down.

use serde::Serialize;

use crate::audit::query::record::Record as Line;
use crate::cli::demo::attacks::{Attack, Record, TOKEN};
use crate::cli::demo::log::{self, Log};
use crate::cli::demo::observed::Observed;
use crate::policy::reason::Reason;

/// What stopped an attack, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Stop {
    /// The layer, or the part of caponier where the event names none.
    pub(super) layer: String,
    /// The reason's code, or what happened where there is none.
    pub(super) reason: String,
    /// The event's number; `null` where the kernel alone refused.
    pub(super) seq: Option<u64>,
}

/// What is to be said of one attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Stopped, and recorded.
    Stopped(Stop),
    /// It worked, or got another answer than it has to get.
    GotThrough {
        /// What it got.
        detail: String,
    },
    /// It did not work without the pen either, so that its end in the pen proves nothing.
    Unproven {
        /// What it got there.
        detail: String,
    },
    /// Stopped, but the log does not say so.
    NotRecorded {
        /// What is missing.
        detail: String,
    },
}

impl Verdict {
    /// Whether it was stopped and recorded.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self, Verdict::Stopped(_))
    }
}

/// Judges one attack. `call` is its running number in the session of `log`.
pub(super) fn judge(attack: &Attack, bare: &Observed, pen: &Observed, log: &Log, call: u64) -> Verdict {
    if !pen.is(attack.answer) {
        return Verdict::GotThrough { detail: pen.sentence() };
    }
    if !is_proof(attack, bare) {
        return Verdict::Unproven { detail: bare.sentence() };
    }
    match find(attack, log, call) {
        Ok(stop) => Verdict::Stopped(stop),
        Err(detail) => Verdict::NotRecorded { detail },
    }
}

/// Whether the bare run shows that the attack works, or that this kernel lets nobody do it.
pub(super) fn is_proof(attack: &Attack, bare: &Observed) -> bool {
    match bare {
        Observed::Did(_) => true,
        Observed::Errno(errno) => attack.refused_anyway.contains(&errno.as_str()),
        _ => false,
    }
}

fn find(attack: &Attack, log: &Log, call: u64) -> Result<Stop, String> {
    let records = log.records();
    let during = log::during(&records, call, attack.tool);
    match attack.record {
        Record::Denied { event, what, reason } => {
            denied(during, event, what, reason).ok_or_else(|| missing(event, reason))
        }
        Record::Scope(_) if has_scope(log) => {
            Ok(Stop { layer: "landlock".into(), reason: "signal scope".into(), seq: None })
        }
        Record::Scope(syscall) => denied(during, "syscall.denied", syscall, Reason::SignalOutside)
            .ok_or_else(|| missing("syscall.denied", Reason::SignalOutside)),
        Record::Noise => {
            let line = during.iter().find(|line| &*line.event == "stdout.noise");
            let line = line.ok_or("no stdout.noise event while it was called")?;
            Ok(Stop { layer: "gate".into(), reason: "stdout.noise".into(), seq: Some(line.seq) })
        }
        Record::Removed => {
            let start = log.start();
            let removed =
                start["env_removed"].as_array().is_some_and(|names| names.iter().any(|name| name == TOKEN));
            let stop = Stop {
                layer: "environment".into(),
                reason: "env_removed".into(),
                seq: start["seq"].as_u64(),
            };
            removed.then_some(stop).ok_or_else(|| format!("{TOKEN} is not in env_removed of session.start"))
        }
        Record::Ended => {
            let started = during.iter().any(|line| &*line.event == "process.start");
            let end = records.iter().find(|line| &*line.event == "session.end");
            let stop = end.map(|end| Stop {
                layer: "init".into(),
                reason: "session.end".into(),
                seq: Some(end.seq),
            });
            stop.filter(|_| started).ok_or_else(|| "no process.start, or no session.end".into())
        }
    }
}

fn denied(during: &[Line<'_>], event: &str, what: &str, reason: Reason) -> Option<Stop> {
    let found = during.iter().find(|line| {
        let done = line.access.as_deref().or(line.syscall.as_deref()).unwrap_or_default();
        &*line.event == event
            && line.is_denied()
            && line.reason.as_deref() == Some(reason.code())
            && (what.is_empty() || done == what)
    })?;
    let layer = found.layer.as_deref()?.to_owned();
    Some(Stop { layer, reason: reason.code().into(), seq: Some(found.seq) })
}

fn missing(event: &str, reason: Reason) -> String {
    format!("no {event} event with {reason} while it was called")
}

fn has_scope(log: &Log) -> bool {
    log.start()["enforced"]["scopes"]
        .as_array()
        .is_some_and(|scopes| scopes.iter().any(|scope| scope == "signal"))
}

#[cfg(test)]
mod tests;
