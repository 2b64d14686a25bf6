//! OTLP/JSON (OpenTelemetry Protocol 1.x): a session is a trace, its calls are spans, what happened inside are events of
//! the spans. Lines of TracesData, as OpenTelemetry's file exporter writes them; ids in hex, as OTLP/JSON wants them.
//!
//! A span is written when it ends. Until then its events are held, so their number and their bytes have caps; beyond
//! them they are counted in `droppedEventsCount`, refusals last.

use std::io::{self, Write};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::audit::condition::Condition;
use crate::audit::export::Format;
use crate::audit::export::fields::Fields;

/// Events of one span: allowed, and refused.
const MAX_ALLOWED: usize = 1000;
const MAX_DENIED: usize = 4000;
/// Bytes of lines of one span's events.
const MAX_BYTES: usize = 1 << 20;
/// Calls that are held at one time.
const MAX_OPEN: usize = 1024;
/// Spans of one line.
const MAX_SPANS: usize = 64;

const INTERNAL: u8 = 1;
const SERVER: u8 = 2;

/// See the module.
#[derive(Debug, Default)]
pub struct Otlp {
    root: Option<Span>,
    /// In the order of their starts.
    open: Vec<(u64, Span)>,
    ready: Vec<Value>,
}

#[derive(Debug)]
struct Span {
    name: String,
    kind: u8,
    session: String,
    server: String,
    id: String,
    parent: String,
    begin: u64,
    end: u64,
    attributes: Vec<Value>,
    status: Value,
    events: Vec<Value>,
    counts: (usize, usize, usize),
    dropped: u64,
}

impl Format for Otlp {
    fn event(&mut self, event: &Fields, out: &mut dyn Write) -> io::Result<()> {
        let is_new = self.root.as_ref().is_none_or(|root| root.session != event.session());
        if is_new {
            self.close(None, out)?;
            self.root = Some(Span::session(event));
        }
        if let Some(root) = &mut self.root {
            root.end = root.end.max(event.nanos());
        }
        match (event.event(), event.number("call")) {
            ("call.start", Some(call)) => self.begin(call, event, out),
            ("call.end", Some(call)) => self.end(call, event, out),
            _ => {
                // Several in flight: the one that began last, and the event names all of them.
                let owner =
                    event.calls().rev().find_map(|call| self.open.iter().position(|(open, _)| *open == call));
                let span = match owner {
                    Some(at) => self.open.get_mut(at).map(|(_, span)| span),
                    None => self.root.as_mut(),
                };
                if let Some(span) = span {
                    span.add(event);
                }
                Ok(())
            }
        }
    }

    fn session(&mut self, condition: &Condition, out: &mut dyn Write) -> io::Result<()> {
        match &self.root {
            Some(root) if root.session == condition.session => self.close(Some(condition), out),
            _ => Ok(()),
        }
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.close(None, out)
    }
}

impl Otlp {
    fn begin(&mut self, call: u64, event: &Fields, out: &mut dyn Write) -> io::Result<()> {
        if self.open.len() >= MAX_OPEN {
            let (_, span) = self.open.remove(0);
            self.write(span, out)?;
        }
        self.open.push((call, Span::call(event)));
        Ok(())
    }

    fn end(&mut self, call: u64, event: &Fields, out: &mut dyn Write) -> io::Result<()> {
        let Some(at) = self.open.iter().position(|(open, _)| *open == call) else {
            // Its beginning was not asked for.
            self.root.iter_mut().for_each(|root| root.add(event));
            return Ok(());
        };
        let (_, mut span) = self.open.remove(at);
        span.end = event.nanos().max(span.begin);
        let own = event.own().filter(|(name, _)| !matches!(*name, "call" | "tool" | "bytes"));
        span.attributes.extend(own.map(|(name, value)| attribute(&format!("caponier.{name}"), value)));
        let outcome = event.text("outcome").unwrap_or_default();
        span.status = match outcome {
            "ok" => json!({"code": 1}),
            other => json!({"code": 2, "message": event.text("reason").unwrap_or(other)}),
        };
        if outcome != "ok" {
            span.attributes.push(attribute("error.type", &json!(outcome)));
        }
        self.write(span, out)
    }

    /// Writes what is left of a session.
    fn close(&mut self, condition: Option<&Condition>, out: &mut dyn Write) -> io::Result<()> {
        let last = self.root.as_ref().map_or(0, |root| root.end);
        for (_, mut span) in std::mem::take(&mut self.open) {
            span.end = last.max(span.begin);
            span.attributes.push(attribute("caponier.outcome", &json!("no end in the log")));
            self.write(span, out)?;
        }
        if let Some(mut root) = self.root.take() {
            let notices = condition.map(Condition::notices).unwrap_or_default();
            if !notices.is_empty() {
                root.attributes.push(attribute("caponier.notices", &json!(notices)));
            }
            self.write(root, out)?;
        }
        self.flush(out)
    }

    fn write(&mut self, span: Span, out: &mut dyn Write) -> io::Result<()> {
        let server = span.server.clone();
        self.ready.push(span.json());
        if self.ready.len() >= MAX_SPANS { self.send(&server, out) } else { Ok(()) }
    }

    fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let server = self.ready.first().and_then(|span| span["server"].as_str().map(str::to_owned));
        match server {
            Some(server) => self.send(&server, out),
            None => Ok(()),
        }
    }

    /// One line: the spans that are ready, all of one session.
    fn send(&mut self, server: &str, out: &mut dyn Write) -> io::Result<()> {
        let mut spans = std::mem::take(&mut self.ready);
        for span in &mut spans {
            span.as_object_mut().map(|span| span.remove("server"));
        }
        let scope = json!({"name": "caponier", "version": env!("CARGO_PKG_VERSION")});
        let resource = json!({"attributes": [attribute("service.name", &json!(server))]});
        let line = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]});
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }
}

impl Span {
    fn session(event: &Fields) -> Self {
        let mut span = Span::new(event, "session", INTERNAL);
        span.id = hex(event.session(), "session", 8);
        span.attributes.push(attribute("mcp.session.id", &json!(event.session())));
        span
    }

    fn call(event: &Fields) -> Self {
        let tool = event.text("tool").unwrap_or_default();
        let method = event.text("method").unwrap_or("call");
        let mut span = Span::new(event, &format!("{method} {tool}"), SERVER);
        span.parent = hex(event.session(), "session", 8);
        let named = ["mcp.method.name", "gen_ai.tool.name"].into_iter().zip([method, tool]);
        span.attributes.extend(named.map(|(name, value)| attribute(name, &json!(value))));
        if let Some(id) = event.get("id") {
            span.attributes.push(attribute("jsonrpc.request.id", &json!(id.to_string())));
        }
        let own = event.own().filter(|(name, _)| !matches!(*name, "id" | "method" | "tool"));
        span.attributes.extend(own.map(|(name, value)| attribute(&format!("caponier.{name}"), value)));
        span
    }

    fn new(event: &Fields, name: &str, kind: u8) -> Self {
        Span {
            name: name.trim_end().to_owned(),
            kind,
            session: event.session().to_owned(),
            server: event.server().to_owned(),
            id: hex(event.session(), &event.seq().to_string(), 8),
            parent: String::new(),
            begin: event.nanos(),
            end: event.nanos(),
            attributes: Vec::new(),
            status: json!({}),
            events: Vec::new(),
            counts: (0, 0, 0),
            dropped: 0,
        }
    }

    /// Holds an event, or counts it.
    fn add(&mut self, event: &Fields) {
        let mut attributes = vec![attribute("caponier.event", &json!(event.id()))];
        attributes.extend(event.own().map(|(name, value)| attribute(&format!("caponier.{name}"), value)));
        let made = json!({"timeUnixNano": event.nanos().to_string(), "name": event.event(), "attributes": attributes});
        let bytes = made.to_string().len();
        let (allowed, denied, held) = &mut self.counts;
        let (count, most) = if event.is_denied() { (denied, MAX_DENIED) } else { (allowed, MAX_ALLOWED) };
        // Half of the bytes are kept for refusals.
        let room = if most == MAX_DENIED { MAX_BYTES } else { MAX_BYTES / 2 };
        if *count >= most || *held + bytes > room {
            self.dropped += 1;
            return;
        }
        *count += 1;
        *held += bytes;
        self.events.push(made);
    }

    fn json(self) -> Value {
        let mut span = json!({
            "traceId": hex(&self.session, "", 16),
            "spanId": self.id,
            "name": self.name,
            "kind": self.kind,
            "startTimeUnixNano": self.begin.to_string(),
            "endTimeUnixNano": self.end.to_string(),
            "attributes": self.attributes,
            "events": self.events,
            "droppedEventsCount": self.dropped,
            "status": self.status,
            "server": self.server,
        });
        if !self.parent.is_empty() {
            span["parentSpanId"] = json!(self.parent);
        }
        span
    }
}

/// An attribute. What OTLP has no kind for is its JSON text.
fn attribute(name: &str, value: &Value) -> Value {
    json!({"key": name, "value": any(value)})
}

fn any(value: &Value) -> Value {
    match value {
        Value::Bool(truth) => json!({"boolValue": truth}),
        // 64-bit integers are decimal strings in OTLP/JSON.
        Value::Number(number) if number.as_i64().is_some() => json!({"intValue": number.to_string()}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(values) => json!({"arrayValue": {"values": values.iter().map(any).collect::<Vec<_>>()}}),
        Value::Object(members) => {
            let values: Vec<Value> = members.iter().map(|(name, value)| attribute(name, value)).collect();
            json!({"kvlistValue": {"values": values}})
        }
        other => json!({"stringValue": other.to_string()}),
    }
}

/// The first bytes of a digest, in hex: the same log gives the same ids.
fn hex(session: &str, of: &str, bytes: usize) -> String {
    let digest = Sha256::digest(format!("caponier {session} {of}").as_bytes());
    digest.iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}
