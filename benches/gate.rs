//! What the gate costs: verdicts in this process, a round trip with all rules against one with none, and against a
//! policy proxy of somebody else's.
//!
//! Verdicts are timed over many, on one CPU that does nothing else, so that time is CPU time. What is judged is what a
//! session judges: the line is scanned, the gate was told of the tool by a `tools/list`.

use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use caponier::audit::redact::Redactor;
use caponier::event::Redact;
use caponier::jsonrpc::{Body, Message, Payload, scan};
use caponier::mcp::arguments::ground::{Disk, Ground};
use caponier::mcp::gate::{Gate, Judgement};
use caponier::mcp::schema::{Bounds, Unlisted, compile};
use caponier::policy::argument::{ArgumentPath, ArgumentRule};
use caponier::policy::grant::{Origin, Stated};
use caponier::policy::network::Network;
use caponier::policy::tools::{ToolRule, Tools, UnknownFields};
use caponier::policy::{Arguments, Protocol, Stdout};

use crate::figures::{Figure, Pair, Target};
use crate::{Place, TRAFFIC, on_one_cpu, open};

/// The figures.
pub(crate) fn figures(place: &Place) -> io::Result<Vec<Figure>> {
    on_one_cpu(|| {
        let mut figures = verdicts()?;
        figures.push(lists()?);
        figures.push(hostile_schemas()?);
        figures.extend(redaction()?);
        figures.extend(round_trips(place)?);
        Ok(figures)
    })
}

/// Seconds.
const SAMPLE: f64 = 0.02;

struct Kernel;

impl Disk for Kernel {
    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

const SCHEMA: &str = r#"{"type":"object","properties":{"path":{"type":"string","maxLength":100000},
    "head":{"type":"integer","minimum":0},"mode":{"enum":["text","binary"]}},"required":["path"]}"#;

fn tool(name: &str) -> String {
    format!(
        r#"{{"name":"{name}","description":"{}","inputSchema":{}}}"#,
        "words ".repeat(30),
        SCHEMA.replace('\n', "")
    )
}

fn other<E: std::fmt::Display>(error: E) -> io::Error {
    io::Error::other(error.to_string())
}

/// A gate that has seen the list of a server's tools, with rules for one of them.
fn gate() -> io::Result<Gate> {
    fn stated<T>(value: T) -> Option<Stated<T>> {
        Some(Stated { value, origin: Origin::caponier() })
    }
    let rule = |at: &str, rule: ArgumentRule| {
        Ok::<_, io::Error>((
            at.to_owned(),
            ArgumentRule { at: ArgumentPath::parse(at).map_err(other)?, ..rule },
        ))
    };
    let none = ArgumentRule::default;
    let argument = [
        rule(
            "path",
            ArgumentRule {
                within: stated(vec!["/usr".into()]),
                deny_prefix: stated(vec!["-".into()]),
                ..none()
            },
        )?,
        rule(
            "mode",
            ArgumentRule { one_of: stated(vec!["text".into()]), pattern: stated("[a-z]+".into()), ..none() },
        )?,
        rule("body", ArgumentRule { max_length: stated(1 << 20), ..none() })?,
    ];
    let rule = [("read".to_owned(), ToolRule { argument: argument.into(), ..ToolRule::default() })];
    let tools = Tools { rule: rule.into(), ..Tools::default() };
    let ground = Ground {
        granted: vec!["/usr".into()],
        cwd: "/usr".into(),
        home: "/root".into(),
        network: Network::default(),
        refuse_outside: true,
        disk: Arc::new(Kernel),
    };
    let protocol = Protocol {
        max_message: 16 << 20,
        max_depth: 64,
        stdout: Stdout::Strict,
        unknown_fields: UnknownFields::Reject,
        server_requests: caponier::policy::requests::ServerRequests::default(),
    };
    let mut gate = Gate::new(&tools, &protocol, ground).map_err(other)?;
    let open = r#"{"name":"free","inputSchema":{"type":"object","additionalProperties":true}}"#;
    learn(&mut gate, &[tool("read"), open.to_owned()].join(","))?;
    Ok(gate)
}

/// Asks for the tools, and takes the answer.
fn learn(gate: &mut Gate, tools: &str) -> io::Result<()> {
    let asked = br#"{"jsonrpc":"2.0","id":0,"method":"tools/list"}"#;
    let answer = format!(r#"{{"jsonrpc":"2.0","id":0,"result":{{"tools":[{tools}]}}}}"#);
    let now = Instant::now();
    let message = single(asked, gate)?;
    let Judgement::Pass(permit) = gate.judge_client(&message, now) else {
        return Err(other("refused to ask"));
    };
    gate.admit(permit, &message, now);
    let message = single(answer.as_bytes(), gate)?;
    let (Judgement::Pass(permit), Body::Response(response)) = (gate.judge_server(&message), &message.body)
    else {
        return Err(other("refused the tools"));
    };
    let arrival = gate.arrive(permit, response).ok_or_else(|| other("nobody asked"))?;
    arrival.listing.map(drop).map_err(|refusal| other(refusal.detail))
}

fn single<'l>(line: &'l [u8], gate: &Gate) -> io::Result<Message<'l>> {
    match scan(line, gate.limits()).map_err(other)? {
        Payload::Single(message) => Ok(message),
        Payload::Batch(_) => Err(other("a batch")),
    }
}

/// Microseconds for one `work`, in samples of about [`SAMPLE`].
fn microseconds(samples: usize, mut work: impl FnMut() -> io::Result<()>) -> io::Result<Vec<f64>> {
    let begin = Instant::now();
    work()?;
    let once = begin.elapsed().as_secs_f64().max(1e-7);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let count = (SAMPLE / once).clamp(1.0, 20_000.0) as u32;
    (0..samples)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..count {
                work()?;
            }
            Ok(begin.elapsed().as_secs_f64() * 1e6 / f64::from(count))
        })
        .collect()
}

fn alone(name: &str, unit: &'static str, ours: Vec<f64>, target: Target) -> Figure {
    Figure { name: name.into(), unit, ours, against: None, target }
}

/// A line that is judged and passes.
fn verdict(name: &str, line: &str, target: Target) -> io::Result<Figure> {
    let gate = gate()?;
    let now = Instant::now();
    let ours = microseconds(15, || {
        let message = single(black_box(line.as_bytes()), &gate)?;
        match gate.judge_client(&message, now) {
            Judgement::Pass(_) => Ok(()),
            Judgement::Refuse(refusal) => Err(other(refusal.detail)),
        }
    })?;
    Ok(alone(name, "\u{b5}s", ours, target))
}

fn verdicts() -> io::Result<Vec<Figure>> {
    let call = |name: &str, arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{name}","arguments":{arguments}}}}}"#
        )
    };
    let short = call("read", r#"{"path":"/usr/bin/env","head":12,"mode":"text"}"#);
    let short = short.replace(
        r#""head":12"#,
        &format!(r#""head":{}12"#, " ".repeat(200_usize.saturating_sub(short.len()))),
    );
    let text = "It is a line of text, with words in it.\\n".repeat((64 << 10) / 42);
    let long = call("free", &format!(r#"{{"body":"{text}"}}"#));
    let many: Vec<String> = (0..2000).map(|n| format!(r#""field{n}":"a value {n}""#)).collect();
    let many = call("free", &format!("{{{}}}", many.join(",")));
    Ok(vec![
        verdict("verdict on a call of 200 B, with rules", &short, Target::AtMost(10.0))?,
        verdict("verdict on a call of 64 KiB, one string", &long, Target::AtMost(400.0))?,
        verdict("verdict on a call of 64 KiB, 2 000 strings", &many, Target::AtMost(400.0))?,
    ])
}

fn lists() -> io::Result<Figure> {
    let tools: Vec<String> = (0..500).map(|n| tool(&format!("tool_{n}"))).collect();
    let tools = tools.join(",");
    let mut gate = gate()?;
    let ours = microseconds(15, || learn(&mut gate, &tools))?;
    let ours = ours.into_iter().map(|time| time / 1e3).collect();
    Ok(alone("tools/list of 500 tools", "ms", ours, Target::AtMost(10.0)))
}

/// The slowest of the schemas that a hostile server might send.
fn hostile_schemas() -> io::Result<Figure> {
    let chain: Vec<String> = (0..20)
        .map(|n| {
            format!(
                r##""d{n}":{{"anyOf":[{{"$ref":"#/$defs/d{m}"}},{{"$ref":"#/$defs/d{m}"}}]}}"##,
                m = n + 1
            )
        })
        .collect();
    let chain =
        format!(r##"{{"$defs":{{{},"d20":{{"type":"string"}}}},"$ref":"#/$defs/d0"}}"##, chain.join(","));
    let properties: Vec<String> = (0..10_000).map(|n| format!(r#""p{n}":{{"type":"integer"}}"#)).collect();
    let schemas = [
        chain,
        format!(r#"{{"properties":{{{}}}}}"#, properties.join(",")),
        r##"{"properties":{"n":{"$ref":"#"}},"anyOf":[{"$ref":"#/properties/n"},true]}"##.to_owned(),
        format!(r#"{{"patternProperties":{{"{}":true}}}}"#, "(a|b)*".repeat((1 << 20) / 6)),
    ];
    let arguments = r#"{"p1":1,"n":{"n":{"n":{"n":{}}}},"x":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
    let mut slowest = vec![0.0_f64; 5];
    for schema in &schemas {
        let took = microseconds(5, || {
            // A schema that is refused is an answer too.
            if let Ok(compiled) = compile(black_box(schema), Bounds::DEFAULT) {
                black_box(compiled.check(arguments, Unlisted::Refused));
            }
            Ok(())
        })?;
        for (slowest, took) in slowest.iter_mut().zip(took) {
            *slowest = slowest.max(took / 1e3);
        }
    }
    Ok(alone("the slowest of four hostile schemas", "ms", slowest, Target::AtMost(50.0)))
}

/// Arguments of 64 KiB as they are recorded.
fn redaction() -> io::Result<Vec<Figure>> {
    let secrets = [("env.TOKEN".to_owned(), "a value of the environment".to_owned())];
    let redactor = Redactor::new(&secrets, Arguments::Redacted)?;
    let text = "It is a line of text, with words in it.\\n".repeat((64 << 10) / 42);
    let many: Vec<String> = (0..2000).map(|n| format!(r#""field{n}":"a value {n}""#)).collect();
    let mut figures = Vec::new();
    for (name, arguments) in [
        ("redaction of 64 KiB, one string", format!(r#"{{"body":"{text}"}}"#)),
        ("redaction of 64 KiB, 2 000 strings", format!("{{{}}}", many.join(","))),
    ] {
        let ours = microseconds(15, || {
            black_box(redactor.arguments(black_box(&arguments)));
            Ok(())
        })?;
        figures.push(alone(name, "\u{b5}s", ours, Target::None));
    }
    let line: String = text.replace("\\n", " ");
    let ours = microseconds(15, || {
        black_box(redactor.text(black_box(&line)));
        Ok(())
    })?;
    figures.push(alone("a text of 64 KiB gone through for secrets", "\u{b5}s", ours, Target::None));
    Ok(figures)
}

const RULES: &str = "\
version = 1
extends = [\"base\"]
[tools]
calls = \"100000000/h\"
concurrent = 100
timeout = \"60s\"
result_size = \"9MiB\"
[tools.rule.short]
calls = \"100000000/h\"
argument.pad = { deny_prefix = [\"-\"], pattern = \"[^\\\\n]*\", max_length = 10000 }
[audit]
arguments = \"redacted\"
";

const NONE: &str = "\
version = 1
extends = [\"base\"]
[tools]
outside_paths = \"allow\"
[audit]
arguments = \"none\"
";

/// A call there and back: all rules on, against none.
fn round_trips(place: &Place) -> io::Result<Vec<Figure>> {
    let echo = place.programs.join("bench-echo").into_os_string();
    let grant = echo.to_string_lossy().into_owned();
    let command = |name: &str, profile: &str| {
        let file = place.home.path().join(name);
        std::fs::write(&file, profile)?;
        let file = file.to_string_lossy().into_owned();
        io::Result::Ok(place.penned(&["--profile", &file, "--exec", &grant], std::slice::from_ref(&echo)))
    };
    let (with, without) = (command("rules.toml", RULES)?, command("none.toml", NONE)?);
    let (mut ours, mut theirs) = (open(place, &with)?, open(place, &without)?);
    let traffic = &TRAFFIC[0];
    let pair = Pair::sample(15, || traffic.measure(&mut ours), || traffic.measure(&mut theirs))?;
    ours.close()?;
    theirs.close()?;
    let rules = Figure {
        name: format!("{}, all rules on, one CPU", traffic.name),
        unit: traffic.unit(),
        ours: pair.ours,
        against: Some(("the same without rules", pair.theirs)),
        target: Target::AtMost(1.3),
    };
    // A proxy in Python that allows tools by name, scans answers and keeps a trace; it needs no pen, and has none.
    let policy = place.home.path().join("policy.yaml");
    std::fs::write(&policy, "default: deny\nallow: [short, plain, escaped]\n")?;
    let mut other: Vec<std::ffi::OsString> = vec![
        place.peers.join("bench/python/bin/bastiongate").into(),
        "run".into(),
        "--policy".into(),
        policy.into(),
    ];
    other.extend(["--log".into(), place.home.path().join("trace.jsonl").into(), "--".into(), echo]);
    let (mut ours, mut theirs) = (open(place, &with)?, open(place, &other)?);
    let pair = Pair::sample(9, || traffic.measure(&mut ours), || traffic.measure(&mut theirs))?;
    ours.close()?;
    theirs.close()?;
    let proxy = Figure {
        name: format!("{}, against a policy proxy, one CPU", traffic.name),
        unit: traffic.unit(),
        ours: pair.ours,
        against: Some(("bastiongate 0.14.0", pair.theirs)),
        target: Target::None,
    };
    Ok(vec![rules, proxy])
}
