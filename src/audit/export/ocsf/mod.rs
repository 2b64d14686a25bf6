//! OCSF 1.5.0 (Open Cybersecurity Schema Framework), one JSON object a line, with its profiles `host` and
//! `security_control`.
//!
//! Each event becomes one object of the class that fits it ([`classes`]); a refusal is followed by a Detection Finding
//! that names it. Fields without a place in the class stand under `unmapped`, by the log's names, and so nothing is lost.

mod classes;
mod objects;

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::audit::export::Format;
use crate::audit::export::fields::Fields;
use crate::policy::reason::Reason;

/// The version of the schema.
pub const VERSION: &str = "1.5.0";
/// Refused, and usual: every program with threads asks for `clone3`, and goes on without. No finding.
const USUAL: Reason = Reason::SyscallUnsupported;

/// See the module.
#[derive(Debug)]
pub struct Ocsf {
    /// The machine's name: the log has none.
    device: String,
}

impl Ocsf {
    /// `device`: the name of the machine that the log is of.
    pub fn new(device: String) -> Self {
        Ocsf { device }
    }
}

impl Format for Ocsf {
    fn event(&mut self, event: &Fields, out: &mut dyn Write) -> io::Result<()> {
        let mut activity = classes::activity(event, &self.device);
        common(&mut activity, event);
        activity.insert("device".into(), objects::device(&self.device));
        write(activity, out)?;
        if event.is_denied() && event.text("reason") != Some(USUAL.code()) || event.event() == "tool.mismatch"
        {
            let mut finding = classes::finding(event, &self.device);
            common(&mut finding, event);
            write(finding, out)?;
        }
        Ok(())
    }
}

fn write(object: Map<String, Value>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}

/// What every class has. `class_uid`, `category_uid` and `activity_id` are there already.
fn common(object: &mut Map<String, Value>, event: &Fields) {
    let number = |name: &str| object.get(name).and_then(Value::as_u64).unwrap_or_default();
    let type_uid = number("class_uid") * 100 + number("activity_id");
    let (denied, status) = (event.is_denied(), objects::status(event));
    let (action, disposition) = match (denied, event.text("verdict")) {
        (true, _) => (2, 2),
        (false, Some(_)) => (1, 1),
        // Told, and not judged.
        (false, None) => (3, 17),
    };
    let members = [
        ("type_uid", json!(type_uid)),
        ("time", json!(event.nanos() / 1_000_000)),
        ("severity_id", json!(objects::severity(event))),
        ("action_id", json!(action)),
        ("disposition_id", json!(disposition)),
        ("message", json!(objects::message(event))),
        ("metadata", objects::metadata(event)),
        ("unmapped", objects::unmapped(event)),
    ];
    object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    if object.get("class_uid") != Some(&json!(classes::FINDING)) {
        object.insert("status_id".into(), json!(status));
    }
    if let Some(code) = event.text("result").or(event.text("errno")).or(event.text("outcome")) {
        object.insert("status_code".into(), json!(code));
    }
    if let Some(detail) = event.text("reason").or(event.text("detail")) {
        object.insert("status_detail".into(), json!(detail));
    }
    if let Some(count) = event.number("count").filter(|count| *count > 0) {
        object.insert("count".into(), json!(count));
    }
    if let Some(micros) = event.number("duration_us") {
        object.insert("duration".into(), json!(micros / 1000));
    }
}
