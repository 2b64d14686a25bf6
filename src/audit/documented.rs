//! `docs/AUDIT.md` names every event and every field that is written, and no other.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::audit::sample;
use crate::event::*;
use crate::policy::calls::Attribution;
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy, Ruling};

fn session_events() -> Vec<Event> {
    let rusage = Some(Rusage { user_us: 1, system_us: 1, max_rss_kib: 1 });
    let enforced = Enforced {
        landlock_abi: 7,
        fs: true,
        net: "none",
        scopes: vec![],
        seccomp: true,
        notify: true,
        caps: "dropped",
        limits: vec![],
        kill: "scope",
        gate: vec![],
    };
    vec![
        Event::SessionStart(Box::new(SessionStart {
            command: String::new(),
            argv: vec![],
            exe: String::new(),
            exe_sha256: None,
            package: None,
            package_digest: None,
            cwd: String::new(),
            profile: String::new(),
            profile_file: String::new(),
            profile_sha256: String::new(),
            locked: false,
            repository: Some(RepositoryFile { file: String::new(), sha256: String::new(), approved: false }),
            flags: vec![],
            workspace: String::new(),
            env: "prod",
            observe: false,
            client: None,
            user: String::new(),
            kernel: String::new(),
            enforced,
            degraded: vec![],
            env_removed: vec![],
            caponier: "0",
        })),
        Event::SessionExe(SessionExe { exe: String::new(), exe_sha256: None }),
        Event::SessionEnd(Box::new(SessionEnd {
            status: None,
            cause: Cause::Killed,
            duration_us: 1,
            events: 1,
            calls: 1,
            denied: 1,
            lost: 1,
            rusage,
        })),
        Event::ProcessStart(ProcessStart {
            pid: 1,
            ppid: 1,
            exe: String::new(),
            argv: vec![],
            would: Some(Ruling::Allow),
            calls: vec![],
            attribution: Attribution::None,
        }),
        Event::ProcessExit(ProcessExit {
            pid: 1,
            ppid: 1,
            exe: String::new(),
            status: Some(Status::Exit(0)),
            rusage,
        }),
        Event::AuditDegraded(AuditDegraded { reason: String::new(), count: 1 }),
        Event::ProofAttack(Box::new(ProofAttack {
            attack: String::new(),
            what: String::new(),
            unconfined: String::new(),
            confined: String::new(),
            outcome: ProofOutcome::Blocked,
            layer: None,
            reason: None,
            recorded: None,
            allowed_by: None,
            detail: None,
        })),
        Event::ProofResult(ProofResult {
            ok: true,
            blocked: 1,
            open: 0,
            allowed: 0,
            unproven: 0,
            unclear: 0,
        }),
    ]
}

fn refusals() -> Vec<Event> {
    let (reason, layer) = (Reason::NetNone, Layer::Broker);
    let (exe, attribution) = (String::new(), Attribution::None);
    vec![
        Event::SyscallDenied(Box::new(SyscallDenied {
            syscall: "mount",
            nr: 1,
            args: [0; 6],
            reason,
            layer,
            remedy: None,
            why_not: None,
            errno: "EPERM",
            pid: 1,
            exe: exe.clone(),
            calls: vec![],
            attribution,
            count: 1,
        })),
        Event::NetworkConnect(Box::new(NetworkConnect {
            host: None,
            port: 1,
            address: String::new(),
            sni: None,
            backend: None,
            verdict: Ruling::Deny,
            reason: Some(reason),
            layer: Some(layer),
            remedy: None,
            why_not: None,
            result: "EACCES",
            pid: 1,
            exe: exe.clone(),
            calls: vec![],
            attribution,
            count: 1,
        })),
        Event::NetworkResolve(Box::new(NetworkResolve {
            host: String::new(),
            query: String::new(),
            addresses: vec![],
            verdict: Ruling::Deny,
            reason: Some(reason),
            layer: Some(layer),
            remedy: None,
            why_not: None,
            result: "NXDOMAIN",
            pid: 1,
            exe: exe.clone(),
            calls: vec![],
            attribution,
            count: 1,
        })),
        Event::NetworkClose(Box::new(NetworkClose {
            host: None,
            port: 1,
            address: String::new(),
            backend: Backend::Direct,
            bytes_up: None,
            bytes_down: None,
            duration_us: 1,
            cause: "closed",
            pid: 1,
            exe: exe.clone(),
            calls: vec![],
            attribution,
        })),
        Event::SocketUnix(Box::new(SocketUnix {
            path: String::new(),
            verdict: Ruling::Deny,
            reason: Some(reason),
            layer: Some(layer),
            remedy: None,
            why_not: None,
            result: "EACCES",
            pid: 1,
            exe,
            calls: vec![],
            attribution,
            count: 1,
        })),
        Event::ToolDefined(Box::new(ToolDefined {
            kind: "prompt",
            tool: None,
            name: Some(String::new()),
            sha256: String::new(),
            findings: Vec::new(),
        })),
        Event::ToolChanged(Box::new(ToolChanged {
            kind: "prompt",
            tool: None,
            name: Some(String::new()),
            fate: "changed",
            renamed_from: None,
            sha256: String::new(),
            class: String::new(),
            held: false,
            diff: Vec::new(),
            findings: Vec::new(),
        })),
        Event::ToolMismatch(Box::new(ToolMismatch {
            tool: String::new(),
            call: 1,
            declared: "",
            did: "",
            path: Some(String::new()),
            host: Some(String::new()),
        })),
        Event::RequestStart(Box::new(RequestStart {
            request: 1,
            id: serde_json::value::RawValue::NULL.to_owned(),
            method: String::new(),
            params: None,
            bytes: 1,
        })),
        Event::RequestEnd(RequestEnd {
            request: 1,
            method: String::new(),
            outcome: "ok",
            shown: Some(1),
            hidden: Some(1),
            duration_us: 1,
            bytes: 1,
        }),
        Event::ConfirmAsked(Box::new(ConfirmAsked {
            call: 1,
            id: String::new(),
            tool: String::new(),
            channel: "terminal",
            also: Vec::new(),
            rule: String::new(),
        })),
        Event::ConfirmAnswered(Box::new(ConfirmAnswered {
            call: 1,
            id: String::new(),
            tool: String::new(),
            channel: None,
            answer: "timeout",
            by: None,
            remembered: true,
            duration_us: 1,
        })),
        Event::MessageDenied(Box::new(MessageDenied {
            direction: Direction::ClientToServer,
            method: None,
            tool: Some(String::new()),
            reason,
            layer,
            detail: String::new(),
            remedy: None,
            why_not: None,
            bytes: 1,
        })),
    ]
}

fn all_events() -> Vec<Event> {
    let mut access = sample::access("/x");
    access.would = Some(Ruling::Deny);
    access.asked = Some(String::new());
    let (reason, layer) = (Reason::FsProc, Layer::Broker);
    access.deny(&Denial { reason, layer, remedy: Remedy::Line(String::new()) });
    access.why_not = Some(String::new());
    let mut call_end = sample::call_end(1, "t");
    if let Event::CallEnd(end) = &mut call_end {
        end.reason = Some(reason);
    }
    let mut call_start = sample::call_start(1, "t");
    if let Event::CallStart(start) = &mut call_start {
        start.unlisted = true;
    }
    let mut events = vec![Event::FileAccess(Box::new(access)), call_start, call_end];
    events.extend([sample::noise(""), sample::stderr(""), sample::lost(1)]);
    events.extend(session_events());
    events.extend(refusals());
    events
}

fn fields(event: &Event) -> BTreeSet<String> {
    let payload: Map<String, Value> = serde_json::from_value(serde_json::to_value(event).unwrap()).unwrap();
    payload.keys().cloned().collect()
}

/// The words in backticks outside parentheses: the fields, not their values.
fn named(cell: &str) -> BTreeSet<String> {
    let mut depth = 0;
    let outside: String = cell
        .chars()
        .filter(|character| {
            depth += i32::from(*character == '(') - i32::from(*character == ')');
            depth == 0
        })
        .collect();
    let outside = outside.split(':').next().unwrap().to_owned();
    outside.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_event_and_field_is_documented() {
    let text = include_str!("../../docs/AUDIT.md");
    let rows: Vec<(&str, &str)> = text
        .lines()
        .skip_while(|line| !line.starts_with("## Events"))
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .take_while(|(name, _)| name.contains('.'))
        .collect();
    let events = all_events();
    let documented: BTreeSet<&str> = rows.iter().map(|(name, _)| *name).collect();
    let written: BTreeSet<&str> = events.iter().map(Event::name).collect();
    assert_eq!(documented, written);
    assert_eq!(events.len(), written.len(), "an event twice");
    for event in &events {
        let (_, cell) = rows.iter().find(|(name, _)| *name == event.name()).unwrap();
        assert_eq!(named(cell), fields(event), "{}", event.name());
    }
}

#[test]
fn a_refusal_has_verdict_reason_layer_and_a_remedy_or_why_there_is_none() {
    let mut access = sample::access("/x");
    let remedy = Remedy::WhyNot("it is a secret".to_owned());
    access.deny(&Denial { reason: Reason::FsProc, layer: Layer::Broker, remedy });
    let mut refused = refusals();
    refused.push(Event::FileAccess(Box::new(access)));
    let kinds = [
        "file.access",
        "syscall.denied",
        "message.denied",
        "network.resolve",
        "network.connect",
        "socket.unix",
    ];
    refused.retain(|event| kinds.contains(&event.name()));
    assert_eq!(refused.len(), kinds.len());
    for event in refused {
        let line: Value = serde_json::to_value(&event).unwrap();
        assert_eq!(line["verdict"], "deny", "{line}");
        for member in ["reason", "layer", "remedy"] {
            assert!(line.get(member).is_some(), "{member}: {line}");
        }
    }
}

#[test]
fn what_is_enforced_is_documented() {
    let text = include_str!("../../docs/AUDIT.md");
    let sentence = text.split_once("`enforced` has ").unwrap().1.split_once('.').unwrap().0;
    let start = serde_json::to_value(&session_events()[0]).unwrap();
    let written: BTreeSet<String> = start["enforced"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(named(sentence), written);
}

#[test]
fn no_field_of_an_event_hides_one_of_the_envelope() {
    for event in all_events() {
        for name in ["v", "seq", "time", "session", "server", "event", "prev"] {
            assert!(!fields(&event).contains(name), "{} {name}", event.name());
        }
    }
}
