//! CSV (RFC 4180): one row for each event, one column for each field that many events have, the rest as JSON in the last.
//!
//! A cell that a spreadsheet would take for a formula begins with an apostrophe, which makes it text there: a server
//! chooses its own tool names and paths. Control characters that no table needs are shown by their numbers.

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::audit::export::Format;
use crate::audit::export::fields::Fields;

/// The columns before `more`, in order; the names are the log's.
pub const COLUMNS: &[&str] = &[
    "time",
    "session",
    "seq",
    "server",
    "event",
    "call",
    "calls",
    "attribution",
    "tool",
    "method",
    "outcome",
    "access",
    "path",
    "asked",
    "host",
    "port",
    "address",
    "sni",
    "syscall",
    "verdict",
    "reason",
    "layer",
    "remedy",
    "why_not",
    "result",
    "errno",
    "detail",
    "pid",
    "ppid",
    "exe",
    "argv",
    "command",
    "evidence",
    "count",
    "duration_us",
    "bytes",
];

/// See the module.
#[derive(Debug, Default)]
pub struct Csv;

impl Format for Csv {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{},more\r", COLUMNS.join(","))
    }

    fn event(&mut self, event: &Fields, out: &mut dyn Write) -> io::Result<()> {
        for column in COLUMNS {
            match event.get(column) {
                // A number is what it looks like, also below zero.
                Some(Value::Number(number)) => write!(out, "{number}")?,
                Some(Value::String(text)) => cell(text, out)?,
                Some(other) => cell(&other.to_string(), out)?,
                None => {}
            }
            out.write_all(b",")?;
        }
        let more = event.own().filter(|(name, _)| !COLUMNS.contains(name));
        let more: Map<String, Value> = more.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        if !more.is_empty() {
            cell(&Value::Object(more).to_string(), out)?;
        }
        out.write_all(b"\r\n")
    }
}

/// Writes one cell: text, whatever it says.
fn cell(text: &str, out: &mut dyn Write) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    out.write_all(b"\"")?;
    if is_formula(text) {
        out.write_all(b"'")?;
    }
    for character in text.chars() {
        match character {
            '"' => out.write_all(b"\"\"")?,
            '\n' | '\r' | '\t' => write!(out, "{character}")?,
            _ if character.is_control() => write!(out, "\\x{:02x}", u32::from(character))?,
            _ => write!(out, "{character}")?,
        }
    }
    out.write_all(b"\"")
}

/// What spreadsheets begin a formula with, also in the wide forms, and also behind blanks.
fn is_formula(text: &str) -> bool {
    const SIGNS: &[char] =
        &['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    text.starts_with(SIGNS) || text.trim_start().starts_with(SIGNS)
}
