//! Events and logs for tests.

use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::audit::line::Frame;
use crate::audit::redact::Redactor;
use crate::audit::writer::{Ending, ROTATE_AT, Settings, Writer};
use crate::event::{
    AuditLost, CallEnd, CallStart, Cause, Event, Evidence, FileAccess, FileAccessKind, Outcome, Sink, Status,
    StderrLine, StdoutNoise,
};
use crate::policy::calls::{Attribution, Summary};
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy, Ruling};
use crate::policy::{Arguments, OnFailure, Sync};

pub(crate) fn access(path: &str) -> FileAccess {
    FileAccess {
        path: path.to_owned(),
        asked: None,
        access: FileAccessKind::Read,
        verdict: Ruling::Allow,
        reason: None,
        layer: None,
        remedy: None,
        why_not: None,
        result: "ok",
        pid: 7,
        exe: "/usr/bin/node".to_owned(),
        calls: vec![1],
        attribution: Attribution::Sole,
        evidence: Evidence::Predicted,
        would: None,
        count: 1,
    }
}

pub(crate) fn allowed(path: &str) -> Event {
    Event::FileAccess(Box::new(access(path)))
}

pub(crate) fn denied(path: &str) -> Event {
    let mut access = access(path);
    access.deny(&Denial {
        reason: Reason::FsReadNotGranted,
        layer: Layer::Broker,
        remedy: Remedy::Line(format!("filesystem.read = [{path:?}]")),
    });
    access.result = "EACCES";
    Event::FileAccess(Box::new(access))
}

pub(crate) fn call_start(call: u64, tool: &str) -> Event {
    Event::CallStart(Box::new(CallStart {
        call,
        id: RawValue::from_string(format!("\"id-{call}\"")).unwrap(),
        method: "tools/call".to_owned(),
        tool: tool.to_owned(),
        arguments: None,
        arguments_sha256: String::new(),
        bytes: 10,
        unlisted: false,
    }))
}

pub(crate) fn call_end(call: u64, tool: &str) -> Event {
    Event::CallEnd(Box::new(CallEnd {
        call,
        tool: tool.to_owned(),
        outcome: Outcome::Ok,
        error_code: None,
        duration_us: 5,
        bytes: 10,
        summary: Summary::default(),
        reason: None,
    }))
}

pub(crate) fn noise(excerpt: &str) -> Event {
    Event::StdoutNoise(StdoutNoise { bytes: excerpt.len() as u64, excerpt: excerpt.to_owned() })
}

pub(crate) fn stderr(excerpt: &str) -> Event {
    Event::StderrLine(StderrLine { bytes: excerpt.len() as u64, excerpt: excerpt.to_owned() })
}

pub(crate) fn lost(count: u64) -> Event {
    Event::AuditLost(AuditLost { reason: "cap".to_owned(), count })
}

pub(crate) fn frame(session: &str, server: &str) -> Frame {
    let redactor = Redactor::new(&[], Arguments::Redacted).unwrap();
    Frame::new(session, server, Arc::new(redactor)).unwrap()
}

pub(crate) fn settings(dir: &Path) -> Settings {
    Settings {
        dir: dir.join("audit"),
        session: crate::audit::session_id().unwrap(),
        server: "sample".to_owned(),
        sync: Sync::Session,
        on_failure: OnFailure::Block,
        secrets: Vec::new(),
        arguments: Arguments::Redacted,
        rotate_at: ROTATE_AT,
    }
}

pub(crate) fn ending() -> Ending {
    Ending { status: Some(Status::Exit(0)), cause: Cause::ServerExit, rusage: None }
}

/// A session with `events`, ended in order; its name.
pub(crate) fn session(settings: &Settings, events: &[Event]) -> String {
    let writer = Writer::open(settings).unwrap();
    for event in events {
        writer.append(event).unwrap();
    }
    writer.finish(&ending()).unwrap();
    settings.session.clone()
}
