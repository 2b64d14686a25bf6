//! The exit status is 0 for a whole success and for nothing less.

use super::*;
use crate::cli::demo::attacks::{Answer, Record};

/// What the attack gets in the pen when all is well.
fn stopped(answer: Answer) -> Observed {
    match answer {
        Answer::Errno(errno) => Observed::Errno(errno.into()),
        Answer::Refused(reason) => Observed::Refused(reason.code().into()),
        Answer::Withheld => Observed::Withheld,
        Answer::Absent => Observed::Absent,
        Answer::Ended => Observed::Ended,
    }
}

/// What the log has of the attack when all is well.
fn event(record: Record) -> Option<String> {
    match record {
        Record::Denied { event, what, reason } => {
            let field = if event == "file.access" { "access" } else { "syscall" };
            Some(format!(
                r#""event":"{event}","{field}":"{what}","verdict":"deny","reason":"{}","layer":"broker""#,
                reason.code()
            ))
        }
        Record::Noise => Some(r#""event":"stdout.noise","excerpt":"x""#.into()),
        Record::Ended => Some(r#""event":"process.start","pid":7,"exe":"/x""#.into()),
        Record::Scope(_) | Record::Removed => None,
    }
}

/// A log in which every attack but `without` is.
fn log(without: Option<&str>) -> Log {
    let start = r#""event":"session.start","command":"x","env_removed":["DEMO_API_TOKEN"],"enforced":{"scopes":["signal"]}"#;
    let mut events = vec![start.to_owned()];
    for (attack, call) in attacks::all().zip(4..) {
        let tool = attack.tool;
        events.push(format!(r#""event":"call.start","call":{call},"tool":"{tool}""#));
        events.extend(event(attack.record).filter(|_| without != Some(tool)));
        events.push(format!(r#""event":"call.end","call":{call},"tool":"{tool}","outcome":"ok""#));
    }
    events.push(r#""event":"session.end","cause":"client_closed","calls":40"#.into());
    let lines: Vec<String> = events
        .iter()
        .zip(1..)
        .map(|(fields, seq)| {
            format!(
                r#"{{"v":1,"seq":{seq},"time":"2026-11-23T16:20:00.5Z","session":"S","server":"demo",{fields},"prev":""}}"#
            )
        })
        .collect();
    Log::of(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn findings() -> Findings {
    let did = || Observed::Did("it".into());
    let plays = |attacks: Vec<Observed>| Play { honest: vec![did(), did(), did()], attacks };
    let root = tempfile::tempdir().unwrap();
    let settings = crate::audit::sample::settings(root.path());
    crate::audit::sample::session(&settings, &[]);
    let scope = crate::audit::verify::Scope { dir: &settings.dir, session: None, expect: None };
    Findings {
        bare: plays(attacks::all().map(|_| did()).collect()),
        pen: plays(attacks::all().map(|attack| stopped(attack.answer)).collect()),
        damage: Vec::new(),
        log: log(None),
        verified: crate::audit::verify::verify(&scope, |_| Ok(())).unwrap(),
        home: "/h".into(),
        kept: None,
        took: Duration::ZERO,
    }
}

fn judged(change: impl FnOnce(&mut Findings)) -> Report {
    let mut findings = findings();
    change(&mut findings);
    Report::of(findings)
}

#[test]
fn everything_stopped_and_recorded_is_a_success() {
    let report = judged(|_| ());
    assert_eq!(report.problems(), Vec::<String>::new());
    assert_eq!((report.status(), report.stopped()), (0, attacks::all().count()));
}

#[test]
fn one_attack_that_worked_is_a_failure_and_named() {
    for (at, attack) in attacks::all().enumerate() {
        let report = judged(|findings| findings.pen.attacks[at] = Observed::Did("it worked".into()));
        assert_eq!(report.status(), 1);
        assert!(report.problems().iter().any(|problem| problem.starts_with(attack.tool)), "{}", attack.tool);
    }
}

#[test]
fn one_event_that_is_missing_is_a_failure_and_named() {
    for attack in attacks::all().filter(|attack| event(attack.record).is_some()) {
        let report = judged(|findings| findings.log = log(Some(attack.tool)));
        assert_eq!((report.status(), report.problems().len()), (1, 1), "{}", attack.tool);
        assert!(report.problems()[0].starts_with(attack.tool));
        assert_eq!(report.stopped(), attacks::all().count() - 1);
    }
}

#[test]
fn everything_else_that_is_wrong_is_a_failure() {
    let changes: [fn(&mut Findings); 7] = [
        |findings| findings.pen.honest[1] = Observed::Errno("EACCES".into()),
        |findings| findings.pen.honest[1] = Observed::Did("something else".into()),
        |findings| findings.bare.attacks[0] = Observed::Unclear("odd".into()),
        |findings| findings.damage.push("~/.bashrc was changed".into()),
        |findings| findings.verified.ok = false,
        |findings| findings.log.notes.push("this line is not an event".into()),
        |findings| findings.pen.attacks.truncate(3),
    ];
    for change in changes {
        let report = judged(change);
        assert_eq!((report.status(), report.problems().len()), (1, 1), "{:?}", report.problems());
    }
}

#[test]
fn json_is_one_versioned_object() {
    let mut out = Vec::new();
    judged(|findings| findings.pen.attacks[0] = Observed::Did("x".into())).write_json(&mut out).unwrap();
    let told: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&told["v"], &told["ok"]), (&Value::from(1), &Value::from(false)));
    let [first, second] = [&told["attacks"][0], &told["attacks"][1]];
    assert_eq!(first["verdict"], "got_through");
    assert_eq!(first["pen"], serde_json::json!({"outcome": "did", "detail": "x"}));
    assert_eq!((&second["verdict"], &second["layer"]), (&"stopped".into(), &"broker".into()));
    assert_eq!(told["events"][0]["event"], "session.start");
}
